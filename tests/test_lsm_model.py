"""The liquid's wiring, and what is asked for wrongly."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from liquid_matrix import matrix

from neurodeploy.errors import RequestError
from neurodeploy.lsm import learning_application, memory, readout, target_application
from neurodeploy.lsm.application import Request, choose_design, choose_features, choose_snapshots, run_lsm
from neurodeploy.lsm.data import Dataset, Images
from neurodeploy.lsm.model import (
    EXCITATORY,
    INHIBITORY,
    INPUT,
    MOST_NEURONS,
    Design,
    build,
    expected_synapses,
    wire,
)
from neurodeploy.options import RunOptions

SEEDS = 20


@pytest.fixture(scope="module")
def liquids() -> list[np.ndarray]:
    """Who projects to whom, in 20 liquids of 10 x 10 x 10."""
    return [matrix(wire(Design(1000, 10, seed=seed))) for seed in range(SEEDS)]


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
        liquid = matrix(drawn)
        apart = np.sum((drawn.positions[:800, None] - drawn.positions[None, :800]) ** 2, axis=-1)
        for squared, counts in found.items():
            near = apart == squared
            counts[0] += int(liquid[:800, :800][near].sum())
            counts[1] += int(near.sum())
    assert found[1][0] / found[1][1] == pytest.approx(0.2 * np.exp(-1 / 9), rel=0.05)
    assert found[9][0] / found[9][1] == pytest.approx(0.2 * np.exp(-1), rel=0.05)


@pytest.mark.parametrize(
    "design, digest",
    [
        (Design(27, 20, seed=1), "e26757c8979182d8754866565869c47523048151a3f687950dea3028689af525"),
        (Design(1000, 64), "136dec176322f9eb2e057b72d720b44f9009b1bc66821aaa3740e8dcbf79f06e"),
        (
            Design(1000, 784, "lsm-ap-stdp", 7),
            "a1a635813ea6ace5dd06617e6451c81502e0b5e01ca42cc748f20d1e0ba638ae",
        ),
    ],
)
def test_a_seed_draws_the_same_liquid_for_ever(design: Design, digest: str) -> None:
    """Kept counts, and every published result, are those of the liquid of a seed."""
    assert build(design).digest() == digest


def test_wiring_needs_no_memory_for_pairs_without_a_synapse() -> None:
    design = Design(2197, 4)
    tracemalloc.start()
    try:
        network = build(design)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < memory.BYTES_A_SYNAPSE * network.synapse_count < design.neurons**2


@pytest.mark.parametrize("neurons, inputs", [(27, 20), (1000, 10)])
def test_as_many_synapses_are_drawn_as_are_expected(neurons: int, inputs: int) -> None:
    drawn = [build(Design(neurons, inputs, seed=seed)).synapse_count for seed in range(4)]
    assert np.mean(drawn) == pytest.approx(expected_synapses(Design(neurons, inputs)), rel=0.03)


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
        ({"neurons": 1_000_000}, "more than the 216,000"),
        ({"variant": "nlasm"}, "Did you mean 'nalsm'"),
        ({"features": "frozn"}, "Did you mean 'frozen'"),
        ({"normalisation": "none"}, "no normalisation 'none'"),
        ({"readout": "linear"}, "no read-out 'linear'"),
        ({"variant": "lsm", "features": "plastic"}, "--features plastic has no meaning"),
        ({"variant": "lsm", "snapshots": 5}, "--snapshots 5 has no meaning"),
        ({"variant": "lsm", "astrocyte_weight": 0.1}, "only nalsm has an astrocyte"),
        ({"variant": "lsm", "astrocyte_density": 0.5}, "astrocyte-density 0.5 has no meaning"),
        ({"astrocyte_weight": -1.0}, "astrocyte weight of -1"),
        ({"astrocyte_density": 0.0}, "astrocyte density of 0"),
        ({"start_weight": 4.0}, "start weight of 4"),
        ({"tune_start_weight": True}, "beside --variant nalsm"),
        ({"variant": "lsm", "start_weight": 1.0, "tune_start_weight": True}, "beside --start-weight"),
        ({"variant": "lsm", "liquids": 2, "tune_start_weight": True}, "beside --liquids 2"),
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
    "liquids, neurons, recipe, gigabytes, fix",
    [
        (64, 8000, "soft", 71.68, "--liquids 10,"),
        (2, 125_000, "soft", 35.0, "--liquids 1,"),
        (1, MOST_NEURONS, "soft", 15.12, "use fewer images"),
        (1, 125_000, "kernel", 8.75 + 8.0 + 1.6, "use another read-out"),
    ],
)
def test_counts_that_exceed_the_memory_are_refused(
    monkeypatch, liquids: int, neurons: int, recipe: str, gigabytes: float, fix: str
) -> None:
    """A byte a neuron and image, twice of several liquids; for the kernel 16,000 centres and two matrices of 10,000 x 10,000."""
    asked = Design(neurons, 784), mnist_sized(), readout.recipe(recipe), liquids
    monkeypatch.setattr(memory, "machine_memory", lambda: 12_000_000_000)
    with pytest.raises(RequestError, match=f"take {gigabytes:.3g} GB.* has 12 GB") as told:
        memory.refuse(*asked)
    assert fix in told.value.fix and told.value.exit_code == 2
    monkeypatch.setattr(memory, "machine_memory", lambda: round(gigabytes * 1e9))
    memory.refuse(*asked)
    monkeypatch.setattr(memory, "machine_memory", lambda: None)
    memory.refuse(*asked)


def learn(request: Request) -> None:
    learning_application.run_learning(
        learning_application.Request(neurons=request.neurons, lava=False, out=request.out)
    )


def on_brian2(request: Request) -> None:
    target_application.run_on_target(RunOptions("brian2", None, "cpp", 0, 0, None, False), request)


@pytest.mark.parametrize("run", [run_lsm, on_brian2, learn])
@pytest.mark.parametrize(
    "neurons, words", [(1_000_000, "more than the 216,000"), (27_000, "take .* GB of memory")]
)
def test_a_liquid_too_large_is_refused_before_it_is_wired(
    tmp_path, monkeypatch, run, neurons: int, words: str
) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 74 * 900_000)
    for module in ("application", "target_application", "learning_application"):
        monkeypatch.setattr(f"neurodeploy.lsm.{module}.build", None)
    request = Request(neurons=neurons, samples=200, test_samples=50, out=tmp_path / "run")
    with pytest.raises(RequestError, match=words) as told:
        run(request)
    assert "--neurons" in told.value.fix and told.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_run_without_the_memory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 2 * 1000 * 1797)
    with pytest.raises(RequestError, match="3 liquids of 1,000 neurons and 1,797 images") as told:
        run_lsm(Request(out=tmp_path / "run", liquids=3))
    assert "--liquids 1," in told.value.fix and list(tmp_path.iterdir()) == []


def test_memory_is_what_the_library_tells(monkeypatch) -> None:
    from distributed import system

    assert memory.machine_memory() > 1 << 28
    monkeypatch.setattr(system, "memory_limit", lambda: 3_000_000_000)
    assert memory.machine_memory() == 3_000_000_000
    monkeypatch.setitem(sys.modules, "distributed.system", None)
    assert memory.machine_memory() is None


def test_defaults_depend_on_the_rest() -> None:
    assert choose_design(Request(neurons=1000), 9).astrocyte_weight == 0.015
    assert choose_design(Request(neurons=125), 9).astrocyte_weight == 0.015
    assert choose_design(Request(neurons=8000), 9).astrocyte_weight == 0.0075
    assert choose_design(Request(), 9).astrocyte_density == 1.0
    assert choose_features(Request()) and not choose_features(Request(features="frozen"))
    assert not choose_features(Request(variant="lsm"))
    assert choose_snapshots(Request()) == 10_000
    assert choose_snapshots(Request(dataset="mnist")) == 50_000
    assert choose_snapshots(Request(variant="lsm")) == 0
