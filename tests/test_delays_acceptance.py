"""Acceptance cases 8, 9, 10, 12, 13 and 15 of the motion detectors on the layer that comes along: minutes of a processor.

``pytest -m acceptance tests/test_delays_acceptance.py``; ordinary runs leave them out.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.delays import images
from neurodeploy.delays.evaluation import Score, TestSet, calibrate, evaluate
from neurodeploy.delays.layer import shipped
from neurodeploy.delays.motion_clouds import CONDITIONS, SCANS, CloudSettings
from neurodeploy.delays.movies import MovieSettings
from neurodeploy.delays.synapses import collapse, permute_delays, prune, quantise, shorten

pytestmark = pytest.mark.acceptance

RESULTS = Path(__file__).parents[1] / "docs" / "results"

MOVIES = 40
DELAYS = (1, 4, 7, 10, 13, 17)
SYNAPSES = (200, 2000, 8000, 14096, 80000)


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """Movies of 64 x 64 pixels and 60 ms over images that training never saw."""
    pytest.importorskip("skimage", reason="the extra 'delays' is not installed")
    pytest.importorskip("sklearn", reason="the extra 'delays' is not installed")
    layer = shipped()
    pruned = prune(layer, 8000)
    variants = {f"{n} synapses": prune(layer, n) for n in SYNAPSES}
    variants |= {f"{k} delays": shorten(layer, k) for k in DELAYS}
    variants |= {"whole": layer, "collapsed": collapse(pruned)}
    variants["permuted"] = permute_delays(pruned, np.random.default_rng(0))
    frame = MovieSettings(64, 64, 60, None)
    test = TestSet(images.embedded(test=True), layer.motions, frame, MOVIES, 0, (3, 4, 4))
    return evaluate(variants, test)


def test_case_8_held_out_images_are_decided_right(scores: dict[str, Score]) -> None:
    assert max(scores[f"{n} synapses"].accuracy for n in SYNAPSES) >= 0.80


def test_case_9_delays_carry_the_task(scores: dict[str, Score]) -> None:
    assert scores["1 delays"].accuracy <= 0.20
    assert scores["collapsed"].accuracy <= 0.15 and scores["permuted"].accuracy <= 0.15
    shares = np.array([scores[f"{k} delays"].accuracy for k in DELAYS] + [scores["whole"].accuracy])
    assert np.all(np.diff(shares) > -2 * np.sqrt(0.25 / MOVIES))
    half = shares.max() / 2
    assert shares[1] < half <= shares[4]  # between 4 and 13 delays of 21


def test_case_10_pruning_keeps_what_matters(scores: dict[str, Score]) -> None:
    shares = {n: scores[f"{n} synapses"].accuracy for n in SYNAPSES}
    peak = max(shares.values())
    assert shares[14096] >= peak - 0.10 and shares[2000] > peak / 2  # 4.6e-3 of the weights
    assert shares[14096] > scores["1 delays"].accuracy + 0.3  # a delay alone has as many
    assert shares[80000] > scores["4 delays"].accuracy + 0.3


def test_case_12_few_bits_cost_little() -> None:
    """The specified trap, 4 bits up to the largest weight, leaves a sixth of the synapses but is none on this layer."""
    layer = prune(shipped(), 6227)
    variants = {"float": layer, "8": quantise(layer, 8).layer, "4": quantise(layer, 4).layer}
    frame = MovieSettings(64, 64, 60, None)
    test = TestSet(images.embedded(test=True), layer.motions, frame, 200, 0, (3, 4, 4))
    share = {bits: score.accuracy for bits, score in evaluate(variants, test).items()}
    assert share["8"] >= share["float"] - 0.03 and share["4"] >= share["float"] - 0.05
    assert quantise(layer, 4, None).layer.synapses < layer.synapses / 5


@pytest.mark.parametrize("synapses", [652, 8000])
def test_case_13_counts_decide_as_well_as_the_evidence(synapses: int) -> None:
    layer = {"": prune(shipped(), synapses)}
    frame = MovieSettings(64, 64, 60, None)
    test = TestSet(images.embedded(test=True), layer[""].motions, frame, MOVIES, 0, (3, 4, 4))
    thresholds, _ = calibrate(layer, test.calibration(images.embedded()))[""]
    counts = evaluate(layer, test, {"": thresholds})[""].accuracy
    assert counts >= evaluate(layer, test)[""].accuracy - 0.05


def test_case_15_clouds_whose_stripes_are_perpendicular_are_easier_and_blurred_speeds_harder() -> None:
    pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    layer = prune(shipped(), 8000)
    base = CloudSettings(height=64, width=64, steps=100)

    def share(**changes: object) -> float:
        test = TestSet((), layer.motions, replace(base, **changes), 30, 0, (6, 6, 6))  # type: ignore[arg-type]
        return evaluate({"": layer}, test)[""].accuracy

    easy, hard = (share(condition=condition) for condition in CONDITIONS)
    assert easy > hard
    assert share(speed_width=0.5) <= 0.40 < easy


def test_case_15_the_whole_scans_by_the_committed_result() -> None:
    """By ``docs/results/delays-clouds.json``: 140 clouds at each of 24 textures, in both conditions."""
    points = json.loads((RESULTS / "delays-clouds.json").read_text(encoding="utf-8"))["metrics"]["points"]
    share = {(p["scan"], p["value"]): [p[condition]["accuracy"] for condition in CONDITIONS] for p in points}
    assert {scan: [v for s, v in share if s == scan] for scan in SCANS} == {
        s: list(v) for s, v in SCANS.items()
    }
    assert all(easy > hard for easy, hard in share.values())
    by_speed = [share["speed_width", value][0] for value in SCANS["speed_width"]]
    assert by_speed == sorted(by_speed, reverse=True) and by_speed[-1] <= 0.40
    best = max(sum(share["frequency", value]) for value in SCANS["frequency"])
    assert any(sum(share["frequency", v]) == best for v in SCANS["frequency"] if 0.08 <= v <= 0.45)
