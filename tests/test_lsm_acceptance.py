"""Acceptance cases 9 to 12 of the liquid: accuracies, as the committed runs (``docs/results``) have them.

``pytest -m acceptance tests/test_lsm_acceptance.py``; ordinary runs leave them out.  A run of a whole set takes minutes to an
hour, so these tests judge what such runs left; which files, is chosen by what they say of themselves.  Cases 9 and 10 are
judged on the first training and 2,000 test images of MNIST, and on the whole of it.  Pixels alone are learned here, where
``NEURODEPLOY_MNIST`` names the folder of the published files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.lsm import data, readout

pytestmark = pytest.mark.acceptance

RESULTS = Path(__file__).parents[1] / "docs" / "results"

WHOLE = {"training_samples": 50_000, "test_samples": 10_000, "variant": "nalsm"}
FEW = {"dataset": "mnist", "neurons": 1000, "test_samples": 2_000, "seed": 0, "readout": "soft"}


def runs(**facts: object) -> list[dict[str, Any]]:
    """Metrics of the committed runs, of one liquid and a whole astrocyte unless said, that say `facts` of themselves."""
    found = [json.loads(file.read_text())["metrics"] for file in sorted(RESULTS.glob("lsm-*.json"))]
    facts = {"liquids": 1, **facts}
    found = [{"liquids": 1, **one} for one in found if one.get("astrocyte_density") in (1.0, None)]
    chosen = [one for one in found if all(one.get(name) == value for name, value in facts.items())]
    assert chosen, f"no committed run has {facts}"
    return chosen


def percent(**facts: object) -> float:
    """Mean accuracy of these runs."""
    return 100 * float(np.mean([one["accuracy"] for one in runs(**facts)]))


def few(variant: str) -> dict[str, Any]:
    """The run of 5,000 + 1,000 training and 2,000 test images; of ``lsm-stdp``, which has the worse of it, of twice as many."""
    (one,) = runs(**FEW, variant=variant)
    return one


def test_9_plain_stdp_runs_away() -> None:
    wild = few("lsm-stdp")
    assert wild["liquid_hz"] > 150 and wild["branching_factor"] > 1.3
    assert wild["accuracy"] < few("nalsm")["accuracy"] - 0.04


def test_10_the_order_of_the_variants() -> None:
    share = {
        variant: 100 * few(variant)["accuracy"] for variant in ("nalsm", "lsm-ap-stdp", "lsm", "lsm-stdp")
    }
    assert few("lsm")["start_weights_tried"]
    assert share["nalsm"] >= share["lsm"] - 0.3
    assert min(share["nalsm"], share["lsm"]) > share["lsm-stdp"] + 4


def test_10_the_margin_over_a_tuned_liquid_on_the_whole_set() -> None:
    """Means of seeds 0 to 2."""
    same = {"dataset": "mnist", "neurons": 1000, "readout": "soft", "features": "frozen"}
    whole = {**WHOLE, **same, "normalisation": "separate-maximum", "executed_by": "float"}
    order = ("nalsm", "lsm-ap-stdp", "lsm", "lsm-stdp")
    share = {
        name: np.mean([percent(**{**whole, "variant": name, "seed": seed}) for seed in range(3)])
        for name in order
    }
    assert sorted(order, key=lambda name: share[name], reverse=True) == list(order)
    assert share["lsm"] > share["lsm-stdp"] + 4
    assert 0.3 <= share["nalsm"] - share["lsm"] <= 1.0


def test_10_a_liquid_is_better_than_its_pixels() -> None:
    folder = os.environ.get("NEURODEPLOY_MNIST")
    if not folder:
        pytest.skip("NEURODEPLOY_MNIST does not name the folder of the published MNIST files")
    images = data.load("mnist", Path(folder)).first(6_000, 2_000)
    x = readout.features(images.training.images)
    trained = readout.train(x, images.training.labels, images.validation, readout.recipe("soft"))
    said = trained.classes(readout.features(images.test.images, x.largest))
    pixels = float(np.mean(said == images.test.labels))
    assert 0.8 < pixels < min(few(variant)["accuracy"] for variant in ("nalsm", "lsm-ap-stdp", "lsm"))


AUTHORS_WAY = {
    **WHOLE,
    "features": "frozen",
    "readout": "soft",
    "normalisation": "separate-maximum",
    "executed_by": "float",
}


@pytest.mark.parametrize(
    ("dataset", "neurons", "authors", "within"),
    [
        ("mnist", 1000, 95.96, 0.4),
        ("mnist", 8000, 97.49, 0.4),
        ("fashion-mnist", 1000, 83.05, 0.6),
        ("fashion-mnist", 8000, 85.61, 0.6),
    ],
)
def test_11_the_authors_accuracies(dataset: str, neurons: int, authors: float, within: float) -> None:
    assert percent(**AUTHORS_WAY, dataset=dataset, neurons=neurons) == pytest.approx(authors, abs=within)


@pytest.mark.parametrize(
    ("dataset", "neurons", "recipe", "networks", "least"),
    [
        ("mnist", 1000, "soft", 24, 95.9),
        ("fashion-mnist", 1000, "soft", 3, 83.0),
        ("mnist", 8000, "soft", 3, 97.5),
        ("fashion-mnist", 8000, "adadelta", 3, 85.6),
    ],
)
def test_the_reproduction(dataset: str, neurons: int, recipe: str, networks: int, least: float) -> None:
    """Seeds 0 to 2, of MNIST at 1,000 neurons all eight networks of each: the first of each come to 95.83."""
    same = {**AUTHORS_WAY, "dataset": dataset, "neurons": neurons, "readout": recipe}
    seeds = {one["seed"] for one in runs(**same)}
    assert len(seeds) == networks and {seed % 1_000_000 for seed in seeds} == {0, 1, 2}
    assert percent(**same) >= least


def test_the_authors_own_training_of_plastic_features() -> None:
    """Fashion-MNIST at 8,000 neurons, plastic: within the standard deviation of the authors' networks; 0.02 below the bar."""
    same = {**AUTHORS_WAY, "features": "plastic", "readout": "adadelta"}
    whole = {**same, "dataset": "fashion-mnist", "neurons": 8000}
    assert sorted(one["seed"] for one in runs(**whole)) == [0, 1, 2]
    assert percent(**whole) == pytest.approx(85.61, abs=0.18)


