r"""Loihi's compartment as update statements: the chip's whole numbers, held in doubles without loss.

.. math::
    u_c &\leftarrow \mathrm{wrap}\big(\mathrm{trunc}(u_c\,(4095-du_c)/4096) + \textstyle\sum w\big) \\
    v   &\leftarrow \mathrm{clip}\big(\mathrm{trunc}(v\,(4096-dv)/4096) + \textstyle\sum_c u_c + b_m\,2^{b_e}\big)
         \quad\text{unless refractory}

Every product stays far below :math:`2^{53}` and every division is by a power of two, so a double holds each intermediate
value exactly; ``trunc`` alone loses bits, those that the chip loses.  The same step, in NumPy's integers, is
:mod:`neurodeploy.chips.loihi_arithmetic`; a test compares the two.

Source: Lava 0.10.0, ``lava/proc/lif/models.py`` (``AbstractPyLifModelFixed.subthr_dynamics``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.chips.loihi import LOIHI1, LOIHI2
from neurodeploy.chips.loihi_arithmetic import CURRENT_DECAY_OFFSET, HALF, bias
from neurodeploy.chips.rules import GRID_TOLERANCE, Cell, CellUpdate, PairRule, Parameters, TickRules

CURRENTS = ("isyn_exc", "isyn_inh")
"""The compartment's currents, by PyNN's names; the only one of a compartment with one current is the first."""

_ARRIVING = {"isyn_exc": "arriving_exc", "isyn_inh": "arriving_inh"}

REFRACTORY = """
refractory_left = clip(refractory_left - 1, 0, refractory_steps)
active = 1 - clip(refractory_left, 0, 1)
v = active*v_next + (1 - active)*v
"""
"""Count the step, and take the new voltage unless the neuron is refractory; it can fire only where it took one."""


def _compartment(currents: tuple[str, ...]) -> CellUpdate:
    lines = []
    for u in currents:
        lines.append(f"{u} = trunc({u}*keep_{u}) + {_ARRIVING[u]}")
        lines.append(f"{u} = {u} + {2 * HALF}*(int({u} <= -{HALF}) - int({u} > {HALF}))")
    limit = LOIHI2.largest_state
    lines.append(f"v_next = clip(trunc(v*keep_v) + {' + '.join(currents)} + bias, -{limit}, {limit})")
    return CellUpdate(
        state=("v", *currents),
        coefficients=(*(f"keep_{u}" for u in currents), "keep_v", "bias", "threshold"),
        update="\n".join(lines) + REFRACTORY,
        spike="v > threshold and refractory_left <= 0",
        reset="v = 0\nrefractory_left = refractory_steps + 1",
        sampled_before=("v", *currents),
    )


def from_registers(registers: Parameters, time_step: float) -> Parameters:
    """Coefficients of the update: the shares of u and v that a step leaves, bias and threshold as they are added and compared.

    Parameters
    ----------
    registers : dict
        ``du``, shape (currents, size), ``dv``, ``vth``, ``bias_mant``, ``bias_exp`` and ``refractory``, as
        :class:`~neurodeploy.backends.loihi.program.Compartments` has them.
    """
    unity = LOIHI2.decay_unity
    kept = {
        f"keep_{u}": unity - CURRENT_DECAY_OFFSET - du
        for u, du in zip(CURRENTS, registers["du"], strict=False)
    }
    kept["keep_v"] = unity - registers["dv"]
    return {name: value / unity for name, value in kept.items()} | {
        "bias": bias(registers["bias_mant"], registers["bias_exp"]),
        "threshold": registers["vth"] << LOIHI2.threshold_shift,
        "refractory_steps": registers["refractory"],
    }


def refractory_steps(tau_refrac: np.ndarray, time_step: float) -> np.ndarray:
    r""":math:`\lceil\tau/dt\rceil`, as the lowering counts."""
    return np.ceil(tau_refrac / time_step - GRID_TOLERANCE)


ONE_CURRENT, TWO_CURRENTS = "one_current", "two_currents"

LOIHI2_RULES = TickRules(
    name=LOIHI2.name,
    title=f"{LOIHI2.title}'s whole numbers, as Lava 0.10.0 computes them",
    source="Lava 0.10.0, lava/proc/lif/models.py, lava/proc/dense/models.py",
    spike_is_at_end_of_step=False,
    sources_before_update=False,
    sampled_at_the_end_too=True,
    refractory_count=refractory_steps,
    cells={
        ONE_CURRENT: Cell(_compartment(CURRENTS[:1]), from_registers, {}),
        TWO_CURRENTS: Cell(_compartment(CURRENTS), from_registers, {}),
    },
    pair_rule=PairRule(ties_depress=True, amplitude_times_w_max=True, delay_is_dendritic=True),
    chip=LOIHI2.name,
    becomes={
        "IF_curr_exp": "as under spinnaker, in 8-bit weights and 12-bit decays",
        "IF_curr_delta": "as in PyNN, in 8-bit weights and 12-bit decays",
    },
)
"""The pair rule is what the learning engine's terms make of PyNN's (:mod:`neurodeploy.chips.loihi_plasticity`)."""

LOIHI1_RULES = replace(
    LOIHI2_RULES,
    name=LOIHI1.name,
    title=f"{LOIHI1.title}'s whole numbers, as Lava 0.10.0 computes them",
    chip=LOIHI1.name,
)
"""The same step; the chips differ in what fits on a core."""
