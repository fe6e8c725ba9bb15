"""The time step of the astrocyte-gated liquid state machine (NALSM), as its authors simulate it.

Ivanov & Michmizos, NeurIPS 2021; the order of operations is that of their public code.  A step of 1 ms tests the
threshold first, then delivers, then integrates:

1. spike where ``v >= v_thresh`` and the neuron is not refractory; ``v`` is reset there;
2. ``v += current dt/cm - (v - v_rest) dt/tau_m`` (forward Euler; refractory neurons integrate too), then the external drive;
3. weights change, with traces that do not hold this step's spikes and with modulators of the step before;
4. traces, refractory counters and modulators move on.

The synaptic current follows the *last* spike of each source alone, :math:`i_i = \\sum_j w_{ij} e^{-(t - t_j)/\\tau}`:
``g`` is that kernel, and a new spike adds ``w (1 - g)`` and sets ``g`` to 1.  A weight that changes by D moves the current
by D g.  A spike is delivered in its own step, and can make its target spike in the next.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import CellUpdate, Parameters

CELL = CellUpdate(
    state=("v", "current", "correction", "g", "gain"),
    coefficients=("leak", "step_over_cm", "decay", "v_rest", "v_reset", "v_thresh"),
    spike="v >= v_thresh and refractory_left <= 0",
    reset="v = v_reset\nrefractory_left = refractory_steps + 1\ng = 1",
    update="""
v = v + current*step_over_cm - (v - v_rest)*leak
current = (current + correction)*decay
correction = 0
refractory_left = refractory_left - 1
g = g*decay
gain = 1 - g
""",
)
"""``IF_curr_exp`` of one synaptic time constant.  ``gain`` is what a new spike adds for each unit of weight; ``correction``
what changed weights add to the current after this step's integration."""


def coefficients(parameters: Parameters, time_step: float) -> Parameters:
    """PyNN's parameters of ``IF_curr_exp`` to the coefficients of :data:`CELL`.

    ``leak`` is dt/tau_m, ``step_over_cm`` dt/cm, ``decay`` exp(-dt/tau_syn_E), ``refractory_steps`` the whole steps in
    which the threshold is blocked: the shortest interval between spikes is one step more.
    """
    return {
        "leak": time_step / parameters["tau_m"],
        "step_over_cm": time_step / parameters["cm"],
        "decay": np.exp(-time_step / parameters["tau_syn_E"]),
        "v_rest": parameters["v_rest"],
        "v_reset": parameters["v_reset"],
        "v_thresh": parameters["v_thresh"],
        "refractory_steps": np.rint(parameters["tau_refrac"] / time_step),
    }
