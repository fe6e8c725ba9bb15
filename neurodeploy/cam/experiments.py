"""The experiments: the published ones, random ones, and the user's own.

Set-ups are those of the authors' published test scripts and rasters (Casanueva-Morato et al. 2024, Neural
Networks 178:106474); every run is deterministic, at 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np

from neurodeploy.cam.model import check_sizes
from neurodeploy.cam.operations import BUSY_MS, Operation, check_operations
from neurodeploy.errors import RequestError, did_you_mean

TAIL_MS = 10
"""How long a run goes on after its last operation starts, ms; answers end 7 ms after it."""


@dataclass(frozen=True)
class Experiment:
    """A memory's size, what it is asked and when, and for how long it runs.

    Attributes
    ----------
    name : str
    cues, contents : int
        The number of cues m and of content elements n.
    duration_ms : int
    operations : tuple of Operation
        In order of time.
    """

    name: str
    cues: int
    contents: int
    duration_ms: int
    operations: tuple[Operation, ...] = field(repr=False)


def learn(time_ms: int, cue: int, *content: int) -> Operation:
    """Learn `content` under `cue` from `time_ms` on."""
    return Operation(time_ms, "learn", cue, frozenset(content))


def recall_cue(time_ms: int, cue: int) -> Operation:
    """Ask at `time_ms` for the content of `cue`."""
    return Operation(time_ms, "recall", cue, frozenset())


def recall_content(time_ms: int, *content: int) -> Operation:
    """Ask at `time_ms` for the cues whose content has any of `content`."""
    return Operation(time_ms, "recall", None, frozenset(content))


def from_operations(
    operations: Sequence[Operation], cues: int, contents: int, name: str = "operations"
) -> Experiment:
    """The user's own operations on a memory of m = `cues` and n = `contents`.

    It runs for 10 ms after the start of the last operation.

    Raises
    ------
    RequestError
        Where a size is below 1, or an operation cannot be asked of a memory of that size.
    """
    check_operations(operations, cues, contents)
    return Experiment(name, cues, contents, operations[-1].time_ms + TAIL_MS, tuple(operations))


def functional() -> Experiment:
    """Learn, recall both ways, forget: 9 operations, 10 ms apart, 90 ms; 5 cues, 10 content elements.

    The published functional test: four learns (the last replaces the content of cue 3), two recalls by cue,
    three by content.
    """
    operations = [
        learn(0, 0, 0, 1, 8, 9),
        learn(10, 4, 1, 5, 6),
        learn(20, 3, 4, 5, 6),
        recall_cue(30, 0),
        recall_content(40, 6),
        recall_content(50, 0, 4),
        learn(60, 3, 1, 3, 4, 8),
        recall_cue(70, 3),
        recall_content(80, 6),
    ]
    return from_operations(operations, 5, 10, "functional")


def stress() -> Experiment:
    """Three rounds of learning everything and asking everything: 60 operations, 14 ms apart, 851 ms.

    The published stress test (5 cues, 10 content elements).  In the first round cue i learns the binary code
    of i + 1, element 0 being the least significant bit; in each further round every cue learns the complement
    of what it holds.  A round is 5 learns, 5 recalls by cue, and 10 recalls by one content element.
    """
    cues, contents, spacing = 5, 10, 14
    operations: list[Operation] = []

    def now() -> int:
        return 1 + spacing * len(operations)

    items = [{bit for bit in range(contents) if (cue + 1) >> bit & 1} for cue in range(cues)]
    for _ in range(3):
        for cue, content in enumerate(items):
            operations.append(learn(now(), cue, *content))
        for cue in range(cues):
            operations.append(recall_cue(now(), cue))
        for element in range(contents):
            operations.append(recall_content(now(), element))
        items = [set(range(contents)) - content for content in items]
    return Experiment("stress", cues, contents, now() + TAIL_MS, tuple(operations))


STATES = ("unknown", "start", "goal", "free", "path", "obstacle")
"""The six states of a cell of the state map, in the order of their content elements."""

STATE_MAP = ((0, 5, 1, 3), (0, 3, 4, 5), (0, 5, 4, 3), (2, 4, 4, 3))
"""The published 4 by 4 grid: the state of every cell; cell numbers (cues) go row by row."""


def state_map() -> Experiment:
    """A 4 by 4 map of one state a cell, learned, then asked by state: 20 operations, 140 ms.

    The published application test: 16 cues (cells), 6 content elements (states).  Learns are 7 ms apart and
    recalls 6 ms, the shortest that the memory allows.  The queries are the route (start, goal and path
    together), free, obstacle and unknown cells.
    """
    states = [state for row in STATE_MAP for state in row]
    operations = [learn(BUSY_MS["learn"] * cell, cell, state) for cell, state in enumerate(states)]
    start = BUSY_MS["learn"] * len(states)
    for number, query in enumerate([("start", "goal", "path"), ("free",), ("obstacle",), ("unknown",)]):
        elements = [STATES.index(state) for state in query]
        operations.append(recall_content(start + BUSY_MS["recall"] * number, *elements))
    return from_operations(operations, len(states), len(STATES), "state-map")


def random(
    seed: int = 0,
    cues: int = 5,
    contents: int = 10,
    operations: int = 60,
    spacing: int = 20,
    density: float = 0.4,
    relearn: bool = True,
) -> Experiment:
    """Random operations: 40 % learns, 30 % recalls by cue, 30 % recalls by one content element.

    Parameters
    ----------
    seed : int
        Of NumPy's default generator; the same seed gives the same operations.
    cues, contents : int
        The number of cues m and of content elements n.
    operations : int
        How many operations.
    spacing : int
        From the start of an operation to the start of the next, ms; at least 7, safe from 16 on.
    density : float
        The probability of each element in a learned content, in (0, 1]; an empty draw gets one element.
    relearn : bool
        Whether a cue may learn again.  If not, once every cue has learned, recalls take the place of learns.
    """
    check_sizes(cues, contents)
    _check_at_least("seed", seed, 0, "it seeds a random generator")
    _check_at_least("operations", operations, 1, "an experiment needs something to do")
    _check_at_least("spacing", spacing, BUSY_MS["learn"], "a learn keeps the memory busy for that many ms")
    if not 0 < density <= 1:
        raise RequestError(
            f"The density of random contents is {density}; it has to be above 0 and at most 1.",
            why="it is the probability of each content element",
            fix="give a density such as 0.4",
        )
    generator = np.random.default_rng(seed)
    to_learn = set(range(cues))
    drawn: list[Operation] = []
    for number in range(operations):
        time_ms = number * spacing
        kind = generator.choice(["learn", "cue", "content"], p=[0.4, 0.3, 0.3])
        if kind == "learn" and not to_learn:
            kind = generator.choice(["cue", "content"])
        if kind == "learn":
            cue = int(generator.choice(sorted(to_learn)))
            content = np.flatnonzero(generator.random(contents) < density)
            if not content.size:
                content = generator.integers(contents, size=1)
            drawn.append(learn(time_ms, cue, *content.tolist()))
            if not relearn:
                to_learn.remove(cue)
        elif kind == "cue":
            drawn.append(recall_cue(time_ms, int(generator.integers(cues))))
        else:
            drawn.append(recall_content(time_ms, int(generator.integers(contents))))
    return from_operations(drawn, cues, contents, f"random (seed {seed})")


EXPERIMENTS: dict[str, Callable[[], Experiment]] = {
    "functional": functional,
    "stress": stress,
    "state-map": state_map,
    "random": random,
}
"""The experiments by name."""

DESCRIPTIONS = {
    "functional": "the published functional test: learn, recall both ways, forget (9 operations, 90 ms)",
    "stress": "the published stress test: everything learned and asked in three rounds (60 operations, 851 ms)",
    "state-map": "the published application: a 4 by 4 map asked by state (16 cues, 20 operations, 140 ms)",
    "random": "60 random operations, 20 ms apart (another seed, size or spacing on request)",
}
"""One line about each experiment."""


def experiment(name: str) -> Experiment:
    """The experiment of that name, as published or with its defaults."""
    if name not in EXPERIMENTS:
        raise RequestError(
            f"There is no experiment '{name}'.{did_you_mean(name, EXPERIMENTS)}",
            fix=f"choose one of {', '.join(EXPERIMENTS)}",
        )
    return EXPERIMENTS[name]()


RECORDINGS = files("neurodeploy.cam") / "published"
"""The authors' recordings from SpiNNaker hardware, one row a spike: ``functional.csv`` and ``stress.csv``."""


def published(name: str) -> list[tuple[int, str, int]] | None:
    """The published recording of that experiment as (time_ms, population, neuron) of every spike; None where there is none."""
    table = RECORDINGS / f"{name}.csv"
    if not table.is_file():
        return None
    rows = (line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:])
    return [(int(time_ms), population, int(neuron)) for time_ms, population, neuron in rows]


def _check_at_least(name: str, value: int, least: int, why: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise RequestError(
            f"The {name} of a random experiment is {value!r}; it has to be a whole number of at least {least}.",
            why=why,
            fix=f"give {name} as {least} or more",
        )
