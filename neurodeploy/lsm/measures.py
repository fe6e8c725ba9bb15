"""What a liquid has become and does: its weights, its branching factor, its rates, its astrocyte within a sample."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from neurodeploy.lsm.model import FADE, RATE, TAU_ASTROCYTE_MS, Design, astrocyte
from neurodeploy.models.network import Network

WINDOW_MS, TRIM_MS = 4, 25
"""Window on either side of a spike, and what is left out at both ends of a sample (``compute_branching_factor.py``)."""

BRANCHING_SAMPLES = 20
"""Samples that the branching factor is the mean of (``get_branching_factor.py``)."""


def connections(network: Network) -> sparse.csr_array:
    """Which liquid neuron projects to which: 1 at ``[source, target]``."""
    sizes = [population.size for population in network.populations]
    starts = np.cumsum([0, 0, *sizes[1:]])
    within = [p for p in network.projections if p.pre != 0]
    pre = np.concatenate([p.pre_index + starts[p.pre] for p in within])
    post = np.concatenate([p.post_index + starts[p.post] for p in within])
    ones = np.ones(len(pre), np.float32)
    return sparse.csr_array((ones, (pre, post)), shape=(starts[-1], starts[-1]))


def by_source(networks: list[Network]) -> dict[str, np.ndarray]:
    """Weights by the population they come from, of all liquids together."""
    labels = [population.label for population in networks[0].populations]
    return {
        label: np.concatenate([p.weight for one in networks for p in one.projections if p.pre == position])
        for position, label in enumerate(labels)
    }


def branching_factor(raster: np.ndarray, connected: sparse.csr_array) -> float | None:
    r"""Descendants of a spike for each of its ancestors, in one sample:

    .. math:: \left\langle \left\langle \frac{d}{\max(a, 1)} \right\rangle_{\text{spikes of } n} \right\rangle_{n}

    For a spike of neuron n at t, a are the spikes in [t-4, t-1] of neurons that project to n, d those in [t+1, t+4] of
    neurons that n projects to.  Spikes of the first and last 25 ms do not count.  None where no spike counts: the authors'
    mean over samples leaves such a sample out, too (``nanmean`` in ``get_branching_factor.py``).

    Parameters
    ----------
    raster : ndarray of bool, shape (steps, neurons)
    connected : sparse array, shape (neurons, neurons)
        ``[source, target]``.
    """
    seen = raster.astype(np.float32)
    seen[:TRIM_MS] = seen[len(seen) - TRIM_MS :] = 0
    before, after = np.zeros_like(seen), np.zeros_like(seen)
    for step in range(1, WINDOW_MS + 1):
        before[step:] += seen[:-step]
        after[:-step] += seen[step:]
    ancestors = before @ connected
    descendants = (connected @ after.T).T
    ratio = descendants / np.maximum(ancestors, 1)
    inner = np.zeros(len(seen), bool)
    inner[TRIM_MS + WINDOW_MS : len(seen) - TRIM_MS - WINDOW_MS] = True
    counted = raster & inner[:, None]
    spikes = counted.sum(axis=0)
    spiking = spikes > 0
    if not spiking.any():
        return None
    return float(np.mean((ratio * counted).sum(axis=0)[spiking] / spikes[spiking]))


def raster_of(events: np.ndarray, sample: int, steps: int, begin: int, end: int) -> np.ndarray:
    """Spikes of neurons `begin` to `end` in one sample, as booleans (steps, neurons); `events` are (sample, step, neuron)."""
    mine = (events[:, 0] == sample) & (events[:, 2] >= begin) & (events[:, 2] < end)
    raster = np.zeros((steps, end - begin), bool)
    raster[events[mine, 1], events[mine, 2] - begin] = True
    return raster


def astrocyte_trace(design: Design, inputs: np.ndarray, liquid: np.ndarray, fade: float = FADE) -> np.ndarray:
    r"""The astrocyte in every step of a sample:

    .. math:: A \leftarrow \left(A + \frac{w (n_{liquid} - n_{input}) + b - A}{\tau}\right) f

    where w and b fade by f a step, too.

    Parameters
    ----------
    inputs, liquid : ndarray of bool, shape (steps, neurons)
    """
    gains = astrocyte(design).gains
    drive = inputs @ gains[0][1] + liquid @ np.concatenate([gain for _, gain in gains[1:]])
    value, remains, trace = RATE, 1.0, []
    for one in drive:
        value = (value + (remains * (one + RATE) - value) / TAU_ASTROCYTE_MS) * fade
        remains *= fade
        trace.append(value)
    return np.array(trace)


RANK_SAMPLES = 100
"""Samples of each class that a rank is of (``compute_SP_AP_kernel_quality_measures.py``)."""

NOISE = 125 / 255
"""Standard deviation of the noise on pixels, as a part of the whole range (``NALSM_SIM_SUPPORT.py``)."""


def kernel_ranks(counts: np.ndarray, labels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Ranks of the matrix of counts of 100 samples a class, of `draws` random choices of them; their mean is the measure.

    Of clean samples it is the separation that a read-out can use; of noisy ones, what it would generalise over.  Where a class
    has fewer samples, all classes give as many as it has.  Singular values count above the rounding of single precision, as
    in ``compute_SP_AP_kernel_quality_measures.py``, whose counts have it: in double precision every such matrix has full rank.

    Parameters
    ----------
    counts : ndarray, shape (n, neurons)
    labels : ndarray, shape (n,)
    """
    random = np.random.default_rng([seed, 4])
    classes = [np.flatnonzero(labels == one) for one in np.unique(labels)]
    each = min(RANK_SAMPLES, *(len(members) for members in classes))
    ranks = []
    for _ in range(draws):
        chosen = np.concatenate([random.choice(members, each, replace=False) for members in classes])
        ranks.append(np.linalg.matrix_rank(counts[chosen].astype(np.float32)))
    return np.array(ranks)


def noisy(images: np.ndarray, brightest: int, seed: int) -> np.ndarray:
    """Images with Gaussian noise on every pixel, cut at 0 and `brightest`."""
    random = np.random.default_rng([seed, 5])
    noise = random.standard_normal(images.shape, dtype=np.float32) * np.float32(NOISE * brightest)
    return np.clip(np.rint(images + noise), 0, brightest).astype(np.uint8)


def rate_hz(spikes: float, neurons: int, milliseconds: float) -> float:
    """Mean rate of a neuron."""
    return 1000.0 * spikes / (neurons * milliseconds)
