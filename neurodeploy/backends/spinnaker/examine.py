"""What is said of a model on SpiNNaker before it runs: all rules of its lowering, its weights' grid, what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.cost import cost
from neurodeploy.backends.spinnaker.lower import check_rules, lower
from neurodeploy.backends.spinnaker.provenance import native_name
from neurodeploy.backends.spinnaker.resources import Estimate, application_cores, estimate, known_dtcm
from neurodeploy.backends.spinnaker.weights import weights_on_grid
from neurodeploy.chips import spinnaker_resources as chip
from neurodeploy.chips.spinnaker_machine import DELAY_STAGES, LARGEST_WEIGHT, longest_delay_steps
from neurodeploy.chips.spinnaker_weights import input_scale, pattern, receptor_shifts, weight_scale
from neurodeploy.costs import UNKNOWN, Rates
from neurodeploy.findings import (
    MODEL,
    POPULATION,
    PROJECTION,
    VANISHED,
    Amount,
    Examination,
    Judge,
    Keeps,
    Sheet,
    changed,
)
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.models.network import Network


def examine(
    network: Network,
    options: Options,
    steps: int,
    hardware: SpinnakerHardware,
    rates: Rates = UNKNOWN,
) -> Examination:
    """See :meth:`neurodeploy.backends.base.Backend.examine`."""
    check_rules(options.rules)
    judge = Keeps(network)
    result, program = Examination(), None
    with judge.each():
        program = lower(network, options.rules, hardware, options.allow_losses, judge)
    if program is None:  # the model as a whole means nothing
        result.findings = judge.findings
        return result
    changes, factor = program.changes, program.plan["time_scale_factor"]
    sound = judge.sound(network)
    with judge.each():
        result.sheets["weights"] = weights(sound, hardware, options.allow_losses, changes, judge)
    with judge.each():
        taken = estimate(sound, hardware, steps, factor)
        result.sheets["cores"] = cores(sound, taken, hardware)
        result.amounts = amounts(sound, taken, hardware, steps, factor)
        changes += overload(sound, taken, factor)
        activity = result.count(network, steps, rates, judge)
        if activity is not None:
            result.costs = cost(taken, hardware, steps, network.time_step * factor, activity, result.costs)
    if hardware.machine == "virtual" and not judge.findings:
        with judge.each():
            result.sheets["mapped"] = mapped(sound, taken, options, steps)
    result.findings = judge.findings + changed(network, changes)
    return result


def cores(network: Network, taken: Estimate, hardware: SpinnakerHardware) -> Sheet:
    """One row for each kind of core of a population."""
    sheet = Sheet(
        "Cores",
        (
            "population",
            "core of",
            "cores",
            "neurons",
            "SDRAM, bytes",
            "DTCM, known bytes",
            "ring slots",
            "events/s",
        ),
    )
    for each in taken.cores:
        known = known_dtcm(network, taken, each, hardware)
        row: list[Any] = [network.populations[each.population].label, each.kind, each.count, each.neurons]
        row += [each.sdram, "" if known is None else known]
        handles = each.kind.endswith("synapses")
        target = taken.targets.get(each.population)
        row += [target.slots, round(target.events)] if handles and target is not None else ["", ""]
        sheet.rows.append(tuple(row))
    return sheet


def amounts(
    network: Network, taken: Estimate, hardware: SpinnakerHardware, steps: int, factor: int
) -> list[Amount]:
    """What the model takes of the machine: cores and memory, the fullest core of each kind of limit, keys, delays, load."""
    count, there = sum(each.count for each in taken.cores), application_cores(hardware)
    chips = None if there is None else (hardware.boards or 1) * chip.CHIPS[hardware.version]
    total = sum(each.count * each.sdram for each in taken.cores)
    result = [
        Amount(MODEL, "", "cores", count, there),
        Amount(
            MODEL,
            "",
            f"SDRAM, with recordings of {steps:,} steps",
            total,
            None if chips is None else chips * chip.SDRAM_PER_CHIP,
            "bytes",
        ),
    ]
    label = [population.label for population in network.populations]
    if taken.cores:
        fullest = max(taken.cores, key=lambda each: each.sdram)
        words = "SDRAM of a core, of a chip's"
        where = label[fullest.population]
        result.append(Amount(POPULATION, where, words, fullest.sdram, chip.SDRAM_PER_CHIP, "bytes"))
    for kind, words, limit in (
        ("s", "DTCM of a core, known parts", chip.DTCM),
        ("delay extension", "DTCM of a delay extension", chip.FREE_DTCM),
    ):
        known = [
            (known_dtcm(network, taken, each, hardware) or 0, label[each.population])
            for each in taken.cores
            if each.kind.endswith(kind) and each.kind != "source"
        ]
        if known:
            most, where = max(known)
            result.append(Amount(POPULATION, where, words, most, limit, "bytes"))
    if taken.longest_rows:
        position, (row, _) = max(taken.longest_rows.items(), key=lambda item: item[1][0])
        where = network.projections[position].label
        result.append(Amount(PROJECTION, where, "longest row of synapses", row, chip.LONGEST_ROW, "words"))
    result += _delays(network, taken)
    senders = [each for each in taken.cores if each.keys]
    keys = sum(
        1 << (max(each.count - 1, 0).bit_length() + max(each.neurons - 1, 0).bit_length() + chip.COLOUR_BITS)
        for each in senders
    )
    entries = sum(each.count for each in senders)
    result += [
        Amount(MODEL, "", "routing keys", keys, 1 << chip.KEY_BITS),
        Amount(
            MODEL, "", "routing entries of a chip, at most, before compression", entries, chip.ROUTER_ENTRIES
        ),
    ]
    for position, target in taken.targets.items():
        if target.edges:
            result.append(
                Amount(
                    POPULATION,
                    label[position],
                    f"synaptic events a second of model time, of a core at {chip.CORE_MHZ} MHz",
                    round(target.events),
                    manages(taken, position, factor),
                )
            )
    return result


def manages(taken: Estimate, position: int, factor: int) -> int:
    """Synaptic events in a second of model time that the cores of a slice of a population manage together."""
    mine = [each for each in taken.cores if each.population == position]
    slices = sum(each.count for each in mine if each.kind.startswith("neurons"))
    synapse_cores = sum(each.count for each in mine if each.kind.endswith("synapses"))
    return taken.targets[position].rate * factor * max(synapse_cores // max(slices, 1), 1)


def _delays(network: Network, taken: Estimate) -> list[Amount]:
    """The longest delay, and the stages of the delay extensions."""
    result = []
    longest = [(float(np.max(p.delay)), p) for p in network.projections if p.size]
    if longest:
        delay, projection = max(longest, key=lambda entry: entry[0])
        most = longest_delay_steps(network.populations[projection.post].size)
        steps = round(delay / network.time_step)
        result.append(Amount(PROJECTION, projection.label, "longest delay", steps, most, "steps"))
    stages = {
        network.populations[edge.pre].label: edge.stages
        for target in taken.targets.values()
        for edge in target.edges
        if edge.stages
    }
    result += [
        Amount(POPULATION, label, "stages of its delay extension", count, DELAY_STAGES)
        for label, count in stages.items()
    ]
    return result


def overload(network: Network, taken: Estimate, factor: int) -> list[str]:
    """A sentence for every population that is expected to get more spikes than its cores manage."""
    said = []
    for position, target in taken.targets.items():
        most = manages(taken, position, factor)
        if target.events > most:
            said.append(
                f"Population '{network.populations[position].label}': {target.events:,.0f} synaptic events a second are expected"
                f" on a core, which manages some {most:,}; spikes may be late or lost on a board: put fewer neurons on a core, or"
                " raise time_scale_factor"
            )
    return said


def mapped(network: Network, taken: Estimate, options: Options, steps: int) -> Sheet:
    """What sPyNNaker itself makes of the model on a virtual machine, beside what was expected."""
    from neurodeploy.backends.spinnaker.session import SpinnakerSession

    session = SpinnakerSession(network, options)
    try:
        session.run(max(steps, 1))
        vertices = session.report.facts["mapping"]
    finally:
        session.end()
    sheet = Sheet(
        "Mapped by sPyNNaker",
        ("population", "cores", "expected", "SDRAM, bytes", "SDRAM expected"),
    )
    for position, population in enumerate(network.populations):
        name = native_name(position, population.label)
        mine = [v for v in vertices if v["population"] in (population.label, f"{name}_delayed")]
        own = [each for each in taken.cores if each.population == position]
        sheet.rows.append(
            (
                population.label,
                len(mine),
                sum(each.count for each in own),
                sum(vertex["sdram_bytes"] for vertex in mine),
                sum(each.count * each.sdram for each in own),
            )
        )
    return sheet


def weight_steps(network: Network, hardware: SpinnakerHardware) -> dict[int, float]:
    """The step that the weights of each projection are multiples of, by its position."""
    sizes = [population.size for population in network.populations]
    dt = network.time_step
    kinds = [pattern(p, sizes[p.pre], sizes[p.post], dt) if p.size else "" for p in network.projections]
    delays = [np.rint(np.asarray(p.delay, dtype=float) / dt) for p in network.projections]
    settings = (hardware.spikes_per_second, hardware.ring_buffer_sigma)
    shifts = receptor_shifts(network, kinds, delays, settings)
    return {
        position: 1.0
        / weight_scale(shifts[p.post, p.receptor], input_scale(network.populations[p.post].cell))
        for position, p in enumerate(network.projections)
        if p.size
    }


def weights(
    network: Network, hardware: SpinnakerHardware, allow_losses: bool, changes: list[str], judge: Judge
) -> Sheet:
    """What the grid does to every projection's weights; what vanishes or is cut goes to `judge`."""
    sheet = Sheet(
        "Weights on the chip",
        (
            "projection",
            "target",
            "receptor",
            "synapses",
            "step",
            "largest",
            "largest possible",
            "to 0",
            "cut",
        ),
    )
    for position, step in weight_steps(network, hardware).items():
        projection = network.projections[position]
        post = network.populations[projection.post]
        target = post.label
        found = weights_on_grid(projection, target, step, hardware, post.largest_sums)
        changes += found.changes
        if found.error is not None and allow_losses:
            changes.append(f"{VANISHED}{found.error.what}")
        elif found.error is not None:
            with judge.each(projection):
                raise found.error
        magnitude = np.abs(np.asarray(projection.weight, dtype=float))
        ticks = np.rint(magnitude / step)
        row = (float(magnitude.max()), step * LARGEST_WEIGHT)
        lost = (
            int(np.count_nonzero((magnitude > 0) & (ticks == 0))),
            int(np.count_nonzero(ticks > LARGEST_WEIGHT)),
        )
        sheet.rows.append((projection.label, target, projection.receptor, projection.size, step, *row, *lost))
    return sheet
