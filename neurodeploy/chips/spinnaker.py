r"""SpiNNaker-1 as sPyNNaker 7.x programs it: tick order and update equations, in float arithmetic.

Tick t: take the weights addressed to t from the input ring buffer and add them, shaped, to the synaptic
state; update the membrane with the total current held constant over the tick; test the threshold;
decay the synaptic state; deliver the spikes of this tick, with weight, into slot t + delay.  A spike at
t with delay d therefore acts, and can fire its target, in tick t + d.

Sources: sPyNNaker's ``neural_modelling`` (``neuron_impl_standard.h``, ``neuron_model_lif_impl.h``,
``synapse_types_exponential_impl.h``, ``synapse_types_alpha_impl.h``, ``synapse_types_delta_impl.h``,
``neuron_model_izh_impl.h``) and its Python front end 7.4.1.  The rules of ``IF_curr_exp`` and of the additive pair rule
reproduce published hardware recordings spike for spike; those of the other cells are read from the sources.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import Cell, CellUpdate, PairRule, Parameters, TickRules
from neurodeploy.chips.spinnaker_arithmetic import accum, kdivk
from neurodeploy.chips.spinnaker_machine import FRACTION_BITS
from neurodeploy.chips.updates import (
    CURRENT_DELTA,
    CURRENT_EXPONENTIAL,
    FIRE,
    MEMBRANE,
    RESET,
    constant_current_membrane,
)

IZHIKEVICH_TAU_SYN = 5.0
"""ms; sPyNNaker's Izhikevich cell has exponential synapses with this default time constant, PyNN's has none."""

IZHIKEVICH_QUADRATIC = 0.040008544921875
"""Replaces 0.04 for numeric stability in fixed point (``MAGIC_MULTIPLIER``)."""

IZHIKEVICH_STEP_AFTER_SPIKE = 1.85
"""The step after a spike is this much longer, a correction of the threshold's lateness (``SIMPLE_TQ_OFFSET``)."""


def _shaping(dt: float, tau_syn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Decay :math:`e^{-dt/\tau}` and gain :math:`(\tau/dt)(1-e^{-dt/\tau})` of an exponential synapse."""
    return np.exp(-dt / tau_syn), tau_syn / dt * -np.expm1(-dt / tau_syn)


def _exponential(p: Parameters, dt: float) -> Parameters:
    decay_exc, gain_exc = _shaping(dt, p["tau_syn_E"])
    decay_inh, gain_inh = _shaping(dt, p["tau_syn_I"])
    return {"decay_exc": decay_exc, "decay_inh": decay_inh, "gain_exc": gain_exc, "gain_inh": gain_inh}


def current_exponential(p: Parameters, dt: float) -> Parameters:
    """The synaptic current of a tick, gain included, acts on the membrane for the whole tick."""
    membrane = constant_current_membrane(p, dt)
    both = {"v_from_exc": membrane["v_from_current"], "v_from_inh": membrane["v_from_current"]}
    return membrane | _exponential(p, dt) | both


def current_delta(p: Parameters, dt: float) -> Parameters:
    """A weight w is a current of w/dt nA for one tick."""
    membrane = constant_current_membrane(p, dt)
    return membrane | {"gain": membrane["v_from_current"] / dt}


CURRENT_ALPHA = CellUpdate(
    state=(
        "v",
        "isyn_exc",
        "isyn_inh",
        *(f"{part}_{r}" for part in ("line", "fall", "last") for r in ("exc", "inh")),
    ),
    coefficients=(
        *("v_from_v", "v_constant", "v_from_current", "v_thresh", "v_reset"),
        *("decay_exc", "decay_inh", "slope_exc", "slope_inh"),
    ),
    update="""
some_exc = int(arriving_exc > 0)
some_inh = int(arriving_inh < 0)
line_exc = line_exc + last_exc*slope_exc
line_inh = line_inh + last_inh*slope_inh
fall_exc = fall_exc*decay_exc
fall_inh = fall_inh*decay_inh
last_exc = some_exc*arriving_exc + (1 - some_exc)*last_exc
last_inh = some_inh*arriving_inh + (1 - some_inh)*last_inh
fall_exc = some_exc*(fall_exc*decay_exc + 1) + (1 - some_exc)*fall_exc
fall_inh = some_inh*(fall_inh*decay_inh + 1) + (1 - some_inh)*fall_inh
line_exc = some_exc*(line_exc + arriving_exc*slope_exc)*(1 - 1/(fall_exc + 1 - some_exc)) + (1 - some_exc)*line_exc
line_inh = some_inh*(line_inh + arriving_inh*slope_inh)*(1 - 1/(fall_inh + 1 - some_inh)) + (1 - some_inh)*line_inh
isyn_exc = line_exc*fall_exc
isyn_inh = line_inh*fall_inh
v_next = v_from_v*v + v_constant + v_from_current*(isyn_exc + isyn_inh + injected)
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("isyn_exc", "isyn_inh"),
)


def current_alpha(p: Parameters, dt: float) -> Parameters:
    r"""A straight line of slope :math:`w\,dt/\tau^2` a tick times a falling exponential (``synapse_types_alpha_impl.h``)."""
    return constant_current_membrane(p, dt) | {
        "decay_exc": np.exp(-dt / p["tau_syn_E"]),
        "decay_inh": np.exp(-dt / p["tau_syn_I"]),
        "slope_exc": dt / p["tau_syn_E"] ** 2,
        "slope_inh": dt / p["tau_syn_I"] ** 2,
    }


