"""The network as PyNN gets it: counts, signs, masks, labels; no simulation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from neurodeploy.cam import model
from neurodeploy.errors import RequestError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pyNN import mock


def make(cues: int, contents: int, **options) -> model.Memory:
    mock.setup(timestep=1.0, min_delay=1.0, max_delay=3.0)
    return model.build(mock, cues, contents, [[]] * cues, [[]] * contents, **options)


def synapses(projection) -> list[tuple[int, int, float, float]]:
    return [tuple(row) for row in projection.get(["weight", "delay"], format="list")]


@pytest.mark.parametrize(("cues", "contents", "neurons", "internal"), [(5, 10, 86, 265), (16, 6, 117, 852)])
def test_counts_of_the_published_sizes(cues: int, contents: int, neurons: int, internal: int) -> None:
    assert model.neuron_count(cues, contents) == neurons
    assert model.synapse_count(cues, contents) == internal + 2 * (cues + contents)
    memory = make(cues, contents)
    assert sum(population.size for population in memory.populations.values()) == neurons
    assert sum(p.size() for p in memory.projections.values()) == internal + 2 * (cues + contents)
    assert memory.forward.size() == memory.backward.size() == cues * contents


@pytest.mark.parametrize(("cues", "contents"), [(1, 1), (1, 4), (4, 1), (2, 2)])
def test_the_smallest_memories(cues: int, contents: int) -> None:
    memory = make(cues, contents)
    assert sum(p.size() for p in memory.projections.values()) == model.synapse_count(cues, contents)
    assert len(memory.projections) == (16 if cues == 1 else 18)


def test_names_and_recording() -> None:
    memory = make(3, 4)
    assert tuple(memory.populations) == model.POPULATION_NAMES
    assert all(population.label == name for name, population in memory.populations.items())
    assert all(projection.label == label for label, projection in memory.projections.items())
    assert len(memory.projections) == 18
    assert all("spikes" in str(p.recorder.recorded) for p in memory.populations.values())


def test_lateral_inhibition_spares_its_own_index_and_grows_with_the_content() -> None:
    memory = make(4, 7)
    for label, delay in (("S1cue→S2cue (inhibitory)", 3.0), ("S2cue→S2cue (inhibitory)", 2.0)):
        rows = synapses(memory.projections[label])
        assert {(i, j) for i, j, _, _ in rows} == {(i, j) for i in range(4) for j in range(4) if i != j}
        assert {(weight, d) for _, _, weight, d in rows} == {(-42.0, delay)}
    gate = synapses(memory.projections["S1cue→cond (inhibitory)"])
    assert len(gate) == 28 and {(weight, d) for _, _, weight, d in gate} == {(-6.0, 2.0)}


def test_learned_weights_are_loaded_and_the_rest_start_at_zero() -> None:
    memory = make(
        3, 4, learned={"forward": [(1, 2, 4.5, 1.0)], "backward": [(3, 0, 6.0, 1.0), (0, 2, 1.0, 1.0)]}
    )
    forward = np.zeros((3, 4))
    forward[1, 2] = 4.5
    backward = np.zeros((4, 3))
    backward[3, 0], backward[0, 2] = 6.0, 1.0
    assert np.array_equal(memory.forward.get("weight", format="array"), forward)
    assert np.array_equal(memory.backward.get("weight", format="array"), backward)


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ({"foward": []}, "Did you mean 'forward'"),
        ({"forward": [(3, 0, 1.0, 1.0)]}, "from S1cue 3 to S1cont 0 is outside"),
        ({"backward": [(0, 3, 1.0, 1.0)]}, "from S2cont 0 to S2cue 3 is outside"),
        ({"forward": [(0, 0, 6.5, 1.0)]}, "is 6.5 nA"),
        ({"forward": [(0, 0, float("nan"), 1.0)]}, "is nan nA"),
    ],
)
def test_learned_weights_are_checked(learned: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make(3, 4, learned=learned)


def test_sizes_and_inputs_are_checked() -> None:
    with pytest.raises(RequestError, match="number of cues is 0"):
        make(0, 4)
    with pytest.raises(RequestError, match="IN_cue has 2 neurons, but got spike times for 1"):
        model.build(mock, 2, 2, [[]], [[], []])


def test_the_firing_threshold_follows_from_the_cell() -> None:
    cell = model.CELLS["fast"]
    charge = cell["tau_syn_E"] * (1 - np.exp(-model.TIME_STEP_MS / cell["tau_syn_E"]))
    lift = charge * cell["tau_m"] / cell["cm"] * (1 - np.exp(-model.TIME_STEP_MS / cell["tau_m"]))
    assert (cell["v_thresh"] - cell["v_rest"]) / lift == pytest.approx(model.FIRING_THRESHOLD_NA, abs=5e-4)
