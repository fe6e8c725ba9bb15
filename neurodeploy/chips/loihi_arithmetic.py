r"""A Loihi neuron's step in whole numbers: small pure functions on NumPy's int64, for scalars and arrays alike.

.. math::
    u &\leftarrow \mathrm{wrap}\big(\mathrm{decay}(u, du + 1) + \textstyle\sum w\big) \\
    v &\leftarrow \mathrm{clip}\big(\mathrm{decay}(v, dv) + \textstyle\sum u + b_m 2^{b_e}\big) \\
    \text{spike} &\iff v > 2^6\,v_{th}

Source: Lava 0.10.0, ``lava/proc/lif/models.py`` (``AbstractPyLifModelFixed``), for all of it; the numbers stand in
:mod:`neurodeploy.chips.loihi`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.chips.loihi import LOIHI2, SIGN_MODES

HALF = 1 << (LOIHI2.state_bits - 1)
"""Where a current wraps round: :math:`2^{23}`."""

CURRENT_DECAY_OFFSET = 1
"""A current decays by one more than its register says, so that 4095 leaves nothing (``ds_offset``); a voltage does not."""

TIE = 1e-8
"""Multiples of 64 within which a threshold in real numbers counts as a whole one: far above their rounding error (2^-35)."""


def decay(value: Any, by: Any) -> Any:
    r""":math:`\mathrm{sgn}(x)\,\lfloor |x|\,(4096 - \textit{by}) / 4096 \rfloor`: towards zero, whatever the sign.

    Parameters
    ----------
    value : int or ndarray of int64
    by : int or ndarray
        0 … 4096.
    """
    product = np.multiply(np.int64(value), np.int64(LOIHI2.decay_unity) - np.int64(by))
    return np.sign(product) * (np.abs(product) >> LOIHI2.decay_bits)


def wrap_current(value: Any) -> Any:
    r"""What is above :math:`2^{23}` comes back :math:`2^{24}` lower, what is at or below :math:`-2^{23}` as much higher, once.

    So a current lies in :math:`(-2^{23}, 2^{23}]` as long as the sum that is wrapped is less than three times that.
    """
    value = np.asarray(value, dtype=np.int64)
    return np.where(value > HALF, value - 2 * HALF, np.where(value <= -HALF, value + 2 * HALF, value))


def clip_voltage(value: Any) -> Any:
    r"""A voltage stays within :math:`\pm(2^{23} - 1)`."""
    return np.clip(np.asarray(value, dtype=np.int64), -LOIHI2.largest_state, LOIHI2.largest_state)


def next_current(u: Any, register: Any, arriving: Any) -> Any:
    """One step of a current whose decay register is `register` and to which weights `arriving` are added."""
    return wrap_current(decay(u, np.int64(register) + CURRENT_DECAY_OFFSET) + np.int64(arriving))


def next_voltage(v: Any, register: Any, drive: Any) -> Any:
    """One step of a voltage whose decay register is `register`, with the sum of currents and bias, `drive`."""
    return clip_voltage(decay(v, register) + np.int64(drive))


def bias(mantissa: Any, exponent: Any) -> Any:
    r""":math:`b_m\,2^{b_e}`."""
    return np.int64(mantissa) << np.int64(exponent)


def spikes(v: Any, threshold: Any) -> Any:
    """Whether a neuron at `v` fires: its voltage is *above* 64 times the threshold's mantissa."""
    return np.int64(v) > (np.int64(threshold) << LOIHI2.threshold_shift)


def threshold_at_or_below(v: Any) -> Any:
    r"""The mantissa with which a neuron at voltage `v` or above fires: :math:`\lceil v/64 \rceil - 1`.

    PyNN fires at :math:`v \geq v_{thresh}`, the chip above its threshold: the largest multiple of 64 strictly below `v`
    keeps a tie a spike, and lets a neuron fire by less than 64 units early.  `v` is a real number, and counts as a multiple
    of 64 where it is one but for rounding.
    """
    in_steps = np.asarray(v, dtype=float) / (1 << LOIHI2.threshold_shift)
    return np.ceil(in_steps - TIE).astype(np.int64) - 1


def representable(mantissa: Any, sign_mode: str) -> Any:
    """Whether a mantissa is one that the sign mode has."""
    mode, mantissa = SIGN_MODES[sign_mode], np.asarray(mantissa, dtype=np.int64)
    return (mode.low <= mantissa) & (mantissa <= mode.high) & (mantissa % mode.step == 0)


def weight(mantissa: Any, exponent: int) -> Any:
    r"""What a spike adds to a current: :math:`\textit{mantissa}\cdot 2^{6+\textit{exponent}}`."""
    return np.int64(mantissa) << (LOIHI2.weight_shift + exponent)


def nearest_bias(value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mantissa and exponent nearest to the real number `value`, with the smallest exponent that holds it."""
    value = np.atleast_1d(np.asarray(value, dtype=float))
    limit, highest = LOIHI2.largest_bias_mantissa, LOIHI2.largest_bias_exponent
    exponent = np.zeros(value.shape, dtype=np.int64)
    for candidate in range(highest):
        exponent = np.where(np.abs(np.rint(value / (1 << candidate))) > limit, candidate + 1, exponent)
    mantissa = np.clip(np.rint(value / np.exp2(exponent)), -limit - 1, limit).astype(np.int64)
    return mantissa, exponent


def nearest_decay(fraction: Any, at_least: int = 0, at_most: int | None = None) -> np.ndarray:
    r"""The decay nearest to `fraction` of a step, :math:`\mathrm{round}(4096\,\textit{fraction})` within the limits."""
    at_most = LOIHI2.decay_unity if at_most is None else at_most
    rounded = np.rint(LOIHI2.decay_unity * np.asarray(fraction, dtype=float))
    return np.clip(rounded, at_least, at_most).astype(np.int64)
