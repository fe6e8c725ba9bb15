"""The memory's acceptance cases A1 to A19 through sPyNNaker, on the chip's own programs."""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import A19_FORGOTTEN, A19_LEARNED, CASES, Case
from machine import HOST, needs_machine
from test_cam_reference import check

from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.resources import estimate
from neurodeploy.cam import experiments
from neurodeploy.cam.application import simulate
from neurodeploy.hardware import load

pytestmark = needs_machine
FIRES_AT = 3.358  # nA; the smallest single weight that fires a resting cell of S2cue


def run(experiment):
    options = Options("spinnaker", host=HOST)
    outcome = simulate(experiment, options, "spinnaker")
    assert outcome.report.executed_by == "emulated"
    return outcome


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.name[0] == "A" and case.name != "A17"],
    ids=lambda case: case.name.split(":")[0],
)
def test_acceptance_cases(case: Case) -> None:
    check(case, run(case.experiment).recording.ticks())


def test_a17_the_history_of_16_entries_makes_recalls_incomplete_and_adds_nothing() -> None:
    """The chip remembers so many spikes of a cell; cells that have spiked more often since learn from the later ones."""
    (case,) = [case for case in CASES if case.name == "A17"]
    judged = run(case.experiment).judged
    wrong = [one for one in judged if not one.correct]
    assert len(wrong) == 6 and len(judged) == 48
    for one in wrong:
        assert one.expected.kind == "cue recall"
        expected = one.expected.spikes
        assert one.given.cue == expected.cue
        assert one.given.content < expected.content


def test_state_map_answers_all_twenty_on_the_cores_and_in_the_memory_that_a_check_says() -> None:
    experiment = experiments.experiment("state-map")
    outcome = run(experiment)
    judged = outcome.judged
    assert (sum(one.correct for one in judged), len(judged)) == (20, 20)
    taken = estimate(outcome.network, load("spinnaker-emulated"), round(experiment.duration_ms), 1).cores
    expected = sorted(size for cores in taken for size in [cores.sdram] * cores.count)
    vertices = outcome.report.facts["mapping"]
    assert sorted(vertex["sdram_bytes"] for vertex in vertices if vertex["population"]) == expected


def test_a19_weights_after_learning_and_after_forgetting() -> None:
    learned = run(A19_LEARNED)
    item = np.zeros((5, 10), dtype=bool)
    item[0, [0, 1]] = True
    for matrix in (learned.weights("forward"), learned.weights("backward").T):
        assert np.all(matrix[item] > 5.0)
        assert np.all(matrix[~item] <= 0.5)
    # A weight that is read lacks what has come since its last source spike: here the return to some 3 nA.
    forgotten = run(A19_FORGOTTEN)
    assert np.all(forgotten.weights("backward")[[0, 1], 0] < FIRES_AT)
    assert np.all(forgotten.weights("forward")[0, [0, 1]] < 0.5)
