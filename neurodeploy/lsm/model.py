"""The astrocyte-gated liquid state machine as a network: every number of the model, and `build`, which states it.

Ivanov & Michmizos, "Increasing Liquid State Machine Performance with Edge-of-Chaos Dynamics Organized by
Astrocyte-modulated Plasticity", NeurIPS 2021 (arXiv 2111.01760).  A liquid of neurons on a lattice is driven by the pixels
of an image; an astrocyte compares the liquid's activity with the input's and scales depression, so that the liquid settles
near the edge of chaos without labels.  A linear read-out of its spike counts is all that is trained.

All numbers are those of the authors' public code (combra-lab/NALSM).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.modulation import ActivityGate, Modulation, Modulator
from neurodeploy.models.network import Network, Plasticity, Population, Projection

TIME_STEP_MS = 1.0
"""The authors' equations are forward Euler steps of 1 ms."""

CELL = {
    "cm": 1.0,
    "tau_m": 64.0,
    "tau_syn_E": 1.0,
    "tau_syn_I": 1.0,
    "tau_refrac": 2.0,
    "v_rest": 0.0,
    "v_reset": 0.0,
    "v_thresh": 20.0,
    "i_offset": 0.0,
}
"""Every neuron, in PyNN's units: a weight of 1 nA on a membrane of 1 nF lifts it by 1 mV (``NALSM_LIF_v1.py``)."""

EXCITATORY_SHARE = 0.8
"""``generate_spatial_network.py``."""

INPUT, EXCITATORY, INHIBITORY = range(3)
"""Positions of the populations in the Network."""

CONNECTION = {
    (EXCITATORY, EXCITATORY): 0.20,
    (EXCITATORY, INHIBITORY): 0.10,
    (INHIBITORY, EXCITATORY): 0.30,
    (INHIBITORY, INHIBITORY): 0.05,
}
"""Probability factor C by population of source and target (``generate_spatial_network.py``)."""

REACH = 3.0
"""Lambda, lattice units (``generate_spatial_network.py``)."""

INPUT_DENSITY = 0.15
"""Share of all (input, liquid) pairs that are synapses: an exact count (``generate_spatial_network.py``)."""

MOST_NEURONS = 216_000
"""60 a side: wiring draws a number for every pair of neurons, nine minutes of a core for so many (27,000 take 8 s, measured)."""

KICK_MV = 100.0
"""What a hit adds to an input neuron (``NALSM_RUN_MAIN_SIM_MNIST.py``)."""

W_MAX = 3.0
"""nA; excitatory weights live in [0, 3], inhibitory in [-3, 0], inputs in [-3, 3] (``NALSM_RUN_MAIN_SIM_MNIST.py``)."""

RATE = 0.15
"""L, the fixed rate of learning, and the astrocyte's resting and initial value (``NALSM_ASTRO.py``)."""

TRACE_INCREMENT = 0.1
"""What a spike adds to a trace (``NALSM_STDP.py``); here traces count spikes, and amplitudes hold the factor."""

TRACE_MULTIPLIER = 0.904774
"""Of a trace, per ms (``NALSM_STDP.py``; it stands for a time constant of 10 ms)."""

TAU_ASTROCYTE_MS = 100.0
"""``NALSM_RUN_MAIN_SIM_MNIST.py``."""

ASTROCYTE_WEIGHT = {1000: 0.015, 8000: 0.0075}
"""w_astro, per spike, by the size of the liquid (the repository's README)."""

FADE = 0.99
"""Factor a ms on everything that learns while features are made (``NALSM_RUN_MAIN_SIM_MNIST.py``)."""

SNAPSHOT_MS, SAMPLE_MS = 20, 250
"""Length of an image while the liquid forms, and while features are made (``NALSM_RUN_MAIN_SIM_MNIST.py``)."""

GATE_TAU_MS = 1000.0
"""Of the activity that gates AP-STDP (``LSM_APSTDP_STDP.py``)."""

GATE_THRESHOLD, GATE_WIDTH = 37.0, 23.0
"""Hz; the authors' theta on MNIST, and the middle of the widths 19 to 25 that they tuned for each network."""

