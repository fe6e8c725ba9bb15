r"""PyNN's pair rule of STDP in the terms of Loihi's learning engine.

A weight is 255 units of :math:`w_{max}/255`.  The delay is one step and dendritic, so with
:math:`\Delta = t_{post} + 1 - t_{pre}` in steps the additive rule wants, in units,

.. math::
    p_\Delta = 255\,A_+ e^{-\Delta\,dt/\tau_+} \text{ for } \Delta \geq 1, \qquad
    -m_\Delta = -255\,A_- e^{\Delta\,dt/\tau_-} \text{ for } \Delta \leq 0 .

The engine counts without the delay: what is :math:`\Delta = 1` here is a tie there.  So no spike has to be delayed; the
traces are read one step earlier:

- **Potentiation** ``y0 * x1`` with the impulse :math:`p_1`: a tie counts, with the trace's full impulse.
- **Depression** ``- x0 * y1 + x0 * y3`` with the impulse :math:`m_0 e^{dt/\tau_-}` for both: y3 lasts for the step of the
  spike alone and takes the tie out again; one step later y1 has decayed to :math:`m_0`.
- **A time constant so short that only the nearest step counts** (the next has less than 1/510 of its effect, half a unit at
  most): x1 lasts for one step, and depression waits for one step in the synapse's tag: ``- x0 * t``, where the tag
  ``- u0 * t + y0 * y3`` is the post spike of the step before.  That asks for no random number: it is exact.

Amplitudes are impulses (whole numbers) times a power of two.  What potentiates and what depresses in one step is summed, and the
sum cut off once, at 0 and 255 units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.chips.loihi_learning import (
    EXPONENT_LOW,
    TRACE_HIGH,
    WEIGHT_HIGH,
    LearningRule,
    Product,
)
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Plasticity

UNSEEN = 0.5
"""Units; a change below it is no change."""

LASTING_IMPULSE = 63
"""Largest impulse of a trace that lasts: spikes a third of a time constant apart still add up to less than 3.6 times as much;
closer ones meet the trace's end at 127."""

FULL = (51, 5, 0)
"""Impulse, mantissa and exponent of a change of all 255 units, exactly: :math:`51 \\cdot 5`."""

LARGEST_LASTING_EXPONENT = 1
"""With 2 the largest trace would change the accumulator by more than it holds (127 · 4 units): the tie would not come out."""


@dataclass(frozen=True)
class Mapped:
    """A pair rule on the chip.

    Attributes
    ----------
    rule : LearningRule
    unit : float
        nA (or mV) that one unit of the weight stands for.
    changes : list of str
        What became of the user's numbers.
    """

    rule: LearningRule
    unit: float
    changes: list[str]


def map_pair_rule(
    plasticity: Plasticity,
    label: str,
    receptor: str,
    weight: np.ndarray,
    delay_steps: np.ndarray,
    time_step: float,
    seed: int,
) -> Mapped:
    """The learning rule for a projection's :class:`Plasticity`; `weight` in PyNN's unit, `seed` for the chip's rounding.

    ``A_plus`` and ``A_minus`` are shares of ``w_max``, as PyNN's additive rule has them.

    Raises
    ------
    UnsupportedError
        What the engine has no terms for: a multiplicative rule, a lower bound other than 0, inhibitory synapses, delays other
        than one step behind the synapse, changes too large or too small; weights outside their bounds.
    """
    refuse(plasticity, label, receptor, weight, delay_steps)
    impulses: dict[str, int] = {}
    taus: dict[str, float] = {}
    products: list[Product] = []
    tag: tuple[Product, ...] = ()
    words = []
    plus, minus = plasticity.tau_plus / time_step, plasticity.tau_minus / time_step

    wanted = WEIGHT_HIGH * plasticity.A_minus
    if wanted and _one_step(minus, wanted):
        name = f"Projection '{label}': A_minus {plasticity.A_minus:g}"
        impulses["y3"], mantissa, exponent = _whole(wanted, name)
        products.append(Product(-mantissa, exponent, "x0", ("t",)))
        tag = (Product(-1, 0, "u0", ("t",)), Product(1, 0, "y0", ("y3",)))
        words.append(_said("A_minus", wanted, impulses["y3"] * mantissa * 2.0**exponent, "Δ = 0 alone"))
    elif wanted:
        name = f"Projection '{label}': A_minus {plasticity.A_minus:g}"
        impulse, exponent = _lasting(wanted * math.exp(1 / minus), name)
        impulses["y1"] = impulses["y3"] = impulse
        taus["y1"] = minus
        products += [Product(-1, exponent, "x0", ("y1",)), Product(1, exponent, "x0", ("y3",))]
        got = impulse * 2.0**exponent * math.exp(-1 / minus)
        words.append(_said("A_minus", wanted, got, f"tau_minus {minus:g} steps"))

    wanted = WEIGHT_HIGH * plasticity.A_plus * math.exp(-1 / plus)
    if wanted and _one_step(plus, wanted):
        impulses["x1"], mantissa, exponent = _whole(
            wanted, f"Projection '{label}': A_plus {plasticity.A_plus:g}"
        )
        words.append(_said("A_plus", wanted, impulses["x1"] * mantissa * 2.0**exponent, "Δ = 1 alone"))
        products.append(Product(mantissa, exponent, "y0", ("x1",)))
    elif wanted:
        impulses["x1"], exponent = _lasting(wanted, f"Projection '{label}': A_plus {plasticity.A_plus:g}")
        taus["x1"] = plus
        products.append(Product(1, exponent, "y0", ("x1",)))
        words.append(_said("A_plus", wanted, impulses["x1"] * 2.0**exponent, f"tau_plus {plus:g} steps"))

    if not products:
        raise UnsupportedError(
            f"Projection '{label}': the pair rule changes nothing (A_plus and A_minus are 0)",
            fix="use a static synapse",
        )
    rule = LearningRule(tuple(products), tag, impulses, taus, seed)
    unit = plasticity.w_max / WEIGHT_HIGH
    how = "no random number can matter" if rule.exact else f"rounded at random, seed {seed}"
    sums = f"dw = {rule.dw}" + (f", dt = {rule.dt}" if rule.dt else "")
    sentence = (
        f"Projection '{label}': the pair rule became {sums}; a unit of the weight is w_max/255 = {unit:.4g};"
        f" {'; '.join(words)}; {how}"
    )
    return Mapped(rule, unit, [sentence])


