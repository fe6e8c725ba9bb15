r"""A SpiNNaker core's tick in the whole numbers of the chip: every sample, spike and weight, bit by bit.

:func:`simulate` says what sPyNNaker 7.4.1 brings back from the machine for a Network, as long as no core is late
and no packet is lost.  What is not covered is refused with an :class:`~neurodeploy.errors.UnsupportedError`.

Tick t of a population: take ring-buffer slot t as input, record, update every neuron, decay the synapses.  Then
the spikes of tick t, of sources and neurons alike, put their weights into slots t + delay.

Sources: sPyNNaker's ``neural_modelling`` (``neuron_impl_standard.h``, ``neuron_model_lif_impl.h``,
``neuron_model_izh_impl.h``, ``exp_synapse_utils.h``, ``synapse_types_alpha_impl.h``, ``input_type_*.h``) and its
Python front end 7.4.1.  Compared bit by bit with the chip's own programs, ``tests/sim/test_spinnaker_core.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.chips.spinnaker import (
    IZHIKEVICH_QUADRATIC,
    IZHIKEVICH_STEP_AFTER_SPIKE,
    IZHIKEVICH_TAU_SYN,
)
from neurodeploy.chips.spinnaker_arithmetic import (
    ONE,
    accum,
    decayed,
    expk,
    expulr,
    kdivk,
    multiply,
    wrapped,
)
from neurodeploy.chips.spinnaker_machine import FRACTION_BITS, NEURONS_PER_CORE, RECEPTOR_BITS, RING_BUFFER_BITS
from neurodeploy.chips.spinnaker_stdp import (
    HISTORY,
    PairRuleConstants,
    pair_rule_constants,
    stdp_update,
    traced_spike,
)
from neurodeploy.chips.spinnaker_weights import (
    CONDUCTANCE_SCALE,
    LARGEST_ENTRY,
    incoming,
    largest_sum,
    pattern,
    quantise_weights,
    ring_shift,
    weight_scale,
    whole_steps,
)
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import RECEPTORS, Network, Population, Projection

IZHIKEVICH_THRESHOLD = 30
"""mV (``_IZK_THRESHOLD``)."""

Numbers = dict[str, np.ndarray]
"""Constants or state of a population by name: accums, fractions or counts, int64, shape (size,)."""

# ------------------------------------------------------------------------------------- synapses


def exponential_constants(tau: np.ndarray, time_step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Decay :math:`e^{-dt/\tau}` and gain :math:`(\tau/dt)(1-e^{-dt/\tau})` of an exponential synapse, as fractions.

    `tau` and `time_step` are accums in ms.  ``decay_and_init``.
    """
    decay = expulr(-kdivk(time_step, tau))
    gain = (kdivk(tau, time_step) * (0xFFFFFFFF - decay)) >> FRACTION_BITS
    return decay, gain & 0xFFFFFFFF


def exponential_input(state: np.ndarray, arriving: np.ndarray, gain: np.ndarray) -> np.ndarray:
    r"""Synaptic current or conductance with the input of a tick, :math:`i + \lfloor g\,w \rfloor`."""
    return wrapped(state + decayed(arriving, gain))


# ------------------------------------------------------------------------------------ membranes


def membrane_constants(population: Population, time_step: np.ndarray) -> Numbers:
    r"""Resistance :math:`\tau_m/c_m` and factor :math:`e^{-dt/\tau_m}`, and the others as they are.

    ``refractory`` is in ticks: the quotient of two accums, cut off to an accum and then rounded up.
    """
    p = {name: accum(values) for name, values in population.parameters.items()}
    for name in ("tau_m", "cm"):
        check_positive(population, name, p[name])
    return {name: p[name] for name in ("v_rest", "v_reset", "v_thresh", "i_offset")} | {
        "resistance": kdivk(p["tau_m"], p["cm"]),
        "factor": expk(-kdivk(time_step, p["tau_m"])),
        "refractory": -(-kdivk(p["tau_refrac"], time_step) >> FRACTION_BITS),
    }


