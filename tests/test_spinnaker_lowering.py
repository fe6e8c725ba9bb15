"""A Network becomes a Program, with every change told and everything the machine lacks refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker import SpinnakerBackend
from neurodeploy.backends.spinnaker.lower import lower
from neurodeploy.backends.spinnaker.program import configuration
from neurodeploy.backends.spinnaker.resources import incoming_spikes
from neurodeploy.chips.spinnaker_machine import longest_delay_steps, longest_ring
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.hardware import load, parse
from neurodeploy.models.network import Injection, Network, Plasticity, Population, Projection, Recorded

EMULATED = load("spinnaker-emulated")
LEAKY = {
    "cm": 1.0,
    "tau_m": 20.0,
    "tau_refrac": 2.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "i_offset": 0.0,
}
RULE = Plasticity(20.0, 20.0, 0.5, 0.5, "additive", 0.0, 5.0, 1.0)


def cells(label: str = "cells", size: int = 3, cell: str = "IF_curr_exp", **parameters: float) -> Population:
    values = {name: np.full(size, value) for name, value in (LEAKY | parameters).items()}
    return Population(label, cell, size, values, {"v": np.full(size, -65.0)})


def source(label: str = "source", size: int = 3, times: tuple[float, ...] = (1.0,)) -> Population:
    return Population(label, "SpikeSourceArray", size, spike_times=[np.array(times)] * size)


def synapses(pairs, weight=1.0, delay=1.0, receptor="excitatory", plasticity=None, label="synapses", post=1):
    pre, post_index = (np.array(index, dtype=np.int32) for index in zip(*pairs, strict=True))
    count = len(pre)
    return Projection(
        label,
        0,
        post,
        receptor,
        pre,
        post_index,
        np.broadcast_to(np.asarray(weight, float), count).copy(),
        np.broadcast_to(np.asarray(delay, float), count).copy(),
        plasticity,
    )


def network(*projections: Projection, time_step: float = 1.0, populations=None) -> Network:
    return Network(time_step, populations or [source(), cells()], list(projections))


ONE = [(i, i) for i in range(3)]
ALL = [(i, j) for i in range(3) for j in range(3)]


@pytest.mark.parametrize(
    ("pairs", "weight", "expected"),
    [
        (ONE, 2.0, "one-to-one"),
        (ALL, 2.0, "all-to-all"),
        (ALL[::-1], 2.0, "all-to-all"),
        (ALL[:-1], 2.0, "list"),
        ([*ALL[:-1], ALL[0]], 2.0, "list"),
        (ONE, [1.0, 2.0, 3.0], "list"),
    ],
)
def test_patterns(pairs, weight, expected: str) -> None:
    program = lower(network(synapses(pairs, weight)), "spinnaker", EMULATED)
    assert program.plan["projections"][0]["pattern"] == expected


@pytest.mark.parametrize(("time_step", "expected"), [(1.0, "one-to-one"), (1.5, "list"), (0.1, "list")])
def test_delays_that_the_chip_would_cut_off_are_drawn_up_on_the_host(time_step: float, expected: str) -> None:
    """3 steps of 1.5 ms, divided by 1.5 ms in the chip's fixed point, are a little less than 3."""
    program = lower(network(synapses(ONE, delay=3 * time_step), time_step=time_step), "spinnaker", EMULATED)
    assert program.plan["projections"][0]["pattern"] == expected


def test_inhibitory_weights_become_magnitudes() -> None:
    program = lower(network(synapses(ONE, -2.0, receptor="inhibitory")), "spinnaker", EMULATED)
    assert program.arrays["projection0.weight"].tolist() == [2.0, 2.0, 2.0]


