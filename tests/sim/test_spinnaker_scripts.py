"""Plain sPyNNaker scripts, none of which knows of this package, on an emulated board: what they print is checked.

What is expected comes from the equations, or from the whole-number model of a core.
"""

from __future__ import annotations

import json
from math import exp
from pathlib import Path

import numpy as np
import pytest
from machine import HOST, SCRIPTS, needs_machine, start_script

from neurodeploy.chips.spinnaker_core import simulate

SECONDS = 120


pytestmark = needs_machine


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a board is served, all tests through."""
    if HOST is not None:
        yield HOST
        return
    from neurodeploy.backends.spinnaker.board.process import BoardProcess

    with BoardProcess(version=3, log=tmp_path_factory.mktemp("board") / "board.log") as board:
        yield board.address


@pytest.fixture
def printed(address: str, tmp_path: Path):
    """Runs a script as it stands, in a home directory of its own; gives what it prints."""

    def run(name: str):
        with start_script(SCRIPTS / f"{name}.py", tmp_path, address) as script:
            said, errors = script.communicate(timeout=SECONDS)
        assert script.returncode == 0, errors[-3000:]
        return json.loads(said.splitlines()[-1])

    return run


def model(cell: str, weights: tuple[float, ...], initial: dict[str, float] | None = None, **parameters):
    """Spikes and voltages of the same three cells from the whole-number model of a core."""
    from neurodeploy import pynn as sim

    sim.setup(timestep=1.0, rules="spinnaker")
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5, 15, 20, 25, 60]))
    cells = sim.Population(3, getattr(sim, cell)(**parameters))
    cells.initialize(**(initial or {}))
    rows = [(0, i, weight, delay) for i, (weight, delay) in enumerate(zip(weights, (1, 4, 7), strict=True))]
    connector = sim.FromListConnector(rows, column_names=["weight", "delay"])
    sim.Projection(source, cells, connector, sim.StaticSynapse())
    cells.record(["spikes", "v"])
    said = simulate(sim.capture(), 100)
    sim.end()
    return trains(said, 3), said.samples[1, "v"]


def trains(said, cells: int) -> list[list[float]]:
    """The spikes of population 1, as a script prints them at steps of 1 ms."""
    steps, neurons = said.spikes[1]
    return [[float(t) for t in steps[neurons == i]] for i in range(cells)]


LEAKY = {"tau_refrac": 2.0, "cm": 0.25, "tau_m": 10.0}


@pytest.mark.parametrize(
    ("name", "cell", "weights", "parameters", "initial"),
    [
        ("if_cond_exp", "IF_cond_exp", (0.0625, 0.125, 0.25), LEAKY | {"tau_syn_E": 5.0}, {}),
        ("if_curr_delta", "IF_curr_delta", (2.0, 4.0, 8.0), LEAKY, {}),
        ("if_curr_alpha", "IF_curr_alpha", (4.0, 8.0, 16.0), LEAKY | {"tau_syn_E": 4.0}, {}),
        (
            "izhikevich",
            "Izhikevich",
            (4.0, 8.0, 16.0),
            {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0},
            {"v": -70.0, "u": -14.0},
        ),
    ],
)
def test_cells_are_the_whole_number_models(printed, name, cell, weights, parameters, initial) -> None:
    machine = printed(name)
    spikes, voltage = model(cell, weights, initial, **parameters)
    assert machine["spikes"] == spikes
    assert all(spikes)
    np.testing.assert_array_equal(machine["v"], voltage)


def test_poisson_sources_keep_their_rate_and_their_window(printed) -> None:
    machine = printed("poisson")
    times = np.concatenate(machine["source"])
    assert times.min() >= 100 and times.max() < 500
    expected = 40 * 50.0 * 0.4
    assert abs(len(times) - expected) < 4 * np.sqrt(expected)
    assert len({tuple(train) for train in machine["source"]}) == 40
    assert machine["silent"] == [[]] * 5
    assert all(cell[0] > source[0] for cell, source in zip(machine["cells"], machine["source"], strict=True))


def after_pairs(additive: bool, counted: tuple[float, ...]) -> float:
    """The weight once the presynaptic spike at 60 ms has come: post at 26 ms and 1 ms of delay, pre as `counted`."""
    weight = 0.5
    up, down = sum(0.5 * exp(-(27 - pre) / 10) for pre in counted), 0.25 * exp(-(60 - 27) / 20)
    weight += up if additive else up * (4.0 - weight)
    return weight - (down if additive else down * weight)


@pytest.mark.parametrize(
    ("name", "additive", "counted"),
    [
        ("stdp_additive", True, (14.0, 20.0)),
        ("stdp_multiplicative", False, (14.0, 20.0)),
        ("stdp_nearest_pair", True, (20.0,)),
    ],
)
def test_pairs_of_spikes_move_a_weight_by_the_rule(printed, name, additive, counted) -> None:
    machine = printed(name)
    assert machine["spikes"] == [[26.0]]
    assert machine["after"] == pytest.approx(after_pairs(additive, counted), abs=0.003)


def test_weights_read_between_presynaptic_spikes_lack_what_came_since(printed) -> None:
    machine = printed("stdp_additive")
    assert (
        machine["before"] == 0.5
    )  # the post spike at 26 ms is counted when the next pre spike comes, at 60 ms
    assert machine["after"] > 0.8


def test_delays_beyond_the_ring_arrive_in_their_tick(printed) -> None:
    machine = printed("delay_extension")
    trains = machine["cells"]
    first = {neuron: train[0] for neuron, train in enumerate(trains) if train}
    sent = {0: 5 + 1, 1: 5 + 64, 2: 6 + 65, 3: 6 + 100, 99: 7 + 128}
    assert first == sent
    assert all(len(train) <= 1 for train in trains)
    assert machine["far"] == [[8.0 + 300.0]] * 100


def test_split_cores_compute_what_one_core_does(printed) -> None:
    machine = printed("split_cores")
    assert machine["synapse_cores"] == 1
    assert machine["split"] == machine["together"]
    assert len(machine["together"]["spikes"][0]) > 2


def test_reward_turns_eligibility_into_weight(printed) -> None:
    machine = printed("neuromodulation")
    # pre at 10, post at 15, dopamine at 41 ms; both decay and their product is what the weight moves by, a ms
    eligible, rate = exp(-5 / 10) * exp(-(41 - 15) / 100), 1 / 100 + 1 / 5
    assert machine["none"] == 4.0
    assert machine["reward"] == pytest.approx(4.0 + 0.1 * eligible / rate, abs=0.004)
    assert machine["more"] == pytest.approx(4.0 + 0.2 * eligible / rate, abs=0.004)
    assert machine["punishment"] < 3.9


def test_three_runs_are_one(printed) -> None:
    from neurodeploy import pynn as sim

    machine = printed("run_and_run")
    sim.setup(timestep=1.0, rules="spinnaker")
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[5, 19, 45], [20, 21, 80]]))
    cells = sim.Population(2, sim.IF_curr_exp(i_offset=0.25, tau_refrac=2.0))
    sim.Projection(source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=6.0, delay=3.0))
    cells.record(["spikes", "v"])
    said = simulate(sim.capture(), 100)
    sim.end()
    assert machine["spikes"] == trains(said, 2)
    assert all(machine["spikes"])
    np.testing.assert_array_equal(machine["v"], said.samples[1, "v"])


def test_a_run_after_reset_is_the_first_one_again(printed) -> None:
    first, second = printed("reset")
    assert second == first
    assert first["weight"] != 6.0 and first["spikes"][0]
