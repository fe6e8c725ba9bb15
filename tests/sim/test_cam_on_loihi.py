"""The memory on Loihi: faultless in Lava and in the C++ engine with the chip's integers, at the published answer times.

The two, and the dense reference, compute the same bits (``test_lava_learning.py`` and others); here it is the answers that count.
Lava takes about 30 s of it.
"""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import CASES
from lava_programs import needs_lava
from reference_cam import simulate as in_floats

from neurodeploy.backends.base import Options
from neurodeploy.cam import experiments
from neurodeploy.cam.application import Outcome, simulate
from neurodeploy.cam.decoding import spike_rows
from neurodeploy.cam.experiments import Experiment

A13 = next(case.experiment for case in CASES if case.name == "A13")


def check(outcome: Outcome, experiment: Experiment) -> None:
    """No wrong answer, every spike in its step, and weights that are full or nothing."""
    assert (outcome.recording.executed_by, outcome.circuit.name) == ("chip arithmetic", "loihi")
    assert [one for one in outcome.judged if not one.correct] == []
    assert len(outcome.judged) == len(experiment.operations)
    expected = in_floats(experiment, circuit="loihi")
    assert spike_rows(outcome.recording.ticks()) == spike_rows(expected.spikes)
    np.testing.assert_allclose(outcome.weights("forward"), expected.forward, atol=1e-9)
    np.testing.assert_allclose(outcome.weights("backward"), expected.backward, atol=1e-9)


@needs_lava
@pytest.mark.parametrize(
    "experiment",
    [
        experiments.functional(),
        experiments.state_map(),
        A13,
        experiments.random(18, cues=8, contents=10, operations=320, spacing=8),
    ],
    ids=lambda e: e.name,
)
def test_in_lava(experiment: Experiment) -> None:
    """The published experiments at their own times, 7 and 6 ms included; 320 random operations 8 ms apart."""
    check(simulate(experiment, Options("loihi2"), "loihi"), experiment)
