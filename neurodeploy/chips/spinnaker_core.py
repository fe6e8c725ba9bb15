r"""A SpiNNaker core's tick in the whole numbers of the chip: every sample, spike and weight, bit by bit.

:func:`simulate` says what sPyNNaker 7.4.1 brings back from the machine for a Network, as long as no core is late
and no packet is lost.  What is not covered is refused with an :class:`~neurodeploy.errors.UnsupportedError`.

Tick t of a population: take ring-buffer slot t as input, record, update every neuron, decay the synapses.  Then
the spikes of tick t, of sources and neurons alike, put their weights into slots t + delay.

``tests/sim/test_core_model.py`` compares all of it, bit by bit, with the chip's own programs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.chips.spinnaker_arithmetic import ONE, wrapped
from neurodeploy.chips.spinnaker_cells import CELLS, Numbers
from neurodeploy.chips.spinnaker_machine import CELLS as NATIVE_CELLS
from neurodeploy.chips.spinnaker_machine import (
    LARGEST_VALUE,
    LARGEST_WEIGHT,
    NEURONS_PER_CORE,
    REAL_TIME_STEP,
    RING_BUFFER_BITS,
    longest_ring,
    ring_is_short,
)
from neurodeploy.chips.spinnaker_stdp import (
    HISTORY,
    PairRuleConstants,
    pair_rule_constants,
    stdp_update,
    traced_spike,
)
from neurodeploy.chips.spinnaker_weights import (
    delays_on_host,
    pattern,
    quantise_weights,
    receptor_shifts,
    weight_scale,
    whole_steps,
)
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import RECEPTORS, Network, Plasticity, Population, Projection, weight_sign


@dataclass
class Outcome:
    """What a run brings back, in PyNN's units and signs; every number is exactly the chip's.

    Attributes
    ----------
    spikes : dict of int to (steps, neurons)
        By the population's position: ticks and neuron numbers of all spikes, sorted by tick, then neuron.
    samples : dict of (int, str) to ndarray, shape (steps, size)
        By population and variable: every recordable variable of every neuron; multiples of 2**-15.
    weights : dict of int to ndarray, shape (n_synapses,)
        By the projection's position, in the Network's order.
    """

    spikes: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    samples: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    weights: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass
class _Synapses:
    """A projection on the chip: stored weights, whole delays, and per presynaptic neuron its last spike."""

    projection: Projection
    receptor: int
    stored: np.ndarray
    delay: np.ndarray
    scale: float
    shift: int
    of_pre: dict[int, np.ndarray]
    rule: PairRuleConstants | None
    slots: int
    before: dict[int, tuple[int, int]] = field(default_factory=dict)


class _Core:
    """The neurons of one population: state, ring buffer and history."""

    def __init__(self, population: Population, time_step: float, longest: int, slots: int) -> None:
        self.slots = slots
        self.cell = CELLS[population.cell]
        self.constants = self.cell.constants(population, time_step)
        self.state = self.cell.start(population)
        self.ring = np.zeros((longest + 1, 2, population.size), dtype=np.int64)
        self.shifts = np.zeros((2, 1), dtype=np.int64)
        self.rule: PairRuleConstants | None = None
        self.history: list[list[tuple[int, int]]] = [[] for _ in range(population.size)]

    def tick(self, step: int) -> tuple[Numbers, np.ndarray]:
        """Samples of the tick, and the numbers of the neurons that fire in it."""
        slot = self.ring[step % len(self.ring)]
        arriving = wrapped(slot << self.shifts)
        slot[:] = 0
        self.state, samples, spike = self.cell.tick(self.constants, self.state, arriving)
        fired = np.flatnonzero(spike)
        if self.rule is not None:
            for neuron in fired:
                remembered = self.history[neuron]
                last, trace = remembered[-1] if remembered else (0, 0)
                remembered.append((step, traced_spike(trace, self.rule.minus, step - last)))
                del remembered[:-HISTORY]
        return samples, fired

    def deliver(self, step: int, synapses: _Synapses, pre: int) -> None:
        """Put the weights of one presynaptic spike of tick `step` into the ring buffer, and learn from it."""
        which = synapses.of_pre.get(pre)
        if which is None:
            return
        rule = synapses.rule
        if rule is not None:
            last, last_trace = synapses.before.get(pre, (0, 0))
            for i in which:
                synapses.stored[i] = stdp_update(
                    rule,
                    int(synapses.stored[i]),
                    synapses.shift,
                    step,
                    last,
                    last_trace,
                    int(synapses.delay[i]) % synapses.slots,
                    self.history[synapses.projection.post_index[i]],
                )
            synapses.before[pre] = step, traced_spike(last_trace, rule.plus, step - last)
            which = which[synapses.delay[which] % synapses.slots > 0]  # the chip skips them
        slots = (step + synapses.delay[which]) % len(self.ring)
        at = slots, synapses.receptor, synapses.projection.post_index[which]
        np.add.at(self.ring, at, synapses.stored[which])
        np.minimum(self.ring, LARGEST_WEIGHT, out=self.ring)


def simulate(network: Network, steps: int, rate: float = 30.0, sigma: float = 5.0) -> Outcome:
    """Run `network` for `steps` ticks as sPyNNaker 7.4.1 and its programs do.

    Parameters
    ----------
    network : Network
    steps : int
    rate, sigma : float
        ``spikes_per_second`` (Hz) and ``ring_buffer_sigma`` of the hardware: they decide how weights are rounded.

    Raises
    ------
    UnsupportedError
        A cell type, source, input or delay that this model does not cover, by the user's label.
    """
    check(network)
    delays = [
        whole_steps(p.delay, network.time_step, f"Projection '{p.label}': delay") for p in network.projections
    ]
    kinds = _patterns(network)
    cores = _cores(network, kinds, delays)
    _choose_shifts(network, kinds, delays, cores, (rate, sigma))
    synapses = _load(network, kinds, delays, cores)
    trains = {
        position: _trains(network, population, steps)
        for position, population in enumerate(network.populations)
        if population.is_source
    }
    leaving: dict[int, list[_Synapses]] = {}
    for entry in synapses:
        if entry is not None:
            leaving.setdefault(entry.projection.pre, []).append(entry)
    samples: dict[tuple[int, str], list[np.ndarray]] = {}
    fired: dict[int, list[np.ndarray]] = {position: [] for position in range(len(network.populations))}
    for step in range(steps):
        for position in range(len(network.populations)):
            if position in trains:
                fired[position].append(trains[position][step])
                continue
            values, spikes = cores[position].tick(step)
            fired[position].append(spikes)
            for name, value in values.items():
                samples.setdefault((position, name), []).append(value)
        for position, entries in leaving.items():
            for neuron in fired[position][step].tolist():
                for entry in entries:
                    cores[entry.projection.post].deliver(step, entry, neuron)
    return _outcome(network, synapses, samples, fired)


def _outcome(
    network: Network,
    synapses: list[_Synapses | None],
    samples: dict[tuple[int, str], list[np.ndarray]],
    fired: dict[int, list[np.ndarray]],
) -> Outcome:
    result = Outcome()
    for position, trains in fired.items():
        ticks = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
        neurons = np.concatenate(trains) if trains else np.empty(0)
        result.spikes[position] = ticks, neurons.astype(np.int32)
    for (position, name), values in samples.items():
        sign = -1.0 if name == "isyn_inh" else 1.0
        result.samples[position, name] = sign * np.array(values) / ONE
    for position, entry in enumerate(synapses):
        if entry is None:
            result.weights[position] = np.empty(0)
            continue
        sign = weight_sign(network, entry.projection)
        result.weights[position] = sign * entry.stored / entry.scale
    return result


def check(network: Network) -> None:
    """Raise the first thing that :func:`simulate` does not cover."""
    for population in network.populations:
        _check_population(population)
    if network.projections and network.time_step < REAL_TIME_STEP:
        raise UnsupportedError(
            f"The time step is {network.time_step:g} ms; the whole-number model of synapses starts at {REAL_TIME_STEP:g} ms",
            why="below it, sPyNNaker divides a population's synapses and neurons between several cores",
            fix=f"use setup(timestep={REAL_TIME_STEP:g})",
        )
    rules: dict[int, Plasticity] = {}
    for projection in network.projections:
        if projection.size:
            _check_projection(network, projection, rules)
    if network.injections:
        raise UnsupportedError("The whole-number model has no injected currents", fix="use i_offset instead")


def _check_population(population: Population) -> None:
    who = f"Population '{population.label}'"
    if population.cell != "SpikeSourceArray" and population.cell not in CELLS:
        raise UnsupportedError(
            f"{who}: there is no whole-number model of {population.cell}",
            why=f"there is one of SpikeSourceArray, {', '.join(CELLS)}",
            fix="use one of these cells, or a backend that runs the chip's own programs",
        )
    if population.size > NEURONS_PER_CORE:
        raise UnsupportedError(
            f"{who}: {population.size} neurons; the whole-number model has one core a population, of at most"
            f" {NEURONS_PER_CORE}",
            fix="use smaller populations",
        )
    if population.is_source:
        return
    initial = NATIVE_CELLS[population.cell].initial
    for name, values in population.initial_values.items():
        if name not in initial and np.any(np.asarray(values) != 0.0):
            raise UnsupportedError(
                f"{who}: {name} of {population.cell} has no initial value on SpiNNaker",
                why=f"sPyNNaker sets {', '.join(initial)} alone",
                fix="leave it 0",
            )
    for name, values in (population.parameters | population.initial_values).items():
        if not np.all(np.abs(np.asarray(values, dtype=float)) < LARGEST_VALUE):
            raise UnsupportedError(
                f"{who}: {name} is not below {LARGEST_VALUE:g}, the largest of the chip's numbers",
                fix=f"give {name} another value",
            )


def _check_projection(network: Network, projection: Projection, rules: dict[int, Plasticity]) -> None:
    """`rules` holds the rule of every target so far, and gets this one's."""
    who, post = f"Projection '{projection.label}'", network.populations[projection.post]
    if post.is_source:
        raise UnsupportedError(f"{who}: its target '{post.label}' is a {post.cell}, which has no synapses")
    if np.any(np.asarray(projection.weight) * weight_sign(network, projection) < 0):
        raise UnsupportedError(
            f"{who}: a weight has the sign of the other receptor",
            why="weights have no sign on the chip: the receptor decides it",
        )
    rule = projection.plasticity
    if rule is None:
        return
    if rule.weight_dependence not in NATIVE_CELLS[post.cell].learns:
        raise UnsupportedError(
            f"{who}: SpiNNaker has no {rule.weight_dependence} plasticity onto {post.cell}"
        )
    if rules.setdefault(projection.post, rule) != rule:
        raise UnsupportedError(f"{who}: another projection onto '{post.label}' learns by another rule")
    if rule.dendritic_delay_fraction != 1.0 or min(rule.A_plus, rule.A_minus) < 0:
        raise UnsupportedError(
            f"{who}: the whole-number model has delays behind the synapse and amplitudes of at least 0 alone",
            fix="use dendritic_delay_fraction=1.0, A_plus >= 0 and A_minus >= 0",
        )