def _one_step(tau: float, units: float) -> bool:
    """Whether a trace of `tau` steps that changes weights by `units` is too short to be seen one step later."""
    return math.exp(-1 / tau) * max(units, WEIGHT_HIGH) < UNSEEN


def _said(name: str, wanted: float, got: float, reach: str) -> str:
    wanted = min(wanted, WEIGHT_HIGH)
    got = min(got, WEIGHT_HIGH)
    return f"{name}: {got:.4g} units for {wanted:.4g} ({abs(got - wanted) / wanted:.1%} off), {reach}"


def _whole(units: float, name: str) -> tuple[int, int, int]:
    """Impulse, mantissa and exponent (not negative) of a change of a whole number of units."""
    if round(units) < 1:
        raise _too_small(name, units)
    if units >= WEIGHT_HIGH:
        return FULL
    exponent = 0 if round(units) <= TRACE_HIGH else 1
    return round(units / 2**exponent), 1, exponent


def _lasting(units: float, name: str) -> tuple[int, int]:
    """Impulse (at most 63) and exponent of a trace whose first value changes the weight by `units`."""
    exponent = max(math.ceil(math.log2(units / (LASTING_IMPULSE + 0.5))), EXPONENT_LOW)
    if exponent > LARGEST_LASTING_EXPONENT:
        raise UnsupportedError(
            f"{name} changes a weight by {units:.0f} of 255 units at once, with a trace that lasts",
            why=f"the learning engine's accumulator holds 256 units, and its traces may reach twice their impulse; up to"
            f" {(LASTING_IMPULSE + 0.5) * 2**LARGEST_LASTING_EXPONENT:.0f} can be expressed",
            fix="use a smaller amplitude, or a time constant so short that one step alone counts",
        )
    impulse = round(units / 2.0**exponent)
    if impulse < 1:
        raise _too_small(name, units)
    return impulse, exponent


def _too_small(name: str, units: float) -> UnsupportedError:
    return UnsupportedError(
        f"{name} changes a weight by {units:.2g} of 255 units",
        why=f"weights have 8 bits; the smallest change that the learning engine can add is 2^{EXPONENT_LOW} units, by"
        " rounding at random",
        fix="use a larger amplitude, a longer time constant, or an amplitude of 0",
    )


def refuse(
    plasticity: Plasticity, label: str, receptor: str, weight: np.ndarray, delay_steps: np.ndarray
) -> None:
    """Raise for a rule, weights or delays that a learning synapse of the chip can't have; arguments of :func:`map_pair_rule`.

    Raises
    ------
    UnsupportedError
    """
    start = f"Projection '{label}': "
    if plasticity.weight_dependence != "additive":
        raise UnsupportedError(
            f"{start}the {plasticity.weight_dependence} weight dependence is not mapped to Loihi's learning engine",
            why="its products with the weight are cut to 15 bits and rounded down, which drives every weight towards 0",
            fix="use AdditiveWeightDependence, or the brian2 backend with the 'ideal' or 'spinnaker' rules",
        )
    if plasticity.w_min != 0 or plasticity.w_max <= 0 or receptor != "excitatory":
        raise UnsupportedError(
            f"{start}plastic {receptor} weights from {plasticity.w_min:g} to {plasticity.w_max:g}",
            why="a learning synapse of Loihi keeps an excitatory weight between 0 and 255 units",
            fix="use an excitatory projection with w_min = 0 and w_max above 0",
        )
    for name in ("A_plus", "A_minus"):
        amplitude = getattr(plasticity, name)
        if amplitude < 0:
            raise UnsupportedError(
                f"{start}{name} is {amplitude:g}; on Loihi it must be at least 0",
                why="amplitudes are impulses of traces, which have no sign",
                fix=f"use {name} of at least 0, or the brian2 backend with the 'ideal' or 'spinnaker' rules",
            )
    if plasticity.dendritic_delay_fraction != 1.0 or np.any(delay_steps != 1):
        longest = int(np.max(delay_steps, initial=1))
        raise UnsupportedError(
            f"{start}plastic synapses with delays of up to {longest} steps and dendritic_delay_fraction"
            f" {plasticity.dendritic_delay_fraction:g}",
            why="the engine sees a spike when it is sent; what comes one step later, and behind the synapse, is all that can be"
            " made up for in the traces",
            fix="use a delay of one time step with dendritic_delay_fraction=1.0 on plastic projections",
        )
    wrong = np.flatnonzero((weight < 0) | (weight > plasticity.w_max * (1 + 1e-9)))
    if wrong.size:
        raise UnsupportedError(
            f"{start}weight {weight[wrong[0]]:g} of synapse {wrong[0]} is outside 0 to w_max = {plasticity.w_max:g}"
            f" ({wrong.size} such weights)",
            why="a learning synapse of Loihi cannot hold it",
            fix="start from weights within the bounds, or raise w_max",
        )
