"""Loihi's learning engine in whole numbers, and PyNN's pair rule in its terms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.cam.loihi import LOIHI
from neurodeploy.chips import loihi_learning as engine
from neurodeploy.chips.loihi_learning import LearningRule, LearningState, Product, advance, random_numbers
from neurodeploy.chips.loihi_plasticity import map_pair_rule
from neurodeploy.errors import NeurodeployError, RequestError, UnsupportedError
from neurodeploy.models.network import Plasticity

ONE = np.ones(1, dtype=np.int64)


def pair_rule(tau_plus=20.0, tau_minus=20.0, a_plus=0.01, a_minus=0.01, **other) -> Plasticity:
    given = {
        "weight_dependence": "additive",
        "w_min": 0.0,
        "w_max": 6.0,
        "dendritic_delay_fraction": 1.0,
    } | other
    return Plasticity(tau_plus, tau_minus, a_plus, a_minus, **given)


def mapped(rule: Plasticity, seed: int = 1, weight=ONE * 0.0, delay=ONE, receptor: str = "excitatory"):
    return map_pair_rule(rule, "p", receptor, weight, delay, 1.0, seed)


CAM = Plasticity(**LOIHI.plasticity, weight_dependence="additive", dendritic_delay_fraction=1.0)


def learned(rule: LearningRule, weight: int, pre: list[int], post: list[int], steps: int) -> int:
    """The weight of one synapse after the spikes of `pre` and `post`."""
    index = np.zeros(1, dtype=np.int64)
    state = LearningState.of(index, index, np.array([weight]), 1, 1)
    numbers = random_numbers(rule, 0, steps)
    for step in range(steps):
        advance(rule, state, np.array([step in pre]), np.array([step in post]), numbers[step])
    return int(state.weight[0])


def test_the_rule_of_the_memory_is_exact() -> None:
    rule = mapped(CAM).rule
    assert rule.exact
    assert (rule.dw, rule.dt) == (
        "- 5 * 2^0 * x0 * t + 5 * 2^0 * y0 * x1",
        "- 1 * 2^0 * u0 * t + 1 * 2^0 * y0 * y3",
    )


@given(
    weight=st.integers(0, 255),
    spikes=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    seed=st.integers(0, 2**31),
)
def test_the_rule_of_the_memory_in_words(weight: int, spikes: list[tuple[bool, bool]], seed: int) -> None:
    """Together: full; the post spike one step before the pre spike: nothing; both or neither: as it was; whatever the seed."""
    expected = weight
    for (_, post_before), (pre, post) in zip([(False, False), *spikes], spikes, strict=False):
        if pre and post_before != post:
            expected = 255 if post else 0
    pre, post = ([step for step, fired in enumerate(spikes) if fired[who]] for who in (0, 1))
    assert learned(mapped(CAM, seed).rule, weight, pre, post, len(spikes)) == expected


@pytest.mark.parametrize("delta", [-30, -7, -1, 0, 1, 2, 9, 40])
@pytest.mark.parametrize(
    "rule",
    [pair_rule(), pair_rule(16.8, 33.7, 0.08, 0.04), pair_rule(3.0, 0.1, 0.2, 0.3), CAM],
    ids=["symmetric", "asymmetric", "mixed", "memory"],
)
def test_a_pair_changes_the_weight_as_pynn_has_it(delta: int, rule: Plasticity) -> None:
    """On average over the chip's rounding (that of weights depends on the step alone); Δ = t_post + 1 − t_pre, in steps."""
    results = []
    for sample in range(40):
        pre = sample + max(1 - delta, 0)
        post = pre + delta - 1
        results.append(learned(mapped(rule, sample).rule, 120, [pre], [post], max(pre, post) + 1))
    if delta >= 1:
        wanted = 255 * rule.A_plus * math.exp(-delta / rule.tau_plus)
    else:
        wanted = -255 * rule.A_minus * math.exp(delta / rule.tau_minus)
    wanted = np.clip(120 + wanted, 0, 255) - 120
    assert np.mean(results) - 120 == pytest.approx(wanted, rel=0.02, abs=0.35)


@pytest.mark.parametrize(
    ("rule", "options", "words"),
    [
        (pair_rule(weight_dependence="multiplicative"), {}, "AdditiveWeightDependence"),
        (pair_rule(w_min=1.0), {}, "w_min = 0"),
        (pair_rule(), {"receptor": "inhibitory"}, "between 0 and 255 units"),
        (pair_rule(), {"delay": ONE * 3}, "delay of one time step"),
        (pair_rule(dendritic_delay_fraction=0.0), {}, "dendritic_delay_fraction=1.0"),
        (pair_rule(), {"weight": ONE * 7.0}, "within the bounds"),
        (pair_rule(a_plus=0.9), {}, "accumulator holds 256"),
        (pair_rule(a_minus=0.9), {}, "accumulator holds 256"),
        (pair_rule(a_plus=1e-6), {}, "8 bits"),
        (pair_rule(a_plus=0.0, a_minus=0.0), {}, "static synapse"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_its_label(rule: Plasticity, options, words: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        mapped(rule, **options)
    assert "Projection 'p'" in str(refused.value) and words in str(refused.value)


@given(
    tau=st.floats(0.01, 100.0),
    a_plus=st.floats(0.0, 2.0),
    a_minus=st.floats(0.0, 2.0),
)
def test_any_rule_is_either_refused_or_within_what_the_engine_has(
    tau: float, a_plus: float, a_minus: float
) -> None:
    try:
        rule = mapped(pair_rule(tau, tau, a_plus, a_minus)).rule
    except NeurodeployError:
        return
    assert all(1 <= impulse <= engine.TRACE_HIGH for impulse in rule.impulses.values())
    index = np.zeros(1, dtype=np.int64)
    state = LearningState.of(index, index, np.array([128]), 1, 1)
    for step, row in enumerate(random_numbers(rule, 0, 60)):
        advance(rule, state, np.array([step % 3 == 0]), np.array([step % 4 == 0]), row)
        assert 0 <= state.weight[0] <= 255


def test_a_tie_leaves_depression_out() -> None:
    """Δ = 1 potentiates only: what y1 counts of the tie is taken out by y3, exactly."""
    rule = mapped(pair_rule(a_plus=0.0, a_minus=0.3)).rule
    assert {learned(rule, w, [5], [5], 10) for w in (0, 100, 255)} == {0, 100, 255}


@pytest.mark.parametrize(
    "product",
    [
        (8, 0, "x0", ("y1",)),
        (0, 0, "x0", ()),
        (1, 9, "x0", ()),
        (1, 0, "x1", ()),
        (1, 0, "x0", ("z",)),
        (1, 0, "x0", ("w",) * 4),
    ],
)
def test_a_product_that_the_engine_lacks(product) -> None:
    with pytest.raises(RequestError, match="learning engine has no product"):
        Product(*product)


def test_random_numbers_go_on_where_they_stopped() -> None:
    rule = mapped(pair_rule(), seed=7).rule
    whole = random_numbers(rule, 0, 50)
    np.testing.assert_array_equal(
        np.concatenate([random_numbers(rule, 0, 20), random_numbers(rule, 20, 30)]), whole
    )
    assert whole.min() >= 0 and whole.max() < 1
