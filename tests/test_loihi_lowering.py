"""A Network becomes a Loihi Program: what is promised of each pass, and the cases that go wrong elsewhere."""

from __future__ import annotations

from dataclasses import replace

import loihi_float
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loihi_models import cells, connect, in_millivolts, network, source
from random_networks import random_networks

from neurodeploy.backends.loihi.inputs import poisson_source
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import Compartments
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.chips.loihi import LOIHI2, SIGN_MODES
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Injection, Population, Recorded
from neurodeploy.models.sources import poisson_spikes

# ------------------------------------------------------------------------------- the whole lowering


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_stay_within_their_registers_and_near_the_float_model(seed):
    model = random_networks(seed, 12, ("IF_curr_exp", "IF_curr_delta"), steps=80)
    program = lower(model)
    for group in program.groups:
        if isinstance(group, Compartments):
            assert np.all((group.du >= 0) & (group.du <= 4095))
            assert np.all((group.dv >= 0) & (group.dv <= 4095))
            assert np.all((group.vth >= 0) & (group.vth <= 131071))
            assert np.all((group.bias_mant >= -4096) & (group.bias_mant <= 4095))
            assert np.all((group.bias_exp >= 0) & (group.bias_exp <= 7))
    for synapses in program.synapses:
        mode = SIGN_MODES[synapses.sign_mode]
        assert np.all((synapses.mantissa >= mode.low) & (synapses.mantissa <= mode.high))
        assert 0 <= synapses.exponent <= 7
        assert np.all((synapses.delay >= 1) & (synapses.delay <= 63))
    trace = simulate(program, 80)
    _, v, _ = loihi_float.simulate(model, 80, trace.spikes)
    for number, units in enumerate(program.units):
        if units is not None:
            assert np.abs(in_millivolts(program, trace, number) - v[number]).max() < 1.0
            assert np.abs(trace.u[number]).max() < 2**23


@pytest.mark.parametrize("seed", range(2))
def test_the_worst_input_does_not_overflow_a_current(seed):
    """Every source spikes in every step for 60 steps: the bound is for that."""
    model = random_networks(seed, 12, ("IF_curr_exp",), steps=60)
    for population in model.populations:
        if population.is_source:
            population.spike_times = [np.arange(60.0) for _ in range(population.size)]
    trace = simulate(lower(model), 60)
    assert max(int(np.abs(u).max(initial=0)) for u in trace.u) <= LOIHI2.largest_state


def test_five_thousand_synapses_into_one_neuron_do_not_wrap_round():
    n = 5000
    pairs = [(i, 0) for i in range(n)]
    model = network([source(*[[0.0, 1.0, 2.0]] * n), cells()], [connect(0, 1, np.full(n, 0.5), pairs=pairs)])
    program = lower(model)
    trace = simulate(program, 6)
    assert 0 < trace.u[1].max() <= LOIHI2.largest_state
    assert trace.u[1].min() >= 0
    assert trace.spikes[1][1, 0]


# ------------------------------------------------------------------------------------------ weights


def test_weights_of_both_signs_and_sizes_keep_their_bits():
    """1000, 3 and -1 in one projection; Lava alone runs 254, 2 and -2."""
    model = network([source([1.0]), cells()], [connect(0, 1, [1000.0, 3.0, -1.0], label="odd")])
    program = lower(model)
    found = {}
    for part in program.synapses:
        for member, weight in zip(part.members, part.weight, strict=True):
            found[int(member)] = weight
    assert found[1] / found[0] == pytest.approx(0.003, rel=0.01)
    assert found[2] / found[0] == pytest.approx(-0.001, rel=0.02)
    assert any("split by sign" in change and "'odd'" in change for change in program.changes)


def test_a_weight_that_vanishes_is_an_error_unless_allowed():
    model = network([source([1.0]), cells()], [connect(0, 1, [1000.0, 1e-5], label="tiny")])
    with pytest.raises(RequestError, match=r"'tiny': 1 of 2 weights are 0 on the chip.*1e-05 of synapse 1"):
        lower(model)
    program = lower(model, allow_losses=True)
    assert any(change.startswith("lost: Projection 'tiny'") for change in program.changes)


def test_equal_weights_have_no_rounding_error():
    model = network([source([1.0]), cells()], [connect(0, 1, [0.7] * 5)])
    program = lower(model)
    gain = 5.0 * (1 - np.exp(-0.2))
    assert program.synapses[0].weight / program.units[1].i_scale[0] == pytest.approx(0.7 * gain, rel=1e-12)


