"""From trained kernels to synapses: which weights stay, in how many bits, and the list that a chip is given.

Every function returns a new layer or list and leaves its input as it was; what it took away is in what it returns.
Numbers and traps: pruning is per class, the scale of few bits is clipped at the 98.5 % quantile of the weights that
are not 0, rounding is to the nearest (delays of whole ms are exact already).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from neurodeploy.delays.events import OFF, ON
from neurodeploy.delays.layer import Layer, with_weights
from neurodeploy.errors import RequestError

CLIP_QUANTILE = 0.985
"""Of |weights| that are not 0: the scale's end, so that the central pair does not eat the bits of the others."""


def prune(layer: Layer, synapses: int, per_class: bool = True) -> Layer:
    """The layer with its `synapses` largest |weights|, and no other; ties are broken by position.

    Parameters
    ----------
    layer : Layer
    synapses : int
        Of the whole layer.
    per_class : bool
        The same number in every class (`synapses` / classes, rounded down), which spikes need; else one threshold for
        all, as in the authors' code.

    Raises
    ------
    RequestError
        `synapses` is not 1 (per class: 1 in every class) or more.
    """
    classes = len(layer.weights)
    rows = np.abs(layer.weights).reshape(classes if per_class else 1, -1)
    count = synapses // len(rows)
    if count < 1:
        raise RequestError(
            f"{synapses} synapses for {classes} classes leave {'each class none' if per_class else 'none'}.",
            fix=f"keep {len(rows)} or more",
        )
    order = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    kept = np.zeros(rows.shape, bool)
    np.put_along_axis(kept, order, True, axis=1)
    return with_weights(layer, np.where(kept.reshape(layer.weights.shape), layer.weights, 0))


def shorten(layer: Layer, delays: int) -> Layer:
    """The layer with its `delays` shortest delays, 0 .. `delays` - 1 ms, and no other."""
    if not 1 <= delays <= layer.delays:
        raise RequestError(
            f"The layer has {layer.delays} delays; {delays} cannot be kept.", fix=f"keep 1 to {layer.delays}"
        )
    weights = layer.weights.copy()
    weights[:, :, delays:] = 0
    return with_weights(layer, weights)


def collapse(layer: Layer) -> Layer:
    """The layer with every weight moved to delay 0 (weights that meet are added): a control without delays."""
    weights = np.zeros_like(layer.weights)
    weights[:, :, 0] = layer.weights.sum(axis=2)
    return with_weights(layer, weights)


def permute_delays(layer: Layer, generator: np.random.Generator) -> Layer:
    """The layer with its delay planes in another, random order: a control with wrong delays."""
    return with_weights(layer, layer.weights[:, :, generator.permutation(layer.delays)])


@dataclass(frozen=True)
class Quantised:
    """A layer in whole numbers: weight = `step` × whole number.

    Attributes
    ----------
    layer : Layer
        With weights that are multiples of `step`.
    step : float
    vanished, clipped : int
        Weights that became 0; weights beyond the end of the scale.
    """

    layer: Layer
    step: float
    vanished: int
    clipped: int

    @property
    def whole(self) -> np.ndarray:
        """The whole numbers, int32, in the shape of the weights."""
        return np.rint(self.layer.weights / self.step).astype(np.int32)


def quantise(layer: Layer, bits: int, clip_quantile: float | None = CLIP_QUANTILE) -> Quantised:
    """Weights rounded to the nearest multiple of scale / (2^(bits-1) - 1), and clipped to ± scale.

    Parameters
    ----------
    layer : Layer
    bits : int
        Of a weight with its sign, 2 or more.
    clip_quantile : float or None
        Scale = this quantile of |weights| that are not 0; None takes the largest weight, with which 4 bits fail:
        the central pair is ten times larger than the rest.
    """
    magnitude = np.abs(layer.weights[layer.weights != 0])
    if bits < 2 or not len(magnitude):
        what = f"{bits} bits leave no number beside 0" if bits < 2 else "The layer has no weight"
        raise RequestError(f"{what}.", fix="use 2 bits or more, and a trained layer")
    scale = float(magnitude.max() if clip_quantile is None else np.quantile(magnitude, clip_quantile))
    step = scale / (2 ** (bits - 1) - 1)
    whole = np.rint(np.clip(layer.weights, -scale, scale) / step)
    return Quantised(
        with_weights(layer, (whole * step).astype(np.float32)),
        step,
        vanished=int(np.count_nonzero(layer.weights) - np.count_nonzero(whole)),
        clipped=int(np.count_nonzero(np.abs(layer.weights) > scale)),
    )


