"""How an image hits the input neurons: pixels by probability, or the events of a simulated event camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from neurodeploy.backends.brian2.trials.session import Protocol, Trialled, Trials
from neurodeploy.lsm import saccades
from neurodeploy.lsm.data import encode


@dataclass(frozen=True)
class Pixels:
    """In every step each pixel hits its input neuron with the probability of :func:`neurodeploy.lsm.data.encode`.

    Attributes
    ----------
    largest : float
        What shares are divided by.
    """

    largest: float

    def show(
        self,
        trials: Trials,
        images: np.ndarray,
        numbers: np.ndarray,
        protocol: Protocol,
        raster: bool = False,
    ) -> Trialled:
        """A trial for each image."""
        return trials.run(encode(images, self.largest), numbers, protocol, raster)


@dataclass(frozen=True)
class Saccades:
    """Every event of :func:`neurodeploy.lsm.saccades.events` is a hit; nothing is drawn but where a snapshot begins.

    A trial shorter than a recording's first 250 ms is a window of it that starts at a whole millisecond from 1 to 278, drawn for
    each trial number; longer ones see it from its start.

    Attributes
    ----------
    seed : int
    """

    seed: int

    def show(
        self,
        trials: Trials,
        images: np.ndarray,
        numbers: np.ndarray,
        protocol: Protocol,
        raster: bool = False,
    ) -> Trialled:
        """A trial for each image."""
        seen = saccades.events(images)
        if protocol.steps <= saccades.LONGEST_WINDOW_MS:
            starts = np.array([saccades.window_start(self.seed, int(number)) for number in numbers])
            seen[:, 1] -= starts[seen[:, 0]]
        inside = (seen[:, 1] >= 0) & (seen[:, 1] < protocol.steps)
        return trials.replay(seen[inside], len(images), protocol, raster)


Drive: TypeAlias = Pixels | Saccades
