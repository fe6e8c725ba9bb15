"""``neurodeploy compare``: from options to a folder that says whether two targets agree, and if not, where and why.

``comparison.json`` has everything, ``spikes-<side>.csv`` every spike, ``rasters.png`` the populations that part, and
``report.html`` all of it on one page.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.comparison.answers import Answers, apart, apart_words, moved_words
from neurodeploy.comparison.causes import Progress
from neurodeploy.comparison.divergence import Divergence
from neurodeploy.comparison.page import page, voltage_words, weight_words
from neurodeploy.comparison.pairs import Pair, compare_sides
from neurodeploy.comparison.pictures import rasters
from neurodeploy.comparison.subjects import Subject, subject
from neurodeploy.comparison.traces import Side, Traces, execute, refuse_early
from neurodeploy.errors import RequestError
from neurodeploy.recording import command_line, default_folder, provenance, run_directory, write_json

ROWS_SHOWN = 12
"""Populations that the table shows, those that part first."""


def compare(
    model: str,
    against: str | None,
    backends: str,
    rules: str | None,
    hardware: str | None,
    differing: float,
    allow_losses: bool,
    out: Path | None,
    arguments: list[str],
    progress: Progress | None = None,
    seed: int = 0,
    **given: Any,
) -> Result:
    """Compare as the command line asks, and write the folder; what else is `given` are options of the model.

    Raises
    ------
    RequestError
        The sides cannot be told apart, or there are fewer than two of them.
    """
    keep_matplotlib_files()
    wanted = out or default_folder(f"compare-{Path(model).stem}")
    with run_directory(wanted) as folder:
        chosen = [subject(one, arguments, seed=seed, **given) for one in (model, against) if one is not None]
        sides = choose_sides(chosen, backends, rules, hardware, allow_losses)
        sides = [
            (one, replace(side, options=replace(side.options, progress=progress))) for one, side in sides
        ]
        described = [one.describe(side) for one, side in sides]
        for (_, side), (network, _) in zip(sides, described, strict=True):
            refuse_early(side, network)
        traces = []
        for number, ((one, side), (network, steps)) in enumerate(zip(sides, described, strict=True)):
            if progress:
                progress("sides", number, len(sides))
            beside = folder / f"side-{number}-{side.backend}"
            traces.append(execute(side, network, steps, folder=beside, protocol=one.protocol))
        reads = {trace.side.name: one.answers for (one, _), trace in zip(sides, traces, strict=True)}
        pairs = [
            compare_sides(one, other, progress, reads[one.side.name])
            for one, other in itertools.combinations(traces, 2)
        ]
        answers = {trace.side.name: read(trace) for trace in traces if (read := reads[trace.side.name])}
        name = " and ".join(one.name for one in chosen)
        changes = [text for one in chosen for text in one.changes()]
        data = facts(name, traces, pairs, answers, differing, changes)
        for number, trace in enumerate(traces):
            _write_spikes(folder / f"spikes-{number}-{trace.side.backend}.csv", trace)
        for number, pair in enumerate(pairs):
            if pair.aligned.first_divergence:
                rasters(pair, folder / f"rasters-{number}.png")
        write_json(folder / "comparison.json", data)
        run = provenance(command_line(), seed=seed, sides=data["sides"])
        write_json(folder / "run.json", run)
        page(data, pairs, run).write(folder)
    return Result(data, wanted)


def choose_sides(
    subjects: list[Subject],
    backends: str,
    rules: str | None,
    hardware: str | None,
    allow_losses: bool,
) -> list[tuple[Subject, Side]]:
    """A side for each of the backends and models; rules and machines are one for all, or one for each backend."""
    names = _words(backends)
    each = {}
    for option, given_words in (("--rules", rules), ("--hardware", hardware)):
        words = _words(given_words or "-")
        if len(words) not in (1, len(names)):
            raise RequestError(
                f"{option} {given_words} names {len(words)} and --backends {backends} {len(names)}",
                fix="name one for all, or one for each backend, with commas between; '-' is the backend's own",
            )
        each[option] = [None if word == "-" else word for word in words * (len(names) // len(words))]
    sides = list[tuple[Subject, Side]]()
    for name, rule, machine in zip(names, each["--rules"], each["--hardware"], strict=True):
        backend = registry.load(name)
        machine = machine if backend.has_hardware or len(_words(hardware or "")) > 1 else None
        backend.refuse_machine(hardware=machine)
        given = Options(hardware=machine, allow_losses=allow_losses)
        for one in subjects:
            chosen = replace(
                given, rules=rule or backend.only_rules or backend.default_rules(given) or one.rules
            )
            rules_by_name(chosen.rules)
            sides.append((one, Side(name, chosen, one.name if len(subjects) > 1 else "")))
    if len(sides) < 2:
        raise RequestError(
            f"--backends {backends}: a comparison takes two sides or more",
            fix="name two, with a comma between: --backends brian2,spinnaker; one twice, with other rules; or --against a model",
        )
    if len({side.name for _, side in sides}) < len(sides):
        raise RequestError(
            f"--backends {backends}: two sides are the same, {sides[0][1].name}",
            fix="give them different rules: --rules spinnaker,ideal",
        )
    return sides


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _write_spikes(path: Path, traces: Traces) -> None:
    step = traces.network.time_step
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("time_ms", "population", "neuron"))
        for label, (steps, neurons) in traces.spikes.items():
            writer.writerows(
                (f"{time * step:.10g}", label, neuron)
                for time, neuron in zip(steps.tolist(), neurons.tolist(), strict=True)
            )


def facts(
    name: str,
    traces: list[Traces],
    pairs: list[Pair],
    answers: dict[str, Answers],
    differing: float,
    changes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that was found, as ``comparison.json`` has it; `changes` are those of every side."""
    step = traces[0].network.time_step
    return {
        "model": name,
        "steps": traces[0].steps,
        "time_step_ms": step,
        "sides": [
            {
                "name": one.side.name,
                "backend": one.side.backend,
                "rules": one.side.options.rules,
                "executed_by": one.report.executed_by,
                "network_sha256": one.network.digest(),
                "spikes": sum(len(times) for times, _ in one.spikes.values()),
                "changes": one.report.changes,
                "answers": _answer_facts(answers.get(one.side.name)),
            }
            for one in traces
        ],
        "changes": list(changes),
        "pairs": [_pair_facts(pair, differing, answers) for pair in pairs],
        "allowed_differing": differing,
        "agree": all(pair.share <= differing for pair in pairs),
    }


