"""SpiNNaker's ticks in Lava's floating point: the published recordings, and the same networks as in Brian2.

Costs about 20 s, nearly all of it Lava's.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drive import cells, source, synapses
from lava_programs import needs_lava
from reference_cam import simulate as reference
from test_cli import call

from neurodeploy import pynn as sim
from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi.float_lower import lower
from neurodeploy.cam import experiments
from neurodeploy.cam.application import simulate
from neurodeploy.cam.decoding import spike_rows
from neurodeploy.cam.experiments import RECORDINGS
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Injection, Network, Plasticity, Recorded


@needs_lava
def test_the_command_reproduces_the_published_recording_byte_by_byte(tmp_path: Path) -> None:
    """A1."""
    arguments = ("run", "cam", "--backend", "loihi", "--rules", "spinnaker", "--json")
    answer = call(*arguments, "--out", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads(answer.stdout)
    assert metrics["answers"]["overall"] == {"correct": 9, "total": 9}
    assert (metrics["executed_by"], metrics["rules"]) == ("float", "spinnaker")
    assert (metrics["circuit"], metrics["engine"]) == ("published", "lava-float")
    assert (tmp_path / "out" / "spikes.csv").read_bytes() == (RECORDINGS / "functional.csv").read_bytes()


@needs_lava
@pytest.mark.parametrize("name", ["stress", "state-map"])
def test_the_published_experiments_row_for_row(name: str) -> None:
    """A2 against the published recording; A3, all cells and weights, against the independent reference."""
    experiment = experiments.experiment(name)
    outcome, expected = simulate(experiment, Options("spinnaker"), "loihi"), reference(experiment)
    rows = spike_rows(outcome.recording.ticks())
    assert rows == (experiments.published(name) if name == "stress" else spike_rows(expected.spikes))
    assert all(one.correct for one in outcome.judged)
    np.testing.assert_allclose(outcome.weights("forward"), expected.forward, atol=1e-9)
    np.testing.assert_allclose(outcome.weights("backward"), expected.backward, atol=1e-9)


def random_script(backend: str) -> list[np.ndarray]:
    """Spikes, v and learned weights of recurrent cells of several kinds, in two runs."""
    sim.setup(timestep=1.0, backend=backend, rules="spinnaker", seed=5)
    draw = np.random.default_rng(5)
    trains = [np.unique(draw.integers(0, 150, 12)) for _ in range(12)]
    given = sim.Population(12, sim.SpikeSourceArray(spike_times=trains))
    parameters = {
        "tau_m": draw.choice([4.0, 10.0], 15),
        "tau_refrac": draw.choice([1.0, 3.0], 15),
        "v_thresh": -55.0,
        "v_reset": draw.choice([-65.0, -70.0], 15),
        "i_offset": 0.1,
        "cm": 0.3,
    }
    some = sim.Population(15, sim.IF_curr_exp(tau_syn_E=2.0, tau_syn_I=2.0, **parameters))
    some.initialize(v=-62.0)
    without = {"tau_refrac": 0.0, "v_thresh": draw.uniform(-55.0, -50.0, 8)}
    others = sim.Population(8, sim.IF_curr_exp(tau_syn_E=0.5, tau_syn_I=0.5, cm=0.2, **without))
    random = sim.NumpyRNG(seed=5)
    rule = sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(tau_plus=5.0, tau_minus=8.0, A_plus=0.2, A_minus=0.15),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=4.0),
        dendritic_delay_fraction=1.0,
        weight=1.5,
        delay=sim.RandomDistribution("uniform_int", (1, 4), rng=random),
    )
    learned = sim.Projection(some, others, sim.FixedProbabilityConnector(0.6, rng=random), rule)
    for pre, post, weight, delay, receptor in (
        (given, some, 1.0, 2.0, "excitatory"),
        (given, some, 0.5, 5.0, "excitatory"),
        (some, some, -0.6, 3.0, "inhibitory"),
        (some, others, 1.5, 1.0, "excitatory"),  # beside the learned ones
        (others, some, 0.7, 9.0, "excitatory"),
    ):
        synapse = sim.StaticSynapse(weight=weight, delay=delay)
        connector = sim.FixedProbabilityConnector(0.4, rng=random)
        sim.Projection(pre, post, connector, synapse, receptor_type=receptor)
    some.record(["spikes", "v"])
    others.record("spikes")
    others[2:4].record("v")
    given.record("spikes")
    sim.run(70.0)
    sim.run(80.0)
    found = [np.array(learned.get("weight", format="list"))]
    for population in (some, others, given):
        segment = population.get_data().segments[0]
        found += [np.array(signal) for signal in segment.analogsignals]
        found += [np.array(train) for train in segment.spiketrains]
    sim.end()
    return found


@needs_lava
def test_a_script_gives_what_brian2_gives() -> None:
    """Other kinds of cells and other delays, several synapses between two neurons, learning over 1 to 4 ms, going on."""
    lava, brian = random_script("loihi"), random_script("brian2")
    assert sum(len(one) for one in lava[1:] if one.ndim == 1) > 300  # spikes
    assert len(lava) == len(brian)
    for one, other in zip(lava, brian, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)


def learning(**changes) -> Plasticity:
    rule = {"tau_plus": 3.0, "tau_minus": 3.0, "A_plus": 1.0, "A_minus": 1.0, "w_min": 0.0, "w_max": 6.0}
    return Plasticity(**(rule | {"weight_dependence": "additive", "dendritic_delay_fraction": 1.0} | changes))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"cell": "IF_cond_exp"}, "IF_cond_exp"),
        ({"tau_syn_E": 1.0}, "tau_syn_E and tau_syn_I"),
        ({"v_thresh": -70.0}, "v_thresh"),
        ({"plasticity": learning(weight_dependence="multiplicative")}, "multiplicative"),
        ({"plasticity": learning(dendritic_delay_fraction=0.0)}, "dendritic"),
        ({"recorded": "isyn_exc"}, "isyn_exc"),
        ({"injected": True}, "injected"),
    ],
)
def test_what_it_does_not_run_is_refused_by_label(changes: dict, word: str) -> None:
    parameters = dict(changes)
    kind = parameters.pop("cell", "IF_curr_exp")
    plasticity, variable = parameters.pop("plasticity", None), parameters.pop("recorded", "spikes")
    injected = parameters.pop("injected", False)
    same = {"tau_syn_E": 5.0, "tau_syn_I": 5.0, "tau_refrac": 1.0} if kind == "IF_curr_exp" else {}
    network = Network(1.0, [source([1.0]), cells(kind, 1, **(same | parameters))])
    network.projections.append(synapses(0, 1, [(0, 0, 1.0, 1.0)], plasticity=plasticity))
    network.recorded.append(Recorded(1, variable, np.arange(1), 1.0))
    if injected:
        network.injections.append(Injection(1, np.arange(1), np.array([0.0]), np.array([1.0])))
    with pytest.raises(UnsupportedError) as caught:
        lower(network)
    assert word in str(caught.value)


def test_a_machine_of_other_rules_is_refused() -> None:
    with pytest.raises(RequestError, match="loihi2-sim") as caught:
        simulate(experiments.functional(), Options("spinnaker", hardware="loihi2-sim"), "loihi")
    assert "lava-float" in caught.value.fix
