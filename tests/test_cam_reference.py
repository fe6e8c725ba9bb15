"""The independent reference meets the published rasters and the acceptance cases: what the backends are held against."""

from __future__ import annotations

import dataclasses

import pytest
from cam_cases import CASES, Case
from reference_cam import SPINNAKER, differing_cells, simulate

from neurodeploy.cam import experiments
from neurodeploy.cam.decoding import decode, spike_rows


@pytest.mark.parametrize("name", ["functional", "stress"])
def test_reference_reproduces_the_published_raster_row_for_row(name: str) -> None:
    assert spike_rows(simulate(experiments.experiment(name)).spikes) == experiments.published(name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.split(":")[0])
def test_reference_answers_the_acceptance_cases(case: Case) -> None:
    check(case, simulate(case.experiment).spikes)


def check(case: Case, spikes) -> None:
    """Hold the answers of one run against a case."""
    judged = decode(case.experiment, spikes)
    for number, (cues, contents) in case.answers.items():
        assert (judged[number].answer.cues, judged[number].answer.contents) == (cues, contents), judged[
            number
        ]
    for number, ghosts in case.ghosts.items():
        assert judged[number].ghosts == ghosts
    if case.faultless:
        assert [one for one in judged if not one.correct] == []


@pytest.mark.parametrize(
    ("convention", "value", "functional", "stress", "state_map"),
    [
        ("dendritic_delay", 0, 22, 158, 12),
        ("depression_on_tie", False, 14, 149, 0),
        ("amplitude", 36.0, 13, 60, 12),
        ("clip_each", False, 3, 30, 0),
    ],
)
def test_every_other_convention_is_wrong_by_so_many_cells(
    convention: str, value: object, functional: int, stress: int, state_map: int
) -> None:
    """The numbers of differing (tick, population) cells that the published analysis gives for each wrong choice."""
    wrong = dataclasses.replace(SPINNAKER, **{convention: value})
    counted = []
    for name in ("functional", "stress", "state-map"):
        experiment = experiments.experiment(name)
        counted.append(differing_cells(simulate(experiment), simulate(experiment, wrong)))
    assert counted == [functional, stress, state_map]
