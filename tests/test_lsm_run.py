"""What ``run lsm`` says and draws of what it found; nothing is simulated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.lsm import (
    application,
    learning_application,
    learning_pictures,
    measures,
    pictures,
    published,
)
from neurodeploy.lsm.application import Watched
from neurodeploy.lsm.data import Dataset, Images
from neurodeploy.lsm.model import SAMPLE_MS, Design, build

RESULTS = Path(__file__).parents[1] / "docs" / "results"

DIGITS = Images(np.zeros((3, 9), np.uint8), np.arange(3))


def spikes(neurons: int) -> np.ndarray:
    return np.random.default_rng(neurons).random((SAMPLE_MS, neurons)) < 0.05


@pytest.mark.parametrize(
    "variant, plastic, drawn",
    [("nalsm", True, True), ("nalsm", False, False), ("lsm-stdp", True, False)],
)
def test_an_astrocyte_is_drawn_where_one_was_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, plastic: bool, drawn: bool
) -> None:
    """Frozen features have none, and neither has a liquid without it."""
    traces = []
    monkeypatch.setattr(
        pictures, "sample", lambda inputs, liquid, excitatory, trace, *_: traces.append(trace)
    )
    design = Design(27, 9, variant)
    watched = Watched(spikes(9), spikes(27), [1.0], 0.0)
    dataset = Dataset("digits", DIGITS, DIGITS, 1)
    application.draw(
        tmp_path, design, [build(design)], [], [watched], plastic, dataset, np.zeros(3, np.int64)
    )
    if drawn:
        np.testing.assert_array_equal(
            traces[0], measures.astrocyte_trace(design, watched.inputs, watched.liquid)
        )
    else:
        assert traces == [None]


def test_silent_samples_are_left_out_of_the_branching_factor() -> None:
    """They have none; where all are silent, neither has the liquid."""

    def watched(*factors: float | None) -> Watched:
        return Watched(spikes(9), spikes(27), list(factors), 0.0)

    assert watched(1.0, None, 2.0, None).branching == 1.5 and watched(0.0, 1.0).branching == 0.5
    assert watched(None, None).branching is None
    assert application.mean_branching([watched(1.0), watched(None), watched(2.0, None)]) == 1.5


@pytest.mark.parametrize(
    "factors, mean", [([[1.2, None, 0.8]], 1.0), ([[None, None]], None), ([[1.1, 0.8], [1.3, None]], 1.125)]
)
def test_pictures_of_measures(tmp_path: Path, factors: list, mean: float | None) -> None:
    pictures.branching(factors, mean, tmp_path / "branching.png")
    ranks = {"clean": np.array([14, 15]), "noisy": np.array([9, 10])}
    pictures.kernel_quality(ranks, tmp_path / "kernel-quality.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 2000


@pytest.mark.parametrize(
    "values, low, high", [([2.0, 12.0], 0.0, 13.2), ([-1.0, 1.0], -1.2, 1.2), ([0.0, 0.0], 0.0, 1.0)]
)
def test_curves_end_below_the_top_of_their_panel(values: list, low: float, high: float) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.plot(values)
    pictures._from_zero(axes)
    assert axes.get_ylim() == pytest.approx((low, high))


@pytest.mark.parametrize(
    "by, label", [("lava", "Loihi's rules in Lava"), ("reference", "Loihi's rules in NumPy")]
)
def test_a_liquid_that_learned_is_called_what_executed_it(tmp_path: Path, by: str, label: str) -> None:
    """Not 'Loihi', where no Loihi and no Lava was asked."""
    drawn = []
    side = learning_application.Side({"input": np.arange(5.0)}, np.arange(3), np.arange(3.0))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("weights", "formation"):
            patch.setattr(learning_pictures, name, lambda sides, *_: drawn.append(list(sides)))
        learning_application.draw(tmp_path, side, side, learning_application.BY[by])
    assert drawn == [["Brian2", label]] * 2


def test_decisions_have_a_column_for_each_side(tmp_path: Path) -> None:
    one, other = np.array([1, 2]), np.array([0, 2])
    path = tmp_path / "decisions.csv"
    application.write_decisions(path, one, taken_for=other, taken_for_in_floating_point=one)
    assert path.read_text() == "image,class,taken_for,taken_for_in_floating_point\n0,1,0,1\n1,2,2,2\n"


def of_results(name: str, **other) -> dict:
    """A committed run, of one liquid where it is older than several; `other` is what one says that differs."""
    return {"liquids": 1} | json.loads((RESULTS / f"{name}.json").read_text())["metrics"] | other


def test_the_authors_figure_stands_beside_what_they_did() -> None:
    for name, theirs in {
        "lsm-mnist-1000-plastic-soft": (95.96, 0.13),
        "lsm-mnist-1000-frozen-adadelta-seed0": (95.96, 0.13),
        "lsm-mnist-1000-lsm-seed0": (95.30, 0.10),
        "lsm-mnist-1000-ap-stdp-seed0": (95.49, 0.09),
        "lsm-mnist-8000-frozen-soft-seed1": (97.49, 0.11),
    }.items():
        assert published.accuracy(of_results(name)) == theirs, name


@pytest.mark.parametrize(
    "other",
    [
        {"training_samples": 5_000, "validation_samples": 1_000},
        {"test_samples": 1_000},
        {"readout": "refitted"},
        {"liquids": 8},
        {"snapshots": 200},
        {"start_weight": 1.0},
        {"astrocyte_weight": 0.1},
        {"astrocyte_density": 0.5},
        {"neurons": 125},
        {"dataset": "nmnist-simulated"},
    ],
)
def test_the_authors_figure_stands_beside_nothing_else(other: dict) -> None:
    assert published.accuracy(of_results("lsm-mnist-1000-plastic-soft", **other)) is None


def test_the_page_has_the_authors_figures_beside_the_run() -> None:
    """Of every variant of that set and size, in their order; and it says where the run is not what they did."""
    table, words = published.beside(of_results("lsm-mnist-1000-frozen-soft-seed1")).blocks
    assert table.rows[0] == ("this run", "nalsm, frozen features, soft read-out", "1,000", "95.77", "96.27")
    assert [row[:2] for row in table.rows[1:]] == [
        ("authors, whole set", variant) for variant in ("nalsm", "lsm-ap-stdp", "lsm", "lsm-stdp")
    ]
    assert table.rows[1][3] == "95.96 ± 0.13" and "do not compare" not in words.lines[0]
    few = published.beside(of_results("lsm-mnist-1000-first-6000-lsm")).blocks
    assert len(few[0].rows) == 5 and "do not compare: other training samples" in few[1].lines[0]
    several = of_results("lsm-fashion-mnist-8x1000-frozen-chosen-training-maximum-seed0")
    table, words = published.beside(several).blocks
    assert len(table.rows) == 1 and table.rows[0][2] == "8 × 1,000" and "no figure" in words.lines[0]
