"""The memory in pictures: the raster with what was asked and answered, and the two learned weight matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from neurodeploy.cam.decoding import Judged
from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.model import FIRING_THRESHOLD_NA, POPULATION_NAMES
from neurodeploy.cam.operations import Answer, set_words

RIGHT, WRONG = "#00685e", "#b3001b"
LEARN, RECALL, WRONG_SHADE = "#cfe3f5", "#f3e6c4", "#f2b8bf"
"""Colours that differ in lightness too, so that they can be told apart without colour vision."""

WRITTEN = 120
"""Experiments of more operations have them shaded, but not written out."""

WIDTH = 16
"""Inches of a raster."""

ROW_MS = 210
"""ms a row of a raster whose operations are written out: some fifteen operations."""

MOST_ROWS = 12
"""Rows of a raster; operations far apart share a row all the same."""

LONGEST_TEXT, LETTER, LINE = 44, 0.069, 0.16
"""Letters of the longest text above a raster (what is longer ends in an ellipsis); inches of a letter and of a line."""

FAST_PNG = {"compress_level": 1}
"""Half the time to write, for some more bytes."""

Spikes = Mapping[str, tuple[np.ndarray, np.ndarray]]


def raster(
    experiment: Experiment, judged: Sequence[Judged], spikes: Spikes, stamp: str, path: str | PathLike[str]
) -> None:
    """Every spike of every population, with the operations and the answers written above it.

    Parameters
    ----------
    experiment : Experiment
    judged : sequence of Judged
    spikes : dict of str to (ndarray, ndarray)
        Population name -> (times in ms, neuron numbers).
    stamp : str
        What executed the run.
    path : path
        PNG.
    """
    from matplotlib.figure import Figure

    written = len(judged) <= WRITTEN
    rows = round(experiment.duration_ms / ROW_MS) if written else 1
    rows = min(max(rows, 1), max(len(judged), 1), MOST_ROWS)
    texts = [_texts(one) if written else ("", "") for one in judged]
    longest = max((len(text) for pair in texts for text in pair), default=0)
    words, band = 0.2 + LETTER * longest, 4.6  # inches above a row, and of the row itself
    height = 0.6 + rows * (words + band + 0.35) + 0.3
    figure = Figure(figsize=(WIDTH, height))
    margins = {
        "left": 1.1 / WIDTH,
        "right": 0.995,
        "top": 1 - (0.6 + words) / height,
        "bottom": 0.55 / height,
    }
    spaces = {**margins, "hspace": (words + 0.35) / band}
    edges = _row_edges(experiment, rows)
    widest = np.diff(edges).max()
    line = LINE * widest / (WIDTH - 1.2)  # ms that a line of text takes
    widest += max(0.0, 2 * line - 6)  # after the last operation
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False, gridspec_kw=spaces)[:, 0]):
        begin, end = edges[row], edges[row + 1]
        _bands(axes, experiment, spikes, begin, end, marker_size=max(3.0, 26 - rows if written else 3.0))
        shown = [k for k, one in enumerate(judged) if begin <= one.operation.time_ms < end]
        _operations(axes, [judged[k] for k in shown], [texts[k] for k in shown], line)
        axes.set_xlim(begin - 1, begin + widest)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    axes.set_xlabel("time (ms)")
    right = sum(one.correct for one in judged)
    size = f"{experiment.cues} cues, {experiment.contents} content elements"
    title = f"Content-addressable memory, {experiment.name}: {size}; {right} of {len(judged)} answers right"
    figure.text(0.01, 1 - 0.1 / height, f"{title}\n{stamp}", ha="left", va="top", fontsize=11)
    figure.savefig(path, dpi=80, pil_kwargs=FAST_PNG)


def _bands(
    axes: Any, experiment: Experiment, spikes: Spikes, begin: float, end: float, marker_size: float
) -> None:
    """One band of unit height a population, first population on top, its neurons from the band's top down."""
    names = list(POPULATION_NAMES)
    times, heights, colours = [], [], []
    for band, name in enumerate(names):
        bottom = len(names) - 1 - band
        colour = ("#1f4e79", "#7a4b00")[band % 2]
        when, who = (np.asarray(column) for column in spikes.get(name, ((), ())))
        shown = (when >= begin) & (when < end)
        when, who = when[shown], who[shown]
        size = {"int": 1}.get(name, experiment.cues if name.endswith("cue") else experiment.contents)
        times.append(when)
        heights.append(bottom + 0.9 - 0.8 * (who + 0.5) / size)
        colours += [colour] * len(when)
    axes.hlines(range(len(names)), begin - 1, end, color="#dddddd", linewidth=0.6, zorder=0)
    axes.scatter(
        np.concatenate(times),
        np.concatenate(heights),
        c=colours,
        s=marker_size,
        marker="|",
        linewidths=1.6,
        zorder=3,
    )
    axes.yaxis.set_visible(False)  # names as plain text: a tick costs more time than all of a band's spikes
    for band, name in enumerate(names):
        axes.text(begin - 1.5, len(names) - 0.5 - band, name, ha="right", va="center", fontsize=10)
    axes.set_ylim(0, len(names))


