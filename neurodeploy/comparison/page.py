"""The report of a comparison: the sides, and for each pair where it parts, why, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neurodeploy.comparison.answers import NAMED, apart_words
from neurodeploy.comparison.pictures import shared_and_lone
from neurodeploy.report.page import (
    Band,
    Page,
    Raster,
    Section,
    Table,
    Words,
    changes_and_warnings,
)

if TYPE_CHECKING:
    from neurodeploy.comparison.pairs import Pair

MOST_ANSWERS = 500
"""Rows of the table of answers; all of them are in ``comparison.json``."""


def page(data: dict[str, Any], pairs: Sequence[Pair], run: dict[str, Any]) -> Page:
    """The page of a comparison; `data` as ``comparison.json`` has it."""
    changes = [
        *(f"for every side: {change}" for change in data["changes"]),
        *(f"{side['name']}: {change}" for side in data["sides"] for change in side["changes"]),
    ]
    executed = ", ".join(f"{side['executed_by']} ({side['name']})" for side in data["sides"])
    return Page(
        title=f"{data['model']}, compared",
        verdict=_agreement(data),
        good=data["agree"],
        lead=f"Executed by: {executed}. {data['steps']:,} steps of {data['time_step_ms']:g} ms. Sides agree where at"
        f" most {100 * data['allowed_differing']:g} % of their spikes have no partner.",
        sections=[
            Section("Sides", [_sides(data)]),
            *(
                [Section("Answers", [_answers(data["sides"])])]
                if any(s["answers"] for s in data["sides"])
                else []
            ),
            *(_pair(told, pair) for told, pair in zip(data["pairs"], pairs, strict=True)),
            changes_and_warnings(changes),
        ],
        run=run,
    )


def _agreement(data: dict[str, Any]) -> str:
    if data["agree"]:
        return "the sides agree"
    parted = sum(1 for pair in data["pairs"] if not pair["agree"])
    return "the sides part" if len(data["pairs"]) == 1 else f"{parted} of {len(data['pairs'])} pairs part"


def _sides(data: dict[str, Any]) -> Table:
    rows = [
        (
            side["name"],
            side["executed_by"],
            f"{side['spikes']:,}",
            side["answers"]["text"] if side["answers"] else "–",
            side["network_sha256"][:12],
        )
        for side in data["sides"]
    ]
    columns = ("side", "executed by", "spikes", "answers", "network, SHA-256")
    return Table(columns, rows, numbers=frozenset({"spikes"}))


def _answers(sides: Sequence[dict[str, Any]]) -> Table:
    """Every question with each side's answer, those that sides answer differently first."""
    rows = []
    for answers in zip(*(side["answers"]["each"] for side in sides), strict=False):
        given = [one["given"] + ("" if one["right"] else " (wrong)") for one in answers]
        verdict = "equal" if len(set(given)) == 1 else "part"
        rows.append((answers[0]["question"], answers[0]["expected"], *given, verdict))
    rows.sort(key=lambda row: row[-1] == "equal")
    left_out = f"; {MOST_ANSWERS:,} of {len(rows):,} are shown" if len(rows) > MOST_ANSWERS else ""
    return Table(
        ("question", "right is", *(side["name"] for side in sides), "sides"),
        rows[:MOST_ANSWERS],
        verdict="sides",
        caption=f"What each side answers, those that part first{left_out}",
    )


def _pair(told: dict[str, Any], pair: Pair) -> Section:
    blocks: list[Words | Table | Raster] = [Words(_verdict(told))]
    if told["model_differences"]:
        differing = [(one["kind"], one["words"]) for one in told["model_differences"]]
        blocks.append(Table(("kind", "difference"), differing, caption="What differs in the models"))
    if told["switched"]:
        blocks += [_switched(told), *_moved(told)]
    blocks += [_populations(told), _raster(pair)]
    return Section(" and ".join(told["sides"]), blocks)


def _verdict(told: dict[str, Any]) -> list[str]:
    """Whether they agree, the first divergence and its class, in sentences."""
    shifted = sorted({one["shift"] for one in told["populations"]} - {0})
    shift = f", after constant shifts of up to {max(shifted, key=abs)} steps" if shifted else ""
    lines = [f"{told['differing']:,} of {told['spikes']:,} spikes have no partner{shift}: " + _how(told)]
    where = told["first_divergence"]
    if where:
        lines += [
            f"First divergence: '{where['population']}', neuron {where['neuron']}, at {where['time_ms']:g} ms (step"
            f" {where['step']}): fires on {where['fires_on']} alone{voltage_words(told)}.",
            f"Class: {told['cause']}: {told['why']}",
        ]
    if told["answers"]:
        words = apart_words(told["answers"])
        lines.append(f"{words[0].upper()}{words[1:]}.")
    if told["largest_weight_difference"] is not None:
        words = weight_words(told)
        lines.append(f"{words[0].upper()}{words[1:]}.")
    return lines


