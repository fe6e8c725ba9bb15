"""The published experiments against the published rasters, and the random ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from reference_cam import simulate

from neurodeploy.cam.decoding import decode, spike_rows, summary, write_spikes_csv
from neurodeploy.cam.experiments import (
    DESCRIPTIONS,
    EXPERIMENTS,
    RECORDINGS,
    Experiment,
    experiment,
    from_operations,
    functional,
    learn,
    published,
    random,
    recall_content,
    recall_cue,
    state_map,
    stress,
)
from neurodeploy.errors import RequestError


@pytest.mark.parametrize("chosen", [functional(), stress()], ids=lambda one: one.name)
def test_reference_reproduces_the_published_raster(chosen: Experiment, tmp_path: Path) -> None:
    rows = spike_rows(simulate(chosen).spikes)
    assert rows == published(chosen.name)
    write_spikes_csv(tmp_path / "spikes.csv", rows)
    assert (tmp_path / "spikes.csv").read_bytes() == (RECORDINGS / f"{chosen.name}.csv").read_bytes()


@pytest.mark.parametrize(
    ("chosen", "duration", "count", "internal"),
    [(functional(), 90, 9, 205), (stress(), 851, 60, 1214), (state_map(), 140, 20, 316)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_published_figures(chosen: Experiment, duration: int, count: int, internal: int) -> None:
    assert (chosen.duration_ms, len(chosen.operations)) == (duration, count)
    spikes = simulate(chosen).spikes
    assert summary(decode(chosen, spikes))["overall"] == {"correct": count, "total": count}
    assert (
        sum(
            len(times)
            for name, (times, _) in spikes.items()
            if not name.startswith("IN_") and "OUT" not in name
        )
        == internal
    )


def test_the_state_map_answers_by_state() -> None:
    chosen = state_map()
    assert (chosen.cues, chosen.contents) == (16, 6)
    judged = decode(chosen, simulate(chosen).spikes)[16:]
    assert [one.operation.time_ms for one in judged] == [112, 118, 124, 130]
    assert [set(one.operation.content) for one in judged] == [{1, 2, 4}, {3}, {5}, {0}]
    assert [set(one.answer.cues) for one in judged] == [
        {2, 6, 10, 12, 13, 14},
        {3, 5, 11, 15},
        {1, 7, 9},
        {0, 4, 8},
    ]


def test_the_stress_test_learns_complements() -> None:
    operations = stress().operations
    first = [{0}, {1}, {0, 1}, {2}, {0, 2}]
    assert [set(one.content) for one in operations[:5]] == first
    assert [set(one.content) for one in operations[20:25]] == [set(range(10)) - item for item in first]
    assert [one.content for one in operations[40:45]] == [one.content for one in operations[:5]]
    assert [one.time_ms for one in operations] == [1 + 14 * number for number in range(60)]


def test_registry() -> None:
    assert list(EXPERIMENTS) == list(DESCRIPTIONS) == ["functional", "stress", "state-map", "random"]
    for name, factory in EXPERIMENTS.items():
        assert experiment(name) == factory()
    with pytest.raises(RequestError, match="Did you mean 'functional'"):
        experiment("functionl")


def test_random_is_seeded_and_has_the_stated_mix() -> None:
    assert random(7) == random(7)
    assert random(7) != random(8)
    many = random(3, operations=3000)
    share = Counter(
        one.kind if one.kind == "learn" else "cue" if one.cue is not None else "content"
        for one in many.operations
    )
    assert share["learn"] / 3000 == pytest.approx(0.4, abs=0.03)
    assert share["cue"] / 3000 == pytest.approx(0.3, abs=0.03)
    assert all(len(one.content) == 1 for one in many.operations if one.kind == "recall" and one.cue is None)
    sizes = [len(one.content) for one in many.operations if one.kind == "learn"]
    assert sum(sizes) / len(sizes) == pytest.approx(4.0, abs=0.2)
    assert {one.time_ms % 20 for one in many.operations} == {0}


def test_random_without_relearning_learns_every_cue_at_most_once() -> None:
    learned = [one.cue for one in random(1, cues=4, relearn=False).operations if one.kind == "learn"]
    assert sorted(learned) == [0, 1, 2, 3]
    again = [one.cue for one in random(1, cues=4).operations if one.kind == "learn"]
    assert len(again) > len(set(again))


def test_random_contents_are_never_empty() -> None:
    sparse = random(2, contents=3, density=1e-6, operations=50)
    assert {len(one.content) for one in sparse.operations if one.kind == "learn"} == {1}


@pytest.mark.parametrize(
    "options",
    [
        {"cues": 0},
        {"contents": 0},
        {"cues": 2.5},
        {"cues": True},
        {"operations": 0},
        {"spacing": 6},
        {"spacing": 7.5},
        {"seed": -1},
        {"density": 0.0},
        {"density": 1.1},
        {"density": float("nan")},
    ],
    ids=str,
)
def test_random_refuses(options: dict) -> None:
    with pytest.raises(RequestError, match=next(iter(options))):
        random(**{"seed": 0, **options})


def test_own_operations() -> None:
    own = from_operations([learn(3, 0, 0), recall_cue(30, 0)], 1, 1)
    assert own == Experiment("operations", 1, 1, 40, (learn(3, 0, 0), recall_cue(30, 0)))
    assert all(one.correct for one in decode(own, simulate(own).spikes))
    with pytest.raises(RequestError, match="number of cues is 0"):
        from_operations([recall_content(0, 0)], 0, 1)
    with pytest.raises(RequestError, match="content element 1 is outside 0 to 0"):
        from_operations([recall_content(0, 1)], 1, 1)


def test_spacing_decides_about_errors() -> None:
    """10 ms between operations is too short where cues learn again; 16 ms is enough (a limit of the model)."""
    wrong = {}
    for spacing in (10, 16):
        chosen = [random(seed, cues=8, spacing=spacing) for seed in range(4)]
        judged = [one for each in chosen for one in decode(each, simulate(each).spikes)]
        wrong[spacing] = sum(not one.correct for one in judged)
    assert wrong[10] > 0
    assert wrong[16] == 0
