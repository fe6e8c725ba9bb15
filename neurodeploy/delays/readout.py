"""From evidence to a decision, and how sure it is.

**Evidence rule** (the authors' code): for each voxel m = max_c L; the 15 % of voxels with the largest m are kept; the
decision is argmax_c of the sum of L over them.  **Count rule**: a detector spikes where L_c > θ_c; spikes of every
class are counted over the window and the field, and the class with most is the decision (of equals, the first).
"""

from __future__ import annotations

from collections.abc import Iterable

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


def spike_rate(synapses: int) -> float:
    """Spikes a voxel at which thresholds are set: 0.1 below 2,000 synapses, 0.015 from there on.

    With few synapses the evidence takes few values, and a rare one of them says little.
    """
    return 0.1 if synapses < 2000 else 0.015


def calibrate(fields: Iterable[np.ndarray], rate: float) -> np.ndarray:
    """θ of every class: exceeded in a share `rate` of the voxels of the calibration movies, the same in all classes.

    Parameters
    ----------
    fields : iterable of ndarray, shape (voxels, classes)
        L of each calibration movie.
    rate : float
        Spikes a voxel, in (0, 1): 0.02 is one spike in 50 ms.  Lower thresholds are needed where few synapses are
        left: 0.1 at 652, 0.01 to 0.02 from 2000 on (`prune`, per class).

    Returns
    -------
    ndarray of float64, shape (classes,)
    """
    if not 0 < rate < 1:
        raise RequestError(
            f"The rate of spikes is {rate} a voxel; it has to be between 0 and 1.",
            fix="give 0.02, or 0.1 at few synapses",
        )
    return np.quantile(np.concatenate(list(fields)), 1 - rate, axis=0)


def interval(right: int, total: int) -> tuple[float, float]:
    """5 % and 95 % quantiles of the binomial law of `total` movies at the share that was found, as shares."""
    from scipy.stats import binom

    low, high = binom.ppf([0.05, 0.95], total, right / total)
    return float(low / total), float(high / total)
