"""The nasty cases by name, run as a user runs them: the engine and Lava give the reference's numbers, within the predicted error.

Costs about 10 s, and once the compilation of the engine's program.
"""

from __future__ import annotations

import loihi_float
import numpy as np
import pytest
from lava_programs import needs_lava
from loihi_scripts import NASTY, STEPS

from neurodeploy import pynn as sim
from neurodeploy.backends.loihi.activity import observed
from neurodeploy.backends.loihi.inputs import poisson_source
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.models.network import Network


def played(name: str, backend: str) -> tuple[Network, np.ndarray, list[np.ndarray]]:
    """A nasty case, run: its Network, and v and the spike trains of its cells."""
    sim.setup(timestep=1.0, backend=backend, rules="loihi2", seed=2)
    cells = NASTY[name]()
    network = sim.capture()
    sim.run(STEPS.get(name, 30))
    segment = cells.get_data().segments[0]
    v = np.array(segment.analogsignals[0])
    trains = [np.array(train) for train in segment.spiketrains]
    sim.end()
    return network, v, trains


def as_steps(trains: list[np.ndarray], steps: int) -> np.ndarray:
    found = np.zeros((steps, len(trains)), dtype=bool)
    for neuron, train in enumerate(trains):
        found[np.rint(train).astype(int), neuron] = True
    return found


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_case_runs_as_the_reference_says_and_within_its_predicted_error(name: str) -> None:
    steps = STEPS.get(name, 30)
    network, v, trains = played(name, "brian2")
    program = lower(network)
    source = network.populations[0]
    if source.cell == "SpikeSourcePoisson":
        program.groups[0] = poisson_source(network, 0, 0, steps)
        source.spike_times = [
            program.groups[0].steps[program.groups[0].neurons == n].astype(float) for n in range(source.size)
        ]
    trace = simulate(program, steps)
    units = program.units[1]
    np.testing.assert_array_equal(as_steps(trains, steps), trace.spikes[1])
    np.testing.assert_array_equal(v, units.v_zero + trace.v[1] / units.v_scale)
    _, exact, _ = loihi_float.simulate(network, steps, trace.spikes)
    row = program.report.with_activity(observed(trace.spikes[:2], 10))[0]
    assert np.abs(v - exact[1]).max() <= row.error.total
    assert np.abs(exact[1] - network.populations[1].parameters["v_rest"]).max() > 10  # something has happened


def test_what_the_nasty_cases_do_is_what_pynn_says() -> None:
    _, v, _ = played("thousand_three_and_minus_one", "brian2")
    height = v[3] + 65.0  # the step after the spikes arrive
    assert height[1] / height[0] == pytest.approx(0.003, rel=0.02)
    assert height[2] / height[0] == pytest.approx(-0.001, rel=0.03)
    assert height[3] == pytest.approx(height[:3].sum(), rel=1e-4)
    _, _, late = played("delays_of_63_and_500", "brian2")
    assert (late[0][0], late[1][0]) == (1 + 63, 3 + 500)
    assert 20 + 63 in late[0]
    _, _, fast = played("time_constants_below_the_step", "brian2")
    assert len(fast[0]) == 0
    _, v, many = played("five_thousand_synapses", "brian2")
    assert (
        many[0][0] == 2
    )  # the first volley is over the threshold; a sum that wrapped round would be under it
    assert v.min() >= -65.0


@needs_lava
@pytest.mark.parametrize("name", ["thousand_three_and_minus_one", "delays_of_63_and_500"])
def test_a_nasty_case_is_the_same_in_lava(name: str) -> None:
    _, v, trains = played(name, "brian2")
    _, of_lava, in_lava = played(name, "loihi")
    np.testing.assert_array_equal(v, of_lava)
    for one, other in zip(trains, in_lava, strict=True):
        np.testing.assert_array_equal(one, other)
