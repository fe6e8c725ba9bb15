"""Where two sides part, as a picture: the spikes of the populations that differ, shared ones and lone ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neurodeploy.comparison.divergence import PopulationComparison
    from neurodeploy.comparison.pairs import Pair

MOST_ROWS = 8
"""Populations drawn: the first that part."""

COLOURS = {"both": "#b8b8b8", "first": "#1b6ca8", "second": "#c8452c"}


def shared_and_lone(pair: Pair, population: PopulationComparison) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes that ``both`` sides have, and those of one side alone: steps of the first side, and neurons."""
    mine = set(zip(*(part.tolist() for part in pair.first.spikes[population.label]), strict=True))
    theirs = {
        (time - population.shift, neuron)
        for time, neuron in zip(
            *(part.tolist() for part in pair.second.spikes[population.label]), strict=True
        )
    }
    found = {}
    for name, spikes in (("both", mine & theirs), ("first", mine - theirs), ("second", theirs - mine)):
        places = np.array(sorted(spikes), dtype=np.int64).reshape(-1, 2)
        found[name] = (places[:, 0], places[:, 1])
    return found


def rasters(pair: Pair, path: Path) -> None:
    """Draw the populations that differ; a spike that both sides have is grey, the others have a side's colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parted = [one for one in pair.aligned.populations if one.differing][:MOST_ROWS]
    step = pair.first.network.time_step
    figure = Figure(figsize=(10, 1.1 + 1.1 * len(parted)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(parted), 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(rows, parted, strict=True):
        for name, (steps, neurons) in shared_and_lone(pair, one).items():
            axes.plot(steps * step, neurons, "|", color=COLOURS[name], markersize=7, markeredgewidth=1.4)
        axes.set_ylabel(one.label, rotation=0, ha="right", va="center")
        axes.margins(y=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    parted_at = pair.aligned.first_divergence
    if parted_at:
        for axes in rows:
            axes.axvline(parted_at.step * step, color="black", linewidth=0.7, linestyle=":")
    rows[-1].set_xlabel("ms, in the time of the first side")
    names = {"both": "both", "first": pair.first.side.name, "second": pair.second.side.name}
    handles = [
        rows[0].plot([], [], "|", color=COLOURS[key], markeredgewidth=2, label=names[key])[0] for key in names
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