def test_spikes_are_whole_steps_and_rounding_is_told() -> None:
    model = network(populations=[source(times=(1.0, 2.4, 2.0)), cells()])
    program = lower(model, "spinnaker", EMULATED)
    assert sorted(program.arrays["population0.steps"].tolist()) == [1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert any("'source': 3 of 9 spike times rounded" in change for change in program.changes)


def test_rounding_of_delays_refractoriness_and_values_is_told() -> None:
    model = network(synapses(ONE, delay=1.4), populations=[source(), cells(tau_refrac=1.5, cm=0.1)])
    told = "\n".join(lower(model, "spinnaker", EMULATED).changes)
    for word in ("'synapses': 3 of 3 delays rounded", "'cells': tau_refrac of 3 of 3", "multiples of 2^-15"):
        assert word in told


def test_a_model_that_fits_exactly_changes_nothing() -> None:
    assert lower(network(synapses(ONE)), "spinnaker", EMULATED).changes == []


def test_short_time_steps_are_slowed_down() -> None:
    assert lower(network(time_step=0.1), "spinnaker", EMULATED).plan["time_scale_factor"] == 10
    assert lower(network(time_step=1.0), "spinnaker", EMULATED).plan["time_scale_factor"] == 1


def test_injected_currents_become_offsets() -> None:
    model = network(populations=[source(), cells(i_offset=0.5)])
    model.injections = [
        Injection(1, np.array([1]), np.array([5.0, 9.0]), np.array([2.0, 0.0])),
        Injection(1, np.array([0, 1]), np.array([5.0]), np.array([1.0])),
    ]
    timeline = lower(model, "spinnaker", EMULATED).timeline
    assert [(step, position) for step, position, _ in timeline] == [(5, 1), (9, 1)]
    assert timeline[0][2].tolist() == [1.5, 3.5, 0.5]
    assert timeline[1][2].tolist() == [1.5, 1.5, 0.5]


def test_poisson_sources_are_played_unless_the_chip_is_to_draw_them() -> None:
    values = {name: np.full(2, value) for name, value in (("rate", 10.0), ("start", 0.0), ("duration", 1e10))}
    model = Network(1.0, [Population("noise", "SpikeSourcePoisson", 2, values)])
    assert lower(model, "spinnaker", EMULATED).plan["populations"][0]["cell"] == "SpikeSourceArray"
    chip = parse("backend: spinnaker\nmachine: virtual\npoisson_on_chip: true\n", "mine")
    program = lower(model, "spinnaker", chip)
    assert program.plan["populations"][0]["cell"] == "SpikeSourcePoisson"
    assert "'noise'" in program.changes[0]


def refused(kind: type[Exception], model: Network, *words: str, rules: str = "spinnaker") -> None:
    with pytest.raises(kind) as caught:
        SpinnakerBackend().check(model, Options(rules=rules))
    for word in words:
        assert word in str(caught.value)


def test_other_rules_say_what_to_do() -> None:
    refused(RequestError, network(), "'ideal'", "--rules spinnaker", rules="ideal")


def test_a_cell_that_is_not_there() -> None:
    refused(
        UnsupportedError,
        network(populations=[cells("mine", cell="HH_cond_exp")]),
        "'mine'",
        "HH_cond_exp",
        "brian2",
    )


@pytest.mark.parametrize("time_step", [0.05, 0.25, 1.05])
def test_a_time_step_without_a_timer(time_step: float) -> None:
    refused(UnsupportedError, network(time_step=time_step), f"{time_step:g} ms", "brian2")


def test_a_variable_that_is_not_recorded() -> None:
    values = {name: np.full(2, 0.1) for name in ("a", "b", "c", "d", "i_offset")}
    model = Network(1.0, [Population("izhikevich", "Izhikevich", 2, values)])
    model.recorded = [Recorded(0, "u", np.array([0, 1]), 1.0)]
    refused(UnsupportedError, model, "'izhikevich'", "'u'", "spikes, v", "brian2")


def test_a_delay_beyond_the_rings() -> None:
    limit = longest_delay_steps(3)
    lower(network(synapses(ONE, delay=float(longest_ring(3)))), "spinnaker", EMULATED)
    refused(
        UnsupportedError, network(synapses(ONE, delay=limit + 1.0)), "'synapses'", f"{limit} ms", "brian2"
    )


def test_longest_delays() -> None:
    assert [longest_delay_steps(size) for size in (64, 256, 5000)] == [128 * 9, 32 * 9, 32 * 9]


@pytest.mark.parametrize(("weight", "receptor"), [(-1.0, "excitatory"), (1.0, "inhibitory")])
def test_a_weight_of_the_other_sign(weight: float, receptor: str) -> None:
    refused(UnsupportedError, network(synapses(ONE, weight, receptor=receptor)), "'synapses'", receptor)


def test_a_value_beyond_the_chips_numbers() -> None:
    refused(
        RequestError,
        network(populations=[source(), cells(v_thresh=70000.0)]),
        "'cells'",
        "v_thresh",
        "65,536",
    )


def test_plasticity_that_has_no_program() -> None:
    rule = Plasticity(20.0, 20.0, 0.5, 0.5, "multiplicative", 0.0, 5.0, 1.0)
    model = network(synapses(ONE, plasticity=rule), populations=[source(), cells(cell="IF_cond_exp")])
    refused(UnsupportedError, model, "'synapses'", "multiplicative", "IF_cond_exp", "brian2")
    lower(network(synapses(ONE, plasticity=rule)), "spinnaker", EMULATED)


def test_two_rules_onto_one_population() -> None:
    other = Plasticity(10.0, 20.0, 0.5, 0.5, "additive", 0.0, 5.0, 1.0)
    model = network(
        synapses(ONE, plasticity=RULE, label="first"), synapses(ONE, plasticity=other, label="second")
    )
    refused(UnsupportedError, model, "'first'", "'second'", "'cells'")


def test_a_delay_that_is_not_dendritic() -> None:
    rule = Plasticity(20.0, 20.0, 0.5, 0.5, "additive", 0.0, 5.0, 0.0)
    refused(
        UnsupportedError, network(synapses(ONE, plasticity=rule)), "'synapses'", "dendritic_delay_fraction"
    )


def test_a_current_that_changes_all_the_time() -> None:
    model = network()
    model.injections = [Injection(1, np.array([0]), np.arange(200.0), np.arange(200.0))]
    refused(UnsupportedError, model, "'cells'", "200 times", "brian2")


def test_the_program_is_a_folder(tmp_path: Path) -> None:
    program = lower(network(synapses(ALL[:-1])), "spinnaker", EMULATED)
    program.write(tmp_path, EMULATED, "127.0.0.1")
    assert json.loads((tmp_path / "program.json").read_text())["format"] == 1
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert set(arrays) == set(program.arrays)
    assert (tmp_path / "spynnaker.cfg").read_text() == (tmp_path / "home" / ".spynnaker.cfg").read_text()


def test_settings_of_the_tools(tmp_path: Path) -> None:
    emulated = configuration(EMULATED, "127.0.0.1", tmp_path)
    assert (
        "machine_name = localhost" in emulated
    )  # the numbers would make sPyNNaker's transceiver a virtual one
    assert "compressor = PairCompressor" in emulated and "version = 3" in emulated
    assert "virtual_board = True" in configuration(load("spinnaker-virtual"), None, tmp_path)
    assert "machine_name = spin.example" in configuration(
        load("spin5", "spin.example"), "spin.example", tmp_path
    )
    assert "spalloc_server = server" in configuration(load("spalloc", "server"), None, tmp_path)


@pytest.mark.parametrize(
    ("plastic", "static", "longer"),
    [(2.0, 1.0, True), (4.0, 1.0, True), (1.0, 1.0, False), (3.0, 1.0, False)],
)
def test_ring_that_sPyNNaker_makes_too_short_for_learning_is_lengthened(plastic, static, longer) -> None:
    model = network(synapses(ONE, delay=plastic, plasticity=RULE), synapses(ONE, delay=static, label="other"))
    entry = lower(model, "spinnaker", EMULATED).plan["populations"][1]
    assert entry.get("longer_ring", False) is longer


def test_longer_static_delay_makes_room_for_learning() -> None:
    model = network(synapses(ONE, delay=2.0, plasticity=RULE), synapses(ONE, delay=3.0, label="other"))
    assert "longer_ring" not in lower(model, "spinnaker", EMULATED).plan["populations"][1]


def test_static_synapses_need_no_longer_ring() -> None:
    program = lower(network(synapses(ONE, delay=2.0)), "spinnaker", EMULATED)
    assert "longer_ring" not in program.plan["populations"][1]


@pytest.mark.parametrize("delay", [32.0, 64.0])
def test_plastic_delay_of_a_whole_ring_is_refused(delay: float) -> None:
    pairs = [(0, i) for i in range(254)]
    model = network(
        synapses(pairs, delay=delay, plasticity=RULE, label="learn"), populations=[source(), cells(size=256)]
    )
    with pytest.raises(
        UnsupportedError, match=f"'learn': plastic synapse 0 has a delay of {delay:g} ms.*32 slots"
    ):
        lower(model, "spinnaker", EMULATED)
    model.projections[0].delay -= 1.0
    lower(model, "spinnaker", EMULATED)


def test_value_that_vanishes_is_an_error_unless_allowed() -> None:
    model = network(populations=[source(), cells(i_offset=1e-5)])
    with pytest.raises(RequestError, match=r"'cells': i_offset 1e-05 is 0 on the chip \(3 of 3 values\)"):
        lower(model, "spinnaker", EMULATED)
    changes = lower(model, "spinnaker", EMULATED, allow_losses=True).changes
    assert any(change.startswith("vanished: Population 'cells': i_offset") for change in changes)


def test_learning_amplitude_that_vanishes_is_an_error() -> None:
    rule = Plasticity(20.0, 20.0, 0.5, 1e-6, "additive", 0.0, 5.0, 1.0)
    with pytest.raises(RequestError, match="'synapses': A_minus 1e-06 is 0 on the chip"):
        lower(network(synapses(ONE, plasticity=rule)), "spinnaker", EMULATED)


def test_fine_time_steps_change_the_membrane_and_that_is_told() -> None:
    told = "\n".join(lower(network(time_step=0.1), "spinnaker", EMULATED).changes)
    assert "'cells': tau_m 20 ms acts as 20.053 ms (+0.27 %)" in told


def grid(weights, step, plasticity=None, **options):
    from neurodeploy.backends.spinnaker.weights import weights_on_grid

    projection = synapses(ONE, np.array(weights), plasticity=plasticity)
    return weights_on_grid(projection, "cells", step, EMULATED, **options)


def test_weights_that_vanish_are_an_error_with_the_grid_and_the_fix() -> None:
    error = grid([1.0, 0.001, 0.0005], 2.0**-8).error
    assert isinstance(error, RequestError)
    assert "'synapses': 2 of 3 weights are 0 on the chip, the first 0.001 of synapse 1" in error.what
    assert "0.003906" in error.why and "30 Hz" in error.why and "'cells'" in error.why
    assert "ring_buffer_sigma" in error.fix and "spikes_per_second" in error.fix


def test_weights_that_survive_are_rounded_and_told() -> None:
    finding = grid([1.0, 0.0, 0.00196], 2.0**-8)
    assert finding.error is None
    assert "1 of 3 weights rounded to multiples of 0.003906" in finding.changes[0]


def test_weights_that_are_cut_are_an_error() -> None:
    error = grid([1.0, 255.0, 257.0], 2.0**-8).error
    assert error is not None and "1 of 3 weights are cut to 256 on the chip, the first 257" in error.what


@pytest.mark.parametrize(("a_plus", "fails"), [(2.0**-9, True), (2.0**-8, False), (0.0, False)])
def test_learning_that_cannot_move_a_weight_is_an_error(a_plus: float, fails: bool) -> None:
    rule = Plasticity(20.0, 20.0, a_plus, 0.5, "additive", 0.0, 5.0, 1.0)
    error = grid([1.0, 1.0, 1.0], 2.0**-8, rule).error
    assert (error is not None) is fails
    assert error is None or "A_plus moves a weight by 0.00195 at most" in error.what


@pytest.mark.parametrize(("tau", "share"), [(0.5, "0"), (0.8, "0.36"), (200.0, "0")])
def test_alpha_synapse_that_the_chip_loses_is_an_error(tau: float, share: str) -> None:
    model = network(synapses(ONE), populations=[source(), cells(cell="IF_curr_alpha", tau_syn_E=tau)])
    with pytest.raises(
        RequestError, match=f"'cells': tau_syn_E {tau:g} ms .* act with {share} of their weight"
    ):
        lower(model, "spinnaker", EMULATED)
    changes = lower(model, "spinnaker", EMULATED, allow_losses=True).changes
    assert any(change.startswith("vanished: Population 'cells': tau_syn_E") for change in changes)


def test_alpha_synapse_that_is_a_little_weaker_is_told_and_an_unused_one_is_not() -> None:
    model = network(
        synapses(ONE), populations=[source(), cells(cell="IF_curr_alpha", tau_syn_E=60.0, tau_syn_I=0.5)]
    )
    (told,) = lower(model, "spinnaker", EMULATED).changes
    assert "excitatory synapses are 1.1 % weaker" in told


def test_long_delays_that_sPyNNaker_loses_in_lists_are_refused() -> None:
    far = synapses([(0, 0), (1, 5)], delay=[1.0, 129.0], label="far")
    model = network(far, populations=[source(size=3), cells(size=100)])
    with pytest.raises(UnsupportedError, match=r"'far': a delay of 129 ms .* above 128 ms") as caught:
        lower(model, "spinnaker", EMULATED)
    assert "at most 128 neurons" not in str(caught.value)
    far.delay[1] = 128.0
    lower(model, "spinnaker", EMULATED)
    far.delay[1] = 200.0
    lower(network(far, populations=[source(size=100), cells(size=100)]), "spinnaker", EMULATED)
    every = synapses([(i, j) for i in range(3) for j in range(100)], delay=200.0)
    lower(network(every, populations=[source(size=3), cells(size=100)]), "spinnaker", EMULATED)


def test_the_fix_for_long_delays_in_lists_helps() -> None:
    far = synapses([(0, 0), (1, 5)], delay=[1.0, 129.0], label="far")
    model = network(far, populations=[source(size=3), cells(size=100)])
    with pytest.raises(UnsupportedError) as caught:
        lower(model, "spinnaker", EMULATED)
    most = int(str(caught.value).split("at most ")[1].split(" neurons")[0])
    text = f"backend: spinnaker\nmachine: emulated\nneurons_per_core: {most}\n"
    lower(model, "spinnaker", parse(text, "mine"))
    assert 1 < most < 100


def test_setup_names_the_machine() -> None:
    from neurodeploy import pynn as sim
    from neurodeploy.models.pynn import simulator

    sim.setup(backend="spinnaker", rules="spinnaker", hardware="spin5", host="10.0.0.1", allow_losses=True)
    options = simulator.state.options
    assert (options.hardware, options.host, options.allow_losses) == ("spin5", "10.0.0.1", True)
    sim.setup(backend="spinnaker", rules="spinnaker")
    options = simulator.state.options
    assert (options.hardware, options.host, options.allow_losses) == (None, None, False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hardware": 3}, "hardware is 3; it must be a string"),
        ({"host": 4.0}, "host is 4.0; it must be a string"),
        ({"allow_losses": "yes"}, "allow_losses is 'yes'; it must be True or False"),
        ({"backend": "brian2", "hardware": "spin5"}, "the brian2 backend has no use for hardware 'spin5'"),
        ({"hardwear": "spin5"}, "Did you mean 'hardware'"),
    ],
)
def test_setup_refuses_machines_that_mean_nothing(wrong, said: str) -> None:
    from neurodeploy import pynn as sim

    with pytest.raises(RequestError, match=said):
        sim.setup(**({"backend": "spinnaker", "rules": "spinnaker"} | wrong))


