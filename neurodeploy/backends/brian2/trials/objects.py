"""The Brian2 objects of a TrialStructure: one group of cells, one Synapses object a class of synapses."""

from __future__ import annotations

from neurodeploy.backends.brian2.objects import Objects
from neurodeploy.backends.brian2.trials.structure import (
    CELLS,
    GATED_STATE,
    LEARNING_STATE,
    TrialStructure,
    synapse_code,
)
from neurodeploy.backends.brian2.without_pictures import brian2
from neurodeploy.chips.nalsm import CELL

LEARNING_UPDATE = "trace = (trace + int(g >= 1))*trace_decay\nquiet = trace\n"
"""Executed before the cell's own update, where ``g`` is 1 exactly where the neuron has just spiked."""

GATE_UPDATE = """
activity = activity + int(g >= 1) - activity*activity_leak
rises = int(activity > threshold and activity < threshold + width)
falls = int(activity < threshold and activity > threshold - width)
"""


def build_objects(structure: TrialStructure, size: int) -> Objects:
    """Build the group of `size` cells and every Synapses object of `structure`.  Brian2's clock counts steps."""
    brian2.defaultclock.dt = 1 * brian2.second
    state, constants, update, reset = [*CELL.state], [*CELL.coefficients], CELL.update, CELL.reset
    if structure.gated:
        state += GATED_STATE
        constants += ["activity_leak", "threshold", "width"]
        update = GATE_UPDATE + update
    if structure.learns:
        state += LEARNING_STATE
        constants += ["trace_decay"]
        update = LEARNING_UPDATE + update
        reset += "\nquiet = 0"
    lines = [f"{name} : 1" for name in (*state, "refractory_left")]
    lines += [f"{name} : 1 (constant)" for name in (*constants, "refractory_steps")]
    cells = brian2.NeuronGroup(size, "\n".join(lines), threshold=CELL.spike, reset=reset, name=CELLS)
    cells.run_regularly(update, when="groups", name=f"{CELLS}_update")
    objects = Objects(groups={CELLS: cells})
    for number, kind in enumerate(structure.kinds):
        learns = kind != "static"
        code = synapse_code(kind)
        shared = "".join(f"\n{name} : 1 (shared)" for name in ("early", "late", "w_min", "w_max"))
        objects.synapses[f"class{number}"] = brian2.Synapses(
            cells,
            cells,
            "w : 1" + (shared if learns else ""),
            on_pre=code.on_pre,
            on_post=code.on_post or None,
            name=f"class{number}",
        )
    return objects
