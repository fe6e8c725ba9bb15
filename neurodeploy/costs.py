"""What a run takes, said before it: spikes, synaptic events, time, energy; every figure with a band, none of it measured.

Who fires how often is known of sources; of other neurons it is what the user says, what an earlier run recorded, or an
assumption, which is then named.  What an event costs a chip is for :mod:`neurodeploy.chips` to say.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network, Population

USUAL_RATE = 10.0
"""Hz at which a neuron is taken to fire, where nothing is known of it."""

MOST_USUAL_RATE = 30.0
"""Hz of the same at most: what sPyNNaker sizes a model for (``spikes_per_second``)."""

MODELLED = "modelled"
"""Stands by every cost: nothing of it was measured."""


@dataclass(frozen=True)
class Band:
    """A figure: at least, likely, at most."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Band) -> Band:
        return Band(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def times(self, factor: float) -> Band:
        return Band(self.low * factor, self.likely * factor, self.high * factor)


@dataclass(frozen=True)
class Cost:
    """One thing that a run takes."""

    quantity: str
    unit: str
    band: Band

    @property
    def data(self) -> dict[str, Any]:
        low, likely, high = self.band.low, self.band.likely, self.band.high
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "at_least": low,
            "likely": likely,
            "at_most": high,
            "kind": MODELLED,
        }


PREFIXES = {1.0: "", 1e-3: "m", 1e-6: "µ", 1e-9: "n", 1e-12: "p"}
"""Of a unit, by its size."""


def shown(cost: Cost) -> tuple[str, ...]:
    """At least, likely, at most and the unit, for people: whole numbers where they count, else with a prefix that suits them."""
    band = (cost.band.low, cost.band.likely, cost.band.high)
    if not cost.unit:
        return *(f"{value:,.0f}" for value in band), ""
    size = next((size for size in PREFIXES if abs(cost.band.likely) >= size), 1.0)
    return *(f"{value / size:,.4g}" for value in band), f"{PREFIXES[size]}{cost.unit}"


@dataclass
class Costs:
    """What a run takes, and what the figures rest on, a sentence each."""

    rows: list[Cost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def data(self) -> dict[str, Any]:
        return {"kind": MODELLED, "rows": [row.data for row in self.rows], "rests_on": self.notes}


@dataclass(frozen=True)
class Rates:
    """What is known beforehand of how often neurons fire.

    Attributes
    ----------
    hz : float or None
        Of every neuron that is no source, as the user says; None: nothing is said.
    counts : mapping of str to ndarray
        Population -> spikes of each neuron in an earlier run.
    duration : float
        ms of model time of that run.
    run : str
        Its folder.
    """

    hz: float | None = None
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)
    duration: float = 0.0
    run: str = ""

    def recorded(self, population: Population, duration: float) -> bool:
        """Whether they are of a run as long, which says it of sources as well."""
        return population.label in self.counts and self.duration == duration


UNKNOWN = Rates()


