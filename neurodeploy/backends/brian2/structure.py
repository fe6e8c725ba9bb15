"""What decides the program, as opposed to the data it is fed.

A :class:`Structure` names the tick rules, the cell types and the kinds of synapse between them.  Sizes, weights,
delays, parameters, inputs, recordings and run length are data: the same binary serves all of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.rules import CellUpdate

SOURCES = "sources"
"""Name of the group that holds every spike source."""


@dataclass(frozen=True)
class Structure:
    """The shape of one program.

    Attributes
    ----------
    rules : str
        Name of the tick rules.
    cells : tuple of str
        PyNN cell types with a membrane, sorted; each becomes one group that holds all populations of the type.
    sources : bool
        Whether there are spike sources.
    static, plastic : tuple of (str, str)
        Sorted pairs (source group, target group) that have static or learning synapses.
    parallel : bool
        Whether the cells of a group are updated by several threads (how many is data).
    """

    rules: str
    cells: tuple[str, ...]
    sources: bool
    static: tuple[tuple[str, str], ...]
    plastic: tuple[tuple[str, str], ...]
    parallel: bool = False

    GENERATOR: ClassVar[str] = "neurodeploy.backends.brian2.generate"
    INGREDIENTS: ClassVar[tuple[str, ...]] = ("generate.py", "objects.py", "structure.py")

    @property
    def groups(self) -> tuple[str, ...]:
        return (*self.cells, SOURCES) if self.sources else self.cells

    def update(self, cell: str) -> CellUpdate:
        return rules_by_name(self.rules).cells[cell].update

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Structure:
        fields = json.loads(text)
        for name in ("static", "plastic"):
            fields[name] = tuple(tuple(pair) for pair in fields[name])
        fields["cells"] = tuple(fields["cells"])
        return cls(**fields)

    def digest(self, *ingredients: str) -> str:
        """SHA-256 over the structure, the update equations it refers to, and `ingredients` (versions, flags).

        The name of the rules is not in it: rules that differ in data alone have one program.
        """
        rules = rules_by_name(self.rules)
        fields = asdict(self)
        del fields["rules"]
        sha = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
        timing = (
            rules.spike_is_at_end_of_step,
            rules.sources_before_update,
            rules.pair_rule.delay_is_dendritic,
        )
        sha.update(repr(timing).encode())
        for cell in self.cells:
            sha.update(repr(self.update(cell)).encode())
        for ingredient in ingredients:
            sha.update(b"\0" + ingredient.encode())
        return sha.hexdigest()


def synapses_name(kind: str, source: str, target: str) -> str:
    """Name of the object that holds all `kind` synapses (``static`` or ``plastic``) from one group to another."""
    return f"{kind}_{source}_{target}"


# ------------------------------------------------------------------ the equations of the synapses


@dataclass(frozen=True)
class SynapseCode:
    """Statements of one kind of synapse; `EVENT` stands for the step in which the event counts."""

    on_pre: str
    on_post: str = ""


STATIC = SynapseCode(on_pre="sent = send(row, EVENT + send_steps, w)")

PLASTIC = SynapseCode(
    on_pre="""
event = EVENT
met = int(post_at == event)
trace = post_trace*exp((post_at - event)*rule(rule_row, RATE_MINUS)) - met*(1 - rule(rule_row, TIES_DEPRESS))
fall = rule(rule_row, MINUS_CONSTANT) + rule(rule_row, MINUS_SLOPE)*(w - rule(rule_row, W_MIN))
w = clip(w - fall*trace, rule(rule_row, W_MIN), rule(rule_row, W_MAX))
pre_trace = pre_trace*exp((pre_at - event)*rule(rule_row, RATE_PLUS)) + 1
pre_at = event
sent = send(row, event + send_steps, w*rule(rule_row, SIGN))
""",
    on_post="""
event = EVENT
trace = pre_trace*exp((pre_at - event)*rule(rule_row, RATE_PLUS))
rise = rule(rule_row, PLUS_CONSTANT) + rule(rule_row, PLUS_SLOPE)*(rule(rule_row, W_MAX) - w)
w = clip(w + rise*trace, rule(rule_row, W_MIN), rule(rule_row, W_MAX))
post_trace = post_trace*exp((post_at - event)*rule(rule_row, RATE_MINUS)) + 1
post_at = event
""",
)
"""Pair rule over all pairs with exponential traces.  On a tie the postsynaptic event comes first, so that it is
never potentiating; ``TIES_DEPRESS`` says whether it depresses."""

RULE_COLUMNS = (
    "RATE_PLUS",  # time_step / tau_plus
    "RATE_MINUS",  # time_step / tau_minus
    "PLUS_CONSTANT",
    "PLUS_SLOPE",
    "MINUS_CONSTANT",
    "MINUS_SLOPE",
    "W_MIN",
    "W_MAX",
    "SIGN",  # of the current a positive weight sends
    "TIES_DEPRESS",
)
RULE_WIDTH = 16
"""Numbers a row in the engine's table of rules (``RULE_WIDTH`` of ``engine.h``)."""


def statements(code: str, target: str, event: str) -> str:
    """`code` with its placeholders filled in for one target group."""
    text = code.replace("EVENT", event).replace("send(", f"send_{target}(")
    for column, name in enumerate(RULE_COLUMNS):
        text = text.replace(f", {name})", f", {column})")
    return text


def event_step(structure: Structure, source: str) -> str:
    """The step in which a spike of `source`, processed in step ``t_in_timesteps``, counts."""
    rules = rules_by_name(structure.rules)
    late = rules.spike_is_at_end_of_step and source != SOURCES
    return "(t_in_timesteps + 1)" if late else "t_in_timesteps"
