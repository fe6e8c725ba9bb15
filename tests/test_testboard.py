"""The tests of a board, tested: a board that does as the model says passes, and every other one is found out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.backends.spinnaker.failures import SilentMachineError
from neurodeploy.backends.spinnaker.provenance import Finding
from neurodeploy.boardtest import delays, learning, load, repetition, splitting, suites, weights
from neurodeploy.boardtest.application import perform, perform_all
from neurodeploy.boardtest.trial import (
    FAIL,
    KNEE,
    NOT_RUN,
    PASS,
    REFUSED,
    BoardTest,
    Broken,
    Check,
    Judgement,
    Measured,
    Refused,
    Trial,
    passed,
)
from neurodeploy.chips import spinnaker_core
from neurodeploy.chips.spinnaker_core import Outcome, simulate
from neurodeploy.chips.spinnaker_machine import LARGEST_WEIGHT
from neurodeploy.errors import RequestError, RunError
from neurodeploy.models.network import Network

TESTS = {test.name: test for test in suites.TESTS}
ORDINARY = [name for name, test in TESTS.items() if test.suite != suites.HEAVY]
LOST = Finding("Population 'cells 0'", 7, "spikes lost because the buffer of incoming spikes was full")

Results = list


def delayed(trial: Trial) -> Outcome:
    """What a board brings back of the delays, by their meaning; the model of a core has no delay extensions."""
    outcome = Outcome()
    for projection in trial.network.projections:
        outcome.spikes[projection.post] = (
            delays.SENT + projection.delay.astype(np.int64),
            projection.post_index.astype(np.int32),
        )
    return outcome


def faultless(trial: Trial) -> Measured:
    """What a board that does as the model says brings back of a trial."""
    said = delayed(trial) if trial.name == "delays" else simulate(trial.network, trial.steps)
    wanted = [(entry.population, entry.variable) for entry in trial.network.recorded]
    outcome = Outcome(
        {position: said.spikes[position] for position, variable in wanted if variable == "spikes"},
        {key: said.samples[key] for key in wanted if key[1] != "spikes"},
        said.weights if trial.weights else {},
    )
    measured = Measured(trial, outcome, seconds={"load": 1.0, "run": 1.0, "read": 0.1})
    if trial.name == "weights":
        measured.losses = [
            Finding(f"Population '{weights.SUMS}'", 3, "times the summed input of a tick saturated")
        ]
    if trial.name in splitting.PER_CORE:
        cores = {"one core": 1, "several cores": 5, "several chips": 34}[trial.name]
        measured.places[splitting.NAME] = [(number // 17, 0, number % 17 + 1) for number in range(cores)]
    return measured


_KEPT: dict[str, Results] = {}


def board(name: str) -> Results:
    """A faultless board's results of a test, to be spoilt."""
    if name not in _KEPT:
        trials = list(TESTS[name].trials())
        # the other delays are refused, and the upper rungs take the model seconds each
        count = {"delays": 1, "ladder": 6}.get(name, len(trials))
        _KEPT[name] = [faultless(trial) for trial in trials[:count]]
    return [
        Measured(one.trial, copy.deepcopy(one.numbers), list(one.losses), one.places, one.seconds)
        for one in _KEPT[name]
    ]


@pytest.mark.parametrize("name", ORDINARY)
def test_a_board_that_does_as_the_model_says_passes(name: str) -> None:
    judgement = TESTS[name].judge(board(name))
    assert [check for check in judgement.checks if check.verdict != PASS] == []
    assert judgement.verdict == PASS and not judgement.knee


# ------------------------------------------------------------------------------- boards that are wrong


def drop_spike(results: Results, trial: int = 0, number: int = -1) -> None:
    spikes = results[trial].numbers.spikes
    position = max(spikes, key=lambda one: len(spikes[one][0]))
    spikes[position] = tuple(np.delete(part, number) for part in spikes[position])


def late_spike(results: Results, trial: int = 0) -> None:
    spikes = results[trial].numbers.spikes
    position = max(spikes, key=lambda one: len(spikes[one][0]))
    spikes[position][0][-1] += 1


def extra_spike(results: Results, trial: int = 0) -> None:
    spikes = results[trial].numbers.spikes
    position = max(spikes, key=lambda one: len(spikes[one][0]))
    steps, neurons = spikes[position]
    spikes[position] = np.append(steps, steps[-1] + 3), np.append(neurons, neurons[-1])


