"""From a Network to a Program, with everything said that changes on the way and everything refused that can't be.

A pure function: it starts nothing and writes nothing, so it is also the check before a run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.backends.lowering import refuse, refuse_target, spike_steps, split_delay, whole_delays
from neurodeploy.backends.spinnaker.program import FORMAT, Program
from neurodeploy.backends.spinnaker.provenance import native_name
from neurodeploy.backends.spinnaker.resources import incoming_spikes, refuse_long_row, refuse_too_large
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.rules import GRID_TOLERANCE
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.chips.spinnaker_machine import (
    CELLS,
    FRACTION_BITS,
    INCOMING_SPIKES,
    LARGEST_VALUE,
    MILLISECOND_GRID,
    NEURONS_PER_CORE,
    REAL_TIME_STEP,
    RECEPTOR_BITS,
    RING_BUFFER_BITS,
    SMALLEST_VALUE,
    NativeCell,
    alpha_slope,
    effective_time_constant,
    longest_delay_steps,
    longest_ring,
    ring_is_short,
)
from neurodeploy.chips.spinnaker_weights import CONDUCTANCE_SCALE, pattern
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.findings import RAISES, VANISHED, Judge
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.models.network import Injection, Network, Plasticity, Population, Projection, weight_sign

MOST_CURRENT_CHANGES = 64
"""An injected current becomes a change of ``i_offset`` between two runs of the machine, at seconds each."""

MEMBRANE_TOLERANCE = 1e-3
"""Share by which a membrane's time constant may be another on the chip before that is told."""

ALPHA_TOLERANCE = 0.1
"""Share by which an alpha synapse may be weaker on the chip before that is an error."""

ELSEWHERE = "run it with the brian2 backend, which has it"


def slowed(network: Network, hardware: SpinnakerHardware) -> int:
    """How many times slower than real time the model runs (``time_scale_factor``)."""
    return hardware.time_scale_factor or max(1, math.ceil(REAL_TIME_STEP / network.time_step - 1e-9))


def lower(
    network: Network,
    rules: str,
    hardware: SpinnakerHardware,
    allow_losses: bool = False,
    judge: Judge = RAISES,
) -> Program:
    """Lower `network` for `hardware`; what the chip's numbers make 0 is an error unless `allow_losses`.

    A `judge` that keeps errors gets all of them; what comes back is then no Program to run.

    Raises
    ------
    RequestError
        Other rules than ``"spinnaker"``; a value that is not finite or does not fit the chip's numbers.
    UnsupportedError
        Something that sPyNNaker does not have, by the user's label.
    """
    with judge.each():
        check_rules(rules)
    refuse(network, judge)
    with judge.each():
        check_time_step(network.time_step)
    factor = slowed(network, hardware)
    program = Program(
        {
            "format": FORMAT,
            "time_step": network.time_step,
            "time_scale_factor": factor,
            "neurons_per_core": hardware.neurons_per_core,
            "boards": hardware.boards,
            "seed": network.seed,
            "virtual": hardware.machine == "virtual",
            "populations": [],
            "projections": [],
        }
    )
    for position, population in enumerate(network.populations):
        _population(network, position, population, hardware, program, judge)
    _same_rule_for_each_target(network, judge)
    for position, projection in enumerate(network.projections):
        if projection.size:
            _projection(network, position, projection, hardware, program, judge)
    _longer_rings(network, hardware, program, judge)
    _more_incoming_spikes(judge.sound(network), hardware, program)
    _refuse_lost_delays(network, hardware, program, judge)
    with judge.each():
        refuse_too_large(judge.sound(network), hardware, factor, judge)
    _recordings(network, program, judge)
    with judge.each():
        program.timeline = timeline(network, network.injections, judge)
    _vanishing_values(network, program, allow_losses, judge)
    with judge.each():
        _rounded_values(network, program)
        _slower_membranes(network, program)
    _alpha_slopes(network, program, allow_losses, judge)
    return program


