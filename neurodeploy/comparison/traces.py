"""One side of a comparison: a Network executed on a backend, every spike of it in whole time steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options, Report, Session
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network, Recorded

Protocol = Callable[[Session, int], None]
"""Runs a session for a number of steps, and does on the way what belongs to the model: input, states that are set."""


def straight(session: Session, steps: int) -> None:
    """Nothing on the way."""
    session.run(steps)


@dataclass(frozen=True)
class Side:
    """Where a model is executed, and by whose rules.

    Attributes
    ----------
    backend : str
    options : Options
        Its ``rules`` are set.
    model : str
        The model's name, where a comparison has two.
    """

    backend: str
    options: Options
    model: str = ""

    @property
    def name(self) -> str:
        """What a reader calls it, e.g. ``brian2 (ideal)``."""
        machine = f", {self.options.hardware}" if self.options.hardware else ""
        model = f"{self.model} on " if self.model else ""
        return f"{model}{self.backend} ({self.options.rules}{machine})"


@dataclass
class Traces:
    """What a side did.

    Attributes
    ----------
    side : Side
    network : Network
        As it was executed: with what was recorded.
    steps : int
    report : Report
    spikes : dict of str to (ndarray, ndarray)
        Population -> time steps and neuron numbers, sorted by time, then neuron.
    weights : dict of str to ndarray
        Projection that learns -> weights at the end, in the Network's order.
    samples : dict of (str, int) to ndarray, shape (n_samples,)
        Population and neuron -> v in mV, where it was asked for.
    protocol : Protocol
        How it was run.
    """

    side: Side
    network: Network
    steps: int
    report: Report
    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    weights: dict[str, np.ndarray]
    samples: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    protocol: Protocol = straight


def refuse_early(side: Side, network: Network) -> None:
    """Raise what the backend of `side` would say of its tools or of `network` only when its turn comes."""
    backend = registry.load(side.backend)
    backend.require(side.options)
    backend.check(network, side.options)


def execute(
    side: Side,
    network: Network,
    steps: int,
    watched: Sequence[tuple[str, int]] = (),
    folder: Path | None = None,
    protocol: Protocol = straight,
) -> Traces:
    """Run `network` for `steps` steps on `side`: all spikes, all weights that learn, and v of the `watched` neurons.

    What the backend leaves beside the results (Program, logs, what became of every number) goes to `folder`.

    Raises
    ------
    RequestError
        The machine only maps.
    NeurodeployError
        What the backend says where it cannot execute it.
    """
    step = network.time_step
    recorded = [
        Recorded(position, "spikes", np.arange(population.size, dtype=np.int32), step)
        for position, population in enumerate(network.populations)
    ]
    for label, neuron in watched:
        position = next(i for i, one in enumerate(network.populations) if one.label == label)
        recorded.append(Recorded(position, "v", np.array([neuron], dtype=np.int32), step))
    network = replace(network, recorded=recorded)
    session = registry.load(side.backend).open(network, replace(side.options, folder=folder))
    try:
        protocol(session, steps)
        if session.report.facts.get("mapped_only"):
            raise RequestError(
                f"{side.name} maps a model and runs nothing",
                why="there are no spikes to compare",
                fix="choose another machine: see 'neurodeploy targets'",
            )
        spikes = {}
        for position, population in enumerate(network.populations):
            times, neurons = session.spikes(position)
            spikes[population.label] = (np.rint(times / step).astype(np.int64), neurons.astype(np.int64))
        weights = {
            projection.label: session.weights(position)
            for position, projection in enumerate(network.projections)
            if projection.plasticity is not None
        }
        samples = {
            (network.populations[one.population].label, int(one.neurons[0])): session.samples(
                one.population, "v"
            )[:, 0]
            for one in recorded
            if one.variable == "v"
        }
    finally:
        session.end()
    return Traces(side, network, steps, session.report, spikes, weights, samples, protocol)
