"""The read-out of spike counts, the only thing that is trained with labels: one linear layer, but for ``kernel``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError, did_you_mean
from neurodeploy.lsm import adadelta, kernel
from neurodeploy.lsm.data import CLASSES
from neurodeploy.lsm.kernel import KernelRecipe, KernelTrained
from neurodeploy.lsm.store import Store

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
    adadelta : bool
        Whether it is trained as the authors do (:mod:`neurodeploy.lsm.adadelta`), and not by L-BFGS.
    again : bool
        Whether, once the iteration that is best on validation is known, everything is learned again, from the validation
        samples too, in as many iterations.
    roots : bool
        Whether it sees the square roots of shares.
    patience : int
        Iterations without a better validation accuracy, after which training ends.
    among : tuple of Recipe
        Those of which the one that is best on validation is taken, its target, penalty and features.
    """

    target: float
    penalty: float
    adadelta: bool = False
    again: bool = False
    roots: bool = False
    patience: int = 100
    among: tuple[Recipe, ...] = ()

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Of each sample, float32 (n, classes)."""
        wanted = np.full((len(labels), CLASSES), (1 - self.target) / (CLASSES - 1), np.float32)
        wanted[np.arange(len(labels)), labels] = self.target
        return wanted


CANDIDATES = tuple(
    Recipe(target, penalty, roots=roots, patience=30)
    for target, penalty, roots in (
        (0.8, 1e-7, True),
        (0.8, 1e-5, True),
        (0.8, 1e-5, False),
        (1.0, 1e-5, False),
        (SOFT, 5e-10, False),
    )
)
"""What ``chosen`` chooses from: strong penalties suit small liquids, roots large ones, in which a neuron spikes once or twice."""

READOUTS: dict[str, Recipe | KernelRecipe] = {
    "soft": Recipe(SOFT, 5e-10),
    "adadelta": Recipe(SOFT, 5e-10, adadelta=True, patience=1000),
    "hard": Recipe(1.0, 1e-5),
    "refitted": Recipe(1.0, 1e-5, again=True),
    "chosen": Recipe(1.0, 0.0, again=True, among=CANDIDATES),
    "kernel": KernelRecipe(),
}
"""By name; ``soft`` has the authors' targets and penalty, ``adadelta`` their training too, but for its end: of four runs of all
their 5,000 epochs, an hour each of 8,000 neurons, the best came after 125 to 1,010.  Of ``chosen`` targets and penalty are
those of the candidate that is taken.  All but ``kernel`` are linear."""

ITERATIONS = 500
"""Of L-BFGS, at most."""

LOOK_EVERY = 5
"""Iterations between looks at the validation accuracy."""

BEHIND_AFTER, BEHIND = 30, 0.005
"""Iterations after which a recipe ends that is so much less accurate on the validation samples than another one."""

ROWS = 2048
"""Samples at a time: a thread's share.  Sums have the same order on any number of threads."""

VALUES = 1 << 21
"""Features that are unpacked from counts at a time: few enough to stay in a processor's cache from one product to the next."""


