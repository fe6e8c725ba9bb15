"""``neurodeploy run lsm``: from images to accuracy.

The liquid forms, every image is shown to it, a linear read-out learns from spike counts.  What is done is kept in the
cache folder, so that the same command goes on where it was stopped.  ``decisions.csv`` has every test image's class and what
it was taken for, ``metrics.json`` and ``run.json`` as for every run; pictures of how the liquid formed, its weights, one
sample, and the errors.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.brian2.trials.session import Trials
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.lsm import data as datasets
from neurodeploy.lsm import measures, memory, phases, pictures, published, readout, saccades, sharing, tuning
from neurodeploy.lsm.data import CLASSES, EVENT_DATASETS, NORMALISATIONS, Dataset, Images
from neurodeploy.lsm.drive import Drive, Pixels, Recorded, Saccades
from neurodeploy.lsm.model import (
    ASTROCYTE_WEIGHT,
    SAMPLE_MS,
    SNAPSHOT_MS,
    VARIANTS,
    Design,
    build,
    excitatory_count,
    said_size,
)
from neurodeploy.lsm.phases import Progress
from neurodeploy.lsm.recorded import NMNIST_MS
from neurodeploy.models.network import Network
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

SNAPSHOTS = {"digits": 10_000}
"""By dataset; elsewhere the authors' 50,000."""

FEATURES = ("plastic", "frozen")

ALWAYS_FROZEN = ("lsm", "lsm-ap-stdp")
"""Variants whose weights are frozen while features are made."""

SEEDS_APART = 1_000_000
"""From one liquid of a run to the next, so that runs of other seeds have other liquids."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for; None is the default that depends on the rest."""

    dataset: str = "digits"
    data: Path | None = None
    sensor: str | None = None
    variant: str = "nalsm"
    neurons: int = 1000
    liquids: int = 1
    astrocyte_weight: float | None = None
    astrocyte_density: float | None = None
    start_weight: float | None = None
    tune_start_weight: bool = False
    snapshots: int | None = None
    features: str | None = None
    samples: int | None = None
    test_samples: int | None = None
    normalisation: str = "separate-maximum"
    readout: str = "soft"
    kernel_quality: int = 0
    seed: int = 0
    processes: int = 0
    scheduler: str | None = None
    out: Path | None = None

    @property
    def process_count(self) -> int:
        """Processes of this machine that samples are shared over."""
        return self.processes or os.cpu_count() or 1


