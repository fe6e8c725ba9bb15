"""A ladder of load: rate × fan-in × size × duration, up to where the board drops packets or is late.

Every rung has sources that all reach all cells, and spike in turn so that every step brings the same load.  What a board
can't bear shows in the tools' counters (late, lost, missed ticks), in a core that stops, or in spikes that are not the
model's; the first two are the knee.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    Broken,
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    check,
    refusals,
)
from neurodeploy.chips.spinnaker_machine import NEURONS_PER_CORE
from neurodeploy.models.network import Network


@dataclass(frozen=True)
class Rung:
    """One load.

    Attributes
    ----------
    rate : int
        Hz of every source; its period is a whole number of ms.
    fan_in : int
        Sources, each of which reaches all cells.
    cells : int
        A core for each 256.
    duration : int
        ms.
    """

    rate: int
    fan_in: int
    cells: int
    duration: int

    def __str__(self) -> str:
        return f"{self.rate} Hz × {self.fan_in} × {self.cells:,} cells × {self.duration:,} ms"

    @property
    def packets(self) -> float:
        """Spikes that reach a core in a ms."""
        return self.rate * self.fan_in / 1000.0

    @property
    def events(self) -> float:
        """Synaptic events of a full core in a ms."""
        return self.packets * NEURONS_PER_CORE


LADDER = (
    Rung(10, 64, 256, 200),
    Rung(20, 64, 256, 200),
    Rung(20, 128, 256, 200),
    Rung(40, 128, 256, 200),
    Rung(40, 256, 256, 200),
    Rung(50, 256, 256, 200),
    Rung(100, 256, 256, 200),
    Rung(100, 256, 1024, 200),
    Rung(100, 256, 1024, 1000),
    Rung(125, 256, 1024, 1000),
    Rung(200, 256, 1024, 1000),
)
"""Each rung has at most twice the load of the one below.  A core of 200 MHz has 200,000 cycles for a ms."""

HEAVY = (
    *LADDER,
    Rung(200, 512, 1024, 1000),
    Rung(250, 512, 4096, 1000),
    Rung(500, 512, 4096, 1000),
    Rung(500, 512, 4096, 5000),
)
"""As :data:`LADDER`, and on to where no core can follow."""

SLOWEST = 2e-4
"""Seconds that an emulated board may take for a cell and a ms, beside what every trial may take."""

DRIVE = 1.0
"""nA; mean current of every cell, whatever the rung."""

TAU_SYN = 5.0
CELL: dict[str, Any] = {
    "cm": 1.0,
    "tau_m": 20.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "tau_refrac": 2.0,
    "tau_syn_E": TAU_SYN,
}
THRESHOLDS = (-60.0, -46.0)
"""mV, spread over the cells: :data:`DRIVE` takes a cell to some -45 mV, so that they fire at different rates."""


def network(rung: Rung) -> Network:
    """Sources and cells in populations of at most a core."""
    result = Network(TIME_STEP)
    period = round(1000.0 / rung.rate / TIME_STEP)
    trains = [np.arange(i % period, rung.duration, period) for i in range(rung.fan_in)]
    weight = DRIVE / (rung.rate / 1000.0 * rung.fan_in * TAU_SYN)
    sources = _parts(rung.fan_in)
    for number, part in enumerate(sources):
        result.populations.append(source(f"sources {number}", [trains[i] for i in part]))
    for number, part in enumerate(_parts(rung.cells)):
        label = f"cells {number}"
        thresholds = np.linspace(*THRESHOLDS, len(part))
        result.populations.append(cells(label, len(part), v_thresh=thresholds, **CELL))
        record(result, label, "spikes")
        for origin, senders in enumerate(sources):
            ends = np.indices((len(senders), len(part))).reshape(2, -1).T
            table = np.column_stack([ends, np.full(len(ends), weight), np.ones(len(ends))])
            synapses(result, f"sources {origin}", label, table)
    return result


def _parts(count: int) -> list[range]:
    return [range(first, min(first + NEURONS_PER_CORE, count)) for first in range(0, count, NEURONS_PER_CORE)]


def trials(ladder: Sequence[Rung]) -> Iterator[Trial]:
    for rung in ladder:
        limit = 300 + round(SLOWEST * rung.cells * rung.duration)
        yield Trial(str(rung), network(rung), (round(rung.duration / TIME_STEP),), limit=limit)


def judge(ladder: Sequence[Rung], results: Sequence[Result]) -> Judgement:
    """A rung that lost nothing has the model's spikes; one that lost something, or broke, is the knee."""
    checks: list[Check] = []
    series: dict[str, list[object]] = {
        name: [] for name in ("rung", "packets", "events", "spikes", "seconds", "lost")
    }
    knee = ""
    for rung, result in zip(ladder, results, strict=False):
        if isinstance(result, Measured):
            losses = [str(finding) for finding in result.losses]
            spiking = [position for position, _ in compare.recorded(result.trial.network, "spikes")]
            series["spikes"].append(sum(len(result.numbers.spikes[position][0]) for position in spiking))
            series["seconds"].append(result.seconds.get("run", 0.0))
            if not losses:
                found = compare.spikes(result.trial.network, result.numbers, compare.model(result), spiking)
                checks.append(found.check(str(rung), f"{compare.MODEL}, nothing late or lost"))
        else:
            losses = [result.reason.splitlines()[0]] if isinstance(result, Broken) else []
            series["spikes"].append(0)
            series["seconds"].append(0.0)
        series["rung"].append(str(rung))
        series["packets"].append(rung.packets)
        series["events"].append(rung.events)
        series["lost"].append("; ".join(losses))
        if losses:
            knee = (
                f"at {rung}: {rung.packets:,.1f} packets and {rung.events:,.0f} synaptic events a core and ms: "
                + "; ".join(losses)
            )
            break
    if knee and not checks:
        checks.append(check("the lowest rung", "nothing late or lost", knee, False))
    return Judgement(checks + refusals(results), knee=knee, series=dict(series))
