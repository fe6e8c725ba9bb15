"""The circuit for Loihi on the independent reference: every acceptance case, every published time, no known defect."""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import A19_FORGOTTEN, CASES, Case, a18
from reference_cam import simulate
from test_cam_model import make, synapses

from neurodeploy.cam import experiments, model
from neurodeploy.cam.decoding import decode
from neurodeploy.cam.loihi import LOIHI, circuit_for
from neurodeploy.cam.operations import spacing_warnings


def wrong(experiment) -> list:
    return [
        one for one in decode(experiment, simulate(experiment, circuit="loihi").spikes) if not one.correct
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.split(":")[0])
def test_every_case_is_faultless(case: Case) -> None:
    """The published ones at their own times, A13 and the state map at 7 and 6 ms; the defects D1 to D3 are absent."""
    assert wrong(case.experiment) == []


@pytest.mark.parametrize("seed", range(6))
def test_random_sequences(seed: int) -> None:
    assert wrong(a18(seed)) == []
    assert wrong(experiments.random(seed, cues=16, contents=16, spacing=8)) == []
    assert wrong(experiments.random(seed, cues=3, contents=40, spacing=8, operations=30)) == []


def test_what_is_forgotten_is_zero_and_what_is_held_is_full() -> None:
    outcome = simulate(A19_FORGOTTEN, circuit="loihi")
    item = np.zeros((5, 10))
    item[0, [2, 3]] = 6.0
    np.testing.assert_array_equal(outcome.forward, item)
    np.testing.assert_array_equal(outcome.backward.T, item)


def test_the_circuit_is_the_published_one_but_for_what_it_says() -> None:
    assert LOIHI.projections[:-1] == model.PROJECTIONS
    changed = {
        ours.name for ours, row in zip(LOIHI.populations, model.POPULATIONS, strict=True) if ours != row
    }
    assert changed == {"S1cont", "cond", "int", "S2cue"}
    assert {k: LOIHI.cells[k] for k in model.CELLS} == model.CELLS
    assert LOIHI.plasticity["w_max"] == model.PLASTICITY["w_max"]
    assert [circuit_for(rules).name for rules in ("loihi2", "loihi1", "spinnaker", "ideal")] == [
        "loihi",
        "loihi",
        "published",
        "published",
    ]


def test_it_is_built_with_its_nineteenth_projection() -> None:
    memory = make(3, 4, circuit=LOIHI)
    rows = synapses(memory.projections["S1cue→S1cont (inhibitory)"])
    assert len(rows) == 12 and {(weight, delay) for _, _, weight, delay in rows} == {(-6.0, 3.0)}
    assert sum(p.size() for p in memory.projections.values()) == model.synapse_count(3, 4, LOIHI)
    assert model.synapse_count(3, 4, LOIHI) == model.synapse_count(3, 4) + 12


def test_its_limits_are_its_own() -> None:
    assert spacing_warnings(experiments.functional().operations, LOIHI) == []
    (warning,) = spacing_warnings(experiments.state_map().operations, LOIHI)
    assert "8 ms" in warning
