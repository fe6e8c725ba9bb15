"""When one spike arrives, for every delay that a board can be asked for.

Every source spikes once; its target fires in the step in which that spike arrives, so the target's spike time is the
arrival.  From the length of a core's ring buffer on, spikes wait in cores of their own (delay extensions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neurodeploy.boardtest.networks import ONE_SPIKE, TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    check,
    no_losses,
    refusals,
)
from neurodeploy.chips.spinnaker_machine import NEURONS_PER_CORE, longest_delay_steps, longest_ring
from neurodeploy.models.network import Network

SENT = 5
"""Step in which every source spikes."""

ONE_BY_ONE = 144
"""Delays of 1 to so many ms get a synapse each."""

BEYOND = ((16, 145), (16, 200), (16, 400), (16, 512), (16, 513), (16, 1000), (1, 288), (1, 1200))
"""Neurons, and one delay in ms for all of them: 16 neurons wait in their ring up to 512 ms, one up to 4,096 ms."""

AFTER = 15
"""Steps that a trial goes on after the last arrival."""


def joined(groups: Sequence[tuple[str, np.ndarray]]) -> Network:
    """Pairs of a source and its targets, joined one to one with these delays in ms."""
    result = Network(TIME_STEP)
    for name, delays in groups:
        size = len(delays)
        result.populations += [source(f"{name}, source", [[SENT]] * size), cells(name, size)]
        synapses(result, f"{name}, source", name, [(i, i, ONE_SPIKE, d) for i, d in enumerate(delays)])
        record(result, name, "spikes")
    return result


def trial(name: str, groups: Sequence[tuple[str, np.ndarray]]) -> Trial:
    longest = int(max(delays.max() for _, delays in groups))
    return Trial(name, joined(groups), (SENT + longest + AFTER,))


def trials() -> Iterator[Trial]:
    """All that the machine ought to take, in one load; then the longest delays of a full core, and one longer."""
    groups = [(f"delays 1 to {ONE_BY_ONE} ms", np.arange(1.0, ONE_BY_ONE + 1))]
    groups += [
        (f"{delay} ms onto {neurons} neuron{'s' * (neurons != 1)}", np.full(neurons, float(delay)))
        for neurons, delay in BEYOND
    ]
    yield trial("delays", groups)
    full, ring = NEURONS_PER_CORE, longest_ring(NEURONS_PER_CORE)
    limit = longest_delay_steps(full)
    spread = np.arange(limit - full + 1.0, limit + 1)
    name = f"delays {spread[0]:g} to {limit} ms onto {full} neurons: all extensions of rings of {ring} steps"
    yield trial(name, [("the longest delays of a full core", spread)])
    yield trial(f"a delay of {limit + 1} ms onto {full} neurons", [("too long", np.full(full, limit + 1.0))])


def judge(results: Sequence[Result]) -> Judgement:
    """Each target spikes once, at the sending plus the delay."""
    checks: list[Check] = []
    asked: list[float] = []
    arrived: list[float | None] = []
    measured = [result for result in results if isinstance(result, Measured)]
    for result in measured:
        network = result.trial.network
        for projection in network.projections:
            target, delays = network.populations[projection.post], projection.delay
            steps, neurons = result.numbers.spikes[projection.post]
            trains = [(steps[neurons == neuron] - SENT).tolist() for neuron in range(target.size)]
            wrong = [
                f"{delay:g} ms: {f'arrived after {found} ms' if found else 'never arrived'}"
                for delay, found in zip(delays, trains, strict=True)
                if found != [delay]
            ]
            asked += delays.tolist()
            arrived += [float(found[0]) if found else None for found in trains]
            checks.append(
                check(
                    target.label,
                    f"{target.size} of {target.size} after their delay",
                    f"{target.size - len(wrong)} of {target.size}"
                    + (f"; {'; '.join(wrong[:5])}" if wrong else ""),
                    not wrong,
                )
            )
    if measured:
        checks.append(no_losses(measured))
    return Judgement(checks + refusals(results), series={"asked": asked, "found": arrived})
