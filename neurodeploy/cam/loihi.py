r"""The memory for Loihi: the published circuit with a rule that the chip's learning engine computes exactly.

What differs from `neurodeploy.cam.model`, and nothing else does:

- **The rule.**  With time constants far below the time step only the nearest spikes count.  A pre and a post spike of the
  *same* step (Δ = 1: the delay of one step is dendritic) set a weight to w_max; a pre spike *one step after* a post spike (Δ = 0)
  sets it to 0.  Nothing else changes a weight: no trace leaks into the next operation, a query leaves nothing behind, what is
  forgotten is 0.
- **A nineteenth projection**, S1cue → S1cont, inhibitory, 6 nA, 3 ms.  Loihi sends a spike with the weight as it was *before*
  the step's learning, so the second cue spike of a learn still carries the old content, which would flash once more; the
  inhibition by the first cue spike meets it in the same step.
- **The gates are brief.**  S1cont, cond, int and S2cue have synapses of 0.1 ms and a capacitance of 0.05 nF: a current of one
  step, which lifts the cell by 0.865 mV per nA instead of 0.893 (S1cont 0.911).  So no inhibition lasts into the next operation,
  and no volley of many content cells fires a cue cell a second time.

The answers, their times and the operations are the published ones.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from neurodeploy.cam.model import (
    CELLS,
    PLASTICITY,
    POPULATIONS,
    PROJECTIONS,
    PUBLISHED,
    Circuit,
    ProjectionRow,
)

BRIEF = CELLS["fast"] | {"cm": 0.05, "tau_syn_E": 0.1, "tau_syn_I": 0.1}
"""A fast cell whose synaptic current lasts for one step of 1 ms: :math:`e^{-10}` of it is left."""

GATES = ("S1cont", "cond", "int", "S2cue")

TAU_MS = 0.1
"""Of both traces: :math:`e^{-10}` of a trace is left one step later, 0.012 of the 255 steps of a weight."""

LOIHI = Circuit(
    "loihi",
    MappingProxyType(CELLS | {"brief": BRIEF}),
    tuple(row._replace(cell="brief") if row.name in GATES else row for row in POPULATIONS),
    (*PROJECTIONS, ProjectionRow("S1cue", "S1cont", "all-to-all", 6.0, 3.0, "inhibitory")),
    MappingProxyType(
        PLASTICITY
        | {
            "tau_plus": TAU_MS,
            "tau_minus": TAU_MS,
            "A_plus": math.exp(1.0 / TAU_MS),
            "A_minus": 1.0,
        }
    ),
    safe_spacing={"without re-learning": 8, "with re-learning": 8},
    queries_leave_traces=False,
)
"""`A_plus` and `A_minus` are shares of w_max, PyNN's meaning: :math:`A_+ e^{-1/0.1} = 1` at Δ = 1 ms, :math:`A_- = 1` at Δ = 0.

Safe from 8 ms on, with re-learning and queries of several elements; the published experiments answer without error at their own
times, 7 and 6 ms included.  The chip's 24-bit currents hold the lateral inhibition of memories with (m − 1) n up to some 256.
"""


def circuit_for(rules: str) -> Circuit:
    """The circuit made for the tick rules of that name."""
    return LOIHI if rules.startswith("loihi") else PUBLISHED
