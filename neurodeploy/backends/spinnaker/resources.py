"""What sPyNNaker will take of a machine for a Network, before it is asked: cores and their memory, rows, keys, load."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.chips import spinnaker_resources as chip
from neurodeploy.chips.spinnaker_core import ring_slots
from neurodeploy.chips.spinnaker_machine import INCOMING_SPIKES, longest_ring
from neurodeploy.chips.spinnaker_resources import Edge
from neurodeploy.chips.spinnaker_stdp import decay_table
from neurodeploy.chips.spinnaker_weights import pattern
from neurodeploy.errors import UnsupportedError
from neurodeploy.findings import Judge
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.models.network import Network, Population, Projection
from neurodeploy.models.sources import poisson_spikes

REAL_TIME = 1.0
"""ms: below such a time step neurons and synapses get cores of their own (``PopulationVertex.use_combined_core``)."""


MOST_DRAWN, LONGEST_DRAWN = 2e6, 1e6
"""Spikes and ms of a Poisson source up to which its trains are drawn; else its fullest tick is its mean and some deviations."""

SIGMAS = 5.0


@dataclass
class Cores:
    """The cores of one population, all alike but for what is recorded.

    Attributes
    ----------
    population : int
        Position in the Network.
    kind : str
        ``"neurons and synapses"``, ``"neurons"``, ``"synapses"``, ``"source"`` or ``"delay extension"``.
    count : int
    neurons : int
        On a core, at most.
    sdram : int
        Bytes of a core.
    keys : bool
        Whether they send spikes to others.
    """

    population: int
    kind: str
    count: int
    neurons: int
    sdram: int
    keys: bool = False


@dataclass
class Target:
    """What comes in at a population.

    Attributes
    ----------
    slots : int
        Of its ring buffer, for each receptor.
    edges : list of Edge
        By source, in the order in which the projections were made.
    events : float
        Synaptic events a second on its fullest core.
    rate : int
        Of those, what a core is said to manage in a second.
    """

    slots: int = 1
    edges: list[Edge] = field(default_factory=list)
    events: float = 0.0
    rate: int = chip.SYNAPTIC_EVENTS["static"]


@dataclass(frozen=True)
class Extension:
    """What a target asks of a source's delay extension: how many stages, of how many steps each."""

    target: int
    stages: int
    slots: int


@dataclass
class Estimate:
    """All of it: the cores, and what comes in at every population that is no source."""

    cores: list[Cores]
    targets: dict[int, Target]
    longest_rows: dict[int, tuple[int, int]]
    """Words and synapses of the longest row of each projection."""
    extensions: dict[int, list[Extension]]
    """Of each source that has one, what each target asks of it."""


