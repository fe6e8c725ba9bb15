"""The memory's acceptance cases, as data: what is asked, and what has to be answered.

The same cases run on the independent reference and on every backend.  ``A`` cases have to hold; ``D`` cases are
known defects of the published model, which a faithful build reproduces.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.cam import experiments
from neurodeploy.cam.experiments import Experiment, from_operations, learn, recall_content, recall_cue
from neurodeploy.cam.operations import Operation

SPACING = 20


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes
    ----------
    name : str
    experiment : Experiment
    answers : dict of int to (set, set)
        Operation number -> (cues, content elements) that have to be answered.
    ghosts : dict of int to set
        Operation number -> content elements flashed as forgotten.
    faultless : bool
        Whether every answer of the case, at its exact time, has to be the ideal memory's.
    """

    name: str
    experiment: Experiment
    answers: dict[int, tuple[set[int], set[int]]] = field(default_factory=dict)
    ghosts: dict[int, set[int]] = field(default_factory=dict)
    faultless: bool = True


def _spaced(*operations: Operation, spacing: int = SPACING, cues: int = 5, contents: int = 10) -> Experiment:
    at = [Operation(k * spacing, o.kind, o.cue, o.content) for k, o in enumerate(operations)]
    return from_operations(at, cues, contents)


def _learn(cue: int, *content: int) -> Operation:
    return learn(0, cue, *content)


def _cue(cue: int) -> Operation:
    return recall_cue(0, cue)


def _ask(*content: int) -> Operation:
    return recall_content(0, *content)


A5 = (_learn(3, 4, 5, 6), _learn(4, 1, 5, 6), _cue(3), _cue(4))
A7 = tuple(_learn(i, i) for i in range(5))
ALL = tuple(range(10))
EVERYTHING = (*(_cue(c) for c in range(5)), *(_ask(e) for e in range(10)))


def _complement(*content: int) -> tuple[int, ...]:
    return tuple(sorted(set(ALL) - set(content)))


def _a11(*contents: tuple[int, ...]) -> Experiment:
    """Learn cue 3 again and again; after each, recall it by its cue and by every single element."""
    asked: list[Operation] = []
    for content in contents:
        asked += [_learn(3, *content), _cue(3), *(_ask(element) for element in ALL)]
    return _spaced(*asked)


def _a17() -> Experiment:
    draws = np.random.default_rng(17)
    contents = [np.flatnonzero(draws.random(16) < 0.5) for _ in range(16)]
    learns = [_learn(c, *(content if content.size else [0])) for c, content in enumerate(contents)]
    recalls = [*(_cue(c) for c in range(16)), *(_ask(e) for e in range(16))]
    return _spaced(*learns, *recalls, spacing=14, cues=16, contents=16)


A13 = from_operations(
    [
        learn(0, 4, 7, 8, 9),
        learn(7, 3, 6, 7, 8),
        learn(14, 2, 5, 6, 7),
        recall_cue(21, 4),
        recall_cue(27, 3),
        learn(33, 3, 0, 1, 5, 6, 7),
        learn(40, 2, 0, 1, 8, 9),
        recall_cue(47, 3),
        recall_cue(53, 2),
    ],
    5,
    10,
)

