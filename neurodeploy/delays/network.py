"""The detectors as spiking neurons, in PyNN's calls alone.

    a detector fires in the step after t exactly where  X(t) = Σ w over the events that reach it at t  is above θ;
    nothing is kept from one step to the next

A weight is a whole number of mV and θ a whole number too, so every target adds up the same X and decides the same,
as long as its registers hold it.  That is the neuron ``deterministic``; of the two others of :data:`NEURONS`

    ``stochastic`` fires with probability σ(step X + β), nothing kept: where X + n ≥ -β / step, n drawn from the logistic law;
    ``winner`` fires as ``deterministic`` does, and a spike silences the other classes of its place for some steps.

The cell is ``IF_curr_delta`` whose membrane forgets within a step; a capacitance of
τ_m / 1 MΩ makes a weight as large in nA (SpiNNaker's meaning of that cell) as in mV (PyNN's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.delays.evaluation import STREAM_DRAWN
from neurodeploy.delays.events import Events
from neurodeploy.delays.layer import chosen_inputs, swap, to_flat
from neurodeploy.delays.synapses import Expanded, Quantised, expand, places, to_synapses
from neurodeploy.errors import RequestError

TIME_STEP = 1.0
"""ms; the bins of the events."""

NEURONS = ("deterministic", "stochastic", "winner")

INHIBITION = 1
"""Steps for which a spike silences the other classes of its place."""

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

ABOVE = {"deterministic": 0.75, "winner": 0.25}
"""How far the threshold lies above θ, in steps of a weight: a sum of θ stays below it and one of θ + 1 reaches it, whichever
way a chip compares and although Loihi keeps 1/4096 of the voltage before, while that is between -1,024 and 3,072 steps; of
winners, which inhibition presses down, between -3,072 and 1,024 steps."""

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
    levels : ndarray, shape (neurons,)
        A neuron fires where what arrives in a step adds up to this or more.
    classes, branches : int
    height, width : int
        Of the frame.
    stride : int
        Detectors stand at every so many rows and columns.
    inhibition : int
        Steps for which a spike silences the other classes of its place; 0 for none.
    noise : float
        Scale of the logistic variable that is added to what arrives, in steps of a weight; 0 for none.
    """

    synapses: Expanded
    levels: np.ndarray
    classes: int
    branches: int
    height: int
    width: int
    stride: int
    inhibition: int = 0
    noise: float = 0.0

    @property
    def places(self) -> int:
        return self.synapses.neurons // (self.classes * self.branches)

    def field(self, neurons: np.ndarray) -> np.ndarray:
        """Spikes of every class at every place, both branches together, from the numbers of the neurons that fired.

        Shape (classes, places); places go row by row.
        """
        detector = neurons % (self.classes * self.places)
        return np.bincount(detector, minlength=self.classes * self.places).reshape(self.classes, -1)

    def rivals(self) -> tuple[np.ndarray, np.ndarray]:
        """(pre, post) of all pairs of neurons at one place that are of different classes."""
        of_class = np.arange(self.branches * self.classes) % self.classes
        pairs = np.nonzero(of_class[:, None] != of_class)
        pre, post = (kind[:, None] * self.places + np.arange(self.places) for kind in pairs)
        return pre.ravel(), post.ravel()

    @property
    def silencing(self) -> int:
        """Weight that keeps a neuron silent whatever else arrives: a power of two, which every chip holds exactly."""
        arriving = np.bincount(self.synapses.post, np.maximum(self.synapses.weight, 0), self.synapses.neurons)
        return 1 << (max(int((arriving - self.levels).max()) + 1, 1) - 1).bit_length()

    def largest_sums(self) -> list[float]:
        """The most that the positive and the negative weights onto a neuron (magnitudes) add up to in a step.

        Of its rivals each fires once at most in the steps that are silenced (all that fire do so together, and silence each
        other), or one class does alone, again and again.
        """
        up, down = self.synapses.largest_sums()
        if self.inhibition:
            down += self.silencing * self.branches * max(self.classes - 1, self.inhibition)
        return [up, down]


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
    neuron: str = "deterministic",
    inhibition: int = INHIBITION,
) -> Detectors:
    """The detectors of `quantised` at every `stride`-th place of a frame, with thresholds in the layer's own unit.

    Parameters
    ----------
    quantised : Quantised
    thresholds : ndarray, shape (classes,)
        Of a stochastic detector: where it fires with probability 1/2.
    height, width, stride, branches : int
    neuron : str
        One of :data:`NEURONS`.
    inhibition : int
        Steps, of a winner.
    """
    synapses = expand(to_synapses(quantised, branches), height, width, stride)
    stochastic = neuron == "stochastic"
    if stochastic:
        levels = (thresholds - quantised.layer.bias) / quantised.step
    else:
        levels = whole_thresholds(quantised, thresholds) + ABOVE[neuron]
    levels = np.tile(levels, branches)
    return Detectors(
        synapses,
        np.repeat(levels, synapses.neurons // len(levels)),
        len(thresholds),
        branches,
        height,
        width,
        stride,
        inhibition=inhibition if neuron == "winner" else 0,
        noise=1.0 / quantised.step if stochastic else 0.0,
    )


def draw_noise(made: Detectors, steps: int, seed: int) -> np.ndarray | None:
    """What is added to the sum of every neuron in every step, (steps, neurons); None where nothing is."""
    if not made.noise:
        return None
    generator = np.random.default_rng([seed, STREAM_DRAWN])
    return generator.logistic(0.0, made.noise, (steps, made.synapses.neurons))


def build(
    sim: Any,
    made: Detectors,
    trains: Sequence[np.ndarray],
    noise: np.ndarray | None = None,
    noise_from: float = 0.0,
) -> tuple[Any, Any]:
    """The events' source and the detectors in the PyNN simulator `sim`, which is set up with a step of 1 ms.

    Parameters
    ----------
    sim : module
    made : Detectors
    trains : sequence of ndarray
        Times of the events of every input, ms (:func:`spike_times`).
    noise : ndarray, shape (steps, neurons), optional
        Of :func:`draw_noise`: a current, in nA, that changes in every step.
    noise_from : float
        When the first of it begins, ms.

    Returns
    -------
    (Population, Population)
        ``events`` and ``detectors``, whose spikes are recorded.
    """
    table = made.synapses
    source = sim.Population(table.inputs, sim.SpikeSourceArray(spike_times=list(trains)), label="events")
    cell = sim.IF_curr_delta(**CELL, v_thresh=made.levels.tolist())
    most = {"max_expected_summed_weight": made.largest_sums()}
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
    if made.inhibition:
        pre, post = (np.tile(ends, made.inhibition) for ends in made.rivals())
        delay = np.repeat(np.arange(1, made.inhibition + 1), len(pre) // made.inhibition) * TIME_STEP
        weight = np.full(len(pre), -made.silencing)
        sim.Projection(
            neurons,
            neurons,
            sim.FromListConnector(
                np.column_stack([pre, post, weight, delay]), column_names=["weight", "delay"]
            ),
            synapse_type=sim.StaticSynapse(),
            receptor_type="inhibitory",
            label="inhibition",
        )
    if noise is not None:
        times = noise_from + np.arange(len(noise)) * TIME_STEP
        for number, current in enumerate(noise.T):
            sim.StepCurrentSource(times=times, amplitudes=current).inject_into(neurons[number : number + 1])
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


def dense_reference(
    quantised: Quantised, made: Detectors, movies: Sequence[Events], noise: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(t, neuron) of every spike by one matrix product, sorted by time, then neuron; without lists or delays of synapses.

    The movies follow one another, and so does t.  The sums are of whole numbers below 2^24, which float32 holds exactly.
    """
    layer = quantised.layer
    flat = to_flat(quantised.whole.astype(np.float32))
    both = np.concatenate([flat, swap(flat)][: made.branches]).T
    used = np.flatnonzero(both.any(axis=1))
    both = both[used]
    row, column = places(made.height, made.width, layer.radius, made.stride)
    levels = made.levels.reshape(-1, len(row)).T
    before = np.zeros((2, layer.delays - 1, made.height, made.width), np.float32)
    recent = np.zeros((made.inhibition, len(row), made.classes), bool)
    found: list[np.ndarray] = []
    for events in movies:
        dense = np.concatenate([before, events.dense()], axis=1)
        before = dense[:, events.steps :]
        for step in range(events.steps):
            now = np.full(len(row), step + layer.delays - 1)
            sums = chosen_inputs(dense, now, row, column, layer.delays, layer.side, used) @ both
            if noise is not None:
                sums = sums + noise[len(found)].reshape(-1, len(row)).T
            fires = sums >= levels
            if made.inhibition:
                winners = recent.any(axis=0)
                silent = winners.sum(axis=1, keepdims=True) > winners
                fires &= ~np.tile(silent, made.branches)
                of_class = fires.reshape(len(row), made.branches, made.classes).any(axis=1)
                recent = np.concatenate([recent[1:], of_class[None]])
            place, kind = np.nonzero(fires)
            found.append(np.sort(kind * len(row) + place))
    return np.repeat(np.arange(len(found)), [len(one) for one in found]), np.concatenate(found)
