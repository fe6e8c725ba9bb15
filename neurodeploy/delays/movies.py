"""Movies: a window that glides over a natural image, one frame a millisecond.

    I(t, y, x) = image(y + corner_y(t), x + corner_x(t)),    corner(t) = start + Σ -velocity(label)

Recipe and numbers are those of the authors' code (see `motions`); two things are stricter than there: the image is
drawn anew for every movie, and the images of test movies are never seen in training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodeploy.delays.images import Image, turned
from neurodeploy.delays.motions import MEAN_BLOCK_MS, Motions, label_sequence, path
from neurodeploy.errors import RequestError

MARGIN = 5
"""Pixels that the window keeps from the image's edge (the authors' code)."""

NOISE = 0.001
"""Standard deviation of the noise on pixels that range over -1 .. 1 (the authors' code)."""

REACH, WINDOW = 10, 5.0
"""Half width of the interpolation kernel, pixels, and β of its window; our choice
(the authors shift the whole image in Fourier space)."""


@dataclass(frozen=True)
class MovieSettings:
    """Size and statistics of a movie.

    Attributes
    ----------
    height, width, steps : int
        Pixels, pixels, ms.
    mean_block : float or None
        ms until the motion is drawn anew, on average; None keeps one motion, as test movies do.
    noise : float
        Standard deviation of pixel noise, of a range of -1 .. 1.
    """

    height: int = 128
    width: int = 128
    steps: int = 200
    mean_block: float | None = MEAN_BLOCK_MS
    noise: float = NOISE


@dataclass(frozen=True)
class Movie:
    """Frames with the class of each.

    Attributes
    ----------
    frames : ndarray of float32, shape (steps, height, width)
        -1 .. 1.
    labels : ndarray of int64, shape (steps,)
        The class whose velocity brought the content from the frame before to this one.
    image : str
        The name of the image.
    """

    frames: np.ndarray
    labels: np.ndarray
    image: str


def make_movie(
    generator: np.random.Generator, images: Sequence[Image], motions: Motions, settings: MovieSettings
) -> Movie:
    """A movie of an image drawn among `images`, turned and mirrored at random, under motions drawn anew.

    Raises
    ------
    RequestError
        The image is too small for the path.
    """
    image = images[int(generator.integers(len(images)))]
    pixels = turned(image, int(generator.integers(4)), bool(generator.integers(2)))
    labels = label_sequence(generator, motions, settings.steps, settings.mean_block)
    corner = path(motions, labels)
    size = np.array([settings.height, settings.width])
    low = np.ceil(MARGIN - corner.min(axis=0)).astype(int)
    high = np.floor(np.array(pixels.shape) - MARGIN - size - corner.max(axis=0)).astype(int)
    if np.any(high < low):
        needed = (size + 2 * MARGIN + np.ceil(np.ptp(corner, axis=0))).astype(int)
        raise RequestError(
            f"The image '{image.name}' has {pixels.shape[0]} x {pixels.shape[1]} pixels (as it was turned), and this"
            f" movie needs {needed[0]} x {needed[1]}.",
            why=f"a window of {settings.height} x {settings.width} travels {settings.steps} ms over it",
            fix="use larger images, smaller frames or shorter movies",
        )
    start = generator.integers(low, high + 1)
    frames = glide(pixels, start + corner, settings.height, settings.width)
    frames -= frames.mean()
    frames /= np.abs(frames).max()
    frames += generator.standard_normal(frames.shape, np.float32) * np.float32(settings.noise)
    return Movie(np.clip(frames, -1, 1, out=frames), labels, image.name)


def refuse_small(images: Sequence[Image], motions: Motions, settings: MovieSettings) -> None:
    """Raise a RequestError if a path could lead out of one of `images`, however it is turned: before long work, since
    :func:`make_movie` meets such a path only when it is drawn."""
    travel = np.abs(motions.velocities).max() * (settings.steps - 1)
    needed = max(settings.height, settings.width) + 2 * MARGIN + math.ceil(travel) + 1
    small = [image for image in images if min(image.pixels.shape) < needed]
    if small:
        height, width = small[0].pixels.shape
        others = f" {len(small) - 1} more are too small as well." if len(small) > 1 else ""
        raise RequestError(
            f"The image '{small[0].name}' has {height} x {width} pixels; movies of {settings.height} x"
            f" {settings.width} pixels and {settings.steps} ms need {needed} in each direction.{others}",
            why=f"a window moves up to {travel:.0f} pixels over it and keeps {MARGIN} from its edge",
            fix="take small images out of the folder",
        )


def glide(pixels: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Windows of an image at sub-pixel `corners` (rows, columns): float32, (len(corners), height, width).

    Band-limited interpolation by a sinc under a Kaiser window of 2 × :data:`REACH` taps; the image goes on
    periodically, as it does under a phase ramp in Fourier space.
    """
    whole = np.floor(corners).astype(int)
    taps = 2 * REACH
    rows = (whole[:, :1] - REACH + 1 + np.arange(height + taps - 1)) % pixels.shape[0]
    columns = (whole[:, 1:] - REACH + 1 + np.arange(width + taps - 1)) % pixels.shape[1]
    windows = pixels[rows[:, :, None], columns[:, None, :]]
    across_rows = _interpolation(corners[:, 0] - whole[:, 0], height)
    across_columns = _interpolation(corners[:, 1] - whole[:, 1], width)
    return across_rows @ windows @ across_columns.transpose(0, 2, 1)


def _interpolation(fraction: np.ndarray, size: int) -> np.ndarray:
    """Matrices (len(fraction), size, size + taps - 1) that read a signal `fraction` of a pixel further."""
    taps = 2 * REACH
    distance = np.arange(taps) - (REACH - 1) - fraction[:, None]
    window = np.i0(WINDOW * np.sqrt(np.clip(1 - (distance / REACH) ** 2, 0, None))) / np.i0(WINDOW)
    kernel = (np.sinc(distance) * window).astype(np.float32)
    band = np.zeros((len(fraction), size, size + taps), np.float32)
    band[:, :, :taps] = kernel[:, None]
    # rows one longer than they should be: read flat, each row starts one place later than the one above
    flat = band.reshape(len(fraction), -1)[:, : size * (size + taps - 1)]
    return flat.reshape(len(fraction), size, size + taps - 1)
