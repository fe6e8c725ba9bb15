"""How an image hits the input neurons: pixels by probability, or the events of an event camera, simulated or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from neurodeploy.backends.brian2.trials.session import Protocol, Trialled, Trials
from neurodeploy.lsm import saccades
from neurodeploy.lsm.data import encode
from neurodeploy.lsm.recorded import Recordings


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


@dataclass(frozen=True)
class Recorded:
    """Every event of a recording is a hit; nothing is drawn but where a snapshot begins.

    A snapshot is a window that starts at a whole ms, drawn for each trial number: in N-MNIST from 1 to 278, as the authors do;
    in other recordings from 1 to 21 ms before the last event.

    Attributes
    ----------
    seed : int
    ends_ms : int or None
        When all recordings end; None: each with its last event.
    """

    seed: int
    ends_ms: int | None

    def show(
        self,
        trials: Trials,
        images: Recordings,
        numbers: np.ndarray,
        protocol: Protocol,
        raster: bool = False,
    ) -> Trialled:
        """A trial for each recording."""
        seen = images.events()
        if protocol.steps <= saccades.LONGEST_WINDOW_MS:
            ends = images.last() + 1 if self.ends_ms is None else np.full(len(images), self.ends_ms)
            starts = [
                saccades.window_start(self.seed, int(number), int(end))
                for number, end in zip(numbers, ends, strict=True)
            ]
            seen[:, 1] -= np.array(starts, np.int32)[seen[:, 0]]
        inside = (seen[:, 1] >= 0) & (seen[:, 1] < protocol.steps)
        return trials.replay(seen[inside], len(images), protocol, raster)


Drive: TypeAlias = Pixels | Saccades | Recorded
