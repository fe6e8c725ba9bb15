"""Natural images for the movies: those that ship inside scikit-image and scikit-learn, or a folder of the user's.

Nothing is downloaded.  Images are grey, whitened (spectrum times f exp(-(f/0.4)⁴), f in cycles/pixel, the form of
Olshausen and Field 1997) and divided by their standard deviation.  The paper's own 100 images are in no package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError

TRAINING = (
    "astronaut",
    "brick",
    "camera",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "retina",
    "rocket",
    "stereo_left",
    "stereo_right",
)
"""Images of scikit-image that movies for training are cut from."""

TEST = ("chelsea", "coffee", "china.jpg", "flower.jpg")
"""Held out: two images of scikit-image and both of scikit-learn; no training movie sees them."""

CUT_OFF = 0.4
"""Cycles/pixel of the whitening filter's low-pass."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy")


@dataclass(frozen=True)
class Image:
    """A whitened image.

    Attributes
    ----------
    name : str
    pixels : ndarray of float32, shape (height, width)
        Mean 0, standard deviation 1.
    """

    name: str
    pixels: np.ndarray


def whiten(grey: np.ndarray) -> np.ndarray:
    """The image whose spectrum is that of `grey` times f exp(-(f/0.4)⁴), divided by its standard deviation."""
    from scipy import fft

    grey = np.asarray(grey, np.float32)
    rows = fft.fftfreq(grey.shape[0]).astype(np.float32)[:, None]
    columns = fft.rfftfreq(grey.shape[1]).astype(np.float32)[None]
    f = np.hypot(rows, columns)
    white = fft.irfft2(fft.rfft2(grey) * (f * np.exp(-((f / CUT_OFF) ** 4))), s=grey.shape)
    return (white / white.std()).astype(np.float32)


def embedded(test: bool = False) -> list[Image]:
    """The embedded images of one side of the split: :data:`TEST`, or :data:`TRAINING`.

    Raises
    ------
    ToolchainMissingError
        scikit-image or scikit-learn is not installed.
    """
    return [Image(name, whiten(_read_embedded(name))) for name in (TEST if test else TRAINING)]


def _read_embedded(name: str) -> np.ndarray:
    try:
        import skimage.data
        import skimage.io
        import sklearn.datasets
    except ImportError as error:
        raise ToolchainMissingError(
            f"The embedded images need a package that is not installed ({error.name})",
            why="they ship inside scikit-image and scikit-learn",
            fix="pip install 'neurodeploy[delays]', or give a folder of your own images",
        ) from error
    if name.endswith(".jpg"):
        return grey(sklearn.datasets.load_sample_image(name))
    files = {
        "hubble_deep_field": "hubble_deep_field.jpg",
        "immunohistochemistry": "ihc.png",
        "retina": "retina.jpg",
        "rocket": "rocket.jpg",
        "stereo_left": "motorcycle_left.png",
        "stereo_right": "motorcycle_right.png",
    }
    folder = Path(skimage.data.__file__).parent  # by path: skimage.data's functions may download
    return grey(skimage.io.imread(folder / files.get(name, f"{name}.png")))


def from_folder(folder: str | os.PathLike[str]) -> list[Image]:
    """Every image of `folder`, in the order of their names.

    Raises
    ------
    RequestError
        The folder is not there or has no image, or a file in it cannot be read as one or has no contrast.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RequestError(
            f"The folder of images {folder} is not there.", fix="give a folder with PNG, JPEG or NPY files"
        )
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise RequestError(
            f"The folder {folder} has no image.", fix=f"put files there that end in {', '.join(SUFFIXES)}"
        )
    return [Image(file.name, whiten(_read_file(file))) for file in files]


def _read_file(file: Path) -> np.ndarray:
    try:
        if file.suffix.lower() == ".npy":
            pixels = grey(np.load(file, allow_pickle=False))
        else:
            from matplotlib.image import imread

            pixels = grey(imread(file))
    except (OSError, ValueError, SyntaxError) as error:
        raise RequestError(
            f"{file} cannot be read as an image ({error}).",
            fix="save it as a PNG, a JPEG, or an array of shape (height, width) or (height, width, 3)",
        ) from error
    if not np.isfinite(pixels).all():
        raise RequestError(
            f"{file} has pixels that are not finite.",
            why="whitening would spread them over the whole image",
            fix="mend it or take it out",
        )
    if pixels.std() == 0:
        raise RequestError(f"{file} has no contrast.", why="nothing would be seen to move", fix="take it out")
    return pixels


def grey(pixels: np.ndarray) -> np.ndarray:
    """The mean over colours of (height, width) or (height, width, 3 or 4); transparency is dropped."""
    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        pixels = pixels[..., :3].mean(axis=2)
    if pixels.ndim != 2:
        raise ValueError(f"its shape is {pixels.shape}")
    return pixels.astype(np.float64)


def split(images: Sequence[Image], test_share: float = 0.25) -> tuple[list[Image], list[Image]]:
    """(training, test) images: every n-th in the order of names is held out, at least one on each side."""
    if len(images) < 2:
        raise RequestError(
            f"There is {len(images)} image; training and test never share one, so there have to be 2 or more.",
            fix="add images to the folder",
        )
    every = max(2, round(1 / test_share))
    return (
        [image for number, image in enumerate(images) if number % every != every - 1 or number == 0],
        [image for number, image in enumerate(images) if number % every == every - 1] or [images[-1]],
    )


ImageSource = Callable[[np.random.Generator], Image]


def turned(image: Image, turns: int, mirrored: bool) -> np.ndarray:
    """The image's pixels after :func:`numpy.rot90` by `turns`, mirrored first where asked."""
    pixels = image.pixels[:, ::-1] if mirrored else image.pixels
    return np.rot90(pixels, turns)