# ------------------------------------------------------------------------------------------- delays


@pytest.mark.parametrize("delay", [1, 62, 63, 64, 126, 127, 500])
def test_a_spike_arrives_after_its_delay_through_relays_too(delay):
    model = network([source([0.0, 3.0]), cells()], [connect(0, 1, 0.1, delay=float(delay))])
    program = lower(model)
    trace = simulate(program, delay + 6)
    changed = np.flatnonzero(trace.u[1][1:, 0, 0] > trace.u[1][:-1, 0, 0])
    assert list(changed) == [delay, delay + 3]
    assert len(program.groups) - 2 == (delay - 1) // 63


def test_long_delays_of_a_neuron_share_its_relays():
    model = network(
        [source([0.0], [0.0], [0.0]), cells(3)],
        [
            connect(0, 1, [0.1, 0.1], [200.0, 100.0], pairs=[(0, 0), (2, 1)]),
            connect(0, 1, [0.1, 0.1], [150.0, 5.0], pairs=[(0, 2), (1, 1)], label="more"),
        ],
    )
    program = lower(model)
    assert sum(group.size for group in program.groups[2:]) == 3 + 1
    assert any("4 relay neurons, of 2 of its 3 neurons" in change for change in program.changes)


# -------------------------------------------------------------------------------------------- cells


def test_a_membrane_faster_than_the_time_step_decays_as_it_should():
    model = network([source([0.0]), cells(tau_m=0.5, cm=0.14, tau_syn_E=0.3, tau_syn_I=0.3)])
    model.projections.append(connect(0, 1, 3.0))
    program = lower(model)
    assert program.groups[1].dv[0] == round(4096 * (1 - np.exp(-2)))
    trace = simulate(program, 5)
    assert in_millivolts(program, trace, 1)[2, 0] + 65.0 == pytest.approx(3 * 0.8934, rel=1e-3)


def test_rest_above_reset_and_constant_currents_become_a_bias():
    cell = cells(2, v_rest=-60.0, v_reset=-70.0, v_thresh=-40.0, i_offset=0.1)
    injection = Injection(0, np.array([1], dtype=np.int32), np.array([0.0]), np.array([0.2]))
    model = network([cell], injections=[injection])
    program = lower(model)
    trace = simulate(program, 300)
    assert in_millivolts(program, trace, 0)[-1] == pytest.approx([-58.0, -54.0], abs=0.02)


def test_a_tie_with_the_threshold_is_a_spike():
    """PyNN fires at v >= v_thresh, the chip above its threshold: three weights of 5 mV reach 15 mV exactly."""
    cell = cells(cell="IF_curr_delta", tau_m=1e9)
    model = network([source([0.0]), cell], [connect(0, 1, [5.0] * 3)])
    trace = simulate(lower(model, allow_losses=True), 3)
    assert trace.spikes[1][1, 0]
    model.projections[0].weight[:] = 4.999
    trace = simulate(lower(model, allow_losses=True), 3)
    assert not trace.spikes[1].any()


def test_currents_of_two_time_constants_are_two_currents():
    one, two = cells(), cells(tau_syn_I=9.0)
    wires = [connect(0, 1, 0.5), connect(0, 1, -0.5, receptor="inhibitory", label="down")]
    assert lower(network([source([0.0]), one], wires)).groups[1].du.shape == (1, 1)
    program = lower(network([source([0.0]), two], wires))
    assert program.groups[1].du.shape == (2, 1)
    assert any("two currents" in change for change in program.changes)
    assert lower(network([source([0.0]), two], wires[1:])).groups[1].du.tolist() == [
        [round(4096 * (1 - np.exp(-1 / 9))) - 1]
    ]


def test_recorded_currents_are_told_apart():
    model = network(
        [source([0.0]), cells()],
        [connect(0, 1, 0.5), connect(0, 1, -0.25, receptor="inhibitory", label="down")],
        recorded=[Recorded(1, "isyn_exc", np.array([0], dtype=np.int32), 1.0)],
    )
    program = lower(model)
    trace = simulate(program, 3)
    gain = 5.0 * (1 - np.exp(-0.2))
    assert trace.u[1][2, :, 0] / program.units[1].i_scale[0] == pytest.approx(
        [0.5 * gain, -0.25 * gain], rel=0.01
    )