@dataclass(frozen=True)
class Synapses:
    """One row a synapse, of a detector at one place: shape (count,) each.

    Attributes
    ----------
    polarity, row, column : ndarray of int64
        The input; row = -dy and column = -dx are relative to the detector.
    neuron : ndarray of int64
        Class, plus the number of classes in the branch with ON and OFF swapped.
    weight : ndarray of float32
    delay : ndarray of int64
        ms.
    classes, radius : int
    """

    polarity: np.ndarray
    row: np.ndarray
    column: np.ndarray
    neuron: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    classes: int
    radius: int

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def pairs(self) -> np.ndarray:
        """A number for the pair (input, neuron) of every synapse; synapses that share it are a multapse."""
        side = 2 * self.radius + 1
        place = (self.row + self.radius) * side + self.column + self.radius
        return (self.neuron * 2 + self.polarity) * side * side + place

    def layers(self) -> np.ndarray:
        """For each synapse the layer it goes to, so that in a layer no pair has two: for targets with one delay a pair.

        The layers are as few as the largest multapse has synapses; shorter delays come first.
        """
        order = np.lexsort((self.delay, self.pairs))
        pairs = self.pairs[order]
        first = np.r_[True, pairs[1:] != pairs[:-1]]
        starts = np.maximum.accumulate(np.where(first, np.arange(len(pairs)), 0))
        layer = np.empty(len(pairs), np.int64)
        layer[order] = np.arange(len(pairs)) - starts
        return layer


def to_synapses(layer: Layer | Quantised, branches: int = 2) -> Synapses:
    """The weights that are not 0 as synapses of one place.

    Parameters
    ----------
    layer : Layer or Quantised
        Of the second the whole numbers are the weights.
    branches : int
        2: neurons of K, then neurons of K with ON and OFF swapped; their spikes together are those of the larger
        evidence, max(B, B') > θ.  1: K alone, which sees one contrast.
    """
    if branches not in (1, 2):
        raise RequestError(f"A layer has 1 or 2 branches, not {branches}.", fix="use 2, or 1 for tests")
    if isinstance(layer, Quantised):
        layer = with_weights(layer.layer, layer.whole.astype(np.float32))
    weights = layer.weights
    if branches == 2:
        weights = np.concatenate([weights, weights[:, ::-1]])
    neuron, polarity, delay, j, i = np.nonzero(weights)
    return Synapses(
        polarity,
        layer.radius - j,
        layer.radius - i,
        neuron,
        weights[neuron, polarity, delay, j, i],
        delay,
        len(layer.weights),
        layer.radius,
    )


@dataclass(frozen=True)
class Expanded:
    """The synapses of detectors at every valid place of a frame.

    Attributes
    ----------
    pre : ndarray of int64
        Input: polarity × height × width + row × width + column.
    post : ndarray of int64
        Detector: neuron × places + place, places row by row over the valid ones.
    weight : ndarray of float32
    delay : ndarray of int64
        ms.
    inputs, neurons : int
    """

    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    inputs: int
    neurons: int

    def largest_sums(self) -> list[float]:
        """What all positive and all negative weights onto a neuron add up to (magnitudes), of the neuron with most."""
        by_sign = (np.maximum(self.weight, 0), np.maximum(-self.weight, 0))
        return [float(np.bincount(self.post, weight, self.neurons).max()) for weight in by_sign]

    def matrices(self) -> list[sparse.csr_array]:
        """One matrix (neurons, inputs) for every delay from 0 on."""
        shape = (self.neurons, self.inputs)
        found = []
        for delay in range(int(self.delay.max(initial=0)) + 1):
            mine = self.delay == delay
            found.append(
                sparse.csr_array((self.weight[mine], (self.post[mine], self.pre[mine])), shape=shape)
            )
        return found


def places(height: int, width: int, radius: int, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) of every `stride`-th place whose receptive field lies in a frame of `height` × `width` pixels."""
    if min(height, width) <= 2 * radius:
        raise RequestError(
            f"A frame of {height} x {width} pixels has no place for a field of {2 * radius + 1} pixels.",
            fix="use a larger frame",
        )
    grid = np.mgrid[radius : height - radius : stride, radius : width - radius : stride]
    return grid[0].ravel(), grid[1].ravel()


def expand(synapses: Synapses, height: int, width: int, stride: int = 1) -> Expanded:
    """Copies of `synapses` at every place of :func:`places`."""
    row, column = places(height, width, synapses.radius, stride)
    pre_row = row[None] + synapses.row[:, None]
    pre_column = column[None] + synapses.column[:, None]
    pre = (synapses.polarity[:, None] * height + pre_row) * width + pre_column
    post = synapses.neuron[:, None] * len(row) + np.arange(len(row))
    neurons = int(synapses.classes * (1 + (synapses.neuron.max(initial=0) >= synapses.classes)))
    return Expanded(
        pre.ravel(),
        post.ravel(),
        np.repeat(synapses.weight, len(row)),
        np.repeat(synapses.delay, len(row)),
        2 * height * width,
        neurons * len(row),
    )


assert (OFF, ON) == (0, 1)  # `polarity × height × width` and K[:, ::-1] rely on it
