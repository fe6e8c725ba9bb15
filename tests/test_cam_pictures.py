"""Pictures of the memory: written for every size, with every operation's text inside the picture."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from reference_cam import simulate

from neurodeploy.cam import pictures
from neurodeploy.cam.decoding import decode
from neurodeploy.cam.experiments import (
    Experiment,
    from_operations,
    functional,
    learn,
    random,
    recall_content,
    recall_cue,
    state_map,
    stress,
)
from neurodeploy.cam.model import POPULATION_NAMES
from neurodeploy.cam.operations import Operation

STAMP = "executed by: float (spinnaker rules)"


def far_apart() -> Experiment:
    return from_operations([learn(0, 0, 1), recall_cue(200_000, 0)], 5, 10)


def many_far_apart() -> Experiment:
    return random(1, operations=120, spacing=400)


def bursts() -> Experiment:
    """Twenty operations in a row, three seconds of silence, and again."""
    one = random(2, operations=20, spacing=7).operations
    moved = [Operation(o.time_ms + 3000, o.kind, o.cue, o.content) for o in one]
    return from_operations([*one, *moved], 5, 10)


def one_of_each() -> Experiment:
    return from_operations([learn(0, 0, 0), recall_cue(20, 0), recall_content(40, 0)], 1, 1)


def draw(experiment: Experiment, path: Path, monkeypatch: pytest.MonkeyPatch, spikes=None) -> Figure:
    """Draw the raster, and hand back the figure as it was saved."""
    saved = []
    savefig = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *a, **k: (saved.append(figure), savefig(figure, *a, **k))
    )
    spikes = simulate(experiment).spikes if spikes is None else spikes
    pictures.raster(experiment, decode(experiment, spikes), spikes, STAMP, path)
    return saved[0]


def words_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize(
    "experiment",
    [
        functional(),
        stress(),
        state_map(),
        one_of_each(),
        random(0, operations=150),
        many_far_apart(),
        bursts(),
    ],
    ids=["functional", "stress", "state-map", "one-of-each", "hundreds", "many-far-apart", "bursts"],
)
def test_rasters_of_every_length_keep_their_text_inside(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {name: (np.array([], int), np.array([], int)) for name in POPULATION_NAMES}
    spikes = silent if experiment.duration_ms > 5000 else None
    figure = draw(experiment, tmp_path / "raster.png", monkeypatch, spikes)
    height, width, _ = imread(tmp_path / "raster.png").shape
    assert 800 <= width <= 4000 and 300 <= height <= 9000
    FigureCanvasAgg(figure)
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    (title,) = (text.get_window_extent(renderer) for text in figure.texts)
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent(renderer)
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= title.y0, text.get_text()
        boxes = [text.get_window_extent(renderer) for text in axes.texts if text.get_rotation()]
        boxes.sort(key=lambda box: box.x0)
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_every_operation_and_answer_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for experiment in (functional(), stress()):
        with monkeypatch.context() as patch:
            written = words_of(draw(experiment, tmp_path / "raster.png", patch))
        for operation in experiment.operations:
            same = [one for one in experiment.operations if one.words == operation.words]
            assert written.count(operation.words) == len(same)
        assert sum(word.startswith("→") for word in written) == len(experiment.operations)
    assert set(POPULATION_NAMES) <= set(written)


def test_forgotten_elements_and_wrong_answers_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        assert "→ {3} {1,3,4,8} forgets {5,6}" in words_of(draw(functional(), tmp_path / "a.png", patch))
    recall = from_operations([learn(0, 0, 1), recall_cue(20, 0)], 2, 3)
    spikes = dict(simulate(recall).spikes)
    times, neurons = spikes["OUT_content"]
    with monkeypatch.context() as patch:
        spikes["OUT_content"] = (times, np.where(times == 26, 2, neurons))
        assert "→ {0} {2}, not {0} {1}" in words_of(draw(recall, tmp_path / "b.png", patch, spikes))
    with monkeypatch.context() as patch:
        spikes["OUT_content"] = (np.append(times, 28), np.append(neurons, 1))
        assert "→ {0} {1}, but with spikes at wrong times" in words_of(
            draw(recall, tmp_path / "c.png", patch, spikes)
        )


def test_the_title_says_what_executed_it_and_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = draw(state_map(), tmp_path / "raster.png", monkeypatch)
    title = figure.texts[0].get_text()
    assert STAMP in title and "16 cues, 6 content elements" in title and "20 of 20 answers right" in title


def test_a_raster_of_a_thousand_cues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = random(0, cues=1000, contents=1000, operations=6)
    generator = np.random.default_rng(0)
    spikes = {
        name: (generator.integers(0, 100, 500), generator.integers(0, 1 if name == "int" else 1000, 500))
        for name in POPULATION_NAMES
    }
    figure = draw(experiment, tmp_path / "raster.png", monkeypatch, spikes)
    assert max(map(len, words_of(figure))) <= pictures.LONGEST_TEXT


def test_operations_far_apart_do_not_make_an_endless_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {name: (np.array([], int), np.array([], int)) for name in POPULATION_NAMES}
    assert len(draw(far_apart(), tmp_path / "raster.png", monkeypatch, silent).axes) == 2


@pytest.mark.parametrize(("cues", "contents"), [(1, 1), (5, 10), (1, 200), (1000, 1000)])
def test_weights_of_every_size(cues: int, contents: int, tmp_path: Path) -> None:
    forward = np.zeros((cues, contents))
    forward[-1, -1] = 6.0
    path = tmp_path / "weights.png"
    pictures.weights((cues, contents), forward, forward.T, STAMP, path)
    image = imread(path)
    assert 250 <= image.shape[0] <= 2000 and 800 <= image.shape[1] <= 3000
    blank = tmp_path / "blank.png"
    pictures.weights((cues, contents), 0 * forward, 0 * forward.T, STAMP, blank)
    if cues < 1000:  # a single weight among a million is smaller than a pixel
        assert not np.array_equal(image, imread(blank))


def test_weights_mark_the_firing_threshold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: saved.append(figure))
    pictures.weights((2, 3), np.zeros((2, 3)), np.zeros((3, 2)), STAMP, tmp_path / "weights.png")
    bar = saved[0].axes[-1]
    assert 3.358 in [line.get_ydata()[0] for line in bar.lines]
    assert any("3.358" in label.get_text() for label in bar.get_yticklabels())


def test_importing_the_pictures_does_not_import_matplotlib() -> None:
    code = "import sys, neurodeploy.cam.pictures; sys.exit(any(m in sys.modules for m in ('matplotlib', 'pyNN')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