# ----------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("cell", ["IF_cond_exp", "IF_curr_alpha", "Izhikevich"])
def test_cells_the_chip_does_not_have_are_refused_by_name(cell):
    population = Population("odd ones", cell, 1, {"tau_m": np.array([10.0])}, {})
    with pytest.raises(UnsupportedError, match=f"'odd ones': Loihi has no cell type {cell}") as caught:
        lower(network([population]))
    assert "brian2" in caught.value.fix


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tau_m": np.nan}, "tau_m is nan"),
        ({"tau_m": 0.0}, "tau_m of neuron 0 is 0; it must be above 0"),
        ({"tau_syn_E": -1.0}, "tau_syn_E of neuron 0 is -1; it must be above 0"),
        ({"v_thresh": -70.0}, "v_thresh of neuron 0, -70 mV, is not above its v_reset, -65 mV"),
        (
            {"tau_refrac": 64.0},
            "tau_refrac 64 ms is 64 steps of 1 ms; a Loihi neuron can be refractory for 62",
        ),
        ({"tau_m": 1e6}, "tau_m 1e+06 ms of neuron 0 is inf ms on the chip"),
    ],
)
def test_parameters_without_a_place_on_the_chip_are_refused(given, message):
    with pytest.raises(RequestError) as caught:
        lower(network([cells(**given)]))
    assert message in str(caught.value)


def test_a_current_that_changes_is_refused():
    injection = Injection(0, np.array([0], dtype=np.int32), np.array([0.0, 20.0]), np.array([0.2, 0.0]))
    with pytest.raises(UnsupportedError, match="changes to 0 nA at 20 ms"):
        lower(network([cells()], injections=[injection]))


def test_an_empty_projection_is_nothing_and_a_source_has_no_synapses():
    empty = connect(0, 1, np.empty(0), pairs=np.empty((0, 2)), label="none")
    program = lower(network([source([1.0]), cells()], [empty]))
    assert program.synapses == []
    with pytest.raises(RequestError, match="has no synapses"):
        lower(network([source([1.0]), cells()], [connect(1, 0, 1.0)]))


def test_an_unknown_chip_is_named():
    with pytest.raises(RequestError, match="Did you mean 'loihi2'"):
        lower(network([cells()]), "loihi-2")


# ---------------------------------------------------------------------------------------- properties


@given(st.integers(0, 10_000), st.integers(64, 400))
@settings(max_examples=6, deadline=None)
def test_relays_change_no_spike_and_no_voltage(seed, longest):
    """The same Program with its long delays as they are, which the reference executes, is the same to the last bit."""
    model = random_networks(seed, 3, ("IF_curr_exp", "IF_curr_delta"), steps=300, longest=longest)
    program = lower(model, allow_losses=True)
    own = len(model.populations)
    whole = [part for part in program.synapses if part.projection >= 0]
    straight = []
    for part in whole:
        projection = model.projections[part.projection]
        straight.append(
            replace(
                part,
                pre=projection.pre,
                pre_index=projection.pre_index[part.members].astype(np.int64),
                delay=np.rint(projection.delay[part.members]).astype(np.int64),
            )
        )
    direct = replace(program, groups=program.groups[:own], synapses=straight)
    mapped, unmapped = simulate(program, 400), simulate(direct, 400)
    for number in range(own):
        assert np.array_equal(mapped.spikes[number], unmapped.spikes[number])
        assert np.array_equal(mapped.v[number], unmapped.v[number])
        assert np.array_equal(mapped.u[number], unmapped.u[number])
    assert all(np.all(part.delay <= 63) for part in program.synapses)


@given(st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=40), st.booleans(), st.floats(0.1, 30.0))
@settings(max_examples=60, deadline=None)
def test_a_weight_is_off_by_half_a_step_at_most_and_keeps_its_sign(weights, inhibitory, tau):
    sign, receptor = (-1.0, "inhibitory") if inhibitory else (1.0, "excitatory")
    cell = cells(tau_syn_E=tau, tau_syn_I=tau)
    model = network([source([1.0]), cell], [connect(0, 1, sign * np.array(weights), receptor=receptor)])
    program = lower(model, allow_losses=True)
    gain = tau * (1 - np.exp(-1 / tau))
    row = program.report.projections[0]
    assert sorted(np.concatenate([part.members for part in program.synapses])) == list(range(len(weights)))
    for part in program.synapses:
        back = part.weight / program.units[1].i_scale[0] / gain
        asked = sign * np.array(weights)[part.members]
        step = 2.0 ** (6 + part.exponent) / program.units[1].i_scale[0] / gain
        assert np.all(np.abs(back - asked) <= step / 2 * (1 + 1e-9))
        assert np.all(sign * part.mantissa >= 0)
        assert step <= row.step * (1 + 1e-9)


