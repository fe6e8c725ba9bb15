r"""Pass 3, choose scales: how many of the chip's units a population's nA are.

One number K a population, so that a weight w becomes :math:`K g w` and neuron i's voltage counts in
:math:`S_i = K / m_i` units a mV (``discretise.py`` has g and m).  K is the largest that lets

- every weight fit the largest mantissa at the largest exponent,
- every threshold, bias, resting and initial voltage fit their registers,
- the worst input fit a current's 24 bits: every presynaptic neuron as often as it can fire (an array source as often as it
  does, see ``activity.py``), all of them together, and what is left of the steps before,

and then the one, up to a factor of two below, at which the weights themselves lie nearest to whole mantissas.  Where weights
are learned it is the one at which their bound ``w_max`` is the mantissa 255, at which the chip stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.loihi.activity import Firing
from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.errors import UnsupportedError

ENOUGH_LEVELS = 32
"""Mantissa that the largest weight of every projection keeps where a smaller scale leaves room for deep inhibition; the
largest weight of all keeps 255."""

TRUNCATION_SHARE = 0.01
"""The same of truncation: what it loses at most stays below this share of the largest response to a spike."""

MOST_CANDIDATES, MOST_SHARED = 512, 16
"""Scales that are tried for a population: evenly drawn from all, and those at which most weights are whole mantissas."""

BOUND_TOLERANCE = 1e-9
"""Octaves by which two bounds may differ from a power of two: rounding errors."""

MOST_WEIGHTS = 1024
"""Different weights of a bundle by which a scale is judged; evenly drawn from them where there are more."""


DEPTH = "depth of inhibition"


@dataclass
class Scale:
    """The scale of one population.

    Attributes
    ----------
    per_nA : float
        K, units of the chip per nA (per mV where weights are mV).
    v_scale : ndarray, shape (size,)
        S, units per mV.
    limits : dict of str to float
        The largest K that each demand allows.
    reason : str
        The demand that decides.
    floor : float
        mV above reset (a negative number) below which a voltage is cut, of the neuron where it is highest.
    deepest : float
        mV above reset to which inhibition can press a voltage, if all of it fires together, as often as it can, for ever.
    """

    per_nA: float
    v_scale: np.ndarray
    limits: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    floor: float = 0.0
    deepest: float = 0.0


@dataclass
class Currents:
    """How a population's receptors share its currents.

    Attributes
    ----------
    row : tuple of int
        The current of the excitatory and of the inhibitory receptor.
    receptor : tuple of int
        The receptor whose decay each current has.
    initial : ndarray, shape (currents, size)
        nA at first.
    """

    row: tuple[int, int]
    receptor: tuple[int, ...]
    initial: np.ndarray


def worst_input(
    membrane: Membrane,
    currents: Currents,
    incoming: list[Bundle],
    weights: list[np.ndarray],
    firing: list[Firing],
    chip: LoihiChip,
) -> np.ndarray:
    """Bounds of the currents, shape (2 signs, currents, size), with the synapses' `weights` in whatever unit."""
    bound = np.zeros((2, len(currents.receptor), membrane.size))
    for bundle, weight in zip(incoming, weights, strict=True):
        remains = 1.0 - float(membrane.effective_du[bundle.receptor].min()) / chip.decay_unity
        sign = int(bundle.sign_mode == "inhibitory")
        bound[sign, currents.row[bundle.receptor]] += np.bincount(
            bundle.post_index,
            np.abs(weight) * firing[bundle.pre].pile_up(remains)[bundle.pre_index],
            minlength=membrane.size,
        )
    return bound


