r"""The pair rule of STDP in a core's whole numbers.

A core looks at a plastic synapse when a presynaptic spike arrives.  It then applies the postsynaptic spikes
since the presynaptic one before, oldest first, and last the new presynaptic spike.

Traces and tables have 11 fraction bits, weights and amplitudes 15.

Sources: sPyNNaker 7.4.1 (``plasticity/stdp/common.py``, ``weight_dependence_*.py``) and its ``neural_modelling``
(``synapse_dynamics_stdp_mad_impl.c``, ``post_events.h``, ``timing_pair_impl.h``,
``weight_additive_one_term_impl.h``, ``weight_multiplicative_impl.h``, ``stdp_typedefs.h``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.chips.spinnaker_arithmetic import accum, multiply, wrapped
from neurodeploy.chips.spinnaker_machine import FRACTION_BITS
from neurodeploy.models.network import Plasticity

TRACE_BITS = 11
TRACE_ONE = 1 << TRACE_BITS
"""What a spike adds to a trace (``STDP_FIXED_POINT_ONE``)."""

TRACE_WIDTH = 16
"""Bits of a trace."""

HISTORY = 15
"""Postsynaptic spikes a neuron remembers (``MAX_POST_SYNAPTIC_EVENTS``, less a placeholder)."""


def decay_table(tau: float, time_step: float) -> np.ndarray:
    r""":math:`\lfloor 2^{11} e^{-k\,dt/\tau} \rfloor` for k = 0, 1, ... until it would be below 1, rounded up to an even length.

    `tau` and `time_step` in ms (``get_exp_lut_array``).
    """
    rate = time_step / float(tau)
    pairs, rest = divmod(math.log(TRACE_ONE) / rate, 2)
    size = (int(pairs) + (rest > 0)) * 2
    return np.floor(np.exp(np.arange(size) * -rate) * TRACE_ONE).astype(np.int64)


def traced(trace: int, table: np.ndarray, steps: int) -> int:
    """A trace after `steps` ticks, cut off to 11 fraction bits; 0 beyond the end of the table, and before the spike."""
    return (trace * int(table[steps])) >> TRACE_BITS if 0 <= steps < len(table) else 0


def traced_spike(trace: int, table: np.ndarray, steps: int) -> int:
    """A trace after `steps` ticks and one more spike, wrapped to 16 bits."""
    return int(wrapped(np.int64(traced(trace, table, steps) + TRACE_ONE), TRACE_WIDTH))


@dataclass(frozen=True)
class PairRuleConstants:
    """One population's rule as accums.

    Attributes
    ----------
    additive : bool
        Whether the change of a weight is independent of it.
    plus, minus : ndarray of int64
        Decay tables of the pre- and the postsynaptic trace.
    amplitude_plus, amplitude_minus, lowest, highest : int
        Accums; nA (or 1/1024 µS), the amplitudes of the multiplicative rule pure numbers.
    """

    additive: bool
    plus: np.ndarray
    minus: np.ndarray
    amplitude_plus: int
    amplitude_minus: int
    lowest: int
    highest: int


def pair_rule_constants(rule: Plasticity, time_step: float, scale: float) -> PairRuleConstants:
    """What the host writes of `rule`; `scale` is 1, or that of conductances."""
    additive = rule.weight_dependence == "additive"
    amplitude = scale if additive else 1.0
    lowest, highest = sorted((abs(rule.w_min), abs(rule.w_max)))
    values = accum(
        (rule.A_plus * amplitude, rule.A_minus * amplitude, float(lowest) * scale, float(highest) * scale)
    )
    plus, minus = decay_table(rule.tau_plus, time_step), decay_table(rule.tau_minus, time_step)
    return PairRuleConstants(additive, plus, minus, *(int(value) for value in values))


def stdp_change(rule: PairRuleConstants, weight: int, trace: int, potentiate: bool) -> int:
    r"""Weight after one pair of spikes, all accums but `trace`.

    Additive: :math:`w + A_+ r` up to ``highest``, or :math:`w - A_- r` down to ``lowest``.
    Multiplicative: :math:`w + (w_{max} - w) A_+ r`, or :math:`w - (w - w_{min}) A_- r`.
    """
    amplitude = rule.amplitude_plus if potentiate else rule.amplitude_minus
    if rule.additive:
        step = int(multiply(np.int64(amplitude), trace << (FRACTION_BITS - TRACE_BITS)))
        return min(weight + step, rule.highest) if potentiate else max(weight - step, rule.lowest)
    room = rule.highest - weight if potentiate else weight - rule.lowest
    change = int(multiply(multiply(np.int64(room), amplitude), trace << (FRACTION_BITS - TRACE_BITS)))
    return weight + change if potentiate else weight - change


def stdp_update(
    rule: PairRuleConstants,
    stored: int,
    shift: int,
    now: int,
    last: int,
    last_trace: int,
    delay: int,
    history: list[tuple[int, int]],
) -> int:
    """Stored weight after the presynaptic spike of tick `now`.

    Parameters
    ----------
    stored, shift : int
        The 16-bit weight, and what it is shifted left by to be an accum.
    now, last, last_trace : int
        Ticks of this presynaptic spike and the one before, and the trace just after that one; 0 and 0 at first.
    delay : int
        Ticks, all of them behind the synapse: a postsynaptic spike reaches it so much later.
    history : list of (tick, trace)
        The neuron's latest spikes, oldest first, at most :data:`HISTORY`, with the trace just after each.
    """
    weight = stored << shift
    begin, end = max(last - delay, 0), max(now - delay, 0)
    latest: tuple[int, int] | None = None
    for tick, trace in history:
        if tick > end:
            break
        if tick > begin:
            weight = stdp_change(rule, weight, traced(last_trace, rule.plus, tick + delay - last), True)
        latest = (tick, trace)
    if latest is not None:
        weight = stdp_change(rule, weight, traced(latest[1], rule.minus, now - latest[0] - delay), False)
    return (weight >> shift) & 0xFFFF