@dataclass
class Result:
    """What the command line shows of a run."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich.markup import escape

        m = self.data
        theirs = m["published_accuracy"]
        beside = f" (authors: {theirs[0]:.2f} ± {theirs[1]:.2f} %)" if theirs else ""
        branching = "" if m["branching_factor"] is None else f"branching factor {m['branching_factor']:.3f}; "
        wall = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in m["wall_seconds"].items())
        resumed = {name: n for name, n in m["resumed"].items() if n}
        quality = m["kernel_quality"]
        ranks = f"; kernel rank {quality['clean']:.0f}, noisy {quality['noisy']:.0f}" if quality else ""
        return [
            f"[bold]{100 * m['accuracy']:.2f} % of {m['test_samples']:,} test images right[/]{beside};"
            f" validation {100 * m['validation_accuracy']:.2f} %",
            f"{m['variant']}, {said_size(m['liquids'], m['neurons'])}, {m['snapshots']:,} snapshots, {m['features']} features of"
            f" {m['training_samples']:,} + {m['validation_samples']:,} images of {m['dataset']}; {m['readout']} read-out",
            f"{branching}liquid {m['liquid_hz']:.1f} Hz, input {m['input_hz']:.1f} Hz{ranks}; {wall}",
            *(
                [f"normalisation: {m['normalisation']} ({NORMALISATIONS[m['normalisation']]})"]
                if m["normalisation"]
                else []
            ),
            *(
                [
                    f"start weight {m['start_weight']:g}; tried: "
                    + ", ".join(f"{w} {100 * right:.2f} %" for w, right in m["start_weights_tried"].items())
                ]
                if m["start_weights_tried"]
                else []
            ),
            *(
                [
                    f"gone on from {', '.join(f'{n:,} {name}' for name, n in resumed.items())} of an earlier command"
                ]
                if resumed
                else []
            ),
            f"executed by: [bold]{m['executed_by']}[/]; counts {m['counts_sha256'][:16]}",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            *(f"[yellow]note:[/] {escape(warning)}" for warning in m["warnings"]),
            f"results in {escape(str(self.folder))}",
        ]


def choose(name: str, given: str, known: tuple[str, ...] | dict[str, str]) -> str:
    """`given`, if it is one of those there are."""
    if given not in known:
        raise RequestError(
            f"There is no {name} '{given}'.{did_you_mean(given, known)}",
            fix=f"choose one of: {', '.join(known)}",
        )
    return given


def choose_design(request: Request, inputs: int) -> Design:
    """The liquid that is asked for."""
    weight, density = request.astrocyte_weight, request.astrocyte_density
    for option, given in (("--astrocyte-weight", weight), ("--astrocyte-density", density)):
        if given is not None and request.variant != "nalsm":
            raise RequestError(
                f"{option} {given:g} has no meaning beside --variant {request.variant}",
                why="only nalsm has an astrocyte",
                fix="leave it out",
            )
    largest_known = max(n for n in ASTROCYTE_WEIGHT if n <= max(request.neurons, min(ASTROCYTE_WEIGHT)))
    return Design(
        request.neurons,
        inputs,
        request.variant,
        request.seed,
        ASTROCYTE_WEIGHT[largest_known] if weight is None else weight,
        1.0 if density is None else density,
        request.start_weight,
    )


def choose_drives(request: Request, whole: Dataset) -> dict[str, Drive]:
    """How the images of either set hit the input neurons."""
    if request.dataset in EVENT_DATASETS:
        of_pixels = {
            "--kernel-quality": (request.kernel_quality > 0, "noise is added to pixels"),
            f"--normalisation {request.normalisation}": (
                request.normalisation != Request.normalisation,
                "pixels are divided by it, and every event is a hit as it is",
            ),
        }
        for option, (given, why) in of_pixels.items():
            if given:
                raise RequestError(
                    f"{option} has no meaning beside --dataset {request.dataset}", why=why, fix="leave it out"
                )
        drive: Drive = Saccades(request.seed)
        if request.dataset != "nmnist-simulated":
            drive = Recorded(request.seed, NMNIST_MS if request.dataset == "nmnist" else None)
        return dict.fromkeys(("training", "test"), drive)
    return {part: Pixels(largest) for part, largest in whole.largest(request.normalisation).items()}


def input_count(dataset: Dataset) -> int:
    """Input neurons: one a pixel, or one for each polarity of a camera's pixel."""
    pixels = dataset.training.images.shape[1]
    return saccades.input_count(pixels) if dataset.name == "nmnist-simulated" else pixels


def choose_features(request: Request) -> bool:
    """Whether weights learn while features are made."""
    if request.variant in ALWAYS_FROZEN:
        if request.features == "plastic":
            raise RequestError(
                f"--features plastic has no meaning beside --variant {request.variant}",
                why=f"{request.variant}: {VARIANTS[request.variant]}",
                fix="leave it out",
            )
        return False
    return choose("kind of features", request.features or "plastic", FEATURES) == "plastic"


def choose_snapshots(request: Request) -> int:
    if request.variant == "lsm":
        if request.snapshots:
            raise RequestError(
                f"--snapshots {request.snapshots} has no meaning beside --variant lsm",
                why="its weights never change",
                fix="leave it out",
            )
        return 0
    if request.snapshots is not None:
        return request.snapshots
    return SNAPSHOTS.get(request.dataset, published.SNAPSHOTS)


