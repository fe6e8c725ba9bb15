"""Why two sides part: one difference between them switched at a time, on the engine of this machine.

Where the tick rules differ, each of :data:`~neurodeploy.chips.catalogue.ASPECTS` is given the other side's way alone, the
rest kept.  Where the executor differs, the same Network is executed once more by the first one's rules in floating
point, so that what the rules do and what a chip's numbers do are told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from neurodeploy.chips import spinnaker_core
from neurodeploy.chips.catalogue import ASPECTS, mixture, rules_by_name
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.chips.spinnaker_fixed import SPINNAKER_FIXED
from neurodeploy.comparison.answers import Answers, apart
from neurodeploy.comparison.divergence import Aligned, Divergence, Spikes, align
from neurodeploy.comparison.models import ModelDifference
from neurodeploy.comparison.traces import Side, Traces, execute, straight
from neurodeploy.errors import NeurodeployError, UnsupportedError
from neurodeploy.findings import LOST, VANISHED

Progress = Callable[[str, int, int], None]

Reads = Callable[[Traces], Answers]
"""What a side says in the model's own terms."""

ENGINE = "brian2"
"""The backend that rules are switched on."""

CLASSES = {
    "spike-time": "time step",
    "membrane": "time step",
    "refractory": "time step",
    "tie": "tie order",
    "amplitude": "learning",
    "learning-delay": "learning",
}
"""Class of a divergence, by the aspect of the tick rules that makes it."""

MODEL_CLASSES = {"delay": "delay", "plasticity": "learning"}
"""Class of a divergence, by what differs in two models; anything else is ``model``."""


@dataclass(frozen=True)
class Switched:
    """What one difference does alone.

    Attributes
    ----------
    name, title : str
        The difference, and what it decides.
    cause : str
        Its class.
    divergence : Divergence or None
        The first spike that it moves, in the first side's time; None where it moves none.
    differing : int
        Spikes without a partner.
    answers : dict or None
        What becomes of the model's answers, as :func:`~neurodeploy.comparison.answers.apart` has it, constant shifts taken
        away; None where the model has none.
    """

    name: str
    title: str
    cause: str
    divergence: Divergence | None
    differing: int
    answers: dict[str, Any] | None = None


@dataclass
class Cause:
    """Why two sides part.

    Attributes
    ----------
    cause : str
        ``time step``, ``tie order``, ``learning``, ``rounding``, ``clipping``, ``delay``, ``overload``, ``model`` or ``unknown``.
    words : str
        How it was found.
    switched : list of Switched
        Every difference of the rules alone.
    """

    cause: str
    words: str
    switched: list[Switched]


def find(
    first: Traces,
    second: Traces,
    aligned: Aligned,
    models: list[ModelDifference],
    progress: Progress | None = None,
    answers: Reads | None = None,
) -> Cause | None:
    """The cause of the first divergence of `aligned`; None where the two sides are equal.

    `answers` reads what the model says in its own terms.
    """
    if aligned.first_divergence is None:
        return None
    if models:
        cause = MODEL_CLASSES.get(models[0].kind, "model")
        return Cause(cause, f"the two models differ: {models[0].words}", [])
    rules = [rules_by_name(traces.side.options.rules) for traces in (first, second)]
    switched = []
    if not any(one.chip or one.whole_numbers for one in rules) and rules[0] != rules[1]:
        switched = switch(first, second, progress, answers)
        alone = [
            one for one in switched if one.divergence and _same(one.divergence, aligned.first_divergence)
        ]
        if alone:
            return Cause(alone[0].cause, f"{alone[0].title} makes it alone", switched)
    for traces in (first, second):
        lost = [change for change in traces.report.changes if change.startswith(LOST)]
        if lost:
            return Cause("overload", lost[0], switched)
    if switched:
        return Cause("unknown", "no difference of the rules makes it alone; they act together", switched)
    return numbers(first, second)


