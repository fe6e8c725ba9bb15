"""All tick rules there are, by the name that a user types, and mixtures of two of them.

``ideal+tie:spinnaker`` are the rules ``ideal``, but for the :data:`ASPECTS` called ``tie``, which is as under
``spinnaker``.  So one difference between two sets of rules can be looked at alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurodeploy.chips.ideal import IDEAL
from neurodeploy.chips.loihi_compartment import LOIHI1_RULES, LOIHI2_RULES
from neurodeploy.chips.rules import TickRules
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.chips.spinnaker_fixed import SPINNAKER_FIXED
from neurodeploy.errors import RequestError, did_you_mean

RULES = {rules.name: rules for rules in (IDEAL, SPINNAKER, SPINNAKER_FIXED, LOIHI1_RULES, LOIHI2_RULES)}


@dataclass(frozen=True)
class Aspect:
    """One thing that two sets of tick rules may hold differently.

    Attributes
    ----------
    title : str
        What it decides, in words that end a sentence.
    fields : tuple of str
        Attributes of :class:`TickRules`, or of its ``pair_rule`` where they have that name.
    learning : bool
        Whether it concerns synapses that learn alone.
    """

    title: str
    fields: tuple[str, ...]
    learning: bool = False

    def differs(self, one: TickRules, other: TickRules) -> bool:
        """Whether the two rules hold it differently."""
        mine, theirs = (rules.pair_rule if self.learning else rules for rules in (one, other))
        return any(getattr(mine, name) != getattr(theirs, name) for name in self.fields)

    def take(self, rules: TickRules, other: TickRules, name: str) -> TickRules:
        """`rules` with this as in `other`, called `name`."""
        source = other.pair_rule if self.learning else other
        changed = {field: getattr(source, field) for field in self.fields}
        if self.learning:
            return replace(rules, name=name, pair_rule=replace(rules.pair_rule, **changed))
        return replace(rules, name=name, **changed)


ASPECTS = {
    "spike-time": Aspect(
        "when inside a step a spike counts",
        ("spike_is_at_end_of_step", "sources_before_update", "sampled_at_the_end_too"),
    ),
    "membrane": Aspect("how a membrane moves on over a step", ("cells",)),
    "refractory": Aspect("how many steps a refractory time is", ("refractory_count",)),
    "tie": Aspect(
        "what a learning synapse does when its two neurons' spikes meet", ("ties_depress",), learning=True
    ),
    "amplitude": Aspect("what the learning amplitudes multiply", ("amplitude_times_w_max",), learning=True),
    "learning-delay": Aspect(
        "on which side of a learning synapse its delay lies", ("delay_is_dendritic",), learning=True
    ),
}


def mixture(base: str, aspect: str, other: str) -> str:
    """Name of the rules `base` with one `aspect` of `other`."""
    return f"{base}+{aspect}:{other}"


def rules_by_name(name: str) -> TickRules:
    """The rules the user asked for by `name`.

    Raises
    ------
    RequestError
        There are none of that name, with a suggestion; or they cannot be mixed.
    """
    base, *changes = name.split("+")
    rules = _known(base)
    for change in changes:
        aspect, _, other = change.partition(":")
        if aspect not in ASPECTS:
            raise RequestError(
                f"Rules '{name}': there is no aspect '{aspect}'.{did_you_mean(aspect, ASPECTS)}",
                fix=f"write RULES+ASPECT:RULES with one of: {', '.join(ASPECTS)}",
            )
        for one in (rules, _known(other)):
            if one.chip or one.whole_numbers:
                raise RequestError(
                    f"Rules '{name}': those of {one.name} cannot be mixed",
                    why="a model is put into the chip's whole numbers as a whole",
                    fix="mix 'ideal' and 'spinnaker'",
                )
        rules = ASPECTS[aspect].take(rules, _known(other), name)
    return rules


def _known(name: str) -> TickRules:
    if name not in RULES:
        raise RequestError(
            f"There are no tick rules called '{name}'.{did_you_mean(name, RULES)}",
            fix=f"choose one of: {', '.join(sorted(RULES))}",
        )
    return RULES[name]
