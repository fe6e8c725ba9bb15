"""The answer that matters: what a model says in its own terms on each side, question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAMED = 3
"""Answers that one rule moves, in a table or on the screen; all of them are in ``comparison.json``."""


@dataclass(frozen=True)
class Answer:
    """What one side says to one question.

    Attributes
    ----------
    question, given, expected : str
        In the model's own words.
    right : bool
        As the model judges it: more than the words may count, as the times of the memory's spikes do.
    """

    question: str
    given: str
    expected: str
    right: bool


@dataclass(frozen=True)
class Answers:
    """What one side says to all questions.

    Attributes
    ----------
    text : str
        How many are right, in words.
    each : sequence of Answer
    counts : ndarray of int64, shape (questions, ...), or None
        The spikes that were counted to answer, where a model answers by counts.
    numbers : dict
        What else ``comparison.json`` has of them.
    """

    text: str
    each: Sequence[Answer]
    counts: np.ndarray | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def apart(one: Answers, other: Answers) -> dict[str, Any] | None:
    """How many answers and counts of two sides differ, as ``comparison.json`` has it; None where their questions do.

    Returns
    -------
    dict or None
        ``asked``, ``differing``, ``each`` that differs, and ``counts_differing`` of ``counts``, which are None where the
        model answers otherwise.
    """
    asked = [answer.question for answer in one.each]
    if asked != [answer.question for answer in other.each]:
        return None
    each = [
        {"question": mine.question, "given": [mine.given, theirs.given], "expected": mine.expected}
        for mine, theirs in zip(one.each, other.each, strict=True)
        if (mine.given, mine.right) != (theirs.given, theirs.right)
    ]
    found = {"asked": len(asked), "differing": len(each), "each": each}
    if one.counts is None or other.counts is None:
        return found | {"counts": None, "counts_differing": None}
    return found | {
        "counts": one.counts.size,
        "counts_differing": int(np.count_nonzero(one.counts != other.counts)),
    }


def apart_words(found: dict[str, Any]) -> str:
    """The same in a sentence."""
    if found["differing"]:
        first = found["each"][0]
        words = (
            f"answers: {found['differing']} of {found['asked']} differ, first {first['question']}:"
            f" {first['given'][0]} and {first['given'][1]}; right is {first['expected']}"
        )
    else:
        words = f"answers: all {found['asked']} the same"
    if found["counts"] is None:
        return words
    if not found["counts_differing"]:
        return f"{words}; all {found['counts']:,} counts equal"
    return f"{words}; {found['counts_differing']:,} of {found['counts']:,} counts differ"


def moved_words(found: dict[str, Any]) -> list[str]:
    """What becomes of the answers of the first of two sides on the second, a line each."""
    words = [f"{one['question']}: {' becomes '.join(one['given'])}" for one in found["each"][:NAMED]]
    more = found["differing"] - NAMED
    return [*words, f"and {more:,} more"] if more > 0 else words
