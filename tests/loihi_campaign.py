"""Random PyNN scripts under the rules of a Loihi: no current overflows, and no voltage is farther off than predicted.

A test runs some of them; ``python tests/loihi_campaign.py 2000`` runs as many as are asked for, and says what came out.
"""

from __future__ import annotations

import sys
from collections import Counter

import loihi_float
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from loihi_models import in_millivolts
from pynn_networks import pynn_networks

from neurodeploy.backends.loihi.activity import observed
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.models.network import Network

STEPS = 100


def looseness(network: Network) -> list[float | None]:
    """The predicted bound of every population's voltage, as a multiple of the error that is there; None where v is cut.

    What is lost on the chip is kept, as ``allow_losses`` has it.
    """
    program = lower(network, allow_losses=True)
    trace = simulate(program, STEPS)
    activity = observed(trace.spikes[: len(network.populations)], max(round(10 / network.time_step), 1))
    _, exact, _ = loihi_float.simulate(network, STEPS, trace.spikes)
    cells = [number for number, units in enumerate(program.units) if units is not None]
    result: list[float | None] = []
    for row, number in zip(program.report.with_activity(activity), cells, strict=True):
        assert np.abs(trace.u[number]).max(initial=0) <= LOIHI2.largest_state, (
            f"a current of {row.label} overflows"
        )
        assert row.error.typical <= row.error.total
        if trace.v[number].min() <= -LOIHI2.largest_state:
            result.append(None)
            continue
        off = float(np.abs(in_millivolts(program, trace, number) - exact[number]).max())
        assert off <= row.error.total * (1 + 1e-9) + 1e-12, f"{row.label} is off by {off} mV: {row.error}"
        result.append(row.error.total / off if off else np.inf)
    return result


def campaign(count: int, first: int = 0) -> None:
    """Run `count` scripts and print what became of them."""
    found: list[float | None] = []
    kinds: Counter[str] = Counter()

    @seed(first)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(pynn_networks(STEPS))
    def each(network: Network) -> None:
        lost = any(change.startswith("lost: ") for change in lower(network, allow_losses=True).changes)
        kinds["with a loss" if lost else "without"] += 1
        found.extend(looseness(network))

    each()
    inside = np.array([value for value in found if value is not None])
    print(f"{kinds.total()} scripts, {kinds['with a loss']} with a loss; {len(found)} populations")
    cut, median = len(found) - len(inside), np.median(inside)
    print(f"{cut} of them cut; the bound holds in the others: {median:.3g} times the error (median)")


if __name__ == "__main__":
    campaign(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
