"""``neurodeploy run delays``: the trained layer on movies it has never seen, from options to a run directory.

``decisions.csv`` has every movie's motion and the decisions on it, ``metrics.json`` and ``run.json`` as for every run;
pictures of the events, the kernels, and, for the experiment ``curves``, of the accuracy.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import layer as layers
from neurodeploy.delays import synapses as lists
from neurodeploy.delays.curves import curve_facts, curve_layers
from neurodeploy.delays.evaluation import Score, TestSet, calibrate, evaluate
from neurodeploy.delays.events import CAMERAS
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.movies import MovieSettings
from neurodeploy.delays.train_application import choose_images
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

EXPERIMENTS = {
    "motion": "the layer, pruned as asked for, and the same with delay 0 alone",
    "curves": "accuracy against the synapses and against the delays that are kept",
    "robustness": "accuracy under jitter, lost and added events (`robustness_application.py`)",
    "clouds": "Motion Clouds, at the values of the published scans (`clouds_application.py`)",
    "kernels": "the kernels in pictures, and whether they follow their motions (`kernels_application.py`)",
    "motifs": "spike motifs with known kernels, and how many are found (`motifs.py`)",
}

SIZES = {
    "paper": (128, 128, 200, (6, 8, 8)),
    "small": (64, 64, 60, (3, 4, 4)),
    "patch": (32, 32, 60, (3, 4, 4)),
}
"""Rows, columns and ms of a movie, and every how many ms, rows and columns the evidence is read."""

READOUTS = ("evidence", "spikes")


@dataclass
class Result:
    """What the command line shows of a run."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        table = Table("layer", "synapses", "right", "5 % .. 95 %", box=box.SIMPLE, pad_edge=False)
        for name, one in m["scores"].items():
            low, high = f"{100 * one['low_5']:.1f}", f"{100 * one['high_95']:.1f}"
            share = f"{one['right']} of {one['movies']}, {100 * one['accuracy']:.1f} %"
            table.add_row(escape(name), f"{one['synapses']:,}", share, f"{low} .. {high}")
        halves = m.get("half_synapses", {})
        return [
            table,
            f"{m['movies']} movies of {m['height']} x {m['width']} pixels and {m['steps_ms']} ms over held-out images,"
            f" {m['classes']} motions, chance {100 / m['classes']:.1f} %; readout: {m['readout']}",
            *(f"half of the accuracy at {half:.0f} {kind} (fit)" for kind, half in halves.items() if half),
            f"executed by: [bold]{m['executed_by']}[/]; {m['wall_seconds']['all']:.0f} s",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


def refuse_beside(backend: str | None, experiment: str, readout: str | None, machine: dict[str, Any]) -> None:
    """Raise for options that have no meaning with, or without, a backend."""
    if backend is None:
        for name, value in machine.items():
            if value is not None:
                raise RequestError(
                    f"{f'{name} {value}'.strip()} has no meaning without --backend",
                    why="the evidence is computed in floating point, and nothing spikes",
                    fix="add --backend, or leave it out",
                )
    elif experiment != "motion":
        raise RequestError(
            f"--experiment {experiment} has no meaning beside --backend {backend}",
            why="a target runs one network",
            fix="leave it out, and choose --synapses",
        )
    elif readout not in (None, "spikes"):
        raise RequestError(
            f"--readout {readout} has no meaning beside --backend {backend}",
            why="a target gives spikes",
            fix="leave it out",
        )


MOVIES = 40
"""Where the user names no number."""

OF_MOVIES = (
    "--bits",
    "--readout",
    "--movies",
    "--size",
    "--images",
    "--camera",
    "--checkpoint",
)

USELESS = {
    "motion": ("--checkpoint",),
    "curves": ("--checkpoint",),
    "motifs": ("--model", "--synapses", *OF_MOVIES),
    "kernels": ("--synapses", *OF_MOVIES),
    "clouds": ("--bits", "--readout", "--size", "--images"),
    "robustness": ("--bits", "--readout"),
    "events": (*OF_MOVIES, "--backend"),
}
"""Options that an experiment has no use for: it draws kernels of its own, or shows no movies; its movies are of the published
size; it reads both ways; a recording has events already, and no label."""


def refuse_useless(experiment: str, events: Path | None, given: dict[str, object]) -> None:
    """Raise for the first of the `given` options that `experiment`, or a recording, has no use for."""
    beside = f"--experiment {experiment}" if events is None else f"--events {events}"
    useless = [name for name in USELESS.get(experiment, ()) if given[name] is not None]
    if events is not None:
        if experiment != "motion":
            raise RequestError(
                f"--experiment {experiment} has no meaning beside {beside}", fix="leave it out"
            )
        useless = [name for name in USELESS["events"] if given[name] is not None]
    elif given["--sensor"] is not None:
        raise RequestError(
            f"--sensor {given['--sensor']} has no meaning without --events", fix="leave it out"
        )
    if useless:
        raise RequestError(
            f"{useless[0]} {given[useless[0]]} has no meaning beside {beside}", fix="leave it out"
        )


def choose_size(name: str) -> tuple[int, int, int, tuple[int, int, int]]:
    """The entry of :data:`SIZES`."""
    if name not in SIZES:
        raise RequestError(
            f"There is no size '{name}'.{did_you_mean(name, SIZES)}", fix=f"choose {', '.join(SIZES)}"
        )
    return SIZES[name]


def choose_camera(name: str | None) -> str:
    """The name of a camera of :data:`events.CAMERAS`, the authors' where there is none."""
    if name is not None and name not in CAMERAS:
        raise RequestError(
            f"There is no camera '{name}'.{did_you_mean(name, CAMERAS)}", fix=f"choose {' or '.join(CAMERAS)}"
        )
    return name or next(iter(CAMERAS))


def choose_layers(
    layer: Layer, experiment: str, synapses: int | None, bits: int | None, readout: str
) -> tuple[dict[str, Layer], list[str]]:
    """The layers that an experiment compares, by name, and what was changed on the way."""
    changes = []
    if experiment == "curves":
        variants = curve_layers(layer, readout)
    else:
        chosen = layer if synapses is None else lists.prune(layer, synapses)
        if chosen is not layer:
            changes.append(f"pruned: {chosen.synapses:,} of {layer.synapses:,} weights kept")
        variants = {"layer": chosen, "delay 0 alone": lists.shorten(chosen, 1)}
    if bits is not None:
        for name, one in list(variants.items()):
            if not one.synapses:
                continue
            found = lists.quantise(one, bits)
            variants[name] = found.layer
            changes.append(
                f"{name}: weights in {bits} bits, steps of {found.step:.4g}; {found.clipped} clipped to the scale's end,"
                f" {found.vanished} became 0"
            )
    return variants, changes


def run_delays(
    experiment: str = "motion",
    model: Path | None = None,
    synapses: int | None = None,
    bits: int | None = None,
    readout: str = "evidence",
    movies: int = 40,
    size: str = "paper",
    images: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    camera: str = "differencing",
) -> Result:
    """Run the layer as the command line asks, and write the run directory.

    Raises
    ------
    RequestError
        A name is none of those there are, or options do not go together.
    """
    for what, given, known in (
        ("experiment", experiment, EXPERIMENTS),
        ("readout", readout, READOUTS),
    ):
        if given not in known:
            raise RequestError(
                f"There is no {what} '{given}'.{did_you_mean(given, known)}", fix=f"choose {', '.join(known)}"
            )
    if experiment == "curves" and synapses is not None:
        raise RequestError(
            f"--synapses {synapses} has no meaning beside --experiment curves",
            why="the curves go through the numbers of synapses",
            fix="leave it out",
        )
    height, width, steps, stride = choose_size(size)
    began = time.perf_counter()
    keep_matplotlib_files()
    layer = layers.choose(model)
    variants, changes = choose_layers(layer, experiment, synapses, bits, readout)
    learned_from, held_out = choose_images(images)
    frame = MovieSettings(height, width, steps, None)
    seen = CAMERAS[camera]
    test = TestSet(held_out, layer.motions, frame, movies, seed, stride, accumulate=seen)
    wanted = out or default_folder(f"delays-{experiment}")
    with run_directory(wanted) as folder:
        thresholds, rates = {}, {}
        if readout == "spikes":
            for name, (chosen, rate) in calibrate(variants, test.calibration(learned_from)).items():
                thresholds[name], rates[name] = chosen, rate
        scores = evaluate(
            variants,
            test,
            thresholds,
            lambda done, total: progress("movies", done, total) if progress is not None else None,
        )
        write_decisions(folder / "decisions.csv", scores)
        shown = next(iter(scores.values())) if experiment == "motion" else scores["whole"]
        data = {
            "model": "delays",
            "experiment": experiment,
            "executed_by": "float",
            "classes": layer.motions.count,
            "movies": movies,
            "height": height,
            "width": width,
            "steps_ms": steps,
            "stride": list(stride),
            "readout": readout,
            "camera": camera,
            **({"spikes_a_voxel": rates} if rates else {}),
            "scores": {
                name: {"synapses": variants[name].synapses, **score.facts()} for name, score in scores.items()
            },
            "right_by_image": by_image(shown),
            **(curve_facts(variants, scores) if experiment == "curves" else {}),
            "changes": changes,
        }
        draw(folder, layer, test, data)
        data["wall_seconds"] = {"all": time.perf_counter() - began}
        right = f"{100 * shown.accuracy:.1f} % of {movies} movies right"
        leave_run(
            folder,
            f"Motion detectors, {experiment}",
            right,
            data,
            executed_by="float",
            seed=seed,
            camera=camera,
            model=str(model) if model else "shipped",
            trained=layer.made_by,
            test_images=[image.name for image in held_out],
        )
    return Result(data, wanted)


def by_image(score: Score) -> dict[str, dict[str, int]]:
    """How many movies of each image were decided right."""
    found: dict[str, dict[str, int]] = {}
    for image, right in zip(score.images, score.decisions == score.labels, strict=True):
        count = found.setdefault(image, {"right": 0, "movies": 0})
        count["right"] += int(right)
        count["movies"] += 1
    return dict(sorted(found.items()))


def write_decisions(path: Path, scores: dict[str, Score]) -> None:
    """One row a movie: its image, its motion, and what each layer decided."""
    first = next(iter(scores.values()))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["movie", "image", "motion", *scores])
        for number, (image, label) in enumerate(zip(first.images, first.labels.tolist(), strict=True)):
            writer.writerow([number, image, label, *(int(one.decisions[number]) for one in scores.values())])


def draw(folder: Path, layer: Layer, test: TestSet, data: dict[str, Any]) -> None:
    """The events of the first movie, the kernels, and the curves where there are any."""
    from neurodeploy.delays import pictures

    events, label, image = next(iter(test))
    pictures.events(events, f"{image}: {layer.motions.label(label)}", folder / "events.png")
    pictures.kernels(layer, folder / "kernels.png")
    if data["experiment"] == "curves":
        pictures.accuracy(data["scores"], layer.motions.count, layer.delays, folder / "accuracy.png")
