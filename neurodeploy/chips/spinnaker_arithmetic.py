r"""Fixed-point numbers as a SpiNNaker core computes with them: whole numbers in NumPy's int64.

An *accum* (s16.15) is a signed 32-bit number of units :math:`2^{-15}`; a *fraction* (u0.32) an unsigned one of
:math:`2^{-32}`.  No operation saturates: what leaves 32 bits wraps round, as it does on the chip.

Sources: ``stdfix-exp.c`` and ``utils.h`` of spinn_common (the exponential and its tables), ``maths-util.h`` and
``decay.h`` of sPyNNaker's ``neural_modelling``, ``DataType`` of SpiNNFrontEndCommon (what the host writes).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from neurodeploy.chips.spinnaker_machine import FRACTION_BITS

ONE = 1 << FRACTION_BITS
"""1 as an accum."""

ACCUM_BITS = 32
LONG_FRACTION_BITS = 32

EXPONENTS = (
    *(
        9708,
        26389,
        71733,
        194991,
        530041,
        1440801,
        3916503,
        10646160,
        28939262,
        78665070,
        213833830,
        581260615,
    ),
    *(
        1580030169,
        4294967296,
        11674931555,
        31735754293,
        86266724208,
        234497268814,
        637429664642,
        1732713474316,
    ),
    *(4710003551159, 12803117065094, 34802480465680, 94602950235157, 257157480542844, 699026506411923),
)
r""":math:`2^{32} e^{z}` for z = -13 to 12 (``__exp_hi``)."""

SIXTEENTHS = (
    *(0, 260218914, 504671961, 734314346, 950043403, 1152702096, 1343082321, 1521927990),
    *(1689937949, 1847768698, 1996036966, 2135322113, 2266168400, 2389087112, 2504558555, 2613033936),
)
r""":math:`2^{32}(1 - e^{-k/16})` for k = 0 to 15 (``__expm1_mid``)."""

SERIES = (5294, 4293434720, 2081624032)
r"""Coefficients of :math:`1 - e^{-x}` below 1/16 (``__exp_series``)."""

LARGEST_EXPONENT, SMALLEST_EXPONENT = 363408, -340695
"""Arguments beyond these, as accums, give the largest accum and 0."""


def wrapped(value: np.ndarray, bits: int = ACCUM_BITS) -> np.ndarray:
    """The lowest `bits` of whole numbers, read as two's complement."""
    half = 1 << (bits - 1)
    return ((np.asarray(value, dtype=np.int64) + half) & ((1 << bits) - 1)) - half


def accum(values: Iterable[float]) -> np.ndarray:
    r"""Nearest accum, :math:`\mathrm{round}(2^{15} v)`, ties to even, of each decimal number as it prints.

    Returns int64 of the same length.  Source: ``DataType.encode_as_int``.
    """
    return np.array([round(Decimal(str(float(value))) * ONE) for value in values], dtype=np.int64)


def multiply(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    r"""Product of accums, :math:`\lfloor a b / 2^{15} \rfloor`, wrapped."""
    return wrapped((np.asarray(a, dtype=np.int64) * b) >> FRACTION_BITS)


def kdivk(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Quotient of accums, :math:`\lfloor 2^{15} a / b \rfloor`, for a ≥ 0 and b > 0, wrapped."""
    return wrapped((np.asarray(a, dtype=np.int64) << FRACTION_BITS) // np.asarray(b, dtype=np.int64))


def decayed(value: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    r"""Accum times fraction, :math:`\lfloor v f / 2^{32} \rfloor` (``decay_s1615``)."""
    return (np.asarray(value, dtype=np.int64) * fraction) >> LONG_FRACTION_BITS


def _scaled(x: int, y: int) -> int:
    """x·y/2^32 of a 64-bit and a 32-bit number, its lowest part rounded to nearest (``scale64``)."""
    low = (x & 0xFFFFFFFF) * y
    carry = (low & 0xFFFFFFFF) >= 0x7FFFFFFF
    return (low >> 32) + carry + (x >> 32) * y


def exponential(n: int) -> int:
    r""":math:`2^{32} e^{n/2^{15}}` of an accum n between the two limits, good to about 1e-6 (``__expi64``)."""
    whole, part = n >> FRACTION_BITS, n & (ONE - 1)
    if not part:
        return EXPONENTS[13 + whole]
    part = ONE - part
    result = EXPONENTS[14 + whole]
    result -= _scaled(result, SIXTEENTHS[part >> 11])
    x = (part & 0x7FF) << 17
    constant, linear, quadratic = SERIES
    small = constant + ((((linear - ((quadratic * x) >> 32)) & 0xFFFFFFFF) * x) >> 32)
    return result - _scaled(result, small)


def expk(n: np.ndarray) -> np.ndarray:
    r""":math:`e^{n}` of accums as accums, cut off, not rounded."""

    def one(value: int) -> int:
        if value > LARGEST_EXPONENT:
            return (1 << 31) - 1
        return 0 if value < SMALLEST_EXPONENT else exponential(value) >> 17

    return np.array([one(int(value)) for value in n], dtype=np.int64)


def expulr(n: np.ndarray) -> np.ndarray:
    r""":math:`e^{n}` of accums n ≤ 0 as 32-bit fractions; :math:`e^0` has no such fraction and is 0."""
    return np.array(
        [0 if value < SMALLEST_EXPONENT else exponential(int(value)) & 0xFFFFFFFF for value in n],
        dtype=np.int64,
    )