VARIANTS = {
    "nalsm": "depression scaled by the astrocyte",
    "lsm-stdp": "symmetric plasticity, no astrocyte",
    "lsm-ap-stdp": "plasticity in a window of the target's activity, frozen afterwards",
    "lsm": "all weights of one fixed magnitude, no plasticity",
}

START_WEIGHT = {"nalsm": 3.0, "lsm-stdp": 3.0, "lsm-ap-stdp": 1.0, "lsm": 0.8}
"""Magnitude of every weight at the start; for ``lsm``, where the authors tune it, the one at which their liquids are critical on
MNIST."""


@dataclass(frozen=True)
class Design:
    """What a liquid is, before anything is drawn.

    Attributes
    ----------
    neurons : int
        Of the liquid: a cube.
    inputs : int
        Input neurons.
    variant : str
        A key of :data:`VARIANTS`.
    seed : int
        Of the wiring, and of every draw later on.
    astrocyte_weight : float
        w_astro.
    astrocyte_density : float
        Share of the input neurons and of the liquid neurons that the astrocyte reads, drawn at random.
    start_weight : float or None
        None is the variant's own.
    gate_threshold, gate_width : float
        Hz; for ``lsm-ap-stdp``.
    """

    neurons: int
    inputs: int
    variant: str = "nalsm"
    seed: int = 0
    astrocyte_weight: float = 0.015
    astrocyte_density: float = 1.0
    start_weight: float | None = None
    gate_threshold: float = GATE_THRESHOLD
    gate_width: float = GATE_WIDTH

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise RequestError(
                f"There is no variant '{self.variant}'.{did_you_mean(self.variant, VARIANTS)}",
                fix=f"choose one of: {', '.join(VARIANTS)}",
            )
        if self.neurons > MOST_NEURONS:
            raise RequestError(
                f"{self.neurons:,} neurons are more than the {MOST_NEURONS:,} that a liquid may have",
                why="a random number is drawn for every pair of neurons, which takes hours for more",
                fix="use fewer (--neurons); the authors' largest liquid has 8,000",
            )
        lattice_edge(self.neurons)
        if not 0.0 < self.astrocyte_density <= 1.0:
            raise RequestError(
                f"An astrocyte density of {self.astrocyte_density:g}",
                why="it is the share of the neurons that the astrocyte reads",
                fix="give a number above 0, up to 1",
            )
        if not 0.0 < self.magnitude <= W_MAX:
            raise RequestError(
                f"A start weight of {self.magnitude:g}",
                why=f"weights have magnitudes up to {W_MAX:g}",
                fix=f"give a number above 0, up to {W_MAX:g}",
            )
        if not math.isfinite(self.astrocyte_weight) or self.astrocyte_weight < 0:
            raise RequestError(
                f"An astrocyte weight of {self.astrocyte_weight:g}",
                why="a negative or infinite one drives the liquid away from its input",
                fix="give a finite number from 0 on; the authors scanned 0.002 to 0.2",
            )

    @property
    def magnitude(self) -> float:
        """Of every weight at the start."""
        return START_WEIGHT[self.variant] if self.start_weight is None else self.start_weight


def lattice_edge(neurons: int) -> int:
    """Edge of the cube that `neurons` fill.

    Raises
    ------
    RequestError
        They fill none.
    """
    edge = round(max(neurons, 1) ** (1 / 3))
    if neurons < 8 or edge**3 != neurons:
        near = sorted({max(2, edge + step) ** 3 for step in (-1, 0, 1)}, key=lambda cube: abs(cube - neurons))
        raise RequestError(
            f"{neurons:,} neurons are no cubic lattice",
            why="the liquid's neurons sit on a lattice of as many sites in each of three directions, two at least",
            fix=f"use {near[0]:,} ({round(near[0] ** (1 / 3))} a side)"
            + (f" or {near[1]:,}" if len(near) > 1 else ""),
        )
    return edge


def excitatory_count(neurons: int) -> int:
    return round(EXCITATORY_SHARE * neurons)


