"""Small Networks for tests, as plain data, in PyNN's units.

``Model.network(padded=True)`` adds one silent population of every cell type and one weightless synapse of
every kind, so that networks that differ in content have one Structure and share one compiled program.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.base import Options, Session
from neurodeploy.backends.brian2 import Brian2Backend
from neurodeploy.models.network import Injection, Network, Plasticity, Population, Projection, Recorded

IF = {"tau_m": 20.0, "cm": 1.0, "v_rest": -65.0, "v_thresh": -50.0, "v_reset": -65.0, "tau_refrac": 0.1}
CURRENT = IF | {"i_offset": 0.0, "tau_syn_E": 5.0, "tau_syn_I": 5.0}
DEFAULTS = {
    "IF_curr_exp": CURRENT,
    "IF_curr_alpha": CURRENT,
    "IF_curr_delta": IF | {"i_offset": 0.0},
    "IF_cond_exp": CURRENT | {"e_rev_E": 0.0, "e_rev_I": -70.0},
    "Izhikevich": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 2.0, "i_offset": 0.0},
}
"""PyNN's default parameters."""

CELLS = tuple(DEFAULTS)

START = {cell: {"v": -65.0} for cell in CELLS} | {"Izhikevich": {"v": -70.0, "u": -14.0}}
"""PyNN's default initial values."""

PAIR = {
    "tau_plus": 20.0,
    "tau_minus": 20.0,
    "A_plus": 0.01,
    "A_minus": 0.01,
    "weight_dependence": "additive",
    "w_min": 0.0,
    "w_max": 1.0,
    "dendritic_delay_fraction": 1.0,
}

STATIC_PAIRS = [(pre, post) for pre in ("sources", "IF_curr_exp") for post in CELLS]
PLASTIC_PAIRS = [
    ("sources", "IF_curr_exp"),
    ("sources", "IF_curr_delta"),
    ("sources", "IF_cond_exp"),
    ("IF_curr_exp", "IF_curr_exp"),
    ("IF_curr_exp", "IF_curr_delta"),
]
"""The kinds of synapse that a padded network has; what a test connects must be among them."""


def plasticity(**changed: object) -> Plasticity:
    return Plasticity(**(PAIR | changed))


class Model:
    """Collects the parts of a Network; every method that adds a part gives its position."""

    def __init__(self, time_step: float = 1.0, seed: int = 0) -> None:
        self._network = Network(time_step, seed=seed)

    def cells(self, cell: str, size: int = 1, start: dict | None = None, **parameters: object) -> int:
        def spread(table: dict) -> dict[str, np.ndarray]:
            return {
                name: np.array(np.broadcast_to(value, size), dtype=float) for name, value in table.items()
            }

        return self._add(
            Population(
                f"{cell} {len(self._network.populations)}",
                cell,
                size,
                spread(DEFAULTS[cell] | parameters),
                spread(START[cell] | (start or {})),
            )
        )

    def array(self, *trains) -> int:
        """A ``SpikeSourceArray`` with one train a neuron."""
        times = [np.asarray(train, dtype=float) for train in trains]
        label = f"array {len(self._network.populations)}"
        return self._add(Population(label, "SpikeSourceArray", len(times), spike_times=times))

    def poisson(self, size: int, rate=10.0, start=0.0, duration=1e10) -> int:
        table = {"rate": rate, "start": start, "duration": duration}
        parameters = {k: np.array(np.broadcast_to(v, size), dtype=float) for k, v in table.items()}
        label = f"poisson {len(self._network.populations)}"
        return self._add(Population(label, "SpikeSourcePoisson", size, parameters))

    def _add(self, population: Population) -> int:
        self._network.populations.append(population)
        return len(self._network.populations) - 1

    def connect(
        self, pre: int, post: int, weight, delay=None, receptor="excitatory", pairs=None, rule=None
    ) -> int:
        """One to one, or the given ``(pre, post)`` pairs; without a delay it is one time step."""
        size = min(self._network.populations[k].size for k in (pre, post))
        pairs = np.array([(k, k) for k in range(size)] if pairs is None else pairs, dtype=np.int32)
        pairs = pairs.reshape(-1, 2)
        delay = self._network.time_step if delay is None else delay
        self._network.projections.append(
            Projection(
                f"projection {len(self._network.projections)}",
                pre,
                post,
                receptor,
                pairs[:, 0].copy(),
                pairs[:, 1].copy(),
                np.array(np.broadcast_to(weight, len(pairs)), dtype=float),
                np.array(np.broadcast_to(delay, len(pairs)), dtype=float),
                rule,
            )
        )
        return len(self._network.projections) - 1

    def inject(self, population: int, times, amplitudes, neurons=None) -> None:
        size = self._network.populations[population].size
        neurons = np.arange(size) if neurons is None else neurons
        self._network.injections.append(
            Injection(
                population, np.asarray(neurons, np.int32), np.array(times, float), np.array(amplitudes, float)
            )
        )

    def record(self, population: int, *variables: str, neurons=None, interval: float | None = None) -> None:
        size = self._network.populations[population].size
        neurons = np.arange(size, dtype=np.int32) if neurons is None else np.asarray(neurons, np.int32)
        for variable in variables:
            self._network.recorded.append(
                Recorded(population, variable, neurons, interval or self._network.time_step)
            )

    def network(self, padded: bool = True) -> Network:
        if padded:
            self._pad()
        return self._network

    def _pad(self) -> None:
        silent = {"sources": self.array([])}
        for cell in CELLS:
            silent[cell] = self.cells(cell)
        for kind, pairs in (("static", STATIC_PAIRS), ("plastic", PLASTIC_PAIRS)):
            for pre, post in pairs:
                rule = plasticity() if kind == "plastic" else None
                self.connect(silent[pre], silent[post], 0.0, rule=rule)


FIRING = {"tau_m": 0.1, "v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1e3, "tau_refrac": 0.0}
"""Parameters of an ``IF_curr_exp`` that fires only when :func:`fire` makes it."""


def firing(model: Model, rules: str, trains: list[list[int]], cell: str = "IF_curr_exp", **parameters) -> int:
    """Cells that spike at the given steps and at no other: a current of one step, far too strong, does it.

    Under ``ideal`` the spike is at the end of the step of the current, so that step 0 is impossible.
    """
    position = model.cells(cell, len(trains), start={"v": 0.0}, **(FIRING | parameters))
    late = 1 if rules == "ideal" else 0
    dt = model._network.time_step
    for neuron, train in enumerate(trains):
        for step in train:
            times = np.array([step - late, step - late + 1]) * dt
            model.inject(position, times, [1e6, 0.0], neurons=[neuron])
    return position


def start(network: Network, rules: str, engine: str = "cpp", **options: object) -> Session:
    return Brian2Backend().open(network, Options(rules=rules, engine=engine, **options))


def trains_of(session: Session, population: int, time_step: float) -> list[list[int]]:
    """Recorded spikes as whole steps, one list a neuron."""
    times, neurons = session.spikes(population)
    steps = np.rint(times / time_step).astype(int)
    assert np.allclose(steps * time_step, times, rtol=0, atol=1e-9)
    size = session.network.populations[population].size
    return [steps[neurons == k].tolist() for k in range(size)]
