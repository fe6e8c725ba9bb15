r"""The ``ideal`` rules: PyNN's continuous meaning, on a grid of spike times.

Current-based cells are integrated exactly: with the state :math:`x` constant in form between two grid
points, :math:`x_{k+1} = e^{A\,dt} x_k` (Rotter & Diesmann 1999, Biol. Cybern. 81:381).  Conductance-based
and Izhikevich cells have no closed form and are integrated by the classical fourth-order Runge-Kutta method.
A spike is emitted at the end of the step in which the threshold is reached, and a spike at time t with
delay d changes the target's synaptic state at t + d.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import Cell, CellUpdate, PairRule, Parameters, TickRules, nearest_steps
from neurodeploy.chips.updates import (
    CURRENT_ALPHA,
    CURRENT_DELTA,
    CURRENT_EXPONENTIAL,
    FIRE,
    MEMBRANE,
    RESET,
    constant_current_membrane,
)


def exponential_integral(x: np.ndarray) -> np.ndarray:
    r""":math:`\int_0^1 e^{-xs}\,ds = (1-e^{-x})/x`, with its limit 1 at x = 0."""
    x = np.asarray(x, dtype=float)
    safe = np.where(x == 0.0, 1.0, x)
    return np.where(x == 0.0, 1.0, -np.expm1(-safe) / safe)


def ramp_integral(x: np.ndarray) -> np.ndarray:
    r""":math:`\int_0^1 s e^{-xs}\,ds = (1-(1+x)e^{-x})/x^2`, with its limit 1/2 at x = 0.

    Near 0 the closed form cancels; there the power series :math:`\sum_n (-x)^n/(n!(n+2))` is used, to an error
    below 1e-16.
    """
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 0.1
    series = np.zeros_like(x)
    term = np.ones_like(x)
    for n in range(12):
        series += term / (n + 2)
        term = term * -x / (n + 1)
    safe = np.where(small, 1.0, x)
    return np.where(small, series, (-np.expm1(-safe) - safe * np.exp(-safe)) / safe**2)


def _synapse(p: Parameters, dt: float, tau_syn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decay of a synaptic current over a step, and what a unit of current and of its slope add to v."""
    decay = np.exp(-dt / tau_syn)
    x = dt * (1.0 / tau_syn - 1.0 / p["tau_m"])
    slower = np.exp(-dt / np.maximum(tau_syn, p["tau_m"])) / p["cm"]
    constant, ramp = exponential_integral(np.abs(x)), ramp_integral(np.abs(x))
    return decay, slower * dt * constant, slower * dt**2 * np.where(x < 0.0, constant - ramp, ramp)


def current_exponential(p: Parameters, dt: float) -> Parameters:
    r"""Exact propagators for :math:`\dot I = -I/\tau_{syn}`; an arriving weight adds to I."""
    decay_exc, v_from_exc, _ = _synapse(p, dt, p["tau_syn_E"])
    decay_inh, v_from_inh, _ = _synapse(p, dt, p["tau_syn_I"])
    one = np.ones_like(decay_exc)
    return constant_current_membrane(p, dt) | {
        "decay_exc": decay_exc,
        "decay_inh": decay_inh,
        "gain_exc": one,
        "gain_inh": one,
        "v_from_exc": v_from_exc,
        "v_from_inh": v_from_inh,
    }


def current_alpha(p: Parameters, dt: float) -> Parameters:
    r"""Exact propagators for :math:`I(t) = w\,\frac{t}{\tau}e^{1-t/\tau}`: the weight is the peak of the current."""
    decay_exc, v_from_exc, v_from_slope_exc = _synapse(p, dt, p["tau_syn_E"])
    decay_inh, v_from_inh, v_from_slope_inh = _synapse(p, dt, p["tau_syn_I"])
    return constant_current_membrane(p, dt) | {
        "decay_exc": decay_exc,
        "decay_inh": decay_inh,
        "gain_exc": np.e / p["tau_syn_E"],
        "gain_inh": np.e / p["tau_syn_I"],
        "time_step": np.full_like(decay_exc, dt),
        "v_from_exc": v_from_exc,
        "v_from_inh": v_from_inh,
        "v_from_slope_exc": v_from_slope_exc,
        "v_from_slope_inh": v_from_slope_inh,
    }


