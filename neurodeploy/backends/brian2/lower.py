"""From a Network and tick rules to the Structure of a program and the arrays it is fed.

All populations of a cell type share one group, all spike sources another; all synapses of one kind between two
groups share one object, sorted by presynaptic neuron.  :class:`Lowered` remembers where everything went.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from neurodeploy.backends.brian2.structure import RULE_COLUMNS, RULE_WIDTH, SOURCES, Structure, synapses_name
from neurodeploy.backends.lowering import (
    first_bad,
    refuse,
    refuse_target,
    split_delay,
    whole_delays,
)
from neurodeploy.chips.rules import GRID_TOLERANCE, CellUpdate, Parameters, TickRules
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.models.network import RECEPTORS, Injection, Network, Population, Projection, weight_sign

LARGEST_INDEX = 2**31 - 1
"""Neuron and synapse numbers are 32-bit signed integers in the generated program."""


@dataclass
class Placement:
    """Where a population lives: neurons ``start`` to ``stop`` of `group`."""

    group: str
    start: int
    stop: int


@dataclass
class Block:
    """Where a projection lives: its k-th synapse is at ``position[k]`` of the arrays of `owner`."""

    owner: str
    position: np.ndarray


@dataclass
class Lowered:
    """A program and its data.

    Attributes
    ----------
    structure : Structure
    rules : TickRules
    sizes : dict of str to int
        Neurons of each group.
    slots : dict of str to int
        Ring slots of each group of cells, a power of two.
    arrays : dict of str to ndarray
        Everything to load, by the engine's names.
    placements, blocks
        One for each population and projection.
    changes : list of str
        What was rounded, one sentence each.
    """

    structure: Structure
    rules: TickRules
    sizes: dict[str, int]
    slots: dict[str, int]
    arrays: dict[str, np.ndarray]
    placements: list[Placement]
    blocks: list[Block]
    changes: list[str] = field(default_factory=list)


def lower(network: Network, rules: TickRules, parallel: bool = False, judge: Judge = RAISES) -> Lowered:
    """Lower `network` under `rules`; a `judge` that keeps errors gets all of them, and no program to run.

    Raises
    ------
    RequestError
        A delay under one time step, a value that is not finite, a size beyond 32 bits.
    UnsupportedError
        A cell type without rules, a delay split the rules do not have.
    """
    changes: list[str] = []
    refuse(network, judge)
    for population in network.populations:
        if not population.is_source:
            with judge.each(population):
                rules.cell(population.cell, population.label)
    for recorded in network.recorded:
        if recorded.variable != "spikes":
            population = network.populations[recorded.population]
            with judge.each(population):
                recordable(population, recorded.variable, rules)
    network = judge.sound(network)
    placements, sizes = place(network)
    arrays = _cell_arrays(network, rules, placements, sizes, changes, judge)
    steps = []
    for projection in network.projections:
        steps.append(np.ones(projection.size, dtype=np.int32))
        with judge.each(projection):
            steps[-1] = whole_delays(network, projection, changes)
    blocks, pairs, longest = _synapse_arrays(network, rules, placements, steps, arrays, changes, judge)
    cells = tuple(sorted(name for name in sizes if name != SOURCES))
    structure = Structure(
        rules=rules.name,
        cells=cells,
        sources=SOURCES in sizes,
        static=tuple(sorted(pairs["static"])),
        plastic=tuple(sorted(pairs["plastic"])),
        parallel=parallel,
    )
    slots = {cell: 1 << int(longest.get(cell, 0) + 2).bit_length() for cell in cells}
    return Lowered(structure, rules, sizes, slots, arrays, placements, blocks, changes)


# ---------------------------------------------------------------------------------------- cells


def place(network: Network) -> tuple[list[Placement], dict[str, int]]:
    """Lay the populations of each cell type end to end in one group."""
    placements: list[Placement] = []
    sizes: dict[str, int] = {}
    for population in network.populations:
        group = SOURCES if population.is_source else population.cell
        start = sizes.get(group, 0)
        sizes[group] = start + population.size
        placements.append(Placement(group, start, sizes[group]))
        if sizes[group] > LARGEST_INDEX // 4:
            raise RequestError(
                f"Population '{population.label}': {sizes[group]:,} neurons of one kind,"
                f" at most {LARGEST_INDEX // 4:,} are possible",
                why="the generated program counts with 32 bits",
                fix="make the population smaller",
            )
    return placements, sizes


def coefficients(population: Population, rules: TickRules, time_step: float) -> Parameters:
    """Coefficients and refractory steps of one population, checked to be finite."""
    cell = rules.cell(population.cell, population.label)
    for name, value in population.parameters.items():
        if not np.all(np.isfinite(value)):
            raise RequestError(
                f"Population '{population.label}': parameter {name} is {first_bad(value)}",
                fix=f"give {name} a finite value",
            )
    values = cell.coefficients(population.parameters, time_step)
    if cell.update.refractory:
        values["refractory_steps"] = rules.refractory_steps(population.parameters["tau_refrac"], time_step)
    return values


def recordable(population: Population, variable: str, rules: TickRules) -> CellUpdate:
    """The update of the population's cells, once `variable` is known to be sampled by it.

    Raises
    ------
    RequestError
        The rules do not sample the variable.
    """
    update = rules.cell(population.cell, population.label).update
    if variable not in update.sampled_before + update.sampled_after:
        known = ", ".join(("spikes", *update.sampled_before, *update.sampled_after))
        raise RequestError(
            f"Population '{population.label}': '{variable}' cannot be recorded under the '{rules.name}' rules",
            fix=f"record one of: {known}",
        )
    return update


def initial_state(population: Population, variable: str, rules: TickRules, time_step: float) -> np.ndarray:
    """The value of a state variable to start from.

    ``update`` multiplies synaptic state with its decay before anything else, hence the division.
    """
    cell = rules.cell(population.cell, population.label)
    values = np.asarray(population.initial_values.get(variable, np.zeros(population.size)), dtype=float)
    if variable in cell.computed and np.any(values != 0.0):
        raise UnsupportedError(
            f"Population '{population.label}': {variable} of {population.cell} can't be given an initial value"
            f" under the '{rules.name}' rules",
            why="it is computed anew in every step, from state that its value does not determine",
            fix="leave it 0, or use the 'ideal' rules",
        )
    if variable in cell.decay_of:
        decay = cell.coefficients(population.parameters, time_step)[cell.decay_of[variable]]
        with np.errstate(divide="ignore", over="ignore"):
            values = values / np.where(values == 0.0, 1.0, decay)
    if not np.all(np.isfinite(values)):
        raise RequestError(
            f"Population '{population.label}': initial value of {variable} is {first_bad(values)}",
            fix="give it a finite value",
        )
    return values


def _cell_arrays(
    network: Network,
    rules: TickRules,
    placements: list[Placement],
    sizes: dict[str, int],
    changes: list[str],
    judge: Judge,
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for population, placement in zip(network.populations, placements, strict=True):
        if population.is_source:
            continue
        with judge.each(population):
            cell = rules.cell(population.cell, population.label)
            values = coefficients(population, rules, network.time_step)
            for variable in cell.update.state:
                with judge.each(population):
                    values[variable] = initial_state(population, variable, rules, network.time_step)
            for name, value in values.items():
                key = f"{placement.group}.{name}"
                array = arrays.setdefault(key, np.zeros(sizes[placement.group]))
                array[placement.start : placement.stop] = value
            changes.extend(_rounded_refractoriness(population, rules, network.time_step))
    return arrays


def _rounded_refractoriness(population: Population, rules: TickRules, time_step: float) -> list[str]:
    if "tau_refrac" not in population.parameters:
        return []
    tau = population.parameters["tau_refrac"]
    shift = np.abs(rules.refractory_steps(tau, time_step) * time_step - tau)
    moved = np.count_nonzero(shift > GRID_TOLERANCE * time_step)
    if not moved:
        return []
    return [
        f"Population '{population.label}': tau_refrac of {moved} of {population.size} neurons rounded to whole steps"
        f" of {time_step:g} ms, by {shift.max():g} ms at most"
    ]


# ------------------------------------------------------------------------------------- synapses


def arrival_shift(population: Population, rules: TickRules) -> int:
    """Slots by which input to this population is early: -1 where an arriving weight must be able to fire the cell
    at the end of the step before, at the very time it arrives."""
    acts_at_once = rules.cells[population.cell].acts_at_once
    return -1 if acts_at_once and rules.spike_is_at_end_of_step else 0


def rule_row(network: Network, projection: Projection, rules: TickRules) -> np.ndarray:
    """One row of the engine's table of plasticity rules; weights are magnitudes there."""
    plasticity = projection.plasticity
    assert plasticity is not None
    w_min, w_max = sorted((abs(plasticity.w_min), abs(plasticity.w_max)))
    additive = plasticity.weight_dependence == "additive"
    scale = w_max if additive and rules.pair_rule.amplitude_times_w_max else 1.0
    row = {
        "RATE_PLUS": network.time_step / plasticity.tau_plus,
        "RATE_MINUS": network.time_step / plasticity.tau_minus,
        "PLUS_CONSTANT": plasticity.A_plus * scale if additive else 0.0,
        "PLUS_SLOPE": 0.0 if additive else plasticity.A_plus,
        "MINUS_CONSTANT": plasticity.A_minus * scale if additive else 0.0,
        "MINUS_SLOPE": 0.0 if additive else plasticity.A_minus,
        "W_MIN": w_min,
        "W_MAX": w_max,
        "SIGN": weight_sign(network, projection),
        "TIES_DEPRESS": float(rules.pair_rule.ties_depress),
    }
    values = np.zeros(RULE_WIDTH)
    values[: len(RULE_COLUMNS)] = [row[name] for name in RULE_COLUMNS]
    return values


