"""``neurodeploy run lsm --backend``: the formed liquid, frozen, on a target; images as the same input spikes on every one.

The liquid forms, and the read-out learns, as in every other run.  Only then is the target asked for: nothing that takes long
comes after it, and can lose what it answered.  Test images are shown there, its spikes are counted, and the read-out decides
here.  On a chip's tools every count is compared with the engine's in the chip's numbers.  ``decisions.csv`` has every image,
``counts.npz`` every count; ``metrics.json``, ``run.json`` and the page as for every run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.errors import RequestError
from neurodeploy.lsm import data as datasets
from neurodeploy.lsm import measures, memory, phases, readout, sharing
from neurodeploy.lsm.application import (
    ALWAYS_FROZEN,
    Request,
    changes,
    choose,
    choose_design,
    choose_drives,
    choose_snapshots,
    input_count,
    write_decisions,
)
from neurodeploy.lsm.data import CLASSES, EVENT_DATASETS, NORMALISATIONS, Dataset, Images
from neurodeploy.lsm.drive import Drive
from neurodeploy.lsm.model import SAMPLE_MS, TIME_STEP_MS, VARIANTS, Design, build
from neurodeploy.lsm.network import LIQUID, SMALLEST, Frozen, freeze
from neurodeploy.lsm.presentation import PAUSE_MS, PERIOD_MS, Shown, show
from neurodeploy.models.network import Network
from neurodeploy.options import RunOptions
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import Band, Raster, Section, leave_run, numbers_sections

RULES = {"brian2": "spinnaker-fixed"}
"""Where the user names none; elsewhere ``spinnaker``, if the machine has no rules of its own."""

ENGINE_RULES = {"spinnaker": "spinnaker-fixed", "loihi": "loihi2"}
"""Rules of the engine that a backend's counts are compared with; Loihi 1 has the same step as Loihi 2."""

IMAGES_ON_TOOLS = 20
"""Test images on sPyNNaker or Lava, where nobody says how many: a second or more each."""

COUNTED_ON = ("float", "target")
"""Whose counts the read-out learns from."""


