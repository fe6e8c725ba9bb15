"""From the PyNN objects to the Network, and which part of the Network each projection became."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.models.network import Network, Population, Projection, Recorded

if TYPE_CHECKING:
    from neurodeploy.models.pynn.simulator import State

Parts = list[tuple[int, "np.ndarray | None"]]
"""(position in ``Network.projections``, synapses of the PyNN projection or None for all), one a part."""


def build(state: State) -> tuple[Network, list[Parts]]:
    """The Network of the present model, and for each PyNN projection the parts it became.

    Populations keep their positions.  A projection between views lies between their whole populations; one
    from or onto an Assembly becomes one Network projection a pair of populations.
    """
    network = Network(time_step=state.dt, seed=state.seed)
    for population in state.populations:
        network.populations.append(
            Population(
                label=population.label,
                cell=population.celltype.__class__.__name__,
                size=population.size,
                parameters=population.parameters_as_data(),
                initial_values={name: values.copy() for name, values in population._state.items()},
                spike_times=population.spike_times_as_data(),
                largest_sums=population.largest_sums,
            )
        )
        recorder = population.recorder
        for variable, neurons in recorder.recorded_neurons().items():
            network.recorded.append(
                Recorded(population._position, variable, neurons, float(recorder.sampling_interval))
            )
    parts = []
    for projection in state.projections:
        pieces: Parts = []
        for pre, post, selection in _pairs(projection):
            pieces.append((len(network.projections), selection))
            network.projections.append(_piece(projection, pre, post, selection))
        parts.append(pieces)
    network.injections = state.injections_as_data()
    return network, parts


def _pairs(projection) -> list[tuple[int, int, np.ndarray | None]]:
    """The pairs of populations that `projection` joins, with its synapses between each pair."""
    pre_positions, post_positions = projection.pre._positions_of, projection.post._positions_of
    if len(set(pre_positions)) == 1 and len(set(post_positions)) == 1:
        return [(pre_positions[0], post_positions[0], None)]
    pre = np.repeat(pre_positions, projection.pre._sizes)[projection.pre_index]
    post = np.repeat(post_positions, projection.post._sizes)[projection.post_index]
    result: list[tuple[int, int, np.ndarray | None]] = []
    for i in dict.fromkeys(pre_positions):
        for j in dict.fromkeys(post_positions):
            selection = np.flatnonzero((pre == i) & (post == j))
            if selection.size:
                result.append((i, j, selection))
    return result


def _piece(projection, pre: int, post: int, selection: np.ndarray | None) -> Projection:
    chosen = slice(None) if selection is None else selection
    label = projection.label
    if selection is not None:
        populations = projection._simulator.state.populations
        label = f"{label} ({populations[pre].label}→{populations[post].label})"
    return Projection(
        label=label,
        pre=pre,
        post=post,
        receptor=projection.receptor_type,
        pre_index=projection.pre._neurons[projection.pre_index[chosen]].astype(np.int32),
        post_index=projection.post._neurons[projection.post_index[chosen]].astype(np.int32),
        weight=projection._weight[chosen],
        delay=projection._delay[chosen],
        plasticity=projection.plasticity,
    )
