"""The liquid's wiring, and what is asked for wrongly."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from neurodeploy.errors import RequestError
from neurodeploy.lsm import application, readout
from neurodeploy.lsm.application import Request, choose_design, choose_features, choose_snapshots, run_lsm
from neurodeploy.lsm.data import Dataset, Images
from neurodeploy.lsm.model import EXCITATORY, INHIBITORY, INPUT, Design, build, wire

SEEDS = 20


@pytest.fixture(scope="module")
def liquids() -> list[np.ndarray]:
    """Who projects to whom, in 20 liquids of 10 x 10 x 10."""
    return [wire(Design(1000, 10, seed=seed)).liquid for seed in range(SEEDS)]


def test_1_synapses_of_the_liquid(liquids: list[np.ndarray]) -> None:
    """16,700 within 3 %, 66 / 8 / 25 / 1 % by type, no neuron onto itself; over 20 liquids."""
    count = np.array([liquid.sum() for liquid in liquids])
    assert count.mean() == pytest.approx(16_700, rel=0.03)
    e, i = slice(0, 800), slice(800, 1000)
    for source, target, share in ((e, e, 66), (e, i, 8), (i, e, 25), (i, i, 1)):
        found = np.mean([liquid[source, target].sum() / liquid.sum() for liquid in liquids])
        assert 100 * found == pytest.approx(share, abs=0.6)
    assert not any(np.diag(liquid).any() for liquid in liquids)
    assert len({liquid.tobytes() for liquid in liquids}) == SEEDS


@pytest.mark.parametrize("inputs, synapses", [(784, 117_600), (2312, 346_800)])
def test_1_input_synapses_are_an_exact_count_of_either_sign(inputs: int, synapses: int) -> None:
    signs = wire(Design(1000, inputs, seed=3)).signs
    assert np.count_nonzero(signs) == synapses
    assert abs(signs.sum(dtype=int)) < 4 * np.sqrt(synapses)


def test_1_nearer_neurons_are_connected_more_often() -> None:
    """E to E at distance 1: 0.2 e^(-1/9), at 3: 0.2 e^-1."""
    found = {1: [0, 0], 9: [0, 0]}
    for seed in range(5):
        drawn = wire(Design(1000, 10, seed=seed))
        apart = np.sum((drawn.positions[:800, None] - drawn.positions[None, :800]) ** 2, axis=-1)
        for squared, counts in found.items():
            near = apart == squared
            counts[0] += int(drawn.liquid[:800, :800][near].sum())
            counts[1] += int(near.sum())
    assert found[1][0] / found[1][1] == pytest.approx(0.2 * np.exp(-1 / 9), rel=0.05)
    assert found[9][0] / found[9][1] == pytest.approx(0.2 * np.exp(-1), rel=0.05)


def test_1_signs_follow_the_source() -> None:
    network = build(Design(216, 30, seed=1))
    for projection in network.projections:
        if projection.pre == EXCITATORY:
            assert np.all(projection.weight == 3.0)
        if projection.pre == INHIBITORY:
            assert np.all(projection.weight == -3.0)
        if projection.pre == INPUT:
            assert set(projection.weight) == {-3.0, 3.0}


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"neurons": 900}, "no cubic lattice"),
        ({"variant": "nlasm"}, "Did you mean 'nalsm'"),
        ({"features": "frozn"}, "Did you mean 'frozen'"),
        ({"normalisation": "none"}, "no normalisation 'none'"),
        ({"readout": "linear"}, "no read-out 'linear'"),
        ({"variant": "lsm", "features": "plastic"}, "--features plastic has no meaning"),
        ({"variant": "lsm", "snapshots": 5}, "--snapshots 5 has no meaning"),
        ({"variant": "lsm", "astrocyte_weight": 0.1}, "only nalsm has an astrocyte"),
        ({"astrocyte_weight": -1.0}, "astrocyte weight of -1"),
        ({"astrocyte_density": 0.0}, "astrocyte density of 0"),
        ({"start_weight": 4.0}, "start weight of 4"),
        ({"tune_start_weight": True}, "beside --variant nalsm"),
        ({"variant": "lsm", "start_weight": 1.0, "tune_start_weight": True}, "beside --start-weight"),
    ],
)
def test_a_wrong_request_leaves_nothing(tmp_path, wrong: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        run_lsm(Request(out=tmp_path / "run", **wrong))
    assert list(tmp_path.iterdir()) == []


def mnist_sized() -> Dataset:
    training, test = (Images(None, np.zeros(count, np.uint8)) for count in (60_000, 10_000))
    return Dataset("mnist", training, test, 10_000)


@pytest.mark.parametrize(
    "asked, gigabytes, fix",
    [
        ({"liquids": 64, "neurons": 8000}, 71.68, "--liquids 14,"),
        ({"liquids": 2, "neurons": 150_000}, 42.0, "--liquids 1,"),
        ({"neurons": 300_000}, 21.0, "use fewer images"),
        ({"readout": "kernel", "neurons": 125_000}, 8.75 + 8.0 + 1.6, "use another read-out"),
    ],
)
def test_counts_that_exceed_the_memory_are_refused(
    monkeypatch, asked: dict, gigabytes: float, fix: str
) -> None:
    """A byte a neuron and image, twice of several liquids; for the kernel 16,000 centres and two matrices of 10,000 x 10,000."""
    request = Request(dataset="mnist", **asked)
    chosen = readout.recipe(request.readout)
    monkeypatch.setattr(application, "machine_memory", lambda: 16_000_000_000)
    with pytest.raises(RequestError, match=f"take {gigabytes:.3g} GB.* has 16 GB") as told:
        application.refuse_beyond_memory(request, mnist_sized(), chosen)
    assert fix in told.value.fix and told.value.exit_code == 2
    monkeypatch.setattr(application, "machine_memory", lambda: round(gigabytes * 1e9))
    application.refuse_beyond_memory(request, mnist_sized(), chosen)
    monkeypatch.setattr(application, "machine_memory", lambda: None)
    application.refuse_beyond_memory(request, mnist_sized(), chosen)


def test_nothing_is_run_without_the_memory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(application, "machine_memory", lambda: 2 * 1000 * 1797)
    with pytest.raises(RequestError, match="3 liquids of 1,000 neurons and 1,797 images") as told:
        run_lsm(Request(out=tmp_path / "run", liquids=3))
    assert "--liquids 1," in told.value.fix and list(tmp_path.iterdir()) == []


def test_memory_is_what_the_library_tells(monkeypatch) -> None:
    from distributed import system

    assert application.machine_memory() > 1 << 28
    monkeypatch.setattr(system, "memory_limit", lambda: 3_000_000_000)
    assert application.machine_memory() == 3_000_000_000
    monkeypatch.setitem(sys.modules, "distributed.system", None)
    assert application.machine_memory() is None


def test_defaults_depend_on_the_rest() -> None:
    assert choose_design(Request(neurons=1000), 9).astrocyte_weight == 0.015
    assert choose_design(Request(neurons=125), 9).astrocyte_weight == 0.015
    assert choose_design(Request(neurons=8000), 9).astrocyte_weight == 0.0075
    assert choose_features(Request()) and not choose_features(Request(features="frozen"))
    assert not choose_features(Request(variant="lsm"))
    assert choose_snapshots(Request()) == 10_000
    assert choose_snapshots(Request(dataset="mnist")) == 50_000
    assert choose_snapshots(Request(variant="lsm")) == 0
