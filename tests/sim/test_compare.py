"""Whole comparisons: the memory on two targets, and under rules that differ in one thing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurodeploy.comparison.application import compare


def run(out: Path, backends: str, rules: str | None) -> dict:
    result = compare("cam", None, backends, rules, None, 0.0, False, out, [])
    return json.loads((out / "comparison.json").read_text())["pairs"][0] | {"shown": result.render()}


def test_the_memory_is_equal_on_the_engine_and_on_the_board(tmp_path: Path) -> None:
    pytest.importorskip("spynnaker")
    pair = run(tmp_path / "out", "brian2,spinnaker", None)
    assert (pair["differing"], pair["spikes"], pair["agree"]) == (0, 644, True)
    assert pair["executed_by"] == ["float", "emulated"]
    assert pair["cause"] is None
    assert not list((tmp_path / "out").glob("*.png"))


def test_without_the_depression_of_ties_the_first_thing_lost_is_forgetting(tmp_path: Path) -> None:
    """Cue 3 is learned again at 60 ms; its old content 5 and 6 is forgotten at a tie, by which S1cont 5 is silent at 64 ms."""
    pair = run(tmp_path / "out", "brian2,brian2", "spinnaker,spinnaker+tie:ideal")
    assert pair["cause"] == "tie order"
    (switched,) = pair["switched"]
    assert (switched["rule"], switched["class"]) == ("tie", "tie order")
    moved = {one["question"]: one["given"] for one in switched["answers"]["each"]}
    assert moved["cue 3 ? at 70 ms"] == ["{3} {1,3,4,8}", "{3} {1,3–6,8}"]  # what it was to forget comes back
    assert next(iter(moved)) == "learn 3 = {1,3,4,8} at 60 ms" and len(moved) == 3
    assert any("cue 3 ? at 70 ms: {3} {1,3,4,8} becomes {3} {1,3–6,8}" in str(line) for line in pair["shown"])
    first = pair["first_divergence"]
    assert (first["population"], first["neuron"], first["time_ms"]) == ("S1cont", 5, 64)
    assert first["fires_on"] == "brian2 (spinnaker+tie:ideal)"
    silent, fired = pair["voltages_mv"]
    assert silent[0] < silent[1] < -55.0  # lifted, and not to threshold
    assert fired[1] == -60.0  # reset
    assert not pair["agree"]
    assert (tmp_path / "out" / "rasters-0.png").stat().st_size > 10_000


SCRIPT = """
import sys
import pyNN.nest as sim

sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(3, sim.SpikeSourceArray(spike_times=[5.0, 30.0]), label="source")
cells = sim.Population(4, sim.IF_curr_exp(), label="cells")
delays = [[2.0] * 4, [2.0] * 4, [2.0, 2.0, LATE, 2.0]]
synapses = [(i, j, 9.0, delays[i][j]) for i in range(3) for j in range(4)]
sim.Projection(source, cells, sim.FromListConnector(synapses), label="drive")
sim.run(60.0)
"""


def test_of_two_scripts_the_synapse_whose_delay_differs_is_named(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text(SCRIPT.replace("LATE", "2.0"))
    other.write_text(SCRIPT.replace("LATE", "9.0"))
    compare(str(one), str(other), "brian2", None, None, 0.0, False, tmp_path / "out", [])
    pair = json.loads((tmp_path / "out" / "comparison.json").read_text())["pairs"][0]
    assert pair["cause"] == "delay"
    assert pair["why"].endswith("projection 'drive': delay of synapse 2 → 2: 2 and 9 ms")
    first = pair["first_divergence"]
    assert (first["population"], first["neuron"], first["fires_on"]) == (
        "cells",
        2,
        "one.py on brian2 (ideal)",
    )
    assert pair["voltages_mv"][1][1] > pair["voltages_mv"][0][1]  # not yet fired there, reset here
