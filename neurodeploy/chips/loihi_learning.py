r"""Loihi's learning engine in whole numbers: sums of products, traces of 7 bits, and where chance enters.

After the spikes of every step (an epoch of one step) each synapse does, with :math:`\ll` a shift and every sum cut off to
:math:`-2^{15}-1 \ldots 2^{15}-1` after each product:

.. math::
    x &\leftarrow \min\big(127,\; r_x(x e^{-1/\tau}) + i\,[\text{pre fired}]\big), \qquad
    y \leftarrow \min\big(127,\; r_y(y e^{-1/\tau}) + i\,[\text{post fired}]\big) \\
    a &\leftarrow (w \ll 7) + \sum_p \big((m_p\, d_p \textstyle\prod_f f) \gg s_p\big) \ll (e_p + 7) \\
    w &\leftarrow \mathrm{clip}\big(r_w(\max(a, 0) / 2^7),\ 0,\ 255\big)

- The traces that the products read are those *after* this step's decay and impulse: a tie counts fully, both ways.
- The weight that this step's spikes carried is the one *before* this step's change.
- A trace with :math:`\tau = 0` is its impulse in the step of the spike, and nothing after it.
- :math:`s_p` is what the widths of the factors (1 bit for a spike, 7 for a trace, 9 for weight and tag) and 4 bits of
  mantissa are above 15 together; the shift rounds down, so a small negative product is never 0.
- A synapse has a tag beside its weight, changed in the same way by a sum of its own; products read it as it was before.
- :math:`r(z)` is :math:`\lfloor z \rfloor`, and one more where a random number of this step lies below the fraction of z.
  There are three numbers a step: one for all pre traces, one for all post traces, one for all weights and tags, each from
  NumPy's default generator, in this step's place of its stream.  **A rule whose traces have** :math:`\tau = 0` **and whose
  products are whole numbers never asks for one**: it is exact whatever the numbers, on the chip as well.

Source: Lava 0.10.0, ``lava/magma/core/model/py/connection.py`` (``LearningConnectionModelBitApproximate``) and
``lava/magma/core/learning/`` (``learning_rule_applier.py``, ``random.py``, ``constants.py``); Loihi's own engine has the same
terms and widths, and its own random numbers (Davies et al., IEEE Micro 38(1), 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import RequestError

TRACE_HIGH = 127
"""Traces have 7 bits (``W_TRACE``)."""

WEIGHT_HIGH = 255
"""Weights of an excitatory learning synapse have 8 bits (``W_WEIGHTS_U``)."""

TAG_LOW, TAG_HIGH = -257, 255
"""What a tag is cut off to (``_saturate_synaptic_variable``)."""

FRACTION_BITS = 7
"""Bits below a whole weight in the accumulator (``W_ACCUMULATOR_S - W_WEIGHTS_S``)."""

ACCUMULATOR_BITS = 15
MANTISSA_BITS = 4
EXPONENT_OFFSET = 7

MANTISSA_HIGH = 7
EXPONENT_LOW, EXPONENT_HIGH = -7, 8
"""Of a product's scaling factor (``product_series.py``)."""

WIDTHS = {"x0": 1, "y0": 1, "x1": 7, "x2": 7, "y1": 7, "y2": 7, "y3": 7, "w": 9, "t": 9}
"""Bits of a factor (``FACTOR_TO_WIDTH_DICT``)."""

DEPENDENCIES = ("x0", "y0", "u0")
"""What a product waits for: a pre spike, a post spike, or nothing (every step)."""

PRE_TRACES, POST_TRACES = ("x1", "x2"), ("y1", "y2", "y3")

PRODUCT_WIDTH = 31
"""Bits of a product before its shift: Lava computes it in 32 bits with a sign."""

WEIGHT_SEED = 2
"""Of the numbers that round weights (``ConnVarRandom()``, whatever the rule's seed)."""


