"""The motions to tell apart, and the paths that a window takes under them.

Class c = directions × s + k moves the image content by v_s (cos φ, sin φ) pixels (rows down, columns right) a
millisecond, φ = 2π (k + (s mod 2)/2) / directions.  Sizes and speeds are those of the code of Grimaldi and Perrinet
(2023, Biological Cybernetics, doi 10.1007/s00422-023-00975-8); the article says "12 regular directions and 3
geometric speeds" and no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import RequestError

SPEEDS = tuple(0.5 * 2 ** (2 * s / 3 - 1) for s in range(3))
"""0.2500, 0.3969, 0.6300 pixels/ms (the authors' code)."""

MEAN_BLOCK_MS = 24.0
"""Mean time until the motion is drawn anew, ms (the authors' code; the same motion may be drawn again)."""


@dataclass(frozen=True)
class Motions:
    """The classes: `directions` regular directions at each of `speeds`.

    Attributes
    ----------
    directions : int
        At least 1.
    speeds : tuple of float
        Pixels/ms; every second speed has its directions rotated by half a step, as in the authors' code.
    """

    directions: int = 12
    speeds: tuple[float, ...] = SPEEDS

    def __post_init__(self) -> None:
        if self.directions < 1 or not self.speeds:
            raise RequestError(
                f"There are {self.directions} directions and {len(self.speeds)} speeds; both have to be 1 or more.",
                fix="leave them out for the paper's 12 directions and 3 speeds",
            )
        if not all(math.isfinite(speed) and speed >= 0 for speed in self.speeds):
            raise RequestError(
                f"The speeds {self.speeds} pixels/ms have to be finite and not negative.",
                fix="turn a direction by 180 degrees instead of a negative speed",
            )

    @property
    def count(self) -> int:
        """Number of classes."""
        return self.directions * len(self.speeds)

    @property
    def angles(self) -> np.ndarray:
        """φ of every class, radians, shape (count,); 0 moves the content down, π/2 to the right."""
        step = np.arange(self.count) % self.directions
        ring = np.arange(self.count) // self.directions
        return 2 * np.pi * (step + 0.5 * (ring % 2)) / self.directions

    @property
    def velocities(self) -> np.ndarray:
        """(rows, columns) of every class, pixels/ms, shape (count, 2)."""
        speed = np.repeat(self.speeds, self.directions)
        return speed[:, None] * np.stack([np.cos(self.angles), np.sin(self.angles)], axis=1)

    def label(self, number: int) -> str:
        """Such as ``"0.63 px/ms, 30°"``."""
        return f"{self.speeds[number // self.directions]:.2f} px/ms, {math.degrees(self.angles[number]):.0f}°"

    def symmetries(self) -> list[tuple[np.ndarray, int, bool]]:
        """How the classes permute under the 8 symmetries of a square grid: (permutation, quarter turns, mirrored).

        A movie of class c whose frames are passed through ``numpy.rot90(frame, turns)``, after
        ``frame[:, ::-1]`` where mirrored, is a movie of class ``permutation[c]``.  Only those that map every class
        onto a class are returned, the identity first: all 8 for the paper's motions.
        """
        found = []
        velocities = self.velocities
        for mirrored in (False, True):
            for turns in range(4):
                moved = velocities * (1, -1) if mirrored else velocities
                for _ in range(turns):  # rot90 turns columns (right) into rows (up)
                    moved = np.stack([-moved[:, 1], moved[:, 0]], axis=1)
                distance = np.abs(moved[:, None] - velocities[None]).max(axis=2)
                permutation = distance.argmin(axis=1)
                if distance[np.arange(self.count), permutation].max() < 1e-9:
                    found.append((permutation, turns, mirrored))
        return found


def label_sequence(
    generator: np.random.Generator, motions: Motions, steps: int, mean_block: float | None = MEAN_BLOCK_MS
) -> np.ndarray:
    """The class at each of `steps` ms: kept with probability 1 - 1/`mean_block`, else drawn anew among all.

    Returns
    -------
    ndarray of int64, shape (steps,)
        One constant class where `mean_block` is None, as in test movies.
    """
    if mean_block is None:
        return np.full(steps, generator.integers(motions.count))
    drawn = generator.integers(motions.count, size=steps)
    redraw = generator.random(steps) < 1 / mean_block
    redraw[0] = True
    return drawn[np.maximum.accumulate(np.where(redraw, np.arange(steps), 0))]


def path(motions: Motions, labels: np.ndarray) -> np.ndarray:
    """Where the window's corner is, relative to its start: the cumulative sum of -velocity, pixels, (steps, 2).

    The window moves against the content, which is why the content moves with the velocity of its class.
    """
    steps = -motions.velocities[labels]
    steps[0] = 0.0
    return np.cumsum(steps, axis=0)
