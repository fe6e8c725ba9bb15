"""All tick rules there are, by the name that a user types."""

from neurodeploy.chips.ideal import IDEAL
from neurodeploy.chips.loihi_compartment import LOIHI1_RULES, LOIHI2_RULES
from neurodeploy.chips.rules import TickRules
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.errors import RequestError, did_you_mean

RULES = {rules.name: rules for rules in (IDEAL, SPINNAKER, LOIHI1_RULES, LOIHI2_RULES)}


def rules_by_name(name: str) -> TickRules:
    """The rules the user asked for by `name`; an unknown one is a :class:`RequestError` with a suggestion."""
    if name not in RULES:
        raise RequestError(
            f"There are no tick rules called '{name}'.{did_you_mean(name, RULES)}",
            fix=f"choose one of: {', '.join(sorted(RULES))}",
        )
    return RULES[name]
