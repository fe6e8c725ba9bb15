"""``neurodeploy run cam``: from options to a run directory.

The memory is built by the PyNN front end, run by the backend, judged against the ideal store, and written down:
``spikes.csv``, ``operations.csv``, ``metrics.json``, ``run.json``, ``raster.png``, ``weights.png``, and all of it on one
page, ``report.html``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.backends.base import Backend, Options, Report
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.cam import experiments
from neurodeploy.cam.decoding import Judged, decode, spike_rows, summary, write_spikes_csv
from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.loihi import circuit_for
from neurodeploy.cam.model import PLASTIC_LABELS, Circuit, build
from neurodeploy.cam.operations import (
    read_operations,
    spacing_warnings,
    spike_times,
    write_operations,
)
from neurodeploy.costs import Costs, rates_of_spikes
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network
from neurodeploy.options import RunOptions
from neurodeploy.recording import (
    Recording,
    command_line,
    default_folder,
    provenance,
    run_directory,
    write_json,
)

RULES = "spinnaker"
"""The authors' own: the model's timing is made for SpiNNaker's tick; with continuous time it cannot forget."""

TIME_STEP = 1.0
"""ms; every delay of the model is a multiple of it."""

DEFAULT_CUES, DEFAULT_CONTENTS = 5, 10
"""Size of the published functional and stress tests, for operations that come without one."""


@dataclass
class Outcome:
    """One run of the memory: what it was asked, what it said, and what it cost.

    Attributes
    ----------
    experiment : Experiment
    judged : list of Judged
    recording : Recording
    report : Report
    network : Network
    circuit : Circuit
    """

    experiment: Experiment
    judged: list[Judged]
    recording: Recording
    report: Report
    network: Network
    circuit: Circuit

    def weights(self, direction: str) -> np.ndarray:
        """Learned weights, nA: ``"forward"`` is (cues, contents), ``"backward"`` (contents, cues)."""
        label = PLASTIC_LABELS[direction]
        projection = next(p for p in self.network.projections if p.label == label)
        shape = (
            self.network.populations[projection.pre].size,
            self.network.populations[projection.post].size,
        )
        matrix = np.zeros(shape)
        matrix[projection.pre_index, projection.post_index] = self.recording.weights[label]
        return matrix


def describe(
    experiment: Experiment, target: Backend, rules: str = RULES, seed: int = 0, **build_options: Any
) -> Network:
    """The memory and what it is asked as a Network for `target`.

    `build_options` go to :func:`build`; the circuit is that made for the `rules`, unless they name one.
    """
    from neurodeploy.models import pynn as sim

    sim.setup(timestep=TIME_STEP, min_delay=TIME_STEP, backend=target, rules=rules, seed=seed)
    cue_spikes, content_spikes = spike_times(experiment.operations, experiment.cues, experiment.contents)
    build_options = {"circuit": circuit_for(rules), **build_options}
    build(sim, experiment.cues, experiment.contents, cue_spikes, content_spikes, **build_options)
    return sim.capture()


def simulate(
    experiment: Experiment, options: Options, backend: str = "brian2", seed: int = 0, **build_options: Any
) -> Outcome:
    """Run `experiment` on `backend`, with the circuit made for its rules, and judge every answer.

    `build_options` go to :func:`build`.
    """
    from neurodeploy.backends import registry

    target = registry.load(backend)
    target.refuse_machine(hardware=options.hardware, host=options.host, faults=options.faults)
    started = time.perf_counter()
    circuit = build_options.setdefault("circuit", circuit_for(options.rules))
    network = describe(experiment, target, options.rules, seed, **build_options)
    described = time.perf_counter() - started
    session = target.open(network, options)
    try:
        session.run(round(experiment.duration_ms / TIME_STEP))
        recording = Recording(
            executed_by=session.report.executed_by,
            time_step=TIME_STEP,
            duration=experiment.duration_ms,
            spikes={p.label: session.spikes(position) for position, p in enumerate(network.populations)},
            weights={
                p.label: session.weights(position)
                for position, p in enumerate(network.projections)
                if p.plasticity is not None
            },
        )
    finally:
        session.end()
    session.report.wall["build"] += described
    judged = decode(experiment, recording.ticks())
    return Outcome(experiment, judged, recording, session.report, network, circuit)


