"""What a running model is changed to must not make a current overflow, at the scale the run began with."""

from __future__ import annotations

import numpy as np
import pytest
from loihi_models import cells, connect, everyone, network, source
from random_networks import random_networks

from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.loihi.activity import firing
from neurodeploy.backends.loihi.changing import membranes
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.overflow import refuse_overflow, worst_currents
from neurodeploy.backends.loihi.program import Compartments
from neurodeploy.backends.loihi.program_session import ProgramSession
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Population


class Idle(ProgramSession):
    """A session that executes nothing and remembers what it is told."""

    def __init__(self, model) -> None:
        self.network, self.options, self.chip = model, Options(rules="loihi2"), LOIHI2
        self.report, self.step, self.told = Report(), 0, []
        self.program = lower(model)
        self._membranes = membranes(model, LOIHI2)

    def _change(self, kind, position, name, value):
        self.told.append((kind, position, name))

    def run(self, steps):
        self.step += steps

    def _state(self, group, name):
        return getattr(self.program.groups[group], name)

    def _spikes(self, group): ...
    def _samples(self, recorded): ...
    def _mantissa(self, synapses): ...
    def end(self): ...


def crowd(times=(0.0,), **given):
    """200 sources at full weight onto one cell: the worst input decides the scale."""
    n = 200
    model = network(
        [source(*[list(times)] * n), cells(**given)], [connect(0, 1, np.full(n, 1.0), pairs=everyone(n, 1))]
    )
    model.populations[1].parameters["v_thresh"][:] = -64.0
    return model


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_holds_what_happens_and_a_fresh_program_is_never_refused(seed):
    model = random_networks(seed, 8, ("IF_curr_exp", "IF_curr_delta"), steps=60)
    program = lower(model)
    refuse_overflow(model, program)
    trace = simulate(program, 60)
    groups = program.groups[: len(model.populations)]
    fires = firing(model, [getattr(group, "refractory", None) for group in groups])
    for number, group in enumerate(groups):
        if isinstance(group, Compartments):
            bound = worst_currents(model, program, number, fires, LOIHI2) + np.abs(group.u)
            assert np.all(trace.u[number].max(axis=0) <= bound[0])
            assert np.all(-trace.u[number].min(axis=0) <= bound[1])


def test_denser_spikes_than_the_scale_is_for_are_refused_and_change_nothing():
    session = Idle(crowd())
    before = session.network.populations[0].spike_times
    session.set_spike_times(0, [np.array([3.0])] * 200)
    assert session.told == [("spikes", 0, "")]
    with pytest.raises(RequestError, match="'cells': a current of neuron 0 could reach") as caught:
        session.set_spike_times(0, [np.arange(50.0)] * 200)
    assert "reset()" in caught.value.fix
    assert session.network.populations[0].spike_times is not before
    assert session.network.populations[0].spike_times[0].tolist() == [3.0]
    assert len(session.told) == 1


def test_weights_and_time_constants_that_would_overflow_are_refused():
    session = Idle(crowd())
    most = float(255 / session.program.synapses[0].mantissa.max())
    with pytest.raises(RequestError, match="could reach"):
        session.set_weights(0, np.full(200, 0.99 * most))
    assert session.network.projections[0].weight[0] == 1.0
    slower = {name: values.copy() for name, values in session.network.populations[1].parameters.items()}
    for name in ("tau_syn_E", "tau_syn_I"):
        slower[name][:] = 200.0
    with pytest.raises(RequestError):
        session.set_parameters(1, slower)
    assert session.network.populations[1].parameters["tau_syn_E"][0] == 5.0
    assert session.told == []


def test_a_parameter_that_is_lost_on_the_chip_is_refused_while_a_model_runs():
    session = Idle(crowd())
    endless = {name: values.copy() for name, values in session.network.populations[1].parameters.items()}
    endless["tau_m"][:] = 1e6
    with pytest.raises(RequestError, match="is inf ms on the chip"):
        session.set_parameters(1, endless)


def test_a_new_rate_is_told_with_the_spikes_it_loses():
    noise = {"rate": np.array([50.0]), "start": np.zeros(1), "duration": np.full(1, 1e10)}
    session = Idle(
        network([Population("noise", "SpikeSourcePoisson", 1, noise, {}), cells()], [connect(0, 1, 0.01)])
    )
    session.set_parameters(0, {**noise, "rate": np.array([400.0])})
    assert "at 400 Hz a neuron sends 329.7 Hz" in session.report.changes[0]


def test_what_is_rounded_while_a_model_runs_is_told_once():
    session = Idle(crowd())
    session.set_weights(0, np.full(200, 0.7123))
    slower = {name: values.copy() for name, values in session.network.populations[1].parameters.items()}
    slower["tau_m"][:], slower["tau_refrac"][:] = 70.0, 2.5
    for _ in range(2):
        session.set_parameters(1, slower)
    said = session.report.changes
    assert len(said) == len(set(said)) == 3
    assert said[0].startswith("Projection 'wires': weights that were set while the model ran are off by")
    assert "tau_refrac of 1 of 1 neurons rounded up to whole steps" in said[1] + said[2]