def _synapse_arrays(
    network: Network,
    rules: TickRules,
    placements: list[Placement],
    steps: list[np.ndarray],
    arrays: dict[str, np.ndarray],
    changes: list[str],
    judge: Judge,
) -> tuple[list[Block], dict[str, set[tuple[str, str]]], dict[str, int]]:
    """Gather the synapses of every object, sort them by presynaptic neuron, and remember where each went."""
    parts: dict[str, list[dict[str, np.ndarray]]] = {}
    owners: list[str] = []
    pairs: dict[str, set[tuple[str, str]]] = {"static": set(), "plastic": set()}
    longest: dict[str, int] = {}
    table: list[np.ndarray] = []
    for projection, delay in zip(network.projections, steps, strict=True):
        pre, post = placements[projection.pre], placements[projection.post]
        post_population = network.populations[projection.post]
        with judge.each(projection, post_population):
            refuse_target(projection, post_population)
        if judge.faulty(projection, post_population):
            continue
        kind = "plastic" if projection.plasticity else "static"
        owner = synapses_name(kind, pre.group, post.group)
        owners.append(owner)
        pairs[kind].add((pre.group, post.group))
        size_of_target = sum(p.size for p in network.populations if p.cell == post_population.cell)
        receptor = RECEPTORS.index(projection.receptor)
        part = {
            "_synaptic_pre": (projection.pre_index + pre.start).astype(np.int32),
            "_synaptic_post": (projection.post_index + post.start).astype(np.int32),
            "row": (projection.post_index + (post.start + receptor * size_of_target)).astype(np.int32),
            "w": np.asarray(projection.weight, dtype=float),
        }
        shift = arrival_shift(post_population, rules)
        if projection.plasticity is None:
            part["send_steps"] = delay + np.int32(shift)
        else:
            axonal, dendritic = delay, delay
            with judge.each(projection):
                axonal, dendritic = split_delay(
                    projection, projection.plasticity, delay, rules, changes, at_least=-shift
                )
            part["send_steps"] = dendritic + np.int32(shift)
            part["w"] = np.abs(part["w"])
            part["rule_row"] = np.full(projection.size, len(table), dtype=np.int32)
            part["pre.delay"] = axonal.astype(float)
            part["post.delay"] = dendritic.astype(float)
            part["pre_trace"] = np.zeros(projection.size)
            part["post_trace"] = np.zeros(projection.size)
            part["pre_at"] = np.full(projection.size, -1, dtype=np.int32)
            part["post_at"] = np.full(projection.size, -1, dtype=np.int32)
            table.append(rule_row(network, projection, rules))
        longest[post.group] = max(longest.get(post.group, 0), int(delay.max(initial=0)))
        parts.setdefault(owner, []).append(part)
    arrays["rules"] = np.concatenate(table) if table else np.zeros(0)
    blocks = join_all(parts, owners, arrays, axonal_delays=not rules.pair_rule.delay_is_dendritic)
    return blocks, pairs, longest


