r"""How sPyNNaker's host turns weights into the 16-bit numbers of a core.

All weights onto one receptor of a population share a *shift* s: a stored weight n means :math:`n\,2^{s-15}`, in nA
(or in 1/1024 µS), and a ring-buffer entry, also 16 bits wide, holds sums of them.  The host chooses s so that
the largest sum it expects in one tick fits.

Source: sPyNNaker 7.4.1, ``population_vertex.py`` (``_Stats``), ``synapse_io.py``, ``from_list_connector.py``,
``generator_types.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.chips.spinnaker_arithmetic import accum, multiply
from neurodeploy.chips.spinnaker_machine import CELLS, FRACTION_BITS, LARGEST_WEIGHT
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import RECEPTORS, Network, Projection

CONDUCTANCE_SCALE = 1024.0
"""Conductances are stored this many times larger (``InputTypeConductance.get_global_weight_scale``)."""

POISSON_SIGMAS = 3.0
"""Standard deviations up to which a Poisson count is summed (``POSSION_SIGMA_SUMMATION_LIMIT``)."""


def delay_on_chip(delay: float, time_step: float) -> int:
    r"""A delay in ms in the chip's own steps, :math:`\lfloor d \cdot (1/dt) \rfloor` of two accums: at times one too few.

    Source: ``rescale_delay`` of ``generator_types.h``.
    """
    milliseconds, steps_per_millisecond = accum((delay, 1.0 / time_step))
    return max(int(multiply(milliseconds, steps_per_millisecond)) >> FRACTION_BITS, 1)


def pattern(projection: Projection, pre_size: int, post_size: int, time_step: float) -> str:
    """``"one-to-one"`` or ``"all-to-all"`` where the synapses are that and all alike, else ``"list"``.

    The first two are drawn up on the chip, lists on the host, and they round a weight differently.  What would get
    another delay on the chip (see :func:`delay_on_chip`) is a list, too.
    """
    pre, post = projection.pre_index, projection.post_index
    if np.ptp(projection.weight) or np.ptp(projection.delay):
        return "list"
    steps = round(float(projection.delay[0]) / time_step)
    if delay_on_chip(round(steps * time_step, 9), time_step) != steps:
        return "list"
    if pre_size == post_size == len(pre) and np.array_equal(pre, post) and len(np.unique(pre)) == pre_size:
        return "one-to-one"
    pairs = pre.astype(np.int64) * post_size + post
    if len(pairs) == pre_size * post_size and len(np.unique(pairs)) == len(pairs):
        return "all-to-all"
    return "list"


def delays_on_host(steps: np.ndarray, kind: str, time_step: float) -> np.ndarray:
    """Delays in ms, with the rounding errors that the host's own have: those of a list are products again."""
    delays = np.asarray(steps, dtype=float) * time_step
    return delays if kind == "list" else np.round(delays, 9)


@dataclass(frozen=True)
class Incoming:
    """What the host knows of one projection onto a receptor when it chooses the shift.

    Attributes
    ----------
    mean, variance, largest : float
        Of the weights' magnitudes, nA or µS.  A plastic projection counts as if all its weights were the larger of
        ``w_max`` and the largest weight.
    delay_variance : float
        ms².
    connections : int
        The most synapses onto one neuron.
    """

    mean: float
    variance: float
    largest: float
    delay_variance: float
    connections: int


def incoming(projection: Projection, kind: str, delay: np.ndarray) -> Incoming:
    """Statistics of a projection of that :func:`pattern`, with `delay` in ms (:func:`delays_on_host`)."""
    weight = np.abs(np.asarray(projection.weight, dtype=float))
    connections = int(np.bincount(projection.post_index).max())
    if kind == "list":
        mean, variance, largest = (float(f(weight)) for f in (np.mean, np.var, np.max))
        delay_variance = float(np.var(delay))
    else:
        mean = largest = float(weight[0])
        variance = delay_variance = 0.0
    if projection.plasticity is not None:
        largest = max(largest, abs(projection.plasticity.w_min), abs(projection.plasticity.w_max))
        mean, variance = largest, 0.0
    return Incoming(mean, variance, largest, delay_variance, connections)


class _Running:
    """Mean and variance of groups of items by their own mean and variance (``running_stats.py``)."""

    def __init__(self) -> None:
        self.items, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, mean: float, variance: float, items: int) -> None:
        total = self.items + items
        apart = mean - self.mean
        self.squares = self.squares + variance * (items - 1.0) + (apart * apart * self.items * items) / total
        self.mean = ((self.items * self.mean) + (items * mean)) / total
        self.items = total

    @property
    def variance(self) -> float:
        return 0.0 if self.items <= 1 else self.squares / (self.items - 1.0)


def expected_bound(mean: float, deviation: float, spikes_per_step: float, sigma: float) -> float:
    r"""Mean plus `sigma` standard deviations of a Poisson number of weights.

    Parameters
    ----------
    mean, deviation : float
        Of the weights.
    spikes_per_step : float
        Expected number of spikes in a tick, over all synapses.
    """
    poisson = spikes_per_step * mean**2
    upper = round(spikes_per_step + POISSON_SIGMAS * math.sqrt(spikes_per_step))
    spread = 0.0
    if deviation > 0 and upper > 0:
        logarithm = math.log(spikes_per_step) * upper - math.lgamma(1 + upper)
        if -701.0 < logarithm < 701.0 and logarithm != 0.0:
            # exp(x) Q(1 + n, x) - x^n/n! = 1 + x + ... + x^(n-1)/(n-1)!, Q the regularised incomplete gamma function
            terms = math.fsum(spikes_per_step**k / math.factorial(k) for k in range(upper))
            spread = math.exp(
                -spikes_per_step + math.log(spikes_per_step) + 2.0 * math.log(deviation) + math.log(terms)
            )
    return spikes_per_step * mean + sigma * math.sqrt(poisson + spread)


