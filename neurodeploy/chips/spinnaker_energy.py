"""What a SpiNNaker-1 board draws, from published measurements; what is computed of it is an estimate."""

from __future__ import annotations

from neurodeploy.costs import Band

IDLE_BOARD = {3: 3.56, 5: 26.84}
"""W of a board on which nothing runs (SpiNNMachine 7.4.1, ``Version3``: an idle board measured for an hour; ``Version5``: from
'Optimising the overall power usage on the SpiNNaker neuromimetic platform')."""

BOX = {3: 0.0, 5: 5.04}
"""W more with the board's box and power supply (SpiNNMachine 7.4.1, ``Version5``: a boxed board took 31.88 W for an hour)."""

AWAKE_CORE = 0.034
"""W more while a core is awake (SpiNNMachine 7.4.1, ``VersionSpin1``: 806 active cores took 27.50 W more for an hour)."""

PACKET = 40 * 25e-12
"""J of a spike's packet through a router: 40 bits at 25 pJ (SpiNNMachine 7.4.1, from 'SpiNNaker: A 1-W 18-Core
System-on-Chip for Massively-Parallel Neural Network Simulation', IEEE JSSC 48(8), 2013)."""

NEURON_UPDATE = 100e-9
"""J of a neuron in a step of 1 ms (Sharp et al., 'Power-efficient simulation of detailed cortical microcircuits on SpiNNaker',
J. Neurosci. Methods 210, 2012: measured on four chips)."""

SYNAPTIC_EVENT = 43e-9
"""J of a postsynaptic potential (the same)."""

SOURCES = (
    "an idle board's and an awake core's power: SpiNNMachine 7.4.1's measurements; a router's packet: IEEE JSSC 48(8), 2013",
    "an update of a neuron, 100 nJ, and a synaptic event, 43 nJ: Sharp et al., J. Neurosci. Methods 210, 2012, measured",
    "at least: cores sleep all the time; likely: they take what neurons and events took of Sharp et al., no more than when"
    " awake; at most: cores are awake all the time, in a box with its power supply",
    "a host is not counted",
)


def energy(
    version: int, boards: int, cores: int, seconds: float, updates: float, events: Band, spikes: Band
) -> Band:
    r"""Of a run on whole boards, J: :math:`P_{idle} t + E_{cores} + E_{packets}`.

    Cores that sleep all the time are the least, cores that are awake all the time, in a box, the most.  In between they take
    what their neurons and synaptic events took of Sharp et al., but no more than when awake: the tools have become faster
    since.
    """
    idle = boards * IDLE_BOARD[version] * seconds
    awake = cores * AWAKE_CORE * seconds
    likely = min(updates * NEURON_UPDATE + events.likely * SYNAPTIC_EVENT, awake)
    box = boards * BOX[version] * seconds
    return Band(idle, idle + likely, idle + box + awake) + spikes.times(PACKET)
