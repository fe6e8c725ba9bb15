"""The whole-number model of a SpiNNaker core against the chip's own programs: every sample, spike and weight equal.

``NEURODEPLOY_TEST_BOARD`` names a board that is already up; otherwise every run starts its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from machine import HOST, needs_machine
from random_networks import random_networks

from neurodeploy.backends.base import Options
from neurodeploy.chips import (
    spinnaker_arithmetic,
    spinnaker_cells,
    spinnaker_core,
    spinnaker_stdp,
    spinnaker_weights,
)
from neurodeploy.chips.spinnaker_core import simulate
from neurodeploy.models.network import Network, Plasticity, Population, Projection, Recorded

EVERY_CELL = ("IF_curr_exp", "IF_cond_exp", "IF_curr_alpha", "IF_curr_delta", "Izhikevich")
AT_ONCE = 28
"""Networks in one run: two cores each, on a board of four chips."""


pytestmark = needs_machine


@dataclass
class Found:
    """What a run brought back, as :class:`neurodeploy.chips.spinnaker_core.Outcome`."""

    network: Network
    steps: int
    spikes: dict
    samples: dict
    weights: dict


def run(network: Network, steps: int) -> Found:
    """Run on the board; what saturates is kept, since that is part of what is compared."""
    from neurodeploy.backends.spinnaker import SpinnakerBackend

    session = SpinnakerBackend(host=HOST, allow_losses=True).open(network, Options(rules="spinnaker"))
    try:
        session.run(steps)
        found = Found(network, steps, {}, {}, {})
        for recorded in network.recorded:
            position, variable = recorded.population, recorded.variable
            if variable == "spikes":
                times, neurons = session.spikes(position)
                found.spikes[position] = np.rint(times / network.time_step).astype(int), neurons
            else:
                found.samples[position, variable] = session.samples(position, variable)
        for position in range(len(network.projections)):
            found.weights[position] = session.weights(position)
    finally:
        session.end()
    return found


def differences(found: Found) -> list[str]:
    """Where the model says something else than the machine, the first of each kind and object."""
    said, labels = simulate(found.network, found.steps), [p.label for p in found.network.populations]
    result = []
    for position, (steps, neurons) in found.spikes.items():
        machine = sorted(zip(steps.tolist(), neurons.tolist(), strict=True))
        model = sorted(zip(*(x.tolist() for x in said.spikes[position]), strict=True))
        if machine != model:
            result.append(f"{labels[position]}: spikes {sorted(set(machine) ^ set(model))[:3]}")
    for (position, variable), machine in found.samples.items():
        model = said.samples[position, variable]
        assert machine.shape == model.shape
        for step, neuron in np.argwhere(machine != model)[:1]:
            pair = machine[step, neuron] * 2**15, model[step, neuron] * 2**15
            result.append(f"{labels[position]}: {variable} of neuron {neuron} at step {step}: {pair}")
    for position, machine in found.weights.items():
        for synapse in np.flatnonzero(machine != said.weights[position])[:1]:
            pair = machine[synapse], said.weights[position][synapse]
            result.append(f"{found.network.projections[position].label}: weight {synapse}: {pair}")
    return result


BATCHES = {
    "static": {"seed": 1, "cells": ("IF_curr_exp",)},
    "static too": {"seed": 2, "cells": ("IF_curr_exp",)},
    "additive": {"seed": 3, "cells": ("IF_curr_exp",), "dependence": "additive", "steps": 80},
    "additive too": {"seed": 4, "cells": ("IF_curr_exp",), "dependence": "additive", "steps": 80},
    "multiplicative": {"seed": 5, "cells": ("IF_curr_exp",), "dependence": "multiplicative", "steps": 80},
    "every cell": {"seed": 6, "cells": EVERY_CELL, "steps": 80},
    "every cell learns": {"seed": 7, "cells": EVERY_CELL, "dependence": "additive", "steps": 80},
    "time step 1.5 ms": {"seed": 8, "cells": EVERY_CELL, "dependence": "additive", "time_step": 1.5},
}


@cache
def batch(name: str) -> Found:
    settings = {"steps": 60, **BATCHES[name]}
    return run(random_networks(count=AT_ONCE, **settings), settings["steps"])


@pytest.mark.parametrize("name", BATCHES)
def test_every_sample_spike_and_weight_is_the_machines(name: str) -> None:
    found = batch(name)
    assert differences(found) == []
    cells = [len(steps) for position, (steps, _) in found.spikes.items() if position % 2]
    assert len(cells) == AT_ONCE and sum(cells) > 80
    plastic = [i for i, p in enumerate(found.network.projections) if p.plasticity]
    learnt = sum(
        np.count_nonzero(np.abs(found.weights[i] - found.network.projections[i].weight) > 0.01)
        for i in plastic
    )
    assert learnt > 20 or not BATCHES[name].get("dependence")


def nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return spinnaker_arithmetic.wrapped((np.asarray(a, dtype=np.int64) * b + (1 << 14)) >> 15)


MUTATIONS = {
    "products rounded to nearest": ("static", spinnaker_cells, "multiply", nearest),
    "decays rounded to nearest": (
        "static",
        spinnaker_cells,
        "decayed",
        lambda value, fraction: (np.asarray(value) * fraction + (1 << 31)) >> 32,
    ),
    "exact exponentials": (
        "static",
        spinnaker_cells,
        "expulr",
        lambda n: np.rint(np.exp(np.asarray(n) / 2**15) * 2**32).astype(np.int64),
    ),
    "one more bit for the sum": (
        "static",
        spinnaker_weights,
        "ring_shift",
        lambda largest, own=spinnaker_weights.ring_shift: own(largest) + 1,
    ),
    "refractory times to nearest": (
        "static",
        spinnaker_cells,
        "refractory_steps",
        lambda tau, dt: np.rint(tau / dt).astype(np.int64),
    ),
    "changes of weights rounded to nearest": ("additive", spinnaker_stdp, "multiply", nearest),
    "traces without rounding down": (
        "additive",
        spinnaker_stdp,
        "traced",
        lambda trace, table, steps: -(-trace * int(table[steps]) >> 11) if 0 <= steps < len(table) else 0,
    ),
    "ties that do not depress": (
        "additive",
        spinnaker_stdp,
        "traced",
        lambda trace, table, steps: (trace * int(table[steps])) >> 11 if 0 < steps < len(table) else 0,
    ),
    "one spike less remembered": ("bursts", spinnaker_core, "HISTORY", 14),
    "no saturation": ("bursts", spinnaker_core, "LARGEST_WEIGHT", 1 << 40),
    "weights drawn up on the host": ("bursts", spinnaker_core, "pattern", lambda *_: "list"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_comparison_notices_another_arithmetic(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, room, function, other = MUTATIONS[mutation]
    found = bursts() if name == "bursts" else batch(name)
    assert differences(found) == []
    monkeypatch.setattr(room, function, other)
    assert differences(found) != []


LIF = {
    "v_rest": -65.0,
    "v_reset": -66.0,
    "v_thresh": -50.0,
    "tau_m": 20.0,
    "cm": 1.0,
    "i_offset": 0.0,
    "tau_refrac": 2.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
}


def lif(label: str, size: int, **changes: object) -> Population:
    parameters = {
        name: np.broadcast_to(np.asarray(value, float), size).copy()
        for name, value in (LIF | changes).items()
    }
    return Population(label, "IF_curr_exp", size, parameters, {"v": np.full(size, -65.0)})


def listed(pre: int, post: int, rows: list, receptor: str = "excitatory", rule=None) -> Projection:
    table = np.array(rows, dtype=float)
    ends = table[:, :2].astype(np.int32)
    return Projection(
        f"{pre} {post} {receptor}",
        pre,
        post,
        receptor,
        ends[:, 0],
        ends[:, 1],
        table[:, 2],
        table[:, 3],
        rule,
    )


@cache
def bursts() -> Found:
    """Saturation, weights drawn up on the chip, long histories, and delays at the end of the ring buffer."""
    steps, draw = 200, np.random.default_rng(9)
    together = Population("together", "SpikeSourceArray", 20, spike_times=[np.arange(3.0, steps, 5)] * 20)
    seldom = Population(
        "seldom", "SpikeSourceArray", 2, spike_times=[np.array([2.0, 100, 199]), np.array([0.0, 40, 198])]
    )
    populations = [
        together,
        lif("saturated", 20, v_thresh=0.0),
        seldom,
        lif("busy", 2, i_offset=9.0, tau_m=4.0, tau_refrac=0.0),
        lif("a power of two", 2, i_offset=1.0),
        lif("a static power of two", 1),
        lif("far", 3, i_offset=0.4),
        lif(
            "refractory", 40, i_offset=2.0, tau_m=5.0, tau_refrac=np.r_[np.arange(20), draw.uniform(0, 6, 20)]
        ),
        lif(
            "extreme",
            8,
            tau_m=[0.1, 0.3, 1, 1000, 30000, 0.05, 3, 2],
            tau_syn_E=[0.05, 0.1, 0.2, 0.5, 1000, 10000, 60000, 5],
            cm=[0.01, 0.1, 5, 1, 20, 1, 1, 1],
            i_offset=0.2,
        ),
    ]
    rule = Plasticity(20.0, 18.0, 0.02, 0.03, "additive", 0.0, 2.0, 1.0)
    crowd = [(i, 0, weight, 2.0 if i else 1.0) for i, weight in enumerate(draw.uniform(2, 3, 20))]
    network = Network(
        1.0,
        populations,
        [
            listed(0, 1, crowd),
            listed(0, 1, [(i, i, -40000.98 / 2**15, 3.0) for i in range(20)], "inhibitory"),
            listed(2, 3, [(0, 0, 0.5, 1), (0, 1, 1.0, 2), (1, 0, 1.5, 8), (1, 1, 0.01, 15)], rule=rule),
            listed(2, 4, [(0, 0, 0.5, 16), (1, 0, 1.0, 4), (1, 1, 0.3, 1)], rule=rule),
            listed(2, 5, [(0, 0, 0.5, 8), (1, 0, 1.0, 4)]),
            listed(2, 6, [(0, 0, 5.0, 120), (1, 1, 1.0, 70), (0, 2, 2.0, 1)]),
            listed(0, 8, [(i, i, 1.5, 1.0 + i) for i in range(8)]),
        ],
    )
    for position, population in enumerate(populations):
        for variable in ("spikes",) if population.is_source else ("spikes", "v", "isyn_exc"):
            everyone = np.arange(population.size, dtype=np.int32)
            network.recorded.append(Recorded(position, variable, everyone, 1.0))
    return run(network, steps)


def test_the_edges_of_the_machine() -> None:
    assert differences(bursts()) == []


@pytest.mark.parametrize("time_step", [0.1, 0.4])
def test_cells_without_synapses_at_short_time_steps(time_step: float) -> None:
    network = random_networks(10, 10, EVERY_CELL, time_step=time_step)
    network.projections.clear()
    for population in network.populations:
        if "i_offset" in population.parameters:
            population.parameters["i_offset"] = population.parameters["i_offset"] + 2.0
    found = run(network, 120)
    assert differences(found) == []
    assert sum(len(steps) for position, (steps, _) in found.spikes.items() if position % 2) > 20
