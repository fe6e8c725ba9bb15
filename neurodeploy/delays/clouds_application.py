"""``neurodeploy run delays --experiment clouds``: Motion Clouds at the six values of each published scan, in both conditions.

``decisions.csv`` has every cloud, ``metrics.json`` and ``run.json`` as for every run, and ``clouds.png`` the four scans beside
the published ones.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import layer as layers
from neurodeploy.delays import readout
from neurodeploy.delays.checkpoint import Checkpoint, layer_digest
from neurodeploy.delays.evaluation import Probe, Score, TestSet
from neurodeploy.delays.events import CAMERAS
from neurodeploy.delays.motion_clouds import CONDITIONS, SCANS, CloudSettings
from neurodeploy.delays.synapses import prune
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

STRIDE = (6, 8, 8)
"""Every how many ms, rows and columns the evidence is read, as for movies of that size."""

PUBLISHED = {
    "frequency": ((53, 30), (71, 40.5), (82, 42.5), (68.5, 43), (43.5, 33.5), (31.5, 24.5)),
    "frequency_width": ((30.5, 19), (49.5, 29.5), (77.5, 42.5), (82, 44), (76.5, 43.5), (76.5, 44)),
    "orientation_width": ((61, 27.5), (61, 28), (61, 32), (79, 36), (82, 45.5), (87, 68.5)),
    "speed_width": ((87, 48.5), (87, 47), (87, 45), (74, 35.5), (35, 8.5), (30, 7)),
}
"""% right at each value of :data:`SCANS`, by the order of :data:`CONDITIONS` (the journal's figure)."""


@dataclass
class CloudResult:
    """What the command line shows."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("scan", "value", *CONDITIONS, "published", box=box.SIMPLE, pad_edge=False)
        for one in self.data["points"]:
            shares = (f"{100 * one[condition]['accuracy']:.1f} %" for condition in CONDITIONS)
            published = " / ".join(f"{share:g}" for share in one["published"])
            table.add_row(one["scan"], f"{one['value']:.3g}", *shares, published)
        m = self.data
        return [
            table,
            f"{m['movies']} clouds a point and condition, {m['synapses']:,} synapses; executed by: [bold]float[/];"
            f" {m['wall_seconds']['all']:.0f} s",
            f"results in {escape(str(self.folder))}",
        ]


def at(scan: str, value: float, base: CloudSettings) -> CloudSettings:
    """The texture at a value of a scan; that of the frequency has its width equal to it."""
    if scan == "frequency":
        return replace(base, frequency=value, frequency_width=value)
    changed: dict[str, Any] = {scan: value}
    return replace(base, **changed)


def run_clouds(
    model: Path | None = None,
    synapses: int | None = None,
    movies: int = 40,
    seed: int = 0,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    base: CloudSettings | None = None,
    scans: Mapping[str, Sequence[float]] = SCANS,
    stride: tuple[int, int, int] = STRIDE,
    camera: str = "differencing",
    checkpoint: Path | None = None,
) -> CloudResult:
    """Every point of `scans` in both conditions, and the run directory.

    Raises
    ------
    ToolchainMissingError
        The package MotionClouds is not installed.
    RequestError
        The checkpoint is of another run.
    """
    from neurodeploy.delays import pictures

    began = time.perf_counter()
    keep_matplotlib_files()
    whole = layers.choose(model)
    layer = whole if synapses is None else prune(whole, synapses)
    base = base or CloudSettings()
    total = 2 * movies * sum(len(values) for values in scans.values())
    kept = Checkpoint(
        checkpoint,
        experiment="clouds",
        layer=layer_digest(layer),
        seed=seed,
        camera=camera,
        stride=stride,
        base=asdict(base),
    )
    wanted = out or default_folder("delays-clouds")
    probe = Probe({"layer": layer})
    points, rows, done = [], [], 0
    with run_directory(wanted) as folder:
        for scan, values in scans.items():
            for number, value in enumerate(values):
                point: dict[str, Any] = {"scan": scan, "value": value, "published": PUBLISHED[scan][number]}
                for condition in CONDITIONS:
                    texture = replace(at(scan, value, base), condition=condition)
                    test = TestSet(
                        (), layer.motions, texture, movies, seed, stride, accumulate=CAMERAS[camera]
                    )
                    pairs = kept.decisions(f"{scan} {value:.6g} {condition}")
                    for events, label, _ in replace(test, first=len(pairs)):
                        pairs.append((label, readout.decide(probe.fields(events, stride)["layer"])))
                        kept.save()
                        if progress is not None:
                            progress("clouds", done + len(pairs), total)
                    done += movies
                    labels, decided = np.array(pairs[:movies]).T
                    point[condition] = Score(decided, labels, []).facts()
                    rows += [(scan, value, condition, *pair) for pair in pairs[:movies]]
                points.append(point)
        with open(folder / "decisions.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["scan", "value", "condition", "motion", "decided"])
            writer.writerows(rows)
        data = {
            "model": "delays",
            "experiment": "clouds",
            "executed_by": "float",
            "synapses": layer.synapses,
            "movies": movies,
            "stride": list(stride),
            "camera": camera,
            "points": points,
            "wall_seconds": {"all": time.perf_counter() - began},
        }
        pictures.clouds(points, CONDITIONS, folder / "clouds.png")
        leave_run(
            folder,
            "Motion detectors, Motion Clouds",
            "",
            data,
            executed_by="float",
            seed=seed,
            camera=camera,
            model=str(model) if model else "shipped",
            trained=whole.made_by,
        )
    return CloudResult(data, wanted)
