"""What the memory answered: output spikes read as answers, judged against the ideal memory.

Spikes are a dict from the name of a population to (times in ms, neuron numbers), two arrays of one length.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.model import POPULATION_NAMES
from neurodeploy.cam.operations import (
    ANSWER_DELAY_MS,
    KINDS,
    TEMPLATES,
    Answer,
    Operation,
    OutputSpikes,
    Store,
)
from neurodeploy.errors import RequestError, did_you_mean

Spikes = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Population name to (times in ms, neuron numbers)."""


@dataclass(frozen=True)
class Judged:
    """One operation with what the memory should have said and what it said.

    Attributes
    ----------
    operation : Operation
    expected : Answer
        The ideal memory's answer.
    given : OutputSpikes
        Every output spike of the answer window, as (ms after t0, neuron).
    """

    operation: Operation
    expected: Answer
    given: OutputSpikes

    @property
    def correct(self) -> bool:
        """Whether every expected spike came in its ms, and no other."""
        return self.given == self.expected.spikes

    @property
    def answer(self) -> Answer:
        """The spikes read as an answer: what was spoken at the times of `TEMPLATES`, early and late spikes aside."""
        template = TEMPLATES[self.expected.kind]
        contents = _at(self.given.content, template.content)
        return Answer(
            kind=self.expected.kind,
            cues=_at(self.given.cue, template.cue),
            contents=contents,
            ghosts=_at(self.given.content, template.ghosts) - contents,
        )

    @property
    def ghosts(self) -> frozenset[int]:
        """The content elements flashed because they were forgotten."""
        return self.answer.ghosts

    @property
    def missing(self) -> OutputSpikes:
        """Expected spikes that did not come."""
        expected = self.expected.spikes
        return OutputSpikes(expected.cue - self.given.cue, expected.content - self.given.content)

    @property
    def unexpected(self) -> OutputSpikes:
        """Spikes that came and were not expected."""
        expected = self.expected.spikes
        return OutputSpikes(self.given.cue - expected.cue, self.given.content - expected.content)


def decode(experiment: Experiment, spikes: Spikes) -> list[Judged]:
    """Judge every operation by the output spikes of its window [t0 + 5 ms, next t0 + 5 ms).

    The windows leave no gap: the first one also takes whatever came before it, and the last one whatever
    came after it, so that every stray spike makes an answer wrong.

    Parameters
    ----------
    experiment : Experiment
    spikes : dict of str to (ndarray, ndarray)
        Times in ms and neuron numbers, of ``OUT_cue`` and ``OUT_content`` at least.

    Returns
    -------
    list of Judged
        One for each operation, in its order.
    """
    store = Store()
    windows = [operation.time_ms + ANSWER_DELAY_MS for operation in experiment.operations]
    given = {name: _by_window(experiment, windows, spikes, name) for name in ("OUT_cue", "OUT_content")}
    return [
        Judged(operation, store.apply(operation), OutputSpikes(frozenset(cue), frozenset(content)))
        for operation, cue, content in zip(
            experiment.operations, given["OUT_cue"], given["OUT_content"], strict=True
        )
    ]


def summary(judged: Iterable[Judged]) -> dict[str, dict[str, int]]:
    """How many answers are correct, for each kind of operation that occurs and ``overall``.

    Returns
    -------
    dict
        Such as ``{"learn": {"correct": 3, "total": 3}, ..., "overall": {"correct": 9, "total": 9}}``.
    """
    counts = {kind: {"correct": 0, "total": 0} for kind in (*KINDS, "overall")}
    for one in judged:
        for kind in (one.expected.kind, "overall"):
            counts[kind]["correct"] += one.correct
            counts[kind]["total"] += 1
    return {kind: count for kind, count in counts.items() if count["total"] or kind == "overall"}


def spike_rows(spikes: Spikes) -> list[tuple[int, str, int]]:
    """(time_ms, population, neuron) of every spike, in the order of the published rasters.

    That order is by time, then by population as in `POPULATION_NAMES`, then by neuron.
    """
    rank = {name: number for number, name in enumerate(POPULATION_NAMES)}
    for name in spikes:
        if name not in rank:
            raise RequestError(
                f"The memory has no population '{name}'.{did_you_mean(name, rank)}",
                fix=f"use the names {', '.join(rank)}",
            )
    rows = [
        (int(time), name, int(neuron))
        for name, (times, neurons) in spikes.items()
        for time, neuron in zip(np.rint(times).astype(np.int64), neurons, strict=True)
    ]
    return sorted(rows, key=lambda row: (row[0], rank[row[1]], row[2]))


def write_spikes_csv(path: str | PathLike[str], rows: Iterable[tuple[int, str, int]]) -> None:
    """Write rows of (time_ms, population, neuron) in the format of the published rasters."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("time_ms", "population", "neuron"), *rows])


def _at(spikes: frozenset[tuple[int, int]], times: tuple[int, ...]) -> frozenset[int]:
    return frozenset(neuron for dt, neuron in spikes if dt in times)


def _by_window(
    experiment: Experiment, windows: Sequence[int], spikes: Spikes, name: str
) -> list[set[tuple[int, int]]]:
    """The spikes of one output population, by operation, as (ms after t0, neuron)."""
    if name not in spikes:
        raise RequestError(
            f"There are no spikes of population '{name}'.",
            why="answers are read from OUT_cue and OUT_content",
            fix="record both, and pass an empty pair of arrays for one that stayed silent",
        )
    times, neurons = spikes[name]
    found: list[set[tuple[int, int]]] = [set() for _ in windows]
    for time, neuron in zip(
        np.rint(times).astype(np.int64).tolist(), np.asarray(neurons).tolist(), strict=True
    ):
        window = max(bisect_right(windows, time) - 1, 0)
        if windows:
            found[window].add((time - experiment.operations[window].time_ms, int(neuron)))
    return found
