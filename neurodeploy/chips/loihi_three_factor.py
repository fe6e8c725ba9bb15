r"""A pair rule with a third factor in the terms of Loihi's learning engine.

A weight is :math:`w_{max}/255` a unit, with its sign.  In every step, with traces that do not hold the step's own spikes and
a third factor :math:`M` that scales one of the two sides,

.. math::
    \Delta w = a_x\, y\,[\text{pre fired}] + a_y\, x\,[\text{post fired}] .

In the engine's terms, with one impulse :math:`i` for both traces:

- **Post traces** come from the neuron (``Loihi3FLearningRule`` has them so), which sends y1 before it adds its own spike.
- **Pre traces** are the connection's, and hold the step's spike when products read them; x2, which lasts for that step alone,
  takes it out again: ``y0 * x1 - y0 * x2``.
- **The third factor** arrives at every neuron as a graded spike and goes on to the connection as y3: ``x0 * y1 * y3``, or
  ``y0 * x1 * y3 - y0 * x2 * y3``.  It has 7 bits and no sign: a negative factor counts as 0.

The impulse is small enough for a trace never to reach its end at 127, however often a neuron fires.  A constant amplitude is a
mantissa times a power of two; the unit of y3 is chosen so that the two sides keep their ratio, whatever that rounding did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.chips.loihi_learning import (
    EXPONENT_HIGH,
    EXPONENT_LOW,
    FRACTION_BITS,
    MANTISSA_HIGH,
    TRACE_HIGH,
    WEIGHT_HIGH,
    Product,
)
from neurodeploy.errors import UnsupportedError

IMPULSES_DOWN_TO = 0.75
"""Share of the largest impulse down to which a smaller one is taken where the amplitude comes out nearer."""

HELD_TAU = 65535
"""Steps: what ``Loihi3FLearningRule`` decays the traces by that a neuron sends (``learning_rule.py``)."""


@dataclass(frozen=True)
class Scale:
    """What the numbers of a rule with a third factor stand for.

    Attributes
    ----------
    impulse : int
        Of every trace.
    mantissa, exponent : int
        Of a constant amplitude.
    third_exponent : int
        Of a product with y3; its mantissa is 1.
    third_unit : float
        What 1 of y3 stands for.
    got : float
        The constant amplitude, and with it every change, as a share of what was asked for.
    """

    impulse: int
    mantissa: int
    exponent: int
    third_exponent: int
    third_unit: float
    got: float


def largest_impulse(decay: float, interval: int) -> int:
    """The impulse whose trace, left `decay` by a step, stays below 127 at a spike every `interval` steps."""
    return math.floor((TRACE_HIGH - 1) * (1 - decay**interval))


def scale(constant: float, scaled: float, w_max: float, decay: float, interval: int, largest: float) -> Scale:
    """Impulse, mantissas and exponents of a rule.

    Parameters
    ----------
    constant : float
        What a spike changes a weight by for each whole trace on the side without third factor; in the weight's unit.
    scaled : float
        The same on the other side, for a third factor of 1.
    w_max : float
    decay : float
        What a step leaves of a trace.
    interval : int
        Shortest interval of two spikes of a neuron, in steps.
    largest : float
        Largest third factor.

    Raises
    ------
    UnsupportedError
        The engine has no terms for changes as large or as small as these.
    """
    one = 1 << FRACTION_BITS
    wanted = constant * WEIGHT_HIGH / w_max * one
    highest = largest_impulse(decay, interval)
    candidates = [
        (
            abs(impulse * mantissa * 2.0 ** (exponent + FRACTION_BITS) / wanted - 1),
            -impulse,
            mantissa,
            exponent,
        )
        for impulse in range(math.ceil(IMPULSES_DOWN_TO * highest), highest + 1)
        for mantissa in range(1, MANTISSA_HIGH + 1)
        for exponent in range(EXPONENT_LOW, EXPONENT_HIGH + 1)
    ]
    off, negative, mantissa, exponent = min(candidates)
    impulse = -negative
    if off > 1 / 4:
        raise UnsupportedError(
            f"A spike changes a weight by {constant * WEIGHT_HIGH / w_max:.2g} of {WEIGHT_HIGH} units",
            why="the learning engine has no product of that size",
            fix="use another amplitude",
        )
    got = impulse * mantissa * 2.0 ** (exponent + FRACTION_BITS) / wanted
    shift = Product(1, EXPONENT_LOW, "x0", ("y1", "y3")).shift
    for third in range(EXPONENT_LOW, EXPONENT_HIGH + 1):
        of_one = impulse * 2.0 ** (third + FRACTION_BITS - shift)  # accumulator, for a whole trace and y3 = 1
        unit = of_one / (scaled * got * WEIGHT_HIGH / w_max * one)
        if unit * TRACE_HIGH >= largest:
            return Scale(impulse, mantissa, exponent, third, unit, got)
    raise UnsupportedError(
        f"A third factor of up to {largest:.3g} changes weights by too much for the learning engine",
        why=f"at its largest scale it goes up to {unit * TRACE_HIGH:.3g}",
        fix="use smaller gains",
    )


def weight_products(scale: Scale, sign: int, modulated: str | None) -> tuple[Product, ...]:
    """The sum that changes a signed weight.

    What lowers weights stands before what raises them, so that a weight at its upper end does not lose a rise's rest.

    Parameters
    ----------
    scale : Scale
    sign : int
        1 where a pre spike after a post spike lowers the weight and the other order raises it; -1 the other way round.
    modulated : str or None
        The side that y3 scales: ``"pre"`` (of a pre spike) or ``"post"``.
    """

    def product(direction: int, side: str, *factors: str) -> Product:
        if side == modulated:
            return Product(direction, scale.third_exponent, SIDES[side], (*factors, "y3"))
        return Product(direction * scale.mantissa, scale.exponent, SIDES[side], factors)

    pre = [product(-sign, "pre", "y1")]
    post = [product(sign, "post", "x1"), product(-sign, "post", "x2")]
    return tuple(pre + post if sign > 0 else post + pre)


SIDES = {"pre": "x0", "post": "y0"}


def third_factor_bound(
    gains: np.ndarray, resting: float, initial: float, leak: float, steps: int, interval: int
) -> float:
    r"""The largest value that :math:`M \leftarrow M + leak\,(\sum g\,n + resting - M)` can have within `steps`.

    Every neuron of positive gain fires as often as it can, last of all in the last step.
    """
    back = np.arange(0, steps, interval)
    return max(resting, initial) + leak * float(gains[gains > 0].sum()) * float(np.sum((1 - leak) ** back))
