"""Pair STDP against brute force over all pairs of spikes: final weights, and the weight that each spike sends."""

from __future__ import annotations

import numpy as np
import pytest
from drive import cells, opened, record, source, synapses
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from neurodeploy.models.network import Injection, Network, Plasticity

STEPS = 60
QUIET = {
    "tau_m": 0.5,
    "cm": 0.5,
    "tau_syn_E": 0.02,
    "tau_syn_I": 0.02,
    "v_thresh": 1e3,
    "tau_refrac": 0.0,
    "i_offset": 0.0,
}
"""Cells that fire where they are made to and nowhere else, and whose synaptic current of a step is what arrived in it."""


def brute_force(pre: list[int], post: list[int], rule: Plasticity, start: float, delay: int, rules: str):
    """Every event in order of time, post before pre; every trace as a sum over all earlier events of the other side."""
    dendritic = delay if rules == "spinnaker" else round(delay * rule.dendritic_delay_fraction)
    pre_at = [time + delay - dendritic for time in pre]
    post_at = [time + dendritic for time in post]
    scale = rule.w_max if rules == "ideal" else 1.0
    weight, sent = start, np.zeros(STEPS + 100)
    for time, is_pre in sorted([(t, 1) for t in pre_at] + [(t, 0) for t in post_at]):
        if is_pre:
            counted = [t for t in post_at if t < time or (t == time and rules == "spinnaker")]
            trace = sum(np.exp((t - time) / rule.tau_minus) for t in counted)
            amount = rule.A_minus * (scale if rule.weight_dependence == "additive" else weight - rule.w_min)
            weight = min(max(weight - amount * trace, rule.w_min), rule.w_max)
            sent[time + dendritic] += weight
        else:
            trace = sum(np.exp((t - time) / rule.tau_plus) for t in pre_at if t < time)
            amount = rule.A_plus * (scale if rule.weight_dependence == "additive" else rule.w_max - weight)
            weight = min(max(weight + amount * trace, rule.w_min), rule.w_max)
    return weight, sent[:STEPS]


def pulses(population: int, neuron: int, times: list[int], rules: str) -> Injection:
    """A current that makes the neuron fire at each of `times` (in ideal time, in the step before)."""
    early = 1 if rules == "ideal" else 0
    on = [float(t - early) for t in times]
    edges = sorted(dict.fromkeys(on, 1000000.0) | {t + 1: 0.0 for t in on if t + 1 not in on} | {}, key=float)
    return Injection(
        population,
        np.array([neuron]),
        np.array(edges),
        np.array([1e6 if edge in on else 0.0 for edge in edges]),
    )


def learned(target, pre, post, rule, start, delay, rules, receptor="excitatory", from_cell=False):
    sign = -1.0 if receptor == "inhibitory" else 1.0
    first = cells("IF_curr_exp", label="pre", **QUIET) if from_cell else source([float(t) for t in pre])
    network = Network(
        1.0,
        [first, cells("IF_curr_exp", label="post", **QUIET)],
        [synapses(0, 1, [(0, 0, sign * start, float(delay))], receptor, rule)],
        [pulses(1, 0, post, rules), *([pulses(0, 0, pre, rules)] if from_cell else [])],
    )
    variable = "isyn_exc" if receptor == "excitatory" else "isyn_inh"
    record(network, 0, "spikes")
    record(network, 1, "spikes", variable)
    session = opened(network, target, rules)
    try:
        session.run(STEPS)
        assert session.spikes(0)[0].tolist() == sorted(pre)
        assert session.spikes(1)[0].tolist() == sorted(post)
        gain = 0.02 * (1 - np.exp(-1 / 0.02)) if rules == "spinnaker" else 1.0
        return session.weights(0)[0] * sign, session.samples(1, variable)[:STEPS, 0] * sign / gain
    finally:
        session.end()


trains = st.lists(st.integers(1, STEPS - 12), max_size=10, unique=True).map(sorted)
amplitudes = st.floats(0.0, 2.0)


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
@pytest.mark.parametrize("from_cell", [False, True], ids=["from a source", "from a cell"])
def test_any_trains_any_parameters(target, rules: str, from_cell: bool) -> None:
    examples = 40 if target.name == "cpp" else 2

    @settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        pre=trains,
        post=trains,
        a_plus=amplitudes,
        a_minus=amplitudes,
        taus=st.tuples(st.floats(1.0, 30.0), st.floats(1.0, 30.0)),
        dependence=st.sampled_from(["additive", "multiplicative"]),
        start=st.floats(0.5, 4.0),
        delay=st.integers(1, 9),
        fraction=st.sampled_from([0.0, 0.5, 1.0] if rules == "ideal" else [1.0]),
    )
    def hold(pre, post, a_plus, a_minus, taus, dependence, start, delay, fraction) -> None:
        delay += delay % 2 if fraction == 0.5 else 0  # a half of the delay has to be whole
        rule = Plasticity(*taus, a_plus, a_minus, dependence, 0.5, 4.0, fraction)
        weight, sent = learned(target, pre, post, rule, start, delay, rules, from_cell=from_cell)
        expected, expected_sent = brute_force(pre, post, rule, start, delay, rules)
        assert weight == pytest.approx(expected, abs=1e-9)
        np.testing.assert_allclose(sent, expected_sent, atol=1e-9)

    hold()


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_several_spikes_under_way_keep_the_weight_they_were_sent_with(target, rules: str) -> None:
    rule = Plasticity(10.0, 10.0, 0.3, 0.3, "additive", 0.0, 5.0, 1.0)
    pre, post, delay = [5, 6, 7, 8, 9, 10], [1, 2, 3], 8
    weight, sent = learned(target, pre, post, rule, 2.0, delay, rules)
    expected, expected_sent = brute_force(pre, post, rule, 2.0, delay, rules)
    assert len({round(value, 6) for value in sent[sent > 0]}) > 2
    assert weight == pytest.approx(expected)
    np.testing.assert_allclose(sent, expected_sent, atol=1e-9)


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_inhibitory_synapses_learn_in_magnitude_and_keep_their_sign(target, rules: str) -> None:
    rule = Plasticity(10.0, 10.0, 0.3, 0.2, "additive", 0.0, 5.0, 1.0)
    weight, sent = learned(target, [3, 9, 20], [5, 12, 22], rule, 2.0, 2, rules, receptor="inhibitory")
    expected, expected_sent = brute_force([3, 9, 20], [5, 12, 22], rule, 2.0, 2, rules)
    assert weight == pytest.approx(expected)
    np.testing.assert_allclose(sent, expected_sent, atol=1e-9)


@pytest.mark.parametrize(("rules", "expected"), [("ideal", 2.0), ("spinnaker", 1.5)])
def test_a_tie_depresses_on_spinnaker_and_does_nothing_in_ideal_time(
    target, rules: str, expected: float
) -> None:
    rule = Plasticity(10.0, 10.0, 0.5, 0.5, "additive", 0.0, 5.0, 1.0)
    assert learned(target, [10], [9], rule, 2.0, 1, rules)[0] == pytest.approx(expected)


def test_weights_are_clipped_after_every_single_event(target) -> None:
    """Up to the bound and down again is not the same as the sum."""
    rule = Plasticity(3.0, 3.0, 6.0, 6.0, "additive", 0.0, 6.0, 1.0)
    weight, _ = learned(target, [10, 12], [11], rule, 5.0, 1, "spinnaker")
    assert weight == pytest.approx(
        0.0
    )  # up: min(5 + 6·e^(−2/3), 6) = 6, down on the tie: 6 − 6; unclipped it would be 2.08
