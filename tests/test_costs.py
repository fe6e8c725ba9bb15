"""What a run takes, before it: counts are those of the spikes that are known, figures those of the published constants."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.chips import loihi_energy, spinnaker_energy
from neurodeploy.costs import Band, Cost, Rates, expected, rates_of_run, shown
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network, Plasticity, Population, Projection
from neurodeploy.report.check import check

STEPS = 1000


def network(delay: float = 2.0) -> Network:
    """Two sources whose spikes are known onto three cells; 2 synapses a source, 1 a cell back onto a cell."""
    cell = {"v_rest": -65.0, "cm": 1.0, "tau_m": 20.0, "tau_refrac": 2.0, "tau_syn_E": 5.0, "tau_syn_I": 5.0}
    cell |= {"i_offset": 0.0, "v_reset": -65.0, "v_thresh": -50.0}
    made = Network(time_step=1.0)
    made.populations = [
        Population("in", "SpikeSourceArray", 2, spike_times=[np.array([1.0, 5.0, 2000.0]), np.array([7.0])]),
        Population(
            "cells",
            "IF_curr_exp",
            3,
            {name: np.full(3, value) for name, value in cell.items()},
            {"v": np.full(3, -65.0)},
        ),
    ]

    def projection(label: str, pre: int, pairs: list[tuple[int, int]]) -> Projection:
        a, b = (np.array(each, dtype=np.int32) for each in zip(*pairs, strict=True))
        return Projection(label, pre, 1, "excitatory", a, b, np.full(len(a), 1.0), np.full(len(a), delay))

    made.projections = [
        projection("onto", 0, [(0, 0), (0, 1), (1, 1), (1, 2)]),
        projection("back", 1, [(0, 1)]),
    ]
    return made


def costs(backend: str, rules: str, rates: Rates, made: Network | None = None, **options: str):
    found = registry.load(backend).examine(
        made or network(), Options(rules, hardware=options.get("hardware")), STEPS, rates
    )
    assert not [finding for finding in found.findings if finding.is_error]
    return found.costs, {row.quantity: row.band for row in found.costs.rows}


def test_sources_are_counted_and_the_rest_is_assumed_and_said() -> None:
    activity = expected(network(), STEPS)
    assert [spikes.tolist() for spikes in activity.likely] == [[2.0, 1.0], [10.0, 10.0, 10.0]]
    assert [level[1][0] for level in activity.levels] == [0.0, 10.0, 30.0]
    assert any("'cells'" in note and "10 Hz" in note for note in activity.notes)
    assert expected(network(), STEPS, Rates(4.0)).likely[1].tolist() == [4.0] * 3


def test_a_poisson_source_counts_while_it_fires() -> None:
    poisson = {
        "rate": np.array([100.0, 50.0]),
        "start": np.array([0.0, 900.0]),
        "duration": np.full(2, 500.0),
    }
    made = Network(time_step=1.0, populations=[Population("noise", "SpikeSourcePoisson", 2, poisson)])
    assert expected(made, STEPS).likely[0] == pytest.approx([50.0, 5.0])
    drawn = Rates(counts={"noise": np.array([47.0, 6.0])}, duration=float(STEPS), run="this run")
    activity = expected(made, STEPS, drawn)
    assert activity.likely[0].tolist() == [47.0, 6.0] and not any(
        "average" in note for note in activity.notes
    )


@pytest.mark.parametrize(
    ("unit", "band", "words"),
    [
        ("", (741103.0, 741103.0, 741103.5), ("741,103", "741,103", "741,104", "")),
        ("s", (1.2e-5, 1.52e-5, 0.001), ("12", "15.2", "1,000", "µs")),
        ("J", (0.0, 0.0, 2.0), ("0", "0", "2", "J")),
        ("J", (1.0, 3.6, 30.0), ("1", "3.6", "30", "J")),
    ],
)
def test_costs_are_shown_in_units_that_suit_them(unit, band, words) -> None:
    assert shown(Cost("x", unit, Band(*band))) == words


def test_events_are_the_spikes_times_their_synapses_on_every_backend() -> None:
    for backend, rules in (("brian2", "ideal"), ("spinnaker", "spinnaker"), ("loihi", "loihi2")):
        _, of = costs(backend, rules, Rates(4.0))
        assert of["synaptic events"] == Band(10.0, 10.0, 10.0)  # 3 spikes over 2 synapses each, 4 over one
        assert of["updates of neurons"] == Band(3000.0, 3000.0, 3000.0)


def test_spinnaker_takes_its_boards_time_and_power() -> None:
    found, of = costs("spinnaker", "spinnaker", Rates(4.0))
    assert of["time of the run, without loading and reading"] == Band(1.0, 1.0, 1.0)
    energy = of["energy of that time"]
    packets = 15 * 1e-9  # 3 and 3 x 4 spikes
    assert energy.low == pytest.approx(3.56 + packets)
    assert energy.likely == pytest.approx(3.56 + 3000 * 100e-9 + 10 * 43e-9 + packets)
    assert energy.high == pytest.approx(3.56 + 2 * 0.034 + packets)
    assert found.data["kind"] == "modelled" and all(row["kind"] == "modelled" for row in found.data["rows"])
    assert any("Sharp et al." in note for note in found.notes)


def test_the_band_of_spinnaker_holds_what_was_published_of_whole_boards() -> None:
    """A quarter of a million neurons and 1.8 billion events a second took below 1 W for each of 48 chips (Stromatias et al.,
    IJCNN 2013); a boxed board with 806 cores awake took 59.38 W (SpiNNMachine 7.4.1)."""
    events = Band(1.8e9, 1.8e9, 1.8e9)
    busy = spinnaker_energy.energy(5, 1, 768, 1.0, 250_000 * 1000.0, events, Band(0.0, 0.0, 0.0))
    assert busy.low < 48.0 < busy.high
    awake = spinnaker_energy.energy(5, 1, 806, 1.0, 0.0, events, Band(0.0, 0.0, 0.0))
    assert awake.high == pytest.approx(59.38, rel=0.01)


def test_loihi_takes_its_operations() -> None:
    found, of = costs("loihi", "loihi1", Rates(4.0), hardware="loihi1-sim")
    energy, seconds = (
        of["energy of the run, as fast as the chip goes"],
        of["time of the run, as fast as the chip goes"],
    )
    messages = 2 + 1 + 4  # a spike goes to a core once, whatever it reaches there
    operations = 10 * 23.6e-12 + messages * 1.7e-12
    assert energy.low == pytest.approx(3000 * 52e-12 + operations)
    assert seconds.low == pytest.approx(3000 * 5.3e-9 + 10 * 3.5e-9 + STEPS * 113e-9)
    assert seconds.high == pytest.approx(3000 * 8.4e-9 + 10 * 3.5e-9 + STEPS * 465e-9)
    assert energy.high == pytest.approx(
        3000 * 81e-12 + operations + messages * (7 * 3e-12 + 3 * 4e-12) + 3.34 / 32 * seconds.high
    )
    leaked = 3.34 / 32 / 128 * seconds.likely
    assert energy.likely == pytest.approx(3000 * 52e-12 + 10 * 29e-12 + operations + leaked)
    assert not any("these are Loihi 1's" in note for note in found.notes)
    other, _ = costs("loihi", "loihi2", Rates(4.0))
    assert any("these are Loihi 1's" in note for note in other.notes)


def test_relays_of_loihi_are_counted() -> None:
    _, of = costs("loihi", "loihi2", Rates(4.0), network(delay=100.0))
    assert of["synaptic events"].likely == 10.0
    # three sources' spikes and one cell's four go through a relay each
    assert of["synaptic events with those onto relays"].likely == 10.0 + 3.0 + 4.0


def test_learning_costs_updates_on_both_sides() -> None:
    made = network(delay=1.0)
    made.projections[1].plasticity = Plasticity(20.0, 20.0, 0.01, 0.01, "additive", 0.0, 1.0, 1.0)
    _, still = costs("loihi", "loihi1", Rates(4.0), network(delay=1.0), hardware="loihi1-sim")
    _, learns = costs("loihi", "loihi1", Rates(4.0), made, hardware="loihi1-sim")
    name = "energy of the run, as fast as the chip goes"
    # the weights' mantissas may differ, the operations do not: four spikes before and four behind the synapse
    assert learns[name].low - still[name].low == pytest.approx(8 * loihi_energy.SYNAPTIC_UPDATE, rel=1e-6)
    assert learns["synaptic events of synapses that learn"].likely == 4.0


def test_nothing_is_said_of_a_model_that_does_not_fit() -> None:
    made = network()
    made.projections[0].weight[:] = 1e9
    found = registry.load("spinnaker").examine(made, Options("spinnaker"), STEPS)
    assert any(finding.is_error for finding in found.findings) and not found.costs.rows


def test_rates_are_taken_from_a_run(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(
        json.dumps({"spikes": {"all": 4, "cells": 2}, "model_time_ms": 500.0})
    )
    (tmp_path / "spikes.csv").write_text("time_ms,population,neuron\n3,cells,1\n9,cells,1\n")
    rates = rates_of_run(tmp_path, network())
    activity = expected(network(), STEPS, rates)
    assert activity.high[1].tolist() == [0.0, 4.0, 0.0]
    assert any(str(tmp_path) in note for note in activity.notes)
    (tmp_path / "spikes.csv").write_text("time_ms,population,neuron\n3,cells,7\n")
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RequestError, match="--like"):
            rates_of_run(folder, network())


def test_a_check_shows_them_marked() -> None:
    result = check("cam", "loihi", rate=5.0)
    kinds = {row["kind"] for row in result.data["costs"]["rows"]}
    assert kinds == {"modelled"} and result.data["costs"]["rests_on"]
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(*result.render(), sep="\n")
    text = console.export_text()
    assert "modelled, not measured" in text and "energy of the run" in text and "Davies" in text
