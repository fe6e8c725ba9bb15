"""Acceptance case 14: one movie through 652 synapses a place gives the same spikes on every target, in the same steps.

The reference is one dense matrix product a step; no target shares code with it after the kernels.
"""

from __future__ import annotations

import numpy as np
import pytest
from lava_programs import needs_lava
from machine import HOST, needs_machine

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.delays import network
from neurodeploy.delays.events import from_frames
from neurodeploy.delays.images import Image, whiten
from neurodeploy.delays.layer import DELAYS, SIDE, Layer, mask
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.delays.synapses import Quantised, prune, quantise
from neurodeploy.models import pynn as sim

SYNAPSES, BITS = 652, 8
SIDE_OF_FRAME, STRIDE = 32, 4
STEPS = 60
RATE = 0.1


def moving_kernels() -> Quantised:
    """A central pair, and weights that follow each class's motion among random ones, as training gives them."""
    generator = np.random.default_rng(5)
    motions = Motions()
    weights = 0.3 * generator.standard_normal((motions.count, 2, DELAYS, SIDE, SIDE)) * mask()
    middle = SIDE // 2
    for delay in range(DELAYS):
        row, column = np.rint(middle + motions.velocities * delay).astype(int).clip(0, SIDE - 1).T
        every = np.arange(motions.count)
        weights[every, 1, delay, row, column] += 0.8
        weights[every, 0, delay, row, column] -= 0.8
    weights[:, 1, 0, middle, middle] = 4.0
    weights[:, 0, 0, middle, middle] = -4.0
    layer = Layer(weights.astype(np.float32), np.zeros(motions.count, np.float32), motions)
    return quantise(prune(layer, SYNAPSES), BITS)


@pytest.fixture(scope="module")
def case():
    quantised = moving_kernels()
    generator = np.random.default_rng(1)
    image = Image("noise", whiten(generator.standard_normal((120, 120))))
    frame = MovieSettings(SIDE_OF_FRAME, SIDE_OF_FRAME, STEPS, None)
    movie = make_movie(generator, [image], quantised.layer.motions, frame)
    events = from_frames(movie.frames, selectivity=1.5)
    thresholds = 4.0 + 0.25 * (np.arange(36) % 5)
    made = network.detectors(quantised, thresholds, SIDE_OF_FRAME, SIDE_OF_FRAME, STRIDE)
    t, neuron = network.dense_reference(quantised, made, events)
    assert len(made.synapses.pre) == 648 * 2 * 16  # 18 a class, two contrasts, 16 places
    assert len(np.unique(neuron)) > 0.5 * made.synapses.neurons and 0.01 < len(t) / (STEPS * 1152) < 0.3
    return made, events, t, neuron


TARGETS = [
    ("brian2", "ideal"),
    ("brian2", "spinnaker"),
    ("brian2", "loihi2"),
    pytest.param("loihi", "loihi2", marks=needs_lava),
    pytest.param("spinnaker", "spinnaker", marks=needs_machine),
]


@pytest.mark.parametrize(("backend", "rules"), TARGETS)
def test_every_target_gives_the_spikes_of_the_dense_reference(case, backend: str, rules: str) -> None:
    made, events, t, neuron = case
    target = registry.load(backend)
    sim.setup(timestep=network.TIME_STEP, min_delay=network.TIME_STEP, backend=target, rules=rules)
    network.build(sim, made, network.spike_times([events]))
    session = target.open(sim.capture(), Options(rules, host=HOST if backend == "spinnaker" else None))
    try:
        session.run(events.steps + network.SHIFT)
        times, found = session.spikes(1)
    finally:
        session.end()
    steps = np.rint(times).astype(int) - network.SHIFT
    np.testing.assert_array_equal(steps[steps < STEPS], t)  # what comes later is of a step after the movie
    np.testing.assert_array_equal(found[steps < STEPS], neuron)
