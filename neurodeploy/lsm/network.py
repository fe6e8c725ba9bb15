r"""The frozen liquid in PyNN's calls alone: its formed weights on ``IF_curr_exp``, its input as spike trains.

    v ← v (1 − 1/64) + i,   i ← i / e + Σ w of the spikes that arrive,   spike where v ≥ 20, then v ← 0 for two steps

A chip solves :math:`\tau_m \dot v = -v + R i` for a current that is constant over a step and multiplies what arrives by
:math:`(\tau/dt)(1 - e^{-dt/\tau})`; τ_m, the capacitance and the weights are chosen so that both come out as the model's step.

Two things of the model no chip has: neurons here rest while they are refractory (the model's integrate), and a source's
spikes add up (in the model a new one replaces what is left of the last).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.lsm.model import CELL as MODEL
from neurodeploy.lsm.model import INPUT, TIME_STEP_MS, W_MAX
from neurodeploy.models.network import Network

_LEAK = TIME_STEP_MS / MODEL["tau_m"]
"""Share of v that a step of the model loses."""

TAU_M = -TIME_STEP_MS / math.log1p(-_LEAK)
"""ms, 63.5: a chip's :math:`e^{-dt/\\tau_m}` is the model's 1 - 1/64."""

CELL = MODEL | {"tau_m": TAU_M, "cm": TAU_M * _LEAK * MODEL["cm"] / TIME_STEP_MS}

GAIN = MODEL["tau_syn_E"] / TIME_STEP_MS * -math.expm1(-TIME_STEP_MS / MODEL["tau_syn_E"])
"""What a chip multiplies a weight by, 0.632."""

LIQUID = "liquid"
"""Label of its population."""

SMALLEST = W_MAX / 256
"""Synapses with smaller weights are left out: in eight bits they may be 0, and a chip would refuse them."""


@dataclass(frozen=True)
class Frozen:
    """A liquid whose weights no longer change; excitatory neurons come first.

    Attributes
    ----------
    inputs, neurons, excitatory : int
    input_pre, input_post, input_weight : ndarray
        Synapses from inputs, of either sign.
    pre, post, weight : ndarray
        Synapses within the liquid.
    left_out : int
        Synapses below :data:`SMALLEST`.
    """

    inputs: int
    neurons: int
    excitatory: int
    input_pre: np.ndarray
    input_post: np.ndarray
    input_weight: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    left_out: int

    @property
    def synapses(self) -> int:
        return len(self.input_weight) + len(self.weight)


def freeze(network: Network) -> Frozen:
    """The liquid of :func:`neurodeploy.lsm.model.build`, with whatever weights it has now."""
    sizes = [population.size for population in network.populations]
    first = [0, 0, sizes[1]]
    rows: dict[bool, list[tuple[np.ndarray, ...]]] = {True: [], False: []}
    left_out = 0
    for p in network.projections:
        kept = np.abs(p.weight) >= SMALLEST
        left_out += int(np.count_nonzero(~kept))
        row = (p.pre_index[kept] + first[p.pre], p.post_index[kept] + first[p.post], p.weight[kept])
        rows[p.pre == INPUT].append(row)
    inputs, within = (
        tuple(np.concatenate(column) for column in zip(*rows[k], strict=True)) for k in (True, False)
    )
    return Frozen(
        sizes[INPUT],
        sum(sizes[1:]),
        sizes[1],
        input_pre=inputs[0],
        input_post=inputs[1],
        input_weight=inputs[2],
        pre=within[0],
        post=within[1],
        weight=within[2],
        left_out=left_out,
    )


def build(sim: Any, liquid: Frozen, trains: Sequence[np.ndarray]) -> tuple[Any, Any]:
    """The input's source and the liquid in the PyNN simulator `sim`, which is set up with a step of 1 ms.

    Parameters
    ----------
    sim : module
    liquid : Frozen
    trains : sequence of ndarray
        Times of the spikes of every input neuron, ms.

    Returns
    -------
    (Population, Population)
        ``input`` and ``liquid``, whose spikes are recorded.
    """
    source = sim.Population(liquid.inputs, sim.SpikeSourceArray(spike_times=list(trains)), label="input")
    neurons = sim.Population(liquid.neurons, sim.IF_curr_exp(**CELL), label=LIQUID)
    neurons.initialize(v=CELL["v_rest"])
    neurons.record("spikes")
    groups = (
        ("input", source, (liquid.input_pre, liquid.input_post, liquid.input_weight)),
        ("liquid", neurons, (liquid.pre, liquid.post, liquid.weight)),
    )
    for name, population, (pre, post, weight) in groups:
        for receptor, mine in (("excitatory", weight > 0), ("inhibitory", weight < 0)):
            if not mine.any():
                continue
            rows = np.column_stack(
                [pre[mine], post[mine], weight[mine] / GAIN, np.full(mine.sum(), TIME_STEP_MS)]
            )
            sim.Projection(
                population,
                neurons,
                sim.FromListConnector(rows, column_names=["weight", "delay"]),
                synapse_type=sim.StaticSynapse(),
                receptor_type=receptor,
                label=f"{name}, {receptor}",
            )
    return source, neurons


def densest(inputs: int, steps: int) -> list[np.ndarray]:
    """Trains as dense as an input neuron can spike: what a chip must make room for, whatever the images are."""
    interval = round(MODEL["tau_refrac"] / TIME_STEP_MS) + 1
    return [np.arange(0, steps, interval) * TIME_STEP_MS] * inputs
