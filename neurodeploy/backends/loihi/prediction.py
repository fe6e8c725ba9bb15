r"""How far a voltage can be from the model's own because its numbers are the chip's: a bound, in mV, before anything runs.

With all quantities in mV, exact decays a (current) and b (voltage), the chip's â and b̂, weights w and ŵ, one spike of a synapse
makes at most the error :math:`|\hat w-w|\,A(k) + |w|\,B(k)` k steps after it arrived, where

.. math::
    A(k+1) &= \hat b\,A(k) + \hat a^{k+1}, \qquad H(k+1) = b\,H(k) + a^{k+1} \\
    B(k+1) &= \hat b\,B(k) + |\hat b-b|\,H(k) + |\hat a^{k+1}-a^{k+1}|

Every term is a magnitude, so a reset, which drops some of them, can't make the sum larger.  Where a neuron fires m times at
most in n steps, every n consecutive k hold at most m spikes: m times the sum over such blocks of their largest value bounds
all spikes of a synapse (``activity.py`` says what m is taken to be).  To that come the bias, the initial state, and the
truncation of each step: less than one unit of u for every current and one of v.

The bound is for voltages between the depth at which they are cut and the threshold, with the same spikes in both models.

A *typical* error stands beside it: mean and standard deviation of the same error if the presynaptic neurons fire at random
(Poisson) at given rates, :math:`r_j\sum_k e_j(k)` and :math:`r_j\sum_k e_j(k)^2` (Campbell), with the signed responses
:math:`e_j = (\hat w_j - w_j)\hat h + w_j(\hat h - h)`, and half of what truncation loses at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_banded

from neurodeploy.backends.loihi.activity import Activity
from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.backends.loihi.program import Compartments, Synapses
from neurodeploy.backends.loihi.scales import Scale
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.chips.loihi_arithmetic import CURRENT_DECAY_OFFSET, bias

FORGOTTEN = 1e-9
"""Share of a response that is left where its sum ends."""


PARTS = ("weights", "decays", "bias", "initial", "truncation")


@dataclass
class VoltageError:
    """Bounds of the error of v, mV, each of the neuron where it is largest.

    Attributes
    ----------
    weights, decays, bias, initial, truncation : float
        By cause.  `decays` are those of synaptic responses; `bias` is what rest and constant currents make.
    total : float
        Of the neuron where the sum is largest.
    typical : float
        Root mean square, of the neuron where it is largest; never above `total`.
    """

    weights: float
    decays: float
    bias: float
    initial: float
    truncation: float
    total: float
    typical: float

    @property
    def largest_part(self) -> str:
        """The cause that contributes most to the bound."""
        return max(PARTS, key=lambda name: getattr(self, name))


def voltage_error(
    membrane: Membrane,
    cells: Compartments,
    scale: Scale,
    pairs: list[tuple[Bundle, Synapses]],
    activity: Activity,
    chip: LoihiChip,
) -> VoltageError:
    """The errors of one population, if the presynaptic neurons fire as `activity` says."""
    n, unity = membrane.size, chip.decay_unity
    b, b_chip = 1.0 - membrane.exact_dv, 1.0 - membrane.dv / unity
    from_weights, from_decays, from_start = np.zeros(n), np.zeros(n), np.zeros(n)
    mean, variance = np.zeros(n), np.zeros(n)
    started, rounded = _initial_currents(membrane, cells, scale)
    for receptor in (0, 1):
        mine = [(bundle, part) for bundle, part in pairs if bundle.receptor == receptor]
        if not mine and not started[receptor].any():
            continue
        a, a_chip = 1.0 - membrane.exact_du[receptor], 1.0 - membrane.effective_du[receptor] / unity
        response = responses(a, a_chip, b, b_chip, activity.window)
        total, off = _sums(membrane, scale, mine, activity)
        from_weights += _times(off, response["A"])
        from_decays += _times(total, response["B"])
        from_start += _times(rounded[receptor], response["most A"])
        from_start += _times(started[receptor], response["most B"])
        for bundle, part in mine:
            rate = activity.rate[bundle.pre][bundle.pre_index]
            for moment, values in zip(
                (mean, variance), _moments(membrane, scale, bundle, part, response), strict=True
            ):
                moment += np.bincount(bundle.post_index, rate * values, minlength=n)
    start = cells.v / scale.v_scale
    apart = _farthest_powers(b, b_chip)
    from_start += np.abs(start - membrane.v) + np.abs(membrane.v) * apart
    ends = _resting_error(membrane, bias(cells.bias_mant, cells.bias_exp) / scale.v_scale, unity)
    from_bias = np.abs(ends) + np.abs(membrane.rest) * apart
    unit = _truncated(cells, unity) / scale.v_scale
    every = from_weights + from_decays + from_bias + from_start + unit
    typical = np.minimum(np.hypot(np.abs(mean + ends) + unit / 2, np.sqrt(variance)), every)
    parts = (from_weights, from_decays, from_bias, from_start, unit, every, typical)
    return VoltageError(*[float(part.max()) for part in parts])


def _times(value: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Their product, 0 where `value` is 0 and `factor` is infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(value > 0, value * factor, 0.0)


def _sums(
    membrane: Membrane, scale: Scale, pairs: list[tuple[Bundle, Synapses]], activity: Activity
) -> tuple[np.ndarray, np.ndarray]:
    """mV of all weights, and of their errors, times the most spikes in a window, summed over the synapses of each neuron."""
    total, off = np.zeros(membrane.size), np.zeros(membrane.size)
    for bundle, part in pairs:
        error = np.abs(part.weight / scale.per_nA - bundle.weight)
        often = activity.most[bundle.pre][bundle.pre_index]
        total += np.bincount(bundle.post_index, often * np.abs(bundle.weight), minlength=membrane.size)
        off += np.bincount(bundle.post_index, often * error, minlength=membrane.size)
    return total * membrane.per_current, off * membrane.per_current


def _initial_currents(membrane: Membrane, cells: Compartments, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """mV of the initial currents, shape (2, size), and by how much they are rounded.

    A current that both receptors share is rounded once.
    """
    exact = membrane.current * membrane.per_current
    rounded = np.zeros_like(exact)
    chip = cells.u / scale.v_scale
    if len(chip) == 2:
        rounded[:] = np.abs(chip - exact)
    else:
        used = np.any(exact != 0, axis=1)
        rounded[int(used[1] and not used[0])] = np.abs(chip[0] - exact.sum(axis=0))
    return np.abs(exact), rounded


def responses(
    a: np.ndarray, a_chip: np.ndarray, b: np.ndarray, b_chip: np.ndarray, window: int
) -> dict[str, np.ndarray]:
    """Sums over blocks of A and B, of `window` steps, and their largest values; one value a neuron."""
    kinds, which = np.unique(np.stack([a, a_chip, b, b_chip]), axis=1, return_inverse=True)
    found = [_response(float(w), float(x), float(y), float(z), window) for w, x, y, z in kinds.T]
    which = which.reshape(-1)
    return {name: np.array([each[name] for each in found])[which] for name in NAMES}


NAMES = ("A", "B", "most A", "most B", "sum", "sum off", "squares", "products", "squares off")


def _response(a: float, a_chip: float, b: float, b_chip: float, window: int) -> dict[str, float]:
    r"""Sums over blocks of A and B, their largest values, and the moments of :math:`\hat h = A` and :math:`\hat h - h`."""
    slowest = max(a, a_chip, b, b_chip)
    if slowest >= 1.0:
        return dict.fromkeys(NAMES, np.inf)
    current_lasts, membrane_lasts = (_lasts(max(pair)) for pair in ((a, a_chip), (b, b_chip)))
    steps = -(-min(max(current_lasts, membrane_lasts), current_lasts + window) // window) * window
    k = np.arange(steps + 1)
    exact_current, current = a**k, a_chip**k
    exact = _remembered(exact_current, b)
    response = _remembered(current, b_chip)
    source = np.abs(current - exact_current)
    source[1:] += abs(b_chip - b) * exact[:-1]
    deviation = _remembered(source, b_chip)
    rest = _after(float(response[-1]), float(exact[-1]), float(deviation[-1]), b, b_chip, window)
    exact, response, deviation = exact[:-1], response[:-1], deviation[:-1]
    off = response - exact
    blocks = [np.sum(each.reshape(-1, window).max(axis=1)) for each in (response, deviation)]
    values = {
        "A": blocks[0] + rest["A"],
        "B": blocks[1] + rest["B"],
        "most A": response.max(),
        "most B": max(deviation.max(), rest["most B"]),
        "sum": response.sum() + rest["sum"],
        "sum off": off.sum() + rest["sum off"],
        "squares": response @ response + rest["squares"],
        "products": response @ off + rest["products"],
        "squares off": off @ off + rest["squares off"],
    }
    return {name: float(value) for name, value in values.items()}


def _remembered(added: np.ndarray, share: float) -> np.ndarray:
    """y of y(k) = share y(k-1) + added(k): two diagonals, solved forward."""
    diagonals = np.stack([np.ones(len(added)), np.full(len(added), -share)])
    return np.asarray(solve_banded((1, 0), diagonals, added, check_finite=False))


def _lasts(remains: float) -> int:
    """Steps after which less than :data:`FORGOTTEN` is left."""
    return int(np.ceil(1.3 * np.log(FORGOTTEN) / np.log(max(remains, 1e-6)))) + 2


def _after(
    response: float, exact: float, deviation: float, b: float, b_chip: float, window: int
) -> dict[str, float]:
    r"""What a response adds once no current is left: both voltages decay alone, from `response` and `exact`.

    Then :math:`B(j) = \hat b^j B(0) + h(0)\,|\hat b^j - b^j|`, and of two decays x > y the difference rises by less than
    :math:`(x-y)\,y^j` in a step: so a block's largest value is at most :math:`x^j - y^j + n(x-y)\,y^j`.
    """
    slow, fast = max(b, b_chip), min(b, b_chip)
    of_slow, of_fast, of_chip = (1.0 - each**window for each in (slow, fast, b_chip))
    apart = 1.0 / of_slow - 1.0 / of_fast + window * (slow - fast) / of_fast
    chips, both, exacts = 1.0 - b_chip**2, 1.0 - b * b_chip, 1.0 - b**2
    products = response**2 / chips - response * exact / both
    return {
        "A": response / of_chip,
        "B": deviation / of_chip + exact * apart,
        "most B": deviation + exact * float(_farthest_powers(np.array([b]), np.array([b_chip]))[0]),
        "sum": response / (1.0 - b_chip),
        "sum off": response / (1.0 - b_chip) - exact / (1.0 - b),
        "squares": response**2 / chips,
        "products": products,
        "squares off": max(products - response * exact / both + exact**2 / exacts, 0.0),
    }


def _moments(
    membrane: Membrane, scale: Scale, bundle: Bundle, part: Synapses, response: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and sum of squares of the error that one spike of each synapse makes, mV."""
    at = bundle.post_index
    weight = bundle.weight * membrane.per_current[at]
    error = part.weight / scale.per_nA * membrane.per_current[at] - weight
    with np.errstate(invalid="ignore", over="ignore"):
        mean = error * response["sum"][at] + weight * response["sum off"][at]
        square = (
            error**2 * response["squares"][at]
            + 2 * error * weight * response["products"][at]
            + weight**2 * response["squares off"][at]
        )
    return np.nan_to_num(mean, nan=np.inf), np.nan_to_num(square, nan=np.inf)


