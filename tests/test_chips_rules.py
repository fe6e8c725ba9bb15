"""Tick rules as data: names, refractory counts, and the numbers a cell's parameters become."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from drive import PARAMETERS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from neurodeploy.chips.catalogue import RULES as ALL_RULES
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.ideal import exponential_integral, ramp_integral
from neurodeploy.errors import RequestError, UnsupportedError

RULES = ("ideal", "spinnaker")

# ------------------------------------------------------------------------------------------------ names


def test_the_table_holds_both_rules_under_their_own_names() -> None:
    assert set(ALL_RULES) >= set(RULES)
    assert all(rules_by_name(name).name == name for name in ALL_RULES)


@pytest.mark.parametrize(
    ("wrong", "meant"), [("spinaker", "spinnaker"), ("SpiNNaker", "spinnaker"), ("idael", "ideal")]
)
def test_an_unknown_name_is_refused_with_what_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(RequestError, match=f"Did you mean '{meant}'") as refused:
        rules_by_name(wrong)
    assert wrong in str(refused.value) and "ideal, loihi1, loihi2, spinnaker" in refused.value.fix


def test_a_name_far_from_all_is_refused_without_a_guess() -> None:
    with pytest.raises(RequestError) as refused:
        rules_by_name("zzz")
    assert (
        "Did you mean" not in str(refused.value) and "ideal, loihi1, loihi2, spinnaker" in refused.value.fix
    )


@pytest.mark.parametrize("name", RULES)
def test_a_cell_without_rules_is_refused_by_the_users_label(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"'my cells'.*HH_cond_exp") as refused:
        rules_by_name(name).cell("HH_cond_exp", "my cells")
    assert all(cell in refused.value.why for cell in PARAMETERS)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("cell", sorted(PARAMETERS))
def test_every_coefficient_that_an_update_reads_is_computed(name: str, cell: str) -> None:
    rules = rules_by_name(name).cell(cell, "cells")
    values = rules.coefficients({k: np.full(3, v) for k, v in PARAMETERS[cell].items()}, 0.1)
    assert set(values) == set(rules.update.coefficients)
    assert all(value.shape == (3,) and np.all(np.isfinite(value)) for value in values.values())


# ---------------------------------------------------------------------------------------- refractory steps


@given(steps=st.integers(0, 2000), dt=st.sampled_from([0.01, 0.025, 0.1, 0.3, 0.5, 1.0]))
@settings(max_examples=100, deadline=None)
def test_a_refractory_time_on_the_grid_is_that_many_steps_of_ideal_time(steps: int, dt: float) -> None:
    for tau in (steps * dt, float(f"{steps * dt:.6g}")):
        assert rules_by_name("ideal").refractory_steps(np.array([tau]), dt)[0] == steps


@given(steps=st.integers(0, 500), part=st.floats(0.01, 0.99), dt=st.sampled_from([0.1, 0.25, 1.0]))
@settings(max_examples=100, deadline=None)
def test_off_the_grid_ideal_time_rounds_to_nearest(steps: int, part: float, dt: float) -> None:
    tau = np.array([(steps + part) * dt])
    found = rules_by_name("ideal").refractory_steps(tau, dt)[0]
    assert found == int(found) and abs(found * dt - tau[0]) <= dt / 2 * (1 + 1e-9)


@given(tau=st.floats(0.0, 200.0), dt=st.sampled_from([0.1, 0.3, 0.4, 0.5, 1.0, 2.0]))
@settings(max_examples=100, deadline=None)
def test_the_chip_rounds_the_quotient_of_two_fixed_point_numbers_up(tau: float, dt: float) -> None:
    unit = 2**15
    quotient = Fraction(math.floor(Fraction(round(Decimal(repr(tau)) * unit) * unit, round(dt * unit))), unit)
    assert rules_by_name("spinnaker").refractory_steps(np.array([tau]), dt)[0] == math.ceil(quotient)


@pytest.mark.parametrize(
    ("tau", "dt", "steps"), [(2.0, 0.4, 6), (0.8, 0.4, 2), (1.2, 0.4, 4), (2.0, 0.1, 20), (3.0, 1.0, 3)]
)
def test_refractory_steps_that_a_machine_took(tau: float, dt: float, steps: int) -> None:
    """Measured with the chip's own programs: 0.4 ms is a little less in fixed point, so 2 ms are more than 5 of them."""
    assert rules_by_name("spinnaker").refractory_steps(np.array([tau]), dt)[0] == steps


def test_refractory_steps_of_published_settings() -> None:
    """tau_refrac = 0.1 ms at 1 ms ticks costs one tick on the chip; so the CAM's cells fire every second tick."""
    assert rules_by_name("spinnaker").refractory_steps(np.array([0.1, 3.0, 0.0]), 1.0).tolist() == [1, 3, 0]
    assert rules_by_name("ideal").refractory_steps(np.array([0.1, 3.0, 0.0]), 1.0).tolist() == [0, 3, 0]


