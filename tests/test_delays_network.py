"""The detectors as neurons: what PyNN is given, and that both chips' arithmetic gives the dense reference's spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_delays_synapses import random_layer

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi import reference as loihi_reference
from neurodeploy.backends.loihi.lower import lower as lower_for_loihi
from neurodeploy.backends.spinnaker.lower import lower as lower_for_spinnaker
from neurodeploy.backends.spinnaker.weights import weights_on_grid
from neurodeploy.chips import spinnaker_core
from neurodeploy.delays import network
from neurodeploy.delays.events import Events, from_dense
from neurodeploy.delays.layer import evidence_everywhere, with_weights
from neurodeploy.delays.synapses import quantise
from neurodeploy.errors import RequestError
from neurodeploy.hardware import SpinnakerHardware, load
from neurodeploy.models import pynn as sim
from neurodeploy.models.network import Network

HEIGHT, WIDTH, STEPS, BITS = 8, 7, 30, 6
LOUDER = 200.0


def seen(seed: int = 3) -> Events:
    generator = np.random.default_rng(seed)
    return from_dense(generator.random((2, STEPS, HEIGHT, WIDTH)) < 0.15)


def case(thresholds: float = 4.0, neuron: str = "deterministic"):
    quantised = quantise(random_layer(), BITS)
    per_class = thresholds + np.arange(4) * 0.7 + np.maximum(quantised.layer.bias, 0)
    return (
        quantised,
        per_class,
        network.detectors(quantised, per_class, HEIGHT, WIDTH, stride=2, neuron=neuron),
    )


def captured(made: network.Detectors, movies: list[Events]) -> Network:
    sim.setup(timestep=1.0, min_delay=1.0)
    network.build(sim, made, network.spike_times(movies))
    return sim.capture()


def test_the_dense_reference_fires_where_the_evidence_is_above_the_threshold() -> None:
    """L > θ in the layer's own numbers exactly where the whole sum of one of the two branches is above the whole threshold."""
    quantised, thresholds, made = case()
    t, neuron = network.dense_reference(quantised, made, [seen()])
    fired = np.zeros((4, STEPS, made.places), bool)
    fired[neuron // made.places % 4, t, neuron % made.places] = True
    evidence = evidence_everywhere(quantised.layer, seen())[:, :, ::2, ::2]
    expected = evidence.reshape(4, -1, made.places) > thresholds[:, None, None]
    assert np.array_equal(fired[:, quantised.layer.delays :], expected)
    assert 0.05 < expected.mean() < 0.5
    assert np.array_equal(
        made.field(neuron)[2],
        (neuron[:, None] % (4 * made.places) == 2 * made.places + np.arange(made.places)).sum(axis=0),
    )


def test_pynn_is_given_whole_weights_of_one_sign_each_and_delays_of_age_and_one() -> None:
    _, _, made = case()
    model = captured(made, [seen(), seen(4)])
    events, detectors = model.populations
    assert (events.size, detectors.size) == (2 * HEIGHT * WIDTH, 2 * 4 * 2 * 2)
    up, down = model.projections
    assert (up.weight > 0).all() and (down.weight < 0).all() and up.size + down.size == len(made.synapses.pre)
    for one in (up, down):
        assert np.array_equal(one.weight, np.rint(one.weight)) and set(np.unique(one.delay)) == set(
            range(1, 7)
        )
    sums = [np.bincount(one.post_index, np.abs(one.weight)).max() for one in (up, down)]
    assert detectors.largest_sums == tuple(sums)
    times = np.concatenate(events.spike_times)
    assert len(times) == len(seen()) + len(seen(4)) and times.max() >= STEPS


@pytest.mark.parametrize("neuron", ["deterministic", "winner"])
@pytest.mark.parametrize("chip", ["spinnaker", "loihi2", "loihi1"])
def test_the_chips_arithmetic_gives_the_spikes_of_the_dense_reference(chip: str, neuron: str) -> None:
    quantised, _, made = case(neuron=neuron)
    model = captured(made, [seen()])
    if chip == "spinnaker":
        steps, neurons = spinnaker_core.simulate(model, STEPS + network.SHIFT).spikes[1]
    else:
        program = lower_for_loihi(model, chip)
        steps, neurons = np.nonzero(loihi_reference.simulate(program, STEPS + network.SHIFT).spikes[1])
    t, fired = network.dense_reference(quantised, made, [seen()])
    assert np.array_equal(steps - network.SHIFT, t) and np.array_equal(neurons, fired) and len(t) > 50


def test_a_winner_silences_the_other_classes_of_its_place_and_nobody_else() -> None:
    """By the book: of the deterministic spikes those stay that no winner of the steps before forbids."""
    quantised, _, alone = case()
    made = network.detectors(quantised, case()[1], HEIGHT, WIDTH, stride=2, neuron="winner", inhibition=3)
    fired = set(zip(*(x.tolist() for x in network.dense_reference(quantised, made, [seen()])), strict=True))
    allowed: set[tuple[int, int]] = set()
    candidates = zip(*(x.tolist() for x in network.dense_reference(quantised, alone, [seen()])), strict=True)
    for t, neuron in candidates:
        place, of_class = neuron % made.places, neuron // made.places % 4
        rivals = {
            (s, n)
            for s, n in allowed
            if t - 3 <= s < t and n % made.places == place and n // made.places % 4 != of_class
        }
        if not rivals:
            allowed.add((t, neuron))
    assert fired == allowed and 20 < len(allowed) < 0.8 * len(
        network.dense_reference(quantised, alone, [seen()])[0]
    )
    model = captured(made, [seen()])
    inhibition = model.projections[2]
    assert sorted(set(inhibition.delay)) == [1, 2, 3] and (inhibition.weight == -made.silencing).all()
    assert inhibition.size == 3 * made.synapses.neurons * 2 * 3  # 3 other classes of two branches
    strongest = np.bincount(made.synapses.post, np.maximum(made.synapses.weight, 0))
    assert (strongest - made.silencing < made.levels).all() and made.silencing & (made.silencing - 1) == 0


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_a_stochastic_detector_fires_with_the_logistic_probability(rules: str) -> None:
    """As often as σ(L - θ) says over many movies, and by its own current on a target in the very steps of the reference."""
    layer = random_layer()
    same_in_both = with_weights(
        layer, (layer.weights + layer.weights[:, ::-1]) / 4
    )  # of ON and OFF, so of both branches
    quantised, thresholds, movies = quantise(same_in_both, BITS), np.array([1.0, 2.0, 2.5, 1.5]), 40
    made = network.detectors(quantised, thresholds, HEIGHT, WIDTH, stride=2, neuron="stochastic")
    noise = network.draw_noise(made, movies * STEPS, seed=1)
    t, neuron = network.dense_reference(quantised, made, [seen()] * movies, noise)
    late = t % STEPS >= quantised.layer.delays
    counts = np.bincount(neuron[late], minlength=made.synapses.neurons)
    larger = evidence_everywhere(quantised.layer, seen())[:, :, ::2, ::2]
    chance = np.concatenate([1 / (1 + np.exp(thresholds[:, None, None, None] - larger))] * 2)
    sums = (chance.sum(axis=1).ravel(), (chance * (1 - chance)).sum(axis=1).ravel())
    expected, spread = movies * sums[0], np.sqrt(movies * sums[1])
    assert (np.abs(counts - expected) < 4.5 * spread).all() and expected.min() > 20

    target = registry.load("brian2")
    sim.setup(timestep=1.0, min_delay=1.0, backend=target, rules=rules)
    begins = network.SHIFT - (rules == "ideal")
    network.build(sim, made, network.spike_times([seen()]), noise[:STEPS], begins)
    session = target.open(sim.capture(), Options(rules, engine="runtime"))
    try:
        session.run(STEPS + network.SHIFT)
        times, found = session.spikes(1)
    finally:
        session.end()
    steps = np.rint(times).astype(int) - network.SHIFT
    inside = steps < STEPS
    assert np.array_equal(steps[inside], t[t < STEPS]) and np.array_equal(found[inside], neuron[t < STEPS])


def test_without_room_for_all_weights_a_core_would_saturate() -> None:
    """What the estimate of sPyNNaker leaves of such input: other spikes than the reference's."""
    quantised, _, made = case(thresholds=9.0)
    model = captured(made, [seen()])
    loud = replace(model.populations[1], largest_sums=None)
    model.populations[1] = loud
    for projection in model.projections:
        projection.weight = projection.weight * LOUDER
    loud.parameters = loud.parameters | {"v_thresh": loud.parameters["v_thresh"] * LOUDER}
    t, neuron = network.dense_reference(quantised, made, [seen()])

    def same() -> bool:
        steps, neurons = spinnaker_core.simulate(model, STEPS + network.SHIFT, rate=0.1, sigma=0.1).spikes[1]
        return np.array_equal(steps - network.SHIFT, t) and np.array_equal(neurons, neuron)

    assert not same()
    model.populations[1] = replace(loud, largest_sums=tuple(LOUDER * s for s in made.synapses.largest_sums()))
    assert same()


def test_a_membrane_that_forgets_at_once_is_no_change_and_a_said_sum_is_named_where_weights_vanish() -> None:
    _, _, made = case()
    model = captured(made, [seen()])
    hardware = load("spinnaker-emulated")
    assert isinstance(hardware, SpinnakerHardware)
    assert not any("tau_m" in change for change in lower_for_spinnaker(model, "spinnaker", hardware).changes)
    error = weights_on_grid(model.projections[0], "detectors", 64.0, hardware, (2e6, 1e6)).error
    assert (
        error is not None and "2e+06 of excitatory input in a step" in error.why and "lower that" in error.fix
    )


def test_a_class_that_would_fire_without_events_is_refused() -> None:
    quantised, thresholds, _ = case()
    with pytest.raises(RequestError, match=r"class 2 is -[0-9]+ steps of a weight"):
        network.detectors(quantised, np.where(np.arange(4) == 2, -5.0, thresholds), HEIGHT, WIDTH)


def test_what_is_said_of_a_populations_input_is_checked_and_part_of_the_digest() -> None:
    sim.setup(timestep=1.0)
    sim.Population(1, sim.IF_curr_exp(), label="cells")
    silent = sim.capture().digest()
    sim.setup(timestep=1.0)
    said = {"max_expected_summed_weight": [3.0, 2.0]}
    sim.Population(1, sim.IF_curr_exp(), label="cells", additional_parameters=said)
    assert sim.capture().populations[0].largest_sums == (3.0, 2.0)
    assert sim.capture().digest() != silent
    for wrong, told in (
        ({"seed": 1}, "no additional parameter 'seed'"),
        ({"max_expected_summed_weight": [1.0]}, "must be two numbers"),
        ({"max_expected_summed_weight": [1.0, -1.0]}, "must be two numbers"),
    ):
        with pytest.raises(RequestError, match=told):
            sim.Population(1, sim.IF_curr_exp(), label=str(wrong), additional_parameters=wrong)
    with pytest.raises(RequestError, match="a cell that has synapses"):
        sim.Population(1, sim.SpikeSourceArray(), label="source", additional_parameters=said)
