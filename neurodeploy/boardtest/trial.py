"""What a test of a board is made of: trials that are run on it, what came back, and a judgement on that.

A test is data (:class:`BoardTest`): a name, what it proves, the trials, and a function that judges what came back.  It
does not know what the board is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.backends.spinnaker.provenance import Finding
from neurodeploy.chips.spinnaker_core import Outcome as Numbers
from neurodeploy.models.network import Network

PASS, FAIL, REFUSED, KNEE, NOT_RUN = "pass", "fail", "refused", "knee", "not run"
"""Verdicts.  `refused`: the tools or the chip's memory do not take it, and say so.  `knee`: the board took load until there,
which is a finding and not a fault.  `not run`: the board had ended before."""


@dataclass(frozen=True)
class Trial:
    """A Network that is loaded once and runs one or several times.

    Attributes
    ----------
    name : str
    network : Network
    runs : tuple of int
        Steps of each consecutive run.
    neurons_per_core : int or None
        Replaces the hardware's.
    weights : bool
        Whether weights are read back.
    limit : int
        Seconds of wall clock that loading, a run or a reading may take, where the hardware does not allow less.
    """

    name: str
    network: Network
    runs: tuple[int, ...]
    neurons_per_core: int | None = None
    weights: bool = False
    limit: int = 300

    @property
    def steps(self) -> int:
        return sum(self.runs)


@dataclass
class Measured:
    """What a trial brought back.

    Attributes
    ----------
    trial : Trial
    numbers : neurodeploy.chips.spinnaker_core.Outcome
        Spikes, samples and weights of what was recorded, as the model of a core has them.
    losses : list of Finding
        Everything late, lost or saturated.
    places : dict of str to list of (x, y, core)
        By the population's label: where it lay.
    seconds : dict of str to float
        Wall clock of ``load``, ``run`` and ``read``.
    """

    trial: Trial
    numbers: Numbers
    losses: list[Finding] = field(default_factory=list)
    places: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Refused:
    """A trial that the tools, or the chip's memory, did not take; `reason` is theirs."""

    trial: Trial
    reason: str


@dataclass
class Broken:
    """A trial that ended in an error; `reason` is its message."""

    trial: Trial
    reason: str


Result = Measured | Refused | Broken


@dataclass(frozen=True)
class Check:
    """One comparison: what was looked at, what it ought to be, what it was."""

    what: str
    expected: str
    found: str
    verdict: str


def check(what: str, expected: object, found: object, holds: bool) -> Check:
    """A :class:`Check` that passes where it `holds`."""
    return Check(what, str(expected), str(found), PASS if holds else FAIL)


@dataclass
class Judgement:
    """What a test found.

    Attributes
    ----------
    checks : list of Check
    note : str
        What a reader has to know beside the checks.
    knee : str
        Where the board stopped to keep up; empty where it did not.
    series : dict
        Numbers for the picture and for ``report.json``.
    """

    checks: list[Check]
    note: str = ""
    knee: str = ""
    series: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The gravest of the checks: one failure fails; where nothing could be looked at, it is `refused`."""
        verdicts = {one.verdict for one in self.checks}
        if FAIL in verdicts or not verdicts:
            return FAIL
        if self.knee:
            return KNEE
        return PASS if PASS in verdicts else REFUSED


@dataclass(frozen=True)
class BoardTest:
    """One test of a board.

    Attributes
    ----------
    name : str
        What the user types after ``--only``.
    suite : str
        ``"functional"`` or ``"stress"``.
    subject : str
        What it proves, in one sentence.
    trials : function
        Gives the trials, in order.
    judge : function of a list of results
        Sees :class:`Measured` and :class:`Refused`; :class:`Broken` only where the test `climbs`.
    picture : str
        Name of its picture in :mod:`neurodeploy.report.board_pictures`; empty for none.
    climbs : bool
        Whether trials are rungs: the first that lost something or broke is the last.
    """

    name: str
    suite: str
    subject: str
    trials: Callable[[], Iterable[Trial]]
    judge: Callable[[Sequence[Result]], Judgement]
    picture: str = ""
    climbs: bool = False


@dataclass
class Entry:
    """A test with what became of it.

    Attributes
    ----------
    test : BoardTest
    verdict : str
    judgement : Judgement
    trials : list of dict
        Of each trial its name, seconds, cores and chips, and what was late or lost.
    seconds : float
    """

    test: BoardTest
    verdict: str
    judgement: Judgement
    trials: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


def passed(entries: Sequence[Entry]) -> bool:
    """Whether nothing failed, everything was run, and something passed (a knee is no failure)."""
    verdicts = {entry.verdict for entry in entries}
    return not verdicts & {FAIL, NOT_RUN} and bool(verdicts & {PASS, KNEE})


def refusals(results: Iterable[Result]) -> list[Check]:
    """A check for each trial that was refused."""
    return [
        Check(result.trial.name, "", result.reason, REFUSED)
        for result in results
        if isinstance(result, Refused)
    ]


def no_losses(results: Iterable[Measured]) -> Check:
    """Nothing was late, lost or saturated."""
    findings = [str(finding) for result in results for finding in result.losses]
    return check("late, lost or saturated", "nothing", "; ".join(findings) or "nothing", not findings)