def current_delta(p: Parameters, dt: float) -> Parameters:
    """An arriving weight, in mV, moves v by itself."""
    return constant_current_membrane(p, dt) | {"gain": np.ones_like(p["tau_m"])}


CONDUCTANCE_EXPONENTIAL = CellUpdate(
    state=("v", "gsyn_exc", "gsyn_inh"),
    coefficients=(
        *("decay_exc", "decay_inh", "half_decay_exc", "half_decay_inh", "time_step"),
        *("charge_exc", "charge_inh", "half_charge_exc", "half_charge_inh"),
        *("lower_reversal", "upper_reversal", "infinity"),
        *("tau_m", "capacity", "v_rest", "e_rev_E", "e_rev_I", "i_offset", "v_thresh", "v_reset"),
    ),
    update="""
gsyn_exc = gsyn_exc*decay_exc + arriving_exc
gsyn_inh = gsyn_inh*decay_inh + arriving_inh
drive = v_rest/tau_m + (i_offset + injected)/capacity
leak_start = 1/tau_m + (gsyn_exc + gsyn_inh)/capacity
push_start = drive + (gsyn_exc*e_rev_E + gsyn_inh*e_rev_I)/capacity
leak_half = 1/tau_m + (gsyn_exc*half_decay_exc + gsyn_inh*half_decay_inh)/capacity
push_half = drive + (gsyn_exc*half_decay_exc*e_rev_E + gsyn_inh*half_decay_inh*e_rev_I)/capacity
leak_end = 1/tau_m + (gsyn_exc*decay_exc + gsyn_inh*decay_inh)/capacity
push_end = drive + (gsyn_exc*decay_exc*e_rev_E + gsyn_inh*decay_inh*e_rev_I)/capacity
pull_start = push_start/leak_start
pull_half = push_half/leak_half
pull_end = push_end/leak_end
whole = time_step/tau_m + (gsyn_exc*charge_exc + gsyn_inh*charge_inh)/capacity
second = whole - time_step/(2*tau_m) - (gsyn_exc*half_charge_exc + gsyn_inh*half_charge_inh)/capacity
left = exp(-whole)
bend_1 = (pull_half - pull_end)/second
bend_2 = ((pull_start - pull_end)/whole - bend_1)/(whole - second)
first_moment = 1 - left*(1 + whole)
second_moment = 2 - left*(2 + 2*whole + whole*whole)
drawn = v*left + pull_end*(1 - left) + bend_1*first_moment + bend_2*(second_moment - second*first_moment)
alone = v_rest + (i_offset + injected)*tau_m/capacity
lowest = clip(clip(v, -infinity, alone), -infinity, lower_reversal)
highest = clip(clip(v, alone, infinity), upper_reversal, infinity)
v_next = clip(drawn, lowest, highest)
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("gsyn_exc", "gsyn_inh"),
)


def conductance_exponential(p: Parameters, dt: float) -> Parameters:
    r""":math:`\dot v = (v_{rest}-v)/\tau_m + (g_e(e_e-v)+g_i(e_i-v)+I)/c_m`, to fourth order; g decays exactly.

    The equation is linear, :math:`\dot v = l(t)\,(E(t) - v)`. With :math:`L = \int l`, known exactly,
    :math:`v_{n+1} = v_n e^{-L} + \int_0^L e^{-s} E(s)\,ds`, and E is taken as the parabola through the step's
    start, middle and end. E is an average of the reversal potentials and of where the current alone would take
    the membrane, so v cannot leave the range of these and of its own start; where the parabola would, at
    conductances that change many times over within a step, v is held at the end of that range.
    """
    same = ("tau_m", "v_rest", "e_rev_E", "e_rev_I", "i_offset", "v_thresh", "v_reset")
    return {name: p[name] for name in same} | {
        "capacity": p["cm"],
        "decay_exc": np.exp(-dt / p["tau_syn_E"]),
        "decay_inh": np.exp(-dt / p["tau_syn_I"]),
        "half_decay_exc": np.exp(-0.5 * dt / p["tau_syn_E"]),
        "half_decay_inh": np.exp(-0.5 * dt / p["tau_syn_I"]),
        "charge_exc": -p["tau_syn_E"] * np.expm1(-dt / p["tau_syn_E"]),
        "charge_inh": -p["tau_syn_I"] * np.expm1(-dt / p["tau_syn_I"]),
        "lower_reversal": np.minimum(p["e_rev_E"], p["e_rev_I"]),
        "upper_reversal": np.maximum(p["e_rev_E"], p["e_rev_I"]),
        "infinity": np.full_like(p["tau_m"], np.finfo(float).max),
        "half_charge_exc": -p["tau_syn_E"] * np.expm1(-0.5 * dt / p["tau_syn_E"]),
        "half_charge_inh": -p["tau_syn_I"] * np.expm1(-0.5 * dt / p["tau_syn_I"]),
        "time_step": np.full_like(p["tau_m"], dt),
    }


IZHIKEVICH = CellUpdate(
    state=("v", "u"),
    coefficients=("a", "b", "c", "d", "current_to_slope", "i_offset", "time_step"),
    update="""
drive = 140 + current_to_slope*(i_offset + injected)
v_slope_1 = (0.04*v + 5)*v + drive - u
u_slope_1 = a*(b*v - u)
v_2 = v + v_slope_1*time_step/2
u_2 = u + u_slope_1*time_step/2
v_slope_2 = (0.04*v_2 + 5)*v_2 + drive - u_2
u_slope_2 = a*(b*v_2 - u_2)
v_3 = v + v_slope_2*time_step/2
u_3 = u + u_slope_2*time_step/2
v_slope_3 = (0.04*v_3 + 5)*v_3 + drive - u_3
u_slope_3 = a*(b*v_3 - u_3)
v_4 = v + v_slope_3*time_step
u_4 = u + u_slope_3*time_step
v_slope_4 = (0.04*v_4 + 5)*v_4 + drive - u_4
u_slope_4 = a*(b*v_4 - u_4)
v = v + (v_slope_1 + 2*v_slope_2 + 2*v_slope_3 + v_slope_4)*time_step/6 + arriving_exc + arriving_inh
u = u + (u_slope_1 + 2*u_slope_2 + 2*u_slope_3 + u_slope_4)*time_step/6
""",
    spike="v >= 30",
    reset="v = c\nu = u + d",
    sampled_before=("v", "u"),
    refractory=False,
)
"""Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569: threshold 30 mV, coefficients 0.04, 5, 140."""


def izhikevich(p: Parameters, dt: float) -> Parameters:
    """Runge-Kutta for the quadratic cell; as in PyNN a current of 1 nA moves v by 1000 mV/ms (a cell of 1 pF)."""
    return {name: p[name] for name in ("a", "b", "c", "d", "i_offset")} | {
        "current_to_slope": np.full_like(p["a"], 1000.0),
        "time_step": np.full_like(p["a"], dt),
    }


_CURRENTS = {"isyn_exc": "decay_exc", "isyn_inh": "decay_inh"}
_CONDUCTANCES = {"gsyn_exc": "decay_exc", "gsyn_inh": "decay_inh"}

IDEAL = TickRules(
    name="ideal",
    title="PyNN's continuous meaning",
    source="PyNN's cell definitions; Rotter & Diesmann 1999",
    spike_is_at_end_of_step=True,
    sources_before_update=True,
    sampled_at_the_end_too=True,
    refractory_count=nearest_steps,
    cells={
        "IF_curr_exp": Cell(CURRENT_EXPONENTIAL, current_exponential, _CURRENTS),
        "IF_curr_alpha": Cell(CURRENT_ALPHA, current_alpha, _CURRENTS),
        "IF_curr_delta": Cell(CURRENT_DELTA, current_delta, {}, acts_at_once=True),
        "IF_cond_exp": Cell(CONDUCTANCE_EXPONENTIAL, conductance_exponential, _CONDUCTANCES),
        "Izhikevich": Cell(IZHIKEVICH, izhikevich, {}, acts_at_once=True),
    },
    pair_rule=PairRule(ties_depress=False, amplitude_times_w_max=True, delay_is_dendritic=False),
)
