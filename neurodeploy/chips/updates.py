"""Update statements that more than one set of rules uses, with other coefficients.

For a current-based cell one step is a linear map of (v, synaptic currents); exact integration and
SpiNNaker's closed-form update differ in the coefficients of that map alone.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import CellUpdate, Parameters


def constant_current_membrane(p: Parameters, dt: float) -> Parameters:
    r""":math:`v \leftarrow v_\infty-(v_\infty-v)e^{-dt/\tau_m}` with :math:`v_\infty=v_{rest}+I\,\tau_m/c_m`.

    The exact step of :math:`\dot v = (v_{rest}-v)/\tau_m + I/c_m` for a current I (nA) that stays constant over it.
    """
    decay = np.exp(-dt / p["tau_m"])
    v_from_current = p["tau_m"] / p["cm"] * -np.expm1(-dt / p["tau_m"])
    return {
        "v_from_v": decay,
        "v_from_current": v_from_current,
        "v_constant": (1.0 - decay) * p["v_rest"] + v_from_current * p["i_offset"],
        "v_thresh": p["v_thresh"],
        "v_reset": p["v_reset"],
    }


MEMBRANE = """
active = clip(1 - refractory_left, 0, 1)
v = active*v_next + (1 - active)*v
refractory_left = refractory_left - (1 - active)
"""
"""Take the new voltage unless the neuron is refractory, and count the refractory step."""

FIRE = "v >= v_thresh"
RESET = """
v = v_reset
refractory_left = refractory_steps
"""

_LINEAR = ("v_from_v", "v_constant", "v_from_current", "v_thresh", "v_reset")

CURRENT_EXPONENTIAL = CellUpdate(
    state=("v", "isyn_exc", "isyn_inh"),
    coefficients=(*_LINEAR, "decay_exc", "decay_inh", "gain_exc", "gain_inh", "v_from_exc", "v_from_inh"),
    update="""
isyn_exc = isyn_exc*decay_exc + gain_exc*arriving_exc
isyn_inh = isyn_inh*decay_inh + gain_inh*arriving_inh
v_next = v_from_v*v + v_constant + v_from_exc*isyn_exc + v_from_inh*isyn_inh + v_from_current*injected
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("isyn_exc", "isyn_inh"),
)

CURRENT_ALPHA = CellUpdate(
    state=("v", "isyn_exc", "isyn_inh", "slope_exc", "slope_inh"),
    coefficients=(
        *_LINEAR,
        *("decay_exc", "decay_inh", "gain_exc", "gain_inh", "time_step"),
        *("v_from_exc", "v_from_inh", "v_from_slope_exc", "v_from_slope_inh"),
    ),
    update="""
isyn_exc = (isyn_exc + slope_exc*time_step)*decay_exc
isyn_inh = (isyn_inh + slope_inh*time_step)*decay_inh
slope_exc = slope_exc*decay_exc + gain_exc*arriving_exc
slope_inh = slope_inh*decay_inh + gain_inh*arriving_inh
v_synaptic = v_from_exc*isyn_exc + v_from_inh*isyn_inh + v_from_slope_exc*slope_exc + v_from_slope_inh*slope_inh
v_next = v_from_v*v + v_constant + v_synaptic + v_from_current*injected
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("isyn_exc", "isyn_inh"),
)

CURRENT_DELTA = CellUpdate(
    state=("v",),
    coefficients=(*_LINEAR, "gain"),
    update="""
v_next = v_from_v*v + v_constant + v_from_current*injected + gain*(arriving_exc + arriving_inh)
"""
    + MEMBRANE,
    spike=FIRE,
    reset=RESET,
)
