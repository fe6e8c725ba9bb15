"""Parts of the Networks that are put on the board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.models.network import Network, Plasticity, Population, Projection, Recorded

TIME_STEP = 1.0
"""ms of every test."""

FAST = {
    "v_rest": -60.0,
    "v_reset": -60.0,
    "v_thresh": -57.0,
    "tau_m": 3.0,
    "cm": 0.27,
    "i_offset": 0.0,
    "tau_refrac": 1.0,
    "tau_syn_E": 0.3,
    "tau_syn_I": 0.3,
}
"""``IF_curr_exp`` that spikes once, in the step in which a strong spike arrives, and is at rest again some 30 steps later."""

ONE_SPIKE = 6.0
"""nA onto a cell of :data:`FAST`: fires it from rest (3.3 nA would do), once."""


def source(label: str, spike_times: Sequence[Sequence[float] | np.ndarray]) -> Population:
    """An array source, one neuron a list of times in ms."""
    return Population(
        label,
        "SpikeSourceArray",
        len(spike_times),
        spike_times=[np.array(times, dtype=float) for times in spike_times],
    )


def cells(label: str, size: int, cell: str = "IF_curr_exp", **values: object) -> Population:
    """`size` cells, by default of :data:`FAST`, at rest at first; values are one for all, or one each."""
    chosen = ({**FAST, **values} if cell == "IF_curr_exp" else values).items()
    parameters = {
        name: np.broadcast_to(np.asarray(value, dtype=float), size).copy() for name, value in chosen
    }
    rest = parameters["v_rest"] if "v_rest" in parameters else parameters["c"]
    return Population(label, cell, size, parameters, {"v": rest.copy()})


def synapses(
    network: Network,
    pre: str,
    post: str,
    rows: Sequence[Sequence[float]] | np.ndarray,
    receptor: str = "excitatory",
    rule: Plasticity | None = None,
) -> None:
    """Add synapses from rows (pre, post, weight in nA or µS, delay in ms)."""
    positions = {population.label: number for number, population in enumerate(network.populations)}
    table = np.array(rows, dtype=float).reshape(-1, 4)
    ends = table[:, :2].astype(np.int32)
    network.projections.append(
        Projection(
            f"{pre} → {post}, {receptor}" + (", plastic" if rule else ""),
            positions[pre],
            positions[post],
            receptor,
            ends[:, 0],
            ends[:, 1],
            table[:, 2],
            table[:, 3],
            rule,
        )
    )


def record(network: Network, label: str, *variables: str) -> None:
    """Record variables of all neurons of a population, in every step."""
    position = next(i for i, population in enumerate(network.populations) if population.label == label)
    neurons = np.arange(network.populations[position].size, dtype=np.int32)
    network.recorded += [Recorded(position, variable, neurons, TIME_STEP) for variable in variables]
