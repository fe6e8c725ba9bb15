"""A board's numbers against others: those of the whole-number model of a core, or of another trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.boardtest.trial import Check, Measured, check
from neurodeploy.chips.spinnaker_core import Outcome, simulate
from neurodeploy.models.network import Network

MODEL = "as in the model of a core"

SHOWN = 3
"""Differences that a check names."""


@dataclass
class Comparison:
    """How much was compared, and what differs, in words."""

    compared: int
    differing: int
    first: list[str]

    def check(self, what: str, reference: str) -> Check:
        """Nothing differs, and there was something to compare."""
        expected = f"{self.compared:,} {reference}"
        found = "all equal" if not self.differing else f"{self.differing:,} differ: {'; '.join(self.first)}"
        return check(what, expected, found, self.compared > 0 and self.differing == 0)


def model(measured: Measured) -> Outcome:
    """What the whole-number model of a core says of the trial."""
    return simulate(measured.trial.network, measured.trial.steps)


def spikes(network: Network, found: Outcome, expected: Outcome, populations: list[int]) -> Comparison:
    """Every spike of the populations at these positions."""
    compared, differing, first = 0, 0, []
    for position in populations:
        mine, theirs = (
            set(zip(*(part.tolist() for part in outcome.spikes[position]), strict=True))
            for outcome in (found, expected)
        )
        label = network.populations[position].label
        compared += len(theirs)
        differing += len(mine ^ theirs)
        first += [
            f"'{label}', neuron {neuron}: spike at {step} ms "
            + ("is missing" if (step, neuron) in theirs else "ought not to be there")
            for step, neuron in sorted(mine ^ theirs)[:SHOWN]
        ]
    return Comparison(compared, differing, first[:SHOWN])


def samples(network: Network, found: Outcome, expected: Outcome, wanted: list[tuple[int, str]]) -> Comparison:
    """Every sample of these (population, variable)."""
    compared, differing, first = 0, 0, []
    for position, variable in wanted:
        mine, theirs = found.samples[position, variable], expected.samples[position, variable]
        label = network.populations[position].label
        compared += theirs.size
        if mine.shape != theirs.shape:
            differing += theirs.size
            first.append(f"'{label}': {len(mine)} steps of {variable} instead of {len(theirs)}")
            continue
        apart = np.argwhere(mine != theirs)
        differing += len(apart)
        first += [
            f"'{label}', {variable} of neuron {neuron} at {step} ms: {mine[step, neuron]:.9g} instead of"
            f" {theirs[step, neuron]:.9g}"
            for step, neuron in apart[:SHOWN]
        ]
    return Comparison(compared, differing, first[:SHOWN])


def weights(network: Network, found: np.ndarray, expected: np.ndarray, projection: int) -> Comparison:
    """Every weight of one projection."""
    mine = network.projections[projection]
    apart = np.flatnonzero(found != expected)
    first = [
        f"{mine.pre_index[i]} → {mine.post_index[i]}: {found[i]:.9g} instead of {expected[i]:.9g}"
        for i in apart[:SHOWN]
    ]
    return Comparison(len(expected), len(apart), first)


def recorded(network: Network, variable: str | None = None) -> list[tuple[int, str]]:
    """(population, variable) of all that is recorded: of `variable`, or of everything but spikes."""
    return [
        (entry.population, entry.variable)
        for entry in network.recorded
        if (entry.variable == variable if variable else entry.variable != "spikes")
    ]


def against_model(measured: Measured) -> list[Check]:
    """All spikes and all samples of a trial against the whole-number model."""
    network, said = measured.trial.network, model(measured)
    spiking = [position for position, _ in recorded(network, "spikes")]
    result = [spikes(network, measured.numbers, said, spiking).check(f"{measured.trial.name}: spikes", MODEL)]
    if recorded(network):
        found = samples(network, measured.numbers, said, recorded(network))
        result.append(found.check(f"{measured.trial.name}: samples", MODEL))
    return result