def _row_edges(experiment: Experiment, rows: int) -> list[float]:
    """Where `rows` rows of a raster begin and end, ms: evenly, but never in the middle of an operation."""
    starts = np.array([operation.time_ms for operation in experiment.operations])
    even = np.arange(1, rows) * experiment.duration_ms / rows
    latest = starts[np.maximum(np.searchsorted(starts, even) - 1, 0)]
    cut = (latest < even) & (even < latest + 8)
    return [0.0, *np.where(cut, latest, even).tolist(), float(experiment.duration_ms)]


def _operations(axes: Any, judged: Sequence[Judged], texts: Sequence[tuple[str, str]], line: float) -> None:
    """Shade each operation from its first input spike to its last answer, and say what was asked and answered.

    A line of text takes `line` ms; where operations are too close for that, only the first is written out.
    """
    top = len(POPULATION_NAMES)
    spans = [(one.operation.time_ms - 0.4, 7.8 if one.operation.kind == "learn" else 6.8) for one in judged]
    shades = [
        (LEARN if one.operation.kind == "learn" else RECALL) if one.correct else WRONG_SHADE for one in judged
    ]
    axes.broken_barh(spans, (0, top), facecolors=shades, linewidth=0, zorder=1)
    place = {"rotation": 90, "va": "bottom", "ha": "left", "fontsize": 8, "clip_on": False}
    second, free = max(3.0, line), -np.inf
    for one, (asked, answered) in zip(judged, texts, strict=True):
        start = one.operation.time_ms
        if asked and start >= free:
            axes.text(start + 0.2, top + 0.1, asked, color="#333333", **place)
            axes.text(
                start + 0.2 + second, top + 0.1, answered, color=RIGHT if one.correct else WRONG, **place
            )
            free = start + second + line


def _texts(judged: Judged) -> tuple[str, str]:
    """What was asked, and what was answered; a wrong answer says what was expected."""
    given, expected = _words(judged.answer), _words(judged.expected)
    answer = f"→ {given}"
    if not judged.correct:
        answer += f", not {expected}" if given != expected else ", but with spikes at wrong times"
    shortened = [
        text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
        for text in (judged.operation.words, answer)
    ]
    return shortened[0], shortened[1]


def _words(answer: Answer) -> str:
    words = f"{set_words(answer.cues, most=4)} {set_words(answer.contents, most=6)}"
    return words + (f" forgets {set_words(answer.ghosts, most=6)}" if answer.ghosts else "")


def weights(
    sizes: tuple[int, int],
    forward: np.ndarray,
    backward: np.ndarray,
    stamp: str,
    path: str | PathLike[str],
) -> None:
    """The learned weights of both directions, cue by content element, in nA.

    Parameters
    ----------
    sizes : (int, int)
        Cues m and content elements n.
    forward : ndarray, shape (m, n)
        S1cue → S1cont: recall by cue.
    backward : ndarray, shape (n, m)
        S2cont → S2cue: recall by content; drawn transposed, so that an item is a row in both pictures.
    stamp : str
        What executed the run.
    path : path
        PNG.
    """
    from matplotlib.figure import Figure

    cues, contents = sizes
    tall = float(np.clip(2.2 + 0.22 * cues, 3.2, 9))
    figure = Figure(figsize=(11, tall), layout="constrained")
    pictures = figure.subplots(1, 2, sharey=True)
    titles = ("S1cue → S1cont (recall by cue)", "S2cont → S2cue (recall by content)")
    for axes, matrix, title in zip(pictures, (forward, backward.T), titles, strict=True):
        image = axes.imshow(
            matrix, vmin=0, vmax=6, cmap="cividis", aspect="auto", interpolation="nearest", origin="upper"
        )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("content element")
        axes.set_xticks(_ticks(contents))
    pictures[0].set_ylabel("cue")
    pictures[0].set_yticks(_ticks(cues))
    bar = figure.colorbar(image, ax=pictures, fraction=0.03, pad=0.02)
    bar.set_label("weight (nA)")
    fires = FIRING_THRESHOLD_NA
    bar.set_ticks([0, 1, 2, fires, 5, 6], labels=["0", "1", "2", f"fires from\n{fires}", "5", "6"])
    bar.ax.axhline(fires, color="white", linewidth=1.5)
    figure.suptitle(f"Learned weights; {stamp}", x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=100, pil_kwargs=FAST_PNG)


def _ticks(size: int) -> np.ndarray:
    """Some ten whole numbers below `size`."""
    return np.arange(0, size, max(1, int(np.ceil(size / 16))))
