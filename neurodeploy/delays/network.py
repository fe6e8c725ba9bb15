"""The detectors as spiking neurons, in PyNN's calls alone.

    a detector fires in the step after t exactly where  X(t) = Σ w over the events that reach it at t  is above θ;
    nothing is kept from one step to the next

A weight is a whole number of mV and θ a whole number too, so every target adds up the same X and decides the same,
as long as its registers hold it.  The neuron is ``IF_curr_delta`` whose membrane forgets within a step; a capacitance of
τ_m / 1 MΩ makes a weight as large in nA (SpiNNaker's meaning of that cell) as in mV (PyNN's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.delays.events import Events
from neurodeploy.delays.layer import chosen_inputs, swap, to_flat
from neurodeploy.delays.synapses import Expanded, Quantised, expand, places, to_synapses
from neurodeploy.errors import RequestError

TIME_STEP = 1.0
"""ms; the bins of the events."""

FORGETS_IN = 0.05
"""τ_m, ms: e^-20 of a voltage is left after a step, nothing in SpiNNaker's numbers, 1/4096 in Loihi's."""

CELL = {
    "v_rest": 0.0,
    "v_reset": 0.0,
    "tau_m": FORGETS_IN,
    "cm": FORGETS_IN,
    "tau_refrac": 0.0,
    "i_offset": 0.0,
}

ABOVE = 0.75
"""How far the threshold lies above θ, in steps of a weight: a sum of θ stays below it and one of θ + 1 reaches it, whichever
way a chip compares and although Loihi keeps 1/4096 of the voltage before, while that is between -1,024 and 3,072 steps."""

DELAY_OF_A_SYNAPSE = 1
"""Steps more than the age of the event: no chip delivers a spike in its own step."""

DETECTORS = "detectors"
"""Label of their population."""

SHIFT = 1
"""Steps from t to the time of the detector's spike, on every target: a spike counts at the end of its step."""


@dataclass(frozen=True)
class Detectors:
    """A layer in whole numbers at some places of a frame.

    Attributes
    ----------
    synapses : Expanded
    thresholds : ndarray of int64, shape (neurons,)
        θ: a neuron fires above it.
    classes, branches : int
    height, width : int
        Of the frame.
    stride : int
        Detectors stand at every so many rows and columns.
    """

    synapses: Expanded
    thresholds: np.ndarray
    classes: int
    branches: int
    height: int
    width: int
    stride: int

    @property
    def places(self) -> int:
        return self.synapses.neurons // (self.classes * self.branches)

    def field(self, neurons: np.ndarray) -> np.ndarray:
        """Spikes of every class at every place, both branches together, from the numbers of the neurons that fired.

        Shape (classes, places); places go row by row.
        """
        detector = neurons % (self.classes * self.places)
        return np.bincount(detector, minlength=self.classes * self.places).reshape(self.classes, -1)


def whole_thresholds(quantised: Quantised, thresholds: np.ndarray) -> np.ndarray:
    """θ of every class in steps of a weight, with the bias in it: L > θ exactly where X > ⌊(θ - β) / step⌋.

    Raises
    ------
    RequestError
        One is negative: the detector would fire without any event.
    """
    whole = np.floor((thresholds - quantised.layer.bias) / quantised.step).astype(np.int64)
    if (whole < 0).any():
        worst = int(whole.argmin())
        raise RequestError(
            f"The threshold of class {worst} is {whole[worst]} steps of a weight, below 0.",
            why="such a detector fires in every step without an event, and no chip has a threshold below rest",
            fix="keep more synapses, so that a class tells its motion from none",
        )
    return whole


def detectors(
    quantised: Quantised,
    thresholds: np.ndarray,
    height: int,
    width: int,
    stride: int = 1,
    branches: int = 2,
) -> Detectors:
    """The detectors of `quantised` at every `stride`-th place of a frame, with thresholds in the layer's own unit."""
    synapses = expand(to_synapses(quantised, branches), height, width, stride)
    whole = np.tile(whole_thresholds(quantised, thresholds), branches)
    count = synapses.neurons // len(whole)
    return Detectors(synapses, np.repeat(whole, count), len(thresholds), branches, height, width, stride)


def build(sim: Any, made: Detectors, trains: Sequence[np.ndarray]) -> tuple[Any, Any]:
    """The events' source and the detectors in the PyNN simulator `sim`, which is set up with a step of 1 ms.

    Parameters
    ----------
    sim : module
    made : Detectors
    trains : sequence of ndarray
        Times of the events of every input, ms (:func:`spike_times`).

    Returns
    -------
    (Population, Population)
        ``events`` and ``detectors``, whose spikes are recorded.
    """
    table = made.synapses
    source = sim.Population(table.inputs, sim.SpikeSourceArray(spike_times=list(trains)), label="events")
    cell = sim.IF_curr_delta(**CELL, v_thresh=(made.thresholds + ABOVE).tolist())
    most = {"max_expected_summed_weight": table.largest_sums()}
    neurons = sim.Population(table.neurons, cell, label=DETECTORS, additional_parameters=most)
    neurons.initialize(v=CELL["v_rest"])
    neurons.record("spikes")
    for receptor, mine in (("excitatory", table.weight > 0), ("inhibitory", table.weight < 0)):
        rows = np.column_stack(
            [table.pre, table.post, table.weight, table.delay * TIME_STEP + DELAY_OF_A_SYNAPSE]
        )
        if mine.any():
            sim.Projection(
                source,
                neurons,
                sim.FromListConnector(rows[mine], column_names=["weight", "delay"]),
                synapse_type=sim.StaticSynapse(),
                receptor_type=receptor,
                label=f"{receptor} synapses",
            )
    return source, neurons


def spike_times(movies: Sequence[Events]) -> list[np.ndarray]:
    """Times of every input's events, ms, of movies one after the other: polarity × height × width + row × width + column."""
    first = movies[0]
    starts = np.cumsum([0] + [movie.steps for movie in movies[:-1]])
    time = np.concatenate([movie.t + start for movie, start in zip(movies, starts, strict=True)])
    number = np.concatenate([(movie.p * first.height + movie.y) * first.width + movie.x for movie in movies])
    order = np.lexsort((time, number))
    bounds = np.searchsorted(number[order], np.arange(1, 2 * first.height * first.width))
    return np.split(time[order] * TIME_STEP, bounds)


def dense_reference(quantised: Quantised, made: Detectors, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """(t, neuron) of every spike by one matrix product, sorted by time, then neuron; without lists or delays of synapses.

    The sums are of whole numbers below 2^24, which float32 holds exactly.
    """
    layer = quantised.layer
    flat = to_flat(quantised.whole.astype(np.float32))
    both = np.concatenate([flat, swap(flat)][: made.branches]).T
    used = np.flatnonzero(both.any(axis=1))
    both = both[used]
    before = np.zeros((2, layer.delays - 1, events.height, events.width), np.float32)
    dense = np.concatenate([before, events.dense()], axis=1)
    row, column = places(events.height, events.width, layer.radius, made.stride)
    thresholds = made.thresholds[:: len(row)]
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for t in range(events.steps):
        now = np.full(len(row), t + layer.delays - 1)
        seen = chosen_inputs(dense, now, row, column, layer.delays, layer.side, used)
        place, kind = np.nonzero(seen @ both > thresholds)
        neuron = np.sort(kind * len(row) + place)
        found.append((np.full(len(neuron), t), neuron))
    return np.concatenate([t for t, _ in found]), np.concatenate([neuron for _, neuron in found])
