"""A pair rule with a third factor in Loihi's terms: its scales, and a small liquid that learns by it, rounded or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reference_lsm import Liquid

from neurodeploy.backends.loihi.trials import program, reference
from neurodeploy.backends.loihi.trials.lower import Lowered, lower
from neurodeploy.chips import loihi_three_factor as rule
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.lsm.model import TRACE_MULTIPLIER, W_MAX, Design, build
from neurodeploy.models.network import Network

STEPS, TRIALS, INPUTS = 20, 12, 64

START = 2.4
"""Magnitude of all weights at first: 204 units, a whole number."""

INTERVAL = 3
"""Shortest interval of two spikes of a neuron, in steps."""


# ------------------------------------------------------------------------------------------ scales


def test_a_trace_of_the_largest_impulse_stays_below_its_end_at_every_rate() -> None:
    impulse = rule.largest_impulse(TRACE_MULTIPLIER, INTERVAL)
    highest = {}
    for chosen in (impulse, impulse + 2):
        trace = 0.0
        for step in range(300):
            trace = trace * TRACE_MULTIPLIER + chosen * (step % INTERVAL == 0)
            highest[chosen] = max(highest.get(chosen, 0.0), trace)
    assert highest[impulse] <= 126 < 127 < highest[impulse + 2]


@pytest.mark.parametrize("largest", [0.2, 0.4, 1.5, 6.0])
def test_both_sides_keep_their_ratio_and_the_third_factor_has_room(largest: float) -> None:
    constant, scaled = 0.015, 0.1
    found = rule.scale(constant, scaled, W_MAX, TRACE_MULTIPLIER, INTERVAL, largest)
    assert 127 * found.third_unit >= largest
    assert abs(found.got - 1) < 0.01
    by_constant = found.impulse * found.mantissa * 2.0 ** (found.exponent + 7)
    # a product of two traces loses three bits; 0.15 is where both sides are alike
    by_third = found.impulse * (constant / scaled / found.third_unit) * 2.0 ** (found.third_exponent + 7 - 3)
    assert by_third == pytest.approx(by_constant, rel=1e-9)
    assert by_constant / 128 == pytest.approx(constant * 255 / W_MAX, rel=0.01)


def test_amplitudes_that_the_engine_has_no_products_for_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="of 255 units"):
        rule.scale(1e-6, 0.1, W_MAX, TRACE_MULTIPLIER, INTERVAL, 0.4)
    with pytest.raises(UnsupportedError, match="third factor of up to"):
        rule.scale(0.015, 0.1, W_MAX, TRACE_MULTIPLIER, INTERVAL, 1e9)


def test_the_bound_of_the_third_factor_is_reached_by_the_busiest_liquid_and_not_passed() -> None:
    gains, leak = np.full(10, 0.3), 0.01
    bound = rule.third_factor_bound(gains, 0.15, 0.15, leak, STEPS, INTERVAL)
    highest = 0.0
    for phase in range(INTERVAL):
        value = 0.15
        for step in range(STEPS):
            value += leak * (gains.sum() * (step % INTERVAL == phase) + 0.15 - value)
            highest = max(highest, value)
    assert highest == pytest.approx(bound)


# ------------------------------------------------------------------------------------------ a liquid


def small(variant: str = "nalsm", astrocyte: float = 0.02) -> Network:
    return build(Design(64, INPUTS, variant, 3, astrocyte, start_weight=START))


def exactly(network: Network, design_sign: tuple[int, ...] = (0, 1, -1)) -> tuple[Liquid, np.ndarray]:
    """An independent account of the same liquid, and the input spikes that it was shown."""
    sizes = [population.size for population in network.populations]
    starts = np.cumsum([0, *sizes])
    w, there = np.zeros((starts[-1],) * 2), np.zeros((starts[-1],) * 2, dtype=bool)
    for p in network.projections:
        w[starts[p.post] + p.post_index, starts[p.pre] + p.pre_index] = p.weight
        there[starts[p.post] + p.post_index, starts[p.pre] + p.pre_index] = True
    modulated = bool(network.modulators)
    gain = float(network.modulators[0].gains[1][1][0]) if modulated else 0.0
    return Liquid(w, there, np.repeat(design_sign, sizes), sizes[0], gain, modulated), starts


@pytest.fixture(scope="module")
def shown() -> tuple[Network, Lowered, Liquid, np.ndarray, np.ndarray, np.ndarray]:
    """The network, lowered; what the account of it came to: itself, input spikes, liquid spikes, the astrocyte."""
    network = small()
    slow, _ = exactly(network)
    p = np.random.default_rng(1).random((TRIALS, INPUTS)) * 0.5
    rasters, ends = zip(*[slow.trial(p[k], k, STEPS, 3) for k in range(TRIALS)], strict=True)
    raster = np.concatenate(rasters)
    return (
        network,
        lower(network, STEPS),
        slow,
        np.argwhere(raster[:, :INPUTS]),
        np.argwhere(raster[:, INPUTS:]),
        np.array(ends),
    )


def test_without_restrictions_it_is_the_network_itself(shown) -> None:
    _, lowered, slow, played, spikes, ends = shown
    found = reference.run(lowered, played, TRIALS, reference.NONE)
    np.testing.assert_array_equal(found.spikes, spikes)
    assert len(spikes) > 300
    np.testing.assert_allclose(found.third * lowered.scale.third_unit, ends, atol=1e-9)
    weights = np.concatenate(found.weights, axis=1) * lowered.unit
    np.testing.assert_allclose(weights, slow.w[INPUTS:], atol=1e-9)


def test_as_the_chip_has_it_what_is_learned_is_near_and_within_its_bounds(shown) -> None:
    _, lowered, slow, played, _, _ = shown
    found = reference.run(lowered, played, TRIALS)
    split = lowered.program.connections[1].weights.shape[1]
    exact = np.split(slow.w[INPUTS:], [INPUTS, INPUTS + split], axis=1)
    limits = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}
    for connection, weights, w in zip(lowered.program.connections, found.weights, exact, strict=True):
        there = connection.connected
        low, high = limits[connection.sign_mode]
        assert np.all((weights >= low) & (weights <= high) & (weights == np.rint(weights)))
        assert not weights[~there].any()
        mean, expected = np.abs(weights[there]).mean() * lowered.unit, np.abs(w[there]).mean()
        assert mean == pytest.approx(expected, rel=0.02)
        assert np.abs(np.abs(w[there]) - START).max() > 0.02  # something has been learned
    assert found.facts == {"clipped_voltages": 0, "negative_factors": 0}


@pytest.mark.parametrize("name", ["late_factor", "whole_factor", "whole_weights", "adding_synapses"])
def test_every_restriction_changes_something(shown, name: str) -> None:
    _, lowered, _, played, _, _ = shown
    exact, one = (
        reference.run(lowered, played, TRIALS, chosen) for chosen in (reference.NONE, reference.only(name))
    )
    assert any(np.any(a != b) for a, b in zip(exact.weights, one.weights, strict=True))


def test_an_input_weight_can_cross_zero_and_others_can_not() -> None:
    """Inputs that spike after their targets: everything falls."""
    network = small("lsm-stdp")
    lowered = lower(network, STEPS)
    for connection in lowered.program.connections:
        connection.weights = np.where(connection.connected, np.sign(connection.weights) * 2, 0)
    one = lowered.program.connections[0]
    target = int(np.flatnonzero(one.connected.any(axis=1))[0])
    source = int(np.flatnonzero(one.connected[target] & (one.weights[target] > 0))[0])
    only_lower = reference._Connection(lowered, one, reference.ALL, 200)
    y1, nobody = np.zeros(lowered.program.size), np.zeros(lowered.program.size, dtype=bool)
    y1[target] = 127
    fired = np.arange(INPUTS) == source
    for step in range(200):
        only_lower.learn(step, fired, nobody, y1, 0.0)
    assert only_lower.weights[target, source] == -256


def test_a_program_is_read_as_it_was_written(shown, tmp_path) -> None:
    _, lowered, _, _, _, _ = shown
    lowered.program.write(tmp_path)
    again = program.read(tmp_path)
    for mine, other in zip(lowered.program.connections, again.connections, strict=True):
        np.testing.assert_array_equal(mine.weights, other.weights)
        np.testing.assert_array_equal(mine.connected, other.connected)
        assert (mine.products, mine.sign_mode, mine.first) == (
            [{**p, "factors": tuple(p["factors"])} for p in other.products],
            other.sign_mode,
            other.first,
        )
    np.testing.assert_array_equal(lowered.program.third.neurons, again.third.neurons)
    assert (again.vth, again.du, again.third.bias) == (
        lowered.program.vth,
        lowered.program.du,
        lowered.program.third.bias,
    )


def test_plain_stdp_has_no_third_factor() -> None:
    lowered = lower(small("lsm-stdp"), STEPS)
    assert lowered.program.third is None
    assert not any("y3" in p["factors"] for c in lowered.program.connections for p in c.products)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: small("lsm-ap-stdp"), "gate of activity"),
        (lambda: small("lsm"), "do not learn"),
        (lambda: replace(small(), modulators=small().modulators * 2), "2 modulators"),
        (lambda: small(astrocyte=30.0), "rests at"),
    ],
)
def test_what_these_trials_can_not_have_is_refused_by_name(network, said: str) -> None:
    with pytest.raises((UnsupportedError, RequestError), match=said):
        lower(network(), STEPS)
