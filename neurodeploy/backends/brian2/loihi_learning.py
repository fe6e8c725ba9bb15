"""Learning synapses of Loihi for the engine: the rule as rows of numbers (see ``engine/learning.h``), and back.

The compiled engine has these numbers alone; the slower engine makes the rule of them again and executes it with
:mod:`neurodeploy.chips.loihi_learning`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.chips import loihi_learning as chip
from neurodeploy.chips.loihi_learning import LearningRule, Product

FACTORS = ("x0", "y0", "x1", "x2", "y1", "y2", "y3", "w", "t")
"""Numbers of the factors in ``learning.h``."""

TRACES = ("x1", "x2", "y1", "y2", "y3")

PRODUCT_WIDTH = 16
"""Numbers a product: tag or weight, dependency, mantissa, shift to the right, shift to the left, factors, the factors."""

INTEGERS = ("pre", "post", "row", "weight", "tag", "rule", "impulse")
"""Arrays of 32-bit integers; ``decay`` and ``random`` are reals."""


@dataclass(frozen=True)
class Learner:
    """Learning synapses between two groups of the engine.

    Attributes
    ----------
    name : str
        Its arrays are called ``<name>.pre`` and so on.
    source, target : str
        Groups.
    exponent : int
        A weight w sends :math:`w\\,2^{exponent}`.
    """

    name: str
    source: str
    target: str
    exponent: int


def columns(rule: LearningRule) -> np.ndarray:
    """The products of a rule, int32, :data:`PRODUCT_WIDTH` numbers each."""
    rows = []
    for of_tag, products in enumerate((rule.weight, rule.tag)):
        for product in products:
            row = [of_tag, chip.DEPENDENCIES.index(product.dependency), product.mantissa, product.shift]
            row += [product.exponent + chip.EXPONENT_OFFSET, len(product.factors)]
            row += [FACTORS.index(name) for name in product.factors]
            rows.append(row + [0] * (PRODUCT_WIDTH - len(row)))
    return np.array(rows, dtype=np.int32).reshape(-1)


def rule_arrays(rule: LearningRule) -> dict[str, np.ndarray]:
    """What the engine is loaded with of a rule."""
    return {
        "rule": columns(rule),
        "impulse": np.array([rule.impulse(name) for name in TRACES], dtype=np.int32),
        "decay": np.array([rule.decay(name) for name in TRACES]),
    }


@dataclass(frozen=True)
class LoadedRule(LearningRule):
    """A rule that came back from its numbers: the decays are known, the time constants are not."""

    decays: dict[str, float] = field(default_factory=dict)

    def decay(self, trace: str) -> float:
        return self.decays[trace]


def rule_from(rule: np.ndarray, impulse: np.ndarray, decay: np.ndarray) -> LoadedRule:
    """The rule whose :func:`rule_arrays` these are."""
    sums: tuple[list[Product], list[Product]] = ([], [])
    for of_tag, dependency, mantissa, _, left, count, *factors in rule.reshape(-1, PRODUCT_WIDTH).tolist():
        names = tuple(FACTORS[number] for number in factors[:count])
        exponent = left - chip.EXPONENT_OFFSET
        sums[of_tag].append(Product(mantissa, exponent, chip.DEPENDENCIES[dependency], names))
    return LoadedRule(
        tuple(sums[0]),
        tuple(sums[1]),
        impulses=dict(zip(TRACES, impulse.tolist(), strict=True)),
        decays=dict(zip(TRACES, decay.tolist(), strict=True)),
    )