# -------------------------------------------------------------------------------------------- integrals


def exactly(x: float) -> tuple[float, float]:
    r""":math:`\int_0^1 e^{-xs}ds` and :math:`\int_0^1 s e^{-xs}ds`, by their power series with 120 digits."""
    getcontext().prec = 120
    exact, term = Decimal(x), Decimal(1)
    first = second = Decimal(0)
    for n in range(400):
        first += term / (n + 1)
        second += term / (n + 2)
        term *= -exact / (n + 1)
    return float(first), float(second)


EDGES = [
    0.0,
    1e-300,
    1e-17,
    -1e-12,
    1e-8,
    -1e-4,
    0.0999999,
    0.1,
    0.1000001,
    -0.1,
    0.5,
    1.0,
    -3.0,
    20.0,
    -20.0,
    40.0,
]


@pytest.mark.parametrize("x", EDGES)
def test_the_integrals_are_exact_at_the_edges_of_their_branches(x: float) -> None:
    first, second = exactly(x)
    assert float(exponential_integral(x)) == pytest.approx(first, rel=4e-15)
    assert float(ramp_integral(x)) == pytest.approx(second, rel=1e-13)


@given(x=st.floats(-30, 30))
@settings(max_examples=150, deadline=None)
def test_the_integrals_are_exact_everywhere(x: float) -> None:
    first, second = exactly(x)
    assert float(exponential_integral(np.array([x]))[0]) == pytest.approx(first, rel=1e-14)
    assert float(ramp_integral(np.array([x]))[0]) == pytest.approx(second, rel=1e-13)


# ------------------------------------------------------------------------------------------- coefficients

times = st.floats(0.2, 50.0)


@given(tau_m=times, tau_syn=times, cm=st.floats(0.1, 5.0), dt=st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=100, deadline=None)
def test_ideal_propagators_are_the_matrix_exponential(
    tau_m: float, tau_syn: float, cm: float, dt: float
) -> None:
    """v, a constant current, and a current with its slope, as one linear system; where the two times meet, too."""
    for tau in (tau_syn, tau_m, tau_m * (1 + 1e-9)):
        system = np.zeros((4, 4))
        system[0] = [-1 / tau_m, 1 / cm, 1 / cm, 0]
        system[2, 2:] = [-1 / tau, 1]
        system[3, 3] = -1 / tau
        step = expm(system * dt)
        p = PARAMETERS["IF_curr_alpha"] | {"tau_m": tau_m, "cm": cm, "tau_syn_E": tau, "tau_syn_I": tau}
        found = (
            rules_by_name("ideal")
            .cells["IF_curr_alpha"]
            .coefficients({name: np.array([value]) for name, value in p.items()}, dt)
        )
        pairs = {
            "v_from_v": step[0, 0],
            "v_from_current": step[0, 1],
            "v_from_exc": step[0, 2],
            "v_from_slope_inh": step[0, 3],
            "decay_inh": step[2, 2],
        }
        for name, expected in pairs.items():
            assert found[name][0] == pytest.approx(expected, rel=1e-10), name


@pytest.mark.parametrize("cell", ["IF_curr_exp", "IF_curr_alpha", "IF_cond_exp"])
@pytest.mark.parametrize("name", RULES)
def test_time_constants_far_below_the_step_are_possible(name: str, cell: str) -> None:
    """A synapse or a membrane a thousand times faster than the step has decayed at its end: no number overflows."""
    p = {k: np.full(3, v) for k, v in PARAMETERS[cell].items()}
    p["tau_m"][0], p["tau_syn_E"][1], p["tau_syn_I"][2] = 1e-3, 1e-3, 1e-3
    values = rules_by_name(name).cells[cell].coefficients(p, 1.0)
    assert all(np.all(np.isfinite(value)) for value in values.values())


def test_the_chips_gain_spreads_a_charge_over_the_tick() -> None:
    """The CAM's published factors for tau_syn = 0.3 ms at 1 ms: gain 0.28930, decay 0.03567."""
    p = {k: np.array([v]) for k, v in (PARAMETERS["IF_curr_exp"] | {"tau_syn_E": 0.3}).items()}
    found = rules_by_name("spinnaker").cells["IF_curr_exp"].coefficients(p, 1.0)
    assert found["gain_exc"][0] == pytest.approx(0.28930, abs=5e-6)
    assert found["decay_exc"][0] == pytest.approx(0.03567, abs=5e-6)
    assert found["gain_inh"][0] == pytest.approx(6.0 * (1 - math.exp(-1 / 6.0)), rel=1e-14)
