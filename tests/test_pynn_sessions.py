"""What the front end tells a session and reads from it, over runs, resets and the end: against a fake backend."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import neo
import numpy as np
import pytest
from pyNN import errors as pynn_errors
from pynn_fake import FakeBackend

import neurodeploy.pynn as sim
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Plasticity

STEP = 0.5


@pytest.fixture
def backend():
    fake = FakeBackend()
    sim.setup(timestep=STEP, min_delay=STEP, backend=fake, rules="spinnaker", threads=2, seed=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield fake
    sim.end()


def cells(size=4, label=None, **parameters):
    return sim.Population(size, sim.IF_curr_exp(**parameters), label=label)


def all_to_all(pre, post, label=None, **synapse):
    return sim.Projection(pre, post, sim.AllToAllConnector(), sim.StaticSynapse(**synapse), label=label)


def refused(words, kind=RequestError):
    """A check that what is raised is a RequestError whose text has every one of `words`."""

    class Check:
        def __enter__(self):
            self.context = pytest.raises(RequestError)
            self.info = self.context.__enter__()

        def __exit__(self, *what):
            handled = self.context.__exit__(*what)
            text = str(self.info.value)
            assert isinstance(self.info.value, kind), type(self.info.value)
            assert all(word in text for word in words), text
            return handled

    return Check()


# --- the Network ---------------------------------------------------------------------------------


def test_the_network_is_what_the_script_says(backend) -> None:
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[3.0, 1.0], []]), label="source")
    noise = sim.Population(3, sim.SpikeSourcePoisson(rate=[1.0, 2.0, 3.0], duration=50.0), label="noise")
    target = cells(3, "target", tau_m=lambda i: 10.0 + i, i_offset=sim.RandomDistribution("uniform", (0, 1)))
    target.initialize(v=[-60.0, -61.0, -62.0])
    target[1:].initialize(isyn_exc=0.5)
    rule = sim.STDPMechanism(
        sim.SpikePairRule(tau_plus=11.0, A_minus=0.3),
        sim.MultiplicativeWeightDependence(w_min=0.1, w_max=2.0),
        dendritic_delay_fraction=0.25,
        weight=0.5,
        delay=1.5,
    )
    sim.Projection(source, target, sim.AllToAllConnector(), rule, label="learning")
    all_to_all(noise[1:], target[[0, 2]], label="drive", weight=-0.2)
    target.record("spikes")
    target[[2, 0]].record(["v", "isyn_inh"], sampling_interval=1.0)
    target[0:2].inject(sim.DCSource(amplitude=0.3, start=2.0, stop=7.0))
    network = sim.capture()

    assert (network.time_step, network.seed) == (STEP, 9)
    assert [(p.label, p.cell, p.size) for p in network.populations] == [
        ("source", "SpikeSourceArray", 2),
        ("noise", "SpikeSourcePoisson", 3),
        ("target", "IF_curr_exp", 3),
    ]
    first, second, third = network.populations
    assert [list(times) for times in first.spike_times] == [[1.0, 3.0], []]
    assert first.parameters == {} and first.initial_values == {}
    np.testing.assert_array_equal(second.parameters["rate"], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(second.parameters["duration"], [50.0] * 3)
    assert set(third.parameters) == set(sim.IF_curr_exp.default_parameters)
    np.testing.assert_array_equal(third.parameters["tau_m"], [10.0, 11.0, 12.0])
    np.testing.assert_array_equal(third.initial_values["v"], [-60.0, -61.0, -62.0])
    np.testing.assert_array_equal(third.initial_values["isyn_exc"], [0.0, 0.5, 0.5])
    learning, drive = network.projections
    assert (learning.label, learning.pre, learning.post, learning.receptor) == (
        "learning",
        0,
        2,
        "excitatory",
    )
    assert learning.plasticity == Plasticity(
        11.0, 20.0, 0.01, 0.3, "multiplicative", 0.1, 2.0, dendritic_delay_fraction=0.25
    )
    assert learning.pre_index.dtype == np.int32 and learning.weight.dtype == float
    assert (drive.label, drive.pre, drive.post, drive.receptor) == ("drive", 1, 2, "inhibitory")
    assert list(drive.pre_index) == [1, 2, 1, 2] and list(drive.post_index) == [0, 0, 2, 2]
    np.testing.assert_array_equal(drive.weight, -0.2)
    np.testing.assert_array_equal(drive.delay, STEP)
    assert [(r.population, r.variable, list(r.neurons)) for r in network.recorded] == [
        (2, "spikes", [0, 1, 2]),
        (2, "v", [0, 2]),
        (2, "isyn_inh", [0, 2]),
    ]
    assert network.recorded[1].sampling_interval == 1.0
    (injection,) = network.injections
    assert (injection.population, list(injection.neurons)) == (2, [0, 1])
    assert list(injection.times) == [2.0, 7.0] and list(injection.amplitudes) == [0.3, 0.0]
    assert not backend.sessions
    assert sim.get_report() is None


def test_the_same_script_makes_the_same_network(backend) -> None:
    def digest():
        sim.setup(timestep=STEP, backend=backend)
        population = cells(5)
        all_to_all(population, population, weight=0.1)
        population.record("v")
        return sim.capture().digest()

    assert digest() == digest()


def test_a_captured_network_stays_as_it_is(backend) -> None:
    population = cells()
    projection = all_to_all(population, population, weight=0.1)
    network = sim.capture()
    before = network.digest()
    population.set(tau_m=99.0)
    population.initialize(v=-1.0)
    projection.set(weight=0.9)
    projection[0].weight = 0.7
    assert network.digest() == before != sim.capture().digest()


def test_the_backend_is_asked_with_the_options_of_setup(backend) -> None:
    cells()
    sim.run(1.0)
    network, options = backend.checked[0]
    assert (options.rules, options.threads, options.engine) == ("spinnaker", 2, "cpp")
    assert network is backend.session.network
    assert sim.get_report() is backend.session.report


# --- time ----------------------------------------------------------------------------------------


def test_runs_follow_each_other(backend) -> None:
    cells()
    assert sim.get_current_time() == 0.0
    assert sim.run(2.0) == 2.0
    assert sim.run_until(5.0) == 5.0
    assert sim.run_for(0.5) == 5.5
    sim.run(0.0)
    assert sim.get_current_time() == 5.5
    assert [call for call in backend.session.calls if call[0] == "run"] == [
        ("run", 4),
        ("run", 6),
        ("run", 1),
    ]
    assert len(backend.sessions) == 1


def test_time_does_not_drift(backend) -> None:
    sim.setup(timestep=0.1, backend=backend)
    cells()
    for _ in range(1000):
        sim.run(0.1)
    assert sim.get_current_time() == 100.0
    assert backend.session.steps == 1000
    sim.run(12345.6)
    assert backend.session.steps == 124456


@pytest.mark.parametrize("time", [-1.0, float("nan"), float("inf"), 0.3, "long"])
def test_runs_of_no_length_are_refused(backend, time) -> None:
    cells()
    with refused([str(time), "0.5 ms"]):
        sim.run(time)
    with refused([str(time) if time != -1.0 else "-1"]):
        sim.run_until(time)


def test_the_past_is_refused(backend) -> None:
    cells()
    sim.run(5.0)
    with refused(["3 ms", "5 ms", "reset()"]):
        sim.run_until(3.0)


def test_callbacks_are_called_when_they_ask(backend) -> None:
    cells()
    seen, often = [], []

    def every_two(t):
        seen.append(t)
        return t + 2.0

    def ever_sooner(t):
        often.append(t)
        return t + 1e-6

    sim.run(6.0, callbacks=[every_two])
    assert seen == [0.0, 2.0, 4.0, 6.0]
    sim.run(2.0, callbacks=[ever_sooner])  # can't be called more often than every step
    assert often == [6.0, 6.5, 7.0, 7.5, 8.0]


def test_queries(backend) -> None:
    population = cells()
    assert sim.get_time_step() == STEP
    assert (sim.get_min_delay(), sim.get_max_delay()) == (STEP, STEP)
    all_to_all(population, population, weight=0.1, delay=4.0)
    assert sim.get_max_delay() == 4.0
    assert (sim.num_processes(), sim.rank()) == (1, 0)
    assert set(sim.list_standard_models()) >= {"IF_curr_exp", "SpikeSourceArray", "Izhikevich"}
    assert "HH_cond_exp" not in sim.list_standard_models()


# --- changes between runs ------------------------------------------------------------------------


def test_changes_between_runs_reach_the_session(backend) -> None:
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[1.0]))
    population = cells(3)
    projection = all_to_all(source, population, weight=0.1, delay=1.0)
    dc = sim.DCSource(amplitude=0.1)
    population.inject(dc)
    sim.run(1.0)
    session = backend.session
    del session.calls[:]

    population[1:].set(tau_m=5.0)
    _, position, parameters = session.calls.pop()
    assert position == 1 and list(parameters["tau_m"]) == [20.0, 5.0, 5.0]
    assert set(parameters) == set(sim.IF_curr_exp.default_parameters)

    population[0].cm = 2.0
    assert list(session.calls.pop()[2]["cm"]) == [2.0, 1.0, 1.0]

    population.initialize(v=[-1.0, -2.0, -3.0])
    assert session.calls[-1][:3] == ("set_state", 1, "v")
    np.testing.assert_array_equal(session.calls.pop()[3], [-1.0, -2.0, -3.0])
    population[2:].initialize(v=-9.0)  # the others keep what they have now, which is 7
    np.testing.assert_array_equal(session.calls.pop()[3], [7.0, 7.0, -9.0])
    population[1].set_initial_value("v", -8.0)
    np.testing.assert_array_equal(session.calls.pop()[3], [7.0, -8.0, 7.0])

    source[1:].set(spike_times=[4.0, 2.0])
    name, position, times = session.calls.pop()
    assert (name, position) == ("set_spike_times", 0)
    assert [list(each) for each in times] == [[1.0], [2.0, 4.0]]

    projection.set(weight=0.3)
    assert session.calls[-1][:2] == ("set_weights", 0)
    np.testing.assert_array_equal(session.calls.pop()[2], [0.3] * 6)
    projection.set(delay="1 + 0.5*d")
    assert session.calls.pop()[:2] == ("set_delays", 0)
    projection[2].weight = 0.9
    np.testing.assert_array_equal(session.calls.pop()[2], [0.3, 0.3, 0.9, 0.3, 0.3, 0.3])

    dc.amplitude = 0.7
    name, injections = session.calls.pop()
    assert name == "set_injections" and injections[0].amplitudes[0] == 0.7
    population[0:1].inject(sim.StepCurrentSource(times=[5.0, 6.0], amplitudes=[1.0, 2.0]))
    assert [len(each.neurons) for each in session.calls.pop()[1]] == [3, 1]
    assert not session.calls


def test_a_refused_change_changes_nothing(backend) -> None:
    population = cells(3)
    projection = all_to_all(population, population, weight=0.1)
    dc = sim.DCSource(amplitude=0.1, start=5.0, stop=9.0)
    before = sim.capture().digest()
    for change in (
        lambda: population.set(cm=3.0, tau_m=-1.0),
        lambda: population.set(tau_m=[1.0, 2.0]),
        lambda: projection.set(weight=0.5, delay=0.1),
        lambda: projection.set(weight=-0.5),
        lambda: projection[0].__class__.weight.__set__(projection[0], -3.0),
    ):
        with pytest.raises(RequestError):
            change()
    with refused(["stop", "1 ms"]):
        dc.stop = 1.0
    assert dc.stop == 9.0
    assert sim.capture().digest() == before


def test_what_a_session_refuses_leaves_the_model_as_it_was(backend, monkeypatch) -> None:
    pre, post, more = cells(label="pre"), cells(label="post"), cells(label="more")
    wires = all_to_all(pre, post + more, weight=0.5)
    current = sim.DCSource(amplitude=1.0)
    current.inject_into(post)
    sim.run(1.0)
    told = []

    def refuse(*_) -> None:
        raise UnsupportedError("not here")

    def refuse_second(projection, weight) -> None:
        told.append((projection, weight))
        if projection == 1:
            refuse()

    for name in ("set_parameters", "set_state", "set_delays", "set_injections"):
        monkeypatch.setattr(backend.session, name, refuse)
    monkeypatch.setattr(backend.session, "set_weights", refuse_second)
    for change in (
        lambda: post.set(tau_m=30.0, cm=2.0),
        lambda: post[0:2].set(tau_m=30.0),
        lambda: post.initialize(v=-60.0),
        lambda: wires.set(delay=3.0),
        lambda: wires.set(weight=0.75),
        lambda: current.set_parameters(amplitude=2.0),
        lambda: sim.DCSource(amplitude=3.0).inject_into(more),
    ):
        with refused(["not here"]):
            change()
    assert [projection for projection, _ in told] == [
        0,
        1,
        0,
    ]  # the second part is refused, the first is set back
    assert told[2][1].tolist() == [0.5] * 16
    network = sim.capture()
    assert post.get("tau_m") == 20.0
    assert wires.get("weight", "list", with_address=False) == [0.5] * 32
    assert network.projections[0].delay.tolist() == [STEP] * 16
    assert network.populations[1].parameters["cm"].tolist() == [1.0] * 4
    assert network.populations[1].initial_values["v"].tolist() == [-65.0] * 4
    assert [(i.population, i.amplitudes[0]) for i in network.injections] == [(1, 1.0)]


def test_views_and_assemblies_set_through_masks(backend) -> None:
    first, second = cells(4, "first"), cells(3, "second")
    together = first + second
    together[2:6].set(tau_m=7.0)
    np.testing.assert_array_equal(first.get("tau_m"), [20.0, 20.0, 7.0, 7.0])
    np.testing.assert_array_equal(second.get("tau_m"), [7.0, 7.0, 20.0])
    np.testing.assert_array_equal(together.get("tau_m"), [20.0, 20.0, 7.0, 7.0, 7.0, 7.0, 20.0])
    first[::2][1:].set(cm=[0.5])
    np.testing.assert_array_equal(first.get("cm"), [1.0, 1.0, 0.5, 1.0])
    together.initialize(v=-50.0)
    first[[3, 1]].initialize(v=[-1.0, -3.0])  # a view is in the order of its cells
    np.testing.assert_array_equal(first._state["v"], [-50.0, -1.0, -50.0, -3.0])
    assert first[1].get_initial_value("v") == -1.0
    np.testing.assert_array_equal(first[1:3].initial_values["v"], [-1.0, -50.0])
    assert first[2].tau_m == 7.0
    assert first.get(["tau_m", "cm"], simplify=False)[1].shape == (4,)
    assert second.get("v_rest") == -65.0
    sample = together.sample(5, rng=sim.NumpyRNG(seed=1))
    assert sample.size == 5
    assert together.positions.shape == (3, 7)
    first.positions = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(first[1:3].positions, [[1, 2], [5, 6], [9, 10]])


# --- structure, reset, end -----------------------------------------------------------------------


def test_the_structure_is_fixed_from_the_first_run_to_the_reset(backend) -> None:
    population = cells()
    sim.run(1.0)
    for grow in (
        lambda: cells(),
        lambda: all_to_all(population, population, weight=0.1),
    ):
        with refused(["1 ms", "reset()", "setup()"]):
            grow()
    with refused([population.label, "reset()"]):
        population.record("spikes")
    sim.reset()
    population.record("spikes")
    all_to_all(population, cells(), weight=0.1)
    sim.run(2.0)
    first, second = backend.sessions
    assert first.ended == 1 and not second.ended
    assert len(second.network.populations) == 2 and len(second.network.projections) == 1
    assert population.mean_spike_count() > 0


def test_reset_keeps_parameters_and_starts_again(backend) -> None:
    source = sim.Population(1, sim.SpikeSourceArray())
    population = cells(2)
    population.record(["spikes", "v"])
    rule = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(), weight=0.5)
    projection = sim.Projection(source, population, sim.AllToAllConnector(), rule)
    sim.run(10.0)
    np.testing.assert_allclose(projection.get("weight", "list", with_address=False), 0.52)
    np.testing.assert_allclose(projection.get("weight", "array"), [[0.52, 0.52]])
    assert projection[1].weight == pytest.approx(0.52)
    population.set(tau_m=7.0)
    sim.reset(annotations={"trial": 1})
    assert sim.get_current_time() == 0.0
    np.testing.assert_array_equal(projection.get("weight", "list", with_address=False), 0.5)
    sim.run(5.0)
    network = backend.session.network
    assert list(network.populations[1].parameters["tau_m"]) == [7.0, 7.0]
    assert list(network.projections[0].weight) == [0.5, 0.5]
    block = population.get_data()
    assert [segment.name for segment in block.segments] == ["segment000", "segment001"]
    assert block.segments[0].annotations == {"trial": 1}
    assert [float(segment.analogsignals[0].t_stop) for segment in block.segments] == [10.0, 5.0]
    assert [float(segment.spiketrains[0].t_stop) for segment in block.segments] == [10.0, 5.0]
    only_v = population.get_data("v")
    assert [len(segment.analogsignals) for segment in only_v.segments] == [1, 1]
    assert [len(segment.spiketrains) for segment in only_v.segments] == [0, 0]
    assert [len(s.spiketrains) for s in population[1:].get_data("spikes").segments] == [1, 1]
    sim.reset()
    sim.reset()
    assert len(population.get_data().segments) == 2


def test_after_the_end_data_can_be_read_but_nothing_runs(backend) -> None:
    source = sim.Population(1, sim.SpikeSourceArray())
    population = cells(2)
    population.record(["spikes", "v"])
    rule = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(), weight=0.5)
    projection = sim.Projection(source, population, sim.AllToAllConnector(), rule)
    sim.run(10.0)
    sim.end()
    sim.end()
    assert backend.session.ended == 1
    assert population.get_data().segments[0].analogsignals[0].shape == (20, 2)
    assert projection[0].weight == pytest.approx(0.52)
    assert sim.get_report().facts == {"fake": True}
    for act in (
        lambda: sim.run(1.0),
        lambda: sim.reset(),
        lambda: population.set(tau_m=3.0),
        lambda: projection.set(weight=0.1),
        lambda: cells(),
    ):
        with refused(["setup()"]):
            act()


def test_a_new_setup_ends_the_old_simulation(backend) -> None:
    population = cells()
    population.record("v")
    projection = all_to_all(population, population, weight=0.1)
    sim.run(1.0)
    sim.setup(timestep=1.0, backend=backend)
    assert backend.session.ended == 1
    for old in (
        lambda: population.get_data(),
        lambda: projection.get("weight", "list"),
        lambda: projection.set(weight=0.1),
        lambda: all_to_all(population, population, weight=0.1),
    ):
        with refused(["setup()", "population0"]):
            old()
    assert not sim.capture().populations


def test_no_session_outlives_the_process(tmp_path) -> None:
    script = """