def sample(variable: str, trial: int = 0, row: int = 20) -> Callable[[Results], None]:
    def spoil(results: Results) -> None:
        for (_, name), values in results[trial].numbers.samples.items():
            if name == variable:
                values[row, 1] += 2.0**-15
                return
        raise AssertionError(variable)

    return spoil


def shift_weight(unit: float, synapse: int = 5) -> Callable[[Results], None]:
    def spoil(results: Results) -> None:
        learnt = results[0].numbers.weights
        learnt[max(learnt)][synapse] += unit

    return spoil


def lose(results: Results) -> None:
    results[-1].losses.append(LOST)


def forget_losses(results: Results) -> None:
    results[0].losses.clear()


def half_saturation(results: Results) -> None:
    """A sum that wraps round instead of staying at its largest."""
    network = results[0].trial.network
    position = next(i for i, p in enumerate(network.populations) if p.label == weights.SUMS)
    current = results[0].numbers.samples[position, "isyn_exc"]
    current[weights.SPACING * weights.ADDED + 1] = 0.0


WRONG = {
    "a delay a step too long": ("delays", late_spike),
    "a spike that never arrives": ("delays", drop_spike),
    "a spike that arrives twice": ("delays", extra_spike),
    "a delay whose spike was lost, and counted": ("delays", lose),
    "a weight read back a unit off": ("weights", shift_weight(2.0**-15)),
    "a current a unit off": ("weights", sample("isyn_exc", row=weights.SENT + 1)),
    "a voltage a unit off": ("weights", sample("v")),
    "a sum that wraps": ("weights", half_saturation),
    "a saturation that nobody counts": ("weights", forget_losses),
    "another loss beside the saturation": ("weights", lose),
    "a learnt weight a unit off": ("stdp", shift_weight(learning.UNIT)),
    "a teacher that is late": ("stdp", late_spike),
    "a cell's spike lost": ("cells", drop_spike),
    "a membrane a unit off": ("cells", sample("v")),
    "a conductance a unit off": ("cells", sample("gsyn_exc")),
    "a spike lost between cores": ("split", lambda results: drop_spike(results, trial=1)),
    "a spike late between chips": ("split", lambda results: late_spike(results, trial=2)),
    "a membrane off on another chip": ("split", sample("v", trial=2)),
    "a packet dropped between chips": ("split", lose),
    "a spike of the memory lost": ("cam-functional", drop_spike),
    "a spike of the memory late": ("cam-stress", late_spike),
    "a spike of the state map too many": ("cam-state-map", extra_spike),
    "a rung with other spikes and no loss": ("ladder", lambda results: drop_spike(results, trial=4)),
    "the seventh load unlike the first": ("loads", sample("v", trial=6)),
    "the 41st run unlike the first": ("runs", sample("v", row=40 * repetition.STEPS + 20)),
    "a spike late in the last run": ("runs", late_spike),
}


@pytest.mark.parametrize("fault", WRONG)
def test_every_other_board_is_found_out(fault: str) -> None:
    name, spoil = WRONG[fault]
    results = board(name)
    spoil(results)
    judgement = TESTS[name].judge(results)
    assert judgement.verdict == FAIL
    assert all(check.found for check in judgement.checks if check.verdict == FAIL)


@pytest.mark.parametrize("name", [name for name in ORDINARY if name != "ladder"])
def test_what_was_lost_is_a_failure_by_the_users_label(name: str) -> None:
    results = board(name)
    lose(results)
    (failed,) = [check for check in TESTS[name].judge(results).checks if check.verdict == FAIL]
    assert "'cells 0': spikes lost" in failed.found


def test_a_learnt_curve_that_is_the_models_but_not_the_equations_fails(monkeypatch) -> None:
    """A board and a model with the same fault: the equation still finds it."""
    monkeypatch.setattr("neurodeploy.chips.spinnaker_stdp.decay_table", lambda tau, dt: np.full(400, 900))
    results = [faultless(trial) for trial in TESTS["stdp"].trials()]
    failed = [check.what for check in TESTS["stdp"].judge(results).checks if check.verdict == FAIL]
    assert failed == ["additive: the curve", "multiplicative: the curve"]