def switch(
    first: Traces, second: Traces, progress: Progress | None = None, answers: Reads | None = None
) -> list[Switched]:
    """Run the model of the first side under its own rules with one aspect of the second's, for each that differs."""
    names = [traces.side.options.rules for traces in (first, second)]
    mine, theirs = (rules_by_name(name) for name in names)
    aspects = {name: aspect for name, aspect in ASPECTS.items() if aspect.differs(mine, theirs)}
    learns = any(projection.plasticity for projection in first.network.projections)
    aspects = {name: aspect for name, aspect in aspects.items() if learns or not aspect.learning}
    base = first if first.side.backend == ENGINE else _on_engine(first, names[0])
    found = []
    for done, (name, aspect) in enumerate(aspects.items()):
        if progress:
            progress("causes", done, len(aspects))
        other = _on_engine(first, mixture(names[0], name, names[1]))
        compared = align(base.spikes, other.spikes, may_shift=name == "spike-time")
        said = answered(answers, base, other, compared) if answers else None
        found.append(
            Switched(name, aspect.title, CLASSES[name], compared.first_divergence, compared.differing, said)
        )
    return found


def answered(answers: Reads, base: Traces, other: Traces, compared: Aligned) -> dict[str, Any] | None:
    """What becomes of the answers of `base` on the side `other`; None where that one's spikes are none that answer."""
    moved = replace(other, spikes=compared.in_time_of_first(other.spikes))
    try:
        return apart(answers(base), answers(moved))
    except NeurodeployError:
        return None


def numbers(first: Traces, second: Traces) -> Cause:
    """The cause where the rules say the same and the executors' numbers do not."""
    for traces in (first, second):
        told = [change for change in traces.report.changes if change.startswith(VANISHED)]
        if told:
            return Cause("clipping", told[0], [])
    if {traces.report.executed_by for traces in (first, second)} == {"float"}:
        return Cause("unknown", "both in floating point, under the same rules", [])
    if _apart_in_numbers_alone(first, second):
        words = "the same rules on the same engine, on one side alone in the chip's whole numbers"
        return Cause("rounding", words, [])
    for traces in (first, second):
        model = whole_numbers(traces)
        if model is None:
            continue
        left = align(traces.spikes, model, may_shift=False).differing
        if not left:
            words = f"the chip's whole numbers, computed apart, give all spikes of {traces.side.name}"
            return Cause("rounding", words, [])
        return Cause("unknown", f"the chip's whole numbers, computed apart, miss {left:,} spikes", [])
    return Cause("unknown", "no model of these whole numbers covers this network", [])


def _apart_in_numbers_alone(first: Traces, second: Traces) -> bool:
    sides = (first.side, second.side)
    rules = {side.options.rules for side in sides}
    return rules == {SPINNAKER.name, SPINNAKER_FIXED.name} and {side.backend for side in sides} == {ENGINE}


def whole_numbers(traces: Traces) -> Spikes | None:
    """Spikes of the same Network in our own account of the chip's whole numbers; None where there is none."""
    rules = traces.side.options.rules
    try:
        if rules_by_name(rules).chip and traces.side.backend != ENGINE:
            return _on_engine(traces, rules).spikes
        if traces.report.executed_by in ("emulated", "silicon"):
            if traces.protocol is not straight:
                return _on_engine(traces, SPINNAKER_FIXED.name).spikes
            outcome = spinnaker_core.simulate(traces.network, traces.steps)
            labels = [population.label for population in traces.network.populations]
            return {labels[position]: spikes for position, spikes in outcome.spikes.items()}
    except UnsupportedError:
        return None
    return None


def _on_engine(traces: Traces, rules: str) -> Traces:
    side = Side(ENGINE, replace(traces.side.options, rules=rules, hardware=None, host=None, faults=None))
    return execute(side, traces.network, traces.steps, protocol=traces.protocol)


def _same(one: Divergence, other: Divergence) -> bool:
    return (one.step, one.population, one.neuron) == (other.step, other.population, other.neuron)
