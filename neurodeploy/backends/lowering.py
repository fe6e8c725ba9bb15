"""What every backend's lowering needs: one meaning for delays, signs, spike times and refusals, whatever the target."""

from __future__ import annotations

import numpy as np

from neurodeploy.chips.rules import GRID_TOLERANCE, TickRules
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.models.network import Network, Plasticity, Population, Projection

ABOVE_ZERO = {
    "tau_m": "nothing decays with such a time constant",
    "tau_syn_E": "nothing decays with such a time constant",
    "tau_syn_I": "nothing decays with such a time constant",
    "cm": "it divides every current",
}
"""Parameters that must be above 0, and why."""

FROM_ZERO = {"tau_refrac": "a time can't be negative", "rate": "a rate can't be negative"}
"""Parameters that must be 0 or more, and why."""

LONGEST_STEP = 1000.0
"""ms of a time step; longer ones are taken for a slip."""

LONGEST_DELAY = 1_000_000
"""Steps; longer delays are taken for a slip."""

HIGHEST_RATE = 1e6
"""Hz of a Poisson source; higher rates are taken for a slip."""


def refuse(network: Network, judge: Judge = RAISES) -> None:
    """Raise for the first parameter, input, injection or synapse that means nothing on any target.

    Raises
    ------
    RequestError
        A time step, parameter, spike time or injected current that is not finite, or not above 0 where it has to be; a
        synapse of a neuron that is not there.
    UnsupportedError
        Plasticity with a third factor, which only trials know (``backends/brian2/trials``, ``backends/loihi/trials``).
    """
    for projection in network.projections:
        with judge.each(projection):
            if projection.modulation is not None or projection.gate is not None:
                raise UnsupportedError(
                    f"Projection '{projection.label}': its plasticity has a third factor",
                    why="only trials know modulators and gates",
                    fix="freeze its weights (plasticity=None), or run it as trials",
                )
        with judge.each(projection):
            if projection.plasticity is not None:
                refuse_rule(projection, projection.plasticity)
    for population in network.populations:
        with judge.each(population):
            spike_list(population, population.spike_times or [])
        refuse_parameters(population, judge)
    for injection in network.injections:
        target = network.populations[injection.population]
        for name, values in (("time", injection.times), ("amplitude", injection.amplitudes)):
            with judge.each(target):
                bad = np.flatnonzero(~np.isfinite(values))
                if bad.size:
                    raise RequestError(
                        f"Population '{target.label}': {name} {bad[0]} of an injected current is {values[bad[0]]}",
                        fix="give finite times and amplitudes",
                    )
    for projection in network.projections:
        for end, index in (("pre", projection.pre_index), ("post", projection.post_index)):
            with judge.each(projection):
                population = network.populations[getattr(projection, end)]
                wrong = np.flatnonzero((index < 0) | (index >= population.size))
                if wrong.size:
                    raise RequestError(
                        f"Projection '{projection.label}': synapse {wrong[0]} is of {end}synaptic neuron"
                        f" {index[wrong[0]]}; '{population.label}' has neurons 0 to {population.size - 1}",
                        fix="use the indices of neurons that are there",
                    )
    refuse_time_step(network.time_step)


def refuse_time_step(time_step: float) -> None:
    """Raise where a time step means nothing; nothing else about a model can be judged then."""
    if not np.isfinite(time_step) or time_step <= 0:
        raise RequestError(
            f"The time step is {time_step:g} ms; it must be above 0", fix="use setup(timestep=1.0)"
        )
    if time_step > LONGEST_STEP:
        raise RequestError(
            f"The time step is {time_step:g} ms; at most {LONGEST_STEP:,.0f} ms are possible",
            why="nothing that a neuron does takes that long",
            fix="use setup(timestep=1.0)",
        )


def refuse_parameters(population: Population, judge: Judge = RAISES) -> None:
    """Raise for the first parameter or initial value that is not finite or has the wrong sign."""
    where = f"Population '{population.label}'"
    for name, given in (*population.parameters.items(), *population.initial_values.items()):
        with judge.each(population):
            values = np.asarray(given, dtype=float)
            endless = name == "duration" and population.cell == "SpikeSourcePoisson"
            if np.any(np.isnan(values)) or not (endless or np.all(np.isfinite(values))):
                initial = "" if name in population.parameters else "initial value of "
                raise RequestError(
                    f"{where}: {initial}{name} is {first_bad(values)}", fix=f"give {name} a finite value"
                )
            if name not in population.parameters:
                continue
            if name == "rate" and np.any(values > HIGHEST_RATE):
                n = int(np.argmax(values))
                raise RequestError(
                    f"{where}: rate of neuron {n} is {values[n]:g} Hz; at most {HIGHEST_RATE:,.0f} are possible",
                    why="every spike is drawn one by one",
                    fix=f"give rate a value of at most {HIGHEST_RATE:,.0f}",
                )
            low = values <= 0 if name in ABOVE_ZERO else (values < 0) & (name in FROM_ZERO)
            if np.any(low):
                n, least = int(np.flatnonzero(low)[0]), "above 0" if name in ABOVE_ZERO else "0 or above"
                raise RequestError(
                    f"{where}: {name} of neuron {n} is {values[n]:g}; it must be {least}",
                    why=(ABOVE_ZERO | FROM_ZERO)[name],
                    fix=f"give {name} a value {least}",
                )


def refuse_target(projection: Projection, target: Population) -> None:
    """Raise where `projection` ends on a source."""
    if target.is_source:
        raise RequestError(
            f"Projection '{projection.label}': its target '{target.label}' is a {target.cell}, which has no synapses",
            fix="connect it the other way round",
        )


def refuse_rule(projection: Projection, rule: Plasticity) -> None:
    """Raise where a number of the pair rule means nothing."""
    where = f"Projection '{projection.label}'"
    for name in ("tau_plus", "tau_minus", "A_plus", "A_minus", "w_min", "w_max"):
        value = getattr(rule, name)
        if not np.isfinite(value) or (name.startswith("tau") and value <= 0):
            least = "above 0 ms" if name.startswith("tau") else "finite"
            raise RequestError(
                f"{where}: {name} of its plasticity is {value:g}; it must be {least}",
                fix=f"give {name} another value",
            )
    if rule.w_min > rule.w_max:
        raise RequestError(
            f"{where}: w_min {rule.w_min:g} of its plasticity is above w_max {rule.w_max:g}",
            fix="exchange them, or raise w_max",
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
    if steps.max(initial=0) > LONGEST_DELAY:
        raise RequestError(
            f"Projection '{projection.label}': delay {delay.max():g} ms is {steps.max():,.0f} steps; at most"
            f" {LONGEST_DELAY:,} are possible",
            why="a spike is kept in memory for every step of its delay, on every target",
            fix=f"use delays of at most {LONGEST_DELAY * time_step:,.0f} ms",
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
