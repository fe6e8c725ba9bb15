"""The report of a run of the memory: answers, spikes under the operations, learned weights, what the chip did to the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.cam.model import POPULATION_NAMES
from neurodeploy.report.page import (
    Band,
    Image,
    Page,
    Raster,
    Section,
    Shade,
    Table,
    Words,
    changes_and_warnings,
    cost_section,
    mapped_section,
    numbers_sections,
)

if TYPE_CHECKING:
    from neurodeploy.cam.application import Outcome
    from neurodeploy.cam.decoding import Judged
    from neurodeploy.costs import Costs

MOST_ANSWERS = 500
"""Longer experiments show their wrong answers alone, the first of them."""

LEARN_MS, RECALL_MS = 7.8, 6.8
"""From an operation's first input spike to its last answer."""


def page(outcome: Outcome, metrics: dict[str, Any], run: dict[str, Any], costs: Costs, folder: Path) -> Page:
    """The page of a run whose pictures are in `folder`."""
    overall = metrics["answers"]["overall"]
    sections = [
        Section("Answers", [_kinds(metrics), *_answers(outcome)]),
        Section("Spikes", [_raster(outcome)]),
        Section(
            "Learned weights",
            [Image(folder / "weights.png", "Learned weights of both directions, cue by content element, nA")],
        ),
    ]
    sections += numbers_sections(outcome.report)
    sections.append(changes_and_warnings(metrics["changes"], metrics["warnings"]))
    sections += [Section("What it took", [_cost(metrics)]), cost_section(costs)]
    return Page(
        title=f"Content-addressable memory, {metrics['experiment']}",
        verdict=f"{overall['correct']} of {overall['total']} answers right",
        good=overall["correct"] == overall["total"],
        lead=f"Executed by: {metrics['executed_by']} ({metrics['backend']}, {metrics['rules']} rules,"
        f" {metrics['circuit']} circuit). {metrics['cues']} cues, {metrics['contents']} content elements,"
        f" {metrics['neurons']:,} neurons, {metrics['synapses']:,} synapses, {metrics['model_time_ms']} ms of model time,"
        f" {metrics['spikes']['all']:,} spikes.",
        sections=sections,
        run=run,
        metrics=metrics,
    )


def mapped_page(outcome: Outcome, run: dict[str, Any], costs: Costs) -> Page:
    """The page of a model that was mapped and not run."""
    facts = outcome.report.facts
    return Page(
        title=f"Content-addressable memory, {outcome.experiment.name}",
        verdict="mapped, not run",
        good=None,
        lead=f"Executed by: {outcome.report.executed_by}. {outcome.network.neuron_count:,} neurons,"
        f" {outcome.network.synapse_count:,} synapses.",
        sections=[
            mapped_section(facts),
            changes_and_warnings(outcome.report.changes),
            cost_section(costs),
        ],
        run=run,
    )


def _kinds(metrics: dict[str, Any]) -> Table:
    return Table(
        ("kind of operation", "right", "of"),
        [(kind, f"{n['correct']:,}", f"{n['total']:,}") for kind, n in metrics["answers"].items()],
        numbers=frozenset({"right", "of"}),
    )


def _answers(outcome: Outcome) -> list[Table | Words]:
    judged, words = outcome.judged, list[Table | Words]()
    if len(judged) > MOST_ANSWERS:
        wrong = [one for one in judged if not one.correct]
        judged = wrong[:MOST_ANSWERS]
        words.append(Words([f"{len(judged):,} of {len(wrong):,} wrong answers:"]))
    rows = [
        (
            str(one.operation.time_ms),
            one.operation.words,
            one.expected.words,
            _said(one),
            "right" if one.correct else "wrong",
        )
        for one in judged
    ]
    columns = ("ms", "operation", "expected", "answer", "verdict")
    return [*words, Table(columns, rows, numbers=frozenset({"ms"}), verdict="verdict")] if rows else [*words]


def _said(judged: Judged) -> str:
    same = not judged.correct and judged.answer.words == judged.expected.words
    return judged.answer.words + (", but with spikes at wrong times" if same else "")


def _raster(outcome: Outcome) -> Raster:
    sizes = {population.label: population.size for population in outcome.network.populations}
    spikes = outcome.recording.spikes
    names = [name for name in POPULATION_NAMES if name in sizes]
    return Raster(
        "Every spike of every population. Shaded: an operation, from its first input spike to its last answer"
        " (blue: learn, yellow: recall, red: answered wrongly).",
        [Band(name, sizes[name], {"spikes": spikes[name]}) for name in names if name in spikes],
        outcome.experiment.duration_ms,
        {"spikes": "spikes"},
        [
            Shade(
                one.operation.time_ms - 0.4,
                one.operation.time_ms + (LEARN_MS if one.operation.kind == "learn" else RECALL_MS) - 0.4,
                one.operation.kind if one.correct else "wrong",
                f"{one.operation.time_ms} ms: {one.operation.words} → {_said(one)}",
            )
            for one in outcome.judged
        ],
    )


def _cost(metrics: dict[str, Any]) -> Table:
    wall = [(f"wall clock: {part}", f"{seconds:.2f} s") for part, seconds in metrics["wall_seconds"].items()]
    machine = [
        (name, f"{metrics[key]:,.4g}{unit}")
        for name, key, unit in (
            ("memory of the engine", "engine_memory_mb", " MB"),
            ("cores", "cores", ""),
            ("chips", "chips", ""),
        )
        if metrics[key] is not None
    ]
    return Table(("what", "amount"), [*wall, *machine], numbers=frozenset({"amount"}))
