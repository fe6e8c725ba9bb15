"""How accuracy falls as synapses or delays are taken away: the layers of the published curves, and what sums them up.

    accuracy(n) = C + (A - C) / (1 + exp(-(log10 n - h) / s))

with C the chance, A the accuracy of the whole layer and n the synapses kept; half of the accuracy is at 10^h (the
authors' fit of their figure; over the fraction kept there, which moves h alone).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurodeploy.delays import synapses as lists
from neurodeploy.delays.evaluation import Score, half_point
from neurodeploy.delays.layer import Layer

SYNAPSES = (
    72,
    110,
    150,
    200,
    250,
    330,
    420,
    520,
    652,
    1000,
    1300,
    2000,
    4000,
    8000,
    14096,
    30000,
    80000,
    200000,
)
DELAYS = (1, 3, 5, 7, 9, 11, 13, 16, 19)
"""What is kept at the points of the curves; each ends with the whole layer."""

CONTROL = 8000
"""Synapses of the controls with wrong delays."""

ONE_THRESHOLD, PER_CLASS = "synapses", "synapses, as many in every class"
"""The two ways to prune, as the names of the layers have them: the authors' code's, and the one that spikes need."""


def curve_layers(layer: Layer, readout: str) -> dict[str, Layer]:
    """The layers of both curves by name, the whole one, and the controls; spikes are read with classes pruned alike."""
    counts = [n for n in SYNAPSES if len(layer.weights) <= n < layer.synapses]
    found = {}
    if readout == "evidence":
        found = {f"{n} {ONE_THRESHOLD}": lists.prune(layer, n, per_class=False) for n in counts}
    found |= {f"{n} {PER_CLASS}": lists.prune(layer, n) for n in counts}
    found |= {f"{k} delays": lists.shorten(layer, k) for k in DELAYS if k < layer.delays}
    found["whole"] = layer
    peak = lists.prune(layer, CONTROL) if layer.synapses > CONTROL else layer
    found[f"{CONTROL} synapses, all at delay 0"] = lists.collapse(peak)
    found[f"{CONTROL} synapses, delays permuted"] = lists.permute_delays(peak, np.random.default_rng(0))
    return found


def points(scores: Mapping[str, Any], kind: str) -> list[str]:
    """The names along one curve: `kind` is what follows the number kept; the whole layer comes last."""
    return [name for name in scores if name.partition(" ")[2] == kind] + ["whole"]


def curve_facts(layers: Mapping[str, Layer], scores: Mapping[str, Score]) -> dict[str, Any]:
    """The peak over pruning levels, and where half of the accuracy is: of each way to prune, and of the delays."""
    whole, classes = layers["whole"], len(layers["whole"].weights)
    facts: dict[str, Any] = {"half_synapses": {}, "peak": 0.0}
    for kind in (ONE_THRESHOLD, PER_CLASS):
        names = points(scores, kind)
        if len(names) > 1:
            shares = [scores[name].accuracy for name in names]
            facts["half_synapses"][kind] = fitted_half([layers[n].synapses for n in names], shares, classes)
            facts["peak"] = max(facts["peak"], *shares)
    names = points(scores, "delays")
    kept = [*(int(name.split()[0]) for name in names[:-1]), whole.delays]
    facts["half_delays"] = half_point(kept, [scores[name].accuracy for name in names])
    return facts


def fitted_half(synapses: Sequence[int], accuracies: Sequence[float], classes: int) -> float | None:
    """10^h of the fit above, by least squares over h and s; None where the points determine none.

    Parameters
    ----------
    synapses : sequence of int
        Kept, the whole layer last.
    accuracies : sequence of float
        Shares, in the same order.
    classes : int
        Chance is 1 / classes.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    chance, whole = 1 / classes, accuracies[-1]
    size = np.log10(np.asarray(synapses, float))

    def curve(at: np.ndarray, half: float, width: float) -> np.ndarray:
        return chance + (whole - chance) / (1 + np.exp(-(at - half) / width))

    start = np.log10(half_point(synapses, accuracies))
    with warnings.catch_warnings():
        warnings.simplefilter("error", OptimizeWarning)
        try:
            (half, _), _ = curve_fit(
                curve, size, accuracies, (start, 0.2), bounds=((size.min(), 0.01), (size.max(), 2))
            )
        except (OptimizeWarning, RuntimeError, ValueError):
            return None
    return float(10**half)
