"""How often neurons fire, as far as that is known before a run.

:class:`Firing` is for what must never happen, the overflow of a current: at most as often as a neuron can.  :class:`Activity`
is for the predicted error of a voltage, and rests on an assumption where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import pdtr, pdtrik

from neurodeploy.models.network import Network, Population

WINDOW = 10.0
"""ms in which a neuron is taken to fire once at most."""

RATE = 10.0
"""Hz at which a neuron is taken to fire on average."""

BEYOND = 1e-6
"""Probability that a Poisson neuron fires more often in a window than is reckoned with."""


SIGMAS = 6.0
"""Standard deviations by which a Poisson train may lie above its mean before a current could overflow."""

WINDOWS = (1.0, 2.0, 4.0, 8.0)
"""Windows that an array's densest spikes are looked for in, in time constants of the current."""


@dataclass
class Firing:
    """How densely the neurons of one population can fire.

    Attributes
    ----------
    size : int
    interval : ndarray or None
        Steps between two spikes of a neuron at least; None for a source.
    rate : ndarray or None
        Spikes a step of a Poisson source.
    trains : list of ndarray
        Steps of the spikes of an array source, sorted.
    usual : int
        An array source is taken to spike every so many steps at least: its trains may be replaced while a model runs.
    """

    size: int
    interval: np.ndarray | None = None
    rate: np.ndarray | None = None
    trains: list[np.ndarray] = field(default_factory=list)
    usual: int = 1

    def pile_up(self, remains: float) -> np.ndarray:
        r"""What a neuron's spikes add up to, at most, in something that keeps the share `remains` (a) of itself in a step.

        A cell that fires every n steps: :math:`1/(1-a^n)`.  An array that has m spikes at most in w steps:
        :math:`m/(1-a^w)`, with the best of several w, or what a spike every 10 ms adds up to.  A Poisson source of rate r:
        :math:`r/(1-a) + 6\sqrt{r/(1-a^2)} + 1`, and no more than in every step.
        """
        every_step = 1.0 / (1.0 - remains)
        if self.interval is not None:
            return np.asarray(1.0 / (1.0 - remains**self.interval))
        if self.rate is not None:
            spread = SIGMAS * np.sqrt(self.rate / (1.0 - remains**2))
            return np.minimum(self.rate * every_step + spread + 1.0, every_step)
        result = np.full(self.size, every_step)
        for window in {int(np.ceil(times * every_step)) for times in WINDOWS}:
            result = np.minimum(result, most_in_window(self.trains, window) / (1.0 - remains**window))
        return np.maximum(result, 1.0 / (1.0 - remains**self.usual))

    def densest(self, window: int) -> np.ndarray:
        """Spikes a step, on average over `window` steps, at most."""
        if self.interval is not None:
            return 1.0 / self.interval
        if self.rate is not None:
            return np.minimum((self.rate * window + SIGMAS * np.sqrt(self.rate * window)) / window, 1.0)
        return np.maximum(most_in_window(self.trains, window) / window, 1.0 / self.usual)


def firing(network: Network, refractory: list[np.ndarray | None]) -> list[Firing]:
    """Of every population; `refractory` holds the steps of those that are cells."""
    result = []
    for population, quiet in zip(network.populations, refractory, strict=True):
        if quiet is not None:
            result.append(Firing(population.size, interval=quiet + 1.0))
        elif population.cell == "SpikeSourcePoisson":
            rate = np.asarray(population.parameters["rate"], dtype=float) * network.time_step / 1000.0
            result.append(Firing(population.size, rate=rate))
        else:
            usual = max(round(WINDOW / network.time_step), 1)
            trains = _steps(population, network.time_step)
            result.append(Firing(population.size, trains=trains, usual=usual))
    return result


def _steps(population: Population, time_step: float) -> list[np.ndarray]:
    trains = population.spike_times or [np.empty(0)] * population.size
    return [np.unique(np.rint(np.asarray(train, dtype=float) / time_step)) for train in trains]


@dataclass
class Activity:
    """Of every neuron of every population, in the Network's order.

    Attributes
    ----------
    window : int
        Steps.
    most : list of ndarray
        Spikes in any `window` steps, at most.
    rate : list of ndarray
        Spikes a step, on average.
    """

    window: int
    most: list[np.ndarray] = field(default_factory=list)
    rate: list[np.ndarray] = field(default_factory=list)


def expected(network: Network) -> Activity:
    """Sources as their trains and rates say, other neurons as is assumed.

    An array's rate is that until its last spike, or in the time that :data:`RATE` has a spike in.
    """
    dt = network.time_step
    result = Activity(max(round(WINDOW / dt), 1))
    for population in network.populations:
        if population.cell == "SpikeSourcePoisson":
            rate = np.asarray(population.parameters["rate"], dtype=float) * dt / 1000.0
            result.rate.append(-np.expm1(-rate))
            result.most.append(np.minimum(most_of_poisson(rate * result.window), result.window))
        elif population.cell == "SpikeSourceArray":
            steps = _steps(population, dt)
            last = max((train[-1] for train in steps if len(train)), default=0.0)
            result.rate.append(
                np.array([len(train) for train in steps]) / max(last + 1.0, 1000.0 / RATE / dt)
            )
            result.most.append(most_in_window(steps, result.window))
        else:
            result.rate.append(np.full(population.size, RATE * dt / 1000.0))
            result.most.append(np.ones(population.size))
    return result


def most_of_poisson(mean: np.ndarray) -> np.ndarray:
    r"""The smallest count with :math:`P(N > n) \le` :data:`BEYOND` of Poisson counts of that `mean`.

    ``scipy.stats.poisson.ppf`` is the same, and takes longer to import than most models to check.
    """
    wanted = 1.0 - BEYOND
    above = np.ceil(pdtrik(wanted, mean))
    below = np.maximum(above - 1.0, 0.0)
    return np.where(mean > 0, np.where(pdtr(below, mean) >= wanted, below, above), 0.0)


def observed(spikes: list[np.ndarray], window: int) -> Activity:
    """The activity of a run, from arrays of bool of shape (steps, size)."""
    result = Activity(window)
    for each in spikes:
        result.rate.append(each.mean(axis=0))
        result.most.append(most_in_window([np.flatnonzero(column) for column in each.T], window))
    return result


def most_in_window(trains: list[np.ndarray], window: int) -> np.ndarray:
    """The most entries of each sorted train that lie within `window` steps."""
    counts = np.array([len(train) for train in trains], dtype=np.int64)
    if not counts.sum():
        return np.zeros(len(trains))
    steps = np.concatenate([np.asarray(train, dtype=np.int64) for train in trains])
    owner = np.repeat(np.arange(len(trains)), counts)
    apart = int(steps.max() - steps.min()) + window + 1
    line = owner * apart + steps - steps.min()
    inside = np.searchsorted(line, line + window) - np.arange(len(line))
    most = np.zeros(len(trains))
    np.maximum.at(most, owner, inside)
    return most
