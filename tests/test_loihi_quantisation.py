"""The quantisation report says what the chip's numbers do, and its predictions hold."""

from __future__ import annotations

import json
from types import SimpleNamespace

import loihi_float
import numpy as np
import pytest
from loihi_models import cells, connect, everyone, in_millivolts, network, source
from random_networks import random_networks

from neurodeploy.backends.loihi.activity import most_in_window, observed
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.prediction import responses
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.backends.loihi.scales import _nearest_to_whole
from neurodeploy.chips.loihi import LOIHI2


def measured(model, program, trace, steps: int):
    """The error of v of every population, mV, shape (steps + 1, size); both models fire when the chip's does."""
    _, v, _ = loihi_float.simulate(model, steps, trace.spikes)
    cells = [n for n, units in enumerate(program.units) if units is not None]
    return {n: in_millivolts(program, trace, n) - v[n] for n in cells}


@pytest.mark.parametrize(("seed", "time_step"), [(0, 1.0), (1, 1.0), (2, 0.1), (3, 1.0), (4, 0.5), (5, 0.1)])
def test_the_error_of_a_voltage_is_within_its_bound(seed, time_step):
    """120 random networks, spiking ones: with the activity they had, no voltage is farther off than predicted."""
    model = random_networks(seed, 20, ("IF_curr_exp", "IF_curr_delta"), steps=100, time_step=time_step)
    program = lower(model, allow_losses=True)
    trace = simulate(program, 100)
    activity = observed(trace.spikes[: len(model.populations)], round(10 / time_step))
    rows = program.report.with_activity(activity)
    errors = measured(model, program, trace, 100)
    inside, looseness = 0, []
    for row, (number, error) in zip(rows, errors.items(), strict=True):
        if in_millivolts(program, trace, number).min() <= row.lowest_voltage:
            continue  # cut, as the report says
        inside += 1
        assert np.abs(error).max() <= row.error.total, row.label
        looseness.append(row.error.total / np.abs(error).max())
    assert inside >= (17 if time_step == 1.0 else 13)
    assert np.median(looseness) < (30 if time_step == 1.0 else 120)


def below_threshold(seed: int, time_step: float):
    """Twenty Poisson-like sources onto five cells that do not reach their threshold."""
    draw = np.random.default_rng(seed)
    trains = [np.unique(np.sort(draw.integers(0, 1000, 12))) * time_step for _ in range(20)]
    size = 5
    cell = cells(
        size,
        v_thresh=100.0,
        tau_m=draw.uniform(5, 25, size),
        cm=draw.uniform(0.3, 1, size),
        v_rest=draw.uniform(-62, -58, size),
        tau_syn_E=draw.uniform(1, 8),
        tau_syn_I=draw.uniform(1, 8),
    )
    pairs, strength = everyone(20, size), time_step**0.5
    wires = [
        connect(0, 1, draw.uniform(0.02, 0.4, 100) * strength, time_step, "excitatory", pairs, "up"),
        connect(0, 1, -draw.uniform(0.02, 0.4, 100) * strength, time_step, "inhibitory", pairs, "down"),
    ]
    return network([source(*trains), cell], wires, time_step)


@pytest.mark.parametrize("time_step", [1.0, 0.1])
def test_the_typical_error_is_what_is_measured_within_a_factor_of_four(time_step):
    ratios, loose = [], []
    for seed in range(12):
        model = below_threshold(seed, time_step)
        program = lower(model)
        trace = simulate(program, 1000)
        assert not trace.spikes[1].any()
        error = measured(model, program, trace, 1000)[1]
        worst = np.sqrt((error**2).mean(axis=0)).max()
        row = program.report.populations[0]
        ratios.append(row.error.typical / worst)
        assert np.abs(error).max() <= row.error.total
        loose.append(row.error.total / np.abs(error).max())
    assert min(ratios) > 1 / 4
    assert max(ratios) < 4
    assert np.median(loose) < 60


def test_the_report_counts_what_happens_to_weights():
    weights = np.concatenate([np.linspace(0.5, 1.0, 500), [0.0]])
    model = network([source([1.0]), cells()], [connect(0, 1, weights, label="many")])
    program = lower(model)
    row = program.report.projections[0]
    part = program.synapses[0]
    gain = 5.0 * (1 - np.exp(-0.2))
    back = part.weight / program.units[1].i_scale[0] / gain
    relative = np.abs(back[:-1] / weights[:-1] - 1)
    assert row.largest_error == pytest.approx(relative.max())
    assert row.mean_error == pytest.approx(relative.mean())
    assert np.sort(program.report.weight_errors()) == pytest.approx(np.sort(relative))
    assert row.largest_error <= 0.5 / 127
    assert (row.clipped, row.zeroed) == (0, 0)
    assert row.distinct_before == 501
    assert row.distinct == len(np.unique(part.mantissa)) < 501
    assert row.step == pytest.approx((1 << (6 + part.exponent)) / program.units[1].i_scale[0] / gain)


