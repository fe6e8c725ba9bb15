"""The Network: a spiking model as plain data, in PyNN's names and PyNN's units.

A Network knows no chip and imports no simulator.  Times are in ms, voltages in mV, currents and
current-based weights in nA, conductances in µS, capacitances in nF, rates in Hz.  Every array is
one-dimensional and in the order of the population's neurons or of the projection's synapses.

Weights keep PyNN's sign: an inhibitory weight is negative on a current-based cell and positive on a
conductance-based one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import RequestError
from neurodeploy.models.modulation import ActivityGate, Modulation, Modulator

SOURCE_CELLS = ("SpikeSourceArray", "SpikeSourcePoisson")
"""Cells that only emit spikes: they have parameters, but no membrane and no synapses of their own."""

RECEPTORS = ("excitatory", "inhibitory")


@dataclass
class Population:
    """`size` cells of one PyNN cell type.

    Attributes
    ----------
    label : str
        The user's label; unique in its Network.
    cell : str
        PyNN name of the cell type, e.g. ``"IF_curr_exp"``.
    size : int
        Number of neurons.
    parameters : dict of str to ndarray, shape (size,)
        PyNN's parameters in PyNN's units.  Empty for ``SpikeSourceArray``.
    initial_values : dict of str to ndarray, shape (size,)
        State variables at t = 0 (``v`` in mV, ``u`` in mV/ms, ``isyn_exc`` in nA, ...).
    spike_times : list of ndarray
        For ``SpikeSourceArray`` alone: spike times in ms, one sorted array a neuron.
    largest_sums : tuple of float or None
        The most that the weights onto a neuron add up to in one step, by receptor, where the user says so: what a
        chip that sums in few bits makes room for.
    """

    label: str
    cell: str
    size: int
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    initial_values: dict[str, np.ndarray] = field(default_factory=dict)
    spike_times: list[np.ndarray] = field(default_factory=list)
    largest_sums: tuple[float, float] | None = None

    @property
    def is_source(self) -> bool:
        return self.cell in SOURCE_CELLS


@dataclass(frozen=True)
class Plasticity:
    r"""Spike-timing-dependent plasticity: PyNN's ``SpikePairRule`` over all pairs.

    Attributes
    ----------
    tau_plus, tau_minus : float
        Time constants of the pre- and the postsynaptic trace, ms.
    A_plus, A_minus : float
        Amplitudes as the user gave them; what they multiply is for the tick rules to say.
    weight_dependence : str
        ``"additive"`` or ``"multiplicative"``.
    w_min, w_max : float
        Bounds of the weight, in the weight's unit.
    dendritic_delay_fraction : float
        Share of the delay that lies behind the synapse, 0 to 1.
    """

    tau_plus: float
    tau_minus: float
    A_plus: float
    A_minus: float
    weight_dependence: str
    w_min: float
    w_max: float
    dendritic_delay_fraction: float


@dataclass
class Projection:
    """The synapses from one population onto one receptor of another.

    Attributes
    ----------
    label : str
        The user's label.
    pre, post : int
        Positions of the two populations in ``Network.populations``.
    receptor : str
        ``"excitatory"`` or ``"inhibitory"``.
    pre_index, post_index : ndarray of int32, shape (n_synapses,)
        Neuron numbers inside the two populations.
    weight : ndarray of float64, shape (n_synapses,)
        nA, µS or mV by the cell type, with PyNN's sign.
    delay : ndarray of float64, shape (n_synapses,)
        ms.
    plasticity : Plasticity or None
    modulation : Modulation or None
        The modulator that scales one side of the plasticity.
    gate : ActivityGate or None
        What the postsynaptic neuron's activity allows of it.
    """

    label: str
    pre: int
    post: int
    receptor: str
    pre_index: np.ndarray
    post_index: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    plasticity: Plasticity | None = None
    modulation: Modulation | None = None
    gate: ActivityGate | None = None

    @property
    def size(self) -> int:
        return len(self.pre_index)


@dataclass
class Injection:
    """A step-wise current into some neurons of one population.

    The current is 0 before ``times[0]`` and ``amplitudes[k]`` from ``times[k]`` on.  Several injections
    into one neuron add up.

    Attributes
    ----------
    population : int
        Position in ``Network.populations``.
    neurons : ndarray of int32
        Neuron numbers inside the population.
    times : ndarray, ms
    amplitudes : ndarray, nA
    """

    population: int
    neurons: np.ndarray
    times: np.ndarray
    amplitudes: np.ndarray


@dataclass
class Recorded:
    """What to record of one population.

    Attributes
    ----------
    population : int
        Position in ``Network.populations``.
    variable : str
        ``"spikes"`` or a state variable.
    neurons : ndarray of int32
        Sorted neuron numbers.
    sampling_interval : float
        ms between samples; a multiple of the time step.  Has no meaning for spikes.
    """

    population: int
    variable: str
    neurons: np.ndarray
    sampling_interval: float


@dataclass
class Network:
    """A whole model: populations, projections, inputs, what to record, and its time step.

    Attributes
    ----------
    time_step : float
        ms.
    populations, projections, injections, recorded
        See the classes of this module.
    modulators : list of Modulator
        See :mod:`neurodeploy.models.modulation`.
    seed : int
        Seeds what is drawn while the model runs (Poisson sources).  Connections and weights are
        drawn before and stand in the arrays.
    """

    time_step: float
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    seed: int = 0
    modulators: list[Modulator] = field(default_factory=list)

    @property
    def neuron_count(self) -> int:
        """Neurons with a membrane and sources together."""
        return sum(population.size for population in self.populations)

    @property
    def synapse_count(self) -> int:
        return sum(projection.size for projection in self.projections)

    def population(self, label: str) -> Population:
        for population in self.populations:
            if population.label == label:
                return population
        known = ", ".join(population.label for population in self.populations)
        raise RequestError(f"There is no population '{label}' in this network (it has {known})")

    def digest(self) -> str:
        """SHA-256 over everything that decides the result: the same digest, the same network."""
        sha = hashlib.sha256()

        def add(*values: object) -> None:
            for value in values:
                if isinstance(value, np.ndarray):
                    sha.update(f"{value.dtype.str}{value.shape}".encode())
                    sha.update(np.ascontiguousarray(value).tobytes())
                else:
                    sha.update(repr(value).encode())
                sha.update(b"\0")

        add(float(self.time_step), int(self.seed))
        for population in self.populations:
            add(population.label, population.cell, population.size)
            for table in (population.parameters, population.initial_values):
                for name in sorted(table):
                    add(name, np.asarray(table[name], dtype=float))
            add(*(np.asarray(times, dtype=float) for times in population.spike_times))
            if population.largest_sums:
                add(population.largest_sums)
        for projection in self.projections:
            add(projection.label, projection.pre, projection.post, projection.receptor)
            add(projection.pre_index.astype(np.int32), projection.post_index.astype(np.int32))
            add(projection.weight.astype(float), projection.delay.astype(float), projection.plasticity)
            if projection.modulation or projection.gate:
                add(projection.modulation, projection.gate)
        for injection in self.injections:
            add(injection.population, injection.neurons.astype(np.int32))
            add(injection.times.astype(float), injection.amplitudes.astype(float))
        for recorded in self.recorded:
            add(recorded.population, recorded.variable, recorded.neurons.astype(np.int32))
            add(float(recorded.sampling_interval))
        for modulator in self.modulators:
            add(modulator.label, modulator.tau, modulator.resting, modulator.initial)
            for position, gain in modulator.gains:
                add(position, np.asarray(gain, dtype=float))
        return sha.hexdigest()


def weight_sign(network: Network, projection: Projection) -> float:
    """-1 where PyNN's weights are negative: the inhibitory receptor of a current-based cell."""
    current_based = not network.populations[projection.post].cell.startswith("IF_cond")
    return -1.0 if current_based and projection.receptor == "inhibitory" else 1.0
