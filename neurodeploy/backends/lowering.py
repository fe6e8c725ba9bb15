"""What every backend's lowering needs: one meaning for delays, signs, spike times and refusals, whatever the target."""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import GRID_TOLERANCE, TickRules
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Network, Plasticity, Population, Projection


def refuse(network: Network) -> None:
    """Raise for the first input, injection or synapse that means nothing.

    Raises
    ------
    RequestError
        A spike time, a Poisson parameter or an injected current that is not finite; a synapse of a neuron that
        is not there.
    UnsupportedError
        Plasticity with a third factor, which only trials know (``backends/brian2/trials``).
    """
    for projection in network.projections:
        if projection.modulation is not None or projection.gate is not None:
            raise UnsupportedError(
                f"Projection '{projection.label}': its plasticity has a third factor",
                why="only the trials of the brian2 backend know modulators and gates",
                fix="freeze its weights (plasticity=None), or run it as trials",
            )
    for population in network.populations:
        spike_list(population, population.spike_times or [])
        if population.cell == "SpikeSourcePoisson":
            for name, value in population.parameters.items():
                if np.any(np.isnan(value)) or (name != "duration" and not np.all(np.isfinite(value))):
                    raise RequestError(
                        f"Population '{population.label}': parameter {name} is {first_bad(value)}",
                        fix="give it a finite value",
                    )
    for injection in network.injections:
        for name, values in (("time", injection.times), ("amplitude", injection.amplitudes)):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise RequestError(
                    f"Population '{network.populations[injection.population].label}': {name} {bad[0]} of an injected"
                    f" current is {values[bad[0]]}",
                    fix="give finite times and amplitudes",
                )
    for projection in network.projections:
        for end, index in (("pre", projection.pre_index), ("post", projection.post_index)):
            population = network.populations[getattr(projection, end)]
            wrong = np.flatnonzero((index < 0) | (index >= population.size))
            if wrong.size:
                raise RequestError(
                    f"Projection '{projection.label}': synapse {wrong[0]} is of {end}synaptic neuron"
                    f" {index[wrong[0]]}; '{population.label}' has neurons 0 to {population.size - 1}",
                    fix="use the indices of neurons that are there",
                )


def first_bad(values: np.ndarray) -> str:
    """The first value that is not finite, and whose it is."""
    bad = np.flatnonzero(~np.isfinite(values))[0]
    return f"{values[bad]} for neuron {bad}"


def whole_delays(network: Network, projection: Projection, changes: list[str]) -> np.ndarray:
    """Delays in whole steps; those off the grid are rounded to nearest and counted in `changes`."""
    delay = np.asarray(projection.delay, dtype=float)
    time_step = network.time_step
    if not np.all(np.isfinite(projection.weight)):
        raise RequestError(
            f"Projection '{projection.label}': weight {first_bad(projection.weight).replace('neuron', 'synapse')}",
            fix="give every synapse a finite weight",
        )
    if not np.all(np.isfinite(delay)):
        raise RequestError(
            f"Projection '{projection.label}': delay {first_bad(delay).replace('neuron', 'synapse')}",
            fix="give every synapse a finite delay",
        )
    steps = np.rint(delay / time_step)
    if np.any(delay < time_step * (1 - GRID_TOLERANCE)):
        raise RequestError(
            f"Projection '{projection.label}': delay {delay.min():g} ms is under one time step ({time_step:g} ms)",
            why="a spike cannot arrive in the step it is sent in",
            fix=f"use delays of at least {time_step:g} ms, or a smaller time step",
        )
    shift = np.abs(steps * time_step - delay)
    moved = np.count_nonzero(shift > GRID_TOLERANCE * time_step)
    if moved:
        changes.append(
            f"Projection '{projection.label}': {moved} of {projection.size} delays rounded to whole steps of"
            f" {time_step:g} ms, by {shift.max():g} ms at most"
        )
    return steps.astype(np.int32)


def split_delay(
    projection: Projection,
    plasticity: Plasticity,
    steps: np.ndarray,
    rules: TickRules,
    changes: list[str],
    at_least: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Axonal and dendritic part of the delay, in steps; the latter is `at_least` so long."""
    fraction = plasticity.dendritic_delay_fraction
    if rules.pair_rule.delay_is_dendritic:
        if fraction != 1.0:
            raise UnsupportedError(
                f"Projection '{projection.label}': dendritic_delay_fraction {fraction:g} does not exist"
                f" under the '{rules.name}' rules",
                why="the whole delay lies behind the synapse there",
                fix="use dendritic_delay_fraction=1.0, or the 'ideal' rules",
            )
        return np.zeros_like(steps), steps
    exact = steps * fraction
    dendritic = np.maximum(np.rint(exact).astype(np.int32), at_least)
    moved = np.count_nonzero(np.abs(dendritic - exact) > GRID_TOLERANCE)
    if moved:
        changes.append(
            f"Projection '{projection.label}': the dendritic part of {moved} of {len(steps)} delays rounded to whole steps"
        )
    return steps - dendritic, dendritic


def spike_list(population: Population, spike_times: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Times (ms) and neurons of the trains of an array source, neuron by neuron; raises where one is not finite."""
    counts = [len(times) for times in spike_times]
    neurons = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    times = np.concatenate([np.empty(0), *(np.asarray(t, dtype=float) for t in spike_times)])
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise RequestError(
            f"Population '{population.label}': a spike time of neuron {neurons[bad[0]]} is {times[bad[0]]}",
            fix="give finite spike times",
        )
    return times, neurons


def spike_steps(
    population: Population, spike_times: list[np.ndarray], time_step: float, changes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Spike times of an array source as whole steps, sorted by step, then neuron; rounding is counted."""
    times, neurons = spike_list(population, spike_times)
    steps = np.rint(times / time_step)
    shift = np.abs(steps * time_step - times)
    moved = np.count_nonzero(shift > GRID_TOLERANCE * time_step)
    if moved:
        changes.append(
            f"Population '{population.label}': {moved} of {len(times)} spike times rounded to whole steps of"
            f" {time_step:g} ms, by {shift.max():g} ms at most"
        )
    order = np.lexsort((neurons, steps))
    return steps[order].astype(np.int64), neurons[order]
