"""PyNN scripts under the rules of a Loihi: the C++ engine and Lava give the same numbers, and both keep the predicted error.

Costs about 10 s, and once the compilation of the engine's program for each of two sets of rules.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import TARGETS
from drive import cells, opened, record, source, synapses
from lava_programs import needs_lava

from neurodeploy import pynn as sim
from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2 import Brian2Backend
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.errors import RequestError, RunError, UnsupportedError
from neurodeploy.models.network import Network


def run_script(backend: str, rules: str, engine: str = "cpp") -> tuple[list[np.ndarray], str]:
    """All that a script with everything the chip takes records in two runs, and what executed it."""
    sim.setup(timestep=1.0, backend=backend, rules=rules, engine=engine, seed=3)
    noise = sim.Population(20, sim.SpikeSourcePoisson(rate=40.0))
    given = sim.Population(2, sim.SpikeSourceArray(spike_times=[[2, 9, 10, 40, 160], [5, 30]]))
    exponential = sim.Population(
        30, sim.IF_curr_exp(tau_refrac=2.0, i_offset=0.3, tau_syn_E=3.0, tau_syn_I=6.0)
    )
    delta = sim.Population(10, sim.IF_curr_delta(tau_refrac=1.0))
    draw = sim.NumpyRNG(seed=4)

    def connect(pre, post, p: float, weight: float, delay: float, receptor: str = "excitatory"):
        synapse = sim.StaticSynapse(weight=weight, delay=delay)
        return sim.Projection(
            pre, post, sim.FixedProbabilityConnector(p, rng=draw), synapse, receptor_type=receptor
        )

    connect(noise, exponential, 0.3, 2.0, 3.0)
    connect(exponential, exponential, 0.2, -1.0, 70.0, "inhibitory")  # through relays
    onward = connect(exponential, delta, 0.3, 3.0, 1.0)
    connect(given, delta, 1.0, 9.0, 5.0)
    exponential.record(["spikes", "v", "isyn_exc", "isyn_inh"])
    delta.record(["spikes", "v"])
    noise.record("spikes")
    sim.run(150.0)
    onward.set(weight=2.0)
    exponential.set(i_offset=0.5)
    given.set(spike_times=[[155.0], [151.0, 170.0]])
    sim.run(100.0)
    found = []
    for population in (noise, exponential, delta):
        segment = population.get_data().segments[0]
        found += [np.array(signal) for signal in segment.analogsignals]
        found += [np.array(train) for train in segment.spiketrains]
    found.append(np.array(onward.get("weight", format="list")))
    executed_by = sim.get_report().executed_by
    sim.end()
    return found, executed_by


@needs_lava
def test_a_script_gives_the_same_numbers_in_the_engine_and_in_lava(target) -> None:
    ours, stamp = run_script("brian2", "loihi2", target.engine)
    theirs, _ = run_script("loihi", "loihi2")
    assert stamp == "chip arithmetic"
    assert sum(len(values) for values in ours if values.ndim == 1) > 400  # spikes
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def below_threshold(seed: int) -> Network:
    """Cells that are driven by both signs and never fire."""
    draw = np.random.default_rng(seed)
    trains = [np.unique(draw.integers(0, 300, 12)) for _ in range(20)]
    network = Network(1.0, [source(*trains), cells("IF_curr_exp", 30, v_thresh=10.0, i_offset=0.2)])
    for receptor, largest in (("excitatory", 0.9), ("inhibitory", -0.6)):
        rows = [
            (*draw.integers(0, (20, 30)), largest * draw.uniform(), draw.integers(1, 80)) for _ in range(150)
        ]
        network.projections.append(synapses(0, 1, rows, receptor))
    record(network, 1, "v", "spikes")
    return network


@pytest.mark.parametrize("seed", [1, 2])
def test_a_voltage_is_within_the_predicted_error_of_the_float_rules(seed: int) -> None:
    voltages = {}
    for rules in ("spinnaker", "loihi2"):
        session = opened(below_threshold(seed), TARGETS["cpp"], rules)
        session.run(400)
        voltages[rules] = session.samples(1, "v")[:400]
        assert len(session.spikes(1)[0]) == 0
        session.end()
    predicted = lower(below_threshold(seed)).report.populations[0].error
    error = np.abs(voltages["loihi2"] - voltages["spinnaker"])
    assert 0 < error.max() <= predicted.total
    assert np.ptp(voltages["spinnaker"]) > 5
    assert np.sqrt(np.mean(error**2)) < 4 * predicted.typical


def test_both_chips_run_alike_and_a_kept_program_is_whole(tmp_path: Path) -> None:
    found = []
    for rules in ("loihi1", "loihi2"):
        network = below_threshold(3)
        network.populations[1].parameters["v_thresh"][:] = -58.0
        session = Brian2Backend().open(network, Options(rules, folder=tmp_path / rules))
        session.run(300)
        assert session.report.facts["rules"] == rules and session.report.facts["network"] == network.digest()
        found.append([*session.spikes(1), session.samples(1, "v")])
        session.end()
        assert {path.name for path in (tmp_path / rules).iterdir()} == {
            "program.json",
            "arrays.npz",
            "quantisation.json",
        }
        assert json.loads((tmp_path / rules / "program.json").read_text())["chip"] == rules
    assert len(found[0][0]) > 20
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(RunError, match="has ended"):
        session.run(1)


@pytest.mark.parametrize(
    ("cell", "changes", "error", "words"),
    [
        ("IF_cond_exp", {}, UnsupportedError, ["'cells'", "IF_cond_exp", "whatever the voltage is"]),
        ("IF_curr_exp", {"tau_m": np.nan}, RequestError, ["'cells'", "tau_m", "nan"]),
    ],
)
def test_what_the_chip_lacks_is_refused_before_anything_starts(cell, changes, error: type, words) -> None:
    network = Network(1.0, [cells(cell, **changes)])
    for refuse in (Brian2Backend().check, Brian2Backend().open):
        with pytest.raises(error) as refused:
            refuse(network, Options("loihi2"))
        for word in words:
            assert word in str(refused.value)