def test_spikes_that_are_the_models_but_not_the_published_ones_fail(monkeypatch) -> None:
    monkeypatch.setattr("neurodeploy.chips.spinnaker_stdp.TRACE_ONE", 1024)
    results = [faultless(trial) for trial in TESTS["cam-functional"].trials()]
    failed = [check for check in TESTS["cam-functional"].judge(results).checks if check.verdict == FAIL]
    assert any("as published" in check.expected for check in failed)
    assert not any("model" in check.expected for check in failed)


# ------------------------------------------------------------------------------------- knees, refusals


def rungs(count: int) -> Results:
    return board("ladder")[:count]


def test_the_knee_is_where_something_is_lost() -> None:
    results = rungs(4)
    results[3].losses.append(LOST)
    judgement = TESTS["ladder"].judge(results)
    assert judgement.verdict == KNEE
    assert str(load.LADDER[3]) in judgement.knee and "buffer of incoming spikes was full: 7" in judgement.knee
    assert judgement.series["lost"][:3] == ["", "", ""] and judgement.series["lost"][3]


def test_a_core_that_stops_under_load_is_the_knee() -> None:
    results = [*rungs(3), Broken(list(TESTS["ladder"].trials())[3], "The machine had not finished\n log: x")]
    judgement = TESTS["ladder"].judge(results)
    assert judgement.verdict == KNEE and judgement.knee.endswith("The machine had not finished")


def test_a_board_that_does_not_bear_the_lowest_rung_fails() -> None:
    results = rungs(1)
    results[0].losses.append(LOST)
    assert TESTS["ladder"].judge(results).verdict == FAIL


def test_what_is_refused_is_no_failure_and_no_pass() -> None:
    refused = [Refused(trial, "no room") for trial in TESTS["cells"].trials()]
    judgement = TESTS["cells"].judge(refused)
    assert judgement.verdict == REFUSED and judgement.checks[0].found == "no room"
    some = [*board("delays"), Refused(list(TESTS["delays"].trials())[-1], "at most 288 ms are possible")]
    judgement = TESTS["delays"].judge(some)
    assert judgement.verdict == PASS and judgement.checks[-1].verdict == REFUSED


def test_a_population_that_was_not_split_is_not_said_to_be() -> None:
    results = board("split")
    results[2].places = {splitting.NAME: [(0, 0, 1), (0, 0, 2)]}
    judgement = TESTS["split"].judge(results)
    (refused,) = [check for check in judgement.checks if check.verdict == REFUSED]
    assert refused.what == "several chips" and "2 cores on 1 chip" in refused.found


# -------------------------------------------------------------------------------------- the order of things


class FakeBench:
    """Does what `says` to each trial."""

    def __init__(self, says: Callable[[Trial], Measured | Refused]) -> None:
        self.says, self.seen = says, []

    def run(self, trial: Trial) -> Measured | Refused:
        self.seen.append(trial.name)
        return self.says(trial)


def simple(name: str, count: int = 2, **more) -> BoardTest:
    trials = [Trial(f"{name} {i}", Network(1.0), (1,)) for i in range(count)]
    judge = lambda results: Judgement([Check("all", "x", "x", PASS)])  # noqa: E731
    return BoardTest(name, "functional", "something", lambda: trials, judge, **more)


def raising(error: Exception, at: str) -> Callable[[Trial], Measured]:
    def says(trial: Trial) -> Measured:
        if trial.name == at:
            raise error
        return Measured(trial, Outcome(), seconds={"load": 0.0, "run": 0.0, "read": 0.0})

    return says


def test_a_trial_that_breaks_fails_its_test_and_the_next_goes_on() -> None:
    bench = FakeBench(raising(RunError("a core stopped", fix="another board"), "a 1"))
    entries = perform_all([simple("a"), simple("b")], bench, None)
    assert [entry.verdict for entry in entries] == [FAIL, PASS]
    assert "a core stopped" in entries[0].judgement.checks[0].found and not passed(entries)


def test_a_board_that_falls_silent_ends_the_whole_and_says_what_was_not_run() -> None:
    bench = FakeBench(raising(SilentMachineError("stopped answering"), "b 0"))
    entries = perform_all([simple("a"), simple("b"), simple("c")], bench, None)
    assert [entry.verdict for entry in entries] == [PASS, FAIL, NOT_RUN]
    assert bench.seen == ["a 0", "a 1", "b 0"] and not passed(entries)


def test_a_board_that_never_answers_is_an_error() -> None:
    with pytest.raises(SilentMachineError):
        perform_all([simple("a")], FakeBench(raising(SilentMachineError("no board"), "a 0")), None)


