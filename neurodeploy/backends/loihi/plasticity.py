"""Pass 6, map plasticity: the pair rule of every learning projection becomes a rule of the chip's learning engine.

What the rule becomes is in :mod:`neurodeploy.chips.loihi_plasticity`; here it meets its synapses, whose scale was chosen so that
``w_max`` is the mantissa 255 (``scales.py``).
"""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.backends.loihi.program import Synapses
from neurodeploy.backends.loihi.quantise import Quantised
from neurodeploy.chips.loihi_plasticity import map_pair_rule, refuse
from neurodeploy.errors import UnsupportedError
from neurodeploy.findings import Judge
from neurodeploy.models.network import Network, Plasticity, Projection

SEEDS_APART = 4
"""A rule takes its seed for its pre traces and two more for its post traces."""


def refuse_rules(network: Network, synapses: list[Bundle], judge: Judge) -> None:
    """Raise for the first rule that no scale could help; see :func:`neurodeploy.chips.loihi_plasticity.refuse`."""
    for bundle in synapses:
        projection = network.projections[bundle.projection]
        if projection.plasticity is not None:
            with judge.each(projection):
                weight = np.asarray(projection.weight, dtype=float)
                refuse(projection.plasticity, bundle.label, projection.receptor, weight, bundle.delay)


def map_plasticity(
    network: Network, quantised: Quantised, membrane: Membrane, changes: list[str], judge: Judge
) -> None:
    """Give the learning synapses onto one population their rule, and say in `changes` what it is.

    Raises
    ------
    UnsupportedError
        A rule that the engine cannot express; a pair of neurons with two learning synapses; targets with different gains.
    """
    for bundle, synapses in quantised.pairs:
        projection = network.projections[bundle.projection]
        if projection.plasticity is not None:
            with judge.each(projection):
                _map(network, projection, projection.plasticity, bundle, synapses, membrane, changes)


def _map(
    network: Network,
    projection: Projection,
    rule: Plasticity,
    bundle: Bundle,
    synapses: Synapses,
    membrane: Membrane,
    changes: list[str],
) -> None:
    pairs = bundle.pre_index * (bundle.post_index.max() + 1) + bundle.post_index
    if len(np.unique(pairs)) < len(pairs):
        raise UnsupportedError(
            f"Projection '{bundle.label}': a pair of neurons has two learning synapses",
            why="Lava's learning connection has one weight for each pair",
            fix="use a connector that makes each synapse once",
        )
    gain = membrane.gain[bundle.receptor][bundle.post_index]
    if np.ptp(gain) > 0:
        raise UnsupportedError(
            f"Projection '{bundle.label}': its targets have different synaptic time constants",
            why="w_max is the mantissa 255 for one of them alone",
            fix=f"give all neurons of '{membrane.label}' the same tau_syn_E",
        )
    mapped = map_pair_rule(
        rule,
        bundle.label,
        projection.receptor,
        np.asarray(projection.weight, dtype=float),
        bundle.delay,
        network.time_step,
        seed=1 + SEEDS_APART * (bundle.projection + len(network.projections) * network.seed),
    )
    synapses.learning = mapped.rule
    changes += mapped.changes