def choose_scale(
    membrane: Membrane,
    incoming: list[Bundle],
    bound: np.ndarray,
    firing: list[Firing],
    chip: LoihiChip,
    below: float = np.inf,
) -> Scale:
    """The scale of `membrane`; `bound` are its currents at worst, in nA, K is at most `below`.

    Raises
    ------
    UnsupportedError
        Nothing limits K, or a learned weight's bound has no place below 255.
    """
    limits = _limits(membrane, incoming, bound, chip)
    hard = min(min(limits.values()), below)
    decides = min(limits, key=lambda name: limits[name])
    volley, barrage = _inhibition(membrane, incoming, firing, chip)
    units = membrane.per_current
    of_volley, of_barrage = (_allowed(depth / units, chip.largest_state) for depth in (volley, barrage))
    all_bits = _with_levels(incoming, chip, chip.largest_mantissa)
    enough = max(_with_levels(incoming, chip, ENOUGH_LEVELS), _above_truncation(membrane, incoming, chip))
    largest = min(hard, max(of_volley, all_bits), max(of_barrage, enough))
    if not np.isfinite(largest):
        raise UnsupportedError(
            f"Population '{membrane.label}': its threshold is no distance from reset that a number of the chip could hold",
            why="no threshold, input or voltage of it has a size, so that no scale follows",
            fix="choose v_thresh above v_reset, and cm and time constants of a membrane",
        )
    reason = decides if largest == hard else DEPTH
    limits[DEPTH] = min(of_volley, of_barrage)
    learned = [bundle for bundle in incoming if bundle.learns]
    if learned:
        best = _bound_is_full(membrane, largest, hard, learned, decides, chip)
    else:
        best = _nearest_to_whole(largest, incoming, chip)
    return Scale(
        per_nA=best,
        v_scale=best / units,
        limits=limits,
        reason=reason,
        floor=float((-chip.largest_state * units / best).max()),
        deepest=-float(barrage.max(initial=0.0)),
    )


def _bound_is_full(
    membrane: Membrane, largest: float, hard: float, learned: list[Bundle], reason: str, chip: LoihiChip
) -> float:
    """The largest scale up to `largest` at which the upper bound of every learned weight is the largest mantissa.

    Where there is none, the smallest that there is, if it is within `hard`.
    """
    first = learned[0]
    for other in learned[1:]:
        octaves = np.log2(other.reach / first.reach)
        if abs(octaves - round(octaves)) > BOUND_TOLERANCE:
            raise UnsupportedError(
                f"Projections '{first.label}' and '{other.label}' learn on '{membrane.label}', and their w_max do not differ by a"
                " power of two",
                why="a learned weight stops at the mantissa 255 on the chip, and mantissas of one population differ by powers of"
                " two alone",
                fix="give both the same w_max, or targets of their own",
            )
    full = chip.largest_mantissa * (1 << chip.weight_shift) / max(bundle.reach for bundle in learned)
    if full > hard * (1 + BOUND_TOLERANCE):
        raise UnsupportedError(
            f"Projection '{first.label}': w_max on '{membrane.label}' would be less than the mantissa 255, where learning stops",
            why=f"the scale that its {reason} allows is {hard / full:.2g} times what that takes",
            fix="use fewer synapses a neuron, weaker ones beside w_max, or a smaller w_max beside the threshold",
        )
    octaves = np.floor(np.log2(largest / full) + BOUND_TOLERANCE)
    return float(full * 2.0 ** max(octaves, 0))


def _allowed(value: np.ndarray, top: float) -> float:
    """The largest factor by which no `value` is above `top`."""
    largest = float(np.max(value, initial=0.0))
    return top / largest if largest > 0 else np.inf


def _limits(
    membrane: Membrane, incoming: list[Bundle], bound: np.ndarray, chip: LoihiChip
) -> dict[str, float]:
    """The largest K that each demand allows."""
    state = float(chip.largest_state)
    threshold_top = float(chip.largest_threshold << chip.threshold_shift)
    bias_top = float(chip.largest_bias_mantissa << chip.largest_bias_exponent)
    units = membrane.per_current
    wanted = {
        "threshold": (membrane.threshold / units, threshold_top),
        "largest weight": (np.array([b.reach for b in incoming]), float(chip.largest_weight)),
        "worst sum of inputs": (bound, state),
        "bias": (np.abs(membrane.drive) / units, bias_top),
        "resting voltage": (np.maximum(-membrane.rest, 0) / units, state),
        "initial voltage": (np.abs(membrane.v) / units, state),
    }
    return {name: _allowed(value, top) for name, (value, top) in wanted.items()}


