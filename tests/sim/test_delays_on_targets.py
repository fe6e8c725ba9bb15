"""Acceptance case 14: one movie through 652 synapses a place gives the same spikes on every target, in the same steps.

The reference is one dense matrix product a step; no target shares code with it after the kernels.
"""

from __future__ import annotations

import numpy as np
import pytest
from delays_images import texture
from lava_programs import needs_lava
from machine import HOST, needs_machine

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.lower import lower
from neurodeploy.delays import network, readout
from neurodeploy.delays.evaluation import Probe
from neurodeploy.delays.events import from_frames
from neurodeploy.delays.layer import shipped
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.delays.synapses import prune, quantise
from neurodeploy.errors import UnsupportedError
from neurodeploy.hardware import SpinnakerHardware, load_as
from neurodeploy.models import pynn as sim

SYNAPSES, BITS = 652, 8
SIDE_OF_FRAME, STRIDE = 32, 4
STEPS = 60
RATE = 0.1


@pytest.fixture(scope="module")
def case():
    """The layer that comes along, thresholds that it passes in a tenth of the bins, and a movie over a texture."""
    quantised = quantise(prune(shipped(), SYNAPSES), BITS)
    frame = MovieSettings(SIDE_OF_FRAME, SIDE_OF_FRAME, STEPS, None)
    movie = make_movie(np.random.default_rng(1), [texture(120, 120)], quantised.layer.motions, frame)
    events = from_frames(movie.frames)
    seen = Probe({"layer": quantised.layer}).fields(events, (1, STRIDE, STRIDE))["layer"]
    made = network.detectors(quantised, readout.calibrate([seen], RATE), SIDE_OF_FRAME, SIDE_OF_FRAME, STRIDE)
    t, neuron = network.dense_reference(quantised, made, [events])
    assert np.bincount(events.t).max() > 256  # more spikes than sPyNNaker gives a core room for
    assert len(made.synapses.pre) == 648 * 2 * 16  # 18 a class, two contrasts, 16 places
    assert len(np.unique(neuron)) > 0.5 * made.synapses.neurons and len(t) > 2000
    return made, events, t, neuron


TARGETS = [
    ("brian2", "ideal"),
    ("brian2", "spinnaker"),
    ("brian2", "loihi2"),
    pytest.param("loihi", "loihi2", marks=needs_lava),
    pytest.param("loihi", "spinnaker", marks=needs_lava),  # Lava's floating point
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
    assert any("room for 1,024 incoming" in one for one in session.report.changes) == (backend == "spinnaker")
    steps = np.rint(times).astype(int) - network.SHIFT
    np.testing.assert_array_equal(steps[steps < STEPS], t)  # what comes later is of a step after the movie
    np.testing.assert_array_equal(found[steps < STEPS], neuron)


@needs_machine
def test_case_14_the_ring_of_256_neurons_a_core_holds_all_delays(case) -> None:
    """Mapped onto a virtual board, delays of 1 to 21 steps need no delay extension."""
    made, events, _, _ = case
    target = registry.load("spinnaker")
    sim.setup(timestep=network.TIME_STEP, min_delay=network.TIME_STEP, backend=target, rules="spinnaker")
    network.build(sim, made, network.spike_times([events]))
    session = target.open(sim.capture(), Options("spinnaker", hardware="spinnaker-virtual"))
    try:
        session.run(1)
        mapped = [vertex["vertex"] for vertex in session.report.facts["mapping"]]
    finally:
        session.end()
    assert not [name for name in mapped if "delayed" in name]
    assert len([name for name in mapped if "detectors" in name]) == -(-made.synapses.neurons // 256)


@pytest.mark.parametrize(
    ("longest", "said"),
    [
        (33.0, r"'events': its delays, 1 stages of 32 steps .* memory"),
        (300.0, r"'excitatory synapses': a delay of 300 ms; .* at most 288 ms"),
    ],
)
def test_case_14_a_delay_beyond_the_machine_is_refused_by_name(case, longest: float, said: str) -> None:
    """One of 33 needs a delay extension, for which a core of 2,048 sources has no memory; one of 300 needs too many."""
    made, events, _, _ = case
    sim.setup(timestep=network.TIME_STEP, min_delay=network.TIME_STEP)
    network.build(sim, made, network.spike_times([events]))
    model = sim.capture()
    model.projections[0].delay[0] = longest
    with pytest.raises(UnsupportedError, match=said):
        lower(model, "spinnaker", load_as(SpinnakerHardware, "spinnaker-virtual"))
