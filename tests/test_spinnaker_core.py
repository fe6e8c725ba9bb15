"""The whole-number model of a SpiNNaker core by itself: its arithmetic against exact numbers, and small runs by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from drive import PARAMETERS, cells, driven, source, synapses
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from neurodeploy import pynn as sim
from neurodeploy.backends import registry
from neurodeploy.cam import experiments
from neurodeploy.cam.application import TIME_STEP
from neurodeploy.cam.decoding import spike_rows
from neurodeploy.cam.model import build
from neurodeploy.cam.operations import spike_times
from neurodeploy.chips.spinnaker_arithmetic import (
    LARGEST_EXPONENT,
    ONE,
    SMALLEST_EXPONENT,
    accum,
    decayed,
    expk,
    exponential,
    expulr,
    kdivk,
    multiply,
    wrapped,
)
from neurodeploy.chips.spinnaker_cells import exponential_constants, membrane_constants, membrane_tick
from neurodeploy.chips.spinnaker_core import ring_slots, simulate
from neurodeploy.chips.spinnaker_stdp import (
    PairRuleConstants,
    decay_table,
    pair_rule_constants,
    stdp_change,
    stdp_update,
    traced,
    traced_spike,
)
from neurodeploy.chips.spinnaker_weights import (
    Incoming,
    delay_on_chip,
    delays_on_host,
    expected_bound,
    incoming,
    largest_sum,
    pattern,
    quantise_weights,
    ring_shift,
    weight_scale,
)
from neurodeploy.errors import NeurodeployError, UnsupportedError
from neurodeploy.models.network import Injection, Network, Plasticity, Population

ACCUMS = st.integers(-(2**31), 2**31 - 1)
FRACTIONS = st.integers(0, 2**32 - 1)

# ------------------------------------------------------------------------------------- arithmetic


@given(value=st.integers(-(2**62), 2**62))
def test_wrapping_keeps_the_lowest_32_bits(value: int) -> None:
    found = int(wrapped(np.int64(value)))
    assert -(2**31) <= found < 2**31 and (found - value) % 2**32 == 0


@given(a=ACCUMS, b=ACCUMS)
def test_a_product_is_cut_off_towards_minus_infinity(a: int, b: int) -> None:
    exact = math.floor(Fraction(a * b, 2**15))
    found = int(multiply(np.int64(a), b))
    assert (found - exact) % 2**32 == 0
    assert found == exact or abs(exact) >= 2**31 - 1


@given(a=st.integers(0, 2**31 - 1), b=st.integers(1, 2**31 - 1))
def test_a_quotient_is_cut_off(a: int, b: int) -> None:
    assert (int(kdivk(np.int64(a), np.int64(b))) - math.floor(Fraction(a * 2**15, b))) % 2**32 == 0


@given(value=ACCUMS, fraction=FRACTIONS)
def test_a_decay_is_cut_off_towards_minus_infinity(value: int, fraction: int) -> None:
    assert int(decayed(np.int64(value), np.int64(fraction))) == math.floor(Fraction(value * fraction, 2**32))


@given(value=st.floats(-65535.0, 65535.0))
def test_an_accum_is_the_nearest(value: float) -> None:
    assert abs(Fraction(int(accum([value])[0])) - Fraction(repr(value)) * 2**15) <= Fraction(1, 2)


def test_an_accum_halfway_is_the_even_one() -> None:
    assert accum([1.5 / ONE, 2.5 / ONE, -0.5 / ONE, -1.5 / ONE]).tolist() == [2, 2, 0, -2]


@given(n=st.integers(SMALLEST_EXPONENT, LARGEST_EXPONENT))
def test_the_exponential_is_good_to_a_millionth(n: int) -> None:
    exact = math.exp(n / ONE) * 2**32
    assert abs(exponential(n) - exact) < 2e-6 * exact + 1


@given(n=st.integers(SMALLEST_EXPONENT, 0))
def test_exponentials_are_cut_off(n: int) -> None:
    assert int(expk(np.array([n]))[0]) == exponential(n) // 2**17
    assert int(expulr(np.array([n]))[0]) == exponential(n) % 2**32


def test_exponentials_beyond_the_tables() -> None:
    assert expk(np.array([LARGEST_EXPONENT + 1, SMALLEST_EXPONENT - 1])).tolist() == [2**31 - 1, 0]
    assert expulr(np.array([SMALLEST_EXPONENT - 1, 0])).tolist() == [0, 0]


def test_constants_that_a_machine_computed() -> None:
    """Read from the memory of cores that ran sPyNNaker 7.4.1's programs."""
    assert kdivk(accum([17]), accum([0.9])).tolist() == [618955]
    assert expk(-kdivk(accum([1, 1]), accum([20, 17]))).tolist() == [31170, 30896]
    decay, gain = exponential_constants(accum([5]), accum([1]))
    assert (decay.tolist(), gain.tolist()) == ([3516490311], [3892384920])


