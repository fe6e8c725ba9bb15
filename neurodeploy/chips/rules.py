"""Tick rules: what happens inside one time step, as data and small pure functions.

A paper's result may depend on *when inside a tick* things happen, so a model is run under named rules.
A :class:`TickRules` record says how a cell's state moves on by one step (as statements in plain
mathematics and the coefficients in them), when a spike counts, how a delay is counted, what recorded
samples mean, and how the pair rule of STDP treats ties, delays and amplitudes.

The statements of a :class:`CellUpdate` are executed once a step for every neuron.  Beside the cell's own
state and coefficients they may read

``arriving_exc``, ``arriving_inh``
    sum of the weights that reach the two receptors in this step, with PyNN's sign;
``injected``
    current of the sources injected into the neuron, nA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import UnsupportedError

Parameters = dict[str, np.ndarray]
CoefficientFunction = Callable[[Parameters, float], Parameters]


@dataclass(frozen=True)
class CellUpdate:
    """How one cell type moves on by one step.

    Attributes
    ----------
    state : tuple of str
        Real-valued state variables, zero unless the model or `start` sets them.
    coefficients : tuple of str
        Real-valued constants of a neuron that `update`, `spike` and `reset` use.
    update : str
        Statements executed once a step.
    spike : str
        Condition tested after `update`.
    reset : str
        Statements executed where `spike` held.
    sampled_before, sampled_after : tuple of str
        Recordable state, by whether ``sample k`` is taken before or after ``update`` of step k.
    refractory : bool
        Whether the cell counts refractory steps, in ``refractory_left`` and ``refractory_steps``: whole numbers,
        kept as reals so that a processor updates several neurons at once.
    """

    state: tuple[str, ...]
    coefficients: tuple[str, ...]
    update: str
    spike: str
    reset: str
    sampled_before: tuple[str, ...] = ("v",)
    sampled_after: tuple[str, ...] = ()
    refractory: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell type under one set of rules.

    Attributes
    ----------
    update : CellUpdate
    coefficients : function of (parameters, time_step in ms) to dict
        PyNN's parameters to the coefficients of `update`.
    decay_of : dict of str to str
        Synaptic state -> coefficient that `update` multiplies it with before anything else; an initial value
        is divided by it once, so that it is the value *at* t = 0.
    acts_at_once : bool
        True where an arriving weight moves the membrane itself, so that it can make the cell fire at
        the very time it arrives.
    computed : tuple of str
        State that `update` computes from other state: it cannot be given an initial value.
    deviation : str
        What a user should know where these rules differ from PyNN's meaning of the cell.
    """

    update: CellUpdate
    coefficients: CoefficientFunction
    decay_of: dict[str, str]
    acts_at_once: bool = False
    computed: tuple[str, ...] = ()
    deviation: str = ""


@dataclass(frozen=True)
class PairRule:
    """How spike-timing-dependent plasticity treats what PyNN leaves open.

    Attributes
    ----------
    ties_depress : bool
        Whether a pre- and a postsynaptic spike that meet at the synapse at the same time depress it
        (they never potentiate).
    amplitude_times_w_max : bool
        Whether the additive rule changes the weight by ``A * w_max`` (PyNN) or by ``A`` (in nA or µS).
    delay_is_dendritic : bool
        Whether the whole delay lies behind the synapse, whatever ``dendritic_delay_fraction`` says.
    """

    ties_depress: bool
    amplitude_times_w_max: bool
    delay_is_dendritic: bool


@dataclass(frozen=True)
class TickRules:
    """One chip's, or one mathematician's, meaning of a time step.

    Attributes
    ----------
    name, title : str
    source : str
        Where the rules are written down.
    spike_is_at_end_of_step : bool
        A neuron that fires in the update of step k does so at ``(k+1) dt`` (True) or at tick ``k`` (False).
    sources_before_update : bool
        Whether a source's spike at ``k dt`` counts before the update of step k or after it, with the neurons' own.
    sampled_at_the_end_too : bool
        Whether a run of N steps gives N+1 samples (t = 0 and t = T) or N.
    refractory_count : function of (tau_refrac, time step), both in ms, to whole steps
        How many updates are skipped after a spike.
    cells : dict of str to Cell
        By PyNN's name; by the chip's own where a model is lowered to a chip first.
    pair_rule : PairRule
    chip : str
        The chip to whose whole numbers a Network is lowered as a whole before these rules apply; empty where
        parameters become coefficients cell by cell.
    becomes : dict of str to str
        PyNN's cells that such a lowering takes, and what each means then.
    whole_numbers : bool
        Whether weights and state are put on the grid of SpiNNaker's fixed point before these rules apply.
    """

    name: str
    title: str
    source: str
    spike_is_at_end_of_step: bool
    sources_before_update: bool
    sampled_at_the_end_too: bool
    refractory_count: Callable[[np.ndarray, float], np.ndarray]
    cells: dict[str, Cell]
    pair_rule: PairRule
    chip: str = ""
    becomes: dict[str, str] = field(default_factory=dict)
    whole_numbers: bool = False

    @property
    def models(self) -> dict[str, str]:
        """PyNN's cells under these rules, and what a user should know of each."""
        return self.becomes or {name: cell.deviation or "as in PyNN" for name, cell in self.cells.items()}

    def cell(self, name: str, label: str) -> Cell:
        """The rules for PyNN cell `name`; `label` is the user's name for the population."""
        if name not in self.cells:
            raise UnsupportedError(
                f"Population '{label}': cell type {name} has no rules under '{self.name}'",
                why=f"{self.title} knows {', '.join(sorted(self.cells))}",
                fix="choose one of these cell types, or other rules",
            )
        return self.cells[name]

    def refractory_steps(self, tau_refrac: np.ndarray, time_step: float) -> np.ndarray:
        """Whole steps without an update after a spike, from ``tau_refrac`` in ms."""
        return np.asarray(self.refractory_count(np.asarray(tau_refrac, dtype=float), time_step), dtype=float)


def nearest_steps(time: np.ndarray, time_step: float) -> np.ndarray:
    """Nearest whole number of steps in `time`."""
    return np.rint(time / time_step)


GRID_TOLERANCE = 1e-6
"""Share of a time step within which a time counts as lying on the grid: far above the rounding error of
decimal fractions in binary, far below any delay a user could mean."""
