"""Two sets of spikes laid beside each other: the shift between them, what has no partner, and the first of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Spikes = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Population to (time steps, neuron numbers)."""

LONGEST_SHIFT = 32
"""Steps up to which a constant shift of a population is looked for: neurons that many synapses behind an input."""


@dataclass(frozen=True, order=True)
class Divergence:
    """A spike that one side has and the other has not.

    Attributes
    ----------
    step : int
        Time step on the first side.
    population : str
    neuron : int
    on_first : bool
        Whether it is the first side that has it.
    """

    step: int
    position: int
    neuron: int
    on_first: bool
    population: str


@dataclass
class PopulationComparison:
    """Spikes of one population on two sides.

    Attributes
    ----------
    label : str
    first, second : int
        Spikes on each side.
    shift : int
        Steps by which the second side is later throughout.
    shared : int
        Spikes that have a partner, `shift` steps later.
    """

    label: str
    first: int
    second: int
    shift: int
    shared: int

    @property
    def differing(self) -> int:
        """Spikes of both sides without a partner."""
        return self.first + self.second - 2 * self.shared


@dataclass
class Aligned:
    """Two sides beside each other.

    Attributes
    ----------
    populations : list of PopulationComparison
    first_divergence : Divergence or None
        The earliest spike without a partner, in the first side's time; None where there is none.
    """

    populations: list[PopulationComparison]
    first_divergence: Divergence | None

    def in_time_of_first(self, second: Spikes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The second side's spikes with the constant shift of each population taken away."""
        shifts = {one.label: one.shift for one in self.populations}
        return {label: (steps - shifts.get(label, 0), neurons) for label, (steps, neurons) in second.items()}

    @property
    def differing(self) -> int:
        """Spikes of both sides without a partner."""
        return sum(one.differing for one in self.populations)

    @property
    def spikes(self) -> int:
        """Spikes of both sides."""
        return sum(one.first + one.second for one in self.populations)


def align(first: Spikes, second: Spikes, may_shift: bool) -> Aligned:
    """Lay `second` over `first`, population by population.

    Parameters
    ----------
    first, second : Spikes
        Populations that only one of them has are left out.
    may_shift : bool
        Whether a population may be later on the second side by a constant number of steps: the one at which most
        spikes have a partner, the smallest of these.
    """
    populations, found = [], list[Divergence]()
    for position, label in enumerate(name for name in first if name in second):
        ones, others = _pairs(first[label]), _pairs(second[label])
        shift = _best_shift(ones, others) if may_shift else 0
        moved = {(step - shift, neuron) for step, neuron in others}
        populations.append(PopulationComparison(label, len(ones), len(others), shift, len(ones & moved)))
        for own, spikes in ((True, ones - moved), (False, moved - ones)):
            if spikes:
                step, neuron = min(spikes)
                found.append(Divergence(step, position, neuron, own, label))
    return Aligned(populations, min(found, default=None))


def _pairs(spikes: tuple[np.ndarray, np.ndarray]) -> set[tuple[int, int]]:
    return set(zip(spikes[0].tolist(), spikes[1].tolist(), strict=True))


def _best_shift(ones: set[tuple[int, int]], others: set[tuple[int, int]]) -> int:
    if ones == others:
        return 0

    def shared(shift: int) -> int:
        return sum((step + shift, neuron) in others for step, neuron in ones)

    return max(sorted(range(-LONGEST_SHIFT, LONGEST_SHIFT + 1), key=abs), key=shared)
