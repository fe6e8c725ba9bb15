"""A liquid's wiring as one matrix, for tests."""

from __future__ import annotations

import numpy as np

from neurodeploy.lsm.model import EXCITATORY, INHIBITORY, Wiring, excitatory_count


def matrix(wiring: Wiring) -> np.ndarray:
    """Which liquid neuron projects to which, ``[source, target]``."""
    neurons = len(wiring.positions)
    found = np.zeros((neurons, neurons), bool)
    first = {EXCITATORY: 0, INHIBITORY: excitatory_count(neurons)}
    for (source, target), (pre, post) in wiring.liquid.items():
        found[pre + first[source], post + first[target]] = True
    return found
