"""Learning projections on their way to the chip, and the dense reference that executes them."""

from __future__ import annotations

import numpy as np
import pytest
from cam_cases import a18
from reference_cam import simulate as in_floats
from test_loihi_lowering import cells, connect, network, source

from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.cam import experiments
from neurodeploy.cam.decoding import decode, spike_rows
from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.loihi import LOIHI
from neurodeploy.cam.model import POPULATION_NAMES, build
from neurodeploy.cam.operations import spike_times
from neurodeploy.chips.loihi_learning import LearningState, advance, random_numbers
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Plasticity, Recorded

RULE = Plasticity(20.0, 15.0, 0.1, 0.12, "additive", 0.0, 2.0, 1.0)


def memory_program(experiment: Experiment):
    from neurodeploy.models import pynn as sim

    sim.setup(timestep=1.0, min_delay=1.0)
    spikes = spike_times(experiment.operations, experiment.cues, experiment.contents)
    build(sim, experiment.cues, experiment.contents, *spikes, circuit=LOIHI)
    program = lower(sim.capture())
    sim.end()
    return program


@pytest.mark.parametrize(
    "experiment",
    [
        experiments.functional(),
        experiments.state_map(),
        a18(0),
        experiments.random(3, cues=16, contents=16, spacing=8),
    ],
    ids=lambda e: e.name,
)
def test_the_memory_in_whole_numbers_spikes_as_in_floats_and_is_faultless(experiment: Experiment) -> None:
    program = memory_program(experiment)
    trace = simulate(program, experiment.duration_ms)
    spikes = {
        group.label: tuple(np.nonzero(fired))
        for group, fired in zip(program.groups, trace.spikes, strict=True)
        if group.label in POPULATION_NAMES
    }
    assert spike_rows(spikes) == spike_rows(in_floats(experiment, circuit="loihi").spikes)
    assert all(one.correct for one in decode(experiment, spikes))
    weights = [w for s, w in zip(program.synapses, trace.weights, strict=True) if s.learning is not None]
    assert len(weights) == 2 and set(np.concatenate(weights)) == {0, 255}


def plastic(rule: Plasticity = RULE, seed: int = 0, weight: float = 1.0, **other):
    draws = np.random.default_rng(seed)
    inputs = source(*[sorted(draws.choice(200, 20, replace=False).astype(float)) for _ in range(6)])
    pairs = [(i, j) for i in range(6) for j in range(4) if (i + j) % 3]
    wires = connect(0, 1, np.full(len(pairs), weight), pairs=pairs, **other)
    wires.plasticity = rule
    return network([inputs, cells(4)], [wires], recorded=[Recorded(1, "spikes", np.arange(4), 1.0)])


def test_w_max_is_the_mantissa_255_and_the_report_says_what_the_rule_became() -> None:
    program = lower(plastic())
    (synapses,) = program.synapses
    assert synapses.learning is not None
    assert set(synapses.mantissa) == {128}  # 1 of 2 nA
    said = [change for change in program.changes if "pair rule became" in change]
    assert len(said) == 1 and "'wires'" in said[0] and synapses.learning.dw in said[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_reference_learns_as_the_engine_does(seed: int) -> None:
    """Given the spikes of the run, the learning engine by itself comes to the same weights; and they have moved."""
    program = lower(plastic(seed=seed))
    (synapses,) = program.synapses
    trace = simulate(program, 200)
    assert trace.spikes[1].sum() > 10
    state = LearningState.of(synapses.pre_index, synapses.post_index, synapses.mantissa, 6, 4)
    for step, row in enumerate(random_numbers(synapses.learning, 0, 200)):
        advance(synapses.learning, state, trace.spikes[0][step], trace.spikes[1][step], row)
    np.testing.assert_array_equal(trace.weights[0], state.weight)
    assert np.count_nonzero(state.weight != synapses.mantissa) > len(state.weight) // 2


def test_a_learned_weight_acts_one_step_after_it_has_changed() -> None:
    """A coincidence at step 3 is not in the spike of step 3, but in that of step 5."""
    rule = Plasticity(0.1, 0.1, np.exp(10.0), 1.0, "additive", 0.0, 40.0, 1.0)
    driver, wires = connect(1, 2, 300.0), connect(0, 2, 0.0, label="learned")
    wires.plasticity = rule
    driven = [source([3.0, 5.0], label="pre"), source([2.0], label="teacher"), cells(1, tau_syn_E=0.1)]
    program = lower(network(driven, [driver, wires]))
    trace = simulate(program, 12)
    assert np.flatnonzero(trace.spikes[2][:, 0])[0] == 3
    current = trace.u[2][:, 0, 0] > 0
    assert np.flatnonzero(current).tolist() == [4, 7]  # sample k is before step k: steps 3 (teacher) and 6


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: plastic(Plasticity(20.0, 20.0, 0.1, 0.1, "multiplicative", 0.0, 2.0, 1.0)), "Additive"),
        (lambda: plastic(delay=3.0), "delay of one time step"),
        (lambda: plastic(weight=3.0), "outside 0 to w_max"),
        (lambda: _two_bounds(), "same w_max"),
        (lambda: _twice(), "two learning synapses"),
        (lambda: _unequal(), "same tau_syn_E"),
        (lambda: plastic(Plasticity(20.0, 20.0, 0.1, 0.1, "additive", 0.0, 1e-4, 1.0), weight=0.0), "w_max"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_label(model, words: str) -> None:
    with pytest.raises(UnsupportedError, match="wires") as refused:
        lower(model())
    assert words in str(refused.value)


def _two_bounds():
    model = plastic()
    other = connect(0, 1, 1.0, label="other")
    other.plasticity = Plasticity(20.0, 15.0, 0.1, 0.12, "additive", 0.0, 3.0, 1.0)
    model.projections.append(other)
    return model


def _twice():
    model = plastic()
    model.projections[0].post_index[1] = model.projections[0].post_index[0]
    model.projections[0].pre_index[1] = model.projections[0].pre_index[0]
    return model


def _unequal():
    model = plastic()
    model.populations[1].parameters["tau_syn_E"][0] = 3.0
    return model