def check_rules(rules: str) -> None:
    """Raise unless `rules` are the machine's own."""
    if rules_by_name(rules).name != SPINNAKER.name:
        raise RequestError(
            f"The spinnaker backend can't run a model under the '{rules}' rules",
            why="the machine's programs have a tick of their own, and nothing else runs on it",
            fix="choose its rules with --rules spinnaker or setup(rules='spinnaker'), or run it with the brian2 backend",
        )


def check_time_step(time_step: float) -> None:
    """Raise unless the machine has a timer for `time_step` ms."""
    ratio = time_step / MILLISECOND_GRID
    if abs(ratio - round(ratio)) > GRID_TOLERANCE or round(ratio) < 1:
        raise UnsupportedError(
            f"The time step is {time_step:g} ms; on SpiNNaker it is a multiple of {MILLISECOND_GRID:g} ms",
            why="sPyNNaker supports no finer timer",
            fix=f"use setup(timestep={max(1, round(ratio)) * MILLISECOND_GRID:g}), or {ELSEWHERE}",
        )


# ---------------------------------------------------------------------------------------- cells


def native_cell(population: Population) -> NativeCell:
    """What the machine has of the population's cell type."""
    if population.cell not in CELLS:
        raise UnsupportedError(
            f"Population '{population.label}': SpiNNaker has no cell type {population.cell}",
            why=f"there are programs for {', '.join(sorted(CELLS))}",
            fix=f"choose one of these, or {ELSEWHERE}",
        )
    return CELLS[population.cell]


def _population(
    network: Network,
    position: int,
    population: Population,
    hardware: SpinnakerHardware,
    program: Program,
    judge: Judge,
) -> None:
    entry: dict[str, Any] = {
        "name": native_name(position, population.label),
        "label": population.label,
        "cell": population.cell,
        "size": population.size,
        "parameters": {},
        "initial": {},
        "record": [],
        "largest_sums": population.largest_sums,
        "incoming_spikes": None,
    }
    program.plan["populations"].append(entry)
    if population.cell == "SpikeSourceArray":
        with judge.each(population):
            spikes = array_spikes(network, position, program.changes)
            entry["spikes"] = store_spikes(program.arrays, position, *spikes)
        return
    if population.cell == "SpikeSourcePoisson" and not hardware.poisson_on_chip:
        entry["cell"], entry["drawn"] = "SpikeSourceArray", True
        empty = np.empty(0, dtype=np.int64)
        entry["spikes"] = store_spikes(program.arrays, position, empty, empty.astype(np.int32))
        return
    with judge.each(population):
        _parameters(population, position, native_cell(population), network.time_step, entry, program, judge)


def _parameters(
    population: Population,
    position: int,
    cell: NativeCell,
    time_step: float,
    entry: dict[str, Any],
    program: Program,
    judge: Judge,
) -> None:
    """Parameters and initial values of a population into `entry`."""
    if population.cell == "SpikeSourcePoisson":
        program.changes.append(
            f"Population '{population.label}': its Poisson trains are drawn on the chip,"
            " and are not those that other backends play"
        )
    for name, values in population.parameters.items():
        with judge.each(population):
            check_values(population, name, values)
            entry["parameters"][name] = _store(program, f"population{position}.{name}", values)
    for name, values in population.initial_values.items():
        with judge.each(population):
            if name in cell.initial:
                check_values(population, f"the initial value of {name}", values)
                key = f"population{position}.initial.{name}"
                signed = state_sign(cell, name) * np.asarray(values, dtype=float)
                entry["initial"][cell.initial[name]] = _store(program, key, signed)
            elif np.any(np.asarray(values) != 0.0):
                raise UnsupportedError(
                    f"Population '{population.label}': {name} of {population.cell} can't be given an initial value on"
                    " SpiNNaker",
                    why=f"sPyNNaker sets {', '.join(cell.initial)} alone",
                    fix="leave it 0",
                )
    if "tau_refrac" in population.parameters:
        program.changes += _rounded_refractoriness(population, time_step)


def state_sign(cell: NativeCell, name: str) -> float:
    """-1 where the machine keeps an inhibitory current as a magnitude and PyNN has it negative."""
    return -1.0 if name.endswith("_inh") and not cell.conductances else 1.0


