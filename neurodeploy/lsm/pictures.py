"""The liquid in pictures."""

from __future__ import annotations

from os import PathLike

import numpy as np

FAST_PNG = {"compress_level": 1}
"""Half the time to write, for some more bytes."""

INPUT, EXCITATORY, INHIBITORY = "#6b6b6b", "#1f4e79", "#b35900"


def _bare(axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def formation(
    liquid: np.ndarray,
    inputs: np.ndarray,
    astrocyte: np.ndarray,
    milliseconds: int,
    path: str | PathLike[str],
) -> None:
    """Activity of liquid and input, and the astrocyte at the end of each snapshot, while the liquid forms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4 if len(astrocyte) else 2.6), layout="constrained")
    panels = figure.subplots(2 if len(astrocyte) else 1, 1, squeeze=False, sharex=True)[:, 0]
    size = max(1, len(liquid) // 500)
    rows = len(liquid) // size * size
    smooth = lambda values: values[:rows].reshape(-1, size).mean(axis=1)  # noqa: E731
    at = (np.arange(rows // size) + 0.5) * size
    panels[0].plot(at, smooth(liquid) / milliseconds, color=EXCITATORY, label="liquid")
    panels[0].plot(at, smooth(inputs) / milliseconds, color=INPUT, linestyle="--", label="input")
    panels[0].set_ylabel("spikes per ms")
    panels[0].set_ylim(0)
    panels[0].legend(frameon=False)
    if len(astrocyte):
        panels[1].plot(at, smooth(astrocyte), color=INHIBITORY)
        panels[1].set_ylabel("astrocyte")
        panels[1].set_ylim(min(0, float(astrocyte.min())))
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
    for axes, raster, parts in (
        (panels[0], inputs, ((0, inputs.shape[1], INPUT),)),
        (panels[1], liquid, ((0, excitatory, EXCITATORY), (excitatory, liquid.shape[1], INHIBITORY))),
    ):
        for begin, end, colour in parts:
            times, neurons = np.nonzero(raster[:, begin:end])
            axes.plot(times, neurons + begin, linestyle="", marker=",", color=colour)
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