def _farthest_powers(b: np.ndarray, b_chip: np.ndarray) -> np.ndarray:
    r"""The largest :math:`|b^k - \hat b^k|` over k ≥ 0, at :math:`\ln(\ln b/\ln\hat b)/\ln(\hat b/b)`; 1 where one stays 1."""
    result = np.zeros_like(b)
    for n in np.flatnonzero(b != b_chip):
        low, high = sorted((max(b[n], 1e-300), max(b_chip[n], 1e-300)))
        if high >= 1.0:
            result[n] = 1.0
            continue
        k = np.log(np.log(low) / np.log(high)) / np.log(high / low)
        result[n] = high**k - low**k
    return result


def _resting_error(membrane: Membrane, drive: np.ndarray, unity: int) -> np.ndarray:
    r""":math:`\hat v_\infty - v_\infty` of rest and constant currents."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(drive == 0, 0.0, drive * unity / membrane.dv) - membrane.rest


def _truncated(cells: Compartments, unity: int) -> np.ndarray:
    r"""Units of v by which truncation can be off for ever: :math:`(1 + \sum_c 1/(1-\hat a_c))\,/\,(1-\hat b)`."""
    effective = cells.du + CURRENT_DECAY_OFFSET
    of_currents = np.where(effective < unity, unity / effective, 0.0).sum(axis=0)
    endless = np.where(of_currents > 0, np.inf, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(cells.dv > 0, (1.0 + of_currents) * unity / cells.dv, endless))
