"""From evidence to a decision, and how sure it is.

**Evidence rule** (the authors' code): for each voxel m = max_c L; the 15 % of voxels with the largest m are kept; the
decision is argmax_c of the sum of L over them.  **Count rule**: a detector spikes where L_c > θ_c; spikes of every
class are counted over the window and the field, and the class with most is the decision (of equals, the first).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from neurodeploy.errors import RequestError

KEPT = 0.15
"""Share of voxels that decide (the authors' code)."""


def decide(larger: np.ndarray, kept: float = KEPT) -> int:
    """The evidence rule on L of shape (voxels, classes)."""
    best = larger.max(axis=1)
    count = max(1, round(kept * len(best)))
    chosen = np.argpartition(best, len(best) - count)[len(best) - count :]
    return int(larger[chosen].sum(axis=0).argmax())


def spike_counts(larger: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Spikes of every class among L of shape (voxels, classes): where L_c > θ_c, nothing being kept over time."""
    return np.count_nonzero(larger > thresholds, axis=0)


def decide_by_count(larger: np.ndarray, thresholds: np.ndarray) -> int:
    """The count rule on L of shape (voxels, classes)."""
    return int(spike_counts(larger, thresholds).argmax())


def calibrate(fields: Iterable[np.ndarray], rate: float) -> np.ndarray:
    """θ of every class: exceeded in a share `rate` of the voxels of the calibration movies, the same in all classes.

    Parameters
    ----------
    fields : iterable of ndarray, shape (voxels, classes)
        L of each calibration movie.
    rate : float
        Spikes a voxel, in (0, 1): 0.02 is one spike in 50 ms.

    Returns
    -------
    ndarray, shape (classes,)
    """
    if not 0 < rate < 1:
        raise RequestError(
            f"The rate of spikes is {rate} a voxel; it has to be between 0 and 1.",
            fix="give 0.02",
        )
    return np.quantile(np.concatenate(list(fields)), 1 - rate, axis=0)


RATES = (0.1, 0.07, 0.05, 0.03, 0.02, 0.015, 0.01)
"""Spikes a voxel that are tried.  Which is best depends on the layer: 0.1 at 652 synapses of one that was trained
briefly, 0.02 of one trained to the end, whose counts at 0.1 decide next to nothing right."""


def choose_thresholds(fields: Sequence[np.ndarray], labels: Sequence[int]) -> tuple[np.ndarray, float]:
    """θ of every class at the one of :data:`RATES` that decides best by counts on the calibration movies, and that rate.

    Best is most movies right; of equals, the largest mean lead (right class - best other) / all spikes.

    Parameters
    ----------
    fields : sequence of ndarray, shape (voxels, classes)
        L of each calibration movie.
    labels : sequence of int
        Their classes.
    """
    tried = []
    for rate in RATES:
        thresholds = calibrate(fields, rate)
        leads = np.array(
            [_lead(spike_counts(f, thresholds), label) for f, label in zip(fields, labels, strict=True)]
        )
        tried.append(((leads > 0).mean(), leads.mean(), thresholds, rate))
    _, _, thresholds, rate = max(tried, key=lambda one: one[:2])
    return thresholds, rate


def _lead(counts: np.ndarray, label: int) -> float:
    return float(counts[label] - np.delete(counts, label).max()) / max(counts.sum(), 1)


def interval(right: int, total: int) -> tuple[float, float]:
    """5 % and 95 % quantiles of the binomial law of `total` movies at the share that was found, as shares."""
    from scipy.stats import binom

    low, high = binom.ppf([0.05, 0.95], total, right / total)
    return float(low / total), float(high / total)
