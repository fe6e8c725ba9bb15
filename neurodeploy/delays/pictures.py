"""The motion detectors in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from neurodeploy.delays.curves import ONE_THRESHOLD, PER_CLASS, points
from neurodeploy.delays.detections import winners
from neurodeploy.delays.events import OFF, ON, Events
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.motions import Motions

FAST_PNG = {"compress_level": 1}
"""Half the time to write, for some more bytes."""

FIELDS = 5
"""Movies whose field of directions is drawn."""

SIGNS = "PuOr_r"
"""OFF and negative in violet, ON and positive in orange; they differ without colour vision too."""

WHOLE = 436_968
PUBLISHED_SYNAPSES = [
    (fraction * WHOLE, percent)
    for fraction, percent in (
        (1e-4, 2.5), (4.4e-4, 5), (8.0e-4, 12), (1.08e-3, 24), (1.45e-3, 47.5), (1.95e-3, 75), (2.63e-3, 86),
        (4.8e-3, 92), (8.6e-3, 95.5), (1.6e-2, 96), (3.8e-2, 97), (9.3e-2, 96), (0.23, 98), (1, 97.5),
    )
]  # fmt: skip
PUBLISHED_DELAYS = [
    (1, 7), (2, 11.5), (3, 19.5), (4, 20.5), (5, 22.5), (6, 28), (7, 44.5), (8, 57.5), (9, 65), (10, 76.5),
    (11, 85.5), (12, 88.5), (13, 92), (15, 95.5), (18, 96.5), (21, 97.5),
]  # fmt: skip
"""(kept, % right) of the journal's accuracy figure, measured on it; it prunes by one threshold for all classes."""