def test_a_ladder_ends_at_the_first_loss() -> None:
    def says(trial: Trial) -> Measured:
        return Measured(trial, Outcome(), [LOST] if trial.name == "a 2" else [], seconds={})

    bench = FakeBench(says)
    perform(simple("a", count=5, climbs=True), bench)
    assert bench.seen == ["a 0", "a 1", "a 2"]
    other = FakeBench(says)
    perform(simple("a", count=5), other)
    assert len(other.seen) == 5


def test_nothing_passed_is_not_passed() -> None:
    bench = FakeBench(lambda trial: Refused(trial, "no room"))
    entries = perform_all([TESTS["cells"]], bench, None)
    assert entries[0].verdict == REFUSED and not passed(entries)


# ------------------------------------------------------------------------------------------- the networks


def test_tests_are_chosen_by_name_in_their_own_order() -> None:
    assert [test.name for test in suites.choose("functional", ["cells", "delays"])] == ["delays", "cells"]
    assert {test.suite for test in suites.choose("all")} == {"functional", "stress"}
    with pytest.raises(RequestError, match=r"Did you mean 'delays'\?"):
        suites.choose("all", ["delay"])
    with pytest.raises(RequestError, match=r"Did you mean 'stress'\?"):
        suites.choose("stres")


@pytest.mark.parametrize("shift", weights.SHIFTS)
def test_weights_are_256_different_ones_from_1_to_the_largest(shift: int) -> None:
    stored = weights.stored_weights(shift)
    assert len(np.unique(stored)) == 256 and (stored[0], stored[-1]) == (1, weights.LARGEST_STORED)
    assert {2**power for power in range(15)} <= set(stored.tolist())


def test_weights_are_multiples_of_the_step_that_the_host_chooses() -> None:
    """Otherwise they could not come back exactly."""
    (trial,) = TESTS["weights"].trials()
    said = simulate(trial.network, 1).weights
    for position, projection in enumerate(trial.network.projections):
        np.testing.assert_array_equal(said[position], projection.weight)


def test_the_sums_meet_the_largest_from_below_and_go_far_beyond() -> None:
    totals = weights.summed_weights().cumsum(axis=0)
    assert totals[10].tolist() == [LARGEST_WEIGHT, LARGEST_WEIGHT + 1, LARGEST_WEIGHT - 1]
    assert totals[11].tolist() == [LARGEST_WEIGHT + 1, LARGEST_WEIGHT + 2, LARGEST_WEIGHT]
    assert np.all(totals[-1] > 1.3 * LARGEST_WEIGHT)


def test_learnt_weights_are_multiples_of_their_unit_and_no_coarser() -> None:
    (result,) = board("stdp")
    plastic = [i for i, p in enumerate(result.trial.network.projections) if p.plasticity]
    units = np.concatenate([result.numbers.weights[i] for i in plastic]) / learning.UNIT
    assert np.array_equal(units, np.rint(units)) and np.any(units % 2)


@pytest.mark.parametrize("name", [name for name in ORDINARY if name not in ("delays", "weights", "ladder")])
def test_no_other_test_saturates(name: str, monkeypatch) -> None:
    """A sum beyond its largest would be counted as a loss."""
    monkeypatch.setattr(spinnaker_core, "LARGEST_WEIGHT", 1 << 40)
    for result, trial in zip(board(name)[:3], TESTS[name].trials(), strict=False):
        unbounded = simulate(trial.network, trial.steps)
        for key, values in result.numbers.samples.items():
            np.testing.assert_array_equal(values, unbounded.samples[key])
        for key, spikes in result.numbers.spikes.items():
            np.testing.assert_array_equal(spikes, unbounded.spikes[key])


def test_every_cell_type_spikes_enough_to_be_compared() -> None:
    (result,) = board("cells")
    for position, population in enumerate(result.trial.network.populations):
        assert len(result.numbers.spikes[position][0]) > 20 if not population.is_source else True


def test_no_rung_has_more_than_twice_the_load_of_the_one_below() -> None:
    for ladder in (load.LADDER, load.HEAVY):
        for below, rung in pairwise(ladder):
            more = [rung.events / below.events, rung.cells / below.cells, rung.duration / below.duration]
            assert max(more) > 1.0 and min(more) == 1.0 and more[0] <= 2.0
        assert all(1000 % rung.rate == 0 for rung in ladder)
    assert load.HEAVY[-1].events > 50_000
