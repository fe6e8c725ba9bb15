r"""The cells of a SpiNNaker core in the whole numbers of the chip: constants, state, one tick.

Sources: sPyNNaker's ``neural_modelling`` (``neuron_impl_standard.h``, ``neuron_model_lif_impl.h``,
``neuron_model_izh_impl.h``, ``exp_synapse_utils.h``, ``synapse_types_alpha_impl.h``, ``input_type_*.h``) and its
Python front end 7.4.1 (start values).  Where the compiler reorders a product, the order is the machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodeploy.chips.spinnaker import (
    IZHIKEVICH_QUADRATIC,
    IZHIKEVICH_STEP_AFTER_SPIKE,
    IZHIKEVICH_TAU_SYN,
    refractory_steps,
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
from neurodeploy.chips.spinnaker_machine import FRACTION_BITS
from neurodeploy.chips.spinnaker_weights import CONDUCTANCE_SCALE
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Population

IZHIKEVICH_THRESHOLD = 30
"""mV (``_IZK_THRESHOLD``)."""

Numbers = dict[str, np.ndarray]
"""Constants or state of a population by name: accums, fractions or counts, int64, shape (size,)."""

Tick = tuple[Numbers, Numbers, np.ndarray]
"""New state, samples, and which neurons fire (bool)."""

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


def membrane_constants(population: Population, time_step: float) -> Numbers:
    r"""Resistance :math:`\tau_m/c_m` and factor :math:`e^{-dt/\tau_m}`, and the others as they are.

    ``refractory`` is in ticks: the quotient of two accums, cut off to an accum and then rounded up.
    """
    p = {name: accum(values) for name, values in population.parameters.items()}
    step = _step(population, time_step)
    for name in ("tau_m", "cm"):
        check_positive(population, name, p[name])
    return {name: p[name] for name in ("v_rest", "v_reset", "v_thresh", "i_offset")} | {
        "resistance": kdivk(p["tau_m"], p["cm"]),
        "factor": expk(-kdivk(step, p["tau_m"])),
        "refractory": refractory_steps(population.parameters["tau_refrac"], time_step),
    }


def membrane_tick(c: Numbers, v: np.ndarray, left: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, ...]:
    r"""One tick of leaky integration, :math:`v' = a - \lfloor m (a-v) \rfloor`, :math:`a = \lfloor R\,i \rfloor + v_{rest}`.

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
    tick: Callable[[Numbers, Numbers, np.ndarray], Tick]
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
    return membrane_constants(population, time_step) | _both_exponential(population, step, taus) | reversals


def current_exponential_start(population: Population) -> Numbers:
    state = _initial(population, isyn_exc=0.0, isyn_inh=0.0)
    return _membrane_start(population) | {"exc": state["isyn_exc"], "inh": -state["isyn_inh"]}


def conductance_start(population: Population) -> Numbers:
    state = _initial(population, gsyn_exc=0.0, gsyn_inh=0.0)
    return _membrane_start(population) | {"exc": state["gsyn_exc"], "inh": state["gsyn_inh"]}


def current_exponential_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> Tick:
    """IF_curr_exp: see :func:`exponential_input` and :func:`membrane_tick`."""
    exc = exponential_input(s["exc"], arriving[0], c["gain_exc"])
    inh = exponential_input(s["inh"], arriving[1], c["gain_inh"])
    samples = {"v": s["v"], "isyn_exc": exc, "isyn_inh": inh}
    v, left, spike = membrane_tick(c, s["v"], s["left"], wrapped(exc - inh))
    state = {"v": v, "left": left, "exc": decayed(exc, c["decay_exc"]), "inh": decayed(inh, c["decay_inh"])}
    return state, samples, spike


def conductance_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> Tick:
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
    return membrane_constants(population, time_step) | {"per_step": kdivk(np.full_like(step, ONE), step)}


def current_delta_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> Tick:
    r"""IF_curr_delta: a weight w is a current of :math:`\lfloor w/dt \rfloor` for one tick."""
    current = wrapped(multiply(arriving[0], c["per_step"]) - multiply(arriving[1], c["per_step"]))
    v, left, spike = membrane_tick(c, s["v"], s["left"], current)
    return {"v": v, "left": left}, {"v": s["v"]}, spike


def current_alpha_constants(population: Population, time_step: float) -> Numbers:
    r"""IF_curr_alpha: membrane, decays :math:`e^{-dt/\tau}` and slopes :math:`dt/\tau^2`."""
    step = _step(population, time_step)
    result = membrane_constants(population, time_step)
    for receptor, name in (("exc", "tau_syn_E"), ("inh", "tau_syn_I")):
        tau = accum(population.parameters[name])
        square = multiply(tau, tau)
        check_positive(population, f"the square of {name}", square)
        result[f"decay_{receptor}"] = expulr(-kdivk(step, tau))
        result[f"slope_{receptor}"] = kdivk(step, square) & (ONE - 1)
    return result


def current_alpha_start(population: Population) -> Numbers:
    nothing = np.zeros(population.size, dtype=np.int64)
    parts = {
        f"{part}_{receptor}": nothing for part in ("line", "fall", "last") for receptor in ("exc", "inh")
    }
    return _membrane_start(population) | parts


def alpha_input(
    line: np.ndarray,
    fall: np.ndarray,
    last: np.ndarray,
    arriving: np.ndarray,
    slope: np.ndarray,
    decay: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Line, fall and last input of an alpha synapse with the input of a tick; without input they stay as they are."""
    some = arriving > 0
    risen = wrapped(decayed(fall, decay) + ONE)
    share = ONE - kdivk(np.full_like(risen, ONE), np.where(risen > 0, risen, ONE))
    moved = multiply(wrapped(line + multiply(arriving, slope)), share)
    return np.where(some, moved, line), np.where(some, risen, fall), np.where(some, arriving, last)


def current_alpha_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> Tick:
    """IF_curr_alpha: the current is a straight line times a falling exponential."""
    state, currents = {}, {}
    for number, receptor in enumerate(("exc", "inh")):
        slope, decay = c[f"slope_{receptor}"], c[f"decay_{receptor}"]
        line, fall, last = alpha_input(
            s[f"line_{receptor}"],
            s[f"fall_{receptor}"],
            s[f"last_{receptor}"],
            arriving[number],
            slope,
            decay,
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


def izhikevich_tick(c: Numbers, s: Numbers, arriving: np.ndarray) -> Tick:
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
