"""Events: what an event camera sees of a movie, or has seen of the world, kept sparse.

    D(t) = I(t) - I(t-1),  θ = selectivity × sd(D);   r(t) = D(t) - θ s(t-1),  s = +1 if r > θ, -1 if r < -θ, else 0

is the authors' code, and the default; ``accumulate`` is the camera model that the article describes: the residual
starts at 0, gathers D, and gives the threshold up with each event.  At most one event a pixel and millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import RequestError
from neurodeploy.event_files import Recording, Table, checked, read

OFF, ON = 0, 1
"""Polarities, as event files have them."""

CAMERAS = {"differencing": False, "accumulating": True}
"""``accumulate`` of :func:`from_frames` by the name of the camera model: the authors' code, the article's."""

SELECTIVITY = 1.0
"""Threshold in standard deviations of the frame difference (the authors' code)."""


@dataclass(frozen=True)
class Events:
    """Events on a grid of pixels and time bins, in order of time.

    Attributes
    ----------
    t, y, x, p : ndarray of int64, shape (count,)
        Bin, row, column, polarity (:data:`OFF`, :data:`ON`).
    steps, height, width : int
        Size of the grid.
    """

    t: np.ndarray
    y: np.ndarray
    x: np.ndarray
    p: np.ndarray
    steps: int
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.t)

    @property
    def density(self) -> float:
        """Events per polarity, pixel and bin."""
        return len(self) / (2 * self.steps * self.height * self.width)

    def dense(self, dtype: Any = np.float32) -> np.ndarray:
        """A(p, t, y, x) in {0, 1}, shape (2, steps, height, width)."""
        array = np.zeros((2, self.steps, self.height, self.width), dtype)
        array[self.p, self.t, self.y, self.x] = 1
        return array

    def swapped(self) -> Events:
        """ON and OFF exchanged."""
        return replace(self, p=1 - self.p)

    def dropped(self, share: float, generator: np.random.Generator) -> Events:
        """Each event lost with probability `share`."""
        return self._chosen(generator.random(len(self)) >= share)

    def added(self, share: float, generator: np.random.Generator) -> Events:
        """`share` × count more events, anywhere on the grid; those that fall on one that is there vanish in it."""
        count = round(share * len(self))
        grid = (self.steps, self.height, self.width, 2)
        more = np.stack([generator.integers(size, size=count) for size in grid])
        return self._merged(np.concatenate([np.stack([self.t, self.y, self.x, self.p]), more], axis=1))

    def jittered(self, bins: int, generator: np.random.Generator) -> Events:
        """Every event moved by a whole number of bins, uniform in -`bins` .. `bins`; those that leave are lost."""
        t = self.t + generator.integers(-bins, bins + 1, size=len(self))
        moved = np.stack([t, self.y, self.x, self.p])[:, (t >= 0) & (t < self.steps)]
        return self._merged(moved)

    def _chosen(self, chosen: np.ndarray) -> Events:
        return replace(self, t=self.t[chosen], y=self.y[chosen], x=self.x[chosen], p=self.p[chosen])

    def _merged(self, columns: np.ndarray) -> Events:
        t, y, x, p = np.unique(columns, axis=1)
        return replace(self, t=t, y=y, x=x, p=p)


def from_dense(array: np.ndarray) -> Events:
    """The events of A(p, t, y, x), whatever is not 0."""
    t, y, x, p = np.nonzero(np.moveaxis(array, 0, -1))
    return Events(t, y, x, p, *array.shape[1:])


def from_frames(frames: np.ndarray, selectivity: float = SELECTIVITY, accumulate: bool = False) -> Events:
    """The events of a movie (steps, height, width), by the equation of this file.

    Raises
    ------
    RequestError
        The selectivity is not positive, there are fewer than 2 frames, a pixel is not finite, or nothing moves.
    """
    if not selectivity > 0:
        raise RequestError(
            f"The selectivity is {selectivity}; it has to be above 0.",
            why="it is the threshold in standard deviations of the frame difference",
            fix="leave it at 1",
        )
    if len(frames) < 2 or not np.isfinite(frames).all():
        what = "has fewer than 2 frames" if len(frames) < 2 else "has pixels that are not finite"
        raise RequestError(f"The movie {what}.", fix="give 2 or more frames of finite numbers")
    difference = np.diff(frames, axis=0)
    threshold = frames.dtype.type(selectivity * difference.std())
    if threshold == 0:
        raise RequestError(
            "Every frame of the movie differs by the same amount from the one before; there is no event.",
            fix="give a movie in which something moves",
        )
    signs = np.zeros(frames.shape, np.int8)
    residual = np.zeros_like(frames[0])
    for step, change in enumerate(difference, start=1):
        given_up = threshold * signs[step - 1]
        residual = (residual if accumulate else 0) + change - given_up
        signs[step] = (residual > threshold).view(np.int8) - (residual < -threshold).view(np.int8)
    t, y, x = np.nonzero(signs)
    return Events(t, y, x, (signs[t, y, x] > 0).astype(np.int64), *frames.shape)


def from_array(
    recording: Table,
    height: int | None = None,
    width: int | None = None,
    bin_us: float = 1000.0,
) -> Events:
    """A recording's events, in bins of `bin_us` µs from its first event on.

    Parameters
    ----------
    recording : structured array or mapping
        Fields ``x``, ``y``, ``p`` and ``t`` (µs), in order of time: what the data sets of the package tonic give.
        Polarities are 0 and 1, -1 and 1, or booleans.
    height, width : int, optional
        The sensor's size; the largest row and column that occur, where left out.
    bin_us : float
        Several events of one pixel and polarity in a bin count as one, as in the model.

    Raises
    ------
    RequestError
        :func:`neurodeploy.event_files.checked` refuses it.
    """
    return _binned(checked(recording, height, width), bin_us)


def _binned(table: Recording, bin_us: float) -> Events:
    t = np.floor((table.t - table.t[0]) / bin_us).astype(np.int64)
    columns = np.unique(np.stack([t, table.y, table.x, table.p]), axis=1)
    return Events(columns[0], columns[1], columns[2], columns[3], int(t[-1]) + 1, table.height, table.width)


def from_file(path: Path, sensor: tuple[int, int] | None = None) -> tuple[Events, int]:
    """The events of a file that :func:`neurodeploy.event_files.read` reads, in bins of 1 ms, and how many the file has."""
    table = read(path, sensor)
    return _binned(table, 1000.0), len(table.t)