def _how(told: dict[str, Any]) -> str:
    if not told["spikes"]:
        return "no neuron fires on either side."
    if not told["differing"]:
        return "equal."
    return "within tolerance." if told["agree"] else "they part."


def weight_words(told: dict[str, Any]) -> str:
    """How far learned weights are apart, and whether that says anything."""
    words = f"learned weights at the end: {100 * told['largest_weight_difference']:.3g} % apart at most"
    if not told["weights_of_different_moments"]:
        return words
    return (
        f"{words}, which says little: SpiNNaker's synapses learn when a spike comes in, so those weights are as of the"
        " last one"
    )


def voltage_words(told: dict[str, Any]) -> str:
    """v of the neuron that parts first, before and after that step on either side."""
    if not told["voltages_mv"]:
        return ""
    words = [" → ".join(f"{v:.6g}" for v in side) for side in told["voltages_mv"]]
    return f"; v before and after: {words[0]} mV and {words[1]} mV"


def _switched(told: dict[str, Any]) -> Table:
    rows = []
    for one in told["switched"]:
        found, said = one["first_divergence"], one["answers"]
        where = f"'{found['population']}' {found['neuron']} at {found['time_ms']:g} ms" if found else "none"
        answers = f"{said['differing']} of {said['asked']}" if said else "–"
        rows.append((one["rule"], one["decides"], one["class"], f"{one['differing']:,}", where, answers))
    columns = ("rule", "decides", "class", "spikes that differ", "first", "answers that differ")
    return Table(
        columns,
        rows,
        frozenset({"spikes that differ", "answers that differ"}),
        caption="Each difference of the rules, switched alone",
    )


def _moved(told: dict[str, Any]) -> list[Table]:
    """The first answers that each rule moves alone."""
    rows = [
        (one["rule"], one["class"], answer["question"], *answer["given"])
        for one in told["switched"]
        if one["answers"]
        for answer in one["answers"]["each"][:NAMED]
    ]
    caption = f"Answers that a rule moves alone, the first {NAMED} of each; constant shifts are taken away"
    return [Table(("rule", "class", "question", "answer", "becomes"), rows, caption=caption)] if rows else []


def _populations(told: dict[str, Any]) -> Table:
    rows = [
        (
            one["label"],
            f"{one['first']:,}",
            f"{one['second']:,}",
            str(one["shift"]),
            f"{one['differing']:,}",
            f"{one['rates'][0]:.3g}",
            f"{one['rates'][1]:.3g}",
            f"{one['coincidence']:.3f}",
            f"{one['van_rossum']:.3g}",
            f"{one['victor_purpura']:.3g}",
        )
        for one in sorted(told["populations"], key=lambda one: -one["differing"])
    ]
    columns = (
        "population",
        "spikes, first",
        "spikes, second",
        "shift, steps",
        "differ",
        "rate, first, Hz",
        "rate, second, Hz",
        "coincidence",
        "van Rossum",
        "Victor-Purpura",
    )
    return Table(columns, rows, frozenset(columns[1:]), caption="Populations, those that differ most first")


def _raster(pair: Pair) -> Raster:
    """Every population, those that part first; in the first side's time."""
    step, parted = pair.first.network.time_step, pair.aligned.first_divergence
    ordered = sorted(pair.aligned.populations, key=lambda one: not one.differing)
    bands = [
        Band(
            one.label,
            pair.first.network.population(one.label).size,
            {name: (steps * step, neurons) for name, (steps, neurons) in shared_and_lone(pair, one).items()},
        )
        for one in ordered
    ]
    return Raster(
        "Every spike, in the time of the first side; populations that part come first."
        + (" The dashed line is the first divergence." if parted else ""),
        bands,
        pair.first.steps * step,
        {
            "both": "both",
            "first": f"{pair.first.side.name} alone",
            "second": f"{pair.second.side.name} alone",
        },
        marks={"first divergence": parted.step * step} if parted else {},
    )