CONDUCTANCE_EXPONENTIAL = CellUpdate(
    state=("v", "gsyn_exc", "gsyn_inh"),
    coefficients=(
        *("v_from_v", "v_constant", "v_from_current", "v_thresh", "v_reset"),
        *("decay_exc", "decay_inh", "gain_exc", "gain_inh", "e_rev_E", "e_rev_I"),
    ),
    update="""
gsyn_exc = gsyn_exc*decay_exc + gain_exc*arriving_exc
gsyn_inh = gsyn_inh*decay_inh + gain_inh*arriving_inh
current = gsyn_exc*(e_rev_E - v) + gsyn_inh*(e_rev_I - v) + injected
v_next = v_from_v*v + v_constant + v_from_current*current
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("gsyn_exc", "gsyn_inh"),
)


def conductance_exponential(p: Parameters, dt: float) -> Parameters:
    """Conductances become a current at the voltage before the update (``input_type_conductance.h``)."""
    return (
        constant_current_membrane(p, dt)
        | _exponential(p, dt)
        | {"e_rev_E": p["e_rev_E"], "e_rev_I": p["e_rev_I"]}
    )


IZHIKEVICH = CellUpdate(
    state=("v", "u", "isyn_exc", "isyn_inh", "just_fired"),
    coefficients=(
        *("a", "b", "c", "d", "i_offset", "time_step", "longer", "quadratic"),
        *("decay_exc", "decay_inh", "gain_exc", "gain_inh"),
    ),
    update="""
isyn_exc = isyn_exc*decay_exc + gain_exc*arriving_exc
isyn_inh = isyn_inh*decay_inh + gain_inh*arriving_inh
step = time_step*(1 + just_fired*(longer - 1))
drive = 140 + isyn_exc + isyn_inh + i_offset + injected - u
middle = v + step*(drive + (5 + quadratic*v)*v)/2
bend = step*(b*v - u)*a/2
v = v + step*(drive - bend + (5 + quadratic*middle)*middle)
u = u + a*step*(-u - bend + b*middle)
just_fired = 0
""",
    spike="v >= 30",
    reset="v = c\nu = u + d\njust_fired = 1",
    sampled_before=("v", "u"),
    sampled_after=("isyn_exc", "isyn_inh"),
    refractory=False,
)


def izhikevich(p: Parameters, dt: float) -> Parameters:
    """Midpoint rule (``rk2_kernel_midpoint``); currents in nA enter as they are."""
    decay, gain = _shaping(dt, np.full_like(p["a"], IZHIKEVICH_TAU_SYN))
    return {name: p[name] for name in ("a", "b", "c", "d", "i_offset")} | {
        "time_step": np.full_like(p["a"], dt),
        "longer": np.full_like(p["a"], IZHIKEVICH_STEP_AFTER_SPIKE),
        "quadratic": np.full_like(p["a"], IZHIKEVICH_QUADRATIC),
        "decay_exc": decay,
        "decay_inh": decay,
        "gain_exc": gain,
        "gain_inh": gain,
    }


def refractory_steps(tau_refrac: np.ndarray, time_step: float) -> np.ndarray:
    r"""Ticks without an update, :math:`\lceil \tau/dt \rceil` of two s16.15 numbers: 2 ms at 0.4 ms are 6.

    The quotient is cut off to 15 fraction bits before it is rounded up (``lif_ceil_accum(kdivk(...))``).
    """
    tau = accum(np.ravel(tau_refrac))
    quotient = kdivk(tau, accum([time_step])).reshape(np.shape(tau_refrac))
    return -(-quotient >> FRACTION_BITS)


_CURRENTS = {"isyn_exc": "decay_exc", "isyn_inh": "decay_inh"}
_CONDUCTANCES = {"gsyn_exc": "decay_exc", "gsyn_inh": "decay_inh"}

SPINNAKER = TickRules(
    name="spinnaker",
    title="SpiNNaker's tick (sPyNNaker 7.x), float arithmetic",
    source="sPyNNaker 7.4.1, neural_modelling",
    spike_is_at_end_of_step=False,
    sources_before_update=False,
    sampled_at_the_end_too=False,
    refractory_count=refractory_steps,
    cells={
        "IF_curr_exp": Cell(CURRENT_EXPONENTIAL, current_exponential, _CURRENTS),
        "IF_curr_alpha": Cell(
            CURRENT_ALPHA,
            current_alpha,
            {},
            computed=("isyn_exc", "isyn_inh"),
            deviation="the weight is the area of the current's alpha function, in PyNN it is its peak",
        ),
        "IF_curr_delta": Cell(
            CURRENT_DELTA,
            current_delta,
            {},
            deviation="the weight is a charge (nA for one ms), in PyNN it is a step of v in mV",
        ),
        "IF_cond_exp": Cell(CONDUCTANCE_EXPONENTIAL, conductance_exponential, _CONDUCTANCES),
        "Izhikevich": Cell(
            IZHIKEVICH,
            izhikevich,
            _CURRENTS,
            deviation=f"synapses are exponential currents of {IZHIKEVICH_TAU_SYN:g} ms in nA, in PyNN they are steps of v in mV",
        ),
    },
    pair_rule=PairRule(ties_depress=True, amplitude_times_w_max=False, delay_is_dendritic=True),
)
"""The pair rule's three conventions are the only ones of their kind that reproduce the published recordings."""
