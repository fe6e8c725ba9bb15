"""Two liquids that formed by the same snapshots, in pictures."""

from __future__ import annotations

from os import PathLike

import numpy as np

COLOURS = "#1f4e79", "#b35900"
"""Of the exact side, and of Loihi's."""

BINS = 50

POINTS = 200
"""Values a curve is averaged into."""


def _bare(axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def weights(sides: dict[str, dict[str, np.ndarray]], path: str | PathLike[str]) -> None:
    """Histograms of the weights of both sides by the population that they come from; a vertical line at each mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    names = list(next(iter(sides.values())))
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        edges = np.histogram_bin_edges(np.concatenate([side[name] for side in sides.values()]), bins=BINS)
        for (label, side), colour in zip(sides.items(), COLOURS, strict=True):
            axes.hist(side[name], bins=edges, histtype="step", color=colour, label=label)
            axes.axvline(side[name].mean(), color=colour, linewidth=0.8, linestyle=":")
        axes.set_xlabel(f"weight from {name} (model volts)", fontsize=9)
        _bare(axes)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    figure.supylabel("synapses", fontsize=9)
    figure.savefig(path, dpi=100, pil_kwargs={"compress_level": 1})


def formation(
    sides: dict[str, tuple[np.ndarray, np.ndarray]], milliseconds: int, path: str | PathLike[str]
) -> None:
    """Liquid activity, and the astrocyte at the end of each snapshot, of both sides."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for (label, (liquid, astrocyte)), colour in zip(sides.items(), COLOURS, strict=True):
        for axes, values in ((above, liquid / milliseconds), (below, astrocyte)):
            size = max(1, len(values) // POINTS)
            rows = len(values) // size * size
            axes.plot(
                (np.arange(rows // size) + 0.5) * size,
                values[:rows].reshape(-1, size).mean(axis=1),
                color=colour,
                label=label,
                linewidth=1,
            )
    above.set_ylabel("spikes per ms")
    above.set_ylim(0)
    above.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0.2)
    below.set_ylabel("astrocyte")
    below.set_xlabel("snapshot")
    for axes in (above, below):
        _bare(axes)
    figure.savefig(path, dpi=100, pil_kwargs={"compress_level": 1})
