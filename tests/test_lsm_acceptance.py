"""Acceptance cases 11 and 12 of the liquid: accuracies, as the committed runs (``docs/results``) have them.

``pytest -m acceptance tests/test_lsm_acceptance.py``; ordinary runs leave them out.  A run of a whole set takes minutes to an
hour, so these tests judge what such runs left; which files, is chosen by what they say of themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.acceptance

RESULTS = Path(__file__).parents[1] / "docs" / "results"

WHOLE = {"training_samples": 50_000, "test_samples": 10_000, "variant": "nalsm"}


def runs(**facts: object) -> list[dict[str, Any]]:
    """Metrics of the committed runs that say `facts` of themselves."""
    found = [json.loads(file.read_text())["metrics"] for file in sorted(RESULTS.glob("lsm-*.json"))]
    chosen = [one for one in found if all(one.get(name) == value for name, value in facts.items())]
    assert chosen, f"no committed run has {facts}"
    return chosen


def percent(**facts: object) -> float:
    """Mean accuracy of these runs."""
    return 100 * float(np.mean([one["accuracy"] for one in runs(**facts)]))


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
    same = {
        "features": "frozen",
        "readout": "soft",
        "normalisation": "separate-maximum",
        "executed_by": "float",
    }
    assert percent(**WHOLE, **same, dataset=dataset, neurons=neurons) == pytest.approx(authors, abs=within)


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


def test_12_eight_bits_equal_floating_point() -> None:
    same = {**WHOLE, "dataset": "mnist", "neurons": 1000, "seed": 0, "readout": "hard"}
    (eight,) = runs(**same, rules="loihi2")
    assert 100 * eight["accuracy"] == pytest.approx(
        percent(**same, executed_by="float", features="frozen"), abs=0.5
    )
