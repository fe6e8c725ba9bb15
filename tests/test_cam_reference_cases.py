"""The long and the odd acceptance cases on the reference: random sequences, weights, and learning nothing."""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import A19_FORGOTTEN, A19_LEARNED, D4, a18
from reference_cam import Conventions, simulate

from neurodeploy.cam.decoding import decode
from neurodeploy.cam.experiments import Experiment, functional
from neurodeploy.cam.operations import Operation


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[pytest.mark.slow] if n > 3 else []) for n in range(40)]
)
def test_a18_random_sequences_with_relearning(seed: int) -> None:
    experiment = a18(seed)
    judged = decode(experiment, simulate(experiment).spikes)
    assert len(judged) == 60
    assert [one for one in judged if not one.correct] == []


def test_a19_learned_weights_are_almost_binary() -> None:
    outcome = simulate(A19_LEARNED)
    item = np.zeros((5, 10), dtype=bool)
    item[0, [0, 1]] = True
    for weights in (outcome.forward, outcome.backward.T):
        assert weights[item].min() > 5.0
        assert weights[~item].max() <= 0.5


def test_a19_forgotten_weights_stay_below_the_firing_threshold() -> None:
    outcome = simulate(A19_FORGOTTEN)
    forward, backward = outcome.forward, outcome.backward.T
    assert forward[0, [2, 3]].min() > 5.0
    assert backward[0, [2, 3]].min() > 5.0
    assert forward[0, [0, 1]].max() == 0.0
    assert backward[0, [0, 1]] == pytest.approx(6.0 * np.exp(-2 / 3), abs=0.02)
    rest = np.ones((5, 10), dtype=bool)
    rest[0, :4] = False
    assert forward[rest].max() <= 0.5
    assert backward[rest].max() <= 0.5


def test_d4_learning_nothing_forgets_in_one_direction_only() -> None:
    operations = tuple(Operation(time, kind, cue, frozenset(content)) for kind, time, cue, content in D4)
    experiment = Experiment("D4", 5, 10, operations[-1].time_ms + 20, operations)
    judged = decode(experiment, simulate(experiment).spikes)
    assert judged[1].ghosts == {4, 5}
    assert judged[2].answer.contents == frozenset()
    assert judged[3].answer.cues == {2}
    assert [one.correct for one in judged] == [True, True, True, False]


def test_nothing_is_learned_without_the_dendritic_delay() -> None:
    outcome = simulate(functional(), Conventions(dendritic_delay=0))
    recalls = [one for one in decode(functional(), outcome.spikes) if one.operation.kind == "recall"]
    assert recalls and not any(one.correct for one in recalls)
