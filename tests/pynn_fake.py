"""A backend that runs nothing: it keeps every call, and makes up spikes and samples that are easy to foresee.

Neuron k of every recorded population spikes at the end of each step whose number is a multiple of k + 1.  The
sample of a state variable taken at time t is t + 1000 k.  Plastic weights grow by 0.001 a step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.backends.base import Backend, Options, Report, Session
from neurodeploy.models.network import Injection, Network


class FakeSession(Session):
    def __init__(self, network: Network) -> None:
        self.network = network
        self.report = Report(facts={"fake": True})
        self.steps = 0
        self.calls: list[tuple[Any, ...]] = []
        self.ended = 0
        self._weights = [np.array(projection.weight) for projection in network.projections]

    def run(self, steps: int) -> None:
        self.calls.append(("run", steps))
        self.steps += steps
        for position, projection in enumerate(self.network.projections):
            if projection.plasticity is not None:
                self._weights[position] = self._weights[position] + 0.001 * steps

    def _recorded(self, population: int, variable: str):
        for recorded in self.network.recorded:
            if (recorded.population, recorded.variable) == (population, variable):
                return recorded
        raise AssertionError(f"{variable} of population {population} is read, but was not asked for")

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        neurons = self._recorded(population, "spikes").neurons
        pairs = [
            (step * self.network.time_step, neuron)
            for step in range(1, self.steps + 1)
            for neuron in neurons
            if step % (neuron + 1) == 0
        ]
        return np.array([time for time, _ in pairs]), np.array([neuron for _, neuron in pairs], dtype=int)

    def samples(self, population: int, variable: str) -> np.ndarray:
        recorded = self._recorded(population, variable)
        every = round(recorded.sampling_interval / self.network.time_step)
        times = np.arange(0, self.steps, every) * self.network.time_step
        return times[:, None] + 1000.0 * recorded.neurons

    def state(self, population: int, variable: str) -> np.ndarray:
        return np.full(self.network.populations[population].size, 7.0)

    def weights(self, projection: int) -> np.ndarray:
        return self._weights[projection]

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        self.calls.append(("set_parameters", population, parameters))

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        self.calls.append(("set_state", population, variable, values))

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        self.calls.append(("set_spike_times", population, spike_times))

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        self._weights[projection] = np.array(weight)
        self.calls.append(("set_weights", projection, weight))

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        self.calls.append(("set_delays", projection, delay))

    def set_injections(self, injections: list[Injection]) -> None:
        self.calls.append(("set_injections", injections))

    def end(self) -> None:
        self.ended += 1


class FakeBackend(Backend):
    name = "fake"
    description = "keeps what it is told"

    def __init__(self) -> None:
        self.checked: list[tuple[Network, Options]] = []
        self.sessions: list[FakeSession] = []

    def check(self, network: Network, options: Options) -> None:
        self.checked.append((network, options))

    def open(self, network: Network, options: Options) -> Session:
        self.sessions.append(FakeSession(network))
        return self.sessions[-1]

    @property
    def session(self) -> FakeSession:
        """The newest session."""
        return self.sessions[-1]
