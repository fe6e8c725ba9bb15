"""Images as an event camera would see them that makes three saccades over them: a simulation, never called N-MNIST.

The N-MNIST recordings (Orchard et al. 2015) were made by a camera of 34 x 34 pixels that moved along a triangle, 100 ms a
side.  Here the image moves, without noise: a pixel says so each time its brightness has risen or fallen by a fixed part of the
whole range since it last did, once a millisecond at most.
"""

from __future__ import annotations

import math

import numpy as np

MARGIN = 6
"""Pixels by which the camera's side exceeds the image's (28 to 34 in N-MNIST)."""

CORNERS = ((0.0, 0.0), (6.0, 3.0), (0.0, 6.0), (0.0, 0.0))
"""(row, column) of the image's corner at 0, 100, 200 and 300 ms."""

SACCADE_MS = 100
RECORDING_MS = 300

CONTRAST = 0.2
"""Part of the whole range of brightness that makes an event."""

FIRST_START, LAST_START = 1, 278
"""Of a window of a recording of 300 ms (``NALSM_RUN_MAIN_SIM_NMNIST.py``)."""

LONGEST_WINDOW_MS = 20


def input_count(pixels: int) -> int:
    """ON and OFF cells of the camera that looks at images of so many pixels."""
    return 2 * (side_of(pixels) + MARGIN) ** 2


def side_of(pixels: int) -> int:
    """Of a square image."""
    return math.isqrt(pixels)


def window_start(seed: int, number: int, ends_ms: int = RECORDING_MS) -> int:
    """First millisecond of a window, uniform over whole numbers from 1 to 278; as far from another end of the recording."""
    last = max(FIRST_START, ends_ms - (RECORDING_MS - LAST_START))
    return int(np.random.default_rng([seed, 3, number]).integers(FIRST_START, last + 1))


def corner(milliseconds: float) -> tuple[float, float]:
    """Where the image's corner is."""
    saccade = min(int(milliseconds // SACCADE_MS), len(CORNERS) - 2)
    part = milliseconds / SACCADE_MS - saccade
    (row, column), (next_row, next_column) = CORNERS[saccade : saccade + 2]
    return row + part * (next_row - row), column + part * (next_column - column)


def placed(images: np.ndarray, row: float, column: float) -> np.ndarray:
    """`images` (n, side, side) on the camera, with their corner at (row, column), between pixels linearly."""
    side = images.shape[1]
    seen = np.zeros((len(images), side + MARGIN + 1, side + MARGIN + 1), np.float32)
    r, c = int(row), int(column)
    down, right = np.float32(row - r), np.float32(column - c)
    for i, along in ((0, 1 - down), (1, down)):
        for j, across in ((0, 1 - right), (1, right)):
            seen[:, r + i : r + i + side, c + j : c + j + side] += along * across * images
    return seen[:, :-1, :-1]


def events(images: np.ndarray) -> np.ndarray:
    """What the camera sees in 300 ms.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, pixels)

    Returns
    -------
    ndarray of int32, shape (n_events, 3)
        Image, ms, input: OFF cells come first, row by row, then ON cells; in order of images, then time.
    """
    side = side_of(images.shape[1])
    bright = images.reshape(-1, side, side).astype(np.float32) / 255
    level = placed(bright, *corner(0))
    cells = level[0].size
    found = []
    for step in range(1, RECORDING_MS):
        change = placed(bright, *corner(step)) - level
        crossed = np.trunc(change / np.float32(CONTRAST))
        level += crossed * np.float32(CONTRAST)
        image, place = np.nonzero(crossed.reshape(len(images), -1))
        on = crossed.reshape(len(images), -1)[image, place] > 0
        found.append(np.stack([image, np.full_like(image, step), place + on * cells], axis=1))
    joined = np.concatenate(found).astype(np.int32)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]