def run_lsm(request: Request, progress: Progress | None = None) -> Result:
    """Run the liquid as the command line asks, and write the run directory.

    Raises
    ------
    RequestError
        A name is none of those there are, a file is wrong, or options do not go together.
    RunError
        The disk is full, or a process that simulates was killed; the same command goes on.
    """
    began = time.perf_counter()
    keep_matplotlib_files()
    choose("normalisation", request.normalisation, NORMALISATIONS)
    chosen = readout.recipe(request.readout)
    sharing.check()
    choose("variant", request.variant, VARIANTS)
    if request.tune_start_weight:
        tuning.refuse(request.variant, request.start_weight, request.liquids)
    plastic, snapshots = choose_features(request), choose_snapshots(request)
    processes = request.process_count
    whole = datasets.load(request.dataset, request.data, progress, request.sensor)
    drives = choose_drives(request, whole)
    dataset = whole.first(request.samples, request.test_samples)
    design = choose_design(request, input_count(dataset))
    memory.refuse(design, dataset, chosen, request.liquids)
    wanted = request.out or default_folder(f"lsm-{request.dataset}-{request.variant}")
    with run_directory(wanted) as folder:
        spent, tried = Spent(), None
        if request.tune_start_weight:
            tried = tuning.tune(
                design, dataset, drives["training"], chosen, processes, request.scheduler, progress
            )
            design = replace(design, start_weight=tuning.best(tried))
            spent.on("tuning")
        networks, formed = [], []
        shown = dataset.training.images[: len(dataset.training.labels) - dataset.validation]
        for k in range(request.liquids):
            network = build(replace(design, seed=design.seed + SEEDS_APART * k))
            spent.on("wiring")
            if snapshots:
                seen = of_several(progress, k, request.liquids)
                formed.append(phases.form(network, shown, drives["training"], snapshots, seen))
                network = phases.with_weights(network, formed[k].weights)
            networks.append(network)
            spent.on("snapshots")

        samples = {
            "training": (dataset.training, drives["training"]),
            "test": (dataset.test, drives["test"]),
        }
        found = count(networks, plastic, samples, request, progress)
        spent.on("samples")

        x = readout.features(found.counts["training"])
        trained = readout.train(x, dataset.training.labels, dataset.validation, chosen, progress, resume=True)
        said = trained.classes(readout.features(found.counts["test"], x.largest))
        spent.on("read-out")

        watched = [watch(network, plastic, dataset, drives["training"]) for network in networks]
        draw(folder, design, networks, formed, watched, plastic, dataset, said)
        ranks = None
        if request.kernel_quality:
            ranks = kernel_quality(request, networks, plastic, dataset, drives["test"], found, progress)
            pictures.kernel_quality(ranks, folder / "kernel-quality.png")
        spent.on("measures and pictures")
        write_decisions(folder / "decisions.csv", dataset.test.labels, taken_for=said)
        asked = describe(request, design, dataset, snapshots, plastic)
        data = {
            **asked,
            "accuracy": float(np.mean(said == dataset.test.labels)),
            "validation_accuracy": trained.validation,
            "published_accuracy": published.accuracy(asked),
            "readout_iterations": trained.iterations,
            "readouts_tried": trained.tried,
            "start_weights_tried": {f"{w:g}": right for w, right in tried.items()} if tried else None,
            "branching_factor": mean_branching(watched),
            "branching_silent_samples": sum(one.factors.count(None) for one in watched),
            "kernel_quality": {name: float(each.mean()) for name, each in ranks.items()} if ranks else None,
            **rates(design, request.liquids, found),
            "weights": weight_facts(networks),
            "counts_sha256": found.digest(),
            "resumed": {
                "snapshots": sum(one.resumed for one in formed),
                "samples": found.resumed,
                "epochs": trained.resumed,
            },
            "silent_samples": silent(found),
            "changes": changes(dataset, drives["test"]),
            "warnings": warnings(dataset, found),
            "peak_memory_mb": peak_memory_mb()
            + max(one.engine_mb for one in watched) * (1 if request.scheduler else processes),
            "wall_seconds": {**spent.wall, "all": time.perf_counter() - began},
            "processor_seconds": spent.processor,
        }
        size = said_size(request.liquids, design.neurons)
        title = f"{'Liquid of ' if request.liquids == 1 else ''}{size}, {dataset.name}, {design.variant}"
        right = f"{100 * data['accuracy']:.2f} % right"
        leave_run(
            folder,
            title,
            right,
            data,
            found=[published.beside(data)],
            executed_by="float",
            backend="brian2",
            rules="nalsm",
            seed=request.seed,
            processes=processes,
            scheduler=request.scheduler,
            images_sha256=dataset.checksums,
            liquids=[one.key for one in formed],
            counts=found.keys,
            network_sha256=" ".join(network.digest() for network in networks),
        )
    return Result(data, wanted)


def describe(
    request: Request, design: Design, dataset: Dataset, snapshots: int, plastic: bool
) -> dict[str, Any]:
    """What was asked for, as ``metrics.json`` has it."""
    return {
        "model": "lsm",
        "variant": design.variant,
        "dataset": dataset.name,
        "executed_by": "float",
        "neurons": design.neurons,
        "liquids": request.liquids,
        "inputs": design.inputs,
        "astrocyte_weight": design.astrocyte_weight if design.variant == "nalsm" else None,
        "astrocyte_density": design.astrocyte_density if design.variant == "nalsm" else None,
        "start_weight": design.magnitude,
        "snapshots": snapshots,
        "features": "plastic" if plastic else "frozen",
        "normalisation": None if dataset.name in EVENT_DATASETS else request.normalisation,
        "readout": request.readout,
        "training_samples": len(dataset.training.labels) - dataset.validation,
        "validation_samples": dataset.validation,
        "test_samples": len(dataset.test.labels),
        "seed": request.seed,
    }


