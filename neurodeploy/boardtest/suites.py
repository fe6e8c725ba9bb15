"""The tests of a board: what there is, and which of it a user has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from neurodeploy.boardtest import cell_types, delays, learning, load, memory, repetition, splitting, weights
from neurodeploy.boardtest.trial import BoardTest
from neurodeploy.errors import RequestError, did_you_mean

FUNCTIONAL, STRESS, HEAVY = "functional", "stress", "heavy"
SUITES = (FUNCTIONAL, STRESS, HEAVY, "all")

TESTS = (
    BoardTest(
        "delays",
        FUNCTIONAL,
        f"a spike arrives after its delay: every delay from 1 to {delays.ONE_BY_ONE} ms, and longer ones",
        delays.trials,
        delays.judge,
        picture="expected-found",
    ),
    BoardTest(
        "weights",
        FUNCTIONAL,
        "1,024 weights over 16 bits come back and act exactly; their sum stays at the largest",
        weights.trials,
        weights.judge,
        picture="weights",
    ),
    BoardTest(
        "stdp",
        FUNCTIONAL,
        "what a pair of spikes does to a weight, by their distance: additive and multiplicative",
        learning.trials,
        learning.judge,
        picture="stdp",
    ),
    BoardTest(
        "split",
        FUNCTIONAL,
        "a population on one core, on several and on several chips does the same",
        splitting.trials,
        splitting.judge,
    ),
    BoardTest(
        "cells",
        FUNCTIONAL,
        "the five cells do what the model of a core says, in every sample",
        cell_types.trials,
        cell_types.judge,
    ),
    *(
        BoardTest(
            f"cam-{name}",
            FUNCTIONAL,
            f"the content-addressable memory, experiment {name}: its answers, and every spike",
            memory.trials(name),
            memory.judge,
            picture="raster",
        )
        for name in ("functional", "stress", "state-map")
    ),
    BoardTest(
        "ladder",
        STRESS,
        "rate × fan-in × size × duration, up to where packets are dropped or ticks missed",
        partial(load.trials, load.LADDER),
        partial(load.judge, load.LADDER),
        picture="ladder",
        climbs=True,
    ),
    BoardTest(
        "loads",
        STRESS,
        "12 times loaded anew, the same numbers every time",
        repetition.trials(12, 1),
        repetition.judge,
        picture="times",
    ),
    BoardTest(
        "runs",
        STRESS,
        "60 consecutive runs of one load, the same numbers every time",
        repetition.trials(1, 60),
        repetition.judge,
    ),
    BoardTest(
        "heavy-ladder",
        HEAVY,
        "the ladder, and on to where no core can follow",
        partial(load.trials, load.HEAVY),
        partial(load.judge, load.HEAVY),
        picture="ladder",
        climbs=True,
    ),
    BoardTest(
        "heavy-loads",
        HEAVY,
        "60 times loaded anew, two runs each, the same numbers every time",
        repetition.trials(60, 2),
        repetition.judge,
        picture="times",
    ),
)
"""In the order in which they run."""


def choose(suite: str, only: Sequence[str] = ()) -> list[BoardTest]:
    """The tests named in `only`, or all of the `suite` (``"all"`` is functional and stress).

    Raises
    ------
    RequestError
        There is no such suite or test.
    """
    if suite not in SUITES:
        raise RequestError(
            f"--suite {suite}: there is no such suite.{did_you_mean(suite, SUITES)}",
            fix=f"choose one of: {', '.join(SUITES)}",
        )
    names = [test.name for test in TESTS]
    for name in only:
        if name not in names:
            raise RequestError(
                f"--only {name}: there is no such test.{did_you_mean(name, names)}",
                fix=f"choose from: {', '.join(names)}",
            )
    if only:
        return [test for test in TESTS if test.name in only]
    wanted = (FUNCTIONAL, STRESS) if suite == "all" else (suite,)
    return [test for test in TESTS if test.suite in wanted]
