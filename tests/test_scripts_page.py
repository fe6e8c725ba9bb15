"""The page of a run of a script, and of a model that was only mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from html_page import HtmlPage

from neurodeploy.backends.base import Report
from neurodeploy.costs import Rates, counted, expected, rates_of_spikes
from neurodeploy.models.network import Network, Population, Projection, Recorded
from neurodeploy.recording import provenance
from neurodeploy.scripts.application import Simulation, mapping, write_spikes
from neurodeploy.scripts.page import page

HOSTILE = "</script><img src=x onerror=alert(1)>"


def simulation(**facts: object) -> Simulation:
    network = Network(time_step=0.5)
    network.populations = [
        Population(HOSTILE, "SpikeSourceArray", 2, spike_times=[np.array([1.0]), np.array([2.0])]),
        Population("cells", "IF_curr_exp", 3),
    ]
    one = np.zeros(1, dtype=np.int32)
    network.projections = [Projection("p", 0, 1, "excitatory", one, one, np.ones(1), np.ones(1))]
    network.recorded = [Recorded(1, "v", np.array([0, 2], dtype=np.int32), 0.5)]
    spikes = {
        HOSTILE: (np.array([1.0, 2.0]), np.array([0, 1])),
        "cells": (np.array([1.5, 10.0]), np.array([2, 0])),
    }
    voltages = {"cells": (np.linspace(-65.0, -50.0, 42).reshape(21, 2), np.array([0, 2]), 0.5)}
    report = Report(changes=["a thing was rounded"], wall={"build": 0.1, "run": 0.2}, facts=dict(facts))
    found = Simulation(network, "brian2", "ideal", report, 20, spikes, voltages, {"p": np.array([0.5, 1.5])})
    found.costs = counted(network, 20, expected(network, 20, rates_of_spikes(spikes, network, 10.0)))
    return found


def shown(simulations: list[Simulation], folder: Path) -> HtmlPage:
    metrics = {"notes": ["setup(): verbosity=1 is for pyNN.nest"], "executed_by": "float"}
    run = provenance(["neurodeploy", "run", "x.py"], executed_by="float")
    page("x.py", simulations, metrics, run, folder).write(folder)
    return HtmlPage((folder / "report.html").read_text())


def test_it_has_spikes_voltages_weights_changes_and_costs(tmp_path: Path) -> None:
    found = shown([simulation()], tmp_path)
    assert len(found.pictures) == 1 and (tmp_path / "voltages.png").exists()
    assert found.tags["script"] == 1  # the page's own
    for words in (
        "a thing was rounded",
        "verbosity=1",
        "modelled",
        "synaptic events",
        "0.5",
        "10 ms of model time",
    ):
        assert words in found.text, words
    assert found.text.count("2 of 2 recorded neurons") == 0  # that is in the picture


def test_several_simulations_are_told_apart(tmp_path: Path) -> None:
    found = shown([simulation(), simulation()], tmp_path)
    assert "Spikes, simulation 1" in found.text and "Spikes, simulation 2" in found.text
    assert {path.name for path in tmp_path.glob("*.png")} == {"voltages-1.png", "voltages-2.png"}


def test_what_was_only_mapped_has_its_cores(tmp_path: Path) -> None:
    vertex = {
        "population": "cells",
        "vertex": "v",
        "chip": (0, 1),
        "core": 3,
        "sdram_bytes": 1234,
        "keys": [("0x1", "0xf")],
    }
    one = simulation(mapped_only=True, cores=1, chips=1, mapping=[vertex])
    found = shown([one], tmp_path)
    assert "mapped, not run" in found.text and "1,234" in found.text and "0x1/0xf" in found.text
    assert not found.pictures and "Spikes" not in found.text
    assert mapping(one.report)["sdram_bytes"] == 1234


def test_spikes_are_written_by_time_then_population_then_neuron(tmp_path: Path) -> None:
    write_spikes(tmp_path / "spikes.csv", simulation())
    lines = (tmp_path / "spikes.csv").read_text().splitlines()
    assert [line.rsplit(",", 1)[1] for line in lines] == ["neuron", "0", "2", "1", "0"]
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "1.5", "2", "10"]


def test_an_unrecorded_population_is_not_taken_for_a_silent_one() -> None:
    network = simulation().network
    rates = rates_of_spikes({}, network, 10.0)
    assert expected(network, 20, rates).high[1][0] == 30.0 * 0.01 and rates != Rates()
