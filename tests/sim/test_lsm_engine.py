"""Trials on Brian2 C++ against the plain reference: every spike, every weight."""

from __future__ import annotations

import numpy as np
import pytest
from reference_lsm import Liquid

from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.lsm.model import EXCITATORY, INPUT, Design, build
from neurodeploy.models.network import Network

INPUTS, NEURONS = 30, 64


def small(variant: str, **more) -> tuple[Design, Network]:
    """A liquid of 4 x 4 x 4 with enough drive to spike, and to have pairs that spike in one step."""
    design = Design(NEURONS, INPUTS, variant, seed=5, **more)
    network = build(design)
    random = np.random.default_rng(4)
    for projection in network.projections:  # weights at both bounds, and inputs that cross zero
        projection.weight = projection.weight * random.choice([0.003, 0.5, 1.0], size=projection.size)
    return design, network


def reference(network: Network, design: Design, plastic: bool = True) -> Liquid:
    sizes = [population.size for population in network.populations]
    starts = np.cumsum([0, *sizes])
    w, there = np.zeros((starts[-1], starts[-1])), np.zeros((starts[-1], starts[-1]), dtype=bool)
    for projection in network.projections:
        where = projection.post_index + starts[projection.post], projection.pre_index + starts[projection.pre]
        w[where], there[where] = projection.weight, True
    signs = np.repeat([0, 1, -1], sizes)
    modulated = design.variant == "nalsm"
    gate = (design.gate_threshold, design.gate_width) if design.variant == "lsm-ap-stdp" else None
    w_astro = design.astrocyte_weight if modulated else 0.0
    return Liquid(w, there, signs, sizes[0], w_astro, modulated, gate, plastic)


def probabilities(trials: int) -> np.ndarray:
    random = np.random.default_rng(3)
    p = np.where(random.random((trials, INPUTS)) < 0.5, random.random((trials, INPUTS)) * 0.6, 0.0)
    p[0, 0] = 1.0
    return p.astype(np.float32)


def compared(trials: Trials, slow: Liquid, p: np.ndarray, protocol: Protocol, numbers: np.ndarray) -> int:
    """Run both, compare all, and give the number of liquid spikes."""
    start, w, seed = trials.lowered.starts, slow.w.copy(), trials.network.seed
    found = trials.run(p, numbers, protocol, raster=True)
    rows = []
    for k, number in enumerate(numbers):
        if protocol.restore:
            slow.w, slow.trace = w.copy(), np.zeros_like(slow.trace)
        spikes, astrocyte = slow.trial(
            p[k], int(number), protocol.steps, seed, protocol.stream, protocol.fade
        )
        rows += [(k, t, i) for t, i in np.argwhere(spikes)]
        if found.modulators.size:
            assert found.modulators[k, 0] == pytest.approx(astrocyte, abs=1e-9)
        np.testing.assert_array_equal(found.counts[k], spikes.sum(axis=0))
    np.testing.assert_array_equal(found.raster, rows)
    for position, projection in enumerate(trials.network.projections):
        where = (projection.post_index + start[projection.post], projection.pre_index + start[projection.pre])
        np.testing.assert_allclose(trials.weights(position), slow.w[where], atol=1e-6)
    return int(found.counts[:, INPUTS:].sum())


CASES = {
    "nalsm": {"astrocyte_weight": 0.05},
    "lsm-stdp": {},
    "lsm-ap-stdp": {"start_weight": 3.0, "gate_threshold": 4.0, "gate_width": 3.0},
}


@pytest.mark.parametrize("variant", CASES)
def test_forming_equals_the_reference(variant: str) -> None:
    """Spike for spike and weight for weight, over snapshots that hand on weights and traces."""
    design, network = small(variant, **CASES[variant])
    trials = Trials(network, plastic=True)
    try:
        before = [trials.weights(k) for k in range(6)]
        slow = reference(network, design)
        spikes = compared(trials, slow, probabilities(80), Protocol(20, 100.0), np.arange(7, 87))
        assert spikes > 500
        after = [trials.weights(k) for k in range(6)]
        assert max(np.abs(w - old).max() for w, old in zip(after, before, strict=True)) > 0.1
        assert np.any(after[0] * before[0] < 0)
        assert np.any((after[2] == 0.0) & (before[2] > 0))
        if variant == "nalsm":  # on the same program: faded learning from the start each time, another stream
            slow = reference(network, design)
            trials.set_state({f"class{k}.w": trials.lowered.arrays[f"class{k}.w"] for k in range(3)})
            protocol = Protocol(60, 100.0, stream=1, fade=0.97, restore=True)
            compared(trials, slow, probabilities(6), protocol, np.array([5, 3, 2**40, 4, 1, 0]))
    finally:
        trials.end()


def test_frozen_equals_the_reference() -> None:
    design, network = small("lsm", start_weight=3.0)
    trials = Trials(network, plastic=False)
    try:
        slow = reference(network, design, plastic=False)
        assert compared(trials, slow, probabilities(8), Protocol(80, 100.0), np.arange(8)) > 200
        one = trials.run(probabilities(8), np.arange(8), Protocol(80, 100.0)).counts
        other = trials.run(probabilities(8)[::-1], np.arange(8)[::-1], Protocol(80, 100.0)).counts
        np.testing.assert_array_equal(one, other[::-1])  # 13: in any order
    finally:
        trials.end()


def test_populations_are_where_they_are_said_to_be() -> None:
    assert (INPUT, EXCITATORY) == (0, 1)
