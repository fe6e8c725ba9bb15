"""``neurodeploy run delays --experiment robustness``: accuracy under disturbed events, by evidence and by spike counts.

The events of every test movie are moved in time, lost, or joined by random ones, and both readouts decide; thresholds of
the counts are those of undisturbed movies.  ``decisions.csv`` has every decision, ``metrics.json`` and ``run.json`` as for
every run, and ``robustness.png`` the curves.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import layer as layers
from neurodeploy.delays import readout
from neurodeploy.delays.checkpoint import Checkpoint, layer_digest
from neurodeploy.delays.evaluation import Probe, Score, TestSet, calibrate
from neurodeploy.delays.events import CAMERAS, Events
from neurodeploy.delays.movies import MovieSettings
from neurodeploy.delays.run_application import choose_size
from neurodeploy.delays.synapses import prune
from neurodeploy.delays.train_application import choose_images
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

DEFAULT_SYNAPSES = 8000
"""As many as spikes need to be as good as the evidence (docs/delays.md)."""

DISTURBANCES: dict[str, tuple[Callable[[Events, float, np.random.Generator], Events], Sequence[float]]] = {
    "moved by up to (ms)": (lambda events, ms, draw: events.jittered(int(ms), draw), (0, 1, 2, 4, 8)),
    "share lost": (lambda events, share, draw: events.dropped(share, draw), (0, 0.25, 0.5, 0.75, 0.9)),
    "share added at random": (lambda events, share, draw: events.added(share, draw), (0, 0.25, 1, 2, 4)),
}
"""What is done to the events, and how much of it; 0 of each is the undisturbed movie."""

READOUTS = ("evidence", "spikes")


@dataclass
class RobustnessResult:
    """What the command line shows."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("events", "", *READOUTS, box=box.SIMPLE, pad_edge=False)
        for one in self.data["points"]:
            shares = (
                f"{100 * one[name]['accuracy']:.1f} % ({100 * one[name]['low_5']:.1f} .. {100 * one[name]['high_95']:.1f})"
                for name in READOUTS
            )
            table.add_row(one["disturbance"], f"{one['value']:g}", *shares)
        m = self.data
        return [
            table,
            f"{m['movies']} movies of {m['height']} x {m['width']} pixels and {m['steps_ms']} ms over held-out images,"
            f" {m['synapses']:,} synapses; executed by: [bold]float[/]; {m['wall_seconds']['all']:.0f} s",
            f"results in {escape(str(self.folder))}",
        ]


def run_robustness(
    model: Path | None = None,
    synapses: int | None = None,
    movies: int = 40,
    size: str = "paper",
    images: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    camera: str = "differencing",
    checkpoint: Path | None = None,
) -> RobustnessResult:
    """Both readouts at every point of :data:`DISTURBANCES`, and the run directory.

    Raises
    ------
    RequestError
        A name is none of those there are, or the checkpoint is of another run.
    """
    from neurodeploy.delays import pictures

    began = time.perf_counter()
    keep_matplotlib_files()
    height, width, steps, stride = choose_size(size)
    whole = layers.choose(model)
    layer = prune(whole, min(synapses or DEFAULT_SYNAPSES, whole.synapses))
    learned_from, held_out = choose_images(images)
    frame, seen = MovieSettings(height, width, steps, None), CAMERAS[camera]
    test = TestSet(held_out, layer.motions, frame, movies, seed, stride, accumulate=seen)
    points = [(name, value) for name, (_, values) in DISTURBANCES.items() for value in values]
    kept = Checkpoint(
        checkpoint,
        experiment="robustness",
        layer=layer_digest(layer),
        images=[image.name for image in (*learned_from, *held_out)],
        seed=seed,
        camera=camera,
        size=size,
        points=points,
    )
    wanted = out or default_folder("delays-robustness")
    with run_directory(wanted) as folder:
        thresholds, rate = calibrate({"": layer}, test.calibration(learned_from))[""]
        probe = Probe({"": layer})
        made = kept.decisions("movies")
        for events, label, image in replace(test, first=len(made)):
            plain, said = decide(probe, events, stride, thresholds), []
            for point, (name, value) in enumerate(points):
                draw = np.random.default_rng([seed, test.stream, len(made), point])
                disturbed = DISTURBANCES[name][0](events, value, draw)
                said.append(decide(probe, disturbed, stride, thresholds) if value else plain)
            made.append((label, image, said))
            kept.save()
            if progress is not None:
                progress("movies", len(made), movies)
        labels, names = ([one[k] for one in made[:movies]] for k in range(2))
        decisions = np.moveaxis(np.array([one[2] for one in made[:movies]]), 0, 2)
        facts = [
            {
                "disturbance": name,
                "value": value,
                **{
                    read: Score(decisions[point, which], np.array(labels), names).facts()
                    for which, read in enumerate(READOUTS)
                },
            }
            for point, (name, value) in enumerate(points)
        ]
        write_decisions(folder / "decisions.csv", points, decisions, labels, names)
        pictures.robustness(facts, READOUTS, layer.motions.count, folder / "robustness.png")
        data = {
            "model": "delays",
            "experiment": "robustness",
            "executed_by": "float",
            "classes": layer.motions.count,
            "synapses": layer.synapses,
            "spikes_a_voxel": rate,
            "movies": movies,
            "height": height,
            "width": width,
            "steps_ms": steps,
            "stride": list(stride),
            "camera": camera,
            "points": facts,
            "changes": [f"pruned: {layer.synapses:,} of {whole.synapses:,} weights kept"],
            "wall_seconds": {"all": time.perf_counter() - began},
        }
        leave_run(
            folder,
            "Motion detectors, disturbed events",
            "",
            data,
            executed_by="float",
            seed=seed,
            camera=camera,
            model=str(model) if model else "shipped",
            trained=whole.made_by,
            test_images=[image.name for image in held_out],
        )
    return RobustnessResult(data, wanted)


def decide(
    probe: Probe, events: Events, stride: tuple[int, int, int], thresholds: np.ndarray
) -> tuple[int, int]:
    """The class by each of :data:`READOUTS`."""
    larger = probe.fields(events, stride)[""]
    return readout.decide(larger), readout.decide_by_count(larger, thresholds)


def write_decisions(
    path: Path,
    points: Sequence[tuple[str, float]],
    decisions: np.ndarray,
    labels: Sequence[int],
    images: Sequence[str],
) -> None:
    """One row a movie and point."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["disturbance", "value", "movie", "image", "motion", *READOUTS])
        for (name, value), both in zip(points, decisions, strict=True):
            rows = zip(labels, images, both.T.tolist(), strict=True)
            writer.writerows(
                [name, value, k, image, label, *said] for k, (label, image, said) in enumerate(rows)
            )
