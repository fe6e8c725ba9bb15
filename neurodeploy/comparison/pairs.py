"""Two sides beside each other: what differs in their models, their spikes and their weights, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.chips.catalogue import ASPECTS, rules_by_name
from neurodeploy.comparison import causes, models
from neurodeploy.comparison.distances import Distance, distance
from neurodeploy.comparison.divergence import Aligned, align
from neurodeploy.comparison.traces import Traces, execute


@dataclass
class Pair:
    """Two sides beside each other.

    Attributes
    ----------
    first, second : Traces
    models : list of ModelDifference
    aligned : Aligned
    distances : list of Distance
    voltages : list of (list of float), or None
        v of the neuron of the first divergence on each side, mV, before and after that step; None where it has no v.
    cause : Cause or None
    weight_difference : float or None
        Largest difference of a learned weight at the end, over the largest weight; None where nothing learns, or synapses differ.
    """

    first: Traces
    second: Traces
    models: list[models.ModelDifference]
    aligned: Aligned
    distances: list[Distance]
    voltages: list[list[float]] | None
    cause: causes.Cause | None
    weight_difference: float | None

    @property
    def weights_of_different_moments(self) -> bool:
        """Whether one side gives weights as of the last spike into each synapse, and the other as of the end."""
        late = [registry.load(one.side.backend).weights_wait for one in (self.first, self.second)]
        return late[0] != late[1]

    @property
    def share(self) -> float:
        """Spikes of both sides without a partner, over all."""
        return self.aligned.differing / max(self.aligned.spikes, 1)


def compare_sides(
    first: Traces,
    second: Traces,
    progress: causes.Progress | None = None,
    answers: causes.Reads | None = None,
) -> Pair:
    """Lay two sides beside each other, and find why they part; `answers` reads what the model says in its own terms."""
    rules = [rules_by_name(traces.side.options.rules) for traces in (first, second)]
    may_shift = ASPECTS["spike-time"].differs(*rules)
    aligned = align(first.spikes, second.spikes, may_shift)
    found = models.differences(first.network, second.network)
    sizes = {population.label: population.size for population in first.network.populations}
    distances = [
        distance(one, first.spikes, second.spikes, sizes[one.label], first.steps, first.network.time_step)
        for one in aligned.populations
    ]
    return Pair(
        first,
        second,
        found,
        aligned,
        distances,
        _voltages(first, second, aligned),
        causes.find(first, second, aligned, found, progress, answers),
        _weights(first, second),
    )


def _voltages(first: Traces, second: Traces, aligned: Aligned) -> list[list[float]] | None:
    """v of the first neuron that parts: on either side, the samples before and after the step in which one of them fires."""
    parted = aligned.first_divergence
    if parted is None or first.network.population(parted.population).is_source:
        return None
    shift = next(one.shift for one in aligned.populations if one.label == parted.population)
    found = []
    for traces, step in ((first, parted.step), (second, parted.step + shift)):
        watched = (parted.population, parted.neuron)
        samples = execute(traces.side, traces.network, step + 2, [watched], protocol=traces.protocol).samples[
            watched
        ]
        late = rules_by_name(traces.side.options.rules).spike_is_at_end_of_step
        before = max(step - 1 if late else step, 0)
        found.append([float(v) for v in samples[before : before + 2]])
    return found


def _weights(first: Traces, second: Traces) -> float | None:
    worst = []
    for label, one in first.weights.items():
        other = second.weights.get(label)
        if other is None or other.shape != one.shape:
            return None
        if one.size:
            largest = max(float(np.abs(one).max()), float(np.abs(other).max()))
            worst.append(float(np.abs(one - other).max()) / largest if largest else 0.0)
    return max(worst, default=None) if worst else None
