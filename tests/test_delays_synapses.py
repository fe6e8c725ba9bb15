"""From kernels to synapses and decisions: pruning, bits, multapses, the two branches, thresholds, rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from delays_images import texture
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from neurodeploy.delays import readout
from neurodeploy.delays.curves import fitted_half
from neurodeploy.delays.evaluation import Probe, TestSet, calibrate, evaluate, half_point
from neurodeploy.delays.events import from_dense
from neurodeploy.delays.layer import Layer, evidence_everywhere, valid_box
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import MovieSettings
from neurodeploy.delays.synapses import (
    collapse,
    expand,
    permute_delays,
    prune,
    quantise,
    shorten,
    to_synapses,
)
from neurodeploy.errors import RequestError


def random_layer(seed: int = 0, classes: int = 4, delays: int = 6, side: int = 5) -> Layer:
    generator = np.random.default_rng(seed)
    shape = (classes, 2, delays, side, side)
    weights = generator.standard_normal(shape).astype(np.float32)
    return Layer(weights, generator.standard_normal(classes).astype(np.float32), Motions(classes, (0.5,)))


@given(st.integers(4, 1200), st.booleans())
@settings(max_examples=30, deadline=None)
def test_pruning_keeps_the_largest(count: int, per_class: bool) -> None:
    layer = random_layer()
    pruned = prune(layer, count, per_class)
    assert pruned.synapses == (count // 4 * 4 if per_class else count)
    assert np.array_equal(pruned.weights[pruned.weights != 0], layer.weights[pruned.weights != 0])
    for kept, all_of in (
        zip(pruned.weights, layer.weights, strict=True) if per_class else [(pruned.weights, layer.weights)]
    ):
        gone = np.abs(all_of[kept == 0])
        assert not gone.size or gone.max() <= np.abs(kept[kept != 0]).min()


def test_shortening_collapsing_and_permuting() -> None:
    layer = random_layer()
    short = shorten(layer, 2)
    assert (
        np.array_equal(short.weights[:, :, :2], layer.weights[:, :, :2]) and not short.weights[:, :, 2:].any()
    )
    flat = collapse(layer)
    assert np.allclose(flat.weights[:, :, 0], layer.weights.sum(axis=2)) and not flat.weights[:, :, 1:].any()
    mixed = permute_delays(layer, np.random.default_rng(0)).weights
    assert not np.array_equal(mixed, layer.weights)
    planes = {layer.weights[0, 0, d].tobytes() for d in range(6)}
    assert {mixed[0, 0, d].tobytes() for d in range(6)} == planes


@given(st.integers(2, 12), st.sampled_from([None, 0.985, 0.5]), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_quantised_weights_are_the_nearest_whole_numbers_and_losses_are_counted(bits, quantile, seed) -> None:
    layer = prune(random_layer(seed), 200)
    found = quantise(layer, bits, quantile)
    most = 2 ** (bits - 1) - 1
    assert np.abs(found.whole).max() == most
    scale = most * found.step
    inside = np.abs(layer.weights) <= scale
    error = np.abs(found.layer.weights - layer.weights)
    assert error[inside].max() <= found.step / 2 + 1e-6  # weights are float32
    assert np.allclose(np.abs(found.layer.weights[~inside]), scale)
    assert found.clipped == np.count_nonzero(~inside)
    assert found.vanished == layer.synapses - np.count_nonzero(found.whole)
    if quantile is None:
        assert found.clipped == 0


@given(st.integers(0, 2**32 - 1), st.integers(10, 300))
@settings(max_examples=15, deadline=None)
def test_synapses_of_both_branches_fire_where_the_larger_evidence_does(seed: int, count: int) -> None:
    """Equation 1 through the sparse matrices of every delay: max(B, B') > θ holds where either branch's spike is."""
    layer = prune(random_layer(seed % 1000), count)
    generator = np.random.default_rng(seed)
    events = from_dense(generator.random((2, 16, 9, 11)) < 0.1)
    wired = expand(to_synapses(layer), 9, 11)
    assert wired.inputs == 2 * 9 * 11 and wired.neurons == 8 * 5 * 7
    assert len(wired.pre) == 2 * layer.synapses * 5 * 7
    inputs = np.zeros((wired.inputs, events.steps))
    inputs[(events.p * 9 + events.y) * 11 + events.x, events.t] = 1
    arrived = np.zeros((wired.neurons, events.steps))
    for delay, matrix in enumerate(wired.matrices()):
        arrived[:, delay:] += matrix @ inputs[:, : events.steps - delay]
    both = arrived.reshape(2, 4, 5, 7, events.steps).max(axis=0) + layer.bias[:, None, None, None]
    expected = evidence_everywhere(layer, events)
    assert np.allclose(np.moveaxis(both, 3, 1)[:, 6:], expected, atol=1e-4)


def test_layers_of_multapses_have_each_pair_once_and_are_as_few_as_can_be() -> None:
    synapses = to_synapses(prune(random_layer(), 200))
    layer = synapses.layers()
    pairs = synapses.pairs
    for number in range(layer.max() + 1):
        assert len(np.unique(pairs[layer == number])) == np.count_nonzero(layer == number)
    assert layer.max() + 1 == np.unique(pairs, return_counts=True)[1].max()
    assert len(to_synapses(prune(random_layer(), 200), branches=1)) * 2 == len(synapses)


def test_the_evidence_rule_by_hand() -> None:
    """20 voxels: 15 % are three; they decide, whatever the many others say."""
    larger = np.zeros((20, 3))
    larger[:, 1] = 1.0
    larger[[4, 9], 2] = 5.0
    larger[13, 0] = 6.0
    assert readout.decide(larger) == 2  # 5 + 5 + 0 against 0 + 0 + 6 and 1 + 1 + 1
    assert readout.decide(larger, kept=1.0) == 1
    assert readout.decide_by_count(larger, np.array([5.5, 2.0, 4.0])) == 2
    assert readout.spike_counts(larger, np.array([5.5, 1.0, 4.0])).tolist() == [1, 0, 2]  # strictly above


def test_case_13_thresholds_give_every_class_the_chosen_rate() -> None:
    generator = np.random.default_rng(0)
    fields = [generator.standard_normal((2000, 5)) * np.arange(1, 6) + np.arange(5) for _ in range(4)]
    thresholds = readout.calibrate(fields, 0.02)
    rates = readout.spike_counts(np.concatenate(fields), thresholds) / 8000
    assert np.allclose(rates, 0.02, rtol=0.2)
    with pytest.raises(RequestError, match="between 0 and 1"):
        readout.calibrate(fields, 1.0)


def test_13_the_rate_of_spikes_is_the_one_that_decides_best() -> None:
    """One class moves in each movie: its rare large evidence tells, at rates that are as low as it is rare."""
    generator = np.random.default_rng(2)
    fields, labels = [], []
    for label in range(3):
        field = generator.standard_normal((4000, 3))
        field[:, (label + 1) % 3] += 0.3  # another class is often above its usual evidence
        field[:40, label] += 5
        fields.append(field)
        labels.append(label)
    thresholds, rate = readout.choose_thresholds(fields, labels)
    assert rate == 0.01 and (readout.calibrate(fields, rate) == thresholds).all()
    decided = [readout.decide_by_count(field, thresholds) for field in fields]
    assert decided == labels
    often = readout.calibrate(fields, 0.1)
    assert [readout.decide_by_count(field, often) for field in fields] != labels


def test_intervals_are_the_quantiles_of_the_binomial_law() -> None:
    low, high = readout.interval(180, 200)
    assert binom.cdf(low * 200, 200, 0.9) >= 0.05 > binom.cdf(low * 200 - 1, 200, 0.9)
    assert binom.cdf(high * 200, 200, 0.9) >= 0.95 > binom.cdf(high * 200 - 1, 200, 0.9)


def test_half_point_is_found_between_sizes() -> None:
    assert half_point([100, 400, 1600], [0.0, 0.5, 1.0]) == pytest.approx(400)
    assert half_point([100, 400], [0.0, 1.0]) == pytest.approx(200)


def test_half_of_the_accuracy_is_where_the_authors_fit_has_it() -> None:
    sizes = np.array([72, 150, 330, 652, 1300, 4000, 20000, 400000])
    curve = 1 / 36 + (0.97 - 1 / 36) / (1 + np.exp(-(np.log10(sizes) - np.log10(500)) / 0.15))
    assert fitted_half(sizes.tolist(), curve.tolist(), 36) == pytest.approx(500, rel=0.01)
    dipped = curve + 0.1 * (-1.0) ** np.arange(8)  # a curve that is not monotone has a half all the same
    assert fitted_half(sizes.tolist(), dipped.tolist(), 36) == pytest.approx(500, rel=0.35)


def test_probes_of_few_inputs_read_the_same_evidence_and_movies_repeat() -> None:
    layer = random_layer(7, classes=4)
    few = prune(layer, 40)
    test = TestSet(
        [texture(90, 90)], layer.motions, MovieSettings(16, 16, 20, None), count=3, stride=(2, 3, 3)
    )
    for events, _, _ in test:
        found = Probe({"all": layer, "few": few}).fields(events, test.stride)
        for name, one in (("all", layer), ("few", few)):
            whole = evidence_everywhere(one, events)[:, ::2, ::3, ::3].reshape(4, -1).T
            assert np.allclose(found[name], whole, atol=1e-4)
    assert [label for _, label, _ in test] == [label for _, label, _ in test]
    silent = replace(layer, weights=layer.weights * 0, bias=np.eye(4, dtype=np.float32)[2])
    thresholds = {name: found for name, (found, _) in calibrate({"silent": silent}, test).items()}
    scores = evaluate({"silent": silent}, test)
    assert scores["silent"].decisions.tolist() == [2, 2, 2]
    assert evaluate({"silent": silent}, test, thresholds)["silent"].decisions.tolist() == [
        0,
        0,
        0,
    ]  # no spike at all


def test_what_cannot_be_kept_is_refused_in_words() -> None:
    layer = random_layer()
    with pytest.raises(RequestError, match="leave each class none"):
        prune(layer, 3)
    with pytest.raises(RequestError, match="7 cannot be kept"):
        shorten(layer, 7)
    with pytest.raises(RequestError, match="no number beside 0"):
        quantise(layer, 1)
    with pytest.raises(RequestError, match="not 3"):
        to_synapses(layer, 3)
    with pytest.raises(RequestError, match="no place"):
        expand(to_synapses(layer), 4, 9)
    assert valid_box(from_dense(np.ones((2, 7, 5, 5))), 6, 5) == (range(6, 7), range(2, 3), range(2, 3))
