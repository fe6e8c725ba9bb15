"""The memory on every target: the published recordings, the acceptance cases, the weights, the known defects."""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import A19_FORGOTTEN, A19_LEARNED, CASES, D4, Case, a18
from reference_cam import simulate as reference
from test_cam_reference import check

from neurodeploy.cam import experiments
from neurodeploy.cam.application import simulate
from neurodeploy.cam.decoding import spike_rows

FIRES_AT = 3.358  # nA; the smallest single weight that fires a resting cell of S2cue


def run(target, experiment):
    return simulate(experiment, target.options(), target.backend)


@pytest.mark.parametrize("name", ["functional", "stress"])
def test_published_recordings_are_reproduced_row_for_row(target, name: str) -> None:
    assert spike_rows(run(target, experiments.experiment(name)).recording.ticks()) == experiments.published(
        name
    )


def test_state_map_answers_all_twenty(target) -> None:
    judged = run(target, experiments.experiment("state-map")).judged
    assert (sum(one.correct for one in judged), len(judged)) == (20, 20)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.split(":")[0])
def test_acceptance_cases(target, case: Case) -> None:
    if target.name == "runtime" and case.experiment.duration_ms > 400:
        pytest.skip("the slower engine runs the short cases; the two engines are compared elsewhere")
    check(case, run(target, case.experiment).recording.ticks())


@pytest.mark.parametrize("seed", range(40))
def test_a18_random_sequences_have_no_error(target, seed: int) -> None:
    if target.name == "runtime":
        pytest.skip("40 sequences of 1,200 steps are for the compiled engine")
    experiment = a18(seed)
    outcome = run(target, experiment)
    assert [one for one in outcome.judged if not one.correct] == []
    assert spike_rows(outcome.recording.ticks()) == spike_rows(reference(experiment).spikes)


def test_a19_weights_after_learning(target) -> None:
    outcome = run(target, A19_LEARNED)
    item = np.zeros((5, 10), dtype=bool)
    item[0, [0, 1]] = True
    for matrix in (outcome.weights("forward"), outcome.weights("backward").T):
        assert np.all(matrix[item] > 5.0)
        assert np.all(matrix[~item] <= 0.5)


def test_a19_weights_after_forgetting(target) -> None:
    outcome = run(target, A19_FORGOTTEN)
    forgotten = outcome.weights("backward")[[0, 1], 0]
    assert np.all((forgotten > 2.5) & (forgotten < FIRES_AT))
    assert np.all(outcome.weights("forward")[0, [0, 1]] < 0.5)


def test_weights_equal_the_reference(target) -> None:
    outcome, expected = run(target, experiments.functional()), reference(experiments.functional())
    np.testing.assert_allclose(outcome.weights("forward"), expected.forward, atol=1e-9)
    np.testing.assert_allclose(outcome.weights("backward"), expected.backward, atol=1e-9)


def test_d4_learning_nothing_erases_one_direction_alone(target) -> None:
    """Given as spikes, since the product refuses to learn an empty content."""
    from neurodeploy import pynn as sim
    from neurodeploy.cam.model import build

    cue_spikes: list[list[float]] = [[] for _ in range(5)]
    content_spikes: list[list[float]] = [[] for _ in range(10)]
    for kind, time, cue, content in D4:
        times = [time, time + 1, time + 2] if kind == "learn" else [time]
        cue_part = [] if cue is None else [cue_spikes[cue]]
        for spikes in cue_part + [content_spikes[element] for element in content]:
            spikes += times
    sim.setup(timestep=1.0, rules="spinnaker", backend=target.backend, engine=target.engine)
    memory = build(sim, 5, 10, cue_spikes, content_spikes)
    sim.run(150.0)
    trains = {
        name: memory.populations[name].get_data("spikes").segments[0].spiketrains
        for name in ("OUT_cue", "OUT_content")
    }
    spoken = {
        name: {(neuron, round(float(t))) for neuron, train in enumerate(found) for t in train}
        for name, found in trains.items()
    }
    sim.end()
    assert (2, 85) in spoken["OUT_cue"]
    assert not [spike for spike in spoken["OUT_content"] if 80 <= spike[1] < 120]  # the cue recalls nothing
    assert (2, 126) in spoken["OUT_cue"]  # but the content still recalls the cue


def test_ideal_rules_cannot_forget(target) -> None:
    """With continuous time the published model returns old and new content: the tick is part of its meaning."""
    outcome = simulate(experiments.functional(), target.options("ideal"), target.backend)
    assert sum(one.correct for one in outcome.judged) < len(outcome.judged)


def test_two_runs_are_the_same(target) -> None:
    first, second = (run(target, experiments.functional()) for _ in range(2))
    assert spike_rows(first.recording.ticks()) == spike_rows(second.recording.ticks())
    assert first.report.facts["network"] == second.report.facts["network"]


def test_sizes_of_one_structure_share_one_program() -> None:
    from conftest import TARGETS

    target = TARGETS["cpp"]
    run(target, experiments.functional())
    for cues, contents in ((1, 1), (2, 30), (40, 3)):
        outcome = run(target, experiments.random(5, cues=cues, contents=contents, operations=30))
        assert outcome.report.facts["compiled"] is False or cues == 1
