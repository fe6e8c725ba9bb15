"""What a run would take on SpiNNaker boards: real time, and the energy of the cores that the model takes."""

from __future__ import annotations

from neurodeploy.backends.spinnaker.resources import Estimate
from neurodeploy.chips import spinnaker_energy as energy
from neurodeploy.chips import spinnaker_resources as chip
from neurodeploy.costs import Activity, Band, Cost, Costs
from neurodeploy.hardware import SpinnakerHardware


def cost(
    taken: Estimate,
    hardware: SpinnakerHardware,
    steps: int,
    tick: float,
    activity: Activity,
    counts: Costs,
) -> Costs:
    """`counts` of the model, with the time and energy of a run on boards whose time step takes `tick` ms."""
    cores, seconds = sum(each.count for each in taken.cores), steps * tick / 1000.0
    boards = hardware.boards or max(-(-cores // chip.APPLICATION_CORES[hardware.version]), 1)
    of = {row.quantity: row.band for row in counts.rows}
    joules = energy.energy(
        hardware.version,
        boards,
        cores,
        seconds,
        of["updates of neurons"].likely,
        of["synaptic events"],
        activity.total(),
    )
    rows = [
        *counts.rows,
        Cost("time of a step", "s", Band(tick / 1000.0, tick / 1000.0, tick / 1000.0)),
        Cost("time of the run, without loading and reading", "s", Band(seconds, seconds, seconds)),
        Cost("energy of that time", "J", joules),
    ]
    where = f"{boards} board{'s'[: boards != 1]} of {chip.CHIPS[hardware.version]} chips"
    return Costs(
        rows,
        [*counts.notes, f"time and energy are those of {where}, which keep to their clock", *energy.SOURCES],
    )
