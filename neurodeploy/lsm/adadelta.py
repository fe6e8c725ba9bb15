"""The authors' own training of the read-out, by the step rule Adadelta; :mod:`neurodeploy.lsm.readout` has the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy import cache
from neurodeploy.lsm.store import Store

if TYPE_CHECKING:
    from neurodeploy.lsm.readout import Features

EPOCHS = 5000
"""At most, over all training samples, in a fixed order (``NALSM_RUN_MAIN_SIM_MNIST.py``)."""

RATE, RHO, EPSILON = 0.1, 0.95, 1e-8
"""Learning rate (``NALSM_OUTPUT_LAYER.py``); the others are TensorFlow 1's defaults."""

BATCH = {1000: 250, 8000: 50}
"""Samples a step, by the size of the liquid (the repository's README)."""

KEPT_EVERY = 50
"""Epochs: half a minute of 8,000 neurons and 50,000 samples."""


class Adadelta:
    r"""One array that learns:

    .. math::
        a &\leftarrow \rho a + (1 - \rho) g^2 \\
        s &= g \sqrt{\frac{u + \epsilon}{a + \epsilon}}, \qquad u \leftarrow \rho u + (1 - \rho) s^2 \\
        w &\leftarrow w - \eta s
    """

    def __init__(self, *shape: int) -> None:
        self.state = np.zeros((3, *shape), np.float32)
        self.value, self._gradients, self._steps = self.state

    def learn(self, gradient: np.ndarray) -> None:
        """One step down the gradient."""
        self._gradients *= RHO
        self._gradients += (1 - RHO) * gradient**2
        step = gradient * np.sqrt((self._steps + EPSILON) / (self._gradients + EPSILON))
        self._steps *= RHO
        self._steps += (1 - RHO) * step**2
        self.value -= RATE * step


def batch_size(neurons: int) -> int:
    """Samples a step of a liquid of that size: of the largest in :data:`BATCH` that is no larger."""
    return BATCH[max(n for n in BATCH if n <= max(neurons, min(BATCH)))]


def by_batches(x: Features) -> Features:
    """Every batch divided by its own largest share, so that a sample's features depend on those beside it.

    As the authors do, of training, validation and test samples alike (``NALSM_OUTPUT_LAYER.py``, ``xInp``).
    """
    batch = batch_size(x.counts.shape[1])
    each = x.counts.max(axis=1, initial=0) * x.factors
    largest = np.maximum.reduceat(each, np.arange(0, len(each), batch)) if len(each) else each
    largest[largest == 0] = 1.0
    return replace(x, factors=x.factors / np.repeat(largest, batch)[: len(each)])


def store(x: Features, targets: np.ndarray, validation: int, penalty: float, look_every: int) -> Store:
    """Where the training of these samples is kept; another version of this file has another place."""
    sha = hashlib.sha256(np.ascontiguousarray(x.counts).data)
    sha.update(targets.data)
    program = cache.file_digest(Path(__file__))
    return Store(
        "read-out",
        samples=sha.hexdigest(),
        validation=validation,
        penalty=penalty,
        epochs=EPOCHS,
        look_every=look_every,
        program=program,
    )


def descend(
    x: Features,
    targets: np.ndarray,
    penalty: float,
    epochs: int,
    look: Callable[[int, np.ndarray, np.ndarray], bool],
    kept: Store | None = None,
) -> int:
    """Learn by Adadelta, in a fixed order of samples; otherwise as :func:`neurodeploy.lsm.readout.descend`.

    It keeps every :data:`KEPT_EVERY`-th epoch and the last of `epochs`, and goes on after the last one that is `kept`, whose
    number it returns.
    """
    neurons = x.counts.shape[1]
    batch = batch_size(neurons)
    x = by_batches(x)
    weights, bias = Adadelta(targets.shape[1], neurons), Adadelta(targets.shape[1])
    piece = kept.load("learning") if kept else None
    done = 0
    if piece is not None:
        weights.state[:], bias.state[:], done = piece["weights"], piece["bias"], int(piece["epoch"])
    for epoch in range(done + 1, epochs + 1):
        for begin in range(0, len(targets), batch):
            rows = slice(begin, min(begin + batch, len(targets)))
            some = x[rows].unpacked()
            logits = some @ weights.value.T + bias.value
            slope = np.exp(logits - logits.max(axis=1, keepdims=True))
            slope /= slope.sum(axis=1, keepdims=True)
            slope -= targets[rows]
            slope /= len(some)
            weights.learn(slope.T @ some + np.float32(penalty) * weights.value)
            bias.learn(slope.sum(axis=0))
        if not look(epoch, weights.value.T.copy(), bias.value.copy()):
            break
        if kept and (epoch % KEPT_EVERY == 0 or epoch == epochs):
            kept.save("learning", weights=weights.state, bias=bias.state, epoch=np.array(epoch))
    return done