@given(st.floats(-90, -40), st.floats(-90, -40), st.floats(0.5, 60), st.floats(0.3, 40), st.floats(-0.5, 0.5))
@settings(max_examples=30, deadline=None)
def test_a_cell_at_rest_ends_where_it_should(v_rest, v_reset, above, tau_m, i_offset):
    """Within what truncation may lose, 4096/dv units, and the 13 bits of the bias."""
    cell = cells(
        v_rest=v_rest,
        v_reset=v_reset,
        tau_m=tau_m,
        i_offset=i_offset,
        v_thresh=max(v_rest, v_rest + tau_m * i_offset, v_reset) + above,
    )
    program = lower(network([cell]))
    group, units = program.groups[0], program.units[0]
    end = v_rest + tau_m * i_offset
    slack = 4096 / group.dv[0] * (1 + 2.0 ** (group.bias_exp[0] - 1)) / units.v_scale[0]
    trace = simulate(program, int(14 * tau_m) + 40)
    assert not trace.spikes[0].any() or above < 2 * slack
    if not trace.spikes[0].any():
        assert in_millivolts(program, trace, 0)[-1, 0] == pytest.approx(end, abs=slack + 1e-4)


def test_poisson_sources_play_the_trains_of_every_backend():
    rate, start, duration = np.array([300.0, 900.0]), np.array([0.0, 50.0]), np.array([1e10, 100.0])
    population = Population(
        "noise", "SpikeSourcePoisson", 2, {"rate": rate, "start": start, "duration": duration}
    )
    model = network([population, cells(2)], [connect(0, 1, [0.1, 0.1], pairs=[(0, 0), (1, 1)])], seed=5)
    assert lower(model).groups[0].steps.size == 0
    times, neurons = poisson_spikes(rate, start, duration, 5, 0, 0.0, 200.0)
    whole = poisson_source(model, 0, 0, 200)
    expected = np.unique(np.stack([np.floor(times).astype(int), neurons]), axis=1)
    assert np.array_equal(np.stack([whole.steps, whole.neurons]), expected)
    pieces = [poisson_source(model, 0, 0, 70), poisson_source(model, 0, 70, 200)]
    assert np.array_equal(np.concatenate([p.steps for p in pieces]), whole.steps)


def test_two_spikes_of_a_neuron_in_one_step_are_one_and_counted():
    program = lower(network([source([1.0, 1.2, 3.0], [2.0])]))
    assert program.groups[0].steps.tolist() == [1, 2, 3]
    assert any(
        "1 of 4 spikes fall into a step in which their neuron already spikes" in c for c in program.changes
    )


def test_an_initial_current_is_the_one_at_the_start_as_on_spinnaker():
    cell = cells(
        initial={"v": np.array([-65.0]), "isyn_exc": np.array([0.4]), "isyn_inh": np.array([0.0])},
    )
    program = lower(network([cell]))
    trace = simulate(program, 3)
    scale = program.units[0].i_scale[0]
    assert trace.u[0][1, 0, 0] / scale == pytest.approx(0.4, rel=1e-3)


def test_numbers_that_are_not_finite_are_refused_wherever_they_stand():
    for value in (np.nan, np.inf):
        for make in (
            lambda v: network([source([v]), cells()]),
            lambda v: network([source([1.0]), cells()], [connect(0, 1, v)]),
            lambda v: network([source([1.0]), cells()], [connect(0, 1, 1.0, delay=v)]),
            lambda v: network([cells(initial={"v": np.array([v])})]),
        ):
            with pytest.raises(RequestError):
                lower(make(value))


def test_a_population_in_which_nothing_has_a_size_ends_in_words(monkeypatch):
    """It has no scale; the search for one has to end."""
    from neurodeploy.backends.loihi import lower as lowering

    discretised = lowering.discretise

    def flat(*arguments):
        found = discretised(*arguments)
        for membrane in found.membranes:
            if membrane is not None:
                for name in ("threshold", "rest", "v", "drive"):
                    getattr(membrane, name)[:] = 0.0
        return found

    monkeypatch.setattr(lowering, "discretise", flat)
    with pytest.raises(UnsupportedError, match="its threshold is no distance from reset"):
        lower(network([cells(1)]))
