"""The memory's ``build`` makes the same network in every PyNN simulator."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from neurodeploy.cam.model import build, synapse_count

SIZES = (4, 6)


def synapse_lists(simulator: str) -> dict[str, np.ndarray]:
    """Every projection's (pre, post, weight, delay), sorted; without dendritic delay, which pyNN.brian2 lacks."""
    sim = importlib.import_module(simulator)
    sim.setup(timestep=1.0, min_delay=1.0)
    memory = build(sim, *SIZES, [[1.0]] * SIZES[0], [[2.0]] * SIZES[1], dendritic_delay_fraction=0.0)
    lists = {}
    for label, projection in memory.projections.items():
        rows = projection.get(["weight", "delay"], format="list")
        lists[label] = np.array(sorted(tuple(float(value) for value in row) for row in rows))
    sim.end()
    return lists


@pytest.mark.parametrize("simulator", ["pyNN.brian2", "pyNN.mock"])
def test_same_synapses_as_in_other_simulators(simulator: str) -> None:
    if simulator == "pyNN.brian2":  # connecting compiles nothing: minutes less
        brian2 = pytest.importorskip("brian2")
        brian2.prefs.codegen.target = "numpy"
    ours, theirs = synapse_lists("neurodeploy.pynn"), synapse_lists(simulator)
    assert list(ours) == list(theirs)
    assert sum(len(rows) for rows in ours.values()) == synapse_count(*SIZES)
    for label in ours:
        np.testing.assert_allclose(ours[label], theirs[label], err_msg=label)