def largest_sum(
    projections: list[Incoming], time_step: float, scale: float, rate: float = 30.0, sigma: float = 5.0
) -> float:
    """The largest input of a receptor in one tick that the host makes room for.

    Parameters
    ----------
    projections : list of Incoming
        In the order in which they were made.
    time_step : float
        ms.
    scale : float
        1, or :data:`CONDUCTANCE_SCALE`.  The host forgets it in the bound of all synapses together.
    rate, sigma : float
        ``spikes_per_second`` (Hz) and ``ring_buffer_sigma`` of sPyNNaker's settings.
    """
    weights, delays = _Running(), _Running()
    steps_per_second = 1e6 / round(time_step * 1000)
    total = biggest = 0.0
    for part in projections:
        weights.add(part.mean * scale, part.variance * scale**2, part.connections)
        delays.add(0.0, part.delay_variance, part.connections)
        biggest = max(biggest, part.largest * scale)
        total += max(1.0, rate / steps_per_second) * (part.largest * part.connections)
    if delays.variance == 0.0:
        return max(total, biggest)
    bound = expected_bound(
        weights.mean, math.sqrt(weights.variance), float(weights.items * rate) / steps_per_second, sigma
    )
    return max(min(bound, total), biggest)


def receptor_shifts(
    network: Network, kinds: list[str], delays: list[np.ndarray], settings: tuple[float, float]
) -> dict[tuple[int, str], int]:
    """The shift of every receptor that has synapses, by (population, receptor).

    Parameters
    ----------
    network : Network
    kinds : list of str
        The :func:`pattern` of each projection.
    delays : list of ndarray
        Of each projection, in steps.
    settings : tuple of float
        ``spikes_per_second`` (Hz) and ``ring_buffer_sigma``.
    """
    statistics: dict[tuple[int, str], list[Incoming]] = {}
    for projection, kind, delay in zip(network.projections, kinds, delays, strict=True):
        if projection.size:
            entry = incoming(projection, kind, delays_on_host(delay, kind, network.time_step))
            statistics.setdefault((projection.post, projection.receptor), []).append(entry)
    shifts = {}
    for (post, receptor), entries in statistics.items():
        said, scale = network.populations[post].largest_sums, input_scale(network.populations[post].cell)
        if said is None:
            largest = largest_sum(entries, network.time_step, scale, *settings)
        else:
            largest = said[RECEPTORS.index(receptor)] * scale
        shifts[post, receptor] = ring_shift(largest)
    return shifts


def input_scale(cell: str) -> float:
    """1, or :data:`CONDUCTANCE_SCALE` where the cell's synapses are conductances."""
    return CONDUCTANCE_SCALE if CELLS[cell].conductances else 1.0


def ring_shift(largest: float) -> int:
    """Smallest s ≥ 0 with ``largest < 2**s``: entries of a receptor are shifted left by s to become accums."""
    power = 0 if largest <= 0 else math.ceil(max(0.0, math.log2(largest)))
    return power + 1 if 2**power <= largest else power


def weight_scale(shift: int, scale: float) -> float:
    r"""Stored weight of 1 nA or 1 µS: :math:`2^{15-s}` times 1 or :data:`CONDUCTANCE_SCALE`."""
    return math.ldexp(scale, FRACTION_BITS - shift)


def quantise_weights(weight: np.ndarray, scale: float, on_chip: bool, label: str) -> np.ndarray:
    """Stored weights, shape (n_synapses,).

    Parameters
    ----------
    weight : ndarray
        nA or µS, of any sign.
    scale : float
        See :func:`weight_scale`.
    on_chip : bool
        Whether the chip draws the synapses up: the weight becomes an accum first and is rounded half up; the host
        rounds ties to even.
    label : str
        Names the projection in an error.

    Raises
    ------
    UnsupportedError
        A weight does not fit 16 bits: sPyNNaker would keep its lowest bits.
    """
    weight = np.abs(np.asarray(weight, dtype=float))
    if on_chip:
        units = accum(np.unique(weight))[np.searchsorted(np.unique(weight), weight)]
        stored = np.floor(units * scale / (1 << FRACTION_BITS) + 0.5)
    else:
        stored = np.rint(weight * scale)
    if np.any(stored > LARGEST_WEIGHT):
        raise UnsupportedError(
            f"Projection '{label}': weight {weight.max():g} is {stored.max():g} units of 1/{scale:g};"
            f" a synapse holds at most {LARGEST_WEIGHT}",
            why="sPyNNaker keeps the lowest 16 bits of such a weight",
            fix="use smaller weights",
        )
    return stored.astype(np.int64)


def whole_steps(values: np.ndarray, time_step: float, what: str) -> np.ndarray:
    """Times in ms as whole steps; one that lies between two is a RequestError that begins with `what`."""
    values = np.asarray(values, dtype=float)
    steps = np.rint(values / time_step)
    off = np.flatnonzero(np.abs(steps * time_step - values) > 1e-6 * time_step)
    if off.size:
        raise RequestError(
            f"{what} {values[off[0]]:g} ms is no multiple of the time step, {time_step:g} ms",
            fix="use whole steps",
        )
    return steps.astype(np.int64)
