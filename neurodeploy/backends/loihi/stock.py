"""What of a Program Lava's stock processes can't say: the chips have programs for these alone.

Read by the front end and, in Lava's interpreter, by the runner; so it imports NumPy and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ONE_VALUE = ("dv", "vth")
"""Parameters that a stock ``LIF`` has once for all of its neurons; so has it ``du``."""


def beyond_stock(program: Any) -> list[str]:
    """One sentence for everything that needs processes of our own; empty where the stock ones will do.

    Parameters
    ----------
    program : LoihiProgram
    """
    found = []
    for group in program.groups:
        if hasattr(group, "steps"):
            continue
        if len(group.du) > 1 and _used_rows(program, group) > 1:
            found.append(f"'{group.label}' has two synaptic currents; a stock LIF has one")
        if np.any(group.refractory):
            found.append(f"'{group.label}' is refractory; a stock LIF is not in fixed point")
        for name in ONE_VALUE:
            if len(np.unique(getattr(group, name))) > 1:
                found.append(f"'{group.label}' has several values of {name}; a stock LIF has one")
        if len(np.unique(group.du[0])) > 1:
            found.append(f"'{group.label}' has several values of du; a stock LIF has one")
    for synapses in program.synapses:
        pairs_of_all = program.groups[synapses.pre].size * program.groups[synapses.post].size
        if synapses.learning is not None and len(synapses.mantissa) < pairs_of_all:
            found.append(
                f"'{synapses.label}' learns, and not between all pairs; a stock connection learns between all"
            )
        size = program.groups[synapses.post].size
        pairs = np.sort(synapses.pre_index.astype(np.int64) * size + synapses.post_index)
        if np.any(pairs[1:] == pairs[:-1]):
            found.append(
                f"'{synapses.label}' has several synapses between two neurons; a stock connection has one"
            )
    return found


def _used_rows(program: Any, group: Any) -> int:
    """How many currents of a group get input; one that gets none, from 0, is not needed."""
    position = next(k for k, other in enumerate(program.groups) if other is group)
    used = {synapses.current for synapses in program.synapses if synapses.post == position}
    used |= {row for row, u in enumerate(group.u) if np.any(u)}
    return len(used | {0})