def _answer_facts(answers: Answers | None) -> dict[str, Any] | None:
    if answers is None:
        return None
    return {"text": answers.text, **answers.numbers, "each": [asdict(one) for one in answers.each]}


def _pair_facts(pair: Pair, differing: float, answers: dict[str, Answers]) -> dict[str, Any]:
    step = pair.first.network.time_step
    said = [answers[one.side.name] for one in (pair.first, pair.second) if one.side.name in answers]

    def where(one: Divergence | None) -> dict[str, Any] | None:
        if one is None:
            return None
        return {
            "population": one.population,
            "neuron": one.neuron,
            "step": one.step,
            "time_ms": one.step * step,
            "fires_on": (pair.first if one.on_first else pair.second).side.name,
        }

    return {
        "sides": [pair.first.side.name, pair.second.side.name],
        "executed_by": [pair.first.report.executed_by, pair.second.report.executed_by],
        "spikes": pair.aligned.spikes,
        "differing": pair.aligned.differing,
        "agree": pair.share <= differing,
        "answers": apart(*said) if len(said) == 2 else None,
        "first_divergence": where(pair.aligned.first_divergence),
        "voltages_mv": pair.voltages,
        "cause": pair.cause.cause if pair.cause else None,
        "why": pair.cause.words if pair.cause else None,
        "switched": [
            {
                "rule": one.name,
                "decides": one.title,
                "class": one.cause,
                "first_divergence": where(one.divergence),
                "differing": one.differing,
                "answers": one.answers,
            }
            for one in (pair.cause.switched if pair.cause else [])
        ],
        "model_differences": [asdict(one) for one in pair.models],
        "largest_weight_difference": pair.weight_difference,
        "weights_of_different_moments": pair.weights_of_different_moments,
        "populations": [
            asdict(compared) | {"differing": compared.differing} | asdict(apart)
            for compared, apart in zip(pair.aligned.populations, pair.distances, strict=True)
        ],
    }