def check_values(population: Population, name: str, values: np.ndarray) -> None:
    """Raise where a value is not finite or beyond the chip's numbers."""
    values = np.asarray(values, dtype=float)
    if name == "duration" and population.cell == "SpikeSourcePoisson":
        values = values[np.isfinite(values)]
    bad = np.flatnonzero(~np.isfinite(values) | (np.abs(values) >= LARGEST_VALUE))
    if bad.size and population.cell != "SpikeSourcePoisson":
        raise RequestError(
            f"Population '{population.label}': {name} of neuron {bad[0]} is {values[bad[0]]:g}",
            why=f"the chip's numbers lie between -{LARGEST_VALUE:,.0f} and {LARGEST_VALUE:,.0f}",
            fix=f"give {name} another value",
        )


def _rounded_refractoriness(population: Population, time_step: float) -> list[str]:
    tau = population.parameters["tau_refrac"]
    shift = np.abs(SPINNAKER.refractory_steps(tau, time_step) * time_step - tau)
    moved = np.count_nonzero(shift > GRID_TOLERANCE * time_step)
    if not moved:
        return []
    return [
        f"Population '{population.label}': tau_refrac of {moved} of {population.size} neurons rounded up to whole steps"
        f" of {time_step:g} ms, by {shift.max():g} ms at most"
    ]


def _rounded_values(network: Network, program: Program) -> None:
    """Say how far the chip's numbers lie from the user's."""
    scale = float(1 << FRACTION_BITS)
    moved, total, farthest = 0, 0, 0.0
    for population in network.populations:
        if population.is_source:
            continue
        for values in (*population.parameters.values(), *population.initial_values.values()):
            exact = np.asarray(values, dtype=float)
            shift = np.abs(np.rint(exact * scale) / scale - exact)
            moved += int(np.count_nonzero(shift))
            total += exact.size
            farthest = max(farthest, float(shift.max(initial=0.0)))
    if moved:
        program.changes.append(
            f"{moved} of {total} cell parameters and initial values rounded to multiples of 2^-{FRACTION_BITS},"
            f" by {farthest:.2g} at most; the chip computes with such numbers throughout"
        )


def _vanishing_values(network: Network, program: Program, allow_losses: bool, judge: Judge) -> None:
    """Raise where a value that is not 0 is 0 in the chip's numbers."""
    named: list[tuple[Population | Projection, str, str, np.ndarray]] = [
        (population, f"Population '{population.label}'", name, values)
        for population in network.populations
        if not population.is_source
        for name, values in (*population.parameters.items(), *population.initial_values.items())
    ]
    named += [
        (
            projection,
            f"Projection '{projection.label}'",
            name,
            np.array([getattr(projection.plasticity, name)]),
        )
        for projection in network.projections
        if projection.plasticity is not None
        for name in ("A_plus", "A_minus")
    ]
    for owner, where, name, values in named:
        exact = np.asarray(values, dtype=float)
        gone = np.flatnonzero((exact != 0.0) & (np.rint(exact / SMALLEST_VALUE) == 0.0))
        if not gone.size:
            continue
        what = f"{where}: {name} {exact[gone[0]]:g}"
        if allow_losses:
            program.changes.append(f"{VANISHED}{what} is 0 on the chip ({gone.size} of {exact.size} values)")
            continue
        with judge.each(owner):
            raise RequestError(
                f"{what} is 0 on the chip ({gone.size} of {exact.size} values)",
                why=f"its numbers are multiples of 2^-{FRACTION_BITS} = {SMALLEST_VALUE:.3g}",
                fix=f"set it to 0 or to at least {SMALLEST_VALUE:.2g}, or keep such a run with --allow-losses"
                " (allow_losses=True)",
            )


def _alpha_slopes(network: Network, program: Program, allow_losses: bool, judge: Judge) -> None:
    """Raise where an alpha synapse does not rise on the chip as it ought to; say how far it is off elsewhere."""
    for position, population in enumerate(network.populations):
        if population.cell != "IF_curr_alpha":
            continue
        for name, receptor in (("tau_syn_E", "excitatory"), ("tau_syn_I", "inhibitory")):
            if any(p.post == position and p.receptor == receptor and p.size for p in network.projections):
                with judge.each(population):
                    _alpha_slope(population, name, receptor, network.time_step, program, allow_losses)