def test_the_report_counts_what_vanishes():
    model = network([source([1.0]), cells()], [connect(0, 1, [1000.0, 1e-5], label="tiny")])
    row = lower(model, allow_losses=True).report.projections[0]
    assert row.zeroed == 1
    assert row.largest_error == 1.0


def test_the_worst_sum_of_inputs_decides_the_scale_of_many_synapses_and_the_report_says_so():
    pairs = [(i, 0) for i in range(5000)]
    draw = np.random.default_rng(0)
    model = network(
        [source(*[[1.0]] * 5000), cells()], [connect(0, 1, draw.uniform(0.1, 1, 5000), pairs=pairs)]
    )
    report = lower(model).report
    assert report.populations[0].reason == "worst sum of inputs"
    assert report.projections[0].distinct < 50


def test_parameters_that_are_rounded_are_listed_with_their_errors():
    model = network([cells(2, tau_m=[20.0, 10.0], tau_refrac=[2.0, 2.3])])
    rows = {row.parameter: row for row in lower(model).report.parameters}
    on_chip = [-1 / np.log1p(-round(4096 * (1 - np.exp(-1 / t))) / 4096) for t in (20.0, 10.0)]
    off = np.abs(np.array(on_chip) - [20.0, 10.0])
    assert rows["tau_m"].largest_error == pytest.approx(off.max())
    assert rows["tau_m"].mean_error == pytest.approx(off.mean())
    assert rows["tau_refrac"].largest_error == pytest.approx(0.7)
    assert rows["v_thresh"].largest_error < 1e-3
    assert "resting voltage" not in rows


def test_the_report_is_tables_for_people_and_json_for_machines(tmp_path):
    from rich.console import Console

    model = random_networks(0, 4, ("IF_curr_exp", "IF_curr_delta"), steps=20)
    report = lower(model).report
    with Console(width=200, record=True, file=(tmp_path / "out").open("w")) as console:
        console.print(*report.render())
    text = console.export_text()
    assert all(projection.label in text for projection in model.projections)
    saved = json.loads(report.save(tmp_path).read_text())
    assert saved == report.data
    assert saved["populations"][0]["error"]["total"] > 0
    assert saved["changes"] == lower(model).changes
    assert saved["changes"][-len(report.summary) :] == report.summary
    worst = max(report.populations, key=lambda row: row.error.total)
    assert f"at most in '{worst.label}'" in report.summary[1]


def test_spikes_in_a_window_are_counted():
    trains = [np.array([0, 1, 9, 10, 30]), np.array([]), np.array([5])]
    assert most_in_window(trains, 10).tolist() == [3, 0, 1]
    assert most_in_window(trains, 1).tolist() == [1, 0, 1]
    assert most_in_window([np.array([])], 10).tolist() == [0]


@pytest.mark.parametrize(("tau_syn", "tau_m"), [(3.0, 900.0), (0.2, 250.0), (40.0, 15.0), (20.0, 20.0)])
def test_a_response_that_lasts_long_is_the_sum_of_its_steps(tau_syn, tau_m):
    """What is added in closed form once no current is left, step by step instead."""
    a, b = np.exp(-1 / tau_syn), np.exp(-1 / tau_m)
    a_chip, b_chip = (1 - np.rint(4096 * (1 - each)) / 4096 for each in (a, b))
    window, steps = 10, 60_000
    exact, chip, deviation = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    h = h_chip = apart = 0.0
    for k in range(steps):
        apart = b_chip * apart + abs(b_chip - b) * h + abs(a_chip**k - a**k)
        h, h_chip = b * h + a**k, b_chip * h_chip + a_chip**k
        exact[k], chip[k], deviation[k] = h, h_chip, apart
    found = {
        name: value[0]
        for name, value in responses(*(np.array([x]) for x in (a, a_chip, b, b_chip)), window).items()
    }
    off = chip - exact
    assert found["A"] == pytest.approx(chip.reshape(-1, window).max(axis=1).sum(), rel=1e-8)
    assert found["sum off"] == pytest.approx(off.sum(), rel=1e-6)
    assert found["squares off"] == pytest.approx(off @ off, rel=1e-6)
    assert found["products"] == pytest.approx(chip @ off, rel=1e-6)
    bound = deviation.reshape(-1, window).max(axis=1).sum()
    assert bound <= found["B"] * (1 + 1e-9) <= 1.3 * bound
    assert deviation.max() <= found["most B"] * (1 + 1e-9) <= 1.5 * deviation.max()


def test_a_scale_at_which_all_weights_are_whole_is_found_among_thousands() -> None:
    """Whole weights of many sizes, beside one that inhibits: only multiples of a power of two fit them all."""
    wholes = [np.arange(22, 120), np.arange(22, 128), np.array([128])]
    incoming = [SimpleNamespace(weight=values.astype(float)) for values in wholes]
    assert _nearest_to_whole(470.0, incoming, LOIHI2) == 256.0  # type: ignore[arg-type]
