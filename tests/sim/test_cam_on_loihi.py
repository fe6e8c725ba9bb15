"""The memory on Loihi: faultless in Lava's fixed point and in the C++ engine with the chip's integers, at the published times.

Every case runs in both; so do the published experiments, at their own times.  Costs about a minute of one processor.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cam_cases import A19_FORGOTTEN, A19_LEARNED, CASES, SPACING, Case, a18
from lava_programs import needs_lava
from reference_cam import simulate as in_floats
from test_cli import FILES, call

from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi.program import ARRAYS, PLAN
from neurodeploy.cam import experiments
from neurodeploy.cam.application import Outcome, describe, simulate
from neurodeploy.cam.decoding import decode, spike_rows
from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.loihi import LOIHI
from neurodeploy.cam.model import PLASTIC_LABELS, RESTING_MV
from neurodeploy.cam.operations import spike_times
from neurodeploy.errors import RequestError

SAFE = LOIHI.safe_spacing["with re-learning"]
TAIL = 60
"""ms of silence after which the integers of every cell are 0."""


def faultless(experiment: Experiment, spikes) -> None:
    """Every answer is the ideal memory's, in its very ms, and every spike is the float reference's."""
    judged = decode(experiment, spikes)
    assert [one for one in judged if not one.correct] == []
    assert len(judged) == len(experiment.operations)
    assert spike_rows(spikes) == spike_rows(in_floats(experiment, circuit="loihi").spikes)


def check(outcome: Outcome) -> None:
    """No wrong answer, every spike in its step, and weights that are full or nothing."""
    assert (outcome.recording.executed_by, outcome.circuit.name) == ("chip arithmetic", "loihi")
    faultless(outcome.experiment, outcome.recording.ticks())
    expected = in_floats(outcome.experiment, circuit="loihi")
    np.testing.assert_allclose(outcome.weights("forward"), expected.forward, atol=1e-9)
    np.testing.assert_allclose(outcome.weights("backward"), expected.backward, atol=1e-9)


def named(case: Case) -> str:
    return case.name.split(":")[0]


# ----------------------------------------------------------------------------- the C++ engine


@pytest.mark.parametrize("case", CASES, ids=named)
@pytest.mark.parametrize("rules", ["loihi2", "loihi1"])
def test_acceptance_cases_in_the_engine(rules: str, case: Case) -> None:
    """A1 to A17 as they are written, and D1 to D3 without their defects."""
    check(simulate(case.experiment, Options(rules)))


def test_without_a_compiler() -> None:
    check(simulate(experiments.functional(), Options("loihi2", engine="runtime")))


def test_a18_in_the_engine_2400_random_operations() -> None:
    judged = []
    for seed in range(40):
        judged += simulate(a18(seed), Options("loihi2")).judged
    assert (sum(one.correct for one in judged), len(judged)) == (2400, 2400)


def test_a19_weights_are_full_or_nothing() -> None:
    """Better than the published model, in which 3 nA of what is forgotten stay."""
    for experiment, content in ((A19_LEARNED, [0, 1]), (A19_FORGOTTEN, [2, 3])):
        outcome = simulate(experiment, Options("loihi2"))
        item = np.zeros((5, 10))
        item[0, content] = 6.0
        np.testing.assert_array_equal(outcome.weights("forward"), item)
        np.testing.assert_array_equal(outcome.weights("backward").T, item)


# -------------------------------------------------------------------------------------- Lava


def at_safe_spacing(experiment: Experiment) -> Experiment:
    """What the cases ask 20 ms apart, asked as often as the circuit may be; the published times stay."""
    gaps = {b.time_ms - a.time_ms for a, b in pairwise(experiment.operations)}
    if not gaps <= {SPACING}:
        return experiment
    moved = [replace(o, time_ms=k * SAFE) for k, o in enumerate(experiment.operations)]
    return experiments.from_operations(moved, experiment.cues, experiment.contents)


@cache
def in_one_lava() -> dict[str, tuple[Experiment, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """All cases of 5 cues and 10 contents in one process of Lava, the memory empty and at rest before each of them."""
    from neurodeploy.backends import registry

    chosen = {named(c): at_safe_spacing(c.experiment) for c in CASES if c.experiment.cues == 5}
    backend = registry.load("loihi")
    first = next(iter(chosen.values()))
    network = describe(first, backend, "loihi2")
    places = {population.label: k for k, population in enumerate(network.populations)}
    learning = [k for k, p in enumerate(network.projections) if p.label in PLASTIC_LABELS.values()]
    session, begin, found = backend.open(network, Options("loihi2")), 0, {}
    try:
        for name, experiment in chosen.items():
            inputs = spike_times(experiment.operations, 5, 10)
            for label, trains in zip(("IN_cue", "IN_content"), inputs, strict=True):
                session.set_spike_times(places[label], [begin + np.asarray(train) for train in trains])
            for projection in learning:
                session.set_weights(projection, np.zeros(50))
            for place, population in enumerate(network.populations):
                assert population.is_source or np.all(session.state(place, "v") == RESTING_MV)
            session.run(experiment.duration_ms + TAIL)
            spikes = {}
            for label, place in places.items():
                times, neurons = session.spikes(place)
                mine = (times >= begin) & (times < begin + experiment.duration_ms)
                assert not np.any(times >= begin + experiment.duration_ms)
                spikes[label] = (times[mine] - begin, neurons[mine])
            found[name] = (experiment, spikes)
            begin += experiment.duration_ms + TAIL
    finally:
        session.end()
    return found


@needs_lava
@pytest.mark.parametrize("name", [named(case) for case in CASES if case.experiment.cues == 5])
def test_acceptance_cases_in_lava(name: str) -> None:
    """A1, A2, A12 and A13 at their own times, the others 8 ms apart."""
    experiment, spikes = in_one_lava()[name]
    faultless(experiment, spikes)


@needs_lava
@pytest.mark.parametrize(
    "experiment",
    [
        experiments.state_map(),
        experiments.random(18, cues=8, contents=10, operations=320, spacing=SAFE),
        next(case.experiment for case in CASES if case.name == "A17"),
    ],
    ids=lambda e: e.name,
)
def test_in_lava_and_in_the_engine_bit_for_bit(experiment: Experiment, tmp_path: Path) -> None:
    """One Program; every spike and every weight the same.  320 random operations, A3 at 7 and 6 ms, and A17."""
    lava, engine = (
        simulate(experiment, Options("loihi2", folder=tmp_path / backend), backend)
        for backend in ("loihi", "brian2")
    )
    check(lava)
    assert (tmp_path / "loihi" / PLAN).read_text() == (tmp_path / "brian2" / PLAN).read_text()
    with (
        np.load(tmp_path / "loihi" / ARRAYS) as ours,
        np.load(tmp_path / "brian2" / ARRAYS) as theirs,
    ):
        assert ours.files == theirs.files
        for name in ours.files:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert spike_rows(lava.recording.ticks()) == spike_rows(engine.recording.ticks())
    for label in PLASTIC_LABELS.values():
        np.testing.assert_array_equal(lava.recording.weights[label], engine.recording.weights[label])


# -------------------------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("arguments", "rules", "engine"),
    [
        pytest.param(["--backend", "loihi"], "loihi2", "loihi2-sim", marks=needs_lava),
        (["--backend", "brian2", "--rules", "loihi2"], "loihi2", "cpp"),
        (["--backend", "brian2", "--rules", "loihi1"], "loihi1", "cpp"),
    ],
)
def test_the_command(arguments: list[str], rules: str, engine: str, tmp_path: Path) -> None:
    answer = call("run", "cam", *arguments, "--json", "--out", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads(answer.stdout)
    assert metrics["answers"]["overall"] == {"correct": 9, "total": 9}
    assert (metrics["executed_by"], metrics["circuit"]) == ("chip arithmetic", "loihi")
    assert (metrics["rules"], metrics["engine"]) == (rules, engine)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES


def test_rules_that_lava_has_not_are_refused() -> None:
    with pytest.raises(RequestError, match="'ideal'") as caught:
        simulate(experiments.functional(), Options("ideal"), "loihi")
    assert "brian2" in caught.value.fix
