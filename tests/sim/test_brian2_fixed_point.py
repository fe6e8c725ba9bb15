"""SpiNNaker's fixed point in the engine: every sample and spike of the whole-number model of a core, which is the machine's."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import random_networks

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2 import Brian2Backend
from neurodeploy.chips import spinnaker_core
from neurodeploy.models.network import Network

RULES = "spinnaker-fixed"
STEPS = 60


def differences(network: Network, engine: str) -> list[str]:
    said = spinnaker_core.simulate(network, STEPS)
    session = Brian2Backend().open(network, Options(RULES, engine=engine))
    try:
        session.run(STEPS)
        assert session.report.executed_by == "chip arithmetic"
        found = []
        for recorded in network.recorded:
            position, variable = recorded.population, recorded.variable
            label = network.populations[position].label
            if variable == "spikes":
                times, neurons = session.spikes(position)
                steps = np.rint(times / network.time_step).astype(int)
                if not all(
                    np.array_equal(a, b) for a, b in zip((steps, neurons), said.spikes[position], strict=True)
                ):
                    found.append(f"{label}: spikes")
            else:
                apart = np.argwhere(session.samples(position, variable) != said.samples[position, variable])
                found += [f"{label}: {variable} at step {step}" for step, _ in apart[:1]]
    finally:
        session.end()
    return found


@pytest.mark.parametrize("seed", [1, 11])
def test_every_sample_and_spike_is_the_cores(seed: int) -> None:
    network = random_networks(count=28, steps=STEPS, seed=seed, cells=("IF_curr_exp",))
    assert sum(len(s) for s, _ in spinnaker_core.simulate(network, STEPS).spikes.values()) > 80
    assert differences(network, "cpp") == []