def _alpha_slope(
    population: Population, name: str, receptor: str, time_step: float, program: Program, allow_losses: bool
) -> None:
    tau = np.asarray(population.parameters[name], dtype=float)
    slope, exact = alpha_slope(tau, time_step)
    off = slope / exact - 1.0
    worst = int(np.argmax(np.abs(off)))
    what = (
        f"Population '{population.label}': {name} {tau[worst]:g} ms of IF_curr_alpha in steps of"
        f" {time_step:g} ms: its {receptor} synapses"
    )
    if abs(off[worst]) > ALPHA_TOLERANCE:
        least, most = math.sqrt(time_step), math.sqrt(time_step / SMALLEST_VALUE)
        what += f" act with {slope[worst] / exact[worst]:.3g} of their weight on the chip"
        if not allow_losses:
            raise RequestError(
                what,
                why=f"their slope, dt/tau^2 = {exact[worst]:.3g}, is kept as a multiple of 2^-{FRACTION_BITS} below 1;"
                " what is above 1 is cut off",
                fix=f"use a {name} above {least:.3g} ms and well below {most:.3g} ms, another time step, or IF_curr_exp,"
                " or keep such a run with --allow-losses (allow_losses=True)",
            )
        program.changes.append(f"{VANISHED}{what}")
    elif abs(off[worst]) > MEMBRANE_TOLERANCE:
        program.changes.append(f"{what} are {-100 * off[worst]:.2g} % weaker on the chip")


