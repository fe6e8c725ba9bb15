"""The kernel read-out: a sample is judged by how alike its counts are to those of some training samples.

No longer linear in the counts, so it says how much of the image they hold, not that the liquid has made classes linearly
separable.  There is still no gradient: a system of linear equations is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.lsm.data import CLASSES

if TYPE_CHECKING:
    from neurodeploy.lsm.readout import Features


@dataclass(frozen=True)
class KernelRecipe:
    """What is tried on the validation samples.

    Attributes
    ----------
    centres : int
        Training samples that others are compared with, at most.
    centres_tried : int
        The same while features and steepness are chosen.
    roots : tuple of bool
        Whether the square roots of shares are compared.
    steepness : tuple of float
        How fast likeness falls with distance.
    penalties : tuple of float
        Factors on the sum of squared coefficients.
    """

    centres: int = 10_000
    centres_tried: int = 3_000
    roots: tuple[bool, ...] = (False, True)
    steepness: tuple[float, ...] = (0.5, 1.0, 2.0)
    penalties: tuple[float, ...] = (1e-8, 1e-7, 1e-6)

    def memory(self, samples: int, neurons: int) -> int:
        """Bytes beside the counts: all centres in single precision, two matrices of likenesses in double."""
        centres, tried = min(self.centres, samples), min(self.centres_tried, samples)
        return 4 * neurons * (centres + len(self.roots) * tried) + 2 * 8 * centres**2


@dataclass
class Likeness:
    r"""Of samples to centres,

    .. math:: k_j(x) = \exp(-\gamma \, |x - z_j|^2 / s)

    with s the mean squared distance of a training sample from their mean, so that :math:`\gamma` has no unit.

    Attributes
    ----------
    mean : ndarray of float32, shape (neurons,)
        Of the training samples; distances are taken from it, so that they keep their digits.
    scale : float
        s.
    centres : ndarray of float32, shape (centres, neurons)
        z, less the mean.
    roots : bool
        Whether x are the roots of shares.
    """

    mean: np.ndarray
    scale: float
    centres: np.ndarray
    roots: bool

    @classmethod
    def to_some(cls, x: Features, count: int, roots: bool) -> Likeness:
        """To `count` samples of `x`, evenly spaced."""
        x = replace(x, roots=roots)
        total, square = np.zeros(x.counts.shape[1]), 0.0
        for _, some in x.blocks():
            total += some.sum(axis=0)
            square += float(np.einsum("ki,ki->", some, some, dtype=np.float64))
        mean = total / len(x)
        scale = square / len(x) - float(mean @ mean)
        at = np.linspace(0, len(x) - 1, count).astype(int)
        centres = replace(x, counts=x.counts[at], factors=x.factors[at]).unpacked()
        centres -= mean.astype(np.float32)
        return cls(mean.astype(np.float32), max(scale, 1e-12), centres, roots)

    def distances(self, x: Features) -> Iterator[tuple[slice, np.ndarray]]:
        """Squared, over s, of a few samples at a time to all centres."""
        x = replace(x, roots=self.roots)
        own = np.einsum("ji,ji->j", self.centres, self.centres)
        for rows, some in x.blocks(max(1, BLOCK // len(self.centres))):
            some -= self.mean
            squared = np.einsum("ki,ki->k", some, some)[:, None] + own - 2 * (some @ self.centres.T)
            yield rows, np.maximum(squared, 0) / self.scale


BLOCK = 1 << 24
"""Likenesses at a time: 0.1 GB in double precision."""


@dataclass
class KernelTrained:
    """A read-out by likeness.

    Attributes
    ----------
    likeness : Likeness
        What a sample is compared with.
    steepness, penalty : float
        The ones that were chosen.
    coefficients : ndarray, shape (centres, classes)
    validation : float
        Share of the validation samples that it gets right, learned from the others alone.
    tried : list of dict
        Of every choice that was tried: features, centres, steepness, penalty, and the validation accuracy it came to.
    iterations : None
        There are none.
    resumed : int
        0: nothing of it is kept.
    """

    likeness: Likeness
    steepness: float
    penalty: float
    coefficients: np.ndarray
    validation: float
    tried: list[dict[str, Any]] = field(default_factory=list)
    iterations: None = None
    resumed: int = 0

    def classes(self, features: Features) -> np.ndarray:
        """The class of each sample whose share in the likeness is largest."""
        return np.concatenate([self.at(d) for _, d in self.likeness.distances(features)])

    def at(self, distances: np.ndarray) -> np.ndarray:
        """The classes of samples at such distances from the centres."""
        return np.argmax(np.exp(-self.steepness * distances) @ self.coefficients, axis=1)


@dataclass
class Sums:
    """Of the normal equations, for one steepness; sums of likenesses with each other and with the targets.

    In double precision: in single, likenesses that hardly differ have no solution under a small penalty.
    """

    steepness: float
    among: np.ndarray
    with_targets: np.ndarray
    samples: int = 0

    def add(self, distances: np.ndarray, labels: np.ndarray) -> None:
        """Samples at such distances, of these classes."""
        k = np.exp(-self.steepness * distances).astype(np.float64)
        self.among += k.T @ k
        self.with_targets += k.T @ targets(labels)
        self.samples += len(labels)

    def solved(self, penalty: float) -> np.ndarray:
        """The coefficients, shape (centres, classes)."""
        from scipy.linalg import solve

        matrix = self.among / self.samples
        matrix[np.diag_indices_from(matrix)] += penalty
        return solve(matrix, self.with_targets / self.samples, assume_a="pos", overwrite_a=True)


def targets(labels: np.ndarray) -> np.ndarray:
    """1 for the class, 0 for the others, less their mean."""
    return np.eye(CLASSES)[labels] - 1 / CLASSES


def train(
    x: Features,
    labels: np.ndarray,
    validation: int,
    recipe: KernelRecipe,
    progress: Callable[[str, int, int], None] | None = None,
) -> KernelTrained:
    r"""Ridge regression on likenesses:

    .. math:: \min_a \frac1n \sum_k \Big| \sum_j a_j k_j(x_k) - y_k \Big|^2 + \lambda |a|^2

    Features, steepness and penalty are those that classify the last `validation` samples best, learned from the others;
    features and steepness with few centres, the penalty with all.  Then everything is learned again, from all samples, with
    the same centres.  scikit-learn's ``Ridge`` on likenesses gives the same coefficients, but holds all likenesses at once:
    2.4 GB for 60,000 samples in single precision, several times.

    Sums are BLAS's, so that coefficients may differ in their last digits from one number of threads to another.

    Parameters
    ----------
    x : Features
    labels : ndarray
        Classes.
    validation : int
        Samples, the last ones.
    recipe : KernelRecipe
    progress : function, optional
    """
    learned = len(labels) - validation
    tried_with, centres = min(recipe.centres_tried, learned), min(recipe.centres, learned)
    done, total = 0, len(recipe.roots) * learned * tried_with + len(labels) * centres

    def add(sums: list[Sums], likeness: Likeness, begin: int, end: int) -> None:
        nonlocal done
        for rows, distances in likeness.distances(x[begin:end]):
            for one in sums:
                one.add(distances, labels[begin:end][rows])
            done += distances.size
            if progress is not None:
                progress("read-out", done, total)

    def summed(likeness: Likeness, steepness: tuple[float, ...]) -> list[Sums]:
        size = len(likeness.centres)
        sums = [Sums(one, np.zeros((size, size)), np.zeros((size, CLASSES))) for one in steepness]
        add(sums, likeness, 0, learned)
        return sums

    def best_of(likeness: Likeness, sums: list[Sums]) -> KernelTrained:
        found = [
            KernelTrained(likeness, one.steepness, penalty, one.solved(penalty), 0.0)
            for one in sums
            for penalty in recipe.penalties
        ]
        said = np.concatenate(
            [[one.at(distances) for one in found] for _, distances in likeness.distances(x[learned:])], axis=1
        )
        for one, classes in zip(found, said, strict=True):
            one.validation = float(np.mean(classes == labels[learned:]))
            tried.append(facts(one))
        return max(found, key=lambda one: one.validation)

    tried: list[dict[str, Any]] = []
    fewer: list[KernelTrained] = []
    for roots in recipe.roots:
        likeness = Likeness.to_some(x[:learned], tried_with, roots)
        fewer.append(best_of(likeness, summed(likeness, recipe.steepness)))
    first = max(fewer, key=lambda one: one.validation)
    likeness = Likeness.to_some(x[:learned], centres, first.likeness.roots)
    sums = summed(likeness, (first.steepness,))
    best = best_of(likeness, sums)
    add(sums, likeness, learned, len(labels))
    best.coefficients = sums[0].solved(best.penalty)
    best.tried = tried
    return best


def facts(trained: KernelTrained) -> dict[str, Any]:
    """What was tried, and what it came to."""
    return {
        "features": "roots of shares" if trained.likeness.roots else "shares",
        "centres": len(trained.likeness.centres),
        "steepness": trained.steepness,
        "penalty": trained.penalty,
        "validation_accuracy": trained.validation,
    }
