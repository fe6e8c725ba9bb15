"""The liquid in pictures."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

FAST_PNG = {"compress_level": 1}
"""Half the time to write, for some more bytes."""

INPUT, EXCITATORY, INHIBITORY = "#6b6b6b", "#1f4e79", "#b35900"

ABOVE: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
    "ncols": 3,
    "frameon": False,
    "borderaxespad": 0.2,
}
"""A legend over the panel, where it covers nothing."""

SPIKE_PT = (1.0, 2.2)
"""Size of a spike, at least (more than a pixel) and at most (a ms of a sample)."""


def _bare(axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _from_zero(axes) -> None:
    """Its lines from 0 on, or from below it where they are, with a tenth of their range free at the ends."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room = 0.1 * (high - low) or 1.0
    axes.set_ylim(low - room * (low < 0), high + room)


def formation(
    liquid: np.ndarray,
    inputs: np.ndarray,
    astrocyte: np.ndarray,
    milliseconds: int,
    path: str | PathLike[str],
) -> None:
    """Activity of liquid and input, and the astrocyte at the end of each snapshot, while the liquid forms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6 if len(astrocyte) else 2.8), layout="constrained")
    panels = figure.subplots(2 if len(astrocyte) else 1, 1, squeeze=False, sharex=True)[:, 0]
    size = max(1, len(liquid) // 500)
    rows = len(liquid) // size * size
    smooth = lambda values: values[:rows].reshape(-1, size).mean(axis=1)  # noqa: E731
    at = (np.arange(rows // size) + 0.5) * size
    for values, colour, style, label in (
        (smooth(liquid) / milliseconds, EXCITATORY, "-", "liquid"),
        (smooth(inputs) / milliseconds, INPUT, "--", "input"),
    ):
        panels[0].plot(at, values, color=colour, linestyle=style, label=label)
    panels[0].set_ylabel("spikes per ms")
    panels[0].legend(**ABOVE)
    if len(astrocyte):
        panels[1].plot(at, smooth(astrocyte), color=INHIBITORY)
        panels[1].set_ylabel("astrocyte")
    for axes in panels:
        _from_zero(axes)
    panels[-1].set_xlabel(f"snapshot (means of {size})" if size > 1 else "snapshot")
    for axes in panels:
        _bare(axes)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def weights(now: dict[str, np.ndarray], start: float, path: str | PathLike[str]) -> None:
    """Histograms of the weights from inputs, excitatory and inhibitory neurons; a tick where they all began."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(now)), now.items(), strict=True):
        axes.hist(values, bins=60, color={"input": INPUT, "excitatory": EXCITATORY}.get(name, INHIBITORY))
        for side in (-1, 1) if name == "input" else (1 if name == "excitatory" else -1,):
            axes.axvline(side * start, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel(f"weight from {name} (model volts)", fontsize=9)
        _bare(axes)
    figure.supylabel("synapses", fontsize=9)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def sample(
    inputs: np.ndarray,
    liquid: np.ndarray,
    excitatory: int,
    astrocyte: np.ndarray | None,
    title: str,
    path: str | PathLike[str],
) -> None:
    """Every spike of one sample, and the astrocyte beneath; `inputs` and `liquid` are booleans (steps, neurons)."""
    from matplotlib.figure import Figure

    rows = 2 if astrocyte is None else 3
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, height_ratios=[2, 3, 1][:rows])
    for axes, raster, tall, parts in (
        (panels[0], inputs, 120, ((0, inputs.shape[1], INPUT),)),
        (panels[1], liquid, 180, ((0, excitatory, EXCITATORY), (excitatory, liquid.shape[1], INHIBITORY))),
    ):
        size = float(np.clip(1.2 * tall / raster.shape[1], *SPIKE_PT))  # of a panel so many points tall
        for begin, end, colour in parts:
            times, neurons = np.nonzero(raster[:, begin:end])
            axes.plot(
                times,
                neurons + begin,
                linestyle="",
                marker="s",
                markersize=size,
                markeredgewidth=0,
                color=colour,
            )
    panels[0].set_ylabel("input")
    panels[1].set_ylabel("liquid")
    if astrocyte is not None:
        panels[2].plot(astrocyte, color=INHIBITORY)
        panels[2].set_ylabel("astrocyte")
    panels[-1].set_xlabel("ms")
    for axes in panels:
        _bare(axes)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def branching(factors: list[list[float | None]], mean: float | None, path: str | PathLike[str]) -> None:
    """The branching factor of each watched sample, a dot for each liquid; lines at 1 and at the mean.  A sample without a
    spike has none, and a cross at the bottom."""
    from matplotlib.figure import Figure

    known = [(k, one) for of in factors for k, one in enumerate(of, 1) if one is not None]
    silent = [k for of in factors for k, one in enumerate(of, 1) if one is None]
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color="black", linewidth=0.8, linestyle=":", label="critical")
    title = "Branching factor: no sample has a spike that counts"
    if mean is not None:
        title = f"Branching factor: mean {mean:.3f}"
        axes.axhline(mean, color=EXCITATORY, linewidth=0.8, label="mean")
        axes.plot(*zip(*known, strict=True), linestyle="", marker="o", markersize=4, color=EXCITATORY)
    if silent:
        axes.plot(
            silent, [0] * len(silent), linestyle="", marker="x", color=INHIBITORY, label="silent sample"
        )
    axes.set_ylim(0, 1.1 * max([1.0, *(one for _, one in known)]))
    axes.set_xticks(range(1, len(factors[0]) + 1))
    axes.set_xlabel("training sample")
    axes.set_title(title, fontsize=11, loc="left")
    axes.legend(**ABOVE)
    _bare(axes)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def kernel_quality(ranks: dict[str, np.ndarray], path: str | PathLike[str]) -> None:
    """Ranks of the counts of clean and of noisy images, one a draw; lines at their means."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    looks = {"clean": (EXCITATORY, "o"), "noisy": (INHIBITORY, "x")}
    for name, each in ranks.items():
        colour, marker = looks[name]
        label = f"{name}: mean {each.mean():.1f}"
        at = np.arange(1, len(each) + 1)
        axes.plot(at, each, linestyle="", marker=marker, markersize=4, color=colour, label=label)
        axes.axhline(each.mean(), color=colour, linewidth=0.8)
    axes.locator_params(integer=True, min_n_ticks=1)
    axes.set_xlabel("draw of test images")
    axes.set_ylabel("rank")
    axes.set_title("Kernel quality: rank of the counts", fontsize=11, loc="left")
    axes.legend(**ABOVE)
    _bare(axes)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def confusion(labels: np.ndarray, said: np.ndarray, classes: int, path: str | PathLike[str]) -> None:
    """How many test images of each class were taken for which."""
    from matplotlib.figure import Figure

    table = np.zeros((classes, classes), int)
    np.add.at(table, (labels, said), 1)
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(wrong, cmap="Blues")
    for row, column in np.ndindex(table.shape):
        dark = wrong[row, column] > 0.6 * max(1, wrong.max())
        if table[row, column]:
            axes.text(
                column,
                row,
                table[row, column],
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )
    axes.set_xticks(range(classes))
    axes.set_yticks(range(classes))
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    axes.set_title("Test images; shades are errors", fontsize=10)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def two_counts(model: np.ndarray, target: np.ndarray, title: str, path: str | PathLike[str]) -> None:
    """Spikes of every neuron a sample, on average: in the model and on a target."""
    from matplotlib.figure import Figure

    one, other = model.mean(axis=0), target.mean(axis=0)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    most = max(float(one.max(initial=0)), float(other.max(initial=0)), 1.0)
    axes.plot([0, most], [0, most], color="0.7", linewidth=1)
    axes.plot(one, other, linestyle="", marker=".", markersize=3, color=EXCITATORY)
    axes.set_xlabel("spikes a sample, model in floating point")
    axes.set_ylabel("on the target")
    axes.set_title(title, fontsize=10)
    _bare(axes)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)
