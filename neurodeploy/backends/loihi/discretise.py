r"""Pass 2, discretise: PyNN's parameters as decays, whole steps and mV above reset, before any scale is chosen.

The target is the closed-form step that SpiNNaker's rules have (synaptic current of a tick, held constant over it), in the
same tick order.  With :math:`m = (\tau_m/c_m)(1-e^{-dt/\tau_m})` mV per nA and the synapse's gain
:math:`g = (\tau_s/dt)(1-e^{-dt/\tau_s})` an arriving weight w moves v by :math:`m\,g\,w` in its tick; the chip's step,
:math:`v \leftarrow v(1-dv)+u`, does that if the weight in the chip's units is proportional to :math:`m\,g\,w`.
``IF_curr_delta`` is PyNN's own: a weight is a step of v in mV, which acts in the tick it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.lowering import refuse_parameters
from neurodeploy.chips.catalogue import RULES
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.chips.loihi_arithmetic import CURRENT_DECAY_OFFSET, nearest_decay
from neurodeploy.chips.rules import GRID_TOLERANCE
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.models.network import Network, Population

CELLS = ("IF_curr_exp", "IF_curr_delta")
"""What the chips' neuron can be."""

WHY_NOT = {
    "IF_cond_exp": "a synapse of the chip adds a current, whatever the voltage is",
    "IF_curr_alpha": "a current of the chip rises at once and decays",
    "Izhikevich": "its v² has no place in the chips' leaky integrator, and there is no microcode for it here",
}


@dataclass
class Membrane:
    """A population between PyNN and the chip: decays as integers, the rest as real numbers, one a neuron.

    Attributes
    ----------
    label : str
    size : int
    dv : ndarray of int64
        Decay of the voltage, 0 … 4095 of 4096.
    effective_du : ndarray of int64, shape (2, size)
        Decay of the excitatory and the inhibitory current, 1 … 4096.
    exact_dv : ndarray; exact_du : ndarray, shape (2, size)
        What both would be were decays real numbers, as a share of 4096.
    per_current : ndarray
        m: mV that 1 nA moves the voltage in a step.  1 where weights are mV.
    gain : ndarray, shape (2, size)
        g of the two receptors.
    threshold : ndarray
        mV above reset.
    drive : ndarray
        mV that rest, ``i_offset`` and injected currents add in a step.
    rest : ndarray
        mV above reset, where the voltage ends if nothing arrives.
    v_reset : ndarray
        mV.
    v, current : ndarray, shapes (size,) and (2, size)
        Initial state: mV above reset; nA (mV where weights are), before the first decay.
    refractory : ndarray of int64
        Steps.
    """

    label: str
    size: int
    dv: np.ndarray
    effective_du: np.ndarray
    exact_dv: np.ndarray
    exact_du: np.ndarray
    per_current: np.ndarray
    gain: np.ndarray
    threshold: np.ndarray
    drive: np.ndarray
    rest: np.ndarray
    v_reset: np.ndarray
    v: np.ndarray
    current: np.ndarray
    refractory: np.ndarray

    @property
    def du(self) -> np.ndarray:
        """Registers of the two decays."""
        return self.effective_du - CURRENT_DECAY_OFFSET


@dataclass
class Discretised:
    """One entry a population (None for a source), and what was rounded.

    Attributes
    ----------
    membranes : list of Membrane or None
    changes, losses : list of str
        What is rounded; what is no longer there.
    """

    membranes: list[Membrane | None] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    losses: list[RequestError] = field(default_factory=list)


def discretise(
    network: Network, chip: LoihiChip, injected: Callable[[int], np.ndarray], judge: Judge = RAISES
) -> Discretised:
    """All populations of `network`; ``injected(position)`` gives constant currents in nA."""
    result = Discretised()
    for position, population in enumerate(network.populations):
        membrane = None
        if not population.is_source:
            refuse_parameters(population, judge)
            with judge.each(population):
                _refuse(population)
                membrane = _membrane(network, population, injected(position), chip, result)
        result.membranes.append(None if judge.faulty(population) else membrane)
    return result


def _refuse(population: Population) -> None:
    where = f"Population '{population.label}'"
    if population.cell not in CELLS:
        raise UnsupportedError(
            f"{where}: Loihi has no cell type {population.cell}",
            why=WHY_NOT.get(population.cell, f"its neuron can be {' or '.join(CELLS)}"),
            fix=f"use {' or '.join(CELLS)}" + _elsewhere(population.cell),
        )
    threshold, reset = population.parameters["v_thresh"], population.parameters["v_reset"]
    below = np.flatnonzero(threshold <= reset)
    if below.size:
        n = below[0]
        raise RequestError(
            f"{where}: v_thresh of neuron {n}, {threshold[n]:g} mV, is not above its v_reset, {reset[n]:g} mV",
            why="the chip resets a voltage to 0 and its threshold can't be negative: the neuron would fire in every step",
            fix="raise v_thresh or lower v_reset",
        )


def _elsewhere(cell: str) -> str:
    """Where a cell can be run, as the end of a sentence."""
    names = [f"'{name}'" for name, rules in RULES.items() if not rules.chip and cell in rules.cells]
    return f", or the brian2 backend with the rules {' or '.join(names)}, which have it" if names else ""


