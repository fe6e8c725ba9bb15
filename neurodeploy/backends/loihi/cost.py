"""What a run of a Program would take on a Loihi: its relays and cores, and operations as published."""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.loihi.program import LoihiProgram
from neurodeploy.chips import loihi_energy as chip
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.costs import Activity, Band, Cost, Costs


def cost(program: LoihiProgram, record: LoihiChip, steps: int, activity: Activity, counts: Costs) -> Costs:
    """`counts` of the model, with time and energy of `program` on the chip; `activity` is given that of the relays."""
    relay(program, activity)
    chips = max(-(-len(program.cores) // record.cores_per_chip), 1)
    cores, neurons = len(program.cores), sum(run.stop - run.start for c in program.cores for run in c.runs)
    events, updates = zip(*(incoming(program, spikes) for spikes in activity.levels), strict=True)
    nobody = [np.zeros(group.size) for group in program.groups]
    reached = [np.minimum(each, steps) for each in events[1]]
    everyone = [np.full(group.size, float(steps)) for group in program.groups]
    active = (nobody, reached, everyone)
    end = chip.barrier(chips, cores)
    seconds = Band(
        *(
            slowest(program, steps, events[k], updates[k], active[k]) + steps * each
            for k, each in enumerate((end.low, end.likely, end.high))
        )
    )
    awake = Band(0.0, on_cores(program, reached), float(neurons * steps))
    energy = (
        total(events).times(chip.SYNAPTIC_EVENT)
        + total(updates).times(chip.SYNAPTIC_UPDATE)
        + chip.updates(float(neurons * steps), awake)
        + chip.transport(messages(program, activity))
        + chip.leakage(chips, cores / record.cores_per_chip, seconds)
    )
    rows = [
        *counts.rows,
        Cost("synaptic events with those onto relays", "", total(events)),
        Cost("time of a step, as fast as the chip goes", "s", seconds.times(1.0 / max(steps, 1))),
        Cost("time of the run, as fast as the chip goes", "s", seconds),
        Cost("energy of the run, as fast as the chip goes", "J", energy),
    ]
    notes = [*counts.notes, *chip.SOURCES]
    if record.name != "loihi1":
        notes.append(f"no operation of {record.title} has a published energy or time: these are Loihi 1's")
    return Costs(rows, notes)


def relay(program: LoihiProgram, activity: Activity) -> None:
    """Append the activity of the relays, which fire as whoever they relay."""
    for level in activity.levels:
        level += [np.zeros(group.size) for group in program.groups[len(level) :]]
        for part in program.synapses:
            if part.projection < 0:
                level[part.post][part.post_index] = level[part.pre][part.pre_index]


def incoming(program: LoihiProgram, spikes: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of every neuron, the synaptic events onto it and the updates of its synapses that learn, by spikes on either side."""
    events = [np.zeros(group.size) for group in program.groups]
    updates = [np.zeros(group.size) for group in program.groups]
    for part in program.synapses:
        post, size = part.post, program.groups[part.post].size
        here = np.bincount(part.post_index, weights=spikes[part.pre][part.pre_index], minlength=size)
        events[post] += here
        if part.learning is not None:
            updates[post] += here + spikes[post] * np.bincount(part.post_index, minlength=size)
    return events, updates


def total(levels: tuple[list[np.ndarray], ...]) -> Band:
    """The sums of three lists of arrays."""
    return Band(*(float(sum(each.sum() for each in level)) for level in levels))


def on_cores(program: LoihiProgram, values: list[np.ndarray]) -> float:
    """The sum of `values` of all neurons that are on a core."""
    return float(
        sum(values[run.group][run.start : run.stop].sum() for core in program.cores for run in core.runs)
    )


def slowest(
    program: LoihiProgram,
    steps: int,
    events: list[np.ndarray],
    updates: list[np.ndarray],
    active: list[np.ndarray],
) -> float:
    """Seconds of a run on the core that is the busiest on average."""
    idle, busy = chip.NEURON_UPDATE_TIME
    longest = 0.0
    for core in program.cores:
        seconds = 0.0
        for run in core.runs:
            mine = slice(run.start, run.stop)
            seconds += (run.stop - run.start) * steps * idle
            seconds += float(active[run.group][mine].sum()) * (busy - idle)
            seconds += float(events[run.group][mine].sum()) * chip.SYNAPTIC_EVENT_TIME
            seconds += float(updates[run.group][mine].sum()) * chip.SYNAPTIC_UPDATE_TIME
        longest = max(longest, seconds)
    return longest


def messages(program: LoihiProgram, activity: Activity) -> Band:
    """Spikes to cores: one for every core that it may reach."""
    cores = np.zeros(len(program.groups), dtype=np.int64)
    for core in program.cores:
        for group in {run.group for run in core.runs}:
            cores[group] += 1
    result = Band(0.0, 0.0, 0.0)
    for part in program.synapses:
        synapses = np.bincount(part.pre_index, minlength=program.groups[part.pre].size)
        reached = np.minimum(synapses, cores[part.post])
        result += Band(*(float(level[part.pre] @ reached) for level in activity.levels))
    return result
