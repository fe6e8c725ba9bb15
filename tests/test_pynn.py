"""The PyNN front end: faithful to PyNN's own classes, continuous over runs, and strict at the user's line."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest

from neurodeploy.errors import NeurodeployError, RequestError, UnsupportedError


@pytest.fixture
def sim():
    module = importlib.import_module("neurodeploy.pynn")
    module.setup(timestep=1.0, min_delay=1.0, rules="spinnaker")
    yield module
    module.end()


def mock():
    module = importlib.import_module("pyNN.mock")
    module.setup(timestep=1.0, min_delay=1.0)
    return module


CONNECTORS = {
    "AllToAll": lambda s, rng: s.AllToAllConnector(),
    "AllToAll without self": lambda s, rng: s.AllToAllConnector(allow_self_connections=False),
    "OneToOne": lambda s, rng: s.OneToOneConnector(),
    "FixedProbability": lambda s, rng: s.FixedProbabilityConnector(0.3, rng=rng),
    "FixedProbability without self": lambda s, rng: s.FixedProbabilityConnector(
        0.5, allow_self_connections=False, rng=rng
    ),
    "FixedNumberPre": lambda s, rng: s.FixedNumberPreConnector(4, rng=rng),
    "FixedNumberPre with replacement": lambda s, rng: s.FixedNumberPreConnector(
        4, with_replacement=True, rng=rng
    ),
    "FixedNumberPost": lambda s, rng: s.FixedNumberPostConnector(3, rng=rng),
    "FromList": lambda s, rng: s.FromListConnector([(0, 1, 0.5, 2.0), (3, 0, 0.25, 1.0), (2, 1, 1.0, 3.0)]),
    "Array": lambda s, rng: s.ArrayConnector(np.add.outer(np.arange(12), np.arange(12)) % 3 == 0),
    "DistanceDependent": lambda s, rng: s.DistanceDependentProbabilityConnector("exp(-d/3.0)", rng=rng),
    "DisplacementDependent": lambda s, rng: s.DisplacementDependentProbabilityConnector(
        lambda d: np.exp(-np.abs(d[0]) / 3.0), rng=rng
    ),
}
WEIGHTS = {
    "constant": lambda s, rng: 0.7,
    "of distance": lambda s, rng: "0.1 + 0.01*d",
    "random, own generator": lambda s, rng: s.RandomDistribution(
        "uniform", (0.1, 0.9), rng=s.NumpyRNG(seed=5)
    ),
    "random, shared generator": lambda s, rng: s.RandomDistribution("uniform", (0.1, 0.9), rng=rng),
}


def synapse_list(s, connector: str, weight: str) -> list[tuple]:
    rng = s.NumpyRNG(seed=42)
    cells = s.Population(
        12, s.IF_curr_exp(), structure=s.space.Line(dx=1.0), label=f"cells {connector} {weight}"
    )
    synapse = s.StaticSynapse(weight=WEIGHTS[weight](s, rng), delay=2.0)
    projection = s.Projection(cells, cells, CONNECTORS[connector](s, rng), synapse)
    return [tuple(float(x) for x in row) for row in projection.get(["weight", "delay"], format="list")]


@pytest.mark.parametrize(("connector", "weight"), list(itertools.product(CONNECTORS, WEIGHTS)))
def test_every_connector_makes_pynns_own_synapses(sim, connector: str, weight: str) -> None:
    ours = synapse_list(sim, connector, weight)
    theirs = synapse_list(mock(), connector, weight)
    assert len(ours) == len(theirs) > 0
    np.testing.assert_allclose(ours, theirs)


def test_fixed_total_number_makes_as_many(sim) -> None:
    cells = sim.Population(10, sim.IF_curr_exp())
    projection = sim.Projection(
        cells, cells, sim.FixedTotalNumberConnector(37), sim.StaticSynapse(weight=0.1)
    )
    assert projection.size() == 37


def test_building_is_vectorised(sim, monkeypatch) -> None:
    """A million synapses without one call a synapse, or a column."""
    calls = []
    original = sim.Projection._convergent_connect
    monkeypatch.setattr(
        sim.Projection,
        "_convergent_connect",
        lambda self, *a, **k: calls.append(1) or original(self, *a, **k),
    )
    cells = sim.Population(1000, sim.IF_curr_exp())
    projection = sim.Projection(cells, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.1))
    assert projection.size() == 1_000_000
    assert len(calls) < 100


def test_data_come_as_neo_with_units_and_go_on_over_runs(sim) -> None:
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[1.0, 5.0], [3.0]]))
    cells = sim.Population(3, sim.IF_curr_exp(tau_refrac=1.0))
    cells.record(["spikes", "v", "isyn_exc"])
    sim.Projection(source, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=20.0, delay=2.0))
    sim.run(4.0)
    sim.run(6.0)
    segment = cells.get_data().segments[0]
    v = next(signal for signal in segment.analogsignals if signal.name == "v")
    current = next(signal for signal in segment.analogsignals if signal.name == "isyn_exc")
    assert (str(v.units.dimensionality), str(current.units.dimensionality)) == ("mV", "nA")
    assert v.shape == (10, 3)
    assert len(segment.spiketrains) == 3
    first = [float(t) for t in segment.spiketrains[0]]
    assert first and first == [float(t) for t in segment.spiketrains[2]]
    assert cells.mean_spike_count() == len(first)
    sim.reset()
    sim.run(10.0)
    assert [float(t) for t in cells.get_data().segments[1].spiketrains[0]] == first


def test_weights_are_recorded_while_they_change(sim) -> None:
    pre = sim.Population(1, sim.SpikeSourceArray(spike_times=[[5.0, 15.0, 25.0]]))
    post = sim.Population(1, sim.IF_curr_exp(tau_refrac=1.0, tau_m=2.0, tau_syn_E=0.5))
    drive = sim.Population(1, sim.SpikeSourceArray(spike_times=[[7.0, 17.0, 27.0]]))
    sim.Projection(drive, post, sim.AllToAllConnector(), sim.StaticSynapse(weight=100.0, delay=1.0))
    rule = sim.STDPMechanism(
        sim.SpikePairRule(tau_plus=10.0, tau_minus=10.0, A_plus=0.5, A_minus=0.1),
        sim.AdditiveWeightDependence(w_min=0.0, w_max=4.0),
        weight=1.0,
        delay=1.0,
    )
    learning = sim.Projection(pre, post, sim.AllToAllConnector(), rule)
    recorder = sim.WeightRecorder(sampling_interval=10.0, projection=learning)
    sim.run(40.0, callbacks=[recorder])
    seen = np.asarray(recorder.get_weights())[:, 0]
    assert seen[0] == pytest.approx(1.0)
    assert seen[-1] > seen[0]
    assert learning.get("weight", format="list", with_address=False)[0] == pytest.approx(seen[-1])


def test_changes_between_runs_take_effect(sim) -> None:
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[[1.0, 11.0, 21.0]]))
    cells = sim.Population(1, sim.IF_curr_exp(tau_refrac=1.0, tau_m=2.0, tau_syn_E=0.5))
    cells.record("spikes")
    projection = sim.Projection(source, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.0))
    sim.run(10.0)
    projection.set(weight=50.0)
    sim.run(10.0)
    projection.set(weight=0.0)
    sim.run(10.0)
    times = [float(t) for t in cells.get_data("spikes").segments[0].spiketrains[0]]
    assert times and all(11.0 < t < 21.0 for t in times)


def _population(sim, **parameters):
    return sim.Population(2, sim.IF_curr_exp(**parameters), label="CA3")


def _projection(sim, weight=0.1, delay=1.0, receptor="excitatory"):
    cells = _population(sim)
    synapse = sim.StaticSynapse(weight=weight, delay=delay)
    return sim.Projection(
        cells, cells, sim.AllToAllConnector(), synapse, receptor_type=receptor, label="loop"
    )


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda sim: _population(sim, tau_mm=3.0), ["tau_mm", "Did you mean 'tau_m'?"]),
        (lambda sim: _population(sim, tau_m=0.0), ["tau_m", "0"]),
        (lambda sim: _population(sim, cm=float("nan")), ["cm", "nan"]),
        (lambda sim: _projection(sim, weight=float("nan")), ["loop", "weight", "nan"]),
        (lambda sim: _projection(sim, weight=-1.0), ["loop", "weight", "-1"]),
        (lambda sim: _projection(sim, weight=1.0, receptor="inhibitory"), ["loop", "weight"]),
        (lambda sim: _projection(sim, delay=0.2), ["loop", "delay", "0.2"]),
        (lambda sim: _projection(sim, delay=float("nan")), ["loop", "delay", "nan"]),
        (
            lambda sim: (
                sim.SpikeSourceArray(spike_times=[[-1.0]]) and sim.Population(1, sim.SpikeSourceArray([-1.0]))
            ),
            ["-1"],
        ),
        (lambda sim: sim.run(-5.0), ["-5"]),
        (lambda sim: sim.run(0.3), ["0.3"]),
        (lambda sim: sim.setup(timestep=1.0, rule="ideal"), ["rule", "Did you mean 'rules'?"]),
    ],
)
def test_bad_input_is_refused_at_the_users_line(sim, ask, words: list[str]) -> None:
    with pytest.raises(NeurodeployError) as refused:
        ask(sim)
    assert isinstance(refused.value, RequestError)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("name", ["HH_cond_exp", "IF_cond_alpha", "EIF_cond_exp_isfa_ista"])
def test_cells_that_do_not_run_here_say_so(sim, name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        getattr(sim, name)()


def test_unknown_backend_suggests_the_known_one(sim) -> None:
    with pytest.raises(RequestError, match="Did you mean 'brian2'"):
        sim.setup(timestep=1.0, backend="brain2")


def test_clone_small_world_files_views_and_assemblies(sim, tmp_path) -> None:
    cells = sim.Population(20, sim.IF_curr_exp())
    synapse = sim.StaticSynapse(weight=0.1)
    random = sim.Projection(cells, cells, sim.FixedProbabilityConnector(0.2), synapse)
    pairs = [row[:2] for row in random.get("weight", format="list")]
    clone = sim.Projection(cells, cells, sim.CloneConnector(random), synapse)
    assert [row[:2] for row in clone.get("weight", format="list")] == pairs
    random.save("all", str(tmp_path / "synapses.txt"))
    read = sim.Projection(cells, cells, sim.FromFileConnector(str(tmp_path / "synapses.txt")), synapse)
    assert sorted(row[:2] for row in read.get("weight", format="list")) == sorted(pairs)
    assert sim.Projection(cells, cells, sim.SmallWorldConnector(3, 0.1), synapse).size() > 0
    some = sim.Projection(cells[3:8], cells[0:2] + cells[10:12], sim.AllToAllConnector(), synapse)
    assert some.size() == 5 * 4
    assert some.get("weight", format="array").shape == (5, 4)


def test_a_current_into_a_view_moves_its_cells_alone(sim) -> None:
    cells = sim.Population(6, sim.IF_curr_exp())
    cells.record("spikes")
    cells[2:4].record("v")
    cells[2:4].inject(sim.DCSource(amplitude=2.0, start=5.0, stop=30.0))
    sim.run(50.0)
    segment = cells.get_data().segments[0]
    assert [len(train) > 0 for train in segment.spiketrains] == [False, False, True, True, False, False]
    assert segment.analogsignals[0].shape == (50, 2)
