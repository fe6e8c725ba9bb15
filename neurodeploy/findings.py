"""What a target says of a model before it runs: what is wrong, what changes, and how much of the machine is taken.

Every rule is written once, where the model is lowered, and raises.  Each object is met inside ``with judge.each(object)``: the
judge of a run lets the first error through; that of a check keeps it, and the lowering goes on with the next object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from neurodeploy.costs import Activity, Costs, Rates, counted, expected
from neurodeploy.errors import NeurodeployError
from neurodeploy.models.network import Network, Population, Projection

VANISHED = "vanished: "
"""Begins a change by which something is 0, or cut, on the chip."""

LOST = "lost or late: "
"""Begins a change that a machine's own counters tell of."""

ERROR, UNCHECKED, CHANGE = "error", "unchecked", "change"
"""It can't run so; a rule itself failed; it runs, and something is not exactly as the user wrote it."""

MODEL, POPULATION, PROJECTION = "model", "population", "projection"

Object = Population | Projection | None
"""What a finding is about; None is the model as a whole."""


NAMED = 3
"""Losses beside the first that a run names."""


@dataclass(frozen=True)
class Finding:
    """One thing said of a model.

    Attributes
    ----------
    level : str
        ``"error"``, ``"unchecked"`` or ``"change"``.
    kind, label : str
        Whose: ``"model"``, ``"population"`` or ``"projection"``, and the user's label.
    what, why, fix : str
        As in :class:`~neurodeploy.errors.NeurodeployError`.
    """

    level: str
    kind: str
    label: str
    what: str
    why: str = ""
    fix: str = ""

    @property
    def is_error(self) -> bool:
        return self.level != CHANGE


@dataclass(frozen=True)
class Amount:
    """How much of something is taken, and how much there is.

    Attributes
    ----------
    kind, label : str
        Whose, as in :class:`Finding`.
    quantity, unit : str
    used : float
    limit : float or None
        None where nobody has published one, or the machine says it only when it is there.
    """

    kind: str
    label: str
    quantity: str
    used: float
    limit: float | None
    unit: str = ""

    @property
    def headroom(self) -> float | None:
        """What is left; negative where more is taken than there is."""
        return None if self.limit is None else self.limit - self.used

    @property
    def data(self) -> dict[str, Any]:
        return {**asdict(self), "headroom": self.headroom}


@dataclass
class Sheet:
    """A table of an examination: what a target makes of each object, by column."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass
class Examination:
    """All that a backend says of a Network before it runs.

    Attributes
    ----------
    findings : list of Finding
    amounts : list of Amount
    sheets : dict of str to Sheet
        What the target makes of weights, populations and so on, by name.
    costs : Costs
        What a run takes, modelled; empty where the model does not fit.
    """

    findings: list[Finding] = field(default_factory=list)
    amounts: list[Amount] = field(default_factory=list)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def count(self, network: Network, steps: int, rates: Rates, judge: Keeps) -> Activity | None:
        """Say what a run takes anywhere; gives the activity that this rests on, or None where something is wrong."""
        if judge.findings:
            return None
        with judge.each():
            activity = expected(network, steps, rates)
            self.costs = counted(network, steps, activity)
            return activity
        return None


class Judge:
    """Lets every error through: the judge of a run."""

    @contextmanager
    def each(self, *objects: Object) -> Iterator[None]:
        """A rule on the first of `objects`, with what it needs of the others."""
        yield

    def all(self, errors: Sequence[NeurodeployError]) -> None:
        """Losses that were found together: the first is raised, with the next ones named."""
        if errors:
            first, others = errors[0], [error.what for error in errors[1:]]
            named = [f"  also lost: {what}" for what in others[:NAMED]]
            if len(others) > NAMED:
                named.append(f"  and {len(others) - NAMED} more")
            raise type(first)("\n".join([first.what, *named]), why=first.why, fix=first.fix)

    def faulty(self, *objects: Object) -> bool:
        """Whether something wrong was found about one of `objects`."""
        return False

    def sound(self, network: Network) -> Network:
        """`network` with what is faulty left out, its positions as they are."""
        return network


RAISES = Judge()


class Keeps(Judge):
    """Keeps every error and goes on: the judge of a check.  It never raises, but for an interruption.

    What goes wrong unexpectedly is a finding as well, unless an object that the rule needs (for a rule on the whole model, any
    object) is already known to be wrong: then it is a consequence, and not told.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.findings: list[Finding] = []
        self._faulty: set[int] = set()

    @contextmanager
    def each(self, *objects: Object) -> Iterator[None]:
        subject = objects[0] if objects else None
        try:
            yield
        except NeurodeployError as error:
            self.add(subject or owner(self.network, error.what), error)
        except Exception as error:
            known = bool(self.findings) if subject is None else self.faulty(None, *objects)
            if not known:
                self._keep(subject, UNCHECKED, f"could not be checked: {type(error).__name__}: {error}")

    def add(self, subject: Object, error: NeurodeployError) -> None:
        """Keep `error`, which is about `subject`; what was said before is not said again."""
        self._keep(subject, ERROR, error.what, error.why, error.fix)

    def _keep(self, subject: Object, level: str, what: str, why: str = "", fix: str = "") -> None:
        self._faulty.add(id(subject))
        kind, label = named(subject)
        found = Finding(level, kind, label, what, why, fix)
        if found not in self.findings:
            self.findings.append(found)

    def all(self, errors: Sequence[NeurodeployError]) -> None:
        for error in errors:
            self.add(owner(self.network, error.what), error)

    def faulty(self, *objects: Object) -> bool:
        return any(id(each) in self._faulty for each in objects)

    def sound(self, network: Network) -> Network:
        populations = [
            Population(p.label, "SpikeSourceArray", p.size) if self.faulty(p) else p
            for p in network.populations
        ]
        nothing = np.empty(0)
        projections = [
            replace(p, pre_index=nothing, post_index=nothing, weight=nothing, delay=nothing)
            if self.faulty(p, network.populations[p.post])
            else p
            for p in network.projections
        ]
        left = replace(network, populations=populations, projections=projections)
        left.injections = [
            i for i in network.injections if not self.faulty(network.populations[i.population])
        ]
        left.recorded = [r for r in network.recorded if not self.faulty(network.populations[r.population])]
        return left


def named(subject: Object) -> tuple[str, str]:
    """Kind and label of `subject`."""
    if subject is None:
        return MODEL, ""
    return (POPULATION if isinstance(subject, Population) else PROJECTION), subject.label


def owner(network: Network, sentence: str) -> Object:
    """The object that `sentence` opens with, as everything that is said of one does."""
    everything: list[tuple[str, Object]] = [(f"Population '{p.label}'", p) for p in network.populations]
    everything += [(f"Projection '{p.label}'", p) for p in network.projections]
    about = [(start, each) for start, each in everything if sentence.removeprefix(VANISHED).startswith(start)]
    return max(about, key=lambda entry: len(entry[0]))[1] if about else None


def changed(network: Network, sentences: list[str]) -> list[Finding]:
    """What a lowering has changed, one sentence each, as findings."""
    return [Finding(CHANGE, *named(owner(network, sentence)), sentence) for sentence in sentences]
