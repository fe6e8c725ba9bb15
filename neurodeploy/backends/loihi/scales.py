r"""Pass 3, choose scales: how many of the chip's units a population's nA are.

One number K a population, so that a weight w becomes :math:`K g w` and neuron i's voltage counts in
:math:`S_i = K / m_i` units a mV (``discretise.py`` has g and m).  K is the largest that lets

- every weight fit the largest mantissa at the largest exponent,
- every threshold, bias, resting and initial voltage fit their registers,
- the worst input fit a current's 24 bits: every presynaptic neuron as often as it can fire, all of them together, and what is
  left of the steps before,

and then the one, up to a factor of two below, at which the weights themselves lie nearest to whole mantissas.  Where weights
are learned it is the one at which their bound ``w_max`` is the mantissa 255, at which the chip stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.errors import UnsupportedError

SPARE = 8
"""Where inhibition may go deep, a scale is not chosen larger than this many times what weights need for all their bits."""

MOST_CANDIDATES = 512
"""Scales that are tried for a population."""

BOUND_TOLERANCE = 1e-9
"""Octaves by which two bounds may differ from a power of two: rounding errors."""

MOST_WEIGHTS = 1024
"""Different weights of a bundle by which a scale is judged; evenly drawn from them where there are more."""


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


Often = Callable[[Bundle], np.ndarray]
"""Steps from one spike of each presynaptic neuron to its next, at least (see :func:`interval`)."""


def interval(membrane: Membrane | None, size: int) -> np.ndarray:
    """Steps between two spikes of a neuron at least: one more than it is refractory.

    A source may spike in every step: its spikes can be replaced while the model runs.
    """
    return np.ones(size) if membrane is None else membrane.refractory + 1.0


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
    often: Often,
    chip: LoihiChip,
) -> np.ndarray:
    r"""Bounds of the currents, shape (2 signs, currents, size), with the synapses' `weights` in whatever unit.

    A current that keeps the share a in a step holds at most :math:`w/(1-a^n)` of spikes n steps apart.
    """
    bound = np.zeros((2, len(currents.receptor), membrane.size))
    for bundle, weight in zip(incoming, weights, strict=True):
        remains = 1.0 - float(membrane.effective_du[bundle.receptor].min()) / chip.decay_unity
        sign = int(bundle.sign_mode == "inhibitory")
        bound[sign, currents.row[bundle.receptor]] += np.bincount(
            bundle.post_index,
            np.abs(weight) / (1.0 - remains ** often(bundle)[bundle.pre_index]),
            minlength=membrane.size,
        )
    return bound


def choose_scale(
    membrane: Membrane,
    incoming: list[Bundle],
    bound: np.ndarray,
    often: Often,
    chip: LoihiChip,
    below: float = np.inf,
) -> Scale:
    """The scale of `membrane`; `bound` are its currents at worst, in nA, K is at most `below`."""
    limits = _limits(membrane, incoming, bound, chip)
    hard = min(min(limits.values()), below)
    decides = min(limits, key=lambda name: limits[name])
    volley, barrage = _inhibition(membrane, incoming, often, chip)
    units = membrane.per_current
    of_volley, of_barrage = (_allowed(depth / units, chip.largest_state) for depth in (volley, barrage))
    full = min(
        [hard, *(chip.largest_mantissa * (1 << chip.weight_shift) / b.reach for b in incoming if b.reach > 0)]
    )
    largest = min(hard, max(of_volley, full), max(of_barrage, SPARE * full))
    limits["depth of inhibition"] = min(of_volley, of_barrage)
    learned = [bundle for bundle in incoming if bundle.learns]
    if learned:
        best = _bound_is_full(membrane, largest, hard, learned, decides, chip)
    else:
        best = _nearest_to_whole(largest, incoming, chip)
    return Scale(
        per_nA=best,
        v_scale=best / units,
        limits=limits,
        reason=min(limits, key=lambda name: limits[name]),
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
    membrane: Membrane, incoming: list[Bundle], often: Often, chip: LoihiChip
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
        rate = np.bincount(
            bundle.post_index, bundle.most / often(bundle)[bundle.pre_index], minlength=membrane.size
        )
        volley += peak * weight
        barrage += peak * weight
        barrage += np.where(rate > 0, rate * current_area * membrane.per_current * membrane_area, 0.0)
    return volley, barrage


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
    tried = np.unique(np.concatenate(candidates))
    tried = tried[(tried > largest / 2) & (tried <= largest * (1 + 1e-12))][::-1]
    tried = tried[np.linspace(0, tried.size - 1, min(tried.size, MOST_CANDIDATES)).astype(int)]
    error = np.zeros(tried.size)
    for values in distinct:
        step = np.exp2(chip.weight_shift + exponent_for(values[-1], tried, chip))
        mantissa = values * (tried / step)[:, None]
        error += np.mean((np.minimum(np.rint(mantissa), chip.largest_mantissa) / mantissa - 1) ** 2, axis=1)
    return float(tried[np.argmin(np.round(error, 12))])
