"""From a Network to arrays: what is refused, what is rounded and counted, and where everything goes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from drive import PARAMETERS, cells, record, source, synapses
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2 import Brian2Backend
from neurodeploy.backends.brian2.lower import LARGEST_INDEX, injected_current, lower, place
from neurodeploy.backends.brian2.structure import Structure
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Injection, Network, Plasticity, Population

IDEAL, SPINNAKER = rules_by_name("ideal"), rules_by_name("spinnaker")
RULE = Plasticity(10.0, 10.0, 0.1, 0.1, "additive", 0.0, 5.0, 1.0)


def small(
    dt: float = 1.0, delay: float = 1.0, plasticity: Plasticity | None = None, cell="IF_curr_exp"
) -> Network:
    return Network(
        dt,
        [source([1.0]), cells(cell, tau_refrac=2.0)],
        [synapses(0, 1, [(0, 0, 0.5, delay)], plasticity=plasticity, label="mine")],
    )


def check(network: Network, rules: str = "ideal", engine: str = "cpp") -> None:
    Brian2Backend().check(network, Options(rules, engine))


# ------------------------------------------------------------------------------------------- what is refused


def test_unknown_rules_and_engines_are_refused_with_what_was_meant() -> None:
    with pytest.raises(RequestError, match="Did you mean 'spinnaker'"):
        check(small(), "spinaker")
    with pytest.raises(RequestError, match="Did you mean 'runtime'"):
        check(small(), engine="runtim")


@pytest.mark.parametrize("delay", [0.0, -1.0, 0.049, 0.0999])
def test_a_delay_under_one_step_is_refused(delay: float) -> None:
    with pytest.raises(RequestError, match=r"'mine'.*under one time step \(0\.1 ms\)") as refused:
        check(small(0.1, delay))
    assert "at least 0.1 ms" in refused.value.fix


@pytest.mark.parametrize("delay", [0.1, 0.3 / 3, 0.1 - 1e-12, 0.1 + 1e-12])
def test_one_step_is_one_step_whatever_its_last_binary_digit(delay: float) -> None:
    lowered = lower(small(0.1, delay), IDEAL)
    assert lowered.arrays["static_sources_IF_curr_exp.send_steps"].tolist() == [1]
    assert lowered.changes == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_values_that_are_not_finite_are_refused_by_label(rules: str, value: float) -> None:
    for what in ("weight", "delay"):
        network = small()
        getattr(network.projections[0], what)[0] = value
        with pytest.raises(RequestError, match=rf"'mine'.*{what}.*{value}.*synapse 0"):
            check(network, rules)


@pytest.mark.parametrize("cell", sorted(PARAMETERS))
def test_every_parameter_and_initial_value_has_to_be_finite(cell: str) -> None:
    for name in PARAMETERS[cell]:
        network = Network(1.0, [cells(cell, 3, "mine")])
        network.populations[0].parameters[name][2] = np.nan
        with warnings.catch_warnings(), pytest.raises(RequestError, match=rf"'mine'.*{name}.*nan.*neuron 2"):
            warnings.simplefilter("error")
            check(network)
    network = Network(1.0, [cells(cell, 3, "mine")])
    network.populations[0].initial_values["v"][1] = np.nan
    with pytest.raises(RequestError, match=r"'mine'.*initial value of v.*nan.*neuron 1"):
        check(network)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_spike_time_that_is_not_finite_is_refused_before_anything_is_compiled(value: float) -> None:
    """What `open` refuses, `check` refuses: it promises the first thing that cannot be done."""
    network = small()
    network.populations[0].spike_times[0] = np.array([1.0, value])
    with pytest.raises(RequestError, match="'source'"):
        check(network)


@pytest.mark.parametrize("name", ["rate", "start", "duration"])
def test_a_poisson_parameter_that_is_not_finite_is_refused(name: str) -> None:
    table = {"rate": np.array([10.0]), "start": np.array([0.0]), "duration": np.array([1e9])}
    table[name][0] = np.nan
    with pytest.raises(RequestError, match=rf"'noise'.*{name}"):
        check(Network(1.0, [Population("noise", "SpikeSourcePoisson", 1, table)]))


@pytest.mark.parametrize("part", ["times", "amplitudes"])
def test_an_injection_that_is_not_finite_is_refused_by_label(part: str) -> None:
    network = small()
    network.injections.append(Injection(1, np.array([0]), np.array([2.0]), np.array([1.0])))
    getattr(network.injections[0], part)[0] = np.nan
    with pytest.raises(RequestError, match="'cells'"):
        check(network)


@pytest.mark.parametrize("row", [(0, 1, 0.5, 1.0), (1, 0, 0.5, 1.0), (0, -1, 0.5, 1.0)])
def test_a_synapse_of_a_neuron_that_is_not_there_is_refused(row: tuple) -> None:
    """The engine would write beside its arrays."""
    network = small()
    network.projections[0] = synapses(0, 1, [row], label="mine")
    with pytest.raises(RequestError, match="'mine'"):
        check(network)


def test_what_cannot_be_recorded_is_refused_before_anything_is_compiled() -> None:
    network = small()
    record(network, 1, "gsyn_exc")
    with pytest.raises(RequestError, match=r"'cells'.*gsyn_exc") as refused:
        check(network)
    assert "isyn_exc" in refused.value.fix


def test_more_neurons_than_32_bits_number_are_refused() -> None:
    with pytest.raises(RequestError, match=r"'huge'.*at most"):
        place(Network(1.0, [Population("huge", "IF_curr_exp", LARGEST_INDEX // 4 + 1)]))


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_the_chip_has_no_axonal_delay(fraction: float) -> None:
    rule = Plasticity(10.0, 10.0, 0.1, 0.1, "additive", 0.0, 5.0, fraction)
    check(small(plasticity=rule), "ideal")
    with pytest.raises(RequestError, match=rf"'mine'.*{fraction:g}") as refused:
        check(small(plasticity=rule), "spinnaker")
    assert "'ideal'" in refused.value.fix and "1.0" in refused.value.fix


# ----------------------------------------------------------------------------------- what is rounded and counted


def test_the_dendritic_part_of_a_delay_is_rounded_and_counted() -> None:
    rule = Plasticity(10.0, 10.0, 0.1, 0.1, "additive", 0.0, 5.0, 0.5)
    network = small(plasticity=rule)
    network.projections[0] = synapses(
        0, 1, [(0, 0, 1.0, d) for d in (2.0, 3.0, 4.0, 5.0)], plasticity=rule, label="mine"
    )
    lowered = lower(network, IDEAL)
    assert [change for change in lowered.changes if "dendritic part of 2 of 4 delays" in change]
    arrays = {k: lowered.arrays[f"plastic_sources_IF_curr_exp.{k}"] for k in ("pre.delay", "post.delay")}
    np.testing.assert_array_equal(arrays["pre.delay"] + arrays["post.delay"], [2, 3, 4, 5])
    assert np.all(np.abs(arrays["post.delay"] - np.array([1, 1.5, 2, 2.5])) <= 0.5)


def test_on_the_grid_nothing_is_reported() -> None:
    for dt in (0.1, 0.3, 0.7):
        network = Network(
            dt,
            [source([k * dt for k in range(50)]), cells("IF_curr_exp", tau_refrac=7 * dt)],
            [synapses(0, 1, [(0, 0, 1.0, k * dt) for k in range(1, 50)])],
        )
        lowered = lower(network, IDEAL)
        assert lowered.changes == []
        steps = lowered.arrays["static_sources_IF_curr_exp.send_steps"]
        assert steps.tolist() == list(range(1, 50))


@given(delays=st.lists(st.floats(0.1, 20.0), min_size=1, max_size=12), dt=st.sampled_from([0.1, 0.25, 1.0]))
@settings(max_examples=60, deadline=None)
def test_delays_move_by_half_a_step_at_most_and_every_move_is_counted(delays: list[float], dt: float) -> None:
    delays = [max(delay, dt) for delay in delays]
    network = small(dt)
    network.populations[1].parameters["tau_refrac"][:] = dt
    network.projections[0] = synapses(0, 1, [(0, 0, 1.0, delay) for delay in delays], label="mine")
    lowered = lower(network, SPINNAKER)
    found = lowered.arrays["static_sources_IF_curr_exp.send_steps"] * dt
    shift = np.abs(found - np.array(delays))
    assert shift.max() <= dt / 2 * (1 + 1e-9)
    moved = int(np.sum(shift > 1e-6 * dt))
    text = "\n".join(lowered.changes)
    assert (f"{moved} of {len(delays)} delays" in text) if moved else text == ""


# ------------------------------------------------------------------------------------------------ initial values


@pytest.mark.parametrize("rules", [IDEAL, SPINNAKER], ids=lambda rules: rules.name)
def test_a_synapse_far_faster_than_the_step_needs_no_initial_value(rules) -> None:
    """exp(-dt/tau) is 0 for tau_syn = 0.001 ms at 1 ms: nothing was asked for, and nothing may be refused."""
    network = small()
    network.populations[1].parameters["tau_syn_E"][:] = 1e-3
    lowered = lower(network, rules)
    assert lowered.arrays["IF_curr_exp.isyn_exc"].tolist() == [0.0]


# -------------------------------------------------------------------------------------------- where things go


def test_populations_of_a_type_lie_end_to_end_and_sources_in_one_group() -> None:
    network = Network(
        1.0,
        [
            cells("IF_curr_exp", 3, "a"),
            source([1.0], label="s"),
            cells("Izhikevich", 2),
            cells("IF_curr_exp", 4, "b"),
        ],
    )
    placements, sizes = place(network)
    assert sizes == {"IF_curr_exp": 7, "sources": 1, "Izhikevich": 2}
    assert [(p.group, p.start, p.stop) for p in placements] == [
        ("IF_curr_exp", 0, 3),
        ("sources", 0, 1),
        ("Izhikevich", 0, 2),
        ("IF_curr_exp", 3, 7),
    ]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_synapse_is_found_where_its_block_says(data) -> None:
    """Synapses in any order, in several projections of one object: ends, weight and receptor stay together."""
    sizes = (3, 2, 4)
    network = Network(1.0, [cells("IF_curr_exp", size, f"p{k}") for k, size in enumerate(sizes)])
    offsets = [0, 3, 5]
    weight = 0.0
    for _ in range(data.draw(st.integers(1, 4))):
        pre, post = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
        ends = st.tuples(st.integers(0, sizes[pre] - 1), st.integers(0, sizes[post] - 1))
        rows = []
        for i, j in data.draw(st.lists(ends, max_size=8)):
            weight += 1.0
            rows.append((i, j, weight, float(data.draw(st.integers(1, 9)))))
        network.projections.append(
            synapses(pre, post, rows, data.draw(st.sampled_from(["excitatory", "inhibitory"])))
        )
    lowered = lower(network, IDEAL)
    arrays = {k.rsplit(".")[-1]: v for k, v in lowered.arrays.items() if k.startswith("static_")}
    assert np.all(np.diff(arrays["_synaptic_pre"]) >= 0)
    for projection, block in zip(network.projections, lowered.blocks, strict=True):
        at = block.position
        np.testing.assert_array_equal(arrays["w"][at], projection.weight)
        np.testing.assert_array_equal(arrays["send_steps"][at], projection.delay)
        np.testing.assert_array_equal(
            arrays["_synaptic_pre"][at], projection.pre_index + offsets[projection.pre]
        )
        post = projection.post_index + offsets[projection.post]
        np.testing.assert_array_equal(arrays["_synaptic_post"][at], post)
        inhibitory = projection.receptor == "inhibitory"
        np.testing.assert_array_equal(arrays["row"][at], post + 9 * inhibitory)


def test_a_buffer_has_a_slot_for_the_longest_delay_and_the_next_steps() -> None:
    for delay in (1.0, 2.0, 5.0, 6.0, 7.0, 100.0):
        slots = lower(small(delay=delay), IDEAL).slots["IF_curr_exp"]
        assert slots & (slots - 1) == 0 and slots >= delay + 2


# ------------------------------------------------------------------------------------------------ structure


def test_data_is_not_structure() -> None:
    """Sizes, weights, delays, parameters, inputs, time step and what is recorded leave the structure alone."""
    first = small()
    second = Network(
        0.25,
        [source([1.0], [2.0]), cells("IF_curr_exp", 7, tau_m=3.0), cells("IF_curr_exp", 2, "more")],
        [synapses(0, 2, [(1, 1, 9.0, 5.0)]), synapses(0, 1, [(0, 6, -1.0, 3.0)], "inhibitory")],
        [Injection(1, np.array([0]), np.array([2.0]), np.array([1.0]))],
        seed=5,
    )
    record(second, 1, "spikes", "v")
    assert lower(first, IDEAL).structure == lower(second, IDEAL).structure
    assert lower(first, IDEAL).structure.digest() == lower(second, IDEAL).structure.digest()


def test_what_makes_another_program() -> None:
    variants = [
        lower(small(), IDEAL),
        lower(small(), SPINNAKER),
        lower(small(), IDEAL, parallel=True),
        lower(small(cell="IF_curr_delta"), IDEAL),
        lower(small(plasticity=RULE), IDEAL),
        lower(Network(1.0, [cells("IF_curr_exp")]), IDEAL),
        lower(Network(1.0, [source([1.0]), cells("IF_curr_exp")]), IDEAL),
    ]
    digests = {lowered.structure.digest() for lowered in variants}
    assert len(digests) == len(variants)
    assert all(Structure.from_json(x.structure.to_json()) == x.structure for x in variants)
    assert variants[0].structure.digest("g++ 12") != variants[0].structure.digest("g++ 13")
    assert variants[0].structure.digest("ab", "c") != variants[0].structure.digest("a", "bc")


# ------------------------------------------------------------------------------------------------ injections


def test_injections_add_up_step_by_step() -> None:
    network = Network(0.5, [cells("IF_curr_exp", 3), cells("IF_curr_exp", 2, "b")])
    placements, sizes = place(network)
    injections = [
        Injection(0, np.array([0, 2]), np.array([1.0, 3.0]), np.array([0.5, 0.0])),
        Injection(0, np.array([2]), np.array([2.0]), np.array([0.25])),
        Injection(1, np.array([1]), np.array([1.0]), np.array([-1.0])),
    ]
    found = {
        step: values.tolist() for step, _, values in injected_current(injections, placements, sizes, 0.5)
    }
    assert found == {2: [0.5, 0, 0.5, 0, -1], 4: [0.5, 0, 0.75, 0, -1], 6: [0, 0, 0.25, 0, -1]}


def test_an_injection_that_began_before_zero_is_on_at_zero() -> None:
    placements, sizes = place(Network(1.0, [cells("IF_curr_exp")]))
    injection = Injection(0, np.array([0]), np.array([-5.0, -2.0, 3.0]), np.array([1.0, 2.0, 0.0]))
    found = {
        step: values.tolist() for step, _, values in injected_current([injection], placements, sizes, 1.0)
    }
    assert found == {0: [2.0], 3: [0.0]}