def test_cores_get_room_for_all_that_their_sources_send_in_one_step() -> None:
    """The tools' 256 where they hold it; what a file of the user's says stays; what neurons send is not known beforehand."""

    def crowd(size: int, *more: Population) -> Network:
        pairs = [(i, 0) for i in range(size)]
        return network(synapses(pairs), populations=[source(size=size, times=(1.0, 5.0)), cells(), *more])

    few, many = crowd(255), crowd(300, cells("idle"))
    assert incoming_spikes(few, 1, EMULATED) == (256, 255)
    assert incoming_spikes(many, 1, EMULATED) == (1024, 300)
    program = lower(many, "spinnaker", EMULATED)
    assert [entry["incoming_spikes"] for entry in program.plan["populations"]] == [None, 1024, None]
    assert any(
        "'cells': its cores have room for 1,024 incoming spikes" in change for change in program.changes
    )
    own = EMULATED.model_copy(update={"incoming_spike_buffer": 128})
    assert incoming_spikes(many, 1, own) == (128, 300)
    assert not any("room for" in change for change in lower(many, "spinnaker", own).changes)
    assert "incoming_spike_buffer_size = 128" in configuration(own, None, Path("folder"))
    rates = {"rate": np.full(300, 900.0), "start": np.zeros(300), "duration": np.full(300, 1e4)}
    many.populations[0] = Population("noise", "SpikeSourcePoisson", 300, rates)
    mean, deviations = 270, 83  # five of a Poisson law
    assert incoming_spikes(many, 1, EMULATED) == (1024, mean + deviations)