def rates_of_run(folder: Path, network: Network, hz: float | None = None) -> Rates:
    """The rates of a run of the same model: of every population whose spikes it recorded.

    Raises
    ------
    RequestError
        The folder holds no such run, or one of a model with other populations.
    """
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        recorded, duration = metrics["spikes"], float(metrics["model_time_ms"])
        with (folder / "spikes.csv").open(newline="", encoding="utf-8") as file:
            rows = [(row["population"], int(row["neuron"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"--like {folder}: there is no run to take spike rates from",
            why="it needs the spikes.csv and the metrics.json of a run",
            fix="give the folder that 'neurodeploy run' has left",
        ) from error
    sizes = {population.label: population.size for population in network.populations}
    counts = {label: np.zeros(size) for label, size in sizes.items() if label in recorded}
    for label, neuron in rows:
        if label not in counts or neuron >= sizes[label]:
            raise RequestError(
                f"--like {folder}: its population '{label}' with neuron {neuron} is not in this model",
                why="the rates of another model say nothing of this one",
                fix="give a run of the same model, or a rate (--rate)",
            )
        counts[label][neuron] += 1
    return Rates(hz, counts, duration, str(folder))


def rates_of_spikes(
    spikes: Mapping[str, tuple[np.ndarray, np.ndarray]], network: Network, duration: float
) -> Rates:
    """The rates of a run that has just recorded `spikes` (population -> times, neurons) for `duration` ms."""
    sizes = {population.label: population.size for population in network.populations}
    counts = {
        label: np.bincount(neurons.astype(np.int64), minlength=sizes[label]).astype(float)
        for label, (_, neurons) in spikes.items()
        if label in sizes
    }
    return Rates(counts=counts, duration=duration, run="this run")


@dataclass
class Activity:
    """Spikes of every neuron in a run, by population in the Network's order: at least, likely, at most.

    Attributes
    ----------
    low, likely, high : list of ndarray
    notes : list of str
        Where they are from.
    """

    low: list[np.ndarray] = field(default_factory=list)
    likely: list[np.ndarray] = field(default_factory=list)
    high: list[np.ndarray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def levels(self) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        return self.low, self.likely, self.high

    def add(self, low: np.ndarray, likely: np.ndarray, high: np.ndarray) -> None:
        for level, spikes in zip(self.levels, (low, likely, high), strict=True):
            level.append(spikes)

    def total(self) -> Band:
        """Spikes of all neurons."""
        return Band(*(float(sum(spikes.sum() for spikes in level)) for level in self.levels))

    def over(self, population: int, neurons: np.ndarray) -> Band:
        """Spikes of `neurons`, each counted as often as it is named there: synaptic events, where they are senders."""
        size = len(self.likely[population])
        times = np.bincount(neurons, minlength=size)
        return Band(*(float(level[population] @ times) for level in self.levels))


def expected(network: Network, steps: int, rates: Rates = UNKNOWN) -> Activity:
    """The activity of a run of `steps`: sources as they say, other neurons as `rates` say or as is assumed."""
    result, assumed = Activity(), []
    duration = steps * network.time_step
    averaged = False
    for population in network.populations:
        known = _known(population, duration, rates)
        averaged |= population.cell == "SpikeSourcePoisson" and not rates.recorded(population, duration)
        if known is not None:
            result.add(known, known, known)
            continue
        assumed.append(population.label)
        spikes = np.full(population.size, duration / 1000.0)
        result.add(0.0 * spikes, USUAL_RATE * spikes, MOST_USUAL_RATE * spikes)
    if averaged:
        result.notes.append("Poisson sources fire as often as their rates say on average")
    if rates.counts:
        result.notes.append(f"neurons fire as often as in {rates.run}")
    if rates.hz is not None:
        result.notes.append(f"neurons of which nothing is recorded fire at {rates.hz:g} Hz, as you say")
    if assumed:
        result.notes.append(
            f"neurons of which nothing is known ({_named(assumed)}) are taken to fire at {USUAL_RATE:g} Hz, at least never,"
            f" at most at {MOST_USUAL_RATE:g} Hz: say how often with --rate, or --like a run that recorded them"
        )
    return result


NAMED = 3


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(f"'{label}'" for label in labels[:NAMED]) + more


def _known(population: Population, duration: float, rates: Rates) -> np.ndarray | None:
    """Spikes of each neuron within `duration` ms, where they are known."""
    if rates.recorded(population, duration):
        return rates.counts[population.label]
    if population.cell == "SpikeSourceArray":
        trains = population.spike_times or [np.empty(0)] * population.size
        return np.array([np.count_nonzero(np.asarray(train) < duration) for train in trains], dtype=float)
    if population.cell == "SpikeSourcePoisson":
        of = {name: np.asarray(values, dtype=float) for name, values in population.parameters.items()}
        begin = of["start"]
        lasts = np.clip(np.minimum(begin + of["duration"], duration) - begin, 0.0, None)
        return of["rate"] * lasts / 1000.0
    if population.label in rates.counts and rates.duration:
        return rates.counts[population.label] * (duration / rates.duration)
    if rates.hz is not None:
        return np.full(population.size, rates.hz * duration / 1000.0)
    return None


class Synapses(Protocol):
    """What sends: a projection, or a part of one on a chip."""

    @property
    def pre(self) -> int: ...

    @property
    def pre_index(self) -> np.ndarray: ...


def events(activity: Activity, synapses: Iterable[Synapses]) -> Band:
    """Synaptic events: every spike once for each synapse it goes over."""
    result = Band(0.0, 0.0, 0.0)
    for part in synapses:
        result += activity.over(part.pre, part.pre_index)
    return result


def counted(network: Network, steps: int, activity: Activity) -> Costs:
    """What a run takes on any target: spikes, synaptic events, updates of neurons."""
    updates = float(steps) * sum(p.size for p in network.populations if not p.is_source)
    learning = [p for p in network.projections if p.plasticity is not None and p.size]
    rows = [
        Cost("spikes", "", activity.total()),
        Cost("synaptic events", "", events(activity, network.projections)),
    ]
    if learning:
        rows.append(Cost("synaptic events of synapses that learn", "", events(activity, learning)))
    rows.append(Cost("updates of neurons", "", Band(updates, updates, updates)))
    return Costs(rows, list(activity.notes))