def rates(design: Design, liquids: int, found: phases.Features) -> dict[str, float]:
    """Mean rates over all samples, and over the test samples alone; of all liquids."""
    facts = {}
    for suffix, parts in (("", ("training", "test")), ("_test", ("test",))):
        liquid, inputs = (sum(int(of[p].sum()) for p in parts) for of in (found.counts, found.inputs))
        length = SAMPLE_MS * sum(len(found.inputs[p]) for p in parts)
        facts[f"liquid_hz{suffix}"] = measures.rate_hz(liquid, liquids * design.neurons, length)
        facts[f"input_hz{suffix}"] = measures.rate_hz(inputs, liquids * design.inputs, length)
    return facts


def weight_facts(networks: list[Network]) -> dict[str, dict[str, float]]:
    """Mean and mean magnitude of the weights by source."""
    return {
        name: {"mean": float(w.mean()), "mean_magnitude": float(np.abs(w).mean()), "synapses": len(w)}
        for name, w in measures.by_source(networks).items()
    }


def silent(found: phases.Features) -> dict[str, int]:
    """Samples in which no liquid neuron spikes."""
    return {part: int(np.count_nonzero(~counts.any(axis=1))) for part, counts in found.counts.items()}


def changes(dataset: Dataset, drive: Drive) -> list[str]:
    """What became of pixels and events."""
    told = list(dataset.changes)
    pixels = datasets.cut(dataset.test.images, drive.largest) if isinstance(drive, Pixels) else 0
    if pixels:
        told.append(f"{pixels:,} pixels of test images exceed the training maximum: hit in every step")
    if isinstance(drive, Recorded):
        steps = np.concatenate([part.images.steps for part in (dataset.training, dataset.test)])
        late = int(np.count_nonzero(steps >= SAMPLE_MS))
        if late:
            told.append(f"{late:,} of {len(steps):,} events come after {SAMPLE_MS} ms: no sample has them")
    return told


def warnings(dataset: Dataset, found: phases.Features) -> list[str]:
    """What a user may not expect of the images or the liquid."""
    notes = list(dataset.notes)
    blank = datasets.blank(dataset.training.images), datasets.blank(dataset.test.images)
    if any(blank):
        notes.append(
            f"{blank[0]} training and {blank[1]} test images are blank: nothing drives the liquid there"
        )
    quiet = silent(found)
    if any(quiet.values()):
        notes.append(
            f"the liquid is silent in {quiet['training']:,} training and {quiet['test']:,} test samples;"
            " all of these are taken for the same class"
        )
    return notes


class Spent:
    """Seconds that each part of a run took, in all its goes.

    Attributes
    ----------
    wall : dict of str to float
    processor : dict of str to float
        Of this process and of those it started and ended; not of a cluster's workers.
    """

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self._since = time.perf_counter(), sum(os.times()[:4])

    def on(self, part: str) -> None:
        """What has passed since the last part was spent on this one."""
        now = time.perf_counter(), sum(os.times()[:4])
        self.wall[part] = self.wall.get(part, 0.0) + now[0] - self._since[0]
        self.processor[part] = self.processor.get(part, 0.0) + now[1] - self._since[1]
        self._since = now