def ring_slots(
    longest: float, time_step: float, most: int = 1 << RING_BUFFER_BITS, plastic: bool = False
) -> int:
    """Slots of a ring buffer for a `longest` delay, both in ms (``max_delay_steps_incoming``).

    The host gives one too few where `longest` is a power of two of steps, above 1: the longest delay is then 0 in a
    synapse's delay field.  A static weight still reaches its slot; a `plastic` one would be skipped, and the lowering
    asks for twice the slots, as far as there are `most`.
    """
    slots = 1 << max((math.ceil(longest / time_step) - 1).bit_length(), 1)
    return 2 * slots if plastic and ring_is_short(round(longest / time_step), most) else slots


def _patterns(network: Network) -> list[str]:
    """The :func:`pattern` of every projection; empty for one without synapses."""
    sizes = [population.size for population in network.populations]
    return [
        pattern(projection, sizes[projection.pre], sizes[projection.post], network.time_step)
        if projection.size
        else ""
        for projection in network.projections
    ]


def _cores(network: Network, kinds: list[str], delays: list[np.ndarray]) -> dict[int, _Core]:
    steps: dict[int, int] = {}
    milliseconds: dict[int, float] = {}
    for projection, kind, delay in zip(network.projections, kinds, delays, strict=True):
        if not projection.size:
            continue
        post, longest = projection.post, int(delay.max())
        steps[post] = max(steps.get(post, 1), longest)
        on_host = float(delays_on_host(delay, kind, network.time_step).max())
        milliseconds[post] = max(milliseconds.get(post, 0.0), on_host)
        most = longest_ring(network.populations[post].size)
        if longest > most:
            raise UnsupportedError(
                f"Projection '{projection.label}': a delay of {longest} steps; the whole-number model has"
                f" no delay extensions, and the ring buffer of its target at most {most} slots",
                fix="use shorter delays",
            )
    learning = {p.post for p in network.projections if p.size and p.plasticity is not None}
    cores = {}
    for position, population in enumerate(network.populations):
        if not population.is_source:
            longest_ms = milliseconds.get(position, network.time_step)
            slots = ring_slots(
                longest_ms, network.time_step, longest_ring(population.size), plastic=position in learning
            )
            cores[position] = _Core(population, network.time_step, steps.get(position, 1), slots)
    return cores


