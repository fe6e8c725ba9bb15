"""Measures of a liquid, on rasters whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from liquid_matrix import matrix
from scipy import sparse

from neurodeploy.lsm import measures
from neurodeploy.lsm.model import Design, build, wire


def chain(pairs: list[tuple[int, int]], neurons: int) -> sparse.csr_array:
    pre, post = np.array(pairs).T
    return sparse.csr_array((np.ones(len(pairs), np.float32), (pre, post)), shape=(neurons, neurons))


def test_8_a_raster_with_a_known_answer() -> None:
    """0 projects to 1 and 2, both to 3: a spike of 0 has no ancestor and two descendants; 1 and 2 one each; 3 two and none."""
    raster = np.zeros((250, 4), bool)
    raster[100, 0] = raster[102, 1] = raster[104, 2] = raster[106, 3] = True
    connected = chain([(0, 1), (0, 2), (1, 3), (2, 3)], 4)
    assert measures.branching_factor(raster, connected) == pytest.approx((2 / 1 + 1 / 1 + 1 / 1 + 0 / 2) / 4)
    raster[150, 0] = True  # a second spike of 0, without descendants: its mean is 1
    assert measures.branching_factor(raster, connected) == pytest.approx((1 + 1 + 1 + 0) / 4)


def test_8_windows_end_after_4_ms() -> None:
    connected = chain([(0, 1)], 2)
    for lag, expected in ((0, 0.0), (1, 0.5), (4, 0.5), (5, 0.0)):
        raster = np.zeros((250, 2), bool)
        raster[100, 0] = raster[100 + lag, 1] = True
        assert measures.branching_factor(raster, connected) == pytest.approx(expected)


def test_8_the_ends_of_a_sample_do_not_count() -> None:
    """A spike counts from 29 to 220 ms; what is in the first and last 25 ms is nobody's descendant.  The second spike,
    a ms after the first, has none."""
    connected = chain([(0, 1)], 2)
    for step, expected in ((28, 0.0), (29, 0.5), (220, 1.0), (221, None)):
        raster = np.zeros((250, 2), bool)
        raster[step, 0] = raster[step + 1, 1] = True
        raster[:25, 1] = raster[225:, 1] = True
        assert measures.branching_factor(raster, connected) == expected


def test_silence_has_no_branching() -> None:
    """Nor have spikes that do not count; those without a descendant have 0."""
    raster, connected = np.zeros((250, 3), bool), chain([(0, 1)], 3)
    assert measures.branching_factor(raster, connected) is None
    raster[28, 0] = True
    assert measures.branching_factor(raster, connected) is None
    raster[100, 0] = True
    assert measures.branching_factor(raster, connected) == 0.0


def test_connections_are_those_of_the_wiring() -> None:
    design = Design(64, 20, seed=3)
    drawn = wire(design)
    np.testing.assert_array_equal(measures.connections(build(design, drawn)).toarray(), matrix(drawn))


def constant(design: Design, inputs: int, liquid: int, steps: int = 400) -> np.ndarray:
    """Its trace where so many inputs and liquid neurons spike in every step; nothing fades."""
    seen = [np.arange(n)[None].repeat(steps, 0) for n in (design.inputs, design.neurons)]
    return measures.astrocyte_trace(design, seen[0] < inputs, seen[1] < liquid, fade=1.0)


def test_5_the_astrocyte_integrates_the_difference() -> None:
    design = Design(64, 20, astrocyte_weight=0.015)
    trace = constant(design, 5, 15)
    end = 0.15 + 0.015 * 10
    assert trace[-1] == pytest.approx(end, rel=0.02)
    assert (trace[19] - 0.15) / (end - 0.15) == pytest.approx(0.182, abs=0.001)  # after 20 ms
    np.testing.assert_allclose((end - trace) / (end - 0.15), 0.99 ** np.arange(1, 401), atol=1e-12)
    np.testing.assert_allclose(constant(design, 7, 7), 0.15)


def test_5_a_sparse_astrocyte_reads_its_share() -> None:
    design = Design(64, 20, astrocyte_weight=0.015, astrocyte_density=0.5)
    assert constant(design, 20, 64, 2000)[-1] == pytest.approx(0.15 + 0.015 * (32 - 10), rel=1e-6)


def test_the_rank_is_that_of_100_samples_a_class() -> None:
    """Counts of rank 3 have rank 3; random ones as many as there are neurons; a class of 5 limits all."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 4
    low = random.integers(0, 5, (400, 3)) @ random.integers(0, 5, (3, 50))
    assert measures.kernel_ranks(low, labels, 3, 0).tolist() == [3, 3, 3]
    full = random.integers(0, 50, (400, 50))
    assert measures.kernel_ranks(full, labels, 3, 0).tolist() == [50, 50, 50]
    few = np.where(np.arange(400) < 380, 0, 1)
    few[385:] = 2
    assert measures.kernel_ranks(full, few, 2, 0).tolist() == [15, 15]
    faint = np.diag([*np.ones(49), 1e-6])
    assert measures.kernel_ranks(faint, np.arange(50) % 5, 1, 0).tolist() == [49]


def test_noise_is_half_the_range_and_stays_inside_it() -> None:
    images = np.full((50, 400), 8, np.uint8)
    found = measures.noisy(images, 16, 1)
    assert found.max() == 16 and found.min() == 0
    middle = found[(found > 0) & (found < 16)]
    assert middle.mean() == pytest.approx(8, abs=0.1)
    assert np.mean(found == 16) == pytest.approx(0.17, abs=0.02)  # beyond 7.5 of a standard deviation of 7.84
    np.testing.assert_array_equal(found, measures.noisy(images, 16, 1))
