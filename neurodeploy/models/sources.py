"""Spike trains of Poisson sources, drawn from a seed, the same on every backend."""

from __future__ import annotations

import numpy as np

BLOCK = 1000.0
"""ms drawn at a time.  A block's spikes depend on the seed and the block alone, so that it does not matter in how
many pieces a model is run."""


def poisson_spikes(
    rate: np.ndarray,
    start: np.ndarray,
    duration: np.ndarray,
    seed: int,
    population: int,
    begin: float,
    end: float,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Homogeneous Poisson spikes in ``[begin, end)``.

    The count in a block of :math:`T` ms is Poisson with mean :math:`r\,T/1000`, the times are uniform in it.

    Parameters
    ----------
    rate, start, duration : ndarray, shape (n,)
        PyNN's parameters: Hz, ms, ms.
    seed, population : int
        The Network's seed and the population's position in it.
    begin, end : float
        ms.

    Returns
    -------
    times : ndarray of float64, ms, sorted
    neurons : ndarray of int32
    """
    all_times, all_neurons = [np.empty(0)], [np.empty(0, dtype=np.int32)]
    for block in range(int(begin // BLOCK), int(np.ceil(end / BLOCK))):
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, population, block])))
        counts = random.poisson(np.asarray(rate, dtype=float) * (BLOCK / 1000.0))
        times = (block + random.random(counts.sum())) * BLOCK
        neurons = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        last = np.asarray(start, dtype=float) + np.asarray(duration, dtype=float)
        keep = (times >= begin) & (times < end) & (times >= start[neurons]) & (times < last[neurons])
        all_times.append(times[keep])
        all_neurons.append(neurons[keep])
    times, neurons = np.concatenate(all_times), np.concatenate(all_neurons)
    order = np.argsort(times, kind="stable")
    return times[order], neurons[order]
