"""The memory as a network: every number of the model, and `build`, which states it in PyNN.

The model is the content-addressable memory of hippocampal CA3 by Casanueva-Morato et al. 2024
(Neural Networks 178:106474).  It holds at most one item a cue: a cue (one of m, one-hot) together
with a content (any subset of n elements).  Stage 1 (S1) recalls a content from its cue; stage 2 (S2)
recalls every cue from any element of its content.  Both stages learn by spike-timing-dependent
plasticity, online, from the spikes of the operations alone.

All numbers are those of the authors' published code (its network configuration file); the names of the
populations are those of the published rasters, with input and output split into cue and content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.errors import RequestError, did_you_mean

TIME_STEP_MS = 1.0
"""The model exists on a 1 ms grid only: its gates compare spikes of the same tick (authors' code)."""

RESTING_MV = -60.0
"""Resting, reset and initial membrane potential of every cell, mV (authors' code)."""

_LEAKY = {
    "cm": 0.27,
    "tau_m": 3.0,
    "tau_refrac": 1.0,
    "tau_syn_E": 0.3,
    "tau_syn_I": 0.3,
    "v_rest": RESTING_MV,
    "v_reset": RESTING_MV,
    "v_thresh": -57.0,
    "i_offset": 0.0,
}

CELLS: dict[str, dict[str, float]] = {
    "slow": _LEAKY,
    "fast": _LEAKY | {"cm": 0.14, "tau_m": 0.5},
    "output": _LEAKY | {"v_thresh": -57.5},
}
"""Parameters of the three kinds of ``IF_curr_exp`` cell, in PyNN's units (nF, ms, mV, nA).

``slow`` and ``fast`` are the authors' network configuration; ``output`` (a slow cell with a threshold
0.5 mV lower) is the output population of their test script.
"""

FIRING_THRESHOLD_NA = 3.358
"""The smallest single weight, nA, that fires a resting ``fast`` cell at SpiNNaker's 1 ms tick.

From the cells above: a spike of w nA lifts a fast cell by 0.8934 mV per nA in the tick in which it arrives,
and 3 mV are needed.  A ``slow`` cell needs 3.292 nA.  A weight below it is 'zero' for a lone spike.
"""


class PopulationRow(NamedTuple):
    """One line of `POPULATIONS`: a name, what its neurons stand for, and its kind of cell."""

    name: str
    one_for_each: str
    cell: str


POPULATIONS = (
    PopulationRow("IN_cue", "cue", "source"),
    PopulationRow("IN_content", "content", "source"),
    PopulationRow("S1cue", "cue", "slow"),
    PopulationRow("S1cont", "content", "slow"),
    PopulationRow("cond", "content", "fast"),
    PopulationRow("int", "memory", "fast"),
    PopulationRow("S2cue", "cue", "fast"),
    PopulationRow("S2cont", "content", "slow"),
    PopulationRow("mcue", "cue", "slow"),
    PopulationRow("mcont", "content", "slow"),
    PopulationRow("OUT_cue", "cue", "output"),
    PopulationRow("OUT_content", "content", "output"),
)
"""The populations, in the order of the published rasters.

``cond`` is the gate that lets S1cont into stage 2 unless a cue recalled it; ``int`` reopens that gate for
the old content while a cue is learned anew, so that stage 2 can forget it too.
"""

POPULATION_NAMES = tuple(row.name for row in POPULATIONS)


class ProjectionRow(NamedTuple):
    """One line of `PROJECTIONS`; the weight is a magnitude in nA, the delay is in ms.

    With `per_content` the weight is multiplied by the number of content elements n: up to n content
    cells may push one S2cue cell at once, and the inhibition has to match them all.
    """

    source: str
    target: str
    connector: str
    weight: float
    delay: float
    receptor: str = "excitatory"
    per_content: bool = False
    plastic: bool = False

    @property
    def label(self) -> str:
        """The label of the projection; the two S1cue→S2cue differ in their receptor."""
        suffix = " (inhibitory)" if self.receptor == "inhibitory" else ""
        return f"{self.source}→{self.target}{suffix}"


PROJECTIONS = (
    ProjectionRow("IN_cue", "S1cue", "one-to-one", 6.0, 1.0),
    ProjectionRow("IN_content", "S1cont", "one-to-one", 6.0, 1.0),
    ProjectionRow("S1cue", "S1cont", "all-to-all", 0.0, 1.0, plastic=True),
    ProjectionRow("S1cue", "S2cue", "one-to-one", 6.0, 2.0),
    ProjectionRow("S1cue", "S2cue", "all-except-same-index", 6.0, 3.0, "inhibitory", per_content=True),
    ProjectionRow("S1cue", "cond", "all-to-all", 6.0, 2.0, "inhibitory"),
    ProjectionRow("S1cont", "cond", "one-to-one", 9.0, 1.0),
    ProjectionRow("S1cont", "int", "all-to-all", 6.0, 1.0),
    ProjectionRow("int", "cond", "all-to-all", 2.0, 1.0),
    ProjectionRow("cond", "S2cont", "one-to-one", 6.0, 1.0),
    ProjectionRow("S2cont", "S2cue", "all-to-all", 0.0, 1.0, plastic=True),
    ProjectionRow("S2cue", "S2cue", "all-except-same-index", 6.0, 2.0, "inhibitory", per_content=True),
    ProjectionRow("S1cue", "mcue", "one-to-one", 6.0, 3.0),
    ProjectionRow("S2cue", "mcue", "one-to-one", 6.0, 1.0),
    ProjectionRow("S1cont", "mcont", "one-to-one", 6.0, 3.0),
    ProjectionRow("S2cont", "mcont", "one-to-one", 6.0, 1.0),
    ProjectionRow("mcue", "OUT_cue", "one-to-one", 6.0, 1.0),
    ProjectionRow("mcont", "OUT_content", "one-to-one", 6.0, 1.0),
)
"""The eighteen projections of the authors' code, in its order."""

PLASTICITY = {
    "tau_plus": 3.0,
    "tau_minus": 3.0,
    "A_plus": 6.0,
    "A_minus": 6.0,
    "w_min": 0.0,
    "w_max": 6.0,
}
"""The pair rule of both plastic projections: time constants in ms, the rest in nA (authors' code).

``A_plus`` and ``A_minus`` are plain nA, as sPyNNaker 7 takes them: Δw = ±6 nA times the trace.  Simulators that
multiply them by ``w_max`` (sPyNNaker up to 6, pyNN.nest and pyNN.brian2) do another model with the same numbers.
"""


@dataclass(frozen=True)
class Circuit:
    """The memory's tables for one kind of chip.

    Attributes
    ----------
    name : str
    cells : dict of str to dict
        Parameters by kind of cell, as `CELLS`.
    populations : tuple of PopulationRow
    projections : tuple of ProjectionRow
    plasticity : dict
        As `PLASTICITY`.
    safe_spacing : dict of str to int
        Spacing between the starts of operations, ms, from which random sequences are answered without error.
    queries_leave_traces : bool
        Whether a content query of several elements changes the learned weights.
    """

    name: str
    cells: Mapping[str, Mapping[str, float]]
    populations: tuple[PopulationRow, ...]
    projections: tuple[ProjectionRow, ...]
    plasticity: Mapping[str, float]
    safe_spacing: Mapping[str, int]
    queries_leave_traces: bool


PUBLISHED = Circuit(
    "published",
    CELLS,
    POPULATIONS,
    PROJECTIONS,
    PLASTICITY,
    safe_spacing={"without re-learning": 12, "with re-learning": 16},
    queries_leave_traces=True,
)
"""The authors' circuit.  Its safe spacing was measured in 40 random sequences of 60 operations, single-element queries, 10
content elements of density 0.4; the authors' own stress test uses 14 ms."""

PLASTIC_LABELS = {"forward": "S1cue→S1cont", "backward": "S2cont→S2cue"}
"""The two learned projections: cue to content, and content to cue."""


@dataclass
class Memory:
    """A memory that stands in a simulator: its PyNN objects by name.

    Attributes
    ----------
    cues, contents : int
        The number of cues m and of content elements n.
    populations : dict of str to Population
        By the names of `POPULATION_NAMES`.
    projections : dict of str to Projection
        By their labels, such as ``"S1cue→S1cont"``.
    forward, backward : Projection
        The learned projections: S1cue→S1cont (recall by cue) and S2cont→S2cue (recall by content).
    """

    cues: int
    contents: int
    populations: dict[str, Any]
    projections: dict[str, Any]
    forward: Any
    backward: Any


def check_sizes(cues: int, contents: int) -> None:
    """Raise `RequestError` unless both `cues` and `contents` are whole numbers of at least 1."""
    for name, value in (("cues", cues), ("contents", contents)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise RequestError(
                f"The memory's number of {name} is {value!r}; it has to be a whole number of at least 1.",
                why="a memory without cues or without content elements can hold no item",
                fix=f"give {name} as 1 or more",
            )


def population_size(row: PopulationRow, cues: int, contents: int) -> int:
    """Neurons of one population: m, n or 1."""
    return {"cue": cues, "content": contents, "memory": 1}[row.one_for_each]


def neuron_count(cues: int, contents: int, circuit: Circuit = PUBLISHED) -> int:
    """Neurons with input and output: 5m + 6n + 1, of which 2(m + n) are input and output."""
    return sum(population_size(row, cues, contents) for row in circuit.populations)


def synapse_count(cues: int, contents: int, circuit: Circuit = PUBLISHED) -> int:
    """Synapses with those of input and output: 3mn + 2m(m − 1) + 5m + 8n in the published circuit, of which 2mn are plastic."""
    sizes = {row.name: population_size(row, cues, contents) for row in circuit.populations}
    counts: dict[str, Callable[[int, int], int]] = {
        "one-to-one": lambda pre, post: pre,
        "all-to-all": lambda pre, post: pre * post,
        "all-except-same-index": lambda pre, post: pre * post - pre,
    }
    return sum(counts[row.connector](sizes[row.source], sizes[row.target]) for row in circuit.projections)


def build(
    sim: Any,
    cues: int,
    contents: int,
    cue_spikes: Sequence[Sequence[float]],
    content_spikes: Sequence[Sequence[float]],
    learned: Mapping[str, Sequence[tuple[int, int, float, float]]] | None = None,
    dendritic_delay_fraction: float = 1.0,
    circuit: Circuit = PUBLISHED,
) -> Memory:
    """Build the memory of m = `cues` and n = `contents` in PyNN calls alone, recording every spike.

    Casanueva-Morato et al. 2024, Neural Networks 178:106474, and the authors' published code.

    Parameters
    ----------
    sim : module
        A PyNN simulator, already set up with a time step of 1 ms.
    cues, contents : int
        The number of cues m and of content elements n; each at least 1.
    cue_spikes, content_spikes : sequence of sequence of float
        Input spike times in ms, one sequence for each cue and for each content element
        (see `neurodeploy.cam.operations.spike_times`).
    learned : mapping, optional
        Weights to start from: ``"forward"`` (S1cue→S1cont) and ``"backward"`` (S2cont→S2cue), each a
        sequence of (pre, post, weight in nA, delay in ms).  A synapse that is not listed starts at 0 nA.
    dendritic_delay_fraction : float
        The share of the plastic synapses' delay that lies in the dendrite.  The model needs 1.0 (the whole
        delay; sPyNNaker's convention) and learns nothing without it.  pyNN.brian2 has no dendritic delays and
        accepts only 0: enough to compare synapse lists, not to run the memory.
    circuit : Circuit
        The tables to build from.

    Returns
    -------
    Memory

    Notes
    -----
    Inhibitory weights are negative, as PyNN has them on current-based cells.  With a single cue the two
    lateral inhibitions have no synapse, and are left out.
    """
    check_sizes(cues, contents)
    spikes = {"IN_cue": list(cue_spikes), "IN_content": list(content_spikes)}
    starting = _starting_weights(learned or {}, cues, contents, circuit)

    populations: dict[str, Any] = {}
    for row in circuit.populations:
        size = population_size(row, cues, contents)
        if row.cell == "source":
            if len(spikes[row.name]) != size:
                raise RequestError(
                    f"Population {row.name} has {size} neurons, but got spike times for "
                    f"{len(spikes[row.name])}.",
                    why="every input neuron needs a list of spike times of its own, empty where it is silent",
                    fix=f"give {size} lists of spike times, as neurodeploy.cam.operations.spike_times makes them",
                )
            cell = sim.SpikeSourceArray(spike_times=[[float(t) for t in times] for times in spikes[row.name]])
        else:
            cell = sim.IF_curr_exp(**circuit.cells[row.cell])
        population = sim.Population(size, cell, label=row.name)
        if row.cell != "source":
            population.initialize(v=RESTING_MV)
        population.record("spikes")
        populations[row.name] = population

    rows = {row.name: row for row in circuit.populations}
    projections: dict[str, Any] = {}
    for edge in circuit.projections:
        if edge.connector == "all-except-same-index" and cues == 1:
            continue
        connector = _CONNECTORS[edge.connector](sim, population_size(rows[edge.source], cues, contents))
        if edge.plastic:
            synapse = _plastic_synapse(sim, edge, circuit.plasticity, dendritic_delay_fraction)
            if edge.label in starting:
                connector = sim.FromListConnector(starting[edge.label], column_names=["weight", "delay"])
        else:
            sign = -1.0 if edge.receptor == "inhibitory" else 1.0
            weight = sign * edge.weight * (contents if edge.per_content else 1)
            synapse = sim.StaticSynapse(weight=weight, delay=edge.delay)
        projections[edge.label] = sim.Projection(
            populations[edge.source],
            populations[edge.target],
            connector,
            synapse_type=synapse,
            receptor_type=edge.receptor,
            label=edge.label,
        )
    return Memory(
        cues=cues,
        contents=contents,
        populations=populations,
        projections=projections,
        forward=projections[PLASTIC_LABELS["forward"]],
        backward=projections[PLASTIC_LABELS["backward"]],
    )


_CONNECTORS: dict[str, Callable[[Any, int], Any]] = {
    "one-to-one": lambda sim, size: sim.OneToOneConnector() if size > 1 else sim.AllToAllConnector(),
    "all-to-all": lambda sim, size: sim.AllToAllConnector(),
    "all-except-same-index": lambda sim, size: sim.ArrayConnector(~np.eye(size, dtype=bool)),
}
"""Connectors by the size of the source.

PyNN 0.13's ``OneToOneConnector`` fails on populations of one cell, where it means all-to-all anyway.  The explicit
mask matters: PyNN's ``allow_self_connections`` speaks of recurrent projections only, and the published rasters
show that S1cue→S2cue leaves its own index out too (a learned cue never silences itself).
"""


def _plastic_synapse(
    sim: Any, edge: ProjectionRow, rule: Mapping[str, float], dendritic_delay_fraction: float
) -> Any:
    return sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(
            tau_plus=rule["tau_plus"],
            tau_minus=rule["tau_minus"],
            A_plus=rule["A_plus"],
            A_minus=rule["A_minus"],
        ),
        weight_dependence=sim.AdditiveWeightDependence(w_min=rule["w_min"], w_max=rule["w_max"]),
        dendritic_delay_fraction=dendritic_delay_fraction,
        weight=edge.weight,
        delay=edge.delay,
    )


def _starting_weights(
    learned: Mapping[str, Sequence[tuple[int, int, float, float]]], cues: int, contents: int, circuit: Circuit
) -> dict[str, np.ndarray]:
    """For every projection named in `learned`, by label, all its synapses as rows (pre, post, weight, delay)."""
    edges = {edge.label: edge for edge in circuit.projections if edge.plastic}
    sizes = {row.name: population_size(row, cues, contents) for row in circuit.populations}
    lowest, highest = circuit.plasticity["w_min"], circuit.plasticity["w_max"]
    full: dict[str, np.ndarray] = {}
    for direction, synapses in learned.items():
        if direction not in PLASTIC_LABELS:
            raise RequestError(
                f"Unknown learned projection {direction!r}.{did_you_mean(str(direction), PLASTIC_LABELS)}",
                why="only 'forward' (S1cue→S1cont) and 'backward' (S2cont→S2cue) learn",
                fix="name the weights 'forward' or 'backward'",
            )
        label = PLASTIC_LABELS[direction]
        edge = edges[label]
        shape = sizes[edge.source], sizes[edge.target]
        table = np.empty((shape[0] * shape[1], 4))
        table[:, :2] = np.indices(shape).reshape(2, -1).T
        table[:, 2:] = edge.weight, edge.delay
        for pre, post, weight, delay in synapses:
            synapse = f"The learned weight from {edge.source} {pre} to {edge.target} {post}"
            if not (0 <= pre < shape[0] and 0 <= post < shape[1]):
                raise RequestError(
                    f"{synapse} is outside the memory.",
                    why=f"{edge.source} has {shape[0]} neurons and {edge.target} has {shape[1]}, numbered from 0",
                    fix="leave the synapse out, or make the memory larger",
                )
            if not lowest <= weight <= highest:
                raise RequestError(
                    f"{synapse} is {weight} nA.",
                    why=f"the rule keeps weights between {lowest:g} and {highest:g} nA",
                    fix="give a weight in that range",
                )
            table[int(pre) * shape[1] + int(post), 2:] = weight, delay
        full[label] = table
    return full