def peak_memory_mb() -> float:
    """Of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024**2 if sys.platform == "darwin" else 1024
    )


@dataclass
class Watched:
    """Some samples whose every spike was kept.

    Attributes
    ----------
    inputs, liquid : ndarray of bool, shape (steps, neurons)
        Of the first sample.
    factors : list of float or None
        Branching factor of each sample; None of one without a spike that counts.
    engine_mb : float
        Peak memory of the process that simulates; 0 where the system does not tell.
    """

    inputs: np.ndarray
    liquid: np.ndarray
    factors: list[float | None]
    engine_mb: float

    @property
    def branching(self) -> float | None:
        """Mean over the samples that have a branching factor; None where none has."""
        known = [factor for factor in self.factors if factor is not None]
        return float(np.mean(known)) if known else None


def watch(network: Network, plastic: bool, dataset: Dataset, drive: Drive) -> Watched:
    """Show the first training images again, and keep every spike."""
    images = dataset.training.images[: measures.BRANCHING_SAMPLES]
    driven = network.populations[0].size
    trials = Trials(network, plastic)
    try:
        events = drive.show(
            trials, images, np.arange(len(images)), phases.FEATURES[plastic], raster=True
        ).raster
    finally:
        trials.end()
    connected = measures.connections(network)
    end = driven + connected.shape[0]
    rasters = [measures.raster_of(events, k, SAMPLE_MS, driven, end) for k in range(len(images))]
    factors = [measures.branching_factor(raster, connected) for raster in rasters]
    inputs = measures.raster_of(events, 0, SAMPLE_MS, 0, driven)
    return Watched(inputs, rasters[0], factors, trials.report.facts["engine_memory_mb"] or 0.0)


def mean_branching(watched: list[Watched]) -> float | None:
    """Over the liquids whose spikes have one."""
    known = [one.branching for one in watched if one.branching is not None]
    return float(np.mean(known)) if known else None


def of_several(progress: Progress | None, number: int, several: int) -> Progress | None:
    """What one of several liquids tells, as a part of what all of them have to do."""
    if progress is None:
        return None

    def seen(part: str, done: int, total: int) -> None:
        if part in ("snapshots", "samples"):
            done, total = done + number * total, several * total
        progress(part, done, total)

    return seen


def count(
    networks: list[Network],
    plastic: bool,
    samples: dict[str, tuple[Images, Drive]],
    request: Request,
    progress: Progress | None,
) -> phases.Features:
    """Show every sample to every liquid."""

    def shown_to(k: int) -> phases.Features:
        seen = of_several(progress, k, len(networks))
        return phases.features(networks[k], plastic, samples, request.process_count, request.scheduler, seen)

    return phases.side_by_side([shown_to(k) for k in range(len(networks))])


def kernel_quality(
    request: Request,
    networks: list[Network],
    plastic: bool,
    dataset: Dataset,
    drive: Drive,
    found: phases.Features,
    progress: Progress | None,
) -> dict[str, np.ndarray]:
    """Ranks of the counts of clean and of noisy test images, one a draw."""
    brightest = int(dataset.training.images.max())
    images = measures.noisy(dataset.test.images, brightest, request.seed)
    samples: dict[str, tuple[Images, Drive]] = {"noisy": (Images(images, dataset.test.labels), drive)}
    noisy = count(networks, plastic, samples, request, progress)
    clean_and_noisy = {"clean": found.counts["test"], "noisy": noisy.counts["noisy"]}
    return {
        name: measures.kernel_ranks(counts, dataset.test.labels, request.kernel_quality, request.seed)
        for name, counts in clean_and_noisy.items()
    }


def write_decisions(path: Path, labels: np.ndarray, **said: np.ndarray) -> None:
    """One row a test image: its class, and what it was taken for, a column for each of `said`."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "class", *said])
        columns = [labels.tolist(), *(classes.tolist() for classes in said.values())]
        writer.writerows(zip(range(len(labels)), *columns, strict=True))


def draw(
    folder: Path,
    design: Design,
    networks: list[Network],
    formed: list[phases.Formed],
    watched: list[Watched],
    plastic: bool,
    dataset: Dataset,
    said: np.ndarray,
) -> None:
    """How the first liquid formed, one sample in it, the weights and branching factors of all, and the errors.

    The sample has its astrocyte where one was at work: where weights are frozen, none is.
    """
    one = watched[0]
    if formed:
        first = formed[0]
        pictures.formation(first.liquid, first.inputs, first.astrocyte, SNAPSHOT_MS, folder / "formation.png")
    pictures.weights(measures.by_source(networks), design.magnitude, folder / "weights.png")
    trace = None
    if plastic and design.variant == "nalsm":
        trace = measures.astrocyte_trace(design, one.inputs, one.liquid)
    title = f"One image of class {dataset.training.labels[0]}, executed by: float (nalsm rules)"
    pictures.sample(
        one.inputs, one.liquid, excitatory_count(design.neurons), trace, title, folder / "sample.png"
    )
    pictures.branching([each.factors for each in watched], mean_branching(watched), folder / "branching.png")
    pictures.confusion(dataset.test.labels, said, CLASSES, folder / "confusion.png")