def join_all(
    parts: dict[str, list[dict[str, np.ndarray]]],
    owners: list[str],
    arrays: dict[str, np.ndarray],
    axonal_delays: bool = False,
) -> list[Block]:
    """Join the parts of every object into `arrays`; say where each part went.

    Parameters
    ----------
    parts : dict
        By object, the arrays of its parts, in the order in which `owners` names the object.
    owners : list of str
        The object of each part.
    axonal_delays : bool
        Whether Brian2's queues delay presynaptic spikes.
    """
    places = {owner: _join(owner, members, arrays, axonal_delays) for owner, members in parts.items()}
    taken = dict.fromkeys(places, 0)
    waiting = {owner: iter(members) for owner, members in parts.items()}
    blocks = []
    for owner in owners:
        start = taken[owner]
        taken[owner] += len(next(waiting[owner])["_synaptic_pre"])
        blocks.append(Block(owner, places[owner][start : taken[owner]]))
    return blocks


def _join(
    owner: str, members: list[dict[str, np.ndarray]], arrays: dict[str, np.ndarray], axonal_delays: bool
) -> np.ndarray:
    """Join the parts of one object into `arrays`, sorted; give the place of each synapse of the parts."""
    pre = np.concatenate([part["_synaptic_pre"] for part in members])
    if len(pre) > LARGEST_INDEX:
        raise RequestError(
            f"{len(pre):,} synapses of one kind ({owner}), at most {LARGEST_INDEX:,} are possible",
            why="the generated program counts with 32 bits",
            fix="use fewer synapses",
        )
    sorted_already = len(pre) < 2 or bool(np.all(pre[1:] >= pre[:-1]))
    order = np.arange(len(pre)) if sorted_already else np.argsort(pre, kind="stable")
    for name in members[0]:
        joined = np.concatenate([part[name] for part in members])
        arrays[f"{owner}.{name}"] = joined if sorted_already else joined[order]
    arrays[f"{owner}.N"] = np.array([len(pre)], dtype=np.int32)
    if f"{owner}.pre.delay" not in arrays or not axonal_delays:
        arrays[f"{owner}.pre.delay"] = np.zeros(1)
    place = np.empty(len(pre), dtype=np.int64)
    place[order] = np.arange(len(pre))
    return place