def estimate(network: Network, hardware: SpinnakerHardware, steps: int, time_scale_factor: int) -> Estimate:
    """Cores and memory of `network` for a run of `steps`."""
    per_core = chip.most_on_core(hardware.neurons_per_core)
    sizes = [population.size for population in network.populations]
    on_core = [
        min(hardware.neurons_per_core or p.size, p.size) if p.is_source else min(per_core, p.size)
        for p in network.populations
    ]
    delays = [np.rint(np.asarray(p.delay, dtype=float) / network.time_step) for p in network.projections]
    kinds = [
        pattern(p, sizes[p.pre], sizes[p.post], network.time_step) if p.size else ""
        for p in network.projections
    ]
    targets: dict[int, Target] = {}
    rows: dict[int, tuple[int, int]] = {}
    extended: dict[int, list[Extension]] = {}
    sending = {p.pre for p in network.projections if p.size}
    for position, population in enumerate(network.populations):
        if population.is_source:
            continue
        target = targets[position] = Target()
        mine = _in_order(network, position)
        if mine:
            longest = max(float(delays[k].max()) for k in mine)
            plastic = any(network.projections[k].plasticity is not None for k in mine)
            most = longest_ring(population.size, hardware.neurons_per_core)
            target.slots = min(ring_slots(longest, 1.0, most, plastic), most)
            target.rate = chip.SYNAPTIC_EVENTS["plastic" if plastic else "static"]
        for k in mine:
            p = network.projections[k]
            between = [j for j in mine if network.projections[j].pre == p.pre]
            furthest = max(float(delays[j].max()) for j in between)
            stages = 0 if furthest <= target.slots else math.ceil(furthest / target.slots) - 1
            if stages:
                extended.setdefault(p.pre, []).append(Extension(position, stages, target.slots))
            within = delays[k] <= target.slots
            row = longest_row(p, kinds[k], within, on_core[position])
            delayed = longest_row(p, kinds[k], ~within, on_core[position]) if stages else 0
            learns = p.plasticity is not None
            drawn_up = "" if kinds[k] == "list" or hardware.machine == "virtual" else kinds[k]
            target.edges.append(
                Edge(p.pre, sizes[p.pre], on_core[p.pre], row, delayed, stages, learns, drawn_up)
            )
            fullest = max(row, delayed)
            rows[k] = (chip.row_words(fullest, learns), fullest)
            target.events += _events(network, p, on_core[position], hardware, steps)
    cores: list[Cores] = []
    for position, population in enumerate(network.populations):
        count = -(-population.size // on_core[position])
        sends = position in sending
        if population.is_source:
            sdram = source_bytes(network, position, steps)
            cores.append(Cores(position, "source", count, on_core[position], sdram, sends))
        else:
            synapse_cores = 0
            if network.time_step < REAL_TIME:
                synapse_cores = synapse_cores_needed(
                    network, kinds, position, targets[position], hardware, time_scale_factor
                )
            cores += _of_neurons(
                network, position, targets[position], on_core[position], synapse_cores, steps
            )
        if position in extended:
            cores.append(
                Cores(position, "delay extension", count, on_core[position], chip.DELAY_EXTENSION, True)
            )
    for each in cores:
        if each.kind.startswith("neurons"):
            each.keys = each.population in sending
    return Estimate(cores, targets, rows, extended)


def _in_order(network: Network, position: int) -> list[int]:
    """Projections with synapses onto a population, those of one source together."""
    mine = [k for k, p in enumerate(network.projections) if p.post == position and p.size]
    first = {network.projections[k].pre: k for k in reversed(mine)}
    return sorted(mine, key=lambda k: (first[network.projections[k].pre], k))


def longest_row(projection: Projection, kind: str, which: np.ndarray, on_core: int) -> int:
    """The most synapses that a presynaptic neuron has on one core, of those that `which` chooses."""
    if not np.any(which):
        return 0
    if kind != "list":
        return 1 if kind == "one-to-one" else on_core
    core = projection.post_index[which].astype(np.int64) // on_core
    return int(np.bincount(projection.pre_index[which] * (int(core.max()) + 1) + core).max())


def refuse_long_row(projection: Projection, post: Population, kind: str, hardware: SpinnakerHardware) -> None:
    """Raise where a row of `projection`, of that :func:`pattern`, is longer than sPyNNaker's table of rows can say."""
    on_core = min(chip.most_on_core(hardware.neurons_per_core), post.size)
    plastic = projection.plasticity is not None
    synapses = longest_row(projection, kind, np.ones(projection.size, dtype=bool), on_core)
    words = chip.row_words(synapses, plastic)
    if words <= chip.LONGEST_ROW:
        return
    most = chip.LONGEST_ROW - 2 if plastic else chip.LONGEST_ROW
    fewer = max(on_core * most // synapses, 1)
    raise UnsupportedError(
        f"Projection '{projection.label}': a neuron has {synapses} {'plastic ' if plastic else ''}synapses with the {on_core}"
        f" neurons of a core of '{post.label}'; at most {most} are possible",
        why=f"a row of synapses has {chip.LONGEST_ROW} words at most, and that takes {words}",
        fix=f"put at most {fewer} neurons on a core (neurons_per_core in a hardware file of your own), or use fewer synapses",
    )


def _events(
    network: Network, projection: Projection, on_core: int, hardware: SpinnakerHardware, steps: int
) -> float:
    """Synaptic events a second on the fullest core: arrays and Poisson sources as they are, cells as sPyNNaker expects them."""
    source = network.populations[projection.pre]
    seconds = max(steps, 1) * network.time_step / 1000.0
    if source.cell == "SpikeSourcePoisson":
        rate = np.asarray(source.parameters["rate"], dtype=float)
    elif source.cell == "SpikeSourceArray":
        trains = source.spike_times or [np.empty(0)] * source.size
        rate = np.array([np.count_nonzero(np.asarray(t) < seconds * 1000.0) for t in trains]) / seconds
    else:
        rate = np.full(source.size, hardware.spikes_per_second)
    of_core = np.bincount(projection.post_index // on_core, weights=rate[projection.pre_index])
    return float(of_core.max(initial=0.0))


def _of_neurons(
    network: Network,
    position: int,
    target: Target,
    on_core: int,
    synapse_cores: int,
    steps: int,
) -> Iterable[Cores]:
    population = network.populations[position]
    count = -(-population.size // on_core)
    rules = [p.plasticity for p in network.projections if p.post == position and p.size and p.plasticity]
    tables = None
    if rules:
        taus = (rules[0].tau_plus, rules[0].tau_minus)
        tables = tuple(len(decay_table(tau, network.time_step)) for tau in taus)
    dynamics = chip.dynamics_bytes(tables)  # type: ignore[arg-type]
    recorded = recordings(network, position, on_core, steps)
    if not synapse_cores:
        sdram = chip.combined_core(population.cell, on_core, target.edges, dynamics) + recorded
        return [Cores(position, "neurons and synapses", count, on_core, sdram)]
    own, lead, *others = chip.split_cores(population.cell, on_core, target.edges, dynamics, synapse_cores)
    result = [
        Cores(position, "neurons", count, on_core, own + recorded),
        Cores(position, "synapses", count, on_core, lead),
    ]
    if others:
        result.append(Cores(position, "synapses", count * len(others), on_core, others[0]))
    return result


def synapse_cores_needed(
    network: Network,
    kinds: list[str],
    position: int,
    target: Target,
    hardware: SpinnakerHardware,
    factor: int,
) -> int:
    """Synapse cores for each neuron core, where they are split (``PopulationVertex.n_synapse_cores_required``)."""
    most = chip.CORES_PER_CHIP - 2 - int(hardware.advanced_monitors)
    per_core = chip.most_on_core(hardware.neurons_per_core)
    events = 0
    for k in _in_order(network, position):
        p = network.projections[k]
        row = longest_row(p, kinds[k], np.ones(p.size, dtype=bool), per_core)
        events += math.ceil(row * hardware.spikes_per_second * network.populations[p.pre].size)
    return min(math.ceil(events / (target.rate * factor)), most)


def source_bytes(network: Network, position: int, steps: int) -> int:
    """SDRAM of an array source: as much for every tick as its fullest takes, twice where it is recorded."""
    population, dt = network.populations[position], network.time_step
    if population.cell == "SpikeSourcePoisson" and _long(population, steps * dt):
        most = _fullest_expected(population, dt)
    elif population.cell == "SpikeSourcePoisson":
        times, _ = poisson_spikes(
            **{name: population.parameters[name] for name in ("rate", "start", "duration")},
            seed=network.seed,
            population=position,
            begin=0.0,
            end=steps * dt,
        )
        most = _fullest(np.clip(np.floor(times / dt), 0, max(steps - 1, 0)))
    else:
        most = _fullest_scripted(population, dt)
    recorded = any(r.population == position for r in network.recorded)
    per_tick = chip.message_bytes(most) * (2 if recorded else 1)
    return chip.SOURCE + per_tick * (1 + max(steps, 1))


def _long(population: Population, milliseconds: float) -> bool:
    """Whether the trains of a Poisson source are too long to be drawn for a check."""
    spikes = float(np.sum(population.parameters["rate"])) * milliseconds / 1000.0
    return spikes > MOST_DRAWN or milliseconds > LONGEST_DRAWN


def _fullest(ticks: np.ndarray) -> int:
    """The most entries with one value, of those from 0 on."""
    _, counts = np.unique(ticks[ticks >= 0], return_counts=True)
    return int(counts.max(initial=0))


def _fullest_scripted(population: Population, time_step: float) -> int:
    """Spikes of an array source in its fullest step."""
    trains = [np.asarray(train, dtype=float) for train in population.spike_times]
    return _fullest(np.rint(np.concatenate([np.empty(0), *trains]) / time_step))


def _fullest_expected(population: Population, time_step: float) -> int:
    """Spikes of a Poisson source in a step: the mean and some deviations."""
    mean = float(np.sum(population.parameters["rate"])) * time_step / 1000.0
    return math.ceil(mean + SIGMAS * math.sqrt(mean))


def incoming_spikes(network: Network, position: int, hardware: SpinnakerHardware) -> tuple[int, int]:
    """Places in the buffer of incoming spikes of a population's cores, and the most spikes that its sources send in a step.

    The tools' own number where that holds them; where it does not, as much room for them beside it, rounded up as the chip
    does.  What the machine's file says is left as it is.  Spikes of neurons can't be told beforehand.
    """
    from_sources = 0
    for source in {p.pre for p in network.projections if p.post == position and p.size}:
        population = network.populations[source]
        if population.cell == "SpikeSourceArray":
            from_sources += _fullest_scripted(population, network.time_step)
        elif population.is_source:
            from_sources += _fullest_expected(population, network.time_step)
    if hardware.incoming_spike_buffer is not None:
        return hardware.incoming_spike_buffer, from_sources
    if from_sources < INCOMING_SPIKES:
        return INCOMING_SPIKES, from_sources
    return 1 << (INCOMING_SPIKES + from_sources - 1).bit_length(), from_sources


def recordings(network: Network, position: int, on_core: int, steps: int) -> int:
    """SDRAM of what is recorded on a core (``get_max_variable_sdram_usage``)."""
    fixed = per_step = 0.0
    for recorded in network.recorded:
        if recorded.population != position or not len(recorded.neurons):
            continue
        every = 1 if recorded.variable == "spikes" else round(recorded.sampling_interval / network.time_step)
        most = int(np.bincount(np.asarray(recorded.neurons) // on_core).max())
        record = chip.recording_bytes(recorded.variable, most)
        fixed += chip.BLOCK + record - record / every
        per_step += record / every
    return math.ceil(fixed) + math.ceil(per_step) * max(steps, 1)


def ring_bytes(target: Target, neurons: int) -> int:
    """DTCM of a ring buffer: 16 bits for each slot, receptor and neuron, the last rounded up to a power of two."""
    return 2 * target.slots * chip.RECEPTORS * (1 << max((neurons - 1).bit_length(), 1))


def known_dtcm(network: Network, taken: Estimate, each: Cores, hardware: SpinnakerHardware) -> int | None:
    """DTCM of the parts of a core that can be told beforehand; program data, stacks and the history of learning come on top."""
    if each.kind == "source":
        return None
    if each.kind == "delay extension":
        asked = taken.extensions[each.population]
        return chip.extension_dtcm(max(one.stages for one in asked), asked[0].slots, each.neurons)
    target, total = taken.targets[each.population], 0
    if each.kind.startswith("neurons"):
        total += (
            1 + chip.STRUCTS[network.populations[each.population].cell].words * each.neurons
        ) * chip.WORD
    if each.kind.endswith("synapses"):
        row = max((chip.row_words(max(e.row, e.delayed_row), e.plastic) for e in target.edges), default=0)
        room, _ = incoming_spikes(network, each.population, hardware)
        total += (2 * (row + chip.ROW_HEADER) + room) * chip.WORD
        total += chip.table_bytes(target.edges) + chip.filter_bytes(target.edges)
        total += ring_bytes(target, each.neurons)
    return total


def application_cores(hardware: SpinnakerHardware) -> int | None:
    """Cores that the machine has for a model; None where it has as many boards as it takes."""
    if hardware.machine in ("virtual", "spalloc") and hardware.boards is None:
        return None
    chips = chip.CHIPS[hardware.version]
    monitors = chips + 1 if hardware.advanced_monitors else 0  # one a chip, and one that gathers
    return (hardware.boards or 1) * (chip.APPLICATION_CORES[hardware.version] - monitors)


def refuse_too_large(network: Network, hardware: SpinnakerHardware, factor: int, judge: Judge) -> None:
    """Raise where the machine has too few cores, or a core needs more memory than a chip has."""
    whole = estimate(network, hardware, 1, factor)
    cores = whole.cores
    there, taken = application_cores(hardware), sum(each.count for each in cores)
    with judge.each():
        if there is not None and taken > there:
            most = max(cores, key=lambda each: each.count)
            raise UnsupportedError(
                f"The model takes {taken:,} cores, {most.count:,} of them for '{network.populations[most.population].label}';"
                f" hardware '{hardware.name}' has {there:,}",
                why=f"a core holds at most {chip.most_on_core(hardware.neurons_per_core)} neurons with their synapses",
                fix="use fewer neurons, or a larger machine: with 'version: 5' it has 48 chips, and spalloc lends several boards",
            )
    for each in cores:
        population = network.populations[each.population]
        with judge.each(population):
            if each.sdram > chip.SDRAM_PER_CHIP:
                raise UnsupportedError(
                    f"Population '{population.label}': a core of its {each.kind} needs {each.sdram:,} bytes of SDRAM; a chip has"
                    f" {chip.SDRAM_PER_CHIP:,}",
                    why="a core keeps the rows of all synapses onto its neurons in the memory of its chip",
                    fix=f"put fewer than {each.neurons} neurons on a core (neurons_per_core in a hardware file of your own),"
                    " or use fewer synapses",
                )
    for position, asked in whole.extensions.items():
        with judge.each(network.populations[position]):
            _refuse_extension(network, position, asked, cores)


def _refuse_extension(network: Network, position: int, asked: list[Extension], cores: list[Cores]) -> None:
    """Raise where the delay extension of a source can't have one length of its stages, or has not the memory for them."""
    source, step = network.populations[position].label, network.time_step
    first = asked[0]
    for other in asked[1:]:
        if other.slots != first.slots:
            raise UnsupportedError(
                f"Population '{source}': its delays onto '{network.populations[first.target].label}' need stages of"
                f" {first.slots} steps, those onto '{network.populations[other.target].label}' stages of {other.slots}",
                why="sPyNNaker gives a population one delay extension, with stages as long as the ring buffers of its"
                " targets, and these depend on how many neurons a target has on a core",
                fix=f"use delays of at most {min(first.slots, other.slots) * step:g} ms onto one of them, or targets of"
                " like size",
            )
    stages = max(each.stages for each in asked)
    neurons = next(c.neurons for c in cores if c.population == position and c.kind == "delay extension")
    needed = chip.extension_dtcm(stages, first.slots, neurons)
    if needed > chip.FREE_DTCM:
        fitting = [n for n in range(stages) if chip.extension_dtcm(n, first.slots, neurons) <= chip.FREE_DTCM]
        raise UnsupportedError(
            f"Population '{source}': its delays, {stages} stages of {first.slots} steps for the {neurons} neurons of a core, take"
            f" {needed:,} bytes of the core's data memory; there are {chip.FREE_DTCM:,}",
            why="a delay extension counts the spikes of every neuron in every step that they are kept",
            fix=f"use delays of at most {(max(fitting, default=0) + 1) * first.slots * step:g} ms, or fewer neurons on a core"
            " (neurons_per_core in a hardware file of your own)",
        )
