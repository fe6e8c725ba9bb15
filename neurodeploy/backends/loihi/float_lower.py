r"""From a Network under SpiNNaker's tick rules to what Lava's floating point executes: the exact reference, which no chip runs.

Once a step a stock ``LIFRefractory`` does :math:`u \leftarrow u(1-du)+a,\; v \leftarrow v(1-dv)+u+b` and fires where
:math:`v > v_{th}`.  That is SpiNNaker's tick for a cell with one synaptic time constant, or with none (du = 1), voltages
measured from ``v_reset``, each weight multiplied by what 1 nA does to v in the tick it arrives, and the largest number below
the threshold for the threshold.  What stock Lava lacks is the pair rule: its learning reads weights before it changes them.
A connection of our own has it (``lava_processes/pair_synapses.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.backends.loihi.inputs import array_source
from neurodeploy.backends.loihi.program import FloatCells, FloatSynapses, LoihiProgram, Units
from neurodeploy.backends.lowering import refuse, split_delay, whole_delays
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Network, Population, Projection

CELLS = ("IF_curr_exp", "IF_curr_delta")
RECORDABLE = ("spikes", "v")
ELSEWHERE = "use --backend brian2 --rules spinnaker, which computes the same ticks"


@dataclass(frozen=True)
class PairLearning:
    """The additive pair rule as a connection computes it.

    Attributes
    ----------
    a_plus, a_minus : float
        What a whole trace changes the weight by, nA.
    keep_plus, keep_minus : float
        What is left of a pre- and of a postsynaptic trace a step later.
    w_min, w_max : float
        nA.
    """

    a_plus: float
    a_minus: float
    keep_plus: float
    keep_minus: float
    w_min: float
    w_max: float


def lower(network: Network) -> LoihiProgram:
    """`network` as a Program in floating point.

    Raises
    ------
    UnsupportedError
        What a ``LIFRefractory`` and the connections can't say, by the user's label.
    """
    refuse(network)
    program = LoihiProgram(chip="", time_step=network.time_step)
    if network.injections:
        label = network.populations[network.injections[0].population].label
        raise _unsupported(
            f"Population '{label}' has an injected current", "a LIFRefractory has a bias alone"
        )
    gains: list[np.ndarray | None] = []
    for position, population in enumerate(network.populations):
        if population.cell == "SpikeSourceArray":
            program.groups.append(array_source(network, position, program.changes))
            program.units.append(None)
            gains.append(None)
            continue
        cells, gain = _cells(population, network.time_step)
        program.groups.append(cells)
        one = np.ones(population.size)
        program.units.append(Units(v_zero=population.parameters["v_reset"], v_scale=one, i_scale=one))
        gains.append(gain)
    for number, projection in enumerate(network.projections):
        if gains[projection.post] is not None and projection.size:
            program.synapses.append(
                _synapses(network, number, projection, gains[projection.post], program.changes)
            )
    for recorded in network.recorded:
        if recorded.variable not in RECORDABLE:
            label = network.populations[recorded.population].label
            raise _unsupported(
                f"Population '{label}': {recorded.variable} is recorded", "spikes and v can be"
            )
        neurons = np.asarray(recorded.neurons, dtype=np.int64)
        program.recorded.append((recorded.population, recorded.variable, neurons))
    return program


def _unsupported(what: str, why: str) -> UnsupportedError:
    return UnsupportedError(f"{what}; Lava's floating point does not run that here", why=why, fix=ELSEWHERE)


def _cells(population: Population, time_step: float) -> tuple[FloatCells, np.ndarray]:
    """A population, and what 1 nA does to v, mV, in the step it arrives."""
    if population.cell not in CELLS:
        raise _unsupported(
            f"Population '{population.label}' is {population.cell}",
            f"a LIFRefractory is {' or '.join(CELLS)}; spikes come from a SpikeSourceArray",
        )
    label, given = f"Population '{population.label}'", population.parameters
    values = SPINNAKER.cell(population.cell, population.label).coefficients(given, time_step)
    if population.cell == "IF_curr_delta":
        kept_of_current, gain = np.zeros(population.size), values["gain"]
    else:
        kept_of_current, gain = values["decay_exc"], values["gain_exc"] * values["v_from_exc"]
        if np.any(given["tau_syn_E"] != given["tau_syn_I"]):
            raise _unsupported(f"{label}: tau_syn_E and tau_syn_I differ", "a LIFRefractory has one current")
    if np.any(given["v_thresh"] <= given["v_reset"]):
        raise _unsupported(f"{label}: v_thresh is not above v_reset", "it would fire while it is refractory")
    if any(np.any(population.initial_values.get(name, 0.0)) for name in ("isyn_exc", "isyn_inh")):
        raise _unsupported(f"{label} has an initial synaptic current", "a LIFRefractory starts without one")
    v_reset = given["v_reset"]
    initial = np.broadcast_to(population.initial_values.get("v", given["v_rest"]), population.size)
    cells = FloatCells(
        label=population.label,
        size=population.size,
        du=1.0 - kept_of_current,
        dv=1.0 - values["v_from_v"],
        vth=np.nextafter(given["v_thresh"] - v_reset, -np.inf),
        bias=values["v_constant"] - (1.0 - values["v_from_v"]) * v_reset,
        refractory=SPINNAKER.refractory_steps(given["tau_refrac"], time_step).astype(np.int64),
        v=np.asarray(initial, dtype=float) - v_reset,
    )
    return cells, gain


def _synapses(
    network: Network, number: int, projection: Projection, gain: np.ndarray | None, changes: list[str]
) -> FloatSynapses:
    assert gain is not None
    delay = whole_delays(network, projection, changes)
    learning = None
    if projection.plasticity is not None:
        rule = projection.plasticity
        split_delay(projection, rule, delay, SPINNAKER, changes, at_least=0)
        if rule.weight_dependence != "additive" or projection.receptor != "excitatory":
            raise _unsupported(
                f"Projection '{projection.label}': its rule is {rule.weight_dependence}, on {projection.receptor} synapses",
                "the connection has the additive rule on excitatory synapses",
            )
        assert not SPINNAKER.pair_rule.amplitude_times_w_max
        learning = PairLearning(
            a_plus=rule.A_plus,
            a_minus=rule.A_minus,
            keep_plus=float(np.exp(-network.time_step / rule.tau_plus)),
            keep_minus=float(np.exp(-network.time_step / rule.tau_minus)),
            w_min=rule.w_min,
            w_max=rule.w_max,
        )
    return FloatSynapses(
        label=projection.label,
        projection=number,
        pre=projection.pre,
        post=projection.post,
        pre_index=np.asarray(projection.pre_index, dtype=np.int64),
        post_index=np.asarray(projection.post_index, dtype=np.int64),
        weight=np.asarray(projection.weight, dtype=float),
        gain=gain[projection.post_index],
        delay=delay.astype(np.int64),
        learning=learning,
    )
