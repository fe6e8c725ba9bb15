"""What a check says SpiNNaker will take is what sPyNNaker's own mapping takes: every core, every byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import neurodeploy.models.pynn as pynn
from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.examine import weight_steps
from neurodeploy.backends.spinnaker.resources import estimate
from neurodeploy.backends.spinnaker.session import SpinnakerSession
from neurodeploy.hardware import load, parse
from neurodeploy.models.network import Network

pytest.importorskip("spynnaker")

VIRTUAL = load("spinnaker-virtual")
STEPS = 150


def described(time_step: float, build: Callable[[Any], None]) -> Network:
    pynn.setup(timestep=time_step, min_delay=time_step, rules="spinnaker")
    build(pynn)
    return pynn.capture()


def many_kinds(sim: Any) -> None:
    """All cells, sources, lists, long delays, learning, recordings of some and of every third step."""
    rng = sim.NumpyRNG(1)
    source = sim.Population(300, sim.SpikeSourcePoisson(rate=20.0), label="source")
    source.record("spikes")
    large = sim.Population(700, sim.IF_curr_exp(), label="large")
    cond = sim.Population(50, sim.IF_cond_exp(), label="cond")
    izhikevich = sim.Population(257, sim.Izhikevich(), label="izhikevich")
    alpha = sim.Population(30, sim.IF_curr_alpha(tau_syn_E=4.0, tau_syn_I=4.0), label="alpha")
    delta = sim.Population(1, sim.IF_curr_delta(), label="delta")
    some, few = sim.FixedProbabilityConnector(0.1, rng=rng), sim.FixedProbabilityConnector(0.05, rng=rng)
    spread = sim.RandomDistribution("uniform", low=1, high=20, rng=rng)
    learns = sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=17.0, A_plus=0.1, A_minus=0.1),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0, w_max=2.0),
        weight=0.5,
        delay=3.0,
    )
    sim.Projection(source, large, some, sim.StaticSynapse(weight=0.5, delay=spread))
    sim.Projection(large, large, few, sim.StaticSynapse(weight=-0.1, delay=2.0), receptor_type="inhibitory")
    sim.Projection(large, cond, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.001, delay=5.0))
    sim.Projection(cond, large, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.01, delay=100.0))
    sim.Projection(large, izhikevich, some, learns)
    sim.Projection(cond, izhikevich, some, sim.StaticSynapse(weight=0.5, delay=3.0))
    wired = sim.FixedTotalNumberConnector(n=900, rng=rng)
    sim.Projection(izhikevich, alpha, wired, sim.StaticSynapse(weight=0.5, delay=1.0))
    sim.Projection(izhikevich, delta, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.5, delay=1.0))
    large.record("spikes")
    large[5:300].record("v", sampling_interval=3.0)
    izhikevich.record(["spikes", "v"])


def fine_steps(sim: Any) -> None:
    """Steps of 0.1 ms, for which neurons and synapses get cores of their own; more than 256 synapses a neuron."""
    rng = sim.NumpyRNG(1)
    source = sim.Population(100, sim.SpikeSourcePoisson(rate=20.0), label="source")
    large = sim.Population(600, sim.IF_curr_exp(), label="large")
    small = sim.Population(50, sim.IF_curr_exp(), label="small")
    alone = sim.Population(10, sim.IF_curr_exp(), label="alone")
    half = sim.FixedProbabilityConnector(0.5, rng=rng)
    learns = sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=17.0, A_plus=0.1, A_minus=0.1),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0, w_max=2.0),
        weight=0.5,
        delay=0.3,
    )
    sim.Projection(source, large, half, sim.StaticSynapse(weight=0.5, delay=0.4))
    sim.Projection(large, large, half, sim.StaticSynapse(weight=-0.1, delay=2.0), receptor_type="inhibitory")
    sim.Projection(large, small, sim.AllToAllConnector(), learns)
    large.record(["spikes", "v"])
    alone.record("v")


@pytest.mark.parametrize(("time_step", "build"), [(1.0, many_kinds), (0.1, fine_steps)])
def test_cores_bytes_and_steps_of_weights_are_those_of_the_tools(time_step: float, build) -> None:
    network = described(time_step, build)
    session = SpinnakerSession(network, Options("spinnaker", allow_losses=True), VIRTUAL)
    told: dict[int, float] = {}
    session._judge_weights = lambda steps: told.update({int(k): v for k, v in steps.items()})  # type: ignore[method-assign]
    try:
        session.run(STEPS)
        vertices = session.report.facts["mapping"]
    finally:
        session.end()
    expected: Counter[int] = Counter()
    for cores in estimate(network, VIRTUAL, STEPS, session.program.plan["time_scale_factor"]).cores:
        expected[cores.sdram] += cores.count
    assert Counter(vertex["sdram_bytes"] for vertex in vertices) == expected
    assert sum(expected.values()) >= 10
    assert told == weight_steps(network, VIRTUAL)


def test_fewer_neurons_on_a_core_are_counted_so() -> None:
    text = "backend: spinnaker\nmachine: virtual\nneurons_per_core: 100\nadvanced_monitors: false\n"
    network = described(1.0, many_kinds)
    cores = estimate(network, parse(text, "mine"), STEPS, 1).cores
    assert {each.neurons for each in cores if each.kind == "neurons and synapses"} == {100, 50, 30, 1}
    assert sum(each.count for each in cores if network.populations[each.population].label == "large") == 7