@pytest.mark.parametrize("neurons", [1000, 8000])
@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_13_seeds_differ_little(dataset: str, neurons: int) -> None:
    same = {**AUTHORS_WAY, "dataset": dataset, "neurons": neurons}
    assert 0 < float(np.std([100 * one["accuracy"] for one in runs(**same)], ddof=1)) < 0.3


@pytest.mark.parametrize(
    ("dataset", "liquids", "recipe", "normalisation", "least"),
    [
        ("mnist", 1, "refitted", "separate-maximum", 96.4),
        ("mnist", 8, "chosen", "separate-maximum", 98.0),
        ("fashion-mnist", 1, "refitted", "training-maximum", 84.0),
        ("fashion-mnist", 1, "kernel", "separate-maximum", 84.0),
        ("fashion-mnist", 8, "kernel", "training-maximum", 87.0),
    ],
)
def test_past_the_paper(dataset: str, liquids: int, recipe: str, normalisation: str, least: float) -> None:
    """Of 1,000 neurons, and of 8,000 in eight liquids; means of three seeds."""
    same = {**WHOLE, "neurons": 1000, "features": "frozen", "executed_by": "float"}
    asked = {"dataset": dataset, "liquids": liquids, "readout": recipe, "normalisation": normalisation}
    assert sorted(one["seed"] for one in runs(**same, **asked)) == [0, 1, 2]
    assert percent(**same, **asked) >= least


@pytest.mark.parametrize("recipe", ["soft", "hard"])
def test_12_frozen_equals_plastic(recipe: str) -> None:
    same = {
        **WHOLE,
        "dataset": "mnist",
        "neurons": 1000,
        "seed": 0,
        "readout": recipe,
        "executed_by": "float",
    }
    same["normalisation"] = "separate-maximum"
    assert percent(**same, features="frozen") == pytest.approx(percent(**same, features="plastic"), abs=0.5)


def test_kernel_quality_is_the_authors() -> None:
    """Of frozen features, where their ten networks have plastic ones: 994.2 ± 0.2 clean, 986.4 ± 2.8 noisy."""
    found = json.loads((RESULTS / "kernel-quality-mnist-1000.json").read_text())["metrics"]
    assert found["counts_sha256"] in {
        one["counts_sha256"] for one in runs(**AUTHORS_WAY, dataset="mnist", seed=0)
    }
    assert found["kernel_quality"]["clean"] == pytest.approx(994.2, abs=1)
    assert found["kernel_quality"]["noisy"] == pytest.approx(986.4, abs=2 * 2.8)


@pytest.mark.parametrize("rules", ["loihi2", "spinnaker-fixed"])
def test_chip_arithmetic_is_within_0_3_of_floating_point(rules: str) -> None:
    """Eight bits of Loihi among them: case 12 asks 0.5."""
    same = {**WHOLE, "dataset": "mnist", "neurons": 1000, "seed": 0, "readout": "hard"}
    (chip,) = runs(**same, rules=rules)
    assert chip["executed_by"] == "chip arithmetic"
    assert 100 * chip["accuracy"] == pytest.approx(
        percent(**same, executed_by="float", features="frozen"), abs=0.3
    )


@pytest.mark.parametrize("backend", ["spinnaker", "loihi"])
def test_50_images_on_the_chips_tools_have_the_engines_counts(backend: str) -> None:
    (tools,) = runs(backend=backend, dataset="mnist", neurons=1000, test_samples=50)
    assert tools["counts_compared"] == 50 * 1000 and tools["spikes"] > 300_000
    assert tools["counts_differing"] == 0