@dataclass
class Result:
    """What the command line shows of a comparison."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich.markup import escape

        lines: list[Any] = [
            f"{escape(self.data['model'])}: {self.data['steps']:,} steps of {self.data['time_step_ms']:g} ms"
        ]
        for side in self.data["sides"]:
            answers = f"; {side['answers']['text']}" if side["answers"] else ""
            lines.append(
                f"  {escape(side['name'])}: {side['spikes']:,} spikes, executed by: [bold]{side['executed_by']}[/]"
                f"{escape(answers)}"
            )
        lines += [f"[yellow]changed for every side:[/] {escape(change)}" for change in self.data["changes"]]
        for pair in self.data["pairs"]:
            lines += ["", *_render_pair(pair)]
        return [*lines, "", f"results in {escape(str(self.folder))}"]


def _render_pair(pair: dict[str, Any]) -> list[Any]:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    name = escape(" and ".join(pair["sides"]))
    shifted = sorted({one["shift"] for one in pair["populations"]} - {0})
    shift = f", after constant shifts of up to {max(shifted, key=abs)} steps" if shifted else ""
    if not pair["spikes"]:
        lines: list[Any] = [f"[yellow]equal, and silent[/]: {name}: no neuron fires on either side"]
    elif not pair["differing"]:
        lines = [f"[bold green]equal[/]: {name}: 0 of {pair['spikes']:,} spikes differ{shift}"]
    else:
        verdict = "[yellow]within tolerance[/]" if pair["agree"] else "[bold red]part[/]"
        where = pair["first_divergence"]
        lines = [
            f"{verdict}: {name}: {pair['differing']:,} of {pair['spikes']:,} spikes have no partner{shift}",
            f"first divergence: '{escape(where['population'])}', neuron {where['neuron']}, at {where['time_ms']:g} ms"
            f" (step {where['step']}): fires on {escape(where['fires_on'])} alone{voltage_words(pair)}",
            f"class: [bold]{pair['cause']}[/]: {escape(pair['why'])}",
        ]
    if pair["answers"]:
        lines.append(escape(apart_words(pair["answers"])))
    apart = pair["model_differences"]
    if apart:
        first = escape(apart[0]["words"])
        lines.append(f"the two models differ in {len(apart)} thing{'s' * (len(apart) > 1)}, first: {first}")
    for one in pair["switched"]:
        found = one["first_divergence"]
        told = (
            f"{one['differing']:,} spikes differ, first '{found['population']}' {found['neuron']} at {found['time_ms']:g} ms"
            if found
            else "changes nothing"
        )
        said = one["answers"]
        if said and said["differing"]:
            told += f"; {said['differing']} of {said['asked']} answers:"
        lines.append(f"  {one['rule']} alone ({one['class']}: {escape(one['decides'])}): {escape(told)}")
        lines += [f"    {escape(words)}" for words in moved_words(said)] if said else []
    if pair["largest_weight_difference"] is not None:
        lines.append(weight_words(pair))
    parted = [one for one in pair["populations"] if one["differing"]]
    if parted:
        columns = (
            "population",
            "spikes",
            "shift",
            "differ",
            "Hz",
            "coincide",
            "van Rossum",
            "Victor-P.",
        )
        table = Table(*columns, box=box.SIMPLE, pad_edge=False, collapse_padding=True)
        for one in sorted(parted, key=lambda one: -one["differing"])[:ROWS_SHOWN]:
            table.add_row(
                escape(one["label"]),
                f"{one['first']:,} {one['second']:,}",
                str(one["shift"]),
                f"{one['differing']:,}",
                f"{one['rates'][0]:.3g} {one['rates'][1]:.3g}",
                f"{one['coincidence']:.3f}",
                f"{one['van_rossum']:.3g}",
                f"{one['victor_purpura']:.3g}",
            )
        lines.append(table)
        if len(parted) > ROWS_SHOWN:
            lines.append(f"and {len(parted) - ROWS_SHOWN} more populations: comparison.json")
    return lines
