"""One target cell driven by array sources: the smallest Networks that show a rule at work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.backends.base import Session
from neurodeploy.backends.registry import load
from neurodeploy.models.network import Injection, Network, Plasticity, Population, Projection, Recorded

LIF = {
    "v_rest": -65.0,
    "v_reset": -68.0,
    "v_thresh": -52.0,
    "tau_m": 12.0,
    "cm": 0.8,
    "i_offset": 0.3,
    "tau_refrac": 1.3,
}
EXPONENTIAL = {**LIF, "tau_syn_E": 2.5, "tau_syn_I": 6.0}
PARAMETERS = {
    "IF_curr_exp": EXPONENTIAL,
    "IF_curr_alpha": EXPONENTIAL,
    "IF_curr_delta": LIF,
    "IF_cond_exp": {**EXPONENTIAL, "e_rev_E": 0.0, "e_rev_I": -80.0},
    "Izhikevich": {"a": 0.03, "b": 0.2, "c": -60.0, "d": 4.0, "i_offset": 0.004},
}
WEIGHTS = {  # excitatory, inhibitory: enough for some spikes
    "IF_curr_exp": (4.0, -2.0),
    "IF_curr_alpha": (2.5, -1.5),
    "IF_curr_delta": (7.0, -4.0),
    "IF_cond_exp": (0.12, 0.08),
    "Izhikevich": (9.0, -5.0),
}


def cells(cell: str, size: int = 1, label: str = "cells", **changes: float) -> Population:
    """`size` like cells with the parameters of this file."""
    parameters = {name: np.full(size, value) for name, value in (PARAMETERS[cell] | changes).items()}
    start = {"v": np.full(size, -62.0)}
    if cell == "Izhikevich":
        start["u"] = np.full(size, -12.0)
    return Population(label, cell, size, parameters, start)


def source(*spike_times: Sequence[float], label: str = "source") -> Population:
    """An array source, one neuron a list of times in ms."""
    trains = [np.array(times, float) for times in spike_times]
    return Population(label, "SpikeSourceArray", len(trains), spike_times=trains)


def synapses(
    pre: int,
    post: int,
    rows: Sequence[tuple[int, int, float, float]],
    receptor: str = "excitatory",
    plasticity: Plasticity | None = None,
    label: str | None = None,
) -> Projection:
    """Synapses from rows (pre, post, weight, delay in ms)."""
    table = np.array(rows, dtype=float).reshape(-1, 4)
    pre_index, post_index = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
    name = label or f"{pre}→{post} {receptor}"
    return Projection(name, pre, post, receptor, pre_index, post_index, table[:, 2], table[:, 3], plasticity)


def record(network: Network, population: int, *variables: str, interval: float | None = None) -> None:
    """Record variables of all neurons of a population."""
    neurons = np.arange(network.populations[population].size, dtype=np.int32)
    for variable in variables:
        network.recorded.append(Recorded(population, variable, neurons, interval or network.time_step))


def driven(
    cell: str,
    time_step: float,
    excitatory: Sequence[float],
    inhibitory: Sequence[float],
    delay: float,
    injected: tuple[Sequence[float], Sequence[float]] = ((), ()),
    **changes: float,
) -> Network:
    """One cell that gets spikes on both receptors and an injected step current; v and spikes are recorded."""
    weight_exc, weight_inh = WEIGHTS[cell]
    network = Network(
        time_step,
        [source(excitatory, inhibitory), cells(cell, **changes)],
        [
            synapses(0, 1, [(0, 0, weight_exc, delay)], "excitatory"),
            synapses(0, 1, [(1, 0, weight_inh, delay)], "inhibitory"),
        ],
    )
    if len(injected[0]):
        network.injections.append(Injection(1, np.array([0]), np.array(injected[0]), np.array(injected[1])))
    record(network, 0, "spikes")
    record(network, 1, "spikes", "v")
    return network


def opened(network: Network, target, rules: str, **more) -> Session:
    return load(target.backend).open(network, target.options(rules, **more))