def said_size(liquids: int, neurons: int) -> str:
    """For a user."""
    return f"{neurons:,} neurons" if liquids == 1 else f"{liquids} liquids of {neurons:,} neurons"


def expected_synapses(design: Design) -> int:
    r"""How many :func:`wire` draws on average, those of the inputs among them.

    Within the liquid it is the mean C of two neurons times

    .. math:: \left(\sum_{|k| < n} (n - |k|)\, e^{-(k/\lambda)^2}\right)^3 - n^3

    on a lattice of n a side: :math:`e^{-(d/\lambda)^2}` is a product over its directions, where n - \|k\| pairs are k apart.
    """
    edge, split = lattice_edge(design.neurons), excitatory_count(design.neurons)
    sizes = {EXCITATORY: split, INHIBITORY: design.neurons - split}
    pairs = {(a, b): sizes[a] * (sizes[b] - (a == b)) for a, b in CONNECTION}
    factor = sum(CONNECTION[kinds] * pairs[kinds] for kinds in pairs) / sum(pairs.values())
    apart = np.arange(1 - edge, edge)
    near = np.sum((edge - np.abs(apart)) * np.exp(-((apart / REACH) ** 2))) ** 3 - design.neurons
    return round(factor * near) + math.floor(INPUT_DENSITY * design.neurons * design.inputs)


@dataclass
class Wiring:
    """What was drawn: where the neurons sit, and which are connected.

    Attributes
    ----------
    positions : ndarray of int, shape (neurons, 3)
        Lattice sites; excitatory neurons come first.
    liquid : dict of (int, int) to (ndarray of int32, ndarray of int32)
        By the populations of source and target, the numbers in them of every synapse's two neurons, in order of the source.
    signs : ndarray of int8, shape (inputs, neurons)
        ``[input, target]``: +1, -1, or 0 where there is no synapse.
    """

    positions: np.ndarray
    liquid: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]
    signs: np.ndarray = field(repr=False)


def wire(design: Design) -> Wiring:
    r"""Draw the liquid.

    .. math:: P(j \to i) = C(j, i)\, e^{-(d_{ij}/\lambda)^2}

    with the Euclidean distance on a lattice of unit spacing; no neuron connects to itself.  Of all (input, liquid) pairs
    exactly ``floor(0.15 neurons inputs)`` are synapses, each of either sign with probability 1/2.
    """
    random = np.random.default_rng([design.seed, 0])
    neurons, edge = design.neurons, lattice_edge(design.neurons)
    sites = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions = sites[random.permutation(neurons)]
    split = excitatory_count(neurons)
    sites_of = {EXCITATORY: positions[:split], INHIBITORY: positions[split:]}
    falloff = np.exp(-np.arange(3 * edge**2) / REACH**2)
    liquid = {
        (source, target): _connect(random, sites_of[source], sites_of[target], factor, falloff)
        for (source, target), factor in CONNECTION.items()
    }
    pairs = neurons * design.inputs
    chosen = random.choice(pairs, size=math.floor(INPUT_DENSITY * pairs), replace=False)
    signs = np.zeros(pairs, dtype=np.int8)
    signs[chosen] = 1 - 2 * random.integers(0, 2, size=len(chosen), dtype=np.int8)
    return Wiring(positions, liquid, signs.reshape(design.inputs, neurons))


