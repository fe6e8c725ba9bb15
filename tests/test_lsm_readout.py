"""The read-out: features, the targets, and what it learns."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from neurodeploy.errors import RequestError, ToolchainMissingError
from neurodeploy.lsm import readout
from neurodeploy.lsm.application import Request, run_lsm


def samples(count: int, neurons: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts whose rates tell the class."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 10, count)
    rates = np.random.default_rng(3).uniform(2, 12, (10, neurons))
    return random.poisson(rates[labels]), labels


def test_features_are_shares_of_the_largest_training_share() -> None:
    x, largest = readout.scaled(np.array([[1, 3], [2, 2], [0, 0]]))
    np.testing.assert_allclose(x, [[1 / 3, 1], [2 / 3, 2 / 3], [0, 0]], rtol=1e-6)
    assert largest == 0.75
    np.testing.assert_allclose(readout.scaled(np.array([[9, 0]]), largest)[0], [[4 / 3, 0]], rtol=1e-6)


def test_14_silence_gives_a_class_and_no_nan() -> None:
    x, largest = readout.scaled(np.zeros((40, 8), np.uint16))
    assert np.all(x == 0) and largest == 1.0
    trained = readout.train(x, np.arange(40) % 10, 10, readout.READOUTS["soft"])
    assert np.all(np.isfinite(trained.weights)) and np.all(np.isfinite(trained.bias))
    assert np.ptp(trained.classes(x)) == 0


def test_the_soft_target_is_the_softmax_of_plus_and_minus_one() -> None:
    assert pytest.approx(0.4509, abs=1e-4) == readout.SOFT
    assert pytest.approx(0.0610, abs=1e-4) == (1 - readout.SOFT) / 9


@pytest.mark.parametrize("name", readout.READOUTS)
def test_it_learns(name: str) -> None:
    counts, labels = samples(6000)
    x, largest = readout.scaled(counts[:5000])
    trained = readout.train(x, labels[:5000], 1000, readout.READOUTS[name])
    said = trained.classes(readout.scaled(counts[5000:], largest)[0])
    assert np.mean(said == labels[5000:]) > 0.95
    assert trained.validation == np.mean(trained.classes(x[4000:]) == labels[4000:5000])


def test_it_finds_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a penalty that makes the minimum sharp: no step to a side lowers the loss, in double precision."""
    monkeypatch.setattr(readout, "ROWS", 64)
    counts, labels = samples(500, 6)
    x, _ = readout.scaled(counts)
    chosen = readout.Recipe(0.9, 0.01, "")
    trained = readout.train(x, labels, 100, chosen)

    targets = np.full((400, 10), 0.1 / 9)
    targets[np.arange(400), labels[:400]] = 0.9

    def loss(weights: np.ndarray, bias: np.ndarray) -> float:
        cross = -np.sum(targets * log_softmax(x[:400].astype(float) @ weights + bias, axis=1)) / 400
        return cross + 0.005 * np.sum(weights**2)

    # the best iteration for the validation samples need not be the last: it is close, not equal
    w, b = trained.weights.astype(float), trained.bias.astype(float)
    random = np.random.default_rng(0)
    for _ in range(20):
        step = random.normal(size=w.shape), random.normal(size=b.shape)
        assert loss(w, b) < loss(w + 0.3 * step[0], b + 0.3 * step[1])


def test_nothing_of_the_validation_samples_is_learned() -> None:
    counts, labels = samples(600)
    x, _ = readout.scaled(counts)
    one = readout.train(x, labels, 200, readout.READOUTS["soft"])
    other = x.copy()
    other[400:] = x[400:][::-1]
    two = readout.train(
        other, np.concatenate([labels[:400], labels[400:][::-1]]), 200, readout.READOUTS["soft"]
    )
    np.testing.assert_array_equal(one.weights, two.weights)


def test_what_is_not_installed_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ToolchainMissingError, match=r"neurodeploy\[lsm\]"):
        run_lsm(Request(out=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_other_readout() -> None:
    with pytest.raises(RequestError, match="Did you mean 'soft'"):
        readout.recipe("sotf")