# ---------------------------------------------------------------------------------------- weights


@given(largest=st.floats(1e-6, 1e6))
def test_the_shift_is_the_smallest_with_room(largest: float) -> None:
    shift = ring_shift(largest)
    assert largest < 2**shift and (shift == 0 or largest >= 2 ** (shift - 1))


def test_no_input_needs_no_shift() -> None:
    assert ring_shift(0.0) == 0 and ring_shift(1.0) == 1


@given(weight=st.floats(0, 7.99), shift=st.integers(3, 8), on_chip=st.booleans())
def test_a_stored_weight_is_within_half_a_unit(weight: float, shift: int, on_chip: bool) -> None:
    scale = weight_scale(shift, 1.0)
    stored = quantise_weights(np.array([weight, -weight]), scale, on_chip, "w")
    assert np.all(np.abs(stored - weight * scale) <= 0.5 + on_chip * scale / 2**16)


def test_the_chip_rounds_twice_where_the_host_rounds_once() -> None:
    weight, scale = np.array([40000.98 / 2**15]), weight_scale(1, 1.0)
    assert quantise_weights(weight, scale, False, "w").tolist() == [20000]
    assert quantise_weights(weight, scale, True, "w").tolist() == [20001]


def test_a_weight_beyond_16_bits_is_refused_by_its_label() -> None:
    with pytest.raises(UnsupportedError, match="'mine'"):
        quantise_weights(np.array([2.0]), weight_scale(0, 1.0), False, "mine")


@given(
    mean=st.floats(0.01, 10),
    deviation=st.floats(0.01, 5),
    spikes=st.floats(0.03, 20),
)
@settings(max_examples=60, deadline=None)
def test_the_expected_bound_is_the_hosts_formula(mean: float, deviation: float, spikes: float) -> None:
    upper = round(spikes + 3.0 * math.sqrt(spikes))
    spread, ratio = 0.0, math.log(spikes) * upper - special.gammaln(1 + upper)
    if -701 < ratio < 701 and ratio != 0.0:
        inner = math.exp(spikes) * special.gammaincc(1 + upper, spikes) - math.exp(ratio)
        spread = math.exp(-spikes) * spikes * deviation**2 * inner
    wanted = spikes * mean + 5.0 * math.sqrt(spikes * mean**2 + spread)
    assert expected_bound(mean, deviation, spikes, 5.0) == pytest.approx(wanted, rel=1e-9)


def test_equal_delays_make_room_for_all_at_once() -> None:
    alike = Incoming(1.0, 0.0, 1.0, 0.0, 40)
    spread = Incoming(1.0, 0.0, 1.0, 4.0, 40)
    assert largest_sum([alike], 1.0, 1.0) == 40.0
    expected = 40 * 0.03
    assert largest_sum([spread], 1.0, 1.0) == pytest.approx(expected + 5 * math.sqrt(expected))
    assert largest_sum([Incoming(0.1, 0.0, 9.0, 4.0, 1)], 1.0, 1.0) == 9.0


def test_statistics_of_many_projections_are_those_of_all_their_synapses() -> None:
    """The spread of several groups about their common mean counts, as in a sample variance."""
    parts = [Incoming(1.0, 0.0, 1.0, 1.0, 20), Incoming(3.0, 0.0, 3.0, 1.0, 20)]
    deviation = math.sqrt(np.var([1.0] * 20 + [3.0] * 20, ddof=1))
    assert largest_sum(parts, 1.0, 1.0) == pytest.approx(expected_bound(2.0, deviation, 1.2, 5.0))


def test_delays_of_lists_carry_the_hosts_rounding_errors() -> None:
    """6 x 1.3 is not 7.8: nine such delays have a variance, and the shift depends on whether it is 0."""
    steps = np.full(9, 6)
    assert set(delays_on_host(steps, "list", 1.3)) == {7.800000000000001}
    assert set(delays_on_host(steps, "one-to-one", 1.3)) == {7.8}