def _inhibition(
    membrane: Membrane, incoming: list[Bundle], firing: list[Firing], chip: LoihiChip
) -> tuple[np.ndarray, np.ndarray]:
    r"""mV below reset that all inhibitory synapses reach together: firing once, and firing for ever as often as they can.

    Upper bounds: a synapse moves v by at most :math:`p = w\min(1/(1-a), 4096/dv)`, its response has the area
    :math:`A = (w/(1-a))(4096/dv)`, and responses n steps apart add up to at most :math:`A/n + p`.
    """
    volley = np.maximum(-membrane.rest, 0.0)
    barrage = volley.copy()
    with np.errstate(divide="ignore"):
        membrane_area = chip.decay_unity / membrane.dv
    for bundle in incoming:
        if bundle.sign_mode != "inhibitory":
            continue
        current_area = chip.decay_unity / membrane.effective_du[bundle.receptor]
        peak = np.minimum(current_area, membrane_area) * membrane.per_current
        weight = np.bincount(bundle.post_index, bundle.most, minlength=membrane.size)
        window = max(int(np.ceil(current_area.max() + membrane_area.max())), 1) if membrane.dv.all() else 1
        often = firing[bundle.pre].densest(window)[bundle.pre_index]
        rate = np.bincount(bundle.post_index, bundle.most * often, minlength=membrane.size)
        volley += peak * weight
        barrage += peak * weight
        barrage += np.where(rate > 0, rate * current_area * membrane.per_current * membrane_area, 0.0)
    return volley, barrage


def _with_levels(incoming: list[Bundle], chip: LoihiChip, levels: int) -> float:
    """The K at which every bundle's largest weight has a mantissa of `levels`, the largest of all its own, and none vanishes."""
    unit = 1 << chip.weight_shift
    reach = [b.reach for b in incoming if b.reach > 0]
    smallest = [float(np.abs(b.weight[b.weight != 0]).min()) for b in incoming if np.any(b.weight)]
    if not reach:
        return 0.0
    wanted = [levels * unit / min(reach), chip.largest_mantissa * unit / max(reach)]
    return max(wanted + [unit / value for value in smallest])


def _above_truncation(membrane: Membrane, incoming: list[Bundle], chip: LoihiChip) -> float:
    """The K at which what truncation loses at most stays below its share of the response to the largest weight."""
    reach = max((b.reach for b in incoming), default=0.0)
    if not reach or not membrane.dv.all():
        return 0.0
    used = sorted({b.receptor for b in incoming})
    currents = chip.decay_unity / membrane.effective_du[used]
    area = chip.decay_unity / membrane.dv
    lost = (1.0 + np.where(currents > 1, currents, 0.0).sum(axis=0)) * area
    response = np.minimum(currents.min(axis=0), area) * reach
    with np.errstate(over="ignore"):
        return float((lost / response).max() / TRUNCATION_SHARE)


def exponent_for(reach: float, per_nA: float | np.ndarray, chip: LoihiChip) -> np.ndarray:
    """The smallest exponent, 0 or more, at which `reach` has a mantissa; one for every scale."""
    mantissa = reach * np.asarray(per_nA, dtype=float) / (1 << chip.weight_shift)
    powers = np.arange(chip.weight_exponent_high)
    return np.asarray(np.sum(np.rint(mantissa[..., None] / np.exp2(powers)) > chip.largest_mantissa, axis=-1))


def _nearest_to_whole(largest: float, incoming: list[Bundle], chip: LoihiChip) -> float:
    """The scale in ``(largest/2, largest]`` at which weights are nearest to whole mantissas, relatively; ties: the largest."""
    distinct = []
    for bundle in incoming:
        values = np.unique(np.abs(bundle.weight[bundle.weight != 0]))
        if values.size:
            distinct.append(
                values[np.linspace(0, values.size - 1, min(values.size, MOST_WEIGHTS)).astype(int)]
            )
    if not distinct:
        return largest
    candidates = [np.array([largest])]
    for values in distinct:
        step = 1 << (chip.weight_shift + int(exponent_for(values[-1], largest, chip)))
        for value in values[-4:]:
            top = int(np.floor(largest * value / step * (1 + 1e-12)))
            candidates.append(np.arange(max(top // 2, 1), top + 1) * step / value)
    tried, weights = np.unique(np.concatenate(candidates), return_counts=True)
    within = (tried > largest / 2) & (tried <= largest * (1 + 1e-12))
    tried, weights = tried[within][::-1], weights[within][::-1]
    spread = np.linspace(0, tried.size - 1, min(tried.size, MOST_CANDIDATES)).astype(int)
    suits_most = np.argsort(-weights, kind="stable")[:MOST_SHARED]
    tried = tried[np.union1d(spread, suits_most)]
    error = np.zeros(tried.size)
    for values in distinct:
        step = np.exp2(chip.weight_shift + exponent_for(values[-1], tried, chip))
        mantissa = values * (tried / step)[:, None]
        error += np.mean((np.minimum(np.rint(mantissa), chip.largest_mantissa) / mantissa - 1) ** 2, axis=1)
    return float(tried[np.argmin(np.round(error, 12))])