def _membrane(
    network: Network, population: Population, injected: np.ndarray, chip: LoihiChip, result: Discretised
) -> Membrane:
    p, dt, size = population.parameters, network.time_step, population.size
    unity = chip.decay_unity
    exact_dv = -np.expm1(-dt / p["tau_m"])
    dv = nearest_decay(exact_dv, at_most=unity - 1)
    resistance = p["tau_m"] / p["cm"]
    currents = population.cell == "IF_curr_exp"
    if currents:
        tau_syn = np.stack([p["tau_syn_E"], p["tau_syn_I"]])
        exact_du = -np.expm1(-dt / tau_syn)
        effective = nearest_decay(exact_du, at_least=CURRENT_DECAY_OFFSET)
        gain, per_current = tau_syn / dt * exact_du, resistance * exact_dv
    else:
        exact_du, gain = np.ones((2, size)), np.ones((2, size))
        effective, per_current = np.full((2, size), unity), np.ones(size)
    rest = p["v_rest"] - p["v_reset"] + resistance * (p["i_offset"] + injected)
    share = np.where(dv > 0, dv / unity, exact_dv)
    initial = population.initial_values
    started = np.stack([np.asarray(initial.get(n, 0.0)) * np.ones(size) for n in ("isyn_exc", "isyn_inh")])
    remains = effective < unity
    current = np.divide(started, 1 - exact_du, out=np.zeros((2, size)), where=remains & (started != 0))
    for row, name in enumerate(("isyn_exc", "isyn_inh")):
        _say_forgotten(population, name, started[row], remains[row], result)
    _say_rounded(population, dt, "tau_m", dv / unity, exact_dv, result)
    for row, name in enumerate(("tau_syn_E", "tau_syn_I") if currents else ()):
        _say_rounded(population, dt, name, effective[row] / unity, exact_du[row], result)
    return Membrane(
        label=population.label,
        size=size,
        dv=dv,
        effective_du=effective,
        exact_dv=exact_dv,
        exact_du=exact_du,
        per_current=per_current,
        gain=gain,
        threshold=p["v_thresh"] - p["v_reset"],
        drive=share * rest,
        rest=rest,
        v_reset=np.asarray(p["v_reset"], dtype=float),
        v=np.asarray(initial.get("v", p["v_rest"]), dtype=float) - p["v_reset"],
        current=current,
        refractory=_refractory(population, dt, chip, result.changes),
    )


def _say_forgotten(
    population: Population, name: str, started: np.ndarray, remains: np.ndarray, result: Discretised
) -> None:
    """An initial current of which nothing is left after the decay of its first step is a loss."""
    gone = np.flatnonzero((started != 0) & ~remains)
    if gone.size:
        result.losses.append(
            RequestError(
                f"Population '{population.label}': the initial {name} of neuron {gone[0]}, {started[gone[0]]:g} nA, has no effect"
                f" on the chip ({gone.size} of {population.size} neurons)",
                why="a current decays before it acts, and with so short a time constant nothing is left of it after one step",
                fix=f"use a longer tau_syn_{name[5].upper()}, an initial v, or no initial {name}",
            )
        )


def _refractory(population: Population, dt: float, chip: LoihiChip, changes: list[str]) -> np.ndarray:
    r"""Steps without an update after a spike: :math:`\lceil\tau/dt\rceil`, as SpiNNaker counts them."""
    tau = np.asarray(population.parameters["tau_refrac"], dtype=float)
    steps = np.maximum(np.ceil(tau / dt - GRID_TOLERANCE), 0).astype(np.int64)
    if steps.max(initial=0) > chip.longest_refractory:
        raise UnsupportedError(
            f"Population '{population.label}': tau_refrac {tau.max():g} ms is {steps.max()} steps of {dt:g} ms;"
            f" a Loihi neuron can be refractory for {chip.longest_refractory}",
            why="its counter has six bits",
            fix=f"use a tau_refrac of at most {chip.longest_refractory * dt:g} ms or a longer time step",
        )
    shift = np.abs(steps * dt - tau)
    moved = np.count_nonzero(shift > GRID_TOLERANCE * dt)
    if moved:
        changes.append(
            f"Population '{population.label}': tau_refrac of {moved} of {population.size} neurons rounded up to whole steps"
            f" of {dt:g} ms, by {shift.max():g} ms at most"
        )
    return steps


def time_constant(share: np.ndarray, dt: float) -> np.ndarray:
    """The time constant, ms, of what decays by `share` in a step; 0 where nothing is left, infinite where nothing decays."""
    share = np.asarray(share, dtype=float)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(share >= 1, 0.0, -dt / np.log1p(-np.minimum(share, 1.0))))


def _say_rounded(
    population: Population, dt: float, name: str, share: np.ndarray, exact: np.ndarray, result: Discretised
) -> None:
    """Say how far a time constant moves; one that is no longer there (half, or more than twice, the decay) is a loss."""
    tau = np.asarray(population.parameters[name], dtype=float)
    acts = time_constant(share, dt)
    off = np.abs(share / exact - 1)
    gone = np.flatnonzero(off >= 1)
    if gone.size:
        n = gone[0]
        result.losses.append(
            RequestError(
                f"Population '{population.label}': {name} {tau[n]:g} ms of neuron {n} is {acts[n]:,.4g} ms on the chip"
                f" ({gone.size} of {population.size} neurons)",
                why=f"in a step of {dt:g} ms it decays by {exact[n]:.2g}, and the chip's decays are multiples of 1/4096",
                fix=f"use a {name} below {time_constant(np.array(0.5 / 4096), dt):,.4g} ms or a longer time step",
            )
        )
    off[gone] = 0.0
    worst = int(np.argmax(off))
    if off[worst] > 1e-3:
        result.changes.append(
            f"Population '{population.label}': {name} {tau[worst]:g} ms acts as {acts[worst]:.5g} ms (a decay of"
            f" {share[worst] * 4096:g}/4096 a step); {np.count_nonzero(off > 1e-3)} of {population.size} neurons move by more"
            " than 0.1 %"
        )
