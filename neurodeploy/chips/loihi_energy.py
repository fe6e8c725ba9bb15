"""What Loihi's operations take, from published figures; what is computed of them is an estimate.

They are Loihi 1's: of Loihi 2 none are published, and Loihi 1's are kept.
"""

from __future__ import annotations

from neurodeploy.costs import Band

_TABLE = "Davies et al., IEEE Micro 38(1), 2018, table 2 (simulated before there was silicon, at 0.75 V)"

SYNAPTIC_EVENT = 23.6e-12
"""J of a synaptic operation, at least."""

SYNAPTIC_UPDATE = 120e-12
"""J of an update of a synapse by pairwise STDP."""

NEURON_UPDATE = (52e-12, 81e-12)
"""J of an update of a neuron that is inactive, and of one that is active."""

SPIKE_IN_TILE = 1.7e-12
"""J of a spike within its tile."""

TILE_HOP = (3.0e-12, 4.0e-12)
"""J of a spike from a tile to the next, east or west, and north or south."""

CORES_PER_TILE = 4

MESH = (8, 4)
"""Tiles of a chip, east to west and north to south."""

SYNAPTIC_EVENT_TIME = 3.5e-9
"""s of a synaptic operation, at most."""

SYNAPTIC_UPDATE_TIME = 6.1e-9
"""s of an update by pairwise STDP."""

NEURON_UPDATE_TIME = (5.3e-9, 8.4e-9)
"""s of an update of a neuron that is inactive, and of one that is active."""

BARRIER = (113e-9, 465e-9)
"""s until all cores of a chip have ended a step, with 1 tile and with 32."""

FAR_BARRIER = 16.2e-6
"""s of the same with 768 chips (Frady et al., 'Neuromorphic Nearest-Neighbor Search Using Intel's Pohoiki Springs', 2020)."""

STATIC = 3.34 / 32
"""W that a chip leaks, all cores powered: a measured board of 32 chips (Frady et al., 2020, table 1)."""

SOURCES = (
    f"operations: {_TABLE}; leakage, and many chips: Frady et al., 'Pohoiki Springs', 2020, measured",
    "at least: no neuron is active, no core leaks, spikes stay in their tile; likely: a neuron is active in the steps in which a"
    " spike reaches it, cores in use leak; at most: all neurons are active, whole chips leak, spikes cross the mesh",
    f"a chip that is kept to 1 ms a step leaks up to {STATIC * 1e3:.0f} µJ in each, more than all of that",
    "a Loihi's embedded processors, its board and its host are not counted, nor are loading and reading out",
)


def transport(messages: Band) -> Band:
    """Of spikes to cores, J: within a tile, or as far as a chip's mesh goes."""
    furthest = sum(hop * (tiles - 1) for hop, tiles in zip(TILE_HOP, MESH, strict=True))
    return Band(
        messages.low * SPIKE_IN_TILE,
        messages.likely * SPIKE_IN_TILE,
        messages.high * (SPIKE_IN_TILE + furthest),
    )


def updates(all_of_them: float, active: Band) -> Band:
    """Of neurons' updates, `active` of which are of active neurons, J."""
    inactive, more = NEURON_UPDATE[0], NEURON_UPDATE[1] - NEURON_UPDATE[0]
    return Band(
        *(all_of_them * inactive + count * more for count in (active.low, active.likely, active.high))
    )


def barrier(chips: int, cores: int) -> Band:
    """Of a step's end, s."""
    if chips > 1:
        return Band(BARRIER[1], FAR_BARRIER, FAR_BARRIER)
    return Band(BARRIER[0], BARRIER[cores > CORES_PER_TILE], BARRIER[1])


def leakage(chips: int, share: float, seconds: Band) -> Band:
    """J: no core's, that of the cores in use, which are `share` chips, and that of whole chips."""
    return Band(0.0, STATIC * share * seconds.likely, STATIC * chips * seconds.high)
