"""How far two sets of spike trains are apart: elephant's distances, rates, and the share that coincides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.comparison.divergence import PopulationComparison, Spikes
from neurodeploy.errors import ToolchainMissingError

VAN_ROSSUM_TAU = 10.0
"""ms; time constant of van Rossum's kernel (van Rossum, Neural Comput. 13:751, 2001, uses 10 ms as an example)."""

VICTOR_PURPURA_COST = 0.1
"""per ms: moving a spike by 20 ms costs as much as deleting and inserting it (Victor & Purpura 1996's q = 100/s)."""

MOST_NEURONS = 200
"""Neurons of a population whose trains are compared, the first that fire on either side."""


@dataclass
class Distance:
    """Two sets of trains of one population, after the constant shift between them is taken away.

    Attributes
    ----------
    label : str
    rates : tuple of float
        Hz, mean over all neurons, on each side.
    coincidence : float
        Spikes with a partner in the same step, over all: 1 where the trains are equal, or both empty.
    van_rossum : float
        Mean over the compared neurons of the distance with :data:`VAN_ROSSUM_TAU`.
    victor_purpura : float
        Mean over the compared neurons of the distance with :data:`VICTOR_PURPURA_COST`.
    neurons : int
        How many were compared: those that fire on either side, :data:`MOST_NEURONS` at most.
    """

    label: str
    rates: tuple[float, float]
    coincidence: float
    van_rossum: float
    victor_purpura: float
    neurons: int


def distance(
    compared: PopulationComparison,
    first: Spikes,
    second: Spikes,
    size: int,
    steps: int,
    time_step: float,
) -> Distance:
    """Distances of one population of `size` neurons over `steps` steps of `time_step` ms.

    Raises
    ------
    ToolchainMissingError
        elephant is not installed.
    """
    sides = (first[compared.label], second[compared.label])
    seconds = steps * time_step / 1000.0
    rates = (compared.first / size / seconds, compared.second / size / seconds)
    total = compared.first + compared.second
    coincidence = 2 * compared.shared / total if total else 1.0
    firing = np.unique(np.concatenate([neurons for _, neurons in sides]))[:MOST_NEURONS]
    if not compared.differing:
        return Distance(compared.label, rates, 1.0, 0.0, 0.0, len(firing))
    shifts = (0, compared.shift)
    pairs = [
        [
            (times[neurons == neuron] - shift) * time_step
            for (times, neurons), shift in zip(sides, shifts, strict=True)
        ]
        for neuron in firing
    ]
    values = np.array([_elephant(one, other) for one, other in pairs])
    return Distance(
        compared.label,
        rates,
        coincidence,
        float(values[:, 0].mean()),
        float(values[:, 1].mean()),
        len(firing),
    )


def _elephant(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Van Rossum's and Victor and Purpura's distance of two trains, times in ms."""
    if np.array_equal(one, other):
        return 0.0, 0.0
    try:
        from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance
    except ImportError as error:
        raise ToolchainMissingError(
            "Distances between spike trains need elephant", fix="pip install 'neurodeploy[compare]'"
        ) from error
    import quantities as pq
    from neo import SpikeTrain

    start = min([0.0, *one, *other])
    end = max([1.0, *one, *other]) + 1.0
    trains = [SpikeTrain(times, t_start=start, t_stop=end, units="ms") for times in (one, other)]
    rossum = van_rossum_distance(trains, time_constant=VAN_ROSSUM_TAU * pq.ms)[0, 1]
    purpura = victor_purpura_distance(trains, cost_factor=VICTOR_PURPURA_COST / pq.ms)[0, 1]
    return float(rossum), float(purpura)
