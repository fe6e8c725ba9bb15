"""``neurodeploy run delays --events FILE``: the motions that the trained layer sees in a user's own recording.

Nobody has labelled it, so there is no accuracy: ``detections.csv`` has every detection, ``counts.csv`` how many there are of each
class over time, with pictures of both; ``metrics.json`` and ``run.json`` as for every run.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.cache import file_digest, keep_matplotlib_files
from neurodeploy.delays import layer as layers
from neurodeploy.delays.detections import Detections, detect
from neurodeploy.delays.events import from_file
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.readout import KEPT
from neurodeploy.delays.synapses import prune
from neurodeploy.event_files import parse_sensor
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

DEFAULT_SYNAPSES = 8000
"""Where the layer is at its best (docs/delays.md), and far cheaper than whole."""

STRIDE_MS = 4
MOST_ACROSS = 24
"""The evidence is read every so many ms, and every 4 pixels or more, at this many places in a row or column at most."""

MOST_WINDOWS = 200
SHORTEST_WINDOW = 20
"""Counts over time are of windows of 20 ms, or longer where there would be more of them than that."""


@dataclass
class RecordingResult:
    """What the command line shows."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        table = Table("motion", "detections", "share", box=box.SIMPLE, pad_edge=False)
        most = sorted(m["counts"].items(), key=lambda one: -one[1])[:6]
        for name, count in most:
            table.add_row(name, f"{count:,}", f"{100 * count / max(m['detections'], 1):.1f} %")
        return [
            table,
            f"{m['events']:,} events of {m['height']} x {m['width']} pixels in {m['steps_ms']:,} ms"
            f" ({100 * m['density']:.2g} % of pixels, polarities and ms)",
            f"{m['detections']:,} detections at {m['places']} places with {m['synapses']:,} synapses",
            f"executed by: [bold]{m['executed_by']}[/]; {m['wall_seconds']['all']:.0f} s",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


def run_recording(
    file: Path,
    sensor: str | None = None,
    model: Path | None = None,
    synapses: int | None = None,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> RecordingResult:
    """Show a recording to the layer as the command line asks, and write the run directory.

    Raises
    ------
    RequestError
        The file cannot be read, or its events are too few for the layer's kernels.
    ToolchainMissingError
        The file's format needs a package that is not installed.
    """
    from neurodeploy.delays import pictures
    from neurodeploy.delays.animation import Scene, animate

    began = time.perf_counter()
    keep_matplotlib_files()
    events, given = from_file(file, parse_sensor(sensor) if sensor else None)
    whole = layers.choose(model)
    layer = prune(whole, min(synapses or DEFAULT_SYNAPSES, whole.synapses))
    pixels = max(4, math.ceil(max(events.height, events.width) / MOST_ACROSS))
    stride = (STRIDE_MS, pixels, pixels)
    motions = layer.motions
    wanted = out or default_folder("delays-events")
    with run_directory(wanted) as folder:
        found = detect(
            layer,
            events,
            stride,
            progress=lambda done, total: progress("ms read", done, total) if progress is not None else None,
        )
        window = max(SHORTEST_WINDOW, math.ceil(events.steps / MOST_WINDOWS))
        edges = np.arange(0, events.steps + window, window)
        counts = found.counts(edges)
        write_detections(folder, found, edges, counts, motions)
        total = counts.sum(axis=0)
        stamp = "executed by: float"
        pictures.events(events, file.name, folder / "events.png")
        pictures.counts_over_time(motions, edges, counts, f"{file.name}; {stamp}", folder / "counts.png")
        animate(motions, [Scene(events, found, file.name)], stamp, folder / "directions-over-time.gif")
        changes = [f"pruned: {layer.synapses:,} of {whole.synapses:,} weights kept"]
        if given != len(events):
            changes.append(
                f"{given - len(events):,} of {given:,} events are a pixel's second or later one of its polarity in a"
                " millisecond; they count as one"
            )
        data = {
            "model": "delays",
            "experiment": "events",
            "executed_by": "float",
            "height": events.height,
            "width": events.width,
            "steps_ms": events.steps,
            "events_given": given,
            "events": len(events),
            "density": events.density,
            "synapses": layer.synapses,
            "stride": list(stride),
            "share_kept": KEPT,
            "places": len(found.row),
            "detections": len(found.t),
            "window_ms": window,
            "counts": {motions.label(number): int(one) for number, one in enumerate(total)},
            "changes": changes,
            "wall_seconds": {"all": time.perf_counter() - began},
        }
        verdict = f"most often {motions.label(int(total.argmax()))}" if total.any() else "nothing detected"
        leave_run(
            folder,
            "Motion detectors, a recording",
            verdict,
            data,
            executed_by="float",
            recording={"file": file.name, "sha256": file_digest(file), "sensor": sensor},
            model=str(model) if model else "shipped",
            trained=whole.made_by,
        )
    return RecordingResult(data, wanted)


def write_detections(
    folder: Path, found: Detections, edges: np.ndarray, counts: np.ndarray, motions: Motions
) -> None:
    """``detections.csv``, a row each, and ``counts.csv``, a row a window of time."""
    with open(folder / "detections.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time_ms", "row", "column", "motion"])
        rows = (found.t, found.row[found.place], found.column[found.place], found.motion)
        writer.writerows(zip(*(one.tolist() for one in rows), strict=True))
    with open(folder / "counts.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["from_ms", *(motions.label(number) for number in range(motions.count))])
        for start, row in zip(edges[:-1].tolist(), counts.tolist(), strict=True):
            writer.writerow([start, *row])
