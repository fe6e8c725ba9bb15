"""SpiNNaker-1 and sPyNNaker 7.4 as limits: what a model may be, before any of it is loaded.

Every number stands here once, with where it comes from; the arithmetic of a tick is in
:mod:`neurodeploy.chips.spinnaker`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FRACTION_BITS = 15
"""Parameters and state are s16.15: 32-bit numbers with this many bits behind the point."""

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

DELAY_STAGES = 8
"""Ring lengths that a delay extension core adds to a core's own (``DelayExtensionVertex.MAX_SLOTS``)."""

CHIPS = {3: 4, 5: 48}
"""Chips of a board, by its version."""

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


def longest_delay_steps(neurons: int) -> int:
    """The longest delay onto a population of `neurons`, in steps: a core's own ring and all its extensions.

    A core may run out of memory before that; the tools say so when they map the model.
    """
    neuron_bits = max((min(neurons, NEURONS_PER_CORE) - 1).bit_length(), 0)
    return int((1 << (RING_BUFFER_BITS - RECEPTOR_BITS - neuron_bits)) * (DELAY_STAGES + 1))