def test_plastic_weights_count_as_the_largest_they_can_become() -> None:
    rule = Plasticity(20, 20, 0.1, 0.1, "additive", 0.0, 3.0, 1.0)
    projection = synapses(0, 1, [(0, 0, 1.0, 1.0), (1, 0, 2.0, 2.0)], plasticity=rule)
    assert incoming(projection, "list", projection.delay) == Incoming(3.0, 0.0, 3.0, 0.25, 2)


def test_a_delay_that_the_chip_would_shorten_is_listed() -> None:
    assert delay_on_chip(3.0, 1.0) == 3 and delay_on_chip(4.5, 1.5) == 2
    one = synapses(0, 1, [(0, 0, 1.0, 4.5), (1, 1, 1.0, 4.5)])
    assert pattern(one, 2, 2, 1.5) == "list"
    one.delay[:] = 4.0
    assert pattern(one, 2, 2, 1.0) == "one-to-one"


@given(steps=st.integers(1, 500), dt=st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.1, 1.5, 2.0]))
def test_a_delay_on_the_chip_is_never_too_long(steps: int, dt: float) -> None:
    assert delay_on_chip(round(steps * dt, 9), dt) <= steps


# ----------------------------------------------------------------------------------------- cells


def test_membranes_count_refractory_ticks_in_fixed_point() -> None:
    population = cells("IF_curr_exp", 3, tau_refrac=2.0)
    assert membrane_constants(population, 0.4)["refractory"].tolist() == [6, 6, 6]
    assert membrane_constants(population, 1.0)["refractory"].tolist() == [2, 2, 2]


@given(v=st.floats(-90, -55), current=st.floats(-5, 5))
@settings(max_examples=60, deadline=None)
def test_a_membrane_moves_as_its_equation_to_a_few_units(v: float, current: float) -> None:
    p = PARAMETERS["IF_curr_exp"] | {"v_thresh": 10000.0}
    constants = membrane_constants(cells("IF_curr_exp", 1, v_thresh=10000.0), 1.0)
    found, left, spike = membrane_tick(constants, accum([v]), np.zeros(1, dtype=np.int64), accum([current]))
    rest = p["v_rest"] + (current + p["i_offset"]) * p["tau_m"] / p["cm"]
    wanted = rest + (v - rest) * math.exp(-1 / p["tau_m"])
    assert abs(found[0] / ONE - wanted) < 2e-3 and not spike[0] and not left[0]


def test_a_refractory_membrane_stands_still() -> None:
    constants = membrane_constants(cells("IF_curr_exp", 1), 1.0)
    v, left, spike = membrane_tick(constants, accum([-60.0]), np.array([2]), accum([3.0]))
    assert (v.tolist(), left.tolist(), spike.tolist()) == (accum([-60.0]).tolist(), [1], [False])


# ------------------------------------------------------------------------------------------ STDP


@given(tau=st.floats(1.0, 100.0), dt=st.sampled_from([0.1, 1.0, 1.5]))
@settings(max_examples=60, deadline=None)
def test_a_table_ends_where_a_trace_of_one_spike_does(tau: float, dt: float) -> None:
    table = decay_table(tau, dt)
    assert len(table) % 2 == 0 and table[0] == 2048 and np.all(np.diff(table) <= 0)
    assert 2048 * math.exp(-len(table) * dt / tau) <= 1.0 + 1e-9
    assert 2048 * math.exp(-(len(table) - 2) * dt / tau) > 1.0 - 1e-9


def test_traces_end_with_the_table_and_wrap_at_16_bits() -> None:
    table = decay_table(20.0, 1.0)
    assert traced(2048, table, 0) == 2048 and traced(2048, table, 20) == int(2048 * math.exp(-1))
    assert traced(2048, table, len(table)) == 0 and traced(2048, table, -1) == 0
    assert traced_spike(32000, table, 0) == 32000 + 2048 - 2**16


def rule(dependence: str, **changes: float) -> PairRuleConstants:
    values = {"A_plus": 0.5, "A_minus": 0.25, "w_min": 0.0, "w_max": 2.0} | changes
    return pair_rule_constants(
        Plasticity(20.0, 20.0, weight_dependence=dependence, dendritic_delay_fraction=1.0, **values), 1.0, 1.0
    )


@given(weight=st.integers(0, 2 * ONE), trace=st.integers(0, 8192))
def test_additive_changes_stay_within_the_bounds(weight: int, trace: int) -> None:
    constants = rule("additive")
    up, down = (stdp_change(constants, weight, trace, potentiate) for potentiate in (True, False))
    assert up == min(weight + trace * 8, 2 * ONE) and down == max(weight - trace * 4, 0)