def _choose_shifts(
    network: Network,
    kinds: list[str],
    delays: list[np.ndarray],
    cores: dict[int, _Core],
    settings: tuple[float, float],
) -> None:
    """Set the shift of every receptor by all that comes in there."""
    for (post, receptor), shift in receptor_shifts(network, kinds, delays, settings).items():
        cores[post].shifts[RECEPTORS.index(receptor)] = shift


def _load(
    network: Network, kinds: list[str], delays: list[np.ndarray], cores: dict[int, _Core]
) -> list[_Synapses | None]:
    """Quantise all weights; None for a projection without synapses."""
    result: list[_Synapses | None] = []
    for projection, kind, delay in zip(network.projections, kinds, delays, strict=True):
        if not projection.size:
            result.append(None)
            continue
        core, receptor = cores[projection.post], RECEPTORS.index(projection.receptor)
        shift = int(core.shifts[receptor, 0])
        scale = weight_scale(shift, core.cell.scale)
        rule = None
        if projection.plasticity is not None:
            rule = core.rule = pair_rule_constants(projection.plasticity, network.time_step, core.cell.scale)
        stored = quantise_weights(projection.weight, scale, kind != "list", projection.label)
        of_pre = {
            int(pre): np.flatnonzero(projection.pre_index == pre) for pre in np.unique(projection.pre_index)
        }
        result.append(_Synapses(projection, receptor, stored, delay, scale, shift, of_pre, rule, core.slots))
    return result


def _trains(network: Network, population: Population, steps: int) -> list[np.ndarray]:
    """The neurons of an array source that fire, tick by tick."""
    result: list[list[int]] = [[] for _ in range(steps)]
    for neuron, times in enumerate(population.spike_times):
        label = f"Population '{population.label}': spike time"
        ticks = whole_steps(times, network.time_step, label)
        if len(np.unique(ticks)) < len(ticks):
            raise UnsupportedError(f"{label} of neuron {neuron}: two spikes in one step", fix="give it once")
        for step in ticks.tolist():
            if 0 <= step < steps:
                result[step].append(neuron)
    return [np.array(neurons, dtype=np.int64) for neurons in result]