@dataclass(frozen=True)
class Product:
    """``mantissa * 2**exponent * dependency * factors[0] * ...``.

    Attributes
    ----------
    mantissa, exponent : int
        1 … 7 either way, and -7 … 8.  (Lava turns a mantissa of -8 into -4 and one exponent more, which rounds differently.)
    dependency : str
        ``"x0"``, ``"y0"`` or ``"u0"``.
    factors : tuple of str
        Names of :data:`WIDTHS`.
    """

    mantissa: int
    exponent: int
    dependency: str
    factors: tuple[str, ...]

    def __post_init__(self) -> None:
        known = self.dependency in DEPENDENCIES and set(self.factors) <= set(WIDTHS)
        scaled = 1 <= abs(self.mantissa) <= MANTISSA_HIGH and EXPONENT_LOW <= self.exponent <= EXPONENT_HIGH
        if not (known and scaled and self.width <= PRODUCT_WIDTH):
            raise RequestError(
                f"The learning engine has no product {self.text}",
                why=f"its scale is 1 to {MANTISSA_HIGH}, either way, times 2^{EXPONENT_LOW} to 2^{EXPONENT_HIGH}, its first"
                f" factor one of {', '.join(DEPENDENCIES)}, and all of it has at most {PRODUCT_WIDTH} bits",
            )

    @property
    def width(self) -> int:
        """Bits of the factors and the mantissa."""
        return sum(WIDTHS[name] for name in self.factors) + MANTISSA_BITS

    @property
    def shift(self) -> int:
        """Bits that are lost, rounding down."""
        return max(0, self.width - ACCUMULATOR_BITS)

    @property
    def text(self) -> str:
        """As Lava reads it, with its sign before it."""
        sign = "-" if self.mantissa < 0 else "+"
        scale = f"{sign} {abs(self.mantissa)} * 2^{self.exponent}"
        return " * ".join((scale, self.dependency, *self.factors))


@dataclass(frozen=True)
class LearningRule:
    """How the synapses of a projection learn.  Impulses are whole numbers, 0 … 127; time constants are in steps.

    Attributes
    ----------
    weight : tuple of Product
        Added to the weight, in this order.
    tag : tuple of Product
        Added to the tag.
    impulses, taus : dict of str to number
        Of the traces ``x1``, ``x2``, ``y1``, ``y2``, ``y3``; those that are not named are 0.
    seed : int
        Of the numbers that round the traces.
    """

    weight: tuple[Product, ...]
    tag: tuple[Product, ...] = ()
    impulses: dict[str, int] = field(default_factory=dict)
    taus: dict[str, float] = field(default_factory=dict)
    seed: int = 1

    @property
    def dw(self) -> str:
        """The change of the weight, as Lava reads it."""
        return _text(self.weight)

    @property
    def dt(self) -> str | None:
        """The change of the tag."""
        return _text(self.tag) or None

    @property
    def exact(self) -> bool:
        """Whether no random number can matter: no trace decays, and no product is a fraction of a weight."""
        products = self.weight + self.tag
        return not any(self.taus.values()) and all(p.exponent >= 0 for p in products)

    def decay(self, trace: str) -> float:
        """What a step leaves of a trace, as a double; 0 where the time constant is 0."""
        tau = self.taus.get(trace, 0.0)
        return float(np.exp(np.array([[-1.0]]) / np.array([[tau]]))[0, 0]) if tau else 0.0

    def impulse(self, trace: str) -> int:
        return self.impulses.get(trace, 0)


def _text(products: tuple[Product, ...]) -> str:
    return " ".join(product.text for product in products).removeprefix("+ ")


def random_numbers(rule: LearningRule, first: int, steps: int) -> np.ndarray:
    """The numbers of steps `first`, `first` + 1, …, each in [0, 1): pre traces, post traces, weights.

    Lava draws one number when it builds the connection, two a step for the traces (the second is used), and one a step for
    the weights.

    Returns
    -------
    ndarray, shape (steps, 3)
    """
    traces = [
        np.random.default_rng(seed).random(2 * (first + steps) + 1)[2 * first + 2 :: 2]
        for seed in (rule.seed, rule.seed + 2)
    ]
    weights = np.random.default_rng(WEIGHT_SEED).random(first + steps + 1)[first + 1 :]
    return np.stack([*traces, weights], axis=1)