@dataclass
class TargetResult:
    """What the command line shows of a run on a target."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        table = Table("counted by", "right", box=box.SIMPLE, pad_edge=False)
        for name, accuracy in m["accuracies"].items():
            table.add_row(escape(name), f"{100 * accuracy:.2f} % of {m['test_samples']:,}")
        wall = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in m["wall_seconds"].items())
        return [
            table,
            f"{m['variant']}, {m['neurons']:,} neurons, {m['synapses']:,} synapses, {m['snapshots']:,} snapshots; test images of"
            f" {m['dataset']}; {m['readout']} read-out, learned from counts of the {m['readout_learned_from']}, validation"
            f" {100 * m['validation_accuracy']:.2f} %",
            f"{m['spikes']:,} spikes of the liquid; in floating point {m['spikes_in_model']:,}; after the images"
            f" {m['spikes_afterwards']:,}",
            *(
                []
                if m["counts_differing"] is None
                else [
                    f"[green]all {m['counts_compared']:,} spike counts equal the engine's in the chip's numbers[/]"
                    if not m["counts_differing"]
                    else f"[bold red]{m['counts_differing']:,} of {m['counts_compared']:,} spike counts are not those of the"
                    " engine in the chip's numbers[/]"
                ]
            ),
            f"executed by: [bold]{m['executed_by']}[/] ({m['backend']}, {m['rules']} rules); {wall}",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


@dataclass
class Prepared:
    """Everything before a target: the formed liquid and its images.

    Attributes
    ----------
    design : Design
    network : Network
        Formed, in the model's own terms.
    liquid : Frozen
    dataset : Dataset
    drives : dict of str to Drive
        By part.
    snapshots : int
    formed : str or None
        Digest of what the liquid formed by.
    """

    design: Design
    network: Network
    liquid: Frozen
    dataset: Dataset
    drives: dict[str, Drive]
    snapshots: int
    formed: str | None


def prepare(request: Request, progress: Callable[[str, int, int], None] | None = None) -> Prepared:
    """The formed liquid that `request` asks for; forms it, or takes it from the cache folder."""
    choose("normalisation", request.normalisation, NORMALISATIONS)
    choose("variant", request.variant, VARIANTS)
    snapshots = choose_snapshots(request)
    whole = datasets.load(request.dataset, request.data, progress, request.sensor)
    drives = choose_drives(request, whole)
    dataset = whole.first(request.samples, request.test_samples)
    design = choose_design(request, input_count(dataset))
    memory.refuse(design, dataset, readout.recipe(request.readout))
    network, formed = build(design), None
    if snapshots:
        learned = len(dataset.training.labels) - dataset.validation
        found = phases.form(
            network, dataset.training.images[:learned], drives["training"], snapshots, progress
        )
        network, formed = phases.with_weights(network, found.weights), found.key
    return Prepared(design, network, freeze(network), dataset, drives, snapshots, formed)


def run_on_target(
    options: RunOptions,
    request: Request,
    learn_from: str = "float",
    progress: Callable[[str, int, int], None] | None = None,
) -> TargetResult:
    """Run the frozen liquid as the command line asks, and write the run directory.

    Raises
    ------
    RequestError
        Options that do not go together, names that are not there, a liquid that the target does not hold.
    RunError
        The target failed; the liquid does not fall silent.
    """
    began = time.perf_counter()
    keep_matplotlib_files()
    refuse(options, request, learn_from)
    if request.test_samples is None and options.backend != "brian2":
        request = replace(request, test_samples=IMAGES_ON_TOOLS)
    chosen = readout.recipe(request.readout)
    sharing.check()
    wanted = request.out or default_folder(f"lsm-{request.dataset}-{options.backend}")
    with run_directory(wanted) as folder:
        given = options.of_backend(RULES.get(options.backend, "spinnaker"), folder, progress)
        _refuse_early(options, given)
        wall: dict[str, float] = {}
        ready = prepare(request, progress)
        dataset, test = ready.dataset, ready.dataset.test
        wall["liquid"] = time.perf_counter() - began

        started = time.perf_counter()
        training = _training_counts(ready, given, options, request, learn_from, progress)
        wall["training counts"] = time.perf_counter() - started
        started = time.perf_counter()
        x = readout.features(training)
        trained = readout.train(x, dataset.training.labels, dataset.validation, chosen, progress, resume=True)
        wall["read-out"] = time.perf_counter() - started

        started = time.perf_counter()
        rules = ENGINE_RULES.get(options.backend)
        engine = None
        if rules is not None:
            same = replace(
                given, rules=rules, hardware=None, host=None, faults=None, engine="cpp", folder=None
            )
            engine = show(
                ready.network, ready.liquid, test, ready.drives["test"], "test", same, "brian2", progress
            )
            wall["engine"] = time.perf_counter() - started

        started = time.perf_counter()
        shown = show(
            ready.network, ready.liquid, test, ready.drives["test"], "test", given, options.backend, progress
        )
        wall["images"] = time.perf_counter() - started
        said = {
            f"the target, {shown.report.executed_by}": trained.classes(
                readout.features(shown.counts, x.largest)
            ),
            "the model in floating point": trained.classes(readout.features(shown.in_model, x.largest)),
        }

        data, facts = _describe(
            options, request, ready, shown, engine, said, trained, learn_from, given.rules
        )
        data["wall_seconds"] = {**wall, "all": time.perf_counter() - began}
        on_target = next(iter(said.values()))
        _draw(folder, ready, test, on_target, shown)
        columns = dict(zip(("taken_for", "taken_for_in_floating_point"), said.values(), strict=True))
        write_decisions(folder / "decisions.csv", test.labels, **columns)
        np.savez_compressed(folder / "counts.npz", target=shown.counts, model=shown.in_model)
        title = f"Frozen liquid of {ready.design.neurons:,} neurons on {options.backend}"
        right = f"{100 * data['accuracy']:.2f} % of {len(test.labels):,} images right"
        found = [*_raster(ready.liquid, shown), *numbers_sections(shown.report)]
        leave_run(folder, title, right, data, shown.costs, found, **facts)
    return TargetResult(data, wanted)


def changes_of(ready: Prepared) -> list[str]:
    """What is another than in the model, on every target."""
    liquid = ready.liquid
    return [
        f"{liquid.left_out:,} of {liquid.left_out + liquid.synapses:,} synapses are smaller than {SMALLEST:.3g} nA and left"
        " out",
        "neurons rest while they are refractory (the model's integrate), and spikes of one source add up (the model: the last"
        " one counts alone)",
        *changes(ready.dataset, ready.drives["test"]),
    ]


def refuse(options: RunOptions, request: Request, learn_from: str) -> None:
    """Raise for what has no meaning on a target.

    Raises
    ------
    RequestError
        With the option.
    """
    choose("counts to learn from", learn_from, COUNTED_ON)
    reasons = {
        "--features plastic": (
            request.features == "plastic" and request.variant not in ALWAYS_FROZEN,
            "on a target the weights are frozen",
        ),
        "--tune-start-weight": (
            request.tune_start_weight,
            "run it without a target, and give the weight that it finds as --start-weight",
        ),
        f"--liquids {request.liquids}": (request.liquids > 1, "one liquid goes on a target"),
        "--scheduler": (request.scheduler is not None, "a target runs on this machine, or has its own"),
        f"--kernel-quality {request.kernel_quality}": (
            request.kernel_quality > 0,
            "it is measured in floating point",
        ),
        "--learn-from target": (
            learn_from == "target" and options.backend != "brian2",
            "all training images would be shown on the chip's tools; the engine has the same numbers",
        ),
    }
    for option, (given, why) in reasons.items():
        if given:
            fix = "use --backend brian2 for that" if option.startswith("--learn") else "leave it out"
            raise RequestError(
                f"{option} has no meaning beside --backend {options.backend}", why=why, fix=fix
            )


def _refuse_early(options: RunOptions, given: Options) -> None:
    """Raise what is wrong with the target before a liquid forms for minutes."""
    rules_by_name(given.rules)
    target = registry.load(options.backend)
    target.refuse_machine(hardware=given.hardware, host=given.host, faults=given.faults)
    target.require(given)


def refuse_without_backend(machine: dict[str, str | None], learn_from: str) -> None:
    """Raise for options of a target where there is none.

    Raises
    ------
    RequestError
        With the first of them.
    """
    given = [f"{name} {value}".strip() for name, value in machine.items() if value is not None]
    given += [f"--learn-from {learn_from}"] if learn_from != "float" else []
    if given:
        raise RequestError(
            f"{given[0]} has no meaning without --backend",
            why="the model's own rules, 'nalsm', run on this machine",
            fix="add --backend brian2, spinnaker or loihi, or leave it out",
        )


def _training_counts(
    ready: Prepared,
    given: Options,
    options: RunOptions,
    request: Request,
    learn_from: str,
    progress: Callable[[str, int, int], None] | None,
) -> np.ndarray:
    """Spike counts of all training images, (n, neurons): in floating point, or on the target."""
    images, drive = ready.dataset.training, ready.drives["training"]
    if learn_from == "target":
        return show(
            ready.network, ready.liquid, images, drive, "training", given, options.backend, progress
        ).counts
    samples: dict[str, tuple[Images, Drive]] = {"training": (images, drive)}
    return phases.features(ready.network, False, samples, request.process_count, None, progress).counts[
        "training"
    ]


def _describe(
    options: RunOptions,
    request: Request,
    ready: Prepared,
    shown: Shown,
    engine: Shown | None,
    said: dict[str, np.ndarray],
    trained: readout.Trained | readout.KernelTrained,
    learn_from: str,
    rules: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``metrics.json`` says, and ``run.json`` beside the command."""
    liquid, labels, report = ready.liquid, ready.dataset.test.labels, shown.report
    accuracies = {name: float(np.mean(classes == labels)) for name, classes in said.items()}
    on_target, in_model = said.values()
    apart = shown.counts.astype(np.int64) - shown.in_model
    data: dict[str, Any] = {
        "model": "lsm",
        "variant": ready.design.variant,
        "dataset": ready.dataset.name,
        "executed_by": report.executed_by,
        "backend": options.backend,
        "rules": rules,
        "neurons": ready.design.neurons,
        "inputs": ready.design.inputs,
        "synapses": liquid.synapses,
        "synapses_left_out": liquid.left_out,
        "snapshots": ready.snapshots,
        "features": "frozen",
        "normalisation": None if ready.dataset.name in EVENT_DATASETS else request.normalisation,
        "readout": request.readout,
        "readout_learned_from": "model in floating point" if learn_from == "float" else "target",
        "validation_accuracy": trained.validation,
        "training_samples": len(ready.dataset.training.labels) - ready.dataset.validation,
        "test_samples": len(labels),
        "sample_ms": SAMPLE_MS,
        "pause_ms": PAUSE_MS,
        "accuracy": next(iter(accuracies.values())),
        "accuracies": accuracies,
        "decided_alike": int(np.count_nonzero(on_target == in_model)),
        "spikes": int(shown.counts.sum()),
        "spikes_in_model": int(shown.in_model.sum()),
        "spikes_afterwards": shown.afterwards,
        "counts_apart_from_model": {
            "mean": float(apart.mean()),
            "mean_magnitude": float(np.abs(apart).mean()),
        },
        "counts_compared": None if engine is None else int(shown.counts.size),
        "counts_differing": None if engine is None else int(np.count_nonzero(shown.counts != engine.counts)),
        "silent_samples": int(np.count_nonzero(~shown.counts.any(axis=1))),
        "resumed": shown.resumed,
        "cores": report.facts.get("cores"),
        "seed": request.seed,
        "changes": [
            *changes_of(ready),
            *report.changes,
        ],
    }
    facts = {
        "executed_by": report.executed_by,
        "backend": options.backend,
        "rules": rules,
        "seed": request.seed,
        "images_sha256": ready.dataset.checksums,
        "liquid": ready.formed,
        "network_sha256": report.facts["network"],
        "hardware": report.facts.get("hardware"),
        "spynnaker": report.facts.get("spynnaker"),
        "lava": report.facts.get("lava"),
    }
    return data, facts


