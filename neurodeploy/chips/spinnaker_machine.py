"""SpiNNaker-1 and sPyNNaker 7.4 as limits: what a model may be, before any of it is loaded.

Every number stands here once, with where it comes from; the arithmetic of a tick is in
:mod:`neurodeploy.chips.spinnaker`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FRACTION_BITS = 15
"""Parameters and state are s16.15: 32-bit numbers with this many bits behind the point."""

SMALLEST_VALUE = 2.0**-FRACTION_BITS
"""Step of the chip's numbers, s16.15."""

LARGEST_WEIGHT = (1 << 16) - 1
"""Weights are unsigned 16-bit multiples of a step that sPyNNaker chooses for each receptor of a population; so are the
entries of a ring buffer, where a sum beyond it stays there."""

LARGEST_VALUE = 65536.0
"""What s16.15 holds lies below this, and not below its negative."""

MILLISECOND_GRID = 0.1
"""A time step is 1 ms or a multiple of this (PyNN guide of sPyNNaker)."""

RING_BUFFER_BITS = 14
"""Bits of a core's ring buffer index: neuron, receptor and slot (``MAX_RING_BUFFER_BITS``)."""

RECEPTOR_BITS = 1
"""Excitatory and inhibitory."""

NEURONS_PER_CORE = 256
"""The most neurons of one population on a core, where the user asks for no fewer."""

INCOMING_SPIKES = 256
"""Places of a core's buffer of incoming spikes, of which one stays empty (``incoming_spike_buffer_size``, ``circular_buffer.c``);
as many as a power of two above what is asked for."""

DELAY_STAGES = 8
"""Ring lengths that a delay extension core adds to a core's own (``DelayExtensionVertex.MAX_SLOTS``)."""

REAL_TIME_STEP = 1.0
"""ms: shorter time steps are slowed down to this much wall clock each, so that the cores keep up."""


@dataclass(frozen=True)
class NativeCell:
    """A cell type of sPyNNaker, by PyNN's name.

    Attributes
    ----------
    initial : dict of str to str
        State of a Network -> the state's name in sPyNNaker.
    recordable : dict of str to str
        Variable of a Network -> the variable's name in sPyNNaker.
    conductances : bool
        Whether inhibitory weights and samples are positive.
    learns : tuple of str
        Weight dependences of the pair rule that there is a binary for.
    """

    initial: dict[str, str] = field(default_factory=lambda: {"v": "v"})
    recordable: dict[str, str] = field(default_factory=lambda: {"spikes": "spikes", "v": "v"})
    conductances: bool = False
    learns: tuple[str, ...] = ()


_CURRENTS = {"isyn_exc": "gsyn_exc", "isyn_inh": "gsyn_inh"}
_ADDITIVE = ("additive",)

CELLS = {
    "IF_curr_exp": NativeCell(
        initial={"v": "v", "isyn_exc": "isyn_exc", "isyn_inh": "isyn_inh"},
        recordable={"spikes": "spikes", "v": "v", **_CURRENTS},
        learns=("additive", "multiplicative"),
    ),
    "IF_curr_alpha": NativeCell(recordable={"spikes": "spikes", "v": "v", **_CURRENTS}, learns=_ADDITIVE),
    "IF_curr_delta": NativeCell(learns=_ADDITIVE),
    "IF_cond_exp": NativeCell(
        initial={"v": "v", "gsyn_exc": "isyn_exc", "gsyn_inh": "isyn_inh"},
        recordable={"spikes": "spikes", "v": "v", "gsyn_exc": "gsyn_exc", "gsyn_inh": "gsyn_inh"},
        conductances=True,
        learns=_ADDITIVE,
    ),
    "Izhikevich": NativeCell(initial={"v": "v", "u": "u"}, learns=_ADDITIVE),
    "SpikeSourceArray": NativeCell(initial={}, recordable={"spikes": "spikes"}),
    "SpikeSourcePoisson": NativeCell(initial={}, recordable={"spikes": "spikes"}),
}


def longest_ring(neurons: int, neurons_per_core: int | None = None) -> int:
    """Slots of the longest ring buffer on a core of a population of `neurons`.

    A single neuron takes a bit of the index, too (``get_n_bits``).
    """
    bits = max((min(neurons, neurons_per_core or NEURONS_PER_CORE) - 1).bit_length(), 1)
    return 1 << (RING_BUFFER_BITS - RECEPTOR_BITS - bits)


def ring_is_short(longest: int, most: int) -> bool:
    """Whether sPyNNaker 7.4.1 gives a `longest` delay, in steps, a ring one slot too short, where `most` slots can be had.

    It gives a delay of n steps a ring of n slots where n is a power of two above 1 (``max_delay_steps_incoming``).
    """
    return 1 < longest < most and longest & (longest - 1) == 0


def longest_delay_steps(neurons: int) -> int:
    """The longest delay onto a population of `neurons`, in steps: a core's own ring and all its extensions.

    A core may run out of memory before that; the tools say so when they map the model.
    """
    return longest_ring(neurons) * (DELAY_STAGES + 1)


def alpha_slope(tau: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
    r"""The rise of an alpha function in a step, :math:`dt/\tau^2`: as the chip has it, and exact.

    The chip truncates it to a multiple of 2^-15 and keeps it in a number below 1: what is above is lost
    (``synapse_types_alpha_impl.h`` holds it as a ``decay_t``).
    """
    one = float(1 << FRACTION_BITS)
    tau = np.asarray(tau, dtype=float)
    square = np.floor((np.rint(tau * one) / one) ** 2 * one) / one
    with np.errstate(divide="ignore"):
        slope = np.floor(np.rint(time_step * one) / np.where(square > 0, square, np.inf)) / one
        return np.mod(slope, 1.0), time_step / tau**2


def effective_time_constant(tau: np.ndarray, time_step: float) -> np.ndarray:
    r"""The time constant that a cell's membrane has on the chip, ms.

    The step, :math:`dt`, is rounded to 2^-15 ms; :math:`dt/\tau` is truncated to a multiple of 2^-15, and so is the factor
    :math:`e^{-dt/\tau}` by which the membrane moves in a step.  A membrane on which nothing decays has no time constant.
    """
    one = float(1 << FRACTION_BITS)
    ratio = np.floor(np.rint(time_step * one) / (np.rint(np.asarray(tau, dtype=float) * one) / one)) / one
    factor = np.floor(np.exp(-ratio) * one) / one
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(factor > 0, -time_step / np.log(np.where(factor > 0, factor, 0.5)), 0.0))
