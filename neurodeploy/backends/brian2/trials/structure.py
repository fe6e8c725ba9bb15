"""What decides the program of a network that is shown many trials: the kinds of synapse, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from neurodeploy.backends.brian2.structure import SynapseCode
from neurodeploy.chips.nalsm import CELL

CELLS = "cells"
"""Name of the group that holds every neuron of the network, population after population."""

STATIC = SynapseCode(on_pre="current_post += w*gain_pre")

PLASTIC = SynapseCode(
    on_pre="""
current_post += w*gain_pre
moved = clip(w + early*quiet_post*EARLY_GATE, w_min, w_max)
correction_post += moved - w
w = moved
""",
    on_post="""
moved = clip(w + late*trace_pre*LATE_GATE + int(g_pre >= 1)*early*trace_post*EARLY_GATE, w_min, w_max)
correction_post += (moved - w)*g_pre
w = moved
""",
)
"""Pair rule on signed weights.  ``early`` is what a presynaptic spike does for each unit of the postsynaptic trace, ``late`` the
reverse; both are scalars that the program sets every step.  A synapse whose two neurons spike in one step is clipped once:
``quiet`` is the trace, and 0 where the neuron has just spiked, so that such a synapse waits for the postsynaptic pass."""

GATES = {
    "plastic": ("1", "1"),
    "gated": ("falls_post", "rises_post"),
    "gated-mirrored": ("rises_post", "falls_post"),
}
"""Kinds that learn -> what gates a presynaptic and a postsynaptic spike.  Presynaptic spikes lower a signed weight, except from
inhibitory sources (mirrored)."""

LEARNING_STATE = ("trace", "quiet")
GATED_STATE = ("activity", "rises", "falls")


def synapse_code(kind: str) -> SynapseCode:
    """Statements of one kind of synapse: ``"static"`` or a key of :data:`GATES`."""
    if kind == "static":
        return STATIC
    early, late = GATES[kind]
    fill = lambda text: text.replace("EARLY_GATE", early).replace("LATE_GATE", late).replace("*1", "")  # noqa: E731
    return SynapseCode(fill(PLASTIC.on_pre), fill(PLASTIC.on_post))


@dataclass(frozen=True)
class TrialStructure:
    """The shape of one program.

    Attributes
    ----------
    kinds : tuple of str
        The kind of each class of synapses; a class is all synapses that share one plasticity.
    """

    kinds: tuple[str, ...]

    GENERATOR: ClassVar[str] = "neurodeploy.backends.brian2.trials.generate"
    INGREDIENTS: ClassVar[tuple[str, ...]] = (
        "trials/generate.py",
        "trials/objects.py",
        "trials/structure.py",
        "generate.py",
    )
    parallel: ClassVar[bool] = False
    sources: ClassVar[bool] = False
    groups: ClassVar[tuple[str, ...]] = (CELLS,)
    cells: ClassVar[tuple[str, ...]] = ()

    @property
    def learns(self) -> bool:
        return any(kind != "static" for kind in self.kinds)

    @property
    def gated(self) -> bool:
        return any(kind.startswith("gated") for kind in self.kinds)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialStructure:
        return cls(tuple(json.loads(text)["kinds"]))

    def digest(self, *ingredients: str) -> str:
        """SHA-256 over the structure, its equations, and `ingredients` (versions, flags)."""
        sha = hashlib.sha256(self.to_json().encode())
        sha.update(repr((CELL, PLASTIC, STATIC)).encode())
        for ingredient in ingredients:
            sha.update(b"\0" + ingredient.encode())
        return sha.hexdigest()
