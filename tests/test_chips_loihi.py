"""Loihi's records and arithmetic, against plain Python whole numbers of any size."""

from __future__ import annotations

import math
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.chips import loihi_arithmetic as chip
from neurodeploy.chips.loihi import CHIPS, FACTS, LOIHI1, LOIHI2, SIGN_MODES, LoihiChip, chip_by_name, table
from neurodeploy.errors import RequestError
from neurodeploy.report.chips import markdown

states = st.integers(-(2**23) + 1, 2**23)
any_sum = st.integers(-(3 * 2**23) + 1, 3 * 2**23 - 1)
decays = st.integers(0, 4096)


@given(states, decays)
def test_a_decay_is_the_exact_product_cut_off_towards_zero(value, by):
    exact = Fraction(value * (4096 - by), 4096)
    assert chip.decay(value, by) == math.trunc(exact)
    assert abs(exact - int(chip.decay(value, by))) < 1


def test_a_decay_by_everything_leaves_nothing_and_by_nothing_all():
    values = np.array([-(2**23) + 1, -1, 0, 1, 2**23])
    assert np.array_equal(chip.decay(values, 4096), np.zeros(5))
    assert np.array_equal(chip.decay(values, 0), values)


@given(any_sum)
def test_a_current_wraps_round_once(value):
    wrapped = int(chip.wrap_current(value))
    assert -(2**23) < wrapped <= 2**23
    assert (wrapped - value) % 2**24 == 0


def test_a_current_at_the_edges_is_what_lava_makes_of_it():
    """Worked out from ``AbstractPyLifModelFixed.subthr_dynamics``: 2^23 stays, -2^23 comes back positive."""
    edges = np.array(
        [2**23 - 1, 2**23, 2**23 + 1, -(2**23) + 1, -(2**23), -(2**23) - 1, 3 * 2**23, 3 * 2**23 + 1]
    )
    expected = [2**23 - 1, 2**23, -(2**23) + 1, -(2**23) + 1, 2**23, 2**23 - 1, 2**23, 2**23 + 1]
    assert chip.wrap_current(edges).tolist() == expected


@given(st.integers(-(2**40), 2**40))
def test_a_voltage_stays_within_its_bits(value):
    assert chip.clip_voltage(value) == max(-(2**23) + 1, min(2**23 - 1, value))


@given(states, st.integers(0, 4095), st.integers(-(2**23), 2**23))
def test_a_current_decays_by_one_more_than_its_register(u, register, arriving):
    kept = math.trunc(Fraction(u * (4095 - register), 4096))
    assert chip.next_current(u, register, arriving) == chip.wrap_current(kept + arriving)


@given(st.integers(-(2**23) + 1, 2**23 - 1), st.integers(0, 4095), st.integers(-(2**25), 2**25))
def test_a_voltage_decays_by_its_register_and_stops_at_its_bits(v, register, drive):
    kept = math.trunc(Fraction(v * (4096 - register), 4096))
    assert chip.next_voltage(v, register, drive) == max(-(2**23) + 1, min(2**23 - 1, kept + drive))


@given(st.integers(1, 131071 * 64))
def test_the_threshold_of_a_voltage_fires_there_and_at_most_sixty_three_units_below(v):
    threshold = int(chip.threshold_at_or_below(v))
    assert 0 <= threshold <= 131071
    assert chip.spikes(v, threshold)
    assert not chip.spikes(v - 64, threshold)


@given(st.integers(1, 131070), st.integers(1, 10_000))
def test_a_multiple_of_sixty_four_is_one_in_spite_of_rounding_errors(multiple, divisor):
    """What reaches the threshold exactly in real numbers fires: the last bits of a product don't count."""
    v = (64.0 * multiple / divisor) * divisor
    assert chip.spikes(64 * multiple, chip.threshold_at_or_below(v))


@given(st.floats(-4095 * 128, 4095 * 128))
def test_a_bias_is_the_nearest_that_there_is_with_its_exponent(value):
    mantissa, exponent = chip.nearest_bias(value)
    step = 2 ** int(exponent[0])
    assert -4096 <= mantissa[0] <= 4095
    assert 0 <= exponent[0] <= 7
    assert abs(int(chip.bias(mantissa, exponent)[0]) - value) <= step / 2
    assert exponent[0] == 0 or abs(value) / (step // 2) > 4095


@given(st.integers(-256, 255), st.sampled_from(sorted(SIGN_MODES)))
def test_mantissas_a_sign_mode_has(mantissa, sign_mode):
    allowed = {
        "excitatory": range(256),
        "inhibitory": range(-255, 1),
        "mixed": range(-256, 256, 2),
    }[sign_mode]
    assert bool(chip.representable(mantissa, sign_mode)) == (mantissa in allowed)


@given(st.integers(-255, 255), st.integers(0, 7))
def test_a_weight_is_its_mantissa_shifted(mantissa, exponent):
    assert chip.weight(mantissa, exponent) == mantissa * 2 ** (6 + exponent)


@given(st.floats(0, 1))
def test_the_nearest_decay_is_within_half_a_step(fraction):
    nearest = int(chip.nearest_decay(fraction))
    assert abs(nearest - 4096 * fraction) <= 0.5
    assert 1 <= chip.nearest_decay(fraction, at_least=1) <= 4096
    assert chip.nearest_decay(fraction, at_most=4095) <= 4095


# ---------------------------------------------------------------------------------------- records


def test_every_number_of_a_chip_has_a_meaning_and_a_source():
    numbers = {f.name for f in fields(LoihiChip)} - {"name", "title"}
    assert numbers == set(FACTS)
    assert all(fact.meaning and fact.source for fact in FACTS.values())
    rows = {row["name"]: row for row in table()}
    assert set(rows) == numbers
    assert (rows["neurons_per_core"]["loihi1"], rows["neurons_per_core"]["loihi2"]) == (1024, 8192)


def test_what_follows_from_the_widths():
    assert LOIHI2.largest_state == 2**23 - 1
    assert LOIHI2.largest_threshold == 131071
    assert LOIHI2.largest_weight == 255 * 2**13
    assert LOIHI2.largest_bias_mantissa * 2**LOIHI2.largest_bias_exponent == 4095 * 128
    assert LOIHI1.core_memory_bits == 1048576


def test_chips_are_found_by_name():
    assert chip_by_name("loihi1") is CHIPS["loihi1"]
    with pytest.raises(RequestError, match="Did you mean 'loihi1'"):
        chip_by_name("Loihi1")


def test_the_documented_table_is_the_one_of_the_records():
    documented = (Path(__file__).parent.parent / "docs" / "loihi.md").read_text(encoding="utf-8")
    assert markdown() in documented
