"""Pass 5, map delays: what is longer than a synapse's own delay goes through relays.

A relay fires in the very step a spike reaches it, so delays add up exactly: a delay of D steps is a chain of
:math:`\\lceil D/63 \\rceil - 1` relays, each 63 steps after the one before, and a synapse with what is left.  A
presynaptic neuron has one chain, whatever the number of its long synapses; its longest delay needs one of that length.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from neurodeploy.backends.loihi.program import Compartments, Source, Synapses
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.chips.loihi_arithmetic import CURRENT_DECAY_OFFSET

WEIGHT = 2
"""Mantissa of the synapse onto a relay: 128 units, above its threshold of 64, and nothing is left of it a step later."""

THRESHOLD = 1


@dataclass
class Delayed:
    """Synapses with delays the chip has, and the relays they need, as groups that follow the first ``len(groups)``."""

    synapses: list[Synapses] = field(default_factory=list)
    relays: list[Compartments] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)


def map_delays(
    groups: list[Compartments | Source], synapses: list[Synapses], chip: LoihiChip, time_step: float
) -> Delayed:
    """Send what is longer than ``chip.longest_delay`` through relays."""
    result, longest = Delayed(), chip.longest_delay
    stages = [(part.delay - 1) // longest for part in synapses]
    chains: dict[tuple[int, int], tuple[int, np.ndarray]] = {}
    for pre, group in enumerate(groups):
        deepest = np.zeros(group.size, dtype=np.int64)
        for part, stage in zip(synapses, stages, strict=True):
            if part.pre == pre:
                np.maximum.at(deepest, part.pre_index, stage)
        if deepest.max(initial=0):
            _chain(pre, group, deepest, len(groups), chip, time_step, chains, result)
    for part, stage in zip(synapses, stages, strict=True):
        result.synapses += _through(part, stage, longest, chains)
    return result


def _chain(
    pre: int,
    group: Compartments | Source,
    deepest: np.ndarray,
    first: int,
    chip: LoihiChip,
    time_step: float,
    chains: dict[tuple[int, int], tuple[int, np.ndarray]],
    result: Delayed,
) -> None:
    """Relays of one presynaptic group; ``chains[pre, stage]`` gives their group and, of each neuron, its relay."""
    before, place, longest = pre, np.arange(group.size), chip.longest_delay
    for stage in range(1, int(deepest.max()) + 1):
        needed = np.flatnonzero(deepest >= stage)
        number = first + len(result.relays)
        label = f"{group.label}, {stage * longest * time_step:g} ms later"
        result.relays.append(relays(label, len(needed), chip))
        result.synapses.append(_onto_relays(label, before, number, place[needed], longest))
        place = np.full(group.size, -1)
        place[needed] = np.arange(len(needed))
        chains[pre, stage] = number, place
        before = number
    total = int(deepest.sum())
    result.changes.append(
        f"Population '{group.label}': delays beyond {longest * time_step:g} ms through {total} relay neurons, of"
        f" {np.count_nonzero(deepest)} of its {group.size} neurons; spikes arrive in the same step"
    )


def relays(label: str, size: int, chip: LoihiChip) -> Compartments:
    """Neurons that fire in the step a spike reaches them, and forget it."""
    zero = np.zeros(size, dtype=np.int64)
    return Compartments(
        label=label,
        size=size,
        du=np.full((1, size), chip.decay_unity - CURRENT_DECAY_OFFSET, dtype=np.int64),
        dv=np.full(size, chip.decay_unity - 1, dtype=np.int64),
        vth=np.full(size, THRESHOLD, dtype=np.int64),
        bias_mant=zero,
        bias_exp=zero,
        refractory=zero,
        u=np.zeros((1, size), dtype=np.int64),
        v=zero,
    )


def _onto_relays(label: str, pre: int, post: int, senders: np.ndarray, delay: int) -> Synapses:
    count = len(senders)
    return Synapses(
        label=label,
        projection=-1,
        members=np.arange(count, dtype=np.int64),
        pre=pre,
        post=post,
        current=0,
        pre_index=senders.astype(np.int64),
        post_index=np.arange(count, dtype=np.int64),
        mantissa=np.full(count, WEIGHT, dtype=np.int64),
        delay=np.full(count, delay, dtype=np.int64),
    )


def _through(
    part: Synapses, stage: np.ndarray, longest: int, chains: dict[tuple[int, int], tuple[int, np.ndarray]]
) -> list[Synapses]:
    """`part`, cut by the relay stage that its synapses start from."""
    result = []
    for each in np.unique(stage):
        which = np.flatnonzero(stage == each)
        pre, senders = part.pre, part.pre_index[which]
        if each:
            pre, place = chains[part.pre, int(each)]
            senders = place[senders]
        result.append(
            replace(
                part,
                pre=pre,
                pre_index=senders,
                members=part.members[which],
                post_index=part.post_index[which],
                mantissa=part.mantissa[which],
                delay=part.delay[which] - each * longest,
            )
        )
    return result