@given(weight=st.integers(0, 30 * ONE), trace=st.integers(0, 16384))
def test_multiplicative_changes_are_cut_off_twice(weight: int, trace: int) -> None:
    constants = rule("multiplicative")
    up, down = (stdp_change(constants, weight, trace, potentiate) for potentiate in (True, False))
    assert up == weight + math.floor(Fraction((2 * ONE - weight) // 2 * trace, 2048))
    assert down == weight - math.floor(Fraction(weight // 4 * trace, 2048))


def test_a_pair_by_hand() -> None:
    """pre at 10, post at 15, pre at 20, delay 2: potentiated over 7 ticks, depressed over 3."""
    constants = rule("additive")
    plus = int(2048 * math.exp(-7 / 20))
    minus = int(2048 * math.exp(-3 / 20))
    wanted = ONE + plus * 8 - minus * 4
    assert stdp_update(constants, ONE, 0, 20, 10, 2048, 2, [(15, 2048)]) == wanted


def test_a_tie_depresses_and_does_not_potentiate() -> None:
    constants = rule("additive")
    assert (
        stdp_update(constants, ONE, 0, 20, 10, 2048, 5, [(15, 2048)])
        == ONE + int(2048 * math.exp(-0.5)) * 8 - 2048 * 4
    )
    assert (
        stdp_update(constants, ONE, 0, 20, 10, 2048, 5, [(5, 2048)]) == ONE - int(2048 * math.exp(-0.5)) * 4
    )


def test_spikes_after_the_window_wait_for_the_next() -> None:
    assert stdp_update(rule("additive"), ONE, 0, 20, 10, 2048, 5, [(16, 2048), (18, 2048)]) == ONE


# ------------------------------------------------------------------------------------------- runs


@pytest.mark.parametrize(("longest", "slots"), [(1, 2), (2, 2), (3, 4), (8, 8), (9, 16), (13, 16)])
def test_ring_buffers_have_a_power_of_two_of_slots(longest: int, slots: int) -> None:
    assert ring_slots(float(longest), 1.0) == slots


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_spike_acts_in_tick_t_plus_delay_and_is_seen_in_v_one_later(delay: int) -> None:
    network = Network(
        1.0, [source([4.0]), cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, 1.0, float(delay))])]
    )
    without = Network(1.0, network.populations, [])
    found, quiet = simulate(network, 20), simulate(without, 20)
    assert np.flatnonzero(found.samples[1, "isyn_exc"][:, 0])[0] == 4 + delay
    apart = found.samples[1, "v"] != quiet.samples[1, "v"]
    assert np.flatnonzero(apart[:, 0])[0] == 4 + delay + 1


@pytest.mark.parametrize("cell", sorted(PARAMETERS))
def test_every_cell_spikes_and_is_sampled_in_multiples_of_its_unit(cell: str) -> None:
    network = driven(cell, 1.0, [3.0, 5, 7, 9, 11, 13], [20.0], 2.0, i_offset=2.0)
    found = simulate(network, 60)
    v = found.samples[1, "v"]
    assert v.shape == (60, 1) and np.all(v * ONE == np.rint(v * ONE)) and np.ptp(v) > 1
    assert len(found.spikes[1][0]) > 0
    assert found.spikes[0][0].tolist() == [3, 5, 7, 9, 11, 13, 20]


def test_the_last_spikes_before_a_presynaptic_one_decide_the_weight() -> None:
    learning = Plasticity(20.0, 20.0, 0.1, 0.05, "additive", 0.0, 2.0, 1.0)
    network = Network(
        1.0,
        [source([2.0, 30.0]), cells("IF_curr_exp", i_offset=3.0)],
        [synapses(0, 1, [(0, 0, 1.0, 1.0)], plasticity=learning)],
    )
    early, late = simulate(network, 29), simulate(network, 31)
    assert early.weights[0].tolist() == [1.0] and late.weights[0][0] != 1.0
    assert len(late.spikes[1][0]) > 2


def test_saturation_stays_at_the_largest_entry() -> None:
    """Sixty spikes at once of 1 nA on one target, expected to be few: the sum stops at twice the room made for it."""
    rows = [(i, 0, 1.0, 2.0 if i else 1.0) for i in range(60)]
    network = Network(1.0, [source(*[[1.0]] * 60), cells("IF_curr_exp")], [synapses(0, 1, rows)])
    room = 2 ** ring_shift(
        largest_sum([incoming(network.projections[0], "list", network.projections[0].delay)], 1.0, 1.0)
    )
    gain = exponential_constants(accum([2.5]), accum([1.0]))[1][0] / 2**32
    peak = simulate(network, 6).samples[1, "isyn_exc"][3, 0]
    assert 2 * room < 59 and peak == pytest.approx(2 * room * gain + math.exp(-1 / 2.5) * gain, abs=0.01)


def refused(network: Network, word: str) -> None:
    with pytest.raises(NeurodeployError, match=word):
        simulate(network, 5)


def test_what_is_not_covered_is_refused_by_its_label() -> None:
    one = source([1.0])
    refused(Network(1.0, [Population("mine", "HH_cond_exp", 1)]), "'mine'.*HH_cond_exp")
    poisson = Population("noise", "SpikeSourcePoisson", 1, {"rate": np.array([5.0])})
    refused(Network(1.0, [poisson]), "'noise'")
    refused(Network(1.0, [cells("IF_curr_exp", 257)]), "257 neurons")
    refused(Network(0.5, [one, cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, 1.0, 1.0)])]), "time step")
    refused(
        Network(1.0, [one, cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, 1.0, 9000.0)])]), "delay of 9000"
    )
    refused(Network(1.0, [one, cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, 1.0, 1.5)])]), "1.5 ms")
    refused(Network(1.0, [one, cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, -1.0, 1.0)])]), "sign")
    refused(Network(1.0, [one, one], [synapses(0, 1, [(0, 0, 1.0, 1.0)])]), "no synapses")
    refused(Network(1.0, [cells("IF_curr_exp", tau_m=0.0)]), "tau_m")
    refused(Network(1.0, [cells("IF_curr_exp", v_thresh=1e9)]), "v_thresh")
    refused(Network(1.0, [source([1.0, 1.0])]), "two spikes")
    injected = Injection(0, np.array([0]), np.array([1.0]), np.array([0.5]))
    refused(Network(1.0, [cells("IF_curr_exp")], injections=[injected]), "injected")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"weight_dependence": "multiplicative"}, "multiplicative"),
        ({"dendritic_delay_fraction": 0.5}, "behind the synapse"),
        ({"A_plus": -0.1}, "amplitudes"),
    ],
)
def test_rules_that_are_not_covered_are_refused(changes: dict, word: str) -> None:
    values = {
        "tau_plus": 20.0,
        "tau_minus": 20.0,
        "A_plus": 0.1,
        "A_minus": 0.1,
        "weight_dependence": "additive",
        "w_min": 0.0,
        "w_max": 1.0,
        "dendritic_delay_fraction": 1.0,
    }
    learning = Plasticity(**(values | changes))
    refused(
        Network(
            1.0,
            [source([1.0]), cells("IF_cond_exp")],
            [synapses(0, 1, [(0, 0, 1.0, 1.0)], plasticity=learning)],
        ),
        word,
    )


