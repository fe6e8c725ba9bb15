r"""A network of trials in Loihi's whole numbers, and nothing else; read by the front end and in Lava's interpreter.

Step k of a trial of `steps`, in this order; at k = 0 currents, voltages, refractory counters and the third factor start anew, and
what is under way is dropped, while weights and traces go on:

.. math::
    u &\leftarrow \mathrm{wrap}_{24}\big(u\,(4095-du)\;//\;4096 + 64 \cdot 2^e \textstyle\sum w\big) \\
    v &\leftarrow \mathrm{clip}_{24}\big(v\,(4096-dv)\;//\;4096 + u\big) \\
    \text{spike} &\iff v > 64\,v_{th} \text{ and not refractory}, \quad\text{then } v \leftarrow 0

A refractory neuron integrates; only its threshold is blocked.  The weights are those of the last step's spikes, as they were in
that step.  Then the neuron sends, each with 7 bits, y1 and y3, and the connection learns:

.. math::
    y_1 &= (Y + 2^{15}) \gg 16, \qquad Y \leftarrow (Y + i\,2^{16}\,[\text{spike}])\,(4096 - dy) \gg 12 \\
    y_3 &= \mathrm{clip}\big((M + 2^{15}) \gg 16,\ 0,\ 127\big) \text{ as sent in the last step}

The third factor is a compartment of its own that counts the last step's spikes:

.. math:: M \leftarrow M\,(4096 - dm)\;//\;4096 + 2^g \textstyle\sum m\,n + b

It imports NumPy and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PLAN, ARRAYS = "trials.json", "trials.npz"

PLAYED = "played.npz"
"""Steps and neurons of what is played, beside the program."""

FRACTION_BITS = 16
"""Bits below one of a trace or third factor that a neuron keeps to itself."""

HALF = 1 << (FRACTION_BITS - 1)

DECAY_BITS = 12

SENT_HIGH = 127
"""Largest value of what is sent as a trace: 7 bits."""


def sent(state: Any) -> np.ndarray:
    """A trace or third factor as it is sent: to nearest, 0 … 127."""
    return np.clip((np.asarray(state, dtype=np.int64) + HALF) >> FRACTION_BITS, 0, SENT_HIGH)


def towards_zero(state: Any, decay: int) -> np.ndarray:
    """What a decay leaves of a whole number."""
    product = np.asarray(state, dtype=np.int64) * ((1 << DECAY_BITS) - decay)
    return np.sign(product) * (np.abs(product) >> DECAY_BITS)


@dataclass
class Connection:
    """The synapses that one population sends to all neurons.

    Attributes
    ----------
    label : str
    driven : bool
        Whether the population is the one that is played; else it is neurons ``first`` … of those that are simulated.
    first : int
    sign_mode : str
        ``"excitatory"``, ``"inhibitory"`` or ``"mixed"``.
    products : list of dict
        Of the change of the weight: ``mantissa``, ``exponent``, ``dependency``, ``factors``.
    impulse : int
        Of x1 and x2.
    tau : float
        Of x1, in steps; x2 lasts for one.
    seed : int
        Of what rounds traces.
    weights : ndarray of int64, shape (neurons, sources)
        At first.
    connected : ndarray of bool
    """

    label: str
    driven: bool
    first: int
    sign_mode: str
    products: list[dict[str, Any]]
    impulse: int
    tau: float
    seed: int
    weights: np.ndarray = field(repr=False)
    connected: np.ndarray = field(repr=False)


@dataclass
class ThirdFactor:
    """The compartment that counts spikes; see the module.

    Attributes
    ----------
    decay, initial, bias, exponent : int
        dm, M at the start of a trial, b and g.
    driven, neurons : ndarray of int64
        m of every played and of every simulated neuron.
    """

    decay: int
    initial: int
    bias: int
    exponent: int
    driven: np.ndarray = field(repr=False)
    neurons: np.ndarray = field(repr=False)


@dataclass
class TrialProgram:
    """Everything of a network of trials but the spikes that are played.

    Attributes
    ----------
    steps : int
        Length of a trial.
    played, size : int
        Neurons that are played, and neurons that are simulated.
    du, dv, vth, refractory, weight_exponent : int
    trace_impulse, trace_decay : int
        i and dy.
    connections : list of Connection
    third : ThirdFactor or None
    """

    steps: int
    played: int
    size: int
    du: int
    dv: int
    vth: int
    refractory: int
    weight_exponent: int
    trace_impulse: int
    trace_decay: int
    connections: list[Connection]
    third: ThirdFactor | None

    def write(self, folder: Path) -> None:
        arrays: dict[str, np.ndarray] = {}

        def kept(value: Any, name: str) -> Any:
            if isinstance(value, np.ndarray):
                arrays[name] = value
                return {"array": name}
            if isinstance(value, dict):
                return {key: kept(inner, f"{name}.{key}") for key, inner in value.items()}
            if isinstance(value, list):
                return [kept(inner, f"{name}.{k}") for k, inner in enumerate(value)]
            return value

        plan = kept(asdict(self), "program")
        (folder / PLAN).write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
        np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]


def read(folder: Path) -> TrialProgram:
    """What :meth:`TrialProgram.write` wrote."""
    with np.load(folder / ARRAYS) as stored:
        arrays = dict(stored)

    def unpacked(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"array"}:
                return arrays[value["array"]]
            return {key: unpacked(inner) for key, inner in value.items()}
        return [unpacked(inner) for inner in value] if isinstance(value, list) else value

    plan = unpacked(json.loads((folder / PLAN).read_text(encoding="utf-8")))
    plan["connections"] = [Connection(**connection) for connection in plan["connections"]]
    plan["third"] = None if plan["third"] is None else ThirdFactor(**plan["third"])
    return TrialProgram(**plan)