import sys
sys.path.insert(0, {tests!r})
from pynn_fake import FakeBackend, FakeSession
import neurodeploy.pynn as sim
FakeSession.end = lambda self: print("ended")
sim.setup(timestep=1.0, backend=FakeBackend())
sim.Population(1, sim.IF_curr_exp())
sim.run(1.0)
assert not {{"scipy.stats", "matplotlib", "brian2"}} & set(sys.modules)
"""
    tests = __file__.rpartition("/")[0]
    code = script.format(tests=tests)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "ended\n", done.stderr


def test_a_failing_backend_leaves_the_model_open_to_repair(backend) -> None:
    population = cells()

    def refuse(network, options):
        raise UnsupportedError("no")

    backend.check = refuse
    with pytest.raises(UnsupportedError):
        sim.run(1.0)
    assert sim.get_current_time() == 0.0
    del backend.check
    all_to_all(population, population, weight=0.1)
    sim.run(1.0)
    assert len(backend.session.network.projections) == 1


# --- recorded data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        (sim.IF_curr_exp, {"v": "mV", "isyn_exc": "nA", "isyn_inh": "nA"}),
        (sim.IF_curr_alpha, {"v": "mV", "isyn_exc": "nA", "isyn_inh": "nA"}),
        (sim.IF_curr_delta, {"v": "mV"}),
        (sim.IF_cond_exp, {"v": "mV", "gsyn_exc": "uS", "gsyn_inh": "uS"}),
        (sim.Izhikevich, {"v": "mV", "u": "mV/ms"}),
    ],
)
def test_signals_have_units_times_and_channels(backend, cell, units) -> None:
    population = sim.Population(3, cell(), label="cells")
    population[[0, 2]].record([*units, "spikes"], sampling_interval=1.0)
    sim.run(4.0)
    block = population.get_data()
    segment = block.segments[0]
    assert {s.name: str(s.units.dimensionality) for s in segment.analogsignals} == units
    for signal in segment.analogsignals:
        assert isinstance(signal, neo.AnalogSignal)
        assert signal.t_start.rescale("ms") == 0.0
        assert float(signal.sampling_period.rescale("ms")) == 1.0
        np.testing.assert_array_equal(signal.magnitude, [[k, 2000 + k] for k in range(4)])
        np.testing.assert_array_equal(signal.array_annotations["channel_index"], [0, 2])
        assert signal.annotations["source_population"] == "cells"
    trains = segment.spiketrains
    assert [train.annotations["source_index"] for train in trains] == [0, 2]
    assert [train.annotations["channel_id"] for train in trains] == [int(population[0]), int(population[2])]
    np.testing.assert_array_equal(trains[1].times.rescale("ms").magnitude, [1.5, 3.0])
    assert (float(trains[0].t_start), float(trains[0].t_stop)) == (0.0, 4.0)
    assert block.name == "cells" and block.annotations["simulator"] == "neurodeploy"


def test_views_read_their_own_cells(backend) -> None:
    population = cells(4)
    population.record(["spikes", "v"])
    sim.run(3.0)
    segment = population[1:3].get_data().segments[0]
    np.testing.assert_array_equal(segment.analogsignals[0].magnitude[0], [1000.0, 2000.0])
    assert [train.annotations["source_index"] for train in segment.spiketrains] == [1, 2]
    assert population[1:3].get_spike_counts() == {int(population[1]): 3, int(population[2]): 2}
    assert population.mean_spike_count() == (6 + 3 + 2 + 1) / 4
    assert population[3:].mean_spike_count() == 1.0


def test_assemblies_put_their_populations_together(backend) -> None:
    source = sim.Population(2, sim.SpikeSourceArray(), label="source")
    first, second = cells(2, "first"), cells(3, "second")
    together = source + first + second[1:]
    (first + second).record("v")
    together.record("spikes")
    sim.run(6.0)
    segment = together.get_data().segments[0]
    seen = [
        (train.annotations["source_population"], train.annotations["source_index"], len(train))
        for train in segment.spiketrains
    ]
    assert seen == [
        ("source", 0, 12),
        ("source", 1, 6),
        ("first", 0, 12),
        ("first", 1, 6),
        ("second", 1, 6),
        ("second", 2, 4),
    ]
    assert sum(together.get_spike_counts().values()) == 46
    assert together.mean_spike_count() == 46 / 6
    assert sum(signal.shape[1] for signal in segment.analogsignals) == 4
    assert len((first + second).get_data("v").segments[0].analogsignals) >= 1


def test_clearing_begins_anew(backend) -> None:
    population = cells(2)
    population.record(["spikes", "v"])
    sim.run(4.0)
    assert len(population.get_data(clear=True).segments[0].spiketrains[0]) == 8
    sim.run(2.0)
    assert population.get_spike_counts() == {int(population[0]): 4, int(population[1]): 2}
    segment = population.get_data().segments[0]
    assert (float(segment.spiketrains[0].t_start), float(segment.spiketrains[0].t_stop)) == (4.0, 6.0)
    np.testing.assert_array_equal(segment.spiketrains[1].magnitude, [5.0, 6.0])
    (signal,) = segment.analogsignals
    assert float(signal.t_start) == 4.0
    np.testing.assert_array_equal(signal.magnitude[:, 0], [4.0, 4.5, 5.0, 5.5])
    sim.reset()
    sim.run(1.0)
    starts = [float(each.analogsignals[0].t_start) for each in population.get_data().segments]
    assert starts == [4.0, 0.0]
    population.get_data(clear=True)
    sim.reset()
    sim.run(1.0)
    assert len(population.get_data().segments) == 1


def test_sampling_intervals(backend) -> None:
    population = cells(2, "CA1")
    for interval in (0.7, 0.0, -1.0, float("nan"), 0.1):
        with refused(["CA1", str(interval), "0.5 ms"]):
            population.record("v", sampling_interval=interval)
    population.record("v", sampling_interval=1.5)
    population.record("spikes")
    population.record("isyn_exc")
    with refused(["CA1", "2 ms", "1.5 ms"]):
        population.record("v", sampling_interval=2.0)
    assert [each.sampling_interval for each in sim.capture().recorded] == [1.5] * 3
    population.record(None)
    assert not sim.capture().recorded
    population.record("all")
    assert [each.variable for each in sim.capture().recorded] == ["spikes", "v", "isyn_exc", "isyn_inh"]


def test_what_cannot_be_recorded_or_read(backend) -> None:
    population = cells(2, "CA1")
    source = sim.Population(2, sim.SpikeSourceArray(), label="input")
    with refused(["CA1", "isyn_ecx", "Did you mean 'isyn_exc'?"], pynn_errors.RecordingError):
        population.record("isyn_ecx")
    with refused(["input", "'v'", "spikes"], pynn_errors.RecordingError):
        source.record("v")
    population.record("spikes")
    with refused(["CA1", "run()"]):
        population.get_data()
    assert population.mean_spike_count() == 0
    sim.run(1.0)
    with refused(["CA1", "'v'", "record('v')"], pynn_errors.RecordingError):
        population.get_data("v")


def test_files_are_written_at_the_end(backend, tmp_path) -> None:
    population = cells(2)
    path = tmp_path / "data" / "cells.pkl"
    population.record(["spikes", "v"], to_file=str(path))
    sim.run(2.0)
    population.write_data(str(tmp_path / "now.pkl"), "spikes")
    sim.end()
    block = pickle.loads(path.read_bytes())
    assert len(block.segments[0].spiketrains) == 2
    assert block.segments[0].analogsignals[0].shape == (4, 2)
    now = pickle.loads((tmp_path / "now.pkl").read_bytes())
    assert len(now.segments[0].spiketrains) == 2 and not len(now.segments[0].analogsignals)


def test_the_procedural_calls(backend, tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        population = sim.create(sim.IF_curr_exp, {"tau_m": 11.0}, n=3)
        projection = sim.connect(population, population[0], weight=0.2, delay=1.0, p=1.0)
        sim.record("spikes", population, str(tmp_path / "spikes.pkl"))
        sim.initialize(population, v=-44.0)
    network = sim.capture()
    assert list(network.populations[0].parameters["tau_m"]) == [11.0] * 3
    assert projection.size() == len(projection) == 3
    assert network.populations[0].initial_values["v"][0] == -44.0


def test_weights_are_recorded_by_a_callback(backend) -> None:
    source = sim.Population(2, sim.SpikeSourceArray())
    population = sim.Population(2, sim.IF_cond_exp())
    rule = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(), weight=0.5)
    projection = sim.Projection(source, population, sim.AllToAllConnector(), rule)
    recorder = sim.WeightRecorder(2.0, projection)
    sim.run(5.0, callbacks=[recorder])
    sim.run(5.0, callbacks=[recorder])
    signal = recorder.get_weights()
    assert str(signal.units.dimensionality) == "uS" and signal.shape == (6, 4)
    np.testing.assert_allclose(signal.magnitude[:, 0], 0.5 + 0.001 * np.arange(0, 21, 4))
    assert float(signal.sampling_period.rescale("ms")) == 2.0
    with refused([projection.label, "0.3", "0.5 ms"]):
        sim.WeightRecorder(0.3, projection)


def test_pynns_own_example_of_a_weight_recorder_works(backend) -> None:
    class WeightRecorder:
        def __init__(self, sampling_interval, projection):
            self.interval, self.projection, self.weights = sampling_interval, projection, []

        def __call__(self, t):
            names = self.projection.synapse_type.get_native_names("weight")
            self.weights.append([w[0] for w in self.projection._get_attributes_as_list(names)])
            return t + self.interval

    population = cells(2)
    rule = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(), weight=0.5)
    projection = sim.Projection(population, population, sim.AllToAllConnector(), rule)
    recorder = WeightRecorder(1.0, projection)
    sim.run(3.0, callbacks=[recorder])
    assert np.shape(recorder.weights) == (4, 4)


# --- projections ---------------------------------------------------------------------------------


def test_getting_weights(backend) -> None:
    population = cells(3)
    listed = [(0, 1, 0.1, 1.0), (0, 1, 0.4, 2.0), (2, 0, 0.3, 3.0), (0, 1, 0.2, 4.0)]
    projection = sim.Projection(population, population, sim.FromListConnector(listed), sim.StaticSynapse())
    expected = [listed[2], listed[0], listed[1], listed[3]]
    assert projection.get(["weight", "delay"], format="list") == expected
    assert projection.get(["weight", "delay"], "list", with_address=False) == [row[2:] for row in expected]
    assert projection.get("delay", "list", with_address=False) == [3.0, 1.0, 2.0, 4.0]
    shown = {"sum": 0.7, "last": 0.2, "first": 0.1, "min": 0.1, "max": 0.4}
    for operation, value in shown.items():
        weights, delays = projection.get(["weight", "delay"], "array", multiple_synapses=operation)
        assert weights[0, 1] == pytest.approx(value)
        assert weights[2, 0] == 0.3 and delays[2, 0] == 3.0
        assert np.isnan(weights).sum() == 7
    assert [c.as_tuple("presynaptic_index", "delay") for c in projection] == [
        (2, 3.0),
        (0, 1.0),
        (0, 2.0),
        (0, 4.0),
    ]
    assert projection[-1].weight == 0.2
    assert [c.weight for c in projection[1:3]] == [0.1, 0.4]
    assert projection[0].presynaptic_cell == population[2]
    with pytest.raises(IndexError):
        projection[4]
    with refused(["wieght", "Did you mean 'weight'?"], pynn_errors.NonExistentParameterError):
        projection.get("wieght", "list")
    with refused(["'matrix'", "'list' or 'array'"]):
        projection.get("weight", "matrix")
    with refused(["'mean'", "sum"]):
        projection.get("weight", "array", multiple_synapses="mean")


def test_setting_weights_in_every_form(backend) -> None:
    population = cells(3)
    projection = all_to_all(population, population, weight=0.1, delay=1.0)
    matrix = np.arange(9.0).reshape(3, 3)
    projection.set(weight=matrix)
    np.testing.assert_array_equal(projection.get("weight", "array"), matrix)
    projection.set(weight=list(range(10, 19)))  # row by row, as in PyNN
    np.testing.assert_array_equal(projection.get("weight", "array"), matrix + 10)
    projection.set(weight="1 + d", delay=lambda d: 2.0 + d)
    np.testing.assert_array_equal(projection.get("delay", "array")[0], [2.0, 3.0, 4.0])
    drawn = sim.RandomDistribution("uniform", (0, 1), rng=sim.NumpyRNG(seed=4))
    projection.set(weight=drawn)
    np.testing.assert_array_equal(
        projection.get("weight", "array"),
        sim.NumpyRNG(seed=4).next(9, "uniform", {"low": 0, "high": 1}).reshape(3, 3),
    )
    with refused([projection.label, "(2, 2)", "(3, 3)"]):
        projection.set(weight=np.ones((2, 2)))
    with refused([projection.label, "4 values", "9 synapses"]):
        projection.set(weight=[1.0] * 4)
    with refused([projection.label, "nan"]):
        projection.set(weight=float("nan"))
    with refused(["tau_plus"], pynn_errors.NonExistentParameterError):
        projection.set(tau_plus=3.0)


def test_assembly_projections_are_set_and_got_in_the_users_order(backend) -> None:
    source = sim.Population(1, sim.SpikeSourceArray(), label="source")
    first, second = cells(2, "first"), cells(2, "second")
    rule = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(w_max=99.0), weight=0.5)
    projection = sim.Projection(source, second + first, sim.AllToAllConnector(), rule, label="both")
    sim.run(STEP)
    session = backend.session
    assert [p.label for p in session.network.projections] == ["both (source→second)", "both (source→first)"]
    projection.set(weight=[[1.0, 2.0, 3.0, 4.0]])
    assert [list(w) for w in session._weights] == [[1.0, 2.0], [3.0, 4.0]]
    sim.run(STEP)
    np.testing.assert_allclose(projection.get("weight", "array"), [[1.001, 2.001, 3.001, 4.001]])
    projection[3].weight = 9.0
    np.testing.assert_allclose(np.concatenate(session._weights), [1.001, 2.001, 3.001, 9.0])
    sim.reset()
    np.testing.assert_allclose(projection.get("weight", "array"), [[1.0, 2.0, 3.0, 9.0]])


def test_stdp_rules_do_not_share_their_tables(backend) -> None:
    first = sim.STDPMechanism(sim.SpikePairRule(tau_plus=1.0), sim.AdditiveWeightDependence())
    second = sim.STDPMechanism(sim.SpikePairRule(tau_plus=2.0), sim.MultiplicativeWeightDependence())
    assert first.translations is not second.translations
    assert set(sim.STDPMechanism.base_translations) == {"weight", "delay", "dendritic_delay_fraction"}
    population = cells(2)
    projection = sim.Projection(population, population, sim.AllToAllConnector(), first)
    assert projection.get(["tau_plus", "w_max"], "list", with_address=False)[0] == (1.0, 1.0)
    projection.set(tau_plus=5.0)
    assert sim.capture().projections[0].plasticity.tau_plus == 5.0
    assert second.plasticity.tau_plus == 2.0
    with refused(["tau_plus", projection.label], UnsupportedError):
        projection.set(tau_plus=[1.0, 2.0, 3.0, 4.0])
    sim.run(1.0)
    with refused(["tau_plus", "reset()", projection.label]):
        projection.set(tau_plus=6.0)


# --- what is refused -----------------------------------------------------------------------------

WRONG_SETUP = [
    ({"timestep": 0.0}, ["timestep", "0", "above 0"]),
    ({"timestep": float("nan")}, ["timestep", "nan"]),
    ({"timestep": 1.0, "min_delay": 0.5}, ["min_delay", "0.5", "1 ms"]),
    ({"timestep": 1.0, "max_delay": 0.5}, ["max_delay", "0.5", "1 ms"]),
    ({"dt": 1.0}, ["dt", "Did you mean 'timestep'?"]),
    ({"bakend": "brian2"}, ["bakend", "Did you mean 'backend'?"]),
    ({"seed": 1.5}, ["seed", "1.5"]),
    ({"threads": -1}, ["threads", "-1"]),
    ({"backend": 3}, ["backend", "int"]),
    ({"progress": 3}, ["progress", "function"]),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_SETUP)
def test_wrong_setups_are_refused(backend, arguments, words) -> None:
    with refused(words):
        sim.setup(**{"backend": backend, **arguments})


WRONG_CELLS = [
    (lambda: sim.IF_curr_exp(tau_n=3.0), ["IF_curr_exp", "tau_n", "Did you mean 'tau_m'?"]),
    (lambda: sim.IF_curr_exp(tau_m=0.0), ["IF_curr_exp", "tau_m", "0 ms", "above 0"]),
    (lambda: sim.IF_curr_exp(cm=-1.0), ["cm", "-1 nF", "above 0"]),
    (lambda: sim.IF_curr_exp(tau_refrac=-0.1), ["tau_refrac", "-0.1 ms", "at least 0"]),
    (lambda: sim.IF_cond_exp(tau_syn_E=float("inf")), ["tau_syn_E", "inf", "finite"]),
    (lambda: sim.Izhikevich(a=float("nan")), ["Izhikevich", "a is nan", "finite"]),
    (lambda: sim.IF_curr_exp(v_rest="low"), ["IF_curr_exp"]),
    (lambda: sim.SpikeSourcePoisson(rate=-5.0), ["rate", "-5 Hz", "at least 0"]),
    (lambda: sim.SpikeSourcePoisson(rate=[1.0, -5.0]), ["rate", "-5 Hz", "neuron 1"]),
    (lambda: sim.SpikeSourceArray(spike_times=[1.0, -2.0]), ["spike time", "-2 ms", "at least 0"]),
    (lambda: sim.SpikeSourceArray(spike_times=[[1.0], [float("nan")]]), ["spike time", "nan"]),
    (lambda: sim.SpikeSourceArray(spike_times=5.0), ["spike_times", "list"]),
    (lambda: sim.IF_curr_exp(tau_m=None), ["tau_m", "None"]),
    (lambda: setattr(sim.DCSource(), "amplitud", 1.0), ["amplitud", "Did you mean 'amplitude'?"]),
    (lambda: setattr(cells(1, "CA3")[0], "tau_mm", 1.0), ["CA3", "tau_mm", "Did you mean 'tau_m'?"]),
    (lambda: cells(1, "CA3")[0].tau_mm, ["CA3", "tau_mm", "Did you mean 'tau_m'?"]),
    (lambda: cells(1, "CA3").inject(sim.DCSource), ["CA3", "DCSource(...)"]),
    (lambda: cells(1, "CA3").record(5), ["CA3", "'5'"]),
    (lambda: cells(True, "CA3"), ["CA3", "True"]),
    (lambda: sim.AllToAllConnector("NoMutual"), ["NoMutual", "True or False"]),
    (lambda: sim.DCSource(amplitud=1.0), ["DCSource", "amplitud", "Did you mean 'amplitude'?"]),
    (lambda: sim.DCSource(amplitude=float("nan")), ["DCSource", "amplitude", "nan"]),
    (lambda: sim.StepCurrentSource(times=[1.0], amplitudes=[1.0, 2.0]), ["1 times", "2 amplitudes"]),
    (lambda: sim.StepCurrentSource(times=[2.0, 1.0], amplitudes=[1.0, 2.0]), ["rise"]),
    (lambda: sim.StaticSynapse(wieght=1.0), ["StaticSynapse", "Did you mean 'weight'?"]),
    (lambda: sim.SpikePairRule(tau_plus=0.0), ["SpikePairRule", "tau_plus", "above 0"]),
    (lambda: sim.SpikePairRule(A_plus=float("nan")), ["A_plus", "finite"]),
    (lambda: sim.SpikePairRule(tau=1.0), ["SpikePairRule", "tau"]),
    (lambda: sim.AdditiveWeightDependence(w_min=2.0, w_max=1.0), ["w_min", "2", "w_max", "1"]),
    (lambda: sim.AdditiveWeightDependence(w_max=[1.0, 2.0]), ["w_max", "list", "one number"]),
    (lambda: sim.STDPMechanism(), ["timing_dependence", "missing", "SpikePairRule"]),
    (lambda: sim.STDPMechanism(sim.SpikePairRule()), ["weight_dependence", "AdditiveWeightDependence"]),
]


@pytest.mark.parametrize(("make", "words"), WRONG_CELLS)
def test_wrong_values_are_refused_where_they_stand(backend, make, words) -> None:
    with refused(words):
        make()


WRONG_POPULATIONS = [
    (lambda: cells(0, "CA3"), ["CA3", "0", "at least 1"]),
    (lambda: cells(-3, "CA3"), ["CA3", "-3"]),
    (lambda: cells(2.5, "CA3"), ["CA3", "2.5", "whole number"]),
    (lambda: cells(3, "CA3", tau_m=[1.0, 2.0]), ["CA3", "tau_m", "2 values for 3 cells"]),
    (lambda: cells(3, "CA3", tau_m=lambda i: 1.0 - i), ["CA3", "tau_m", "0 ms", "neuron 1"]),
    (lambda: cells(3, "CA3").set(tau_m=-1.0), ["CA3", "tau_m", "-1 ms"]),
    (lambda: cells(3, "CA3").set(tau_mm=1.0), ["CA3", "tau_mm", "Did you mean 'tau_m'?"]),
    (lambda: cells(3, "CA3").get("tau_mm"), ["CA3", "tau_mm", "Did you mean 'tau_m'?"]),
    (lambda: cells(3, "CA3").initialize(V=1.0), ["CA3", "'V'", "Did you mean 'v'?"]),
    (lambda: cells(3, "CA3").initialize(v=float("nan")), ["CA3", "v is nan", "finite"]),
    (lambda: cells(3, "CA3").initialize(v=[1.0, 2.0]), ["CA3", "v", "2 values for 3 cells"]),
    (lambda: cells(3, "CA3")[[7]], ["CA3", "0 to 2"]),
    (lambda: cells(3, "CA3")[3:], ["CA3", "no cells"]),
    (lambda: cells(3, "CA3")[np.array([True, False])], ["CA3", "2 values", "3 cells"]),
    (
        lambda: sim.Population(3, sim.SpikeSourceArray(spike_times=[[1.0], [2.0]]), label="CA3"),
        ["CA3", "spike_times", "2 values for 3 cells"],
    ),
    (
        lambda: sim.Population(3, sim.SpikeSourceArray(), label="in").inject(sim.DCSource()),
        ["in"],
    ),
    (
        lambda: sim.DCSource().inject_into(sim.Population(3, sim.SpikeSourceArray(), label="in")),
        ["'in'", "spike source"],
    ),
]


@pytest.mark.parametrize(("make", "words"), WRONG_POPULATIONS)
def test_wrong_populations_are_refused(backend, make, words) -> None:
    with refused(words):
        make()


def test_labels_are_unique(backend) -> None:
    cells(1, "CA3")
    with refused(["CA3", "label"]):
        cells(1, "CA3")
    cells(1, "population1")
    assert len({cells(1).label for _ in range(3)}) == 3
    assert len({population.label for population in sim.capture().populations}) == 5


def test_a_refused_population_leaves_nothing_behind(backend) -> None:
    with pytest.raises(RequestError):
        cells(3, "CA3", tau_m=lambda i: 1.0 - i)
    assert not sim.capture().populations
    cells(3, "CA3").record("v")
    sim.run(1.0)
    assert len(backend.session.network.recorded) == 1


WRONG_PROJECTIONS = [
    ({"weight": float("nan")}, ["nan", "finite"]),
    ({"weight": -0.1, "receptor_type": "excitatory"}, ["-0.1 nA", "0 or positive", "excitatory"]),
    ({"weight": 0.1, "receptor_type": "inhibitory"}, ["0.1 nA", "0 or negative", "inhibitory"]),
    ({"delay": 0.1}, ["0.1 ms", "at least", "0.5 ms"]),
    ({"delay": 0.0}, ["0 ms", "at least", "0.5 ms"]),
    ({"delay": float("inf")}, ["inf", "finite"]),
    ({"weight": "1.0 - d"}, ["-1 nA", "from cell 2 to cell 0"]),
]


@pytest.mark.parametrize(("values", "words"), WRONG_PROJECTIONS)
@pytest.mark.parametrize("plastic", [False, True])
def test_wrong_synapses_are_refused(backend, values, words, plastic) -> None:
    population = cells(3)
    values = {"weight": 0.1, "delay": 1.0, "receptor_type": "excitatory", **values}
    receptor = values.pop("receptor_type")
    if plastic:
        synapse = sim.STDPMechanism(sim.SpikePairRule(), sim.AdditiveWeightDependence(), **values)
    else:
        synapse = sim.StaticSynapse(**values)
    with refused(["CA3 loop", *words], pynn_errors.ConnectionError):
        sim.Projection(
            population,
            population,
            sim.AllToAllConnector(),
            synapse,
            receptor_type=receptor,
            label="CA3 loop",
        )
    assert not sim.capture().projections


def test_signs_by_the_kind_of_synapse(backend) -> None:
    conductance = sim.Population(2, sim.IF_cond_exp(), label="cond")
    with refused(["-0.1 µS", "conductance-based"]):
        sim.Projection(
            conductance,
            conductance,
            sim.AllToAllConnector(),
            sim.StaticSynapse(weight=-0.1),
            receptor_type="inhibitory",
        )
    delta = sim.Population(2, sim.IF_curr_delta(), label="delta")
    with refused(["1 mV", "0 or negative"]):
        sim.Projection(
            delta,
            delta,
            sim.AllToAllConnector(),
            sim.StaticSynapse(weight=1.0),
            receptor_type="inhibitory",
        )
    unsafe = sim.Projection(
        delta,
        delta,
        sim.AllToAllConnector(safe=False),
        sim.StaticSynapse(weight=1.0),
        receptor_type="inhibitory",
    )
    assert unsafe.size() == 4


def test_delays_beyond_setups_range_are_refused(backend) -> None:
    sim.setup(timestep=0.1, min_delay=0.3, max_delay=2.0, backend=backend)
    population = cells(2)
    assert all_to_all(population, population, weight=0.1).get("delay", "list", with_address=False)[0] == 0.3
    with refused(["0.2 ms", "min_delay", "0.3 ms"]):
        all_to_all(population, population, weight=0.1, delay=0.2)
    with refused(["3 ms", "max_delay", "2 ms"]):
        all_to_all(population, population, weight=0.1, delay=3.0)
    assert (sim.get_min_delay(), sim.get_max_delay()) == (0.3, 2.0)


UNSUPPORTED = [
    "IF_cond_alpha",
    "HH_cond_exp",
    "EIF_cond_exp_isfa_ista",
    "EIF_cond_alpha_isfa_ista",
    "IF_cond_exp_gsfa_grr",
    "IF_facets_hardware1",
    "GIF_cond_exp",
    "SpikeSourceGamma",
    "SpikeSourceInhGamma",
    "SpikeSourcePoissonRefractory",
    "PointNeuron",
    "TsodyksMarkramSynapse",
    "SimpleStochasticSynapse",
    "ElectricalSynapse",
    "GutigWeightDependence",
    "AdditivePotentiationMultiplicativeDepression",
    "Vogels2011Rule",
    "ACSource",
    "NoisyCurrentSource",
]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_pynn_has_and_this_has_not_says_so(backend, name: str) -> None:
    assert name in sim.__all__
    with refused([name, "use"], UnsupportedError):
        getattr(sim, name)()


def test_nothing_works_before_setup() -> None:
    code = """
import neurodeploy.pynn as sim
from neurodeploy.errors import RequestError
for act in (lambda: sim.Population(1, sim.IF_curr_exp()), lambda: sim.run(1.0), sim.reset, sim.capture):
    try:
        act()
    except RequestError as error:
        assert "setup()" in str(error), error
    else:
        raise SystemExit("not refused")
sim.end()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_has_the_names_of_a_pynn_simulator() -> None:
    import pyNN.mock

    ignored = {"common", "connectors", "control", "logging", "np", "neo", "os", "pq", "simulator", "warn"}
    public = {
        name
        for name, value in vars(pyNN.mock).items()
        if not name.startswith("_")
        and name not in ignored
        and getattr(value, "__module__", "").startswith("pyNN.mock")
    }
    missing = (
        public - set(sim.__all__) - {"Connection", "Recorder", "ID", "State", "MockCurrentSource", "state"}
    )
    assert not missing