def test_cells_of_one_population_do_not_know_of_each_other() -> None:
    """A run of many is the runs of each: no state leaks between neurons."""
    draw = np.random.default_rng(0)
    together = cells("IF_curr_exp", 6)
    together.parameters["i_offset"] = draw.uniform(0, 2, 6)
    all_ = simulate(Network(1.0, [together]), 80).samples[0, "v"]
    for neuron in range(6):
        alone = cells("IF_curr_exp", 1, i_offset=float(together.parameters["i_offset"][neuron]))
        assert np.array_equal(simulate(Network(1.0, [alone]), 80).samples[0, "v"][:, 0], all_[:, neuron])
    assert np.ptp(all_[5]) > 0


@pytest.mark.parametrize("name", ["functional", "stress"])
def test_the_memorys_published_recordings_are_reproduced_row_for_row(name: str) -> None:
    """They come from SpiNNaker hardware: twelve populations, static and plastic synapses."""
    experiment = experiments.experiment(name)
    sim.setup(timestep=TIME_STEP, min_delay=TIME_STEP, backend=registry.load("brian2"), rules="spinnaker")
    trains = spike_times(experiment.operations, experiment.cues, experiment.contents)
    build(sim, experiment.cues, experiment.contents, *trains)
    network = sim.capture()
    spikes = simulate(network, round(experiment.duration_ms / TIME_STEP)).spikes
    labels = [population.label for population in network.populations]
    found = {label: (spikes[i][0] * TIME_STEP, spikes[i][1]) for i, label in enumerate(labels)}
    assert spike_rows(found) == experiments.published(name)
