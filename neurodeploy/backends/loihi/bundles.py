"""Synapses on their way to the chip: a projection's synapses of one sign, with weights still in real numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.backends.lowering import refuse_target, whole_delays
from neurodeploy.errors import RequestError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.models.network import RECEPTORS, Network, Projection


@dataclass(frozen=True)
class Bundle:
    """Synapses that will share a sign mode and a weight exponent.

    Attributes
    ----------
    label, projection, members, pre, post, pre_index, post_index, delay
        As in :class:`~neurodeploy.backends.loihi.program.Synapses`.
    receptor : int
        0 excitatory, 1 inhibitory: whose current and gain it is.
    weight : ndarray
        With sign and the receptor's gain: nA (mV on ``IF_curr_delta``).
    reach : float
        The largest magnitude a weight can have, now or after learning.
    sign_mode : str
    total : int
        Synapses of the whole projection.
    learns : bool
    """

    label: str
    projection: int
    members: np.ndarray
    pre: int
    post: int
    receptor: int
    pre_index: np.ndarray
    post_index: np.ndarray
    delay: np.ndarray
    weight: np.ndarray
    reach: float
    sign_mode: str
    total: int
    learns: bool = False

    @property
    def most(self) -> np.ndarray:
        """The largest magnitude of each weight, now or after learning."""
        magnitude = np.abs(self.weight)
        return np.full_like(magnitude, self.reach) if self.learns else magnitude

    def part(self, which: np.ndarray) -> Bundle:
        """The synapses at the positions `which`, of a bundle that does not learn."""
        arrays = ("members", "pre_index", "post_index", "delay", "weight")
        cut = {name: getattr(self, name)[which] for name in arrays}
        return replace(self, reach=float(np.abs(cut["weight"]).max(initial=0.0)), **cut)


def bundles(
    network: Network, membranes: list[Membrane | None], changes: list[str], judge: Judge = RAISES
) -> list[Bundle]:
    """All projections, those with both signs in two bundles; a learning projection stays whole.

    Raises
    ------
    RequestError
        A weight or delay that is not finite; a delay under one step; a source as target; a learning projection
        of both signs.
    """
    result = []
    for position, projection in enumerate(network.projections):
        if not projection.size:
            changes.append(f"Projection '{projection.label}': no synapses, nothing to load")
            continue
        membrane = membranes[projection.post]
        with judge.each(projection):
            refuse_target(projection, network.populations[projection.post])
            assert membrane is not None
            result += _of_projection(network, position, projection, membrane, changes)
    return result


def _of_projection(
    network: Network, position: int, projection: Projection, membrane: Membrane, changes: list[str]
) -> list[Bundle]:
    delay = whole_delays(network, projection, changes).astype(np.int64)
    receptor = RECEPTORS.index(projection.receptor)
    gain = membrane.gain[receptor][projection.post_index]
    weight = np.asarray(projection.weight, dtype=float) * gain
    rule = projection.plasticity
    largest = float(np.abs(weight).max())
    if rule is not None:
        largest = max(largest, float(gain.max()) * max(abs(rule.w_min), abs(rule.w_max)))
    usual = "inhibitory" if receptor else "excitatory"
    whole = Bundle(
        label=projection.label,
        projection=position,
        members=np.arange(projection.size, dtype=np.int64),
        pre=projection.pre,
        post=projection.post,
        receptor=receptor,
        pre_index=np.asarray(projection.pre_index, dtype=np.int64),
        post_index=np.asarray(projection.post_index, dtype=np.int64),
        delay=delay,
        weight=weight,
        reach=largest,
        sign_mode=usual,
        total=projection.size,
        learns=rule is not None,
    )
    positive, negative = np.any(weight > 0), np.any(weight < 0)
    if positive and negative:
        if rule is not None:
            raise RequestError(
                f"Projection '{projection.label}' learns, and has weights of both signs",
                why="the synapses of a learning rule share a sign on the chip",
                fix="use one projection for each sign",
            )
        up = weight > 0 if receptor else weight >= 0
        changes.append(
            f"Projection '{projection.label}': split by sign, {np.count_nonzero(weight > 0)} and"
            f" {np.count_nonzero(weight < 0)} of {projection.size} synapses; with both signs in one group a weight loses a bit"
        )
        return [
            replace(whole.part(np.flatnonzero(up)), sign_mode="excitatory"),
            replace(whole.part(np.flatnonzero(~up)), sign_mode="inhibitory"),
        ]
    if positive or negative:
        return [replace(whole, sign_mode="excitatory" if positive else "inhibitory")]
    return [whole]