def choose_experiment(
    name: str,
    operations: Path | None,
    cues: int | None,
    contents: int | None,
    spacing: int | None,
    count: int | None,
    seed: int,
) -> Experiment:
    """The experiment that the user's options describe; options that it has no use for are refused."""
    given = {"--cues": cues, "--contents": contents, "--spacing": spacing, "--count": count}
    if operations is not None:
        _refuse(given, ("--spacing", "--count"), "--operations", "the file says what happens when")
        size = (DEFAULT_CUES if cues is None else cues, DEFAULT_CONTENTS if contents is None else contents)
        return experiments.from_operations(read_operations(operations, *size), *size, name=operations.name)
    if name == "random":
        chosen: dict[str, Any] = {"cues": cues, "contents": contents, "spacing": spacing, "operations": count}
        return experiments.random(seed, **{key: value for key, value in chosen.items() if value is not None})
    experiment = experiments.experiment(name)
    _refuse(
        given, tuple(given), f"--experiment {name}", "it is a published experiment of fixed size and timing"
    )
    return experiment


def _refuse(given: dict[str, int | None], names: tuple[str, ...], beside: str, why: str) -> None:
    for name in names:
        if given[name] is not None:
            raise RequestError(
                f"{name} {given[name]} has no meaning beside {beside}",
                why=why,
                fix=f"leave {name} out, or use --experiment random",
            )


@dataclass
class Result:
    """What the command line shows of a run."""

    data: dict[str, Any]
    outcome: Outcome
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE, pad_edge=False)
        for column in ("ms", "operation", "expected", "answer", ""):
            table.add_column(column, justify="right" if column == "ms" else "left")
        wrong = [judged for judged in self.outcome.judged if not judged.correct]
        shown = self.outcome.judged if len(self.outcome.judged) <= ROWS_SHOWN else wrong[:ROWS_SHOWN]
        for judged in shown:
            words = (judged.operation.words, judged.expected.words, judged.answer.words)
            verdict = "[green]right[/]" if judged.correct else "[bold red]wrong[/]"
            table.add_row(str(judged.operation.time_ms), *(escape(word) for word in words), verdict)
        m = self.data
        overall = m["answers"]["overall"]
        kinds = ", ".join(
            f"{kind} {n['correct']}/{n['total']}" for kind, n in m["answers"].items() if kind != "overall"
        )
        wall = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in m["wall_seconds"].items())
        lines: list[Any] = [table] if shown else []
        lines += [
            f"[bold]{overall['correct']} of {overall['total']} answers right[/] ({kinds})",
            f"{escape(self.outcome.experiment.name)}: {m['neurons']} neurons, {m['synapses']} synapses, "
            f"{m['model_time_ms']} ms of model time, {m['spikes']['all']} spikes; {wall}",
            f"executed by: [bold]{m['executed_by']}[/] ({m['backend']}, {m['rules']} rules, {m['circuit']} circuit)",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            *(f"[yellow]note:[/] {escape(warning)}" for warning in m["warnings"]),
            f"results in {escape(str(self.folder))}",
        ]
        return lines