@dataclass
class Features:
    r"""What a read-out sees of samples, unpacked from their counts a few samples at a time:

    .. math:: x_i = \frac{n_i / \sum_j n_j}{largest}

    or the square root of it.  A sample without spikes has features of 0.

    Attributes
    ----------
    counts : ndarray of uint8, shape (n, neurons)
    factors : ndarray of float32, shape (n,)
        On a sample's counts.
    largest : float
        Of the training samples.
    roots : bool
        Whether square roots are taken: spikes are counted with an error that grows as the root of the count, and is alike in
        all roots.
    """

    counts: np.ndarray
    factors: np.ndarray
    largest: float
    roots: bool = False

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, rows: slice) -> Features:
        return replace(self, counts=self.counts[rows], factors=self.factors[rows])

    def unpacked(self) -> np.ndarray:
        """As float32, shape (n, neurons)."""
        x = self.counts.astype(np.float32)
        x *= self.factors[:, None]
        return np.sqrt(x, out=x) if self.roots else x

    def blocks(self, step: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
        """`step` samples at a time, or a few, unpacked."""
        step = step or max(1, VALUES // max(1, self.counts.shape[1]))
        for begin in range(0, len(self), step):
            rows = slice(begin, min(begin + step, len(self)))
            yield rows, self[rows].unpacked()


def features(counts: np.ndarray, largest: float | None = None) -> Features:
    """Features of samples.

    Parameters
    ----------
    counts : ndarray of uint8, shape (n, neurons)
    largest : float, optional
        Of the training samples; None takes it from these.
    """
    shares = 1.0 / np.maximum(counts.sum(axis=1, dtype=np.int64), 1)
    if largest is None:
        largest = float(np.max(counts.max(axis=1, initial=0) * shares, initial=0.0)) or 1.0
    return Features(counts, (shares / largest).astype(np.float32), largest)


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
    recipe : Recipe
        What it was trained towards: the one that was chosen.
    tried : list of dict
        Of every recipe that was tried: target, penalty, features, and the validation accuracy it came to.
    resumed : int
        Epochs that an earlier command had done.
    """

    weights: np.ndarray
    bias: np.ndarray
    validation: float
    iterations: int
    recipe: Recipe
    tried: list[dict[str, Any]] = field(default_factory=list)
    resumed: int = 0

    def classes(self, features: Features) -> np.ndarray:
        """The most probable class of each sample."""
        features = replace(features, roots=self.recipe.roots)
        if self.recipe.adadelta:
            features = adadelta.by_batches(features)
        return np.concatenate([np.argmax(x @ self.weights + self.bias, axis=1) for _, x in features.blocks()])


def recipe(name: str) -> Recipe | KernelRecipe:
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
    x: Features,
    labels: np.ndarray,
    validation: int,
    chosen: Recipe | KernelRecipe,
    progress: Callable[[str, int, int], None] | None = None,
    resume: bool = False,
) -> Trained | KernelTrained:
    """Learn from all samples but the last `validation`; the weights of the iteration that classifies those best.

    See :func:`descend`, and for likenesses :func:`neurodeploy.lsm.kernel.train`.  Of several recipes, the one that classifies
    them best.  Where the recipe says so, everything is then learned again, from all samples, in as many iterations.

    With `resume` the authors' own training, which takes 15 minutes of 8,000 neurons, is kept in the cache folder, and goes on
    from there.
    """
    if isinstance(chosen, KernelRecipe):
        return kernel.train(x, labels, validation, chosen, progress)
    several = chosen.among or (chosen,)
    tried: list[Trained] = []
    for k, one in enumerate(several):

        def look(iteration: int, most: int, k: int = k) -> None:
            if progress is not None:
                progress("read-out", k * most + iteration, len(several) * most)

        to_beat = max((other.validation for other in tried), default=0.0)
        tried.append(stop_at_best(x, labels, validation, one, to_beat, look, resume))
    best = max(tried, key=lambda one: one.validation)
    best.tried = [facts(one) for one in tried]
    if chosen.again:

        def keep(iteration: int, weights: np.ndarray, bias: np.ndarray) -> bool:
            best.weights, best.bias = weights, bias
            return True

        seen = replace(x, roots=best.recipe.roots)
        descend(seen, best.recipe.targets(labels), best.recipe.penalty, best.iterations, keep)
    if progress is not None:
        progress("read-out", 1, 1)
    return best


def stop_at_best(
    x: Features,
    labels: np.ndarray,
    validation: int,
    recipe: Recipe,
    to_beat: float,
    look_on: Callable[[int, int], None],
    resume: bool = False,
) -> Trained:
    """Learn as one recipe says, up to the iteration that is best on the last `validation` samples.

    It ends early where it is far from the validation accuracy `to_beat` of another recipe: see :data:`BEHIND`.
    """
    learned = len(labels) - validation
    x = replace(x, roots=recipe.roots)
    held, held_labels = x[learned:], labels[learned:]
    targets = recipe.targets(labels)
    most = adadelta.EPOCHS if recipe.adadelta else ITERATIONS
    best = Trained(np.empty(0), np.empty(0), -1.0, 0, recipe)
    kept = None
    if resume and recipe.adadelta:
        kept = adadelta.store(x, targets, validation, recipe.penalty, LOOK_EVERY)

    def look(iteration: int, weights: np.ndarray, bias: np.ndarray) -> bool:
        nonlocal best
        look_on(iteration, most)
        if iteration % LOOK_EVERY == 0:
            found = Trained(weights, bias, 0.0, iteration, recipe)
            found.validation = float(np.mean(found.classes(held) == held_labels))
            if found.validation > best.validation:
                best = found
                if kept:
                    save(best, kept)
        if iteration >= BEHIND_AFTER and best.validation < to_beat - BEHIND:
            return False
        return iteration - best.iterations < recipe.patience

    if not recipe.adadelta:
        descend(x[:learned], targets[:learned], recipe.penalty, most, look)
        return best
    with kept.held() if kept else nullcontext():
        best = (load(kept, recipe) if kept else None) or best
        done = adadelta.descend(x[:learned], targets[:learned], recipe.penalty, most, look, kept)
    best.resumed = done
    return best


def save(best: Trained, kept: Store) -> None:
    """Before the epoch that it is of: what is kept of the training never lacks what was best in it."""
    facts = np.array([best.validation, best.iterations])
    kept.save("best", weights=best.weights, bias=best.bias, facts=facts)


def load(kept: Store, recipe: Recipe) -> Trained | None:
    """The best that an earlier command had; where there is none, its training does not count either."""
    piece = kept.load("best")
    if piece is None:
        kept.drop("learning")
        return None
    validation, iterations = piece["facts"].tolist()
    return Trained(piece["weights"], piece["bias"], validation, int(iterations), recipe)


def facts(trained: Trained) -> dict[str, Any]:
    """What was tried, and what it came to."""
    recipe = trained.recipe
    return {
        "target": recipe.target,
        "penalty": recipe.penalty,
        "features": "roots of shares" if recipe.roots else "shares",
        "iterations": trained.iterations,
        "validation_accuracy": trained.validation,
    }


def descend(
    x: Features,
    targets: np.ndarray,
    penalty: float,
    iterations: int,
    look: Callable[[int, np.ndarray, np.ndarray], bool],
) -> None:
    r"""Multinomial logistic regression by L-BFGS, from weights of 0:

    .. math:: \min_{W, b} -\frac1n \sum_k \sum_c q_{kc} \log \mathrm{softmax}(x_k W + b)_c + \frac{\lambda}{2} |W|^2

    Inside, variables are scaled as if every feature had mean 0 and
    standard deviation 1: the same minimum, in a tenth of the iterations.

    Parameters
    ----------
    x : Features
    targets : ndarray of float32, shape (n, classes)
        q: what is learned.
    penalty : float
        Lambda.
    iterations : int
        At most.
    look : function of iteration, weights and bias
        Called at the start and after every iteration; False ends it.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    count = len(targets)
    shape = x.counts.shape[1], CLASSES
    parts = [slice(begin, min(begin + ROWS, count)) for begin in range(0, count, ROWS)]
    done = 0

    def moments(rows: slice) -> np.ndarray:
        found = np.zeros((2, shape[0]))
        for _, some in x[rows].blocks():
            found += some.sum(axis=0), np.einsum("ki,ki->i", some, some)
        return found

    def split(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = flat[CLASSES:].reshape(shape) / spread
        return weights.astype(np.float32), (flat[:CLASSES] - mean @ weights).astype(np.float32)

    def part(weights: np.ndarray, bias: np.ndarray, rows: slice) -> tuple[float, np.ndarray, np.ndarray]:
        cross, by_weights, by_bias = 0.0, np.zeros(shape, np.float32), np.zeros(CLASSES, np.float32)
        aims = targets[rows]
        for inner, some in x[rows].blocks():
            logits = some @ weights + bias
            logits -= logits.max(axis=1, keepdims=True)
            logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
            slope = np.exp(logits) - aims[inner]
            cross -= float(np.sum(aims[inner] * logits, dtype=np.float64))
            by_weights += some.T @ slope
            by_bias += slope.sum(axis=0)
        return cross, by_weights, by_bias

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = split(flat)
        total, by_weights, by_bias = 0.0, np.zeros(shape), np.zeros(CLASSES)
        for cross, one, other in pool.map(lambda rows: part(weights, bias, rows), parts):
            total += cross / count
            by_weights += one / count
            by_bias += other / count
        by_weights += penalty * weights - mean[:, None] * by_bias
        gradient = np.concatenate([by_bias, (by_weights / spread).ravel()])
        return total + penalty / 2 * float(np.sum(np.square(weights, dtype=np.float64))), gradient

    def follow(flat: np.ndarray) -> None:
        nonlocal done
        done += 1
        if not look(done, *split(flat)):
            raise StopIteration

    start = np.zeros(CLASSES * (shape[0] + 1))
    options = {"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        mean, square = np.sum(list(pool.map(moments, parts)), axis=0) / count
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))[:, None]
        spread[spread < 1e-6] = 1.0
        if look(0, *split(start)) and iterations:
            minimize(loss, start, jac=True, method="L-BFGS-B", callback=follow, options=options)