def _slower_membranes(network: Network, program: Program) -> None:
    """Say where the chip's rounding of the membrane's factor makes it another membrane."""
    for population in network.populations:
        if "tau_m" not in population.parameters:
            continue
        tau = np.asarray(population.parameters["tau_m"], dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = effective_time_constant(tau, network.time_step) / tau - 1.0
        off[np.exp(-network.time_step / tau) < SMALLEST_VALUE] = (
            0.0  # nothing is left after a step, here and there
        )
        worst = int(np.argmax(np.abs(off)))
        if np.isfinite(off[worst]) and abs(off[worst]) > MEMBRANE_TOLERANCE:
            program.changes.append(
                f"Population '{population.label}': tau_m {tau[worst]:g} ms acts as"
                f" {tau[worst] * (1 + off[worst]):.5g} ms ({100 * off[worst]:+.2g} %): in steps of {network.time_step:g} ms the"
                f" membrane's factor is close to 1, and a multiple of 2^-{FRACTION_BITS}; spikes may move by a step"
            )


def _store(program: Program, name: str, values: np.ndarray) -> str:
    program.arrays[name] = np.asarray(values, dtype=float)
    return name


# --------------------------------------------------------------------------------------- inputs


def array_spikes(network: Network, position: int, changes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The spikes of a ``SpikeSourceArray`` as whole steps and neurons; what is rounded is said."""
    population = network.populations[position]
    return spike_steps(population, population.spike_times, network.time_step, changes)


def store_spikes(
    arrays: dict[str, np.ndarray], position: int, steps: np.ndarray, neurons: np.ndarray
) -> list[str]:
    """Put a train into `arrays`; gives the two names."""
    names = [f"population{position}.steps", f"population{position}.neurons"]
    arrays[names[0]], arrays[names[1]] = (
        np.asarray(steps, dtype=np.int64),
        np.asarray(neurons, dtype=np.int32),
    )
    return names


def timeline(
    network: Network, injections: list[Injection], judge: Judge = RAISES
) -> list[tuple[int, int, np.ndarray]]:
    """When ``i_offset`` of a population changes, and to what: parameters and injected currents together, by step.

    Raises
    ------
    UnsupportedError
        A current changes too often to be set between two runs of the machine.
    """
    differences: dict[tuple[int, int], list[tuple[np.ndarray, float]]] = {}
    for injection in injections:
        before = 0.0
        for time, amplitude in zip(injection.times, injection.amplitudes, strict=True):
            step = max(round(time / network.time_step), 0)
            if amplitude != before:
                entry = differences.setdefault((step, injection.population), [])
                entry.append((injection.neurons, amplitude - before))
            before = amplitude
        target = network.populations[injection.population]
        with judge.each(target):
            if len(injection.times) > MOST_CURRENT_CHANGES:
                raise UnsupportedError(
                    f"Population '{target.label}': its injected current changes {len(injection.times):,} times;"
                    f" on SpiNNaker at most {MOST_CURRENT_CHANGES} times",
                    why="sPyNNaker has no such current source here: each change is a new i_offset, for which the machine pauses",
                    fix=f"use a current of fewer steps, or {ELSEWHERE}",
                )
    present: dict[int, np.ndarray] = {}
    result = []
    for (step, position), entries in sorted(differences.items(), key=lambda item: item[0]):
        offset = network.populations[position].parameters["i_offset"]
        now = present.setdefault(position, np.array(offset, dtype=float))
        for neurons, difference in entries:
            np.add.at(now, neurons, difference)
        result.append((step, position, now.copy()))
    return result


# ------------------------------------------------------------------------------------- synapses


def _projection(
    network: Network,
    position: int,
    projection: Projection,
    hardware: SpinnakerHardware,
    program: Program,
    judge: Judge,
) -> None:
    pre, post = network.populations[projection.pre], network.populations[projection.post]
    with judge.each(projection, pre, post):
        refuse_target(projection, post)
    weight = weight_sign(network, projection) * np.asarray(projection.weight, dtype=float)
    with judge.each(projection, pre, post):
        _refuse_weights(projection, post, weight)
    with judge.each(projection, pre, post):
        steps = whole_delays(network, projection, program.changes)
        _refuse_long_delay(projection, post, int(steps.max()), network.time_step)
        entry: dict[str, Any] = {
            "name": native_name(position, projection.label),
            "position": position,
            "label": projection.label,
            "pre": projection.pre,
            "post": projection.post,
            "receptor": projection.receptor,
            "pattern": pattern(projection, pre.size, post.size, network.time_step),
            "plasticity": None,
        }
        delay = np.round(steps * network.time_step, 9)
        entry["arrays"] = {
            "weight": _store(program, f"projection{position}.weight", weight),
            "delay": _store(program, f"projection{position}.delay", delay),
        }
        if entry["pattern"] == "list":
            for name in ("pre", "post"):
                key = f"projection{position}.{name}"
                program.arrays[key] = np.asarray(getattr(projection, f"{name}_index"), dtype=np.int32)
                entry["arrays"][name] = key
        program.plan["projections"].append(entry)
        with judge.each(projection):
            refuse_long_row(projection, post, entry["pattern"], hardware)
        if projection.plasticity is not None:
            entry["plasticity"] = _plasticity(projection, projection.plasticity, post, steps, program)


def _refuse_weights(projection: Projection, post: Population, weight: np.ndarray) -> None:
    """Raise where a weight has the wrong sign, or is beyond the chip's numbers on any grid."""
    wrong = np.flatnonzero(weight < 0)
    if wrong.size:
        raise UnsupportedError(
            f"Projection '{projection.label}': synapse {wrong[0]} has a weight of {projection.weight[wrong[0]]:g}"
            f" on the {projection.receptor} receptor",
            why="weights have no sign on the chip: the receptor decides it",
            fix="put synapses of the other sign into a projection of the other receptor_type",
        )
    conductances = post.cell in CELLS and CELLS[post.cell].conductances
    limit = LARGEST_VALUE / (CONDUCTANCE_SCALE if conductances else 1.0)
    over = np.flatnonzero(weight >= limit)
    if over.size:
        raise RequestError(
            f"Projection '{projection.label}': weight {projection.weight[over[0]]:g} of synapse {over[0]} is"
            f" beyond the chip's numbers ({over.size} of {projection.size} weights)",
            why=f"synaptic input is a number below {LARGEST_VALUE:,.0f}"
            + (f", in 1/{CONDUCTANCE_SCALE:,.0f} µS" if conductances else ""),
            fix=f"use weights below {limit:,.0f}",
        )


def _refuse_long_delay(projection: Projection, post: Population, longest: int, time_step: float) -> None:
    limit = longest_delay_steps(post.size)
    if longest > limit:
        raise UnsupportedError(
            f"Projection '{projection.label}': a delay of {longest * time_step:g} ms; onto '{post.label}'"
            f" at most {limit * time_step:g} ms are possible",
            why=f"the ring buffers of a core with {post.size} neurons and its delay extensions have {limit} slots",
            fix=f"shorten the delay, or {ELSEWHERE}",
        )


def _longer_rings(network: Network, hardware: SpinnakerHardware, program: Program, judge: Judge) -> None:
    """Mark the populations whose ring buffer sPyNNaker 7.4.1 would make one slot too short for their plastic synapses.

    It gives a delay of n steps a ring of n slots where n is a power of two.  The delay of a synapse is kept modulo
    that number, so that it is 0 there: a static synapse then still finds its slot, a plastic one is left out.

    Raises
    ------
    UnsupportedError
        The delay of a plastic synapse is a multiple of the longest ring that there is.
    """
    step = network.time_step
    for position, population in enumerate(network.populations):
        mine = [p for p in network.projections if p.post == position and p.size and not judge.faulty(p)]
        plastic = [p for p in mine if p.plasticity is not None]
        if not plastic:
            continue
        slots = longest_ring(population.size, hardware.neurons_per_core)
        for projection in plastic:
            with judge.each(projection):
                steps = np.rint(np.asarray(projection.delay) / step).astype(int)
                wrong = np.flatnonzero(steps % slots == 0)
                if wrong.size:
                    raise UnsupportedError(
                        f"Projection '{projection.label}': plastic synapse {wrong[0]} has a delay of"
                        f" {steps[wrong[0]] * step:g} ms, a multiple of the {slots} slots of a ring buffer on"
                        f" '{population.label}'",
                        why="sPyNNaker keeps such a delay as 0, and the chip leaves the synapse out",
                        fix=f"make the delay {step:g} ms shorter or longer, or {ELSEWHERE}",
                    )
        longest = max(int(np.rint(np.max(p.delay) / step)) for p in mine)
        if ring_is_short(longest, slots):
            program.plan["populations"][position]["longer_ring"] = True


def _more_incoming_spikes(network: Network, hardware: SpinnakerHardware, program: Program) -> None:
    """Give the cores of a population room for all that its sources send in one step, where the machine's file leaves it open."""
    for position, population in enumerate(network.populations):
        places, most = incoming_spikes(network, position, hardware)
        if places > INCOMING_SPIKES and hardware.incoming_spike_buffer is None:
            program.plan["populations"][position]["incoming_spikes"] = places
            program.changes.append(
                f"Population '{population.label}': its cores have room for {places:,} incoming spikes instead of"
                f" {INCOMING_SPIKES}: its sources send up to {most:,} in a step"
            )


def _refuse_lost_delays(
    network: Network, hardware: SpinnakerHardware, program: Program, judge: Judge
) -> None:
    """Raise where sPyNNaker 7.4.1 would put synapses with long delays into other neurons' rows, or into none.

    It numbers the rows of a list of synapses that a delay extension serves by the neurons on a core of the *target*
    (``get_synapses`` in ``synapse_io.py``); the extension numbers them by those of the source.  From its second stage on
    they differ, unless both populations have as many neurons, all on one core.
    """
    listed = {entry["position"] for entry in program.plan["projections"] if entry["pattern"] == "list"}
    per_core = hardware.neurons_per_core or NEURONS_PER_CORE
    for position, projection in enumerate(network.projections):
        if position not in listed or judge.faulty(projection):
            continue
        pre, post = network.populations[projection.pre], network.populations[projection.post]
        slots = longest_ring(post.size, hardware.neurons_per_core)
        ends = (projection.pre, projection.post)
        longest = max(
            float(np.max(p.delay))
            for p in network.projections
            if p.size and (p.pre, p.post) == ends and not judge.faulty(p)
        )
        mine = float(np.max(projection.delay))
        step = network.time_step
        if round(longest / step) <= 2 * slots or round(mine / step) <= slots:
            continue
        if pre.size == post.size <= per_core:
            continue
        # bits of the ring's index, for two stages
        needed = (math.ceil(round(longest / step) / 2) - 1).bit_length()
        fewer = max((1 << (RING_BUFFER_BITS - RECEPTOR_BITS)) >> needed, 1)
        with judge.each(projection):
            raise UnsupportedError(
                f"Projection '{projection.label}': a delay of {mine:g} ms in a list of synapses; sPyNNaker would lose it"
                f" where delays from '{pre.label}' to '{post.label}' are above {2 * slots * step:g} ms",
                why=f"it mixes up the rows of the delay extension, whose stages are the {slots} slots of a ring buffer each",
                fix=f"shorten the delays, give all synapses between them one weight and delay (all-to-all or one-to-one), or"
                f" put at most {fewer} neurons on a core (neurons_per_core in a hardware file of your own), or {ELSEWHERE}",
            )


def _plasticity(
    projection: Projection, rule: Plasticity, post: Population, steps: np.ndarray, program: Program
) -> dict[str, Any]:
    # refuses what is not wholly dendritic
    split_delay(projection, rule, steps, SPINNAKER, program.changes, at_least=0)
    learns = native_cell(post).learns
    if rule.weight_dependence not in learns:
        having = ", ".join(
            sorted(name for name, cell in CELLS.items() if rule.weight_dependence in cell.learns)
        )
        raise UnsupportedError(
            f"Projection '{projection.label}': SpiNNaker has no {rule.weight_dependence} plasticity onto {post.cell}",
            why=f"there are programs for it with {having or 'no cell'}",
            fix=f"use one of these cells, or {ELSEWHERE}",
        )
    w_min, w_max = sorted((abs(rule.w_min), abs(rule.w_max)))
    return {
        "tau_plus": float(rule.tau_plus),
        "tau_minus": float(rule.tau_minus),
        "A_plus": float(rule.A_plus),
        "A_minus": float(rule.A_minus),
        "weight_dependence": rule.weight_dependence,
        "w_min": float(w_min),
        "w_max": float(w_max),
    }


def _same_rule_for_each_target(network: Network, judge: Judge) -> None:
    """Raise where two plastic projections onto one population follow different rules."""
    first: dict[int, Projection] = {}
    for projection in network.projections:
        if projection.plasticity is None:
            continue
        other = first.setdefault(projection.post, projection)
        with judge.each(projection):
            if other.plasticity != projection.plasticity:
                raise UnsupportedError(
                    f"Projections '{other.label}' and '{projection.label}' onto"
                    f" '{network.populations[projection.post].label}' learn by different rules",
                    why="a core has one plasticity rule for all the synapses of its neurons",
                    fix=f"give both the same rule, use two populations, or {ELSEWHERE}",
                )


# ----------------------------------------------------------------------------------- recordings


def _recordings(network: Network, program: Program, judge: Judge) -> None:
    for position, recorded in enumerate(network.recorded):
        population = network.populations[recorded.population]
        with judge.each(population):
            cell = native_cell(population)
            if recorded.variable not in cell.recordable:
                raise UnsupportedError(
                    f"Population '{population.label}': '{recorded.variable}' of {population.cell} can't be recorded on SpiNNaker",
                    why=f"its program records {', '.join(cell.recordable)}",
                    fix=f"record one of these, or {ELSEWHERE}",
                )
            everyone = len(recorded.neurons) == population.size
            key = f"recorded{position}.neurons"
            if not everyone:
                program.arrays[key] = np.asarray(recorded.neurons, dtype=np.int32)
            program.plan["populations"][recorded.population]["record"].append(
                {
                    "variable": recorded.variable,
                    "native": cell.recordable[recorded.variable],
                    "interval": recorded.sampling_interval,
                    "neurons": None if everyone else key,
                }
            )