def membrane_tick(c: Numbers, v: np.ndarray, left: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, ...]:
    r"""Leaky integration over one tick, :math:`v' = a - \lfloor m (a - v) \rfloor` with :math:`a = \lfloor R\,i \rfloor + v_{rest}`.

    Parameters
    ----------
    v, left, current : ndarray, shape (size,)
        Voltage, refractory ticks left, total current.

    Returns
    -------
    v, left : ndarray
    spike : ndarray of bool
    """
    rest = wrapped(multiply(wrapped(current + c["i_offset"]), c["resistance"]) + c["v_rest"])
    moved = wrapped(rest - multiply(c["factor"], wrapped(rest - v)))
    v = np.where(left > 0, v, moved)
    left = np.maximum(left - 1, 0)
    spike = v >= c["v_thresh"]
    return np.where(spike, c["v_reset"], v), np.where(spike, c["refractory"], left), spike


def midpoint_tick(c: Numbers, v: np.ndarray, u: np.ndarray, step: np.ndarray, current: np.ndarray) -> tuple:
    r"""Izhikevich's equations over `step`, by the midpoint rule (``rk2_kernel_midpoint``).

    Returns
    -------
    v, u : ndarray
    """
    five, quadratic = 5 * ONE, round(IZHIKEVICH_QUADRATIC * ONE)
    drive = wrapped(140 * ONE + current + c["i_offset"] - u)
    slope = wrapped(drive + multiply(wrapped(five + multiply(v, quadratic)), v))
    middle = wrapped(v + multiply(multiply(step, slope), ONE // 2))
    rate = multiply(c["a"], step)
    bend = multiply(multiply(rate, wrapped(multiply(c["b"], v) - u)), ONE // 2)
    slope = wrapped(drive - bend + multiply(wrapped(five + multiply(middle, quadratic)), middle))
    turn = wrapped(-u - bend + multiply(c["b"], middle))
    return wrapped(v + multiply(step, slope)), wrapped(u + multiply(rate, turn))


# ---------------------------------------------------------------------------------------- cells


@dataclass(frozen=True)
class CoreCell:
    """A cell type as a core runs it.

    Attributes
    ----------
    constants : function of (Population, time step in ms) to Numbers
    start : function of Population to Numbers
        State at tick 0.
    tick : function of (constants, state, arriving) to (state, samples, spike)
        ``arriving`` has shape (2, size), accums.  ``samples`` are what the core records, accums, by PyNN's name, an
        inhibitory current as a magnitude.
    scale : float
        Of weights.
    """

    constants: Callable[[Population, float], Numbers]
    start: Callable[[Population], Numbers]
    tick: Callable[[Numbers, Numbers, np.ndarray], tuple[Numbers, Numbers, np.ndarray]]
    scale: float = 1.0


def check_positive(population: Population, name: str, values: np.ndarray) -> None:
    """Raise unless all accums are above 0: the chip divides by them."""
    if np.any(values <= 0):
        raise UnsupportedError(
            f"Population '{population.label}': {name} is 0 or less, or rounds to 0",
            why="the chip divides by it",
            fix=f"use a larger {name}",
        )


def _both_exponential(population: Population, step: np.ndarray, taus: tuple[np.ndarray, ...]) -> Numbers:
    result = {}
    for receptor, tau in zip(("exc", "inh"), taus, strict=True):
        check_positive(population, "tau_syn", tau)
        result[f"decay_{receptor}"], result[f"gain_{receptor}"] = exponential_constants(tau, step)
    return result


def _step(population: Population, time_step: float) -> np.ndarray:
    return np.repeat(accum([time_step]), population.size)


def _initial(population: Population, **defaults: float) -> Numbers:
    values = population.initial_values
    return {name: accum(values.get(name, np.full(population.size, d))) for name, d in defaults.items()}


def _membrane_start(population: Population) -> Numbers:
    return _initial(population, v=-65.0) | {"left": np.zeros(population.size, dtype=np.int64)}


def current_exponential_constants(population: Population, time_step: float) -> Numbers:
    """IF_curr_exp and IF_cond_exp: membrane, two exponential synapses, and reversal potentials if any."""
    step = _step(population, time_step)
    taus = tuple(accum(population.parameters[name]) for name in ("tau_syn_E", "tau_syn_I"))
    reversals = {
        name: accum(population.parameters[name])
        for name in ("e_rev_E", "e_rev_I")
        if name in population.parameters
    }
    return membrane_constants(population, step) | _both_exponential(population, step, taus) | reversals


def current_exponential_start(population: Population) -> Numbers:
    state = _initial(population, isyn_exc=0.0, isyn_inh=0.0)
    return _membrane_start(population) | {"exc": state["isyn_exc"], "inh": -state["isyn_inh"]}


def conductance_start(population: Population) -> Numbers:
    state = _initial(population, gsyn_exc=0.0, gsyn_inh=0.0)
    return _membrane_start(population) | {"exc": state["gsyn_exc"], "inh": state["gsyn_inh"]}


def current_exponential_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> tuple[Numbers, Numbers, np.ndarray]:
    """IF_curr_exp: see :func:`exponential_input` and :func:`membrane_tick`."""
    exc = exponential_input(s["exc"], arriving[0], c["gain_exc"])
    inh = exponential_input(s["inh"], arriving[1], c["gain_inh"])
    samples = {"v": s["v"], "isyn_exc": exc, "isyn_inh": inh}
    v, left, spike = membrane_tick(c, s["v"], s["left"], wrapped(exc - inh))
    state = {"v": v, "left": left, "exc": decayed(exc, c["decay_exc"]), "inh": decayed(inh, c["decay_inh"])}
    return state, samples, spike


def conductance_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> tuple[Numbers, Numbers, np.ndarray]:
    r"""IF_cond_exp: conductances are kept 1024 times larger; :math:`\lfloor g/1024 \rfloor` is recorded and used."""
    exc = exponential_input(s["exc"], arriving[0], c["gain_exc"])
    inh = exponential_input(s["inh"], arriving[1], c["gain_inh"])
    samples = {"v": s["v"], "gsyn_exc": exc >> 10, "gsyn_inh": inh >> 10}
    current = multiply(exc >> 10, wrapped(c["e_rev_E"] - s["v"])) - multiply(
        -(inh >> 10), wrapped(c["e_rev_I"] - s["v"])
    )
    v, left, spike = membrane_tick(c, s["v"], s["left"], wrapped(current))
    state = {"v": v, "left": left, "exc": decayed(exc, c["decay_exc"]), "inh": decayed(inh, c["decay_inh"])}
    return state, samples, spike


def current_delta_constants(population: Population, time_step: float) -> Numbers:
    """IF_curr_delta: membrane, and 1/dt."""
    step = _step(population, time_step)
    return membrane_constants(population, step) | {"per_step": kdivk(np.full_like(step, ONE), step)}


def current_delta_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> tuple[Numbers, Numbers, np.ndarray]:
    r"""IF_curr_delta: a weight w is a current of :math:`\lfloor w/dt \rfloor` for one tick."""
    current = wrapped(multiply(arriving[0], c["per_step"]) - multiply(arriving[1], c["per_step"]))
    v, left, spike = membrane_tick(c, s["v"], s["left"], current)
    return {"v": v, "left": left}, {"v": s["v"]}, spike


def current_alpha_constants(population: Population, time_step: float) -> Numbers:
    r"""IF_curr_alpha: membrane, decays :math:`e^{-dt/\tau}` and slopes :math:`dt/\tau^2`."""
    step = _step(population, time_step)
    result = membrane_constants(population, step)
    for receptor, name in (("exc", "tau_syn_E"), ("inh", "tau_syn_I")):
        tau = accum(population.parameters[name])
        square = multiply(tau, tau)
        check_positive(population, f"the square of {name}", square)
        result[f"decay_{receptor}"] = expulr(-kdivk(step, tau))
        result[f"slope_{receptor}"] = kdivk(step, square) & (ONE - 1)
    return result


def current_alpha_start(population: Population) -> Numbers:
    nothing = np.zeros(population.size, dtype=np.int64)
    parts = {f"{part}_{receptor}": nothing for part in ("line", "fall", "last") for receptor in ("exc", "inh")}
    return _membrane_start(population) | parts


def alpha_input(
    line: np.ndarray, fall: np.ndarray, last: np.ndarray, arriving: np.ndarray, slope: np.ndarray, decay: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Line, fall and last input of an alpha synapse with the input of a tick; without input they stay as they are."""
    some = arriving > 0
    risen = wrapped(decayed(fall, decay) + ONE)
    share = ONE - kdivk(np.full_like(risen, ONE), np.where(risen > 0, risen, ONE))
    moved = multiply(wrapped(line + multiply(arriving, slope)), share)
    return np.where(some, moved, line), np.where(some, risen, fall), np.where(some, arriving, last)


def current_alpha_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> tuple[Numbers, Numbers, np.ndarray]:
    """IF_curr_alpha: the current is a straight line times a falling exponential."""
    state, currents = {}, {}
    for number, receptor in enumerate(("exc", "inh")):
        slope, decay = c[f"slope_{receptor}"], c[f"decay_{receptor}"]
        line, fall, last = alpha_input(
            *(s[f"{part}_{receptor}"] for part in ("line", "fall", "last")), arriving[number], slope, decay
        )
        currents[receptor] = multiply(line, fall)
        state[f"line_{receptor}"] = wrapped(line + multiply(last, slope))
        state[f"fall_{receptor}"] = decayed(fall, decay)
        state[f"last_{receptor}"] = last
    samples = {"v": s["v"], "isyn_exc": currents["exc"], "isyn_inh": currents["inh"]}
    v, left, spike = membrane_tick(c, s["v"], s["left"], wrapped(currents["exc"] - currents["inh"]))
    return state | {"v": v, "left": left}, samples, spike


def izhikevich_constants(population: Population, time_step: float) -> Numbers:
    """Izhikevich: two exponential synapses of 5 ms, and the step after a spike."""
    step = _step(population, time_step)
    tau = np.repeat(accum([IZHIKEVICH_TAU_SYN]), population.size)
    parameters = {name: accum(population.parameters[name]) for name in ("a", "b", "c", "d", "i_offset")}
    longer = multiply(step, int(IZHIKEVICH_STEP_AFTER_SPIKE * ONE))  # the compiler cuts the constant off
    return parameters | _both_exponential(population, step, (tau, tau)) | {"step": step, "longer": longer}


def izhikevich_start(population: Population) -> Numbers:
    nothing = np.zeros(population.size, dtype=np.int64)
    return _initial(population, v=-70.0, u=-14.0) | {"exc": nothing, "inh": nothing, "fired": nothing}


def izhikevich_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> tuple[Numbers, Numbers, np.ndarray]:
    """Izhikevich: see :func:`midpoint_tick`; the step after a spike is longer."""
    exc = exponential_input(s["exc"], arriving[0], c["gain_exc"])
    inh = exponential_input(s["inh"], arriving[1], c["gain_inh"])
    step = np.where(s["fired"] > 0, c["longer"], c["step"])
    v, u = midpoint_tick(c, s["v"], s["u"], step, wrapped(exc - inh))
    spike = v >= IZHIKEVICH_THRESHOLD * ONE
    state = {
        "v": np.where(spike, c["c"], v),
        "u": np.where(spike, wrapped(u + c["d"]), u),
        "exc": decayed(exc, c["decay_exc"]),
        "inh": decayed(inh, c["decay_inh"]),
        "fired": spike.astype(np.int64),
    }
    return state, {"v": s["v"]}, spike


CELLS = {
    "IF_curr_exp": CoreCell(
        current_exponential_constants, current_exponential_start, current_exponential_tick
    ),
    "IF_curr_delta": CoreCell(current_delta_constants, _membrane_start, current_delta_tick),
    "IF_cond_exp": CoreCell(
        current_exponential_constants, conductance_start, conductance_tick, CONDUCTANCE_SCALE
    ),
    "IF_curr_alpha": CoreCell(current_alpha_constants, current_alpha_start, current_alpha_tick),
    "Izhikevich": CoreCell(izhikevich_constants, izhikevich_start, izhikevich_tick),
}
"""The cells there is a model of, by PyNN's name."""

# --------------------------------------------------------------------------------------- driver


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

    def __init__(self, population: Population, time_step: float, longest: int) -> None:
        self.slots = ring_slots(longest, time_step)
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
        np.minimum(self.ring, LARGEST_ENTRY, out=self.ring)


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
    delays = [whole_steps(p.delay, network.time_step, f"Projection '{p.label}': delay") for p in network.projections]
    cores = _cores(network, delays)
    synapses = _load(network, delays, cores, rate, sigma)
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
        current = CELLS[network.populations[entry.projection.post].cell].scale == 1.0
        sign = -1.0 if current and entry.receptor else 1.0
        result.weights[position] = sign * entry.stored / entry.scale
    return result


def check(network: Network) -> None:
    """Raise the first thing that :func:`simulate` does not cover."""
    for population in network.populations:
        if population.cell != "SpikeSourceArray" and population.cell not in CELLS:
            raise UnsupportedError(
                f"Population '{population.label}': there is no whole-number model of {population.cell}",
                why=f"there is one of SpikeSourceArray, {', '.join(CELLS)}",
                fix="use one of these cells, or a backend that runs the chip's own programs",
            )
        if population.size > NEURONS_PER_CORE:
            raise UnsupportedError(
                f"Population '{population.label}': {population.size} neurons; the whole-number model has one core"
                f" a population, of at most {NEURONS_PER_CORE}",
                fix="use smaller populations",
            )
    if network.injections:
        raise UnsupportedError(
            "The whole-number model has no injected currents", fix="use i_offset instead"
        )


def ring_slots(longest: int, time_step: float) -> int:
    """Slots that the host gives a ring buffer for a `longest` delay, in steps of `time_step` ms.

    One too few where `longest` is a power of two above 1: the longest delay is then 0 in a synapse's delay field.
    A static weight still reaches its slot, a plastic one is skipped, and its rule takes the delay for 0.
    Source: ``max_delay_steps_incoming``.
    """
    steps = math.ceil(round(longest * time_step, 9) / time_step)
    return 1 << max((steps - 1).bit_length(), 1)


def _cores(network: Network, delays: list[np.ndarray]) -> dict[int, _Core]:
    longest: dict[int, int] = {}
    for projection, delay in zip(network.projections, delays, strict=True):
        if projection.size:
            longest[projection.post] = max(longest.get(projection.post, 1), int(delay.max()))
            neuron_bits = max((network.populations[projection.post].size - 1).bit_length(), 1)
            most = 1 << (RING_BUFFER_BITS - RECEPTOR_BITS - neuron_bits)
            if delay.max() > most:
                raise UnsupportedError(
                    f"Projection '{projection.label}': a delay of {int(delay.max())} steps; the whole-number model has"
                    f" no delay extensions, and the ring buffer of its target at most {most} slots",
                    fix="use shorter delays",
                )
    return {
        position: _Core(population, network.time_step, longest.get(position, 1))
        for position, population in enumerate(network.populations)
        if not population.is_source
    }


def _load(
    network: Network, delays: list[np.ndarray], cores: dict[int, _Core], rate: float, sigma: float
) -> list[_Synapses | None]:
    """Choose the shift of every receptor and quantise all weights; None for a projection without synapses."""
    sizes = [population.size for population in network.populations]
    kinds = [
        pattern(projection, sizes[projection.pre], sizes[projection.post], network.time_step)
        if projection.size
        else ""
        for projection in network.projections
    ]
    statistics: dict[tuple[int, str], list] = {}
    for projection, kind, delay in zip(network.projections, kinds, delays, strict=True):
        if projection.size:
            entry = incoming(projection, kind, np.round(delay * network.time_step, 9))
            statistics.setdefault((projection.post, projection.receptor), []).append(entry)
    for (post, receptor), entries in statistics.items():
        sum_ = largest_sum(entries, network.time_step, cores[post].cell.scale, rate, sigma)
        cores[post].shifts[RECEPTORS.index(receptor)] = ring_shift(sum_)
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
        of_pre = {int(pre): np.flatnonzero(projection.pre_index == pre) for pre in np.unique(projection.pre_index)}
        slots = core.slots
        result.append(_Synapses(projection, receptor, stored, delay, scale, shift, of_pre, rule, slots))
    return result


def _trains(network: Network, population: Population, steps: int) -> list[np.ndarray]:
    """The neurons of an array source that fire, tick by tick."""
    result: list[list[int]] = [[] for _ in range(steps)]
    for neuron, times in enumerate(population.spike_times):
        label = f"Population '{population.label}': spike time"
        for step in whole_steps(times, network.time_step, label).tolist():
            if 0 <= step < steps:
                result[step].append(neuron)
    return [np.array(neurons, dtype=np.int64) for neurons in result]
