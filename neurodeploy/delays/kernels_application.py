"""``neurodeploy run delays --experiment kernels``: do the kernels follow the motions that they stand for (acceptance case 11)?

    Q_c = |ON - OFF| of class c, without its mean over the classes and without the central pair;
    x_c(d) = centroid of |Q_c|³ over the pixels at delay d;   x_c ≈ slope_c d + what it is at delay 0, by least squares

A detector of a velocity v wants what is older to lie farther behind, so slope_c should be v_c.  ``kernels.csv`` has every
class, ``metrics.json`` the speeds; pictures of the kernels and of where the centroids are.
"""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import layer as layers
from neurodeploy.delays.events import OFF, ON
from neurodeploy.delays.layer import Layer
from neurodeploy.errors import RequestError
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

POWER = 3
"""Of |Q|, so that weak weights far out do not decide where the centroid is (the specification)."""

FITTED, LATER = slice(0, 13), slice(4, 13)
"""Delays, ms: those that the specification fits; those at which a kernel is wide enough to say where it is."""

SPECIFIED = (0.6, 1.1)
"""Share of the class's speed that a slope should be."""


def without_central_pair(layer: Layer) -> np.ndarray:
    """The weights without the middle pixel at delay 0, which all classes have alike."""
    weights = layer.weights.copy()
    weights[:, :, 0, layer.radius, layer.radius] = 0
    return weights


def centroids(layer: Layer) -> np.ndarray:
    """x of every class and delay, (classes, delays, 2): rows down and columns right of the middle."""
    weights = without_central_pair(layer)
    q = np.abs(weights[:, ON] - weights[:, OFF])
    strength = np.abs(q - q.mean(axis=0)) ** POWER
    offset = np.arange(layer.side) - layer.radius
    whole = np.maximum(strength.sum(axis=(2, 3)), np.finfo(np.float32).tiny)
    rows, columns = strength.sum(axis=3) @ offset, strength.sum(axis=2) @ offset
    return np.stack([rows, columns], axis=2) / whole[:, :, None]


def slopes(found: np.ndarray, delays: slice) -> np.ndarray:
    """Pixels/ms by which the centroids move back with the delay, as rows + 1j × columns, (classes,)."""
    ages = np.arange(found.shape[1])[delays]
    fitted = np.polyfit(ages, found[:, delays].transpose(1, 0, 2).reshape(len(ages), -1), 1)[0].reshape(-1, 2)
    return fitted[:, 0] + 1j * fitted[:, 1]


def measure(layer: Layer) -> dict[str, Any]:
    """What ``metrics.json`` says of the kernels, and a row for each class."""
    motions, found = layer.motions, centroids(layer)
    wanted = motions.velocities[:, 0] + 1j * motions.velocities[:, 1]
    by_fit = {"specified": slopes(found, FITTED), "later": slopes(found, LATER)}
    errors = {name: np.degrees(np.angle(fit / wanted)) for name, fit in by_fit.items()}
    rings = (len(motions.speeds), motions.directions)
    shares = {name: np.abs(fit / wanted).reshape(rings).mean(axis=1) for name, fit in by_fit.items()}
    along = (found @ (motions.velocities / np.abs(wanted)[:, None])[..., None])[..., 0]
    weights = without_central_pair(layer)
    rows = [
        {
            "class": number,
            "speed": abs(wanted[number]),
            "direction": np.degrees(motions.angles[number]),
            "found_speed": abs(by_fit["specified"][number]),
            "direction_error": errors["specified"][number],
        }
        for number in range(motions.count)
    ]
    return {
        "speeds": [
            {
                "speed": speed,
                "share_of_speed": float(shares["specified"][ring]),
                "share_of_speed_from_4_ms": float(shares["later"][ring]),
                "as_specified": bool(SPECIFIED[0] <= shares["specified"][ring] <= SPECIFIED[1]),
                "behind": along.reshape(*rings, -1)[ring].mean(axis=0).tolist(),
            }
            for ring, speed in enumerate(motions.speeds)
        ],
        "direction_error_median": float(np.median(np.abs(errors["specified"]))),
        "direction_error_largest": float(np.abs(errors["specified"]).max()),
        "on_off_correlation": float(np.corrcoef(weights[:, ON].ravel(), weights[:, OFF].ravel())[0, 1]),
        "mean_weight": np.abs(weights).mean(axis=(0, 1, 3, 4)).tolist(),
        "classes": rows,
    }


@dataclass
class KernelResult:
    """What the command line shows."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        table = Table(
            "speed, px/ms", "kernels' speed: 0 to 12 ms", "4 to 12 ms", box=box.SIMPLE, pad_edge=False
        )
        for one in m["speeds"]:
            share = f"{one['share_of_speed']:.2f} of it"
            if not one["as_specified"]:
                share = f"[bold red]{share}[/], not {SPECIFIED[0]:g} to {SPECIFIED[1]:g}"
            table.add_row(f"{one['speed']:.2f}", share, f"{one['share_of_speed_from_4_ms']:.2f} of it")
        return [
            table,
            f"directions: {m['direction_error_median']:.2f}° off in the median, {m['direction_error_largest']:.1f}° at most;"
            f" ON and OFF correlate by {m['on_off_correlation']:.2f}",
            f"{m['synapses']:,} synapses; executed by: [bold]float[/]; {m['wall_seconds']['all']:.0f} s",
            f"results in {escape(str(self.folder))}",
        ]


def run_kernels(model: Path | None = None, out: Path | None = None) -> KernelResult:
    """Measure and draw the kernels of a layer, and write the run directory.

    Raises
    ------
    RequestError
        The model file cannot be read, or its layer has too few delays to fit a line.
    """
    from neurodeploy.delays import pictures

    began = time.perf_counter()
    keep_matplotlib_files()
    layer = layers.choose(model)
    if layer.delays < FITTED.stop:
        raise RequestError(
            f"The layer of {model} has {layer.delays} delays; {FITTED.stop} are fitted.",
            why="the kernels' speed is the slope of their centroids against the delays of 0 to 12 ms",
            fix="train one with more delays, or look at kernels.png of 'run delays'",
        )
    wanted = out or default_folder("delays-kernels")
    with run_directory(wanted) as folder:
        data: dict[str, Any] = {
            "model": "delays",
            "experiment": "kernels",
            "executed_by": "float",
            "synapses": layer.synapses,
            **measure(layer),
        }
        rows = data.pop("classes")
        with open(folder / "kernels.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        pictures.kernels(layer, folder / "kernels.png")
        pictures.centroids(layer.motions, [one["behind"] for one in data["speeds"]], folder / "centroids.png")
        data["wall_seconds"] = {"all": time.perf_counter() - began}
        leave_run(
            folder,
            "Motion detectors, kernels",
            f"directions {data['direction_error_median']:.2f}° off in the median",
            data,
            executed_by="float",
            model=str(model) if model else "shipped",
            trained=layer.made_by,
        )
    return KernelResult(data, wanted)
