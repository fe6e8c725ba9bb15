"""The read-out: one linear layer on spike counts, the only thing that is trained with labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError, did_you_mean
from neurodeploy.lsm.data import CLASSES

SOFT = float(np.exp(1) / (np.exp(1) + (CLASSES - 1) * np.exp(-1)))
"""Target of the right class: softmax of +1 for it and -1 for the others, 0.451 (``NALSM_OUTPUT_LAYER.py``)."""


@dataclass(frozen=True)
class Recipe:
    """What a read-out is trained towards.

    Attributes
    ----------
    target : float
        Of the right class; the others share the rest.
    penalty : float
        Factor on half the sum of squared weights.
    words : str
    """

    target: float
    penalty: float
    words: str


READOUTS = {
    "soft": Recipe(SOFT, 5e-10, "the authors' soft targets and penalty"),
    "hard": Recipe(1.0, 1e-5, "hard targets, a penalty of 1e-5"),
}

ITERATIONS = 500
"""Of L-BFGS, at most."""

LOOK_EVERY = 5
"""Iterations between looks at the validation accuracy."""

PATIENCE = 100
"""Iterations without a better validation accuracy, after which training ends."""


ROWS = 2048
"""Samples at a time: a thread's share, and few enough to stay in a processor's cache from one product to the next.  Sums have
the same order on any number of threads."""


def scaled(counts: np.ndarray, largest: float | None = None) -> tuple[np.ndarray, float]:
    r"""Features:

    .. math:: x_i = \frac{n_i / \sum_j n_j}{largest}

    Parameters
    ----------
    counts : ndarray, shape (n, neurons)
        A sample without spikes has features of 0.
    largest : float, optional
        Of the training samples; None takes it from these.

    Returns
    -------
    ndarray of float32, shape (n, neurons)
    float
        `largest`.
    """
    features = counts.astype(np.float32)
    total = features.sum(axis=1, keepdims=True)
    features /= np.where(total > 0, total, np.float32(1.0))
    if largest is None:
        largest = float(features.max(initial=0.0)) or 1.0
    features /= np.float32(largest)
    return features, largest


@dataclass
class Trained:
    """A read-out.

    Attributes
    ----------
    weights : ndarray, shape (neurons, classes)
    bias : ndarray, shape (classes,)
    validation : float
        Share of the validation samples that it gets right.
    iterations : int
        After how many it was taken.
    """

    weights: np.ndarray
    bias: np.ndarray
    validation: float
    iterations: int

    def classes(self, features: np.ndarray) -> np.ndarray:
        """The most probable class of each sample."""
        return np.argmax(features @ self.weights + self.bias, axis=1)


def recipe(name: str) -> Recipe:
    """The recipe called `name`, where what it needs is installed."""
    try:
        import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise ToolchainMissingError(
            "threadpoolctl is not installed",
            why="the read-out shares its sums over threads itself",
            fix="pip install 'neurodeploy[lsm]'",
        ) from error
    if name not in READOUTS:
        raise RequestError(
            f"There is no read-out '{name}'.{did_you_mean(name, READOUTS)}",
            fix=f"choose one of: {', '.join(READOUTS)}",
        )
    return READOUTS[name]


def train(
    features: np.ndarray,
    labels: np.ndarray,
    validation: int,
    chosen: Recipe,
    progress: Callable[[str, int, int], None] | None = None,
) -> Trained:
    r"""Multinomial logistic regression by L-BFGS, from weights of 0:

    .. math:: \min_{W, b} -\frac1n \sum_k \sum_c q_{kc} \log \mathrm{softmax}(x_k W + b)_c + \frac{\lambda}{2} |W|^2

    with targets q of 1, or the soft one, for the right class.  The last `validation` samples are not learned from; the weights
    are those of the iteration that classifies them best.  Inside, variables are scaled as if every feature had mean 0 and
    standard deviation 1: the same minimum, in a tenth of the iterations.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    learned = len(labels) - validation
    x, held, held_labels = features[:learned], features[learned:], labels[learned:]
    targets = np.full((learned, CLASSES), (1 - chosen.target) / (CLASSES - 1), np.float32)
    targets[np.arange(learned), labels[:learned]] = chosen.target
    shape = x.shape[1], CLASSES
    mean = x.mean(axis=0, dtype=np.float64)
    spread = x.std(axis=0, dtype=np.float64)[:, None]
    spread[spread == 0] = 1.0
    best = Trained(np.zeros(shape, np.float32), np.zeros(CLASSES, np.float32), -1.0, 0)
    iteration = -1

    def split(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = flat[CLASSES:].reshape(shape) / spread
        return weights.astype(np.float32), (flat[:CLASSES] - mean @ weights).astype(np.float32)

    def part(weights: np.ndarray, bias: np.ndarray, begin: int) -> tuple[float, np.ndarray, np.ndarray]:
        rows = slice(begin, begin + ROWS)
        logits = x[rows] @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        slope = np.exp(logits) - targets[rows]
        return -float(np.sum(targets[rows] * logits, dtype=np.float64)), x[rows].T @ slope, slope.sum(axis=0)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = split(flat)
        total, by_weights, by_bias = 0.0, np.zeros(shape), np.zeros(CLASSES)
        for cross, one, other in pool.map(lambda begin: part(weights, bias, begin), range(0, learned, ROWS)):
            total += cross / learned
            by_weights += one / learned
            by_bias += other / learned
        by_weights += chosen.penalty * weights - mean[:, None] * by_bias
        gradient = np.concatenate([by_bias, (by_weights / spread).ravel()])
        return total + chosen.penalty / 2 * float(np.sum(np.square(weights, dtype=np.float64))), gradient

    def look(flat: np.ndarray) -> None:
        nonlocal best, iteration
        iteration += 1
        if progress is not None:
            progress("read-out", iteration, ITERATIONS)
        if iteration % LOOK_EVERY:
            return
        weights, bias = split(flat)
        right = float(np.mean(np.argmax(held @ weights + bias, axis=1) == held_labels))
        if right > best.validation:
            best = Trained(weights, bias, right, iteration)
        elif iteration - best.iterations >= PATIENCE:
            raise StopIteration

    start = np.zeros(CLASSES * (shape[0] + 1))
    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    look(start)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        minimize(loss, start, jac=True, method="L-BFGS-B", callback=look, options=options)
    if progress is not None:
        progress("read-out", ITERATIONS, ITERATIONS)
    return best
