"""Pass 1, place inputs: spike sources as spikes by step, injected currents as biases."""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.loihi.program import Source
from neurodeploy.backends.lowering import spike_steps
from neurodeploy.chips.rules import GRID_TOLERANCE
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Injection, Network, Population
from neurodeploy.models.sources import poisson_spikes


def array_source(network: Network, position: int, changes: list[str]) -> Source:
    """The Source of a ``SpikeSourceArray``; spikes off the grid, and those that fall together, are counted in `changes`."""
    population = network.populations[position]
    times = population.spike_times or [np.empty(0)] * population.size
    return at_once(
        population.label,
        population.size,
        *spike_steps(population, times, network.time_step, changes),
        changes,
    )


def at_once(
    label: str, size: int, steps: np.ndarray, neurons: np.ndarray, changes: list[str] | None = None
) -> Source:
    """A Source in which no neuron spikes twice in a step: the chip can't tell two spikes of one neuron apart."""
    pairs = np.unique(np.stack([steps, neurons]).astype(np.int64), axis=1)
    lost = len(steps) - pairs.shape[1]
    if lost and changes is not None:
        changes.append(
            f"Population '{label}': {lost} of {len(steps)} spikes fall into a step in which their neuron already spikes, and are"
            " one with it"
        )
    return Source(label, size, pairs[0], pairs[1])


def say_coinciding(network: Network, position: int, changes: list[str]) -> None:
    r"""Say in `changes` how many spikes of a ``SpikeSourcePoisson`` the chip can't tell apart.

    Of r spikes a step :math:`1 - e^{-r}` are left.
    """
    population = network.populations[position]
    rate = np.asarray(population.parameters["rate"], dtype=float)
    drawn = rate * network.time_step / 1000.0
    if not drawn.any():
        return
    left = -np.expm1(-drawn)
    fastest = int(np.argmax(rate))
    changes.append(
        f"Population '{population.label}': {100 * (1 - left.sum() / drawn.sum()):.3g} % of its Poisson spikes fall into a step in"
        f" which their neuron already spikes, and are one with it; at {rate[fastest]:g} Hz a neuron sends"
        f" {1000.0 * left[fastest] / network.time_step:.4g} Hz"
    )


def poisson_source(network: Network, position: int, begin: int, end: int) -> Source:
    """Spikes of a ``SpikeSourcePoisson`` in the steps from `begin` to before `end`; the same trains as on every backend."""
    population, dt = network.populations[position], network.time_step
    times, neurons = poisson_spikes(
        **{name: population.parameters[name] for name in ("rate", "start", "duration")},
        seed=network.seed,
        population=position,
        begin=begin * dt,
        end=end * dt,
    )
    steps = np.clip(np.floor(times / dt).astype(np.int64), begin, max(end - 1, begin))
    return at_once(population.label, population.size, steps, neurons)


NEVER = 1e12
"""ms: PyNN's ``stop`` of a ``DCSource`` that is given none; a current that changes then does not change."""


def constant_currents(network: Network, population: int, injections: list[Injection]) -> np.ndarray:
    """Injected currents (nA, one a neuron) that are there from the first step to the last.

    Raises
    ------
    UnsupportedError
        A current that changes while the model runs.
    """
    target: Population = network.populations[population]
    total = np.zeros(target.size)
    for injection in injections:
        if injection.population != population or not len(injection.times):
            continue
        before = np.flatnonzero(injection.times <= GRID_TOLERANCE * network.time_step)
        now = injection.amplitudes[before[-1]] if before.size else 0.0
        later = injection.amplitudes[len(before) :][injection.times[len(before) :] < NEVER]
        changed = np.flatnonzero(later != now)
        if changed.size:
            time = injection.times[len(before) + changed[0]]
            raise UnsupportedError(
                f"Population '{target.label}': an injected current changes to {later[changed[0]]:g} nA at {time:g} ms;"
                " on Loihi it must be the same from the start to the end",
                why="it becomes the bias of a neuron, which stays as it was loaded",
                fix="change it between two runs, give it as spikes of a SpikeSourceArray, or use the brian2 backend with the"
                " rules 'ideal' or 'spinnaker'",
            )
        np.add.at(total, injection.neurons, now)
    return total