CASES = [
    Case(
        "A1",
        experiments.functional(),
        {
            3: ({0}, {0, 1, 8, 9}),
            4: ({3, 4}, {6}),
            5: ({0, 3}, {0, 4}),
            7: ({3}, {1, 3, 4, 8}),
            8: ({4}, {6}),
        },
        {6: {5, 6}},
    ),
    Case(
        "A2",
        experiments.stress(),
        {10: ({0, 2, 4}, {0}), 11: ({1, 2}, {1}), 12: ({3, 4}, {2}), 13: (set(), {3})},
    ),
    Case(
        "A3",
        experiments.state_map(),
        {
            16: ({2, 6, 10, 12, 13, 14}, {1, 2, 4}),
            17: ({3, 5, 11, 15}, {3}),
            18: ({1, 7, 9}, {5}),
            19: ({0, 4, 8}, {0}),
        },
    ),
    Case("A4", _spaced(_learn(0, 0, 1)), {0: ({0}, {0, 1})}),
    Case("A5", _spaced(*A5), {2: ({3}, {4, 5, 6}), 3: ({4}, {1, 5, 6})}),
    Case(
        "A6",
        _spaced(*A5, _ask(1), _ask(4), _ask(5), _ask(6)),
        {4: ({4}, {1}), 5: ({3}, {4}), 6: ({3, 4}, {5}), 7: ({3, 4}, {6})},
    ),
    Case(
        "A7",
        _spaced(*A7, *EVERYTHING),
        {5 + c: ({c}, {c}) for c in range(5)} | {10 + e: ({e} if e < 5 else set(), {e}) for e in range(10)},
    ),
    Case(
        "A8",
        _spaced(*(_learn(c, *ALL) for c in range(5)), *EVERYTHING),
        {5 + c: ({c}, set(ALL)) for c in range(5)} | {10 + e: (set(range(5)), {e}) for e in range(10)},
    ),
    Case(
        "A9",
        _spaced(_learn(3, 4, 5, 6), _learn(3, 1, 3, 4, 8), _cue(3), _ask(5), _ask(6), _ask(4), _ask(8)),
        {2: ({3}, {1, 3, 4, 8}), 3: (set(), {5}), 4: (set(), {6}), 5: ({3}, {4}), 6: ({3}, {8})},
        {1: {5, 6}},
    ),
    Case(
        "A10",
        _spaced(_learn(4, 1, 5, 6), _learn(3, 4, 5, 6), _learn(3, 1, 3, 4, 8), _ask(6)),
        {3: ({4}, {6})},
    ),
    Case("A11 subset", _a11((4, 5, 6), (4,)), {13: ({3}, {4})}),
    Case("A11 superset", _a11((4,), (4, 5, 6)), {13: ({3}, {4, 5, 6})}),
    Case("A11 same", _a11((4, 5, 6), (4, 5, 6)), {13: ({3}, {4, 5, 6})}),
    Case(
        "A11 complement twice",
        _a11((4, 5, 6), _complement(4, 5, 6), (4, 5, 6)),
        {13: ({3}, set(_complement(4, 5, 6))), 25: ({3}, {4, 5, 6})},
    ),
    Case(
        "A12",
        _spaced(
            *(_learn(0, 0, 1, 2), _learn(1, 1, 2, 3), _learn(2, 2, 3, 4)),
            *(_ask(0, 4), _ask(2), _cue(1), _ask(1, 3)),
            spacing=10,
        ),
        {3: ({0, 2}, {0, 4}), 4: ({0, 1, 2}, {2}), 5: ({1}, {1, 2, 3}), 6: ({0, 1, 2}, {1, 3})},
    ),
    Case(
        "A13",
        A13,
        {
            3: ({4}, {7, 8, 9}),
            4: ({3}, {6, 7, 8}),
            7: ({3}, {0, 1, 5, 6, 7}),
            8: ({2}, {0, 1, 8, 9}),
        },
        {5: {8}, 6: {5, 6, 7}},
    ),
    Case("A14", _spaced(_learn(0, 0, 1), _cue(2), _ask(7)), {1: ({2}, set()), 2: (set(), {7})}),
    Case(
        "A15", _spaced(_learn(0, 0, 1), _learn(1, 2, 3), _ask(3), _cue(1)), {2: ({1}, {3}), 3: ({1}, {2, 3})}
    ),
    Case(
        "A16",
        _spaced(*A7, *[_cue(0)] * 10, *[_ask(0)] * 10, *EVERYTHING),
        {25 + c: ({c}, {c}) for c in range(5)} | {30 + e: ({e} if e < 5 else set(), {e}) for e in range(10)},
    ),
    Case("A17", _a17()),
    Case(
        "D1: the second identical query of two elements makes a false association",
        _spaced(_learn(0, 1), _learn(1, 2), _ask(1, 2), _ask(1, 2), _ask(1)),
        {2: ({0, 1}, {1, 2}), 4: ({0, 1}, {1})},
        faultless=False,
    ),
    Case(
        "D2: two forgotten elements together recall their old cue",
        _spaced(_learn(3, 4, 5, 6), _learn(3, 1, 3, 8), _ask(5), _ask(5, 6)),
        {2: (set(), {5}), 3: ({3}, {5, 6})},
        faultless=False,
    ),
    Case(
        "D3: at 7 ms the first of two cues that share an element is lost",
        from_operations([*experiments.state_map().operations[:16], recall_content(112, 4)], 16, 6),
        {16: ({6, 10, 14}, {4})},
        faultless=False,
    ),
]

D4 = [
    ("learn", 0, 2, {4, 5}),
    ("learn", 40, 2, set()),
    ("recall", 80, 2, set()),
    ("recall", 120, None, {4}),
]
"""Learning a cue with empty content erases cue -> content, but not content -> cue.  The product refuses to learn nothing,
so the spikes are given directly: (kind, time, cue, content)."""

A19_LEARNED = _spaced(_learn(0, 0, 1), _cue(0), _ask(0), _ask(1), _cue(0))
A19_FORGOTTEN = _spaced(
    _learn(0, 0, 1), _cue(0), _ask(0), _ask(1), _cue(0), _learn(0, 2, 3), _cue(0), _ask(2), _ask(3)
)


def a18(seed: int) -> Experiment:
    """One of forty random sequences of sixty operations with re-learning, 20 ms apart."""
    return experiments.random(seed, cues=5 + seed % 4, contents=10, operations=60, spacing=20, density=0.4)
