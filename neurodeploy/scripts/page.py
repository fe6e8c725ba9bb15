"""The report of a run of a script: its spikes, some voltages, what the target did to its numbers, what it took."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.report.page import (
    Band,
    Image,
    Page,
    Raster,
    Section,
    Table,
    Words,
    changes_and_warnings,
    cost_section,
    mapped_section,
    weight_errors,
)

if TYPE_CHECKING:
    from neurodeploy.scripts.application import Simulation

MOST_TRACES = 3
"""Neurons of a population whose voltages are drawn."""

MOST_PANELS = 8
"""Populations whose voltages are drawn."""


def page(
    name: str, simulations: list[Simulation], metrics: dict[str, Any], run: dict[str, Any], folder: Path
) -> Page:
    """The page of a run; pictures go into `folder`."""
    sections = []
    for number, one in enumerate(simulations, 1):
        several = len(simulations) > 1
        sections += _simulation(one, f", simulation {number}" if several else "", number, folder)
    if metrics["notes"]:
        sections.append(Section("Said to another simulator alone", [Words(metrics["notes"])]))
    last = simulations[-1]
    return Page(
        title=name,
        verdict="mapped, not run" if last.mapped_only else "",
        good=None,
        lead=f"Executed by: {metrics['executed_by']} ({last.backend}, {last.rules} rules)."
        f" {last.network.neuron_count:,} neurons, {last.network.synapse_count:,} synapses, {last.duration:g} ms of model time.",
        sections=sections,
        run=run,
        metrics=metrics,
    )


def _simulation(one: Simulation, which: str, number: int, folder: Path) -> list[Section]:
    sections = []
    if one.mapped_only:
        sections.append(mapped_section(one.report.facts, which))
    elif one.spikes:
        sizes = {population.label: population.size for population in one.network.populations}
        bands = [Band(label, sizes[label], {"spikes": spikes}) for label, spikes in one.spikes.items()]
        caption = "Every spike that the script recorded."
        sections.append(
            Section(f"Spikes{which}", [Raster(caption, bands, one.duration, {"spikes": "spikes"})])
        )
    if one.voltages and not one.mapped_only:
        path = folder / ("voltages.png" if not which else f"voltages-{number}.png")
        draw_voltages(one, path)
        sections.append(Section(f"Voltages{which}", [Image(path, "Membrane potentials over time")]))
    if one.weights:
        rows = [
            (label, f"{weights.size:,}", *(f"{value:.5g}" for value in _span(weights)))
            for label, weights in one.weights.items()
        ]
        columns = ("projection", "synapses", "least", "mean", "most")
        sections.append(
            Section(f"Learned weights at the end{which}", [Table(columns, rows, frozenset(columns[1:]))])
        )
    quantisation = one.report.quantisation
    if quantisation is not None:
        sections.append(
            Section(f"Numbers on {quantisation.chip}{which}", [weight_errors(quantisation.weight_errors())])
        )
    sections.append(changes_and_warnings(one.report.changes))
    wall = [(f"wall clock: {part}", f"{seconds:.2f} s") for part, seconds in one.report.wall.items()]
    sections.append(Section(f"What it took{which}", [Table(("what", "amount"), wall, frozenset({"amount"}))]))
    sections.append(cost_section(one.costs))
    return sections


def _span(weights: np.ndarray) -> tuple[float, float, float]:
    return (weights.min(), weights.mean(), weights.max()) if weights.size else (0.0, 0.0, 0.0)


def draw_voltages(one: Simulation, path: Path) -> None:
    """A panel for each population, the first neurons' voltages in it."""
    from matplotlib.figure import Figure

    shown = list(one.voltages.items())[:MOST_PANELS]
    figure = Figure(figsize=(10, 1.6 * len(shown) + 0.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True))
    for panel, (label, (values, neurons, interval)) in zip(panels, shown, strict=True):
        times = np.arange(len(values)) * interval
        for column, neuron in enumerate(neurons[:MOST_TRACES]):
            panel.plot(times, values[:, column], linewidth=0.7, label=f"{neuron}")
        panel.set_ylabel("v, mV")
        panel.set_title(
            f"{label}: {min(len(neurons), MOST_TRACES)} of {len(neurons)} recorded neurons", fontsize=9
        )
    panels[-1].set_xlabel(f"ms; executed by: {one.report.executed_by} ({one.rules} rules)")
    figure.savefig(path, dpi=100)
