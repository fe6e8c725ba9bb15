"""Where two Networks differ: the populations, parameters and synapses, by the user's labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from neurodeploy.models.network import Network, Population, Projection

Labelled = TypeVar("Labelled", Population, Projection)


@dataclass(frozen=True)
class ModelDifference:
    """One thing that is not the same in two Networks.

    Attributes
    ----------
    kind : str
        ``"delay"``, ``"weight"``, ``"synapses"``, ``"plasticity"``, ``"parameter"``, ``"input"`` or ``"structure"``.
    words : str
        Which, and its two values.
    """

    kind: str
    words: str


def differences(first: Network, second: Network) -> list[ModelDifference]:
    """Everything that differs, in the order of the first Network; arrays say how often, and where first."""
    return list(_differences(first, second))


def _differences(first: Network, second: Network) -> Iterator[ModelDifference]:
    if first.time_step != second.time_step:
        yield ModelDifference("structure", f"time step: {first.time_step:g} and {second.time_step:g} ms")
    if first.seed != second.seed:
        yield ModelDifference("input", f"seed: {first.seed} and {second.seed}")
    yield from _by_label("population", first.populations, second.populations, _populations)
    yield from _by_label("projection", first.projections, second.projections, _projections)
    if _injections(first) != _injections(second):
        yield ModelDifference("input", "the injected currents")


def _by_label(
    word: str,
    ones: Sequence[Labelled],
    others: Sequence[Labelled],
    compare: Callable[[Labelled, Labelled], Iterator[ModelDifference]],
) -> Iterator[ModelDifference]:
    mine: dict[str, Labelled] = {one.label: one for one in ones}
    theirs: dict[str, Labelled] = {one.label: one for one in others}
    for label in [*mine, *(name for name in theirs if name not in mine)]:
        if label in mine and label in theirs:
            yield from compare(mine[label], theirs[label])
        else:
            there = "first" if label in mine else "second"
            yield ModelDifference("structure", f"{word} '{label}' is in the {there} model alone")


def _injections(network: Network) -> list[tuple[str, list[int], list[float], list[float]]]:
    labels = [population.label for population in network.populations]
    return [
        (labels[one.population], one.neurons.tolist(), one.times.tolist(), one.amplitudes.tolist())
        for one in network.injections
    ]


def _populations(one: Population, other: Population) -> Iterator[ModelDifference]:
    name = f"population '{one.label}'"
    if (one.cell, one.size) != (other.cell, other.size):
        words = f"{name}: {one.size} {one.cell} and {other.size} {other.cell}"
        yield ModelDifference("structure", words)
        return
    for mine, theirs, what in (
        (one.parameters, other.parameters, ""),
        (one.initial_values, other.initial_values, "initial "),
    ):
        for key in mine:
            yield from _arrays("parameter", f"{name}: {what}{key}", mine[key], theirs.get(key), "neuron {}")
    for neuron, (mine_times, their_times) in enumerate(zip(one.spike_times, other.spike_times, strict=False)):
        if not np.array_equal(mine_times, their_times):
            yield ModelDifference("input", f"{name}: the spike times of neuron {neuron}")
            return


def _projections(one: Projection, other: Projection) -> Iterator[ModelDifference]:
    name = f"projection '{one.label}'"
    if one.receptor != other.receptor or one.plasticity != other.plasticity:
        kind = "structure" if one.receptor != other.receptor else "plasticity"
        mine, theirs = (
            (p.receptor if kind == "structure" else p.plasticity or "static") for p in (one, other)
        )
        yield ModelDifference(kind, f"{name}: {mine} and {theirs}")
    mine, theirs = (np.lexsort((p.delay, p.weight, p.post_index, p.pre_index)) for p in (one, other))
    places = [
        np.column_stack((p.pre_index[order], p.post_index[order]))
        for p, order in ((one, mine), (other, theirs))
    ]
    if not np.array_equal(places[0], places[1]):
        only = {tuple(row) for row in places[0].tolist()} ^ {tuple(row) for row in places[1].tolist()}
        where = f", first {min(only)[0]} → {min(only)[1]}" if only else ""
        yield ModelDifference(
            "synapses", f"{name}: {one.size:,} and {other.size:,} synapses{where} in one alone"
        )
        return
    for kind, unit in (("delay", " ms"), ("weight", "")):
        a, b = getattr(one, kind)[mine], getattr(other, kind)[theirs]
        yield from _arrays(kind, f"{name}: {kind}", a, b, "synapse {}", unit, places[0])


def _arrays(
    kind: str,
    name: str,
    one: np.ndarray,
    other: np.ndarray | None,
    place: str,
    unit: str = "",
    places: np.ndarray | None = None,
) -> Iterator[ModelDifference]:
    if other is None:
        yield ModelDifference(kind, f"{name} is in the first model alone")
        return
    differing = np.flatnonzero(one != other)
    if not len(differing):
        return
    first = differing[0]
    where = place.format(first if places is None else f"{places[first][0]} → {places[first][1]}")
    more = f" (and {len(differing) - 1:,} more)" if len(differing) > 1 else ""
    words = f"{name} of {where}: {one[first]:.10g} and {other[first]:.10g}{unit}{more}"
    yield ModelDifference(kind, words)
