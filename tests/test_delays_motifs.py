"""Motifs with known kernels: acceptance cases 1 and 3, and the log-odds by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.delays import motifs
from neurodeploy.delays.motifs import MotifSettings
from neurodeploy.errors import RequestError


def test_case_1_a_motif_is_found_at_its_end_and_nothing_else_is() -> None:
    """Offsets 0, 7, 12 and 20 with delays 20 minus offset: one step with all four, none reversed, short of one, or moved."""
    offsets = np.array([0, 7, 12, 20])
    kernel = np.zeros((1, 4, 21), np.float32)
    kernel[0, np.arange(4), 20 - offsets] = 1

    def steps(times: np.ndarray) -> list[int]:
        spikes = np.zeros((4, 120), bool)
        spikes[np.arange(len(times)), times] = True
        return np.flatnonzero(motifs.evidence(kernel, spikes)[0] > 3.5).tolist()

    assert steps(30 + offsets) == [50]
    assert steps(30 + offsets[::-1]) == [] and steps(30 + offsets[:3]) == []
    assert steps(30 + offsets + [0, 0, 1, 0]) == []


def test_case_3_known_kernels_find_what_correlation_and_other_kernels_do_not() -> None:
    """The published defaults, 4 trials: 95 and 77 % found within the specified margins, other kernels under 1 %."""
    mean, each = motifs.run_trials(MotifSettings(), seed=0, count=4)
    assert sum(one["occurrences"] for one in each) == mean["occurrences"] > 800
    assert mean["low_5"] < mean["true positives"] < mean["high_95"]
    assert abs(mean["true positives"] - 0.95) <= 0.02 and mean["true negatives"] > 0.999
    assert abs(mean["correlation"] - 0.77) <= 0.04 and mean["other kernels"] < 0.01
    assert mean["rate"] == pytest.approx(0.020, abs=0.002)


def test_case_3_more_motifs_are_harder() -> None:
    few, _ = motifs.run_trials(replace(MotifSettings(), motifs=8), 0, 10)
    many, _ = motifs.run_trials(replace(MotifSettings(), motifs=1364), 0, 1)
    assert few["true positives"] >= 0.92 and 0.75 <= many["true positives"] < few["true positives"]


def test_case_4_a_motif_in_noise_is_always_found_and_false_alarms_are_as_many_as_chance_makes() -> None:
    """A false alarm is a coincidence of noise on all four inputs, rate to the power of four in every step."""
    offsets, rate, steps = np.array([0, 7, 12, 20]), 0.2, 40_000
    delays = 20 - offsets
    kernel = np.zeros((1, 4, 21), np.float32)
    kernel[0, np.arange(4), delays] = 1
    starts = np.arange(100, steps - 100, 200)
    motif = np.zeros((4, steps), bool)
    motif[np.arange(4)[:, None], offsets[:, None] + starts] = True
    spikes = motif | (np.random.default_rng(0).random(motif.shape) < rate)
    detected = motifs.evidence(kernel, spikes)[0] > 3.5
    assert detected[starts + 20].all()
    steps_at_chance = steps - 20 - len(starts)
    alarms, expected = np.count_nonzero(detected) - len(starts), steps_at_chance * rate**4
    assert abs(alarms - expected) < 3 * np.sqrt(expected * (1 - rate**4))


def test_more_delays_find_more() -> None:
    few = replace(MotifSettings(), motifs=55, delays=5)
    many = replace(few, delays=31)
    found = [motifs.run_trials(s, 0, 3)[0]["true positives"] for s in (few, many)]
    assert found[0] < found[1] - 0.1


def test_the_scan_writes_every_trial(tmp_path) -> None:
    small = MotifSettings(inputs=40, delays=11, steps=300)
    out = tmp_path / "out"
    result = motifs.run_motifs(trials=2, numbers=(4, 9), settings=small, out=out)
    assert [one["motifs"] for one in result.data["scan"]] == [4, 9]
    assert len((out / "trials.csv").read_text().splitlines()) == 5
    assert json.loads((out / "metrics.json").read_text())["trials"] == 2
    with pytest.raises(RequestError, match="a motif has to fit"):
        MotifSettings(steps=20)