def learning_curve(curve: Sequence[dict[str, float]], classes: int, path: str | PathLike[str]) -> None:
    """Loss, and voxels classified right, against the step; the voxels of training and those held out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses, shares = figure.subplots(1, 2)
    steps = [point["step"] for point in curve]
    for name, held, axes in (("loss", "held_loss", losses), ("accuracy", "held_accuracy", shares)):
        scale = 100 if axes is shares else 1
        axes.plot(steps, [scale * point[name] for point in curve], color="#1f4e79", label="training movies")
        axes.plot(
            steps,
            [scale * point[held] for point in curve],
            color="#b35900",
            linestyle="--",
            label="movies kept apart",
        )
        axes.set_xlabel("step")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    losses.set_ylabel("loss")
    shares.set_ylabel("single voxels right (%)")
    shares.axhline(100 / classes, color="#888888", linewidth=0.8)
    shares.annotate("chance", (steps[0] if steps else 0, 100 / classes), va="bottom", fontsize=8)
    shares.set_ylim(0)
    losses.legend(frameon=False)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def events(seen: Events, title: str, path: str | PathLike[str]) -> None:
    """ON and OFF events of three bins, and of the middle row over time: moving edges are slanted lines there."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.6), layout="constrained")
    pictures = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.6])
    dense = seen.dense(np.int8)
    signs = dense[ON] - dense[OFF]
    for axes, step in zip(
        pictures, np.linspace(seen.steps * 0.4, seen.steps * 0.8, 3).astype(int), strict=False
    ):
        axes.imshow(signs[step], cmap=SIGNS, vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(f"{step} ms", fontsize=10)
        axes.set_axis_off()
    over_time = pictures[3]
    over_time.imshow(
        signs[:, seen.height // 2], cmap=SIGNS, vmin=-1, vmax=1, aspect="auto", interpolation="nearest"
    )
    over_time.set_title(f"row {seen.height // 2} over time", fontsize=10)
    over_time.set_xlabel("column (pixel)")
    over_time.set_ylabel("time (ms)")
    figure.suptitle(f"Events, ON orange, OFF violet; {title}", x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=90, pil_kwargs=FAST_PNG)


def kernels(layer: Layer, path: str | PathLike[str]) -> None:
    """ON kernels as space against delay: the axis of the motion (its way up) against d, summed across it.

    A detector of a motion has a slanted line there: what was seen d ms ago was behind by speed × d.  The central pair
    at delay 0, ten times larger than the rest, is left out.
    """
    from matplotlib.figure import Figure

    rows, columns = len(layer.motions.speeds), min(layer.motions.directions, 6)
    figure = Figure(figsize=(2.1 * columns, 2.0 * rows + 0.5), layout="constrained")
    pictures = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    offset = np.arange(layer.side) - layer.radius
    for row in range(rows):
        for column in range(columns):
            number = row * layer.motions.directions + column * layer.motions.directions // columns
            kernel = layer.weights[number, ON].copy()
            kernel[0, layer.radius, layer.radius] = 0
            angle = layer.motions.angles[number]
            along = offset[:, None] * np.cos(angle) + offset[None] * np.sin(angle)
            place = np.rint(along).astype(int) + layer.side
            drawn = np.stack([np.bincount(place.ravel(), p.ravel(), 2 * layer.side + 1) for p in kernel])
            drawn = drawn[:, layer.side - layer.radius : layer.side + layer.radius + 1]
            largest = np.abs(drawn).max() or 1
            axes = pictures[row, column]
            extent = (-0.5, layer.delays - 0.5, -layer.radius - 0.5, layer.radius + 0.5)
            axes.imshow(
                drawn.T, cmap=SIGNS, vmin=-largest, vmax=largest, origin="lower", aspect="auto", extent=extent
            )
            speed = layer.motions.speeds[row]
            reach = np.array([0, min(layer.delays - 1, layer.radius / max(speed, 1e-9))])
            axes.plot(reach, speed * reach, color="black", linewidth=0.7, linestyle=":")
            axes.set_title(layer.motions.label(number), fontsize=9)
    for axes in pictures[-1]:
        axes.set_xlabel("delay (ms)", fontsize=9)
    for axes in pictures[:, 0]:
        axes.set_ylabel("back along motion", fontsize=9)
    figure.suptitle("Kernels of ON events; dotted: the class's speed", x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=90, pil_kwargs=FAST_PNG)


def centroids(motions: Motions, behind: Sequence[Sequence[float]], path: str | PathLike[str]) -> None:
    """How far behind along the motion the kernels' centroids lie against the delay, a line a speed; dotted: the speed itself.

    Parameters
    ----------
    motions : Motions
    behind : sequence of sequence of float, (speeds, delays)
        Pixels, mean over the directions.
    path : path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    colours = ("#1f4e79", "#b35900", "#4d7a3a", "#7a4d79")
    for number, (speed, found) in enumerate(zip(motions.speeds, behind, strict=True)):
        delay, colour = np.arange(len(found)), colours[number % len(colours)]
        axes.plot(
            delay, found, color=colour, marker="osD^"[number % 4], markersize=4, label=f"{speed:.2f} px/ms"
        )
        axes.plot(delay, speed * delay, color=colour, linestyle=":")
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xlabel("delay (ms)")
    axes.set_ylabel("behind along the motion (pixels)")
    axes.legend(frameon=False, title="dotted: the speed itself")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def directions(
    motions: Motions,
    row: np.ndarray,
    column: np.ndarray,
    fields: np.ndarray,
    labels: Sequence[int],
    stamp: str,
    path: str | PathLike[str],
) -> None:
    """At every place the motion of the class that fired most, one frame a movie; the movie's own motion below it.

    Arrows point along the motion, are as long as it is fast, and blue where it is the movie's; places where no class
    fired more than every other have none.

    Parameters
    ----------
    motions : Motions
    row, column : ndarray, shape (places,)
    fields : ndarray, shape (movies, classes, places)
        Spikes.
    labels : sequence of int
        The movies' motions.
    stamp : str
        What executed it.
    path : path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 * len(labels), 3.1), layout="constrained")
    spacing = np.diff(np.unique(row)).min(initial=8)
    for axes, field, label in zip(
        figure.subplots(1, len(labels), squeeze=False)[0], fields, labels, strict=True
    ):
        winner, fired = winners(field)
        velocity = motions.velocities[winner[fired]]
        colours = np.where(winner[fired] == label, "#1f4e79", "#d08a4a")
        axes.quiver(
            column[fired],
            row[fired],
            velocity[:, 1],
            velocity[:, 0],
            color=colours,
            angles="xy",
            scale_units="xy",
            scale=max(motions.speeds) / (0.9 * spacing),
            width=0.014,
        )
        axes.set_xlim(column.min() - spacing, column.max() + spacing)
        axes.set_ylim(row.max() + spacing, row.min() - spacing)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        right = np.mean(winner[fired] == label) if fired.any() else 0.0
        axes.set_title(
            f"{motions.label(label)}\n{100 * right:.0f} % of {fired.sum()} places right", fontsize=9
        )
    figure.suptitle(
        f"Motion of most spikes at each place; above each the movie's own; {stamp}",
        x=0.01,
        ha="left",
        fontsize=10,
    )
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def accuracy(
    scores: dict[str, dict[str, float]], classes: int, delays: int, path: str | PathLike[str]
) -> None:
    """Accuracy against the synapses and against the delays kept, with 5 % to 95 % bars, beside the published curves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    by_synapses, by_delays = figure.subplots(1, 2, sharey=True)
    for axes, kinds, published, label in (
        (by_synapses, (ONE_THRESHOLD, PER_CLASS), PUBLISHED_SYNAPSES, "synapses kept"),
        (by_delays, ("delays",), PUBLISHED_DELAYS, "delays kept, from 0 ms on"),
    ):
        for kind, colour in zip(kinds, ("#1f4e79", "#7a9cc0"), strict=False):
            names = points(scores, kind)
            if len(names) == 1:
                continue
            kept = [
                int(name.split()[0]) if kind == "delays" else scores[name]["synapses"] for name in names[:-1]
            ]
            kept.append(delays if kind == "delays" else scores["whole"]["synapses"])
            share, low, high = (
                np.array([scores[name][k] for name in names]) for k in ("accuracy", "low_5", "high_95")
            )
            bars = 100 * np.abs([share - low, high - share])
            named = f"this layer{kind.removeprefix('synapses')}" if axes is by_synapses else "this layer"
            axes.errorbar(kept, 100 * share, bars, color=colour, marker="o", markersize=4, label=named)
        if classes == 36:
            axes.plot(
                *zip(*published, strict=True), color="#b35900", linestyle="--", label="published (journal)"
            )
        axes.axhline(100 / classes, color="#888888", linewidth=0.8)
        axes.set_xlabel(label)
        axes.set_ylim(0, 102)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    by_synapses.set_xscale("log")
    by_synapses.set_ylabel("movies decided right (%)")
    by_synapses.legend(frameon=False)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def clouds(points: Sequence[dict[str, Any]], conditions: Sequence[str], path: str | PathLike[str]) -> None:
    """Accuracy on Motion Clouds along each scan, with 5 % to 95 % bars, beside the published (dashed).

    Parameters
    ----------
    points : sequence of dict
        ``scan``, ``value``, ``published`` (% a condition), and for each condition ``accuracy``, ``low_5``, ``high_95``.
    conditions : sequence of str
    path : path
    """
    from matplotlib.figure import Figure

    scans = list(dict.fromkeys(point["scan"] for point in points))
    figure = Figure(figsize=(3.2 * len(scans), 3.4), layout="constrained")
    for axes, scan in zip(figure.subplots(1, len(scans), sharey=True, squeeze=False)[0], scans, strict=True):
        mine = [point for point in points if point["scan"] == scan]
        values = [point["value"] for point in mine]
        for number, (condition, colour) in enumerate(zip(conditions, ("#1f4e79", "#b35900"), strict=True)):
            share, low, high = (
                np.array([100 * point[condition][name] for point in mine])
                for name in ("accuracy", "low_5", "high_95")
            )
            bars = np.abs([share - low, high - share])
            axes.errorbar(values, share, bars, color=colour, marker="o", markersize=4, label=condition)
            axes.plot(values, [point["published"][number] for point in mine], color=colour, linestyle="--")
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:.2g}" for value in values], rotation=60)
        axes.minorticks_off()
        axes.set_xlabel(scan.replace("_", " "))
        axes.set_ylim(0, 102)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if scan == scans[0]:
            axes.set_ylabel("clouds decided right (%)")
            axes.legend(frameon=False, title="dashed: published")
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def counts_over_time(
    motions: Motions, edges: np.ndarray, counts: np.ndarray, title: str, path: str | PathLike[str]
) -> None:
    """Detections of every class over time: a row a direction, a panel a speed, darker where there are more.

    Parameters
    ----------
    motions : Motions
    edges : ndarray, shape (windows + 1,)
        Where the windows of time begin and end, ms.
    counts : ndarray, shape (windows, classes)
    title : str
    path : path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.9 * len(motions.speeds) + 0.6), layout="constrained")
    panels = figure.subplots(len(motions.speeds), 1, sharex=True, squeeze=False)[:, 0]
    angles = np.degrees(motions.angles)
    for ring, axes in enumerate(panels):
        mine = slice(ring * motions.directions, (ring + 1) * motions.directions)
        drawn = axes.imshow(
            counts[:, mine].T,
            cmap="Blues",
            vmin=0,
            vmax=max(counts.max(initial=0), 1),
            aspect="auto",
            interpolation="nearest",
            extent=(edges[0], edges[-1], motions.directions - 0.5, -0.5),
        )
        shown = range(0, motions.directions, 3)
        axes.set_yticks(list(shown), [f"{angles[mine][number]:.0f}°" for number in shown])
        axes.set_ylabel(f"{motions.speeds[ring]:.2f} px/ms")
    panels[-1].set_xlabel("time (ms)")
    figure.colorbar(drawn, ax=list(panels), label="detections", shrink=0.6)
    figure.suptitle(
        f"Detections of each direction (0° down, 90° right); {title}", x=0.01, ha="left", fontsize=10
    )
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def robustness(
    points: Sequence[dict[str, Any]], readouts: Sequence[str], classes: int, path: str | PathLike[str]
) -> None:
    """Accuracy against how much the events are disturbed, with 5 % to 95 % bars.

    Parameters
    ----------
    points : sequence of dict
        ``disturbance``, ``value``, and for each readout ``accuracy``, ``low_5``, ``high_95``.
    readouts : sequence of str
    classes : int
    path : path
    """
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(point["disturbance"] for point in points))
    figure = Figure(figsize=(3.6 * len(kinds), 3.4), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0], kinds, strict=True):
        mine = [point for point in points if point["disturbance"] == kind]
        for name, colour, marker in zip(readouts, ("#1f4e79", "#b35900"), "os", strict=True):
            share, low, high = (
                np.array([100 * point[name][key] for point in mine])
                for key in ("accuracy", "low_5", "high_95")
            )
            bars = np.abs([share - low, high - share])
            values = [point["value"] for point in mine]
            axes.errorbar(values, share, bars, color=colour, marker=marker, markersize=4, label=name)
        axes.axhline(100 / classes, color="#888888", linewidth=0.8)
        axes.set_xlabel(f"events: {kind}")
        axes.set_ylim(0, 102)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if kind == kinds[0]:
            axes.set_ylabel("movies decided right (%)")
            axes.legend(frameon=False)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)