def _connect(
    random: np.random.Generator, sources: np.ndarray, targets: np.ndarray, factor: float, falloff: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of every synapse between neurons on these sites, by the squared distance's `falloff`.

    A number is drawn for every pair, source after source; nothing is kept of a pair without a synapse.
    """
    there = targets.T.astype(np.int32)
    found = []
    for site in sources.astype(np.int32):
        drawn = random.random(len(targets))
        near = np.flatnonzero(drawn < factor)
        squares = ((there[:, near] - site[:, None]) ** 2).sum(axis=0)
        kept = (drawn[near] < factor * falloff[squares]) & (squares > 0)
        found.append(near[kept].astype(np.int32))
    pre = np.repeat(np.arange(len(sources), dtype=np.int32), [len(one) for one in found])
    return pre, np.concatenate(found)


def astrocyte(design: Design) -> Modulator:
    """The astrocyte: liquid spikes raise it, input spikes lower it, and it rests at the fixed rate of learning.

    At a density below 1 it reads ``ceil(density n)`` randomly chosen neurons of either side.
    """
    random = np.random.default_rng([design.seed, 1])

    def read(count: int) -> np.ndarray:
        taken = np.zeros(count)
        taken[random.permutation(count)[: math.ceil(design.astrocyte_density * count)]] = (
            design.astrocyte_weight
        )
        return taken

    inputs, liquid = read(design.inputs), read(design.neurons)
    split = excitatory_count(design.neurons)
    gains = ((INPUT, -inputs), (EXCITATORY, liquid[:split]), (INHIBITORY, liquid[split:]))
    return Modulator("astrocyte", TAU_ASTROCYTE_MS, RATE, RATE, gains)


def plasticity(
    design: Design, source: int
) -> tuple[Plasticity | None, Modulation | None, ActivityGate | None]:
    """The rule of the synapses from population `source`.

    Every step that raises a signed weight has the fixed rate; every step that lowers it is scaled by the astrocyte, which
    for inhibitory sources is the other side of the rule.
    """
    if design.variant == "lsm":
        return None, None, None
    inhibitory = source == INHIBITORY
    fixed = RATE * TRACE_INCREMENT
    scaled = TRACE_INCREMENT if design.variant == "nalsm" else fixed
    tau = -TIME_STEP_MS / math.log(TRACE_MULTIPLIER)
    rule = Plasticity(
        tau_plus=tau,
        tau_minus=tau,
        A_plus=scaled if inhibitory else fixed,
        A_minus=fixed if inhibitory else scaled,
        weight_dependence="additive",
        w_min=0.0 if source == EXCITATORY else -W_MAX,
        w_max=0.0 if inhibitory else W_MAX,
        dendritic_delay_fraction=1.0,
    )
    modulation = Modulation(0, "A_plus" if inhibitory else "A_minus") if design.variant == "nalsm" else None
    gate = ActivityGate(GATE_TAU_MS, design.gate_threshold, design.gate_width)
    return rule, modulation, gate if design.variant == "lsm-ap-stdp" else None


def build(design: Design, wiring: Wiring | None = None) -> Network:
    """The liquid as a Network: populations ``input``, ``excitatory``, ``inhibitory``; what learns, learns by :func:`plasticity`.

    Input weights may have either sign on one receptor.
    """
    drawn = wire(design) if wiring is None else wiring
    split = excitatory_count(design.neurons)
    sizes = (design.inputs, split, design.neurons - split)
    labels = ("input", "excitatory", "inhibitory")
    populations = [
        Population(label, "IF_curr_exp", size, {name: np.full(size, value) for name, value in CELL.items()})
        for label, size in zip(labels, sizes, strict=True)
    ]
    projections = []
    for source in (INPUT, EXCITATORY, INHIBITORY):
        rule, modulation, gate = plasticity(design, source)
        for target in (EXCITATORY, INHIBITORY):
            if source == INPUT:
                block = drawn.signs[:, :split] if target == EXCITATORY else drawn.signs[:, split:]
                pre, post = (index.astype(np.int32) for index in np.nonzero(block))
                signs = block[pre, post]
            else:
                pre, post = drawn.liquid[source, target]
                signs = np.full(len(pre), -1 if source == INHIBITORY else 1, np.int8)
            projections.append(
                Projection(
                    label=f"{labels[source]} to {labels[target]}",
                    pre=source,
                    post=target,
                    receptor="inhibitory" if source == INHIBITORY else "excitatory",
                    pre_index=pre,
                    post_index=post,
                    weight=signs * design.magnitude,
                    delay=np.full(len(pre), TIME_STEP_MS),
                    plasticity=rule,
                    modulation=modulation,
                    gate=gate,
                )
            )
    modulators = [astrocyte(design)] if design.variant == "nalsm" else []
    return Network(TIME_STEP_MS, populations, projections, seed=design.seed, modulators=modulators)