def _raster(liquid: Frozen, shown: Shown) -> list[Section]:
    """Every spike of the first image, unless an earlier command had shown it."""
    if not shown.first:
        return []
    steps, neurons = shown.first[LIQUID]
    excites = neurons < liquid.excitatory
    spikes = {
        ("input", liquid.inputs): shown.first["input"],
        ("excitatory", liquid.excitatory): (steps[excites], neurons[excites]),
        ("inhibitory", liquid.neurons - liquid.excitatory): (
            steps[~excites],
            neurons[~excites] - liquid.excitatory,
        ),
    }
    bands = [
        Band(label, size, {"spikes": (at * TIME_STEP_MS, of)}) for (label, size), (at, of) in spikes.items()
    ]
    words = f"Every spike of the first image: {SAMPLE_MS} ms of input, and the pause after it."
    return [Section("Spikes", [Raster(words, bands, PERIOD_MS * TIME_STEP_MS, {"spikes": "spikes"})])]


def _draw(folder: Path, ready: Prepared, test: Images, said: np.ndarray, shown: Shown) -> None:
    """The weights, the errors, and how often neurons spike on the target and in the model."""
    from neurodeploy.lsm import pictures

    pictures.weights(measures.by_source([ready.network]), ready.design.magnitude, folder / "weights.png")
    pictures.confusion(test.labels, said, CLASSES, folder / "confusion.png")
    pictures.two_counts(
        shown.in_model, shown.counts, f"executed by: {shown.report.executed_by}", folder / "counts.png"
    )
