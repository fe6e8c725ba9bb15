"""The pictures of a board's report: what was expected as lines, what was found as dots."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

EXPECTED, FOUND, WRONG = "#8a8a8a", "#00685e", "#b3001b"
"""Colours that differ in lightness too, so that they can be told apart without colour vision."""

SIZE = (7.2, 3.4)
"""Inches."""

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "neurodeploy",
}

Series = dict[str, Any]


def draw(name: str, series: Series) -> bytes:
    """The picture `name` of `series` as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        PICTURES[name](figure, series)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": "neurodeploy"})
    return file.getvalue()


def expected_found(figure: Any, series: Series) -> None:
    """Found over asked; what never came lies at the bottom."""
    axes = figure.subplots()
    asked = np.array(series["asked"], dtype=float)
    found = np.array([np.nan if value is None else value for value in series["found"]], dtype=float)
    right = found == asked
    line = [asked.min(), asked.max()]
    axes.plot(line, line, color=EXPECTED, linewidth=1, label="expected")
    axes.plot(asked[right], found[right], ".", color=FOUND, markersize=5, label=f"as expected: {right.sum()}")
    late = ~right & ~np.isnan(found)
    if late.any():
        axes.plot(asked[late], found[late], "x", color=WRONG, label=f"elsewhere: {late.sum()}")
    gone = np.isnan(found)
    if gone.any():
        axes.plot(
            asked[gone], np.full(gone.sum(), line[0]), "v", color=WRONG, label=f"never came: {gone.sum()}"
        )
    axes.set(xscale="log", yscale="log", xlabel="delay, ms", ylabel="arrival after the spike, ms")
    axes.legend(frameon=False)


def weights(figure: Any, series: Series) -> None:
    """Left the current of single weights, right that of growing sums."""
    left, right = figure.subplots(1, 2)
    asked, found = (np.array(series[name], dtype=float) for name in ("asked", "found"))
    shown = found > 0
    line = [asked.min(), asked.max()]
    left.plot(line, line, color=EXPECTED, linewidth=1, label="expected")
    left.plot(asked[shown], found[shown], ".", color=FOUND, markersize=3, label="found")
    left.set(xscale="log", yscale="log", xlabel="weight, nA", ylabel="weight that acted, nA")
    left.legend(frameon=False)
    added, summed = (np.array(series[name], dtype=float) for name in ("added", "summed"))
    full = (1 << 16) - 1
    right.plot(added, np.minimum(added, full), color=EXPECTED, linewidth=1, label="expected")
    right.plot(added, summed, "o", color=FOUND, markersize=4, label="found")
    right.axhline(full, color=EXPECTED, linestyle=":", linewidth=1)
    right.set(xlabel="sum of the weights of a step, units", ylabel="sum that acted, units")
    right.legend(frameon=False)


def stdp(figure: Any, series: Series) -> None:
    """A curve for each rule: the equation as a line, the board's weights as dots."""
    curves = series["curves"]
    distance, start = np.array(series["distance"]), series["start"]
    for axes, (name, curve) in zip(
        figure.subplots(1, len(curves), sharey=True, squeeze=False)[0], curves.items(), strict=True
    ):
        axes.axhline(0, color=EXPECTED, linewidth=0.5)
        axes.axvline(0, color=EXPECTED, linewidth=0.5)
        for side in (distance > 0, distance <= 0):
            axes.plot(
                distance[side],
                np.array(curve["equation"])[side] - start,
                color=EXPECTED,
                linewidth=1,
                label="equation" if side[-1] else None,
            )
        axes.plot(distance, np.array(curve["found"]) - start, ".", color=FOUND, markersize=4, label="found")
        axes.set(title=name, xlabel="post − pre, at the synapse, ms")
        axes.legend(frameon=False)
    figure.axes[0].set_ylabel("change of the weight, nA")


def raster(figure: Any, series: Series) -> None:
    """Every spike of every population."""
    axes = figure.subplots()
    offsets = np.concatenate([[0], np.cumsum(np.array(series["sizes"]) + 1)])
    height = offsets[np.array(series["row"], dtype=int)] + np.array(series["neuron"], dtype=int)
    axes.plot(series["ms"], height, "|", color=FOUND, markersize=3, markeredgewidth=0.7)
    middle = offsets[:-1] + np.array(series["sizes"]) / 2
    axes.set_yticks(middle, series["labels"], fontsize=7)
    axes.set(xlabel="ms", ylim=(offsets[-1], -1))
    axes.tick_params(axis="y", length=0)


def ladder(figure: Any, series: Series) -> None:
    """Load of each rung, and the first that was too much."""
    axes = figure.subplots()
    events, place = np.array(series["events"], dtype=float), np.arange(len(series["rung"]))
    lost = np.array([bool(text) for text in series["lost"]])
    axes.barh(place[~lost], events[~lost], color=FOUND, label="nothing late or lost")
    if lost.any():
        axes.barh(place[lost], events[lost], color=WRONG, label="late or lost: the knee")
    axes.set_yticks(place, series["rung"], fontsize=7)
    axes.set(xscale="log", xlabel="synaptic events a core and ms")
    axes.legend(frameon=False, loc="lower right")


def times(figure: Any, series: Series) -> None:
    """Seconds of each load and of a run after it."""
    axes = figure.subplots()
    place = np.arange(1, len(series["load"]) + 1)
    axes.plot(place, series["load"], "o-", color=FOUND, markersize=4, label="start of the tools")
    axes.plot(place, series["run"], "s-", color=EXPECTED, markersize=4, label="load and run")
    axes.set(xlabel="load", ylabel="wall clock, s", ylim=(0, None))
    axes.legend(frameon=False)


PICTURES: dict[str, Callable[[Any, Series], None]] = {
    "expected-found": expected_found,
    "weights": weights,
    "stdp": stdp,
    "raster": raster,
    "ladder": ladder,
    "times": times,
}
"""By the name that a test gives."""