@dataclass
class MappedOnly:
    """What the command line shows of a model that was mapped onto a virtual machine, and not run."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("population", "chip", "core", "SDRAM, bytes", "keys", box=box.SIMPLE, pad_edge=False)
        for vertex in self.data["vertices"]:
            x, y = vertex["chip"]
            keys = " ".join(f"{key}/{mask}" for key, mask in vertex["keys"])
            name = escape(str(vertex["population"] or vertex["vertex"]))
            table.add_row(name, f"{x},{y}", str(vertex["core"]), f"{vertex['sdram_bytes']:,}", keys)
        return [
            table,
            f"[bold]fits: {self.data['cores']} cores on {self.data['chips']} chips[/],"
            f" {self.data['sdram_bytes']:,} bytes of SDRAM; nothing was run",
            *(f"[yellow]changed:[/] {escape(change)}" for change in self.data["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


def mapping(outcome: Outcome, backend: str) -> dict[str, Any]:
    """Where the model went, as ``mapping.json`` has it."""
    facts = outcome.report.facts
    return {
        "model": "cam",
        "experiment": outcome.experiment.name,
        "executed_by": outcome.report.executed_by,
        "backend": backend,
        "cores": facts["cores"],
        "chips": facts["chips"],
        "sdram_bytes": sum(vertex["sdram_bytes"] for vertex in facts["mapping"]),
        "vertices": facts["mapping"],
        "changes": outcome.report.changes,
    }


ROWS_SHOWN = 60
"""Longer experiments show their wrong answers alone."""


def run_cam(
    options: RunOptions,
    experiment: str = "functional",
    operations: Path | None = None,
    cues: int | None = None,
    contents: int | None = None,
    spacing: int | None = None,
    count: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Result | MappedOnly:
    """Run the memory as the command line asks, and write the run directory."""
    from neurodeploy.cam.page import mapped_page, page

    started = time.perf_counter()
    keep_matplotlib_files()
    chosen = choose_experiment(experiment, operations, cues, contents, spacing, count, options.seed)
    wanted = options.out or default_folder(f"cam-{chosen.name.split(' ')[0]}-{options.backend}")
    with run_directory(wanted) as folder:
        given = options.of_backend(RULES, folder, progress)
        outcome = simulate(
            chosen,
            given,
            options.backend,
            options.seed,
        )
        if outcome.report.facts.get("mapped_only"):
            mapped = mapping(outcome, options.backend)
            run = _run_facts(outcome, options)
            write_json(folder / "mapping.json", mapped)
            write_json(folder / "run.json", run)
            costs = registry.load(options.backend).costs(
                outcome.network, given, round(chosen.duration_ms / TIME_STEP)
            )
            mapped_page(outcome, run, costs).write(folder)
            return MappedOnly(mapped, wanted)
        write_spikes_csv(folder / "spikes.csv", spike_rows(outcome.recording.ticks()))
        write_operations(folder / "operations.csv", chosen.operations)
        draw(outcome, folder)
        data = metrics(outcome, options.backend)
        data["wall_seconds"]["all"] = time.perf_counter() - started
        costs = modelled(outcome, given, options.backend)
        data["costs"] = costs.data
        run = _run_facts(outcome, options)
        write_json(folder / "metrics.json", data)
        write_json(folder / "run.json", run)
        page(outcome, data, run, costs, folder).write(folder)
    return Result(data, outcome, wanted)


def modelled(outcome: Outcome, options: Options, backend: str) -> Costs:
    """What the run takes of its target's silicon, with the spikes that it had."""
    duration = outcome.experiment.duration_ms
    rates = rates_of_spikes(outcome.recording.spikes, outcome.network, duration)
    steps = round(duration / TIME_STEP)
    return registry.load(backend).costs(outcome.network, options, steps, rates)


def metrics(outcome: Outcome, backend: str) -> dict[str, Any]:
    """Everything countable of a run, as ``metrics.json`` has it."""
    spikes = {label: len(times) for label, (times, _) in outcome.recording.spikes.items()}
    internal = [n for label, n in spikes.items() if not label.startswith(("IN_", "OUT_"))]
    facts = outcome.report.facts
    return {
        "model": "cam",
        "experiment": outcome.experiment.name,
        "executed_by": outcome.recording.executed_by,
        "backend": backend,
        "rules": facts["rules"],
        "circuit": outcome.circuit.name,
        "engine": facts["engine"],
        "cues": outcome.experiment.cues,
        "contents": outcome.experiment.contents,
        "answers": summary(outcome.judged),
        "spikes": {"all": sum(spikes.values()), "internal": sum(internal), **spikes},
        "neurons": outcome.network.neuron_count,
        "synapses": outcome.network.synapse_count,
        "model_time_ms": outcome.experiment.duration_ms,
        "wall_seconds": {part: outcome.report.wall[part] for part in ("build", "compile", "run")},
        "engine_memory_mb": facts.get("engine_memory_mb"),
        "compiled": facts["compiled"],
        "cores": facts.get("cores"),
        "chips": facts.get("chips"),
        "changes": outcome.report.changes,
        "warnings": spacing_warnings(outcome.experiment.operations, outcome.circuit),
    }


def _run_facts(outcome: Outcome, options: RunOptions) -> dict[str, Any]:
    facts = outcome.report.facts
    return provenance(
        command_line(),
        executed_by=outcome.recording.executed_by,
        backend=options.backend,
        rules=facts["rules"],
        engine=facts["engine"],
        seed=options.seed,
        time_step_ms=outcome.recording.time_step,
        network_sha256=facts["network"],
        structure_sha256=facts.get("structure"),
        hardware=facts.get("hardware"),
        spynnaker=facts.get("spynnaker"),
        lava=facts.get("lava"),
    )


def draw(outcome: Outcome, folder: Path) -> None:
    """The raster with operations and answers, and the learned weights."""
    from neurodeploy.cam import pictures

    stamp = f"executed by: {outcome.recording.executed_by} ({outcome.report.facts['rules']} rules)"
    spikes = outcome.recording.ticks()
    pictures.raster(outcome.experiment, outcome.judged, spikes, stamp, folder / "raster.png")
    sizes = (outcome.experiment.cues, outcome.experiment.contents)
    pictures.weights(
        sizes, outcome.weights("forward"), outcome.weights("backward"), stamp, folder / "weights.png"
    )
