"""Poisson sources: what is drawn, and what it does not depend on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurodeploy.models.sources import poisson_spikes


def draw(rate, begin, end, *, start=0.0, duration=1e12, seed=1, population=0):
    rate = np.atleast_1d(np.asarray(rate, dtype=float))
    spread = [np.broadcast_to(np.asarray(value, dtype=float), rate.shape) for value in (start, duration)]
    return poisson_spikes(rate, *spread, seed, population, begin, end)


def test_every_neuron_has_its_own_rate() -> None:
    rates = np.array([0.0, 1.0, 10.0, 100.0, 1000.0])
    _, neurons = draw(rates, 0.0, 50_000.0)
    counts = np.bincount(neurons, minlength=5)
    expected = rates * 50.0
    assert counts[0] == 0
    assert np.all(np.abs(counts - expected) <= 4 * np.sqrt(expected))


def test_intervals_are_exponential_and_counts_are_poisson() -> None:
    """Kolmogorov-Smirnov on the intervals of one source; variance over mean of counts in windows that straddle
    the blocks in which spikes are drawn."""
    times, _ = draw([80.0], 0.0, 100_000.0)
    assert stats.kstest(np.diff(times), "expon", args=(0, 1000 / 80.0)).pvalue > 1e-4
    counts = np.histogram(times, np.arange(250.0, 99_000.0, 500.0))[0]
    ratio = counts.var(ddof=1) / counts.mean()
    assert abs(ratio - 1) < 4 * np.sqrt(2 / len(counts))


def test_two_sources_are_independent() -> None:
    times, neurons = draw([100.0, 100.0], 0.0, 60_000.0)
    one, other = (np.histogram(times[neurons == k], np.arange(0.0, 60_001.0, 20.0))[0] for k in (0, 1))
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))


def test_start_and_duration_hold_for_each_neuron() -> None:
    start, duration = np.array([0.0, 300.0, 1500.0]), np.array([250.0, 900.0, 1e9])
    times, neurons = draw([400.0] * 3, 0.0, 3000.0, start=start, duration=duration)
    for k in range(3):
        mine = times[neurons == k]
        first, last = start[k], min(start[k] + duration[k], 3000.0)
        assert mine.min() >= first and mine.max() < last
        expected = 0.4 * (last - first)
        assert abs(len(mine) - expected) < 4 * np.sqrt(expected)


cuts = st.lists(st.floats(0.0, 3500.0), max_size=5).map(sorted)


@given(cuts=cuts, seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_it_does_not_matter_in_how_many_pieces_it_is_drawn(cuts: list[float], seed: int) -> None:
    whole = draw([30.0, 90.0], 0.0, 3500.0, seed=seed)
    edges = [0.0, *cuts, 3500.0]
    pieces = [draw([30.0, 90.0], a, b, seed=seed) for a, b in pairwise(edges)]
    for k in (0, 1):
        np.testing.assert_array_equal(whole[k], np.concatenate([piece[k] for piece in pieces]))


def test_a_window_gives_sorted_times_inside_it() -> None:
    times, neurons = draw([500.0] * 4, 333.3, 2777.7)
    assert times.dtype == np.float64 and neurons.dtype == np.int32 and len(times) == len(neurons) > 1000
    assert np.all(np.diff(times) >= 0) and times[0] >= 333.3 and times[-1] < 2777.7


@pytest.mark.parametrize("other", [{"seed": 2}, {"population": 1}])
def test_another_seed_or_population_shares_no_spike(other: dict) -> None:
    times = draw([100.0], 0.0, 5000.0)[0]
    assert len(np.intersect1d(times, draw([100.0], 0.0, 5000.0, **other)[0])) == 0
    assert len(np.intersect1d(times, draw([100.0], 0.0, 5000.0)[0])) == len(times)


def test_seed_and_population_do_not_mix() -> None:
    """Seed 1 of population 2 is not seed 2 of population 1."""
    one, other = (
        draw([100.0], 0, 2000, seed=1, population=2)[0],
        draw([100.0], 0, 2000, seed=2, population=1)[0],
    )
    assert len(np.intersect1d(one, other)) == 0


def test_blocks_do_not_repeat_each_other() -> None:
    times = draw([200.0], 0.0, 4000.0)[0]
    in_block = [np.round(times[(times >= k) & (times < k + 1000)] - k, 9) for k in (0, 1000, 2000, 3000)]
    assert all(len(np.intersect1d(a, b)) == 0 for i, a in enumerate(in_block) for b in in_block[:i])
