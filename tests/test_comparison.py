"""Two sides beside each other: what has no partner, the shift that is taken away, and the difference that is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options, Report
from neurodeploy.chips.catalogue import ASPECTS, RULES, mixture, rules_by_name
from neurodeploy.comparison import application, causes
from neurodeploy.comparison.answers import Answer, Answers, apart, apart_words, moved_words
from neurodeploy.comparison.application import Result, choose_sides, facts
from neurodeploy.comparison.distances import distance
from neurodeploy.comparison.divergence import PopulationComparison, align
from neurodeploy.comparison.models import differences
from neurodeploy.comparison.pairs import compare_sides
from neurodeploy.comparison.subjects import Subject, subject
from neurodeploy.comparison.traces import Side, Traces, execute
from neurodeploy.errors import RequestError
from neurodeploy.findings import LOST, VANISHED
from neurodeploy.models.network import Network, Population, Projection

# ------------------------------------------------------------------------------------------------- spikes

trains = st.sets(st.tuples(st.integers(40, 400), st.integers(0, 5)), max_size=60)


def spikes(pairs) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


@given(trains, trains)
def test_what_has_no_partner_is_the_symmetric_difference_and_the_first_of_it_is_named(one, other) -> None:
    aligned = align({"a": spikes(one)}, {"a": spikes(other)}, may_shift=False)
    lone = one ^ other
    assert aligned.differing == len(lone)
    assert aligned.spikes == len(one) + len(other)
    if not lone:
        assert aligned.first_divergence is None
        return
    first = aligned.first_divergence
    assert first is not None
    assert first.step == min(lone)[0]
    assert ((first.step, first.neuron) in one) == first.on_first


@given(trains.filter(len), st.integers(-32, 32))
def test_a_constant_shift_is_taken_away_where_the_rules_have_one_and_nowhere_else(one, shift) -> None:
    moved = {(step + shift, neuron) for step, neuron in one}
    aligned = align({"a": spikes(one)}, {"a": spikes(moved)}, may_shift=True)
    assert aligned.differing == 0
    strict = align({"a": spikes(one)}, {"a": spikes(moved)}, may_shift=False)
    assert strict.differing == len(one ^ moved)


def test_populations_have_shifts_of_their_own_and_the_earliest_divergence_counts() -> None:
    one = {"near": spikes({(10, 0), (20, 0)}), "far": spikes({(12, 1), (22, 1), (32, 1)})}
    other = {"near": spikes({(11, 0), (21, 0)}), "far": spikes({(14, 1), (24, 1), (35, 1)})}
    aligned = align(one, other, may_shift=True)
    assert [population.shift for population in aligned.populations] == [1, 2]
    first = aligned.first_divergence
    assert first is not None
    assert (first.population, first.step, first.neuron, first.on_first) == ("far", 32, 1, True)


def test_distances_are_zero_for_equal_trains_and_elephants_for_others() -> None:
    one, other = {"a": spikes({(10, 0), (50, 0)})}, {"a": spikes({(10, 0), (55, 0)})}
    equal = distance(PopulationComparison("a", 2, 2, 0, 2), one, one, 4, 100, 1.0)
    assert (equal.van_rossum, equal.victor_purpura, equal.coincidence) == (0.0, 0.0, 1.0)
    apart = distance(PopulationComparison("a", 2, 2, 0, 1), one, other, 4, 100, 1.0)
    # one spike moved by 5 ms at 0.1 per ms; van Rossum: sqrt of the squared difference of two kernels of 10 ms
    assert apart.victor_purpura == pytest.approx(0.5)
    assert apart.van_rossum == pytest.approx(np.sqrt(2 * (1 - np.exp(-0.5))), rel=1e-6)
    assert apart.coincidence == 0.5
    assert apart.rates == (5.0, 5.0)


def test_a_shift_is_no_distance() -> None:
    one, other = {"a": spikes({(10, 0), (50, 0)})}, {"a": spikes({(12, 0), (57, 0)})}
    apart = distance(PopulationComparison("a", 2, 2, 2, 1), one, other, 1, 100, 1.0)
    assert apart.victor_purpura == pytest.approx(0.5)


# ------------------------------------------------------------------------------------------------- models


def network() -> Network:
    cells = Population("cells", "IF_curr_exp", 3, {"tau_m": np.full(3, 20.0)}, {"v": np.full(3, -65.0)})
    source = Population("source", "SpikeSourceArray", 2, spike_times=[np.array([1.0]), np.array([2.0])])
    projection = Projection(
        "source → cells",
        1,
        0,
        "excitatory",
        np.array([0, 0, 1], dtype=np.int32),
        np.array([0, 2, 1], dtype=np.int32),
        np.array([1.0, 2.0, 3.0]),
        np.array([1.0, 1.0, 1.0]),
    )
    return Network(1.0, [cells, source], [projection])


def delay(model: Network) -> None:
    model.projections[0].delay[1] = 4.0


def weight(model: Network) -> None:
    model.projections[0].weight[2] = -3.5


def parameter(model: Network) -> None:
    model.populations[0].parameters["tau_m"][1:] = 10.0


def moved(model: Network) -> None:
    model.projections[0].post_index[0] = 1


def spike(model: Network) -> None:
    model.populations[1].spike_times[1] = np.array([3.0])


def renamed(model: Network) -> None:
    model.populations[0].label = "others"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (delay, "delay", "projection 'source → cells': delay of synapse 0 → 2: 1 and 4 ms"),
        (weight, "weight", "projection 'source → cells': weight of synapse 1 → 1: 3 and -3.5"),
        (parameter, "parameter", "population 'cells': tau_m of neuron 1: 20 and 10 (and 1 more)"),
        (moved, "synapses", "projection 'source → cells': 3 and 3 synapses, first 0 → 0 in one alone"),
        (spike, "input", "population 'source': the spike times of neuron 1"),
        (renamed, "structure", "population 'cells' is in the first model alone"),
    ],
)
def test_what_differs_in_two_models_is_named_by_the_users_labels(change, kind, words) -> None:
    one, other = network(), network()
    assert differences(one, other) == []
    change(other)
    found = differences(one, other)
    assert (found[0].kind, found[0].words) == (kind, words)


def test_the_order_of_synapses_is_no_difference() -> None:
    one, other = network(), network()
    order = np.array([2, 0, 1])
    for name in ("pre_index", "post_index", "weight", "delay"):
        setattr(other.projections[0], name, getattr(other.projections[0], name)[order])
    assert differences(one, other) == []


# -------------------------------------------------------------------------------------------------- rules


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_mixture_has_one_aspect_of_the_other_rules_and_no_more(aspect) -> None:
    ideal, spinnaker = RULES["ideal"], RULES["spinnaker"]
    mixed = rules_by_name(mixture("spinnaker", aspect, "ideal"))
    for name, one in ASPECTS.items():
        assert one.differs(mixed, spinnaker) == (name == aspect)
        assert one.differs(mixed, ideal) == (name != aspect)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ideal+ties:spinnaker", "no aspect 'ties'. Did you mean 'tie'"),
        ("ideal+tie:spinaker", "no tick rules called 'spinaker'. Did you mean 'spinnaker'"),
        ("loihi2+tie:ideal", "those of loihi2 cannot be mixed"),
    ],
)
def test_mixtures_that_are_not_there_are_refused_by_name(name, message) -> None:
    with pytest.raises(RequestError, match=message.replace(".", r"\.")):
        rules_by_name(name)


# ------------------------------------------------------------------------------------------------- causes


def traces(
    model: Network, fired, executed_by="float", changes=(), rules="spinnaker", backend="brian2"
) -> Traces:
    report = Report(executed_by=executed_by, changes=list(changes))
    side = Side(backend, Options(rules=rules))
    return Traces(side, model, 50, report, {"source": spikes(fired)}, {})


def test_a_model_that_differs_is_the_cause_and_its_synapse_is_named() -> None:
    other = network()
    delay(other)
    pair = compare_sides(traces(network(), {(1, 0)}), traces(other, {(4, 0)}))
    assert pair.cause is not None
    assert pair.cause.cause == "delay"
    assert "synapse 0 → 2: 1 and 4 ms" in pair.cause.words


@pytest.mark.parametrize(
    ("change", "cause"), [(f"{LOST}5 packets", "overload"), (f"{VANISHED}a weight", "clipping")]
)
def test_what_a_machine_lost_or_cut_is_the_cause(change, cause) -> None:
    one, other = traces(network(), {(1, 0)}), traces(network(), {(2, 0)}, "emulated", [change])
    found = compare_sides(one, other).cause
    assert found is not None
    assert (found.cause, found.words) == (cause, change)


def test_nothing_is_claimed_where_nothing_was_found() -> None:
    found = compare_sides(traces(network(), {(1, 0)}), traces(network(), {(2, 0)})).cause
    assert found is not None
    assert found.cause == "unknown"


def test_the_same_rules_in_whole_numbers_part_by_rounding() -> None:
    one = traces(network(), {(1, 0)}, rules="spinnaker")
    other = traces(network(), {(2, 0)}, "chip arithmetic", rules="spinnaker-fixed")
    found = compare_sides(one, other).cause
    assert found is not None
    assert (found.cause, found.words.split(",")[0]) == ("rounding", "the same rules on the same engine")


def test_a_model_that_is_run_in_its_own_way_is_run_so_on_the_engine_that_answers_for_the_chip(
    monkeypatch,
) -> None:
    def halves(session, steps: int) -> None:
        session.run(steps // 2)
        session.run(steps - steps // 2)

    seen = []

    def execute(side, model, steps, *_, protocol, **__) -> Traces:
        seen.append((side.options.rules, steps, protocol))
        return one

    monkeypatch.setattr(causes, "execute", execute)
    one = traces(network(), {(1, 0)})
    other = traces(network(), {(1, 0)}, "emulated", backend="spinnaker")
    other.protocol = halves
    assert causes.whole_numbers(other) == one.spikes
    assert seen == [("spinnaker-fixed", 50, halves)]


def test_every_aspect_has_a_class() -> None:
    assert set(causes.CLASSES) == set(ASPECTS)


# ------------------------------------------------------------------------------------------------ answers


def answers(*given: str, counts: list[int] | None = None) -> Answers:
    each = [Answer(f"movie {number}", one, "up", one == "up") for number, one in enumerate(given)]
    right = sum(one.right for one in each)
    return Answers(f"{right} right", each, None if counts is None else np.array(counts))


def test_answers_that_differ_are_counted_and_the_first_is_told_with_what_is_right() -> None:
    found = apart(
        answers("up", "up", "down", counts=[3, 4, 5]), answers("up", "left", "up", counts=[3, 1, 9])
    )
    assert found == {
        "asked": 3,
        "differing": 2,
        "each": [
            {"question": "movie 1", "given": ["up", "left"], "expected": "up"},
            {"question": "movie 2", "given": ["down", "up"], "expected": "up"},
        ],
        "counts": 3,
        "counts_differing": 2,
    }
    assert apart_words(found) == (
        "answers: 2 of 3 differ, first movie 1: up and left; right is up; 2 of 3 counts differ"
    )


def test_equal_answers_may_come_of_other_counts_and_some_models_count_nothing() -> None:
    found = apart(answers("up", counts=[3]), answers("up", counts=[4]))
    assert found is not None and apart_words(found) == "answers: all 1 the same; 1 of 1 counts differ"
    found = apart(answers("up", "down"), answers("up", "down"))
    assert found is not None and apart_words(found) == "answers: all 2 the same"


def test_of_the_answers_that_a_rule_moves_a_few_are_named() -> None:
    found = apart(answers(*["up"] * 5), answers(*["left"] * 5))
    assert found is not None
    assert moved_words(found) == [*(f"movie {n}: up becomes left" for n in range(3)), "and 2 more"]


def test_answers_are_read_in_the_time_of_the_first_side() -> None:
    """A rule that makes everything two steps later moves no answer; one that loses a spike does."""

    def read(side: Traces) -> Answers:
        return answers("up" if 5 in side.spikes["source"][0] else "down")

    base = traces(network(), {(5, 0), (9, 0), (20, 0)})
    for late, moved in (((7, 11, 22), 0), ((7, 12, 22), 0), ((8, 11, 22), 1)):
        other = traces(network(), {(step, 0) for step in late})
        found = causes.answered(read, base, other, align(base.spikes, other.spikes, may_shift=True))
        assert found is not None and found["differing"] == moved, late


def test_other_questions_are_not_laid_beside_each_other() -> None:
    assert apart(answers("up"), answers("up", "up")) is None


# ------------------------------------------------------------------------------------------- command line


class Watched:
    """A backend that says what it is asked, in order, and misses a tool or refuses the model where it is told to."""

    only_rules, has_hardware = None, False

    def __init__(self, name: str, said: list[str], fails: str = "") -> None:
        self.name, self.said, self.fails = name, said, fails

    def default_rules(self, _) -> None: ...

    def refuse_machine(self, **_) -> None: ...

    def _ask(self, what: str) -> None:
        self.said.append(f"{self.name} {what}")
        if what == self.fails:
            raise RequestError(f"{self.name} can't {what}")

    def require(self, _) -> None:
        self._ask("require")

    def check(self, *_) -> None:
        self._ask("check")

    def open(self, *_) -> None:
        raise AssertionError("a side has run")


@pytest.mark.parametrize("fails", ["require", "check"])
def test_what_the_last_side_lacks_is_said_before_the_first_has_run(monkeypatch, tmp_path, fails: str) -> None:
    said = list[str]()
    known = {"near": Watched("near", said), "far": Watched("far", said, fails)}
    monkeypatch.setattr(registry, "load", known.get)
    one = Subject("model", "spinnaker", lambda side: (network(), 1))
    monkeypatch.setattr(application, "subject", lambda *_, **__: one)
    with pytest.raises(RequestError, match=f"far can't {fails}"):
        application.compare("model", None, "near,far", None, None, 0.0, False, tmp_path / "out", [])
    assert said[-1] == f"far {fails}" and "near check" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "arguments", "given", "message"),
    [
        ("cam", [], {"movies": 3}, "--movies 3 has no meaning for cam"),
        ("delays", [], {"experiment": "stress"}, "--experiment stress has no meaning for delays"),
        ("script.py", [], {"bits": 4}, "--bits 4 has no meaning for a script"),
        ("cam", ["more"], {}, "'more' has no meaning for cam"),
        ("cam", [], {"experiment": "strss"}, "Did you mean 'stress'"),
        ("delays", [], {"size": "ptch"}, "Did you mean 'patch'"),
    ],
)
def test_what_a_model_has_no_use_for_is_refused(model, arguments, given, message) -> None:
    with pytest.raises(RequestError, match=message):
        subject(model, arguments, **given).describe(Side("brian2", Options(rules="spinnaker")))


def test_sides_take_their_own_rules_and_twins_are_refused() -> None:
    one = Subject("model", "spinnaker", lambda side: (network(), 1))
    sides = choose_sides([one], "brian2,brian2", "-,ideal", None, False)
    assert [side.name for _, side in sides] == ["brian2 (spinnaker)", "brian2 (ideal)"]
    with pytest.raises(RequestError, match="two sides are the same"):
        choose_sides([one], "brian2,brian2", None, None, False)
    with pytest.raises(RequestError, match="two sides or more"):
        choose_sides([one], "brian2", None, None, False)
    with pytest.raises(RequestError, match="names 3 and --backends"):
        choose_sides([one], "brian2,spinnaker", "a,b,c", None, False)
    other = Subject("other", "spinnaker", one.describe)
    two = choose_sides([one, other], "brian2", None, None, False)
    assert [side.name for _, side in two] == ["model on brian2 (spinnaker)", "other on brian2 (spinnaker)"]


class MapsOnly:
    """A backend, and its session, that only says where a model would go."""

    report = Report(executed_by="nothing (mapped only)", facts={"mapped_only": True})
    ended = False

    def open(self, *_) -> MapsOnly:
        return self

    def run(self, _) -> None: ...

    def end(self) -> None:
        self.ended = True


def test_a_machine_that_only_maps_is_no_side(monkeypatch) -> None:
    backend = MapsOnly()
    monkeypatch.setattr(registry, "load", lambda _: backend)
    side = Side("spinnaker", Options(rules="spinnaker", hardware="spinnaker-virtual"))
    with pytest.raises(RequestError, match="spinnaker-virtual\\) maps a model and runs nothing"):
        execute(side, network(), 10)
    assert backend.ended


def test_a_model_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match="no model 'cma' to compare"):
        subject("cma", [])


def told(tmp_path, *sides: Traces) -> str:
    data = facts("model", list(sides), [compare_sides(*sides)], {}, 0.0)
    return " ".join(str(line) for line in Result(data, tmp_path).render())


def test_weights_of_a_machine_that_learns_when_spikes_come_in_are_not_taken_for_a_difference(
    tmp_path,
) -> None:
    one, same = (traces(network(), {(1, 0)}, rules=rules) for rules in ("spinnaker", "ideal"))
    other = traces(network(), {(1, 0)}, "emulated", backend="spinnaker")
    one.weights, same.weights, other.weights = ({"learns": np.full(2, w)} for w in (1.0, 0.5, 0.0))
    assert "50 % apart at most" in told(tmp_path, one, same) and "says little" not in told(
        tmp_path, one, same
    )
    assert "100 % apart at most, which says little" in told(tmp_path, one, other)


def test_two_silent_sides_are_said_to_be_silent(tmp_path) -> None:
    assert "no neuron fires" in told(
        tmp_path, *(traces(network(), set(), rules=r) for r in ("spinnaker", "ideal"))
    )


def test_the_result_is_words_and_json(tmp_path) -> None:
    other = network()
    delay(other)
    sides = [traces(network(), {(1, 0), (9, 1)}), traces(other, {(4, 0), (9, 1)}, rules="ideal")]
    pair = compare_sides(*sides)
    data = facts("model", sides, [pair], {}, 0.0)
    assert json.loads(json.dumps(data))["pairs"][0]["first_divergence"]["population"] == "source"
    assert not data["agree"]
    assert facts("model", sides, [pair], {}, 0.5)["agree"]
    assert Result(data, tmp_path).render()