# --------------------------------------------------------------------------------------- inputs


def injected_current(
    injections: list[Injection], placements: list[Placement], sizes: dict[str, int], time_step: float
) -> list[tuple[int, str, np.ndarray]]:
    """When the injected current of a group changes, and to what: (step, group, nA for each neuron), by step."""
    changes: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for injection in injections:
        placement = placements[injection.population]
        neurons = injection.neurons + placement.start
        steps = np.maximum(np.rint(np.asarray(injection.times, float) / time_step), 0).astype(np.int64)
        rise = np.diff(np.asarray(injection.amplitudes, float), prepend=0.0)
        changes.setdefault(placement.group, []).append(
            (np.repeat(steps, len(neurons)), np.tile(neurons, len(steps)), np.repeat(rise, len(neurons)))
        )
    timeline = []
    for group, parts in changes.items():
        step, neuron, rise = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(step, kind="stable")
        step, neuron, rise = step[order], neuron[order], rise[order]
        bounds = np.append(np.flatnonzero(np.diff(step, prepend=-1)), len(step))
        present = np.zeros(sizes[group])
        for begin, end in pairwise(bounds):
            np.add.at(present, neuron[begin:end], rise[begin:end])
            timeline.append((int(step[begin]), group, present.copy()))
    return sorted(timeline, key=lambda entry: entry[:2])
