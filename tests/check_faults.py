"""Models that are broken in one way each, and the change that mends them: a table.

Every model is the same sound one, with one thing done to it.  A row says on which backends that is an error, whose it is, a
piece of what must be said, and the mending that what is said asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodeploy.models.modulation import ActivityGate
from neurodeploy.models.network import Injection, Network, Plasticity, Population, Projection, Recorded

ALL = ("brian2", "spinnaker", "loihi")
SIZE = 10
CELL = {
    "cm": 1.0,
    "tau_m": 20.0,
    "tau_refrac": 2.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "i_offset": 0.0,
}
RULE = Plasticity(20.0, 20.0, 0.05, 0.05, "additive", 0.0, 1.0, 1.0)


def cells(label: str = "cells", size: int = SIZE, cell: str = "IF_curr_exp", **given: float) -> Population:
    names = [name for name in CELL if cell != "IF_curr_delta" or not name.startswith("tau_syn")]
    values = {name: np.full(size, given.get(name, CELL[name]), dtype=float) for name in names}
    return Population(label, cell, size, values, {"v": np.full(size, -65.0)})


def conductances(label: str = "cells") -> Population:
    made = cells(label, cell="IF_cond_exp")
    made.parameters |= {"e_rev_E": np.zeros(SIZE), "e_rev_I": np.full(SIZE, -70.0)}
    return made


def izhikevich(label: str = "cells") -> Population:
    values = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 2.0, "i_offset": 0.0}
    start = {"v": np.full(SIZE, -70.0), "u": np.full(SIZE, -14.0)}
    return Population(label, "Izhikevich", SIZE, {n: np.full(SIZE, v) for n, v in values.items()}, start)


def poisson(**given: float) -> Population:
    values = {"rate": 20.0, "start": 0.0, "duration": np.inf} | given
    return Population("source", "SpikeSourcePoisson", SIZE, {n: np.full(SIZE, v) for n, v in values.items()})


def wires(
    weight: Any = 0.5, delay: Any = 1.0, label: str = "wires", receptor: str = "excitatory", **more: Any
):
    pairs = np.arange(SIZE, dtype=np.int32)
    values = [np.broadcast_to(np.asarray(value, dtype=float), SIZE).copy() for value in (weight, delay)]
    return Projection(label, 0, 1, receptor, pairs, pairs.copy(), *values, **more)


def sound() -> Network:
    """Ten array sources onto ten cells, one to one."""
    trains = [np.array([1.0, 5.0 + neuron]) for neuron in range(SIZE)]
    source = Population("source", "SpikeSourceArray", SIZE, spike_times=trains)
    every = np.arange(SIZE, dtype=np.int32)
    recorded = [
        Recorded(0, "spikes", every, 1.0),
        Recorded(1, "spikes", every, 1.0),
        Recorded(1, "v", every, 1.0),
    ]
    return Network(1.0, [source, cells()], [wires()], recorded=recorded)


def varied(low: float, high: float) -> np.ndarray:
    return np.array([high] + [low] * (SIZE - 1))


Change = Callable[[Network], Any]


@dataclass(frozen=True)
class Fault:
    """A way to break the sound model.

    Attributes
    ----------
    name : str
    label : str
        Whose finding it must be: the label of a population or projection; empty for the model.
    says : str
        A piece of the finding.
    breaks, mends : function of a Network
    backends : tuple of str
        Where it is an error.
    options : dict
        Of the examination.
    """

    name: str
    label: str
    says: str
    breaks: Change
    mends: Change
    backends: tuple[str, ...] = ALL
    options: tuple[tuple[str, Any], ...] = ()

    def broken(self) -> Network:
        network = sound()
        self.breaks(network)
        return network

    def mended(self) -> Network:
        network = self.broken()
        self.mends(network)
        return network


def parameter(name: str, value: Any, position: int = 1) -> Change:
    def change(network: Network) -> None:
        network.populations[position].parameters[name] = np.broadcast_to(
            np.asarray(value, float), SIZE
        ).copy()

    return change


def initial(name: str, value: float) -> Change:
    def change(network: Network) -> None:
        network.populations[1].initial_values[name] = np.full(SIZE, value)

    return change


def population(made: Population, position: int = 1) -> Change:
    def change(network: Network) -> None:
        network.populations[position] = deepcopy(made)
        if position == 1:
            network.recorded = [
                r for r in network.recorded if r.population != 1 or len(r.neurons) <= made.size
            ]

    return change


def projection(**given: Any) -> Change:
    def change(network: Network) -> None:
        network.projections[0] = wires(**given)

    return change


def rule(**given: Any) -> Change:
    def change(network: Network) -> None:
        network.projections[0] = wires(plasticity=replace(RULE, **given))

    return change


def index(end: str, value: int) -> Change:
    def change(network: Network) -> None:
        getattr(network.projections[0], f"{end}_index")[3] = value

    return change


def time_step(value: float) -> Change:
    return lambda network: setattr(network, "time_step", value)


def spike_time(value: float) -> Change:
    return lambda network: network.populations[0].spike_times.__setitem__(2, np.array([value]))


def records(*variables: str) -> Change:
    def change(network: Network) -> None:
        network.recorded = [Recorded(1, name, np.arange(SIZE, dtype=np.int32), 1.0) for name in variables]

    return change


def injects(times: Any, amplitudes: Any) -> Change:
    def change(network: Network) -> None:
        given = (np.asarray(times, dtype=float), np.asarray(amplitudes, dtype=float))
        network.injections = [Injection(1, np.arange(SIZE, dtype=np.int32), *given)]

    return change


def both(*changes: Change) -> Change:
    def change(network: Network) -> None:
        for each in changes:
            each(network)

    return change


def beside(**given: Any) -> Change:
    """A second projection between the two populations."""
    return lambda network: network.projections.append(wires(label="more", **given))


def many(rule: Plasticity | None) -> Change:
    """256 synapses from one neuron onto 256: a row of a whole core."""

    def change(network: Network) -> None:
        network.populations[1] = cells(size=256)
        index = np.arange(256, dtype=np.int32)
        ones = np.ones(256)
        network.projections[0] = Projection(
            "wires", 0, 1, "excitatory", np.zeros(256, dtype=np.int32), index, 0.5 * ones, ones, rule
        )

    return change


def wide(delay: float, second: float | None = None) -> Change:
    """256 sources onto 256 cells one to one; with `second`, onto ten other cells as well."""

    def change(network: Network) -> None:
        train = [np.array([1.0])] * 256
        network.populations = [
            Population("source", "SpikeSourceArray", 256, spike_times=train),
            cells(size=256),
        ]
        network.recorded = []
        network.projections = []
        for post, size, late in ((1, 256, delay), (2, SIZE, second)):
            if late is not None:
                index = np.arange(size, dtype=np.int32)
                values = (np.full(size, 0.5), np.full(size, late))
                label = "wires" if post == 1 else "more"
                network.projections.append(
                    Projection(label, 0, post, "excitatory", index, index.copy(), *values)
                )
        if second is not None:
            network.populations.append(cells("others"))

    return change


def end_on_source(network: Network) -> None:
    network.projections[0] = replace(network.projections[0], pre=1, post=0)


def turn_round(network: Network) -> None:
    network.projections[0] = replace(network.projections[0], pre=0, post=1)


NAN, INF = float("nan"), float("inf")
CHIPS = ("spinnaker", "loihi")
BOARD, LAVA = ("spinnaker",), ("loihi",)
ALPHA = cells(cell="IF_curr_alpha")
DELTA = cells(cell="IF_curr_delta")
UNKNOWN = cells(cell="HH_cond_exp")
LEARNS = projection(plasticity=RULE)
SHORT = Plasticity(20.0, 20.0, 0.1, 0.12, "additive", 0.0, 1.0, 1.0)

FAULTS = (
    # parameters that mean nothing anywhere
    Fault("tau_m is NaN", "cells", "tau_m is nan", parameter("tau_m", NAN), parameter("tau_m", 20.0)),
    Fault("tau_m is 0", "cells", "tau_m of neuron 0 is 0", parameter("tau_m", 0.0), parameter("tau_m", 1.0)),
    Fault(
        "tau_m is negative",
        "cells",
        "tau_m of neuron 0 is -5",
        parameter("tau_m", -5.0),
        parameter("tau_m", 5.0),
    ),
    Fault(
        "one tau_m of ten is 0",
        "cells",
        "tau_m of neuron 0",
        parameter("tau_m", varied(20.0, 0.0)),
        parameter("tau_m", 20.0),
    ),
    Fault("cm is 0", "cells", "cm of neuron 0 is 0", parameter("cm", 0.0), parameter("cm", 0.5)),
    Fault("cm is infinite", "cells", "cm is inf", parameter("cm", INF), parameter("cm", 1.0)),
    Fault(
        "tau_syn_E is 0",
        "cells",
        "tau_syn_E of neuron 0 is 0",
        parameter("tau_syn_E", 0.0),
        parameter("tau_syn_E", 1.0),
    ),
    Fault(
        "tau_syn_I is negative",
        "cells",
        "tau_syn_I of neuron 0 is -1",
        parameter("tau_syn_I", -1.0),
        parameter("tau_syn_I", 1.0),
    ),
    Fault(
        "tau_refrac is negative",
        "cells",
        "tau_refrac of neuron 0 is -1",
        parameter("tau_refrac", -1.0),
        parameter("tau_refrac", 0.0),
    ),
    Fault(
        "v_thresh is infinite",
        "cells",
        "v_thresh is inf",
        parameter("v_thresh", INF),
        parameter("v_thresh", -50.0),
    ),
    Fault(
        "i_offset is NaN", "cells", "i_offset is nan", parameter("i_offset", NAN), parameter("i_offset", 0.0)
    ),
    Fault("v starts at NaN", "cells", "v is nan", initial("v", NAN), initial("v", -65.0)),
    Fault("a cell that nothing has", "cells", "HH_cond_exp", population(UNKNOWN), population(cells())),
    Fault("a time step of 0", "", "time step is 0", time_step(0.0), time_step(1.0)),
    Fault("a time step of an hour", "", "time step is 3.6e+06 ms", time_step(3.6e6), time_step(1.0)),
    Fault("a time step of NaN", "", "time step is nan", time_step(NAN), time_step(1.0)),
    # inputs
    Fault("a spike at NaN", "source", "spike time of neuron 2 is nan", spike_time(NAN), spike_time(4.0)),
    Fault("a spike at infinity", "source", "spike time of neuron 2 is inf", spike_time(INF), spike_time(4.0)),
    Fault(
        "a rate of NaN", "source", "rate is nan", population(poisson(rate=NAN), 0), parameter("rate", 20.0, 0)
    ),
    Fault(
        "a negative rate",
        "source",
        "rate of neuron 0 is -3",
        population(poisson(rate=-3.0), 0),
        parameter("rate", 3.0, 0),
    ),
    Fault(
        "a rate of 1e9 Hz",
        "source",
        "1e+09 Hz",
        population(poisson(rate=1e9), 0),
        parameter("rate", 900.0, 0),
    ),
    Fault(
        "a start at NaN",
        "source",
        "start is nan",
        population(poisson(start=NAN), 0),
        parameter("start", 0.0, 0),
    ),
    Fault(
        "a duration of NaN",
        "source",
        "duration is nan",
        population(poisson(duration=NAN), 0),
        parameter("duration", 50.0, 0),
    ),
    Fault(
        "a current of NaN",
        "cells",
        "amplitude 0 of an injected current is nan",
        injects([0.0], [NAN]),
        injects([0.0], [0.5]),
    ),
    Fault(
        "a current at infinity",
        "cells",
        "time 0 of an injected current is inf",
        injects([INF], [0.5]),
        injects([0.0], [0.5]),
    ),
    # synapses
    Fault("a weight of NaN", "wires", "weight nan", projection(weight=varied(0.5, NAN)), projection()),
    Fault("an infinite weight", "wires", "weight inf", projection(weight=varied(0.5, INF)), projection()),
    Fault("a delay of NaN", "wires", "delay nan", projection(delay=varied(1.0, NAN)), projection()),
    Fault(
        "a delay of 0",
        "wires",
        "delay 0 ms is under one time step",
        projection(delay=0.0),
        projection(delay=1.0),
    ),
    Fault("a negative delay", "wires", "delay -2 ms", projection(delay=-2.0), projection(delay=1.0)),
    Fault("a delay of 1e9 ms", "wires", "delay 1e+09 ms is", projection(delay=1e9), projection(delay=50.0)),
    Fault("a neuron that is not there", "wires", "neuron 99", index("post", 99), index("post", 3)),
    Fault("a sender that is not there", "wires", "neuron -1", index("pre", -1), index("pre", 3)),
    Fault("synapses onto a source", "wires", "has no synapses", end_on_source, turn_round),
    # plasticity
    Fault(
        "tau_plus is 0",
        "wires",
        "tau_plus of its plasticity is 0",
        rule(tau_plus=0.0),
        projection(plasticity=SHORT),
    ),
    Fault(
        "A_plus is NaN",
        "wires",
        "A_plus of its plasticity is nan",
        rule(A_plus=NAN),
        projection(plasticity=SHORT),
    ),
    Fault("w_min above w_max", "wires", "w_min 2", rule(w_min=2.0), projection(plasticity=SHORT)),
    Fault(
        "a third factor",
        "wires",
        "third factor",
        projection(gate=ActivityGate(100.0, 20.0, 5.0)),
        projection(),
    ),
    # recordings
    Fault("u of a leaky cell", "cells", "'u'", records("u"), records("v")),
    # what the chips don't have
    Fault(
        "a conductance cell on Loihi",
        "cells",
        "IF_cond_exp",
        population(conductances()),
        population(cells()),
        LAVA,
    ),
    Fault("Izhikevich on Loihi", "cells", "Izhikevich", population(izhikevich()), population(cells()), LAVA),
    Fault(
        "a threshold below reset",
        "cells",
        "v_thresh of neuron 0",
        parameter("v_thresh", -70.0),
        parameter("v_thresh", -50.0),
        LAVA,
    ),
    Fault(
        "100 ms refractory",
        "cells",
        "tau_refrac 100 ms",
        parameter("tau_refrac", 100.0),
        parameter("tau_refrac", 60.0),
        LAVA,
    ),
    Fault(
        "a membrane that never leaks",
        "cells",
        "tau_m 1e+09 ms",
        parameter("tau_m", 1e9),
        parameter("tau_m", 4000.0),
        LAVA,
    ),
    Fault(
        "a current that changes",
        "cells",
        "changes to 1 nA",
        injects([0.0, 5.0], [0.5, 1.0]),
        injects([0.0], [0.5]),
        LAVA,
    ),
    Fault(
        "a plastic delay of 2 steps",
        "wires",
        "delay",
        projection(delay=2.0, plasticity=SHORT),
        projection(plasticity=SHORT),
        LAVA,
    ),
    Fault(
        "a weight above w_max",
        "wires",
        "outside 0 to w_max",
        projection(weight=3.0, plasticity=SHORT),
        projection(plasticity=SHORT),
        LAVA,
    ),
    Fault(
        "a multiplicative rule on Loihi",
        "wires",
        "multiplicative",
        rule(weight_dependence="multiplicative"),
        projection(plasticity=SHORT),
        LAVA,
    ),
    Fault(
        "learning with both signs",
        "wires",
        "both signs",
        projection(weight=varied(0.5, -0.5), plasticity=SHORT),
        projection(plasticity=SHORT),
        LAVA,
    ),
    Fault(
        "100,000 neurons on four chips",
        "",
        "takes 392 cores",
        population(cells(size=100_000)),
        population(cells(size=10_000)),
        BOARD,
    ),
    Fault(
        "256 plastic synapses from a neuron onto a core",
        "wires",
        "at most 254 are possible",
        many(RULE),
        many(None),
        BOARD,
    ),
    Fault(
        "delays that a core's memory can't keep",
        "source",
        "bytes of the core's data memory",
        wide(150.0),
        wide(128.0),
        BOARD,
    ),
    Fault(
        "delays onto targets of two sizes",
        "source",
        "stages of 512",
        wide(100.0, 600.0),
        wide(100.0, 500.0),
        BOARD,
    ),
    Fault("a time step of 0.05 ms", "", "multiple of 0.1 ms", time_step(0.05), time_step(0.1), BOARD),
    Fault(
        "a delay of 5,000 ms",
        "wires",
        "delay of 5000 ms",
        projection(delay=5000.0),
        projection(delay=100.0),
        BOARD,
    ),
    Fault(
        "a weight of 500,000 nA", "wires", "500000", projection(weight=varied(0.5, 5e5)), projection(), BOARD
    ),
    Fault(
        "a conductance of 100 µS",
        "wires",
        "weight 100",
        both(population(conductances()), projection(weight=100.0)),
        projection(weight=0.01),
        BOARD,
    ),
    Fault(
        "1e-5 beside 1000",
        "wires",
        "0 on the chip",
        projection(weight=varied(1e-5, 1000.0)),
        projection(weight=varied(1.0, 1000.0)),
        CHIPS,
    ),
    Fault(
        "a negative excitatory weight",
        "wires",
        "weight of -0.5",
        projection(weight=varied(0.5, -0.5)),
        projection(),
        BOARD,
    ),
    Fault(
        "a positive inhibitory weight",
        "wires",
        "weight of 0.5",
        projection(receptor="inhibitory"),
        projection(weight=-0.5, receptor="inhibitory"),
        BOARD,
    ),
    Fault(
        "two rules on one target",
        "more",
        "different rules",
        both(LEARNS, beside(plasticity=replace(RULE, A_plus=0.2))),
        lambda n: n.projections.pop(),
        BOARD,
    ),
    Fault(
        "a multiplicative rule onto delta",
        "wires",
        "no multiplicative plasticity",
        both(population(DELTA), rule(weight_dependence="multiplicative")),
        rule(),
        BOARD,
    ),
    Fault(
        "half a delay dendritic",
        "wires",
        "dendritic_delay_fraction 0.5",
        rule(dendritic_delay_fraction=0.5),
        rule(),
        BOARD,
    ),
    Fault("A_plus below the grid", "wires", "A_plus", rule(A_plus=1e-6), rule(), BOARD),
    Fault(
        "a plastic delay of a whole ring",
        "wires",
        "multiple of the 512 slots",
        projection(delay=512.0, plasticity=RULE),
        projection(delay=511.0, plasticity=RULE),
        BOARD,
    ),
    Fault(
        "v_rest beyond the chip's numbers",
        "cells",
        "v_rest of neuron 0",
        parameter("v_rest", -70000.0),
        parameter("v_rest", -65.0),
        BOARD,
    ),
    Fault(
        "i_offset below the chip's numbers",
        "cells",
        "i_offset 1e-06 is 0",
        parameter("i_offset", 1e-6),
        parameter("i_offset", 0.0),
        BOARD,
    ),
    Fault(
        "an alpha synapse that the chip loses",
        "cells",
        "of their weight",
        both(population(ALPHA), parameter("tau_syn_E", 0.5)),
        parameter("tau_syn_E", 5.0),
        BOARD,
    ),
    Fault(
        "a current of 100 changes",
        "cells",
        "changes 100 times",
        injects(np.arange(100.0), np.arange(100.0)),
        injects([0.0, 50.0], [0.5, 0.0]),
        BOARD,
    ),
)
