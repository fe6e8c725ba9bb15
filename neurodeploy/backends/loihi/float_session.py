"""A Network under SpiNNaker's tick rules in Lava's floating point: the exact reference on this machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.backends.loihi.float_lower import ELSEWHERE, lower
from neurodeploy.backends.loihi.session import LoihiSession
from neurodeploy.errors import UnsupportedError


class FloatSession(LoihiSession):
    """See :class:`neurodeploy.backends.base.Session`.  It plays the model as it was loaded."""

    def _lower(self) -> dict[str, Any]:
        self.program = lower(self.network)
        return {}

    def weights(self, projection: int) -> np.ndarray:
        weight = np.array(self.network.projections[projection].weight, dtype=float)
        for number, synapses in enumerate(self.program.synapses):
            if synapses.projection == projection and synapses.learning is not None:
                weight = self._mantissa(number)
        return weight

    def _refuse(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{what} can't be read or changed while Lava's floating point runs",
            why="it is the reference for a model as it is loaded: spikes, v and weights",
            fix=f"set it before the first run, or {ELSEWHERE}",
        )

    def state(self, population: int, variable: str) -> np.ndarray:
        raise self._refuse(f"{variable} of '{self.network.populations[population].label}'")

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        raise self._refuse(f"The parameters of '{self.network.populations[population].label}'")

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        raise self._refuse(f"{variable} of '{self.network.populations[population].label}'")

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        raise self._refuse(f"The spike times of '{self.network.populations[population].label}'")

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        raise self._refuse(f"The weights of '{self.network.projections[projection].label}'")

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        raise self._refuse(f"The delays of '{self.network.projections[projection].label}'")

    def set_injections(self, injections: list[Any]) -> None:
        raise self._refuse("Injected currents")
