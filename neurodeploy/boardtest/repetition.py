"""The same model over and over: loaded anew, and run on from where it stopped.  Every time the same numbers.

The model comes to rest before a run is over, so that every run is as the first; what a run in the midst of many ought to be
is also said by the whole-number model of a core, which runs through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neurodeploy.boardtest import compare
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
from neurodeploy.models.network import Network

SIZE, STEPS = 40, 100
SEED = 3
BUSY, CALM = 40, 60
"""Steps of a run: sources spike before the first; in the second, inhibition takes every membrane below rest.  From there it comes
to rest exactly; from above, the chip's truncation leaves it a unit higher."""

CELLS = 1
"""Position of the cells in the Network."""


def network(runs: int) -> Network:
    """A chain of cells driven by the same spikes in every run."""
    draw = np.random.default_rng(SEED)
    patterns = [np.flatnonzero(draw.random(BUSY) < 0.1) for _ in range(SIZE)]
    trains = [np.concatenate([pattern + run * STEPS for run in range(runs)]) for pattern in patterns]
    calming = [[CALM + run * STEPS for run in range(runs)]]
    result = Network(TIME_STEP, [source("sources", trains), cells("cells", SIZE), source("calming", calming)])
    synapses(result, "sources", "cells", [(i, i, ONE_SPIKE, 1 + i % 12) for i in range(SIZE)])
    synapses(result, "cells", "cells", [(i, (i + 1) % SIZE, 2.0, 1 + i % 7) for i in range(SIZE)])
    synapses(result, "calming", "cells", [(0, i, -2.0, 1) for i in range(SIZE)], "inhibitory")
    record(result, "cells", "spikes", "v")
    return result


def trials(loads: int, runs: int) -> Callable[[], Iterator[Trial]]:
    """`loads` of the model, each of which runs `runs` times."""

    def generate() -> Iterator[Trial]:
        for number in range(loads):
            yield Trial(f"load {number + 1}", network(runs), (STEPS,) * runs)

    return generate


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    windows: list[bytes] = []
    count = 0
    for result in measured:
        mine = [window(result, run) for run in range(len(result.trial.runs))]
        windows += mine
        count += len(mine)
    if measured:
        checks += compare.against_model(measured[0])
        other = [number + 1 for number, found in enumerate(windows) if found != windows[0]]
        checks.append(
            check(
                f"{count} runs in {len(measured)} load{'s' * (len(measured) != 1)}: spikes and voltages",
                "the same bytes every time",
                f"runs {', '.join(map(str, other[:8]))} are not as the first"
                if other
                else "the same bytes every time",
                not other,
            )
        )
        checks.append(no_losses(measured))
    series = {
        "load": [result.seconds.get("load", 0.0) for result in measured],
        "run": [result.seconds.get("run", 0.0) / len(result.trial.runs) for result in measured],
    }
    return Judgement(checks + refusals(results), series=series)


def window(result: Measured, run: int) -> bytes:
    """Everything recorded in one run, times counted from its beginning."""
    steps, neurons = result.numbers.spikes[CELLS]
    inside = steps // STEPS == run
    spikes = np.stack([steps[inside] - run * STEPS, neurons[inside]]).astype(np.int64)
    voltage = result.numbers.samples[CELLS, "v"][run * STEPS : (run + 1) * STEPS]
    return spikes.tobytes() + np.ascontiguousarray(voltage).tobytes()