def rounded(value: np.ndarray, random: float) -> np.ndarray:
    """Floor, and one more where `random` lies below the fraction."""
    whole = np.floor(value)
    return (whole + (random < value % 1)).astype(np.int64)


def next_trace(trace: np.ndarray, fired: np.ndarray, decay: float, impulse: int, random: float) -> np.ndarray:
    """A trace at the end of a step in which `fired` fired."""
    left = rounded(decay * trace, random)
    return np.where(fired, np.clip(left + impulse, 0, TRACE_HIGH), left)


def cut(accumulator: np.ndarray) -> np.ndarray:
    return np.clip(accumulator, -(1 << ACCUMULATOR_BITS) - 1, (1 << ACCUMULATOR_BITS) - 1)


def summed(products: tuple[Product, ...], start: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
    """The accumulator after all products, from the whole numbers `start`; `values` holds every factor, a synapse each."""
    accumulator = start << FRACTION_BITS
    for product in products:
        term = product.mantissa * np.asarray(values[product.dependency], dtype=np.int64)
        for name in product.factors:
            limit = 1 << WIDTHS[name]
            term = term * np.clip(values[name], -limit, limit - 1)
        term = (term >> product.shift) << (product.exponent + EXPONENT_OFFSET)
        accumulator = cut(accumulator + cut(term))
    return accumulator


@dataclass
class LearningState:
    """The synapses of one projection.

    Attributes
    ----------
    pre_index, post_index : ndarray of int64, shape (n_synapses,)
    weight, tag : ndarray of int64, shape (n_synapses,)
    traces : dict of str to ndarray of int64
        ``x1`` and ``x2`` by pre neuron, ``y1``, ``y2`` and ``y3`` by post neuron.
    """

    pre_index: np.ndarray
    post_index: np.ndarray
    weight: np.ndarray
    tag: np.ndarray
    traces: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, pre_index: np.ndarray, post_index: np.ndarray, weight: np.ndarray, n_pre: int, n_post: int
    ) -> LearningState:
        """Synapses whose neurons have not fired yet."""
        traces = {name: np.zeros(n_pre, dtype=np.int64) for name in PRE_TRACES}
        traces |= {name: np.zeros(n_post, dtype=np.int64) for name in POST_TRACES}
        weight = np.asarray(weight, dtype=np.int64).copy()
        return cls(pre_index, post_index, weight, np.zeros_like(weight), traces)


def advance(
    rule: LearningRule, state: LearningState, pre: np.ndarray, post: np.ndarray, random: np.ndarray
) -> None:
    """Learn from one step: who of the pre and of the post neurons fired (bool), and its row of :func:`random_numbers`."""
    for names, fired, number in ((PRE_TRACES, pre, random[0]), (POST_TRACES, post, random[1])):
        for name in names:
            state.traces[name] = next_trace(
                state.traces[name], fired, rule.decay(name), rule.impulse(name), number
            )
    values = {"x0": pre[state.pre_index].astype(np.int64), "y0": post[state.post_index].astype(np.int64)}
    values |= {"u0": np.ones_like(state.weight), "w": state.weight, "t": state.tag}
    values |= {name: state.traces[name][state.pre_index] for name in PRE_TRACES}
    values |= {name: state.traces[name][state.post_index] for name in POST_TRACES}
    weight = np.maximum(summed(rule.weight, state.weight, values), 0)
    tag = summed(rule.tag, state.tag, values)
    one = 1 << FRACTION_BITS
    state.weight = np.clip(rounded(weight / one, random[2]), 0, WEIGHT_HIGH)
    state.tag = np.clip(rounded(tag / one, random[2]), TAG_LOW, TAG_HIGH)
