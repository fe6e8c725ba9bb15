"""The one simulation that is being built or run: its state, and the session that executes it."""

from __future__ import annotations

import atexit
import math
from typing import Any

import numpy as np
from pyNN import common

from neurodeploy.backends.base import Backend, Options, Report, Session
from neurodeploy.errors import RequestError, RunError
from neurodeploy.models.network import Injection, Network
from neurodeploy.models.pynn.errors import check_names

name = "neurodeploy"

FIRST_ID = 1
GRID_TOLERANCE = 1e-6
"""Share of a time step by which a time may miss the grid and still count as on it."""


class ID(int, common.IDMixin):
    """The identity of one cell: an integer that also knows its population and its parameters."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python looks for is no parameter
            raise AttributeError(name)
        if name not in ("parent", "set"):
            check_names([name], self.celltype.get_parameter_names(), f"A cell of '{self.parent.label}'")
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in ("parent", "position"):
            check_names([name], self.celltype.get_parameter_names(), f"A cell of '{self.parent.label}'")
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)


def steps_of(time: float, time_step: float) -> int | None:
    """The whole number of steps in `time` ms, or None where it is no multiple of `time_step`."""
    ratio = time / time_step
    steps = round(ratio)
    return steps if abs(ratio - steps) <= GRID_TOLERANCE else None


class Frozen(Session):
    """What an ended session had recorded: it can still be read, but neither run nor changed."""

    def __init__(self, session: Session, network: Network) -> None:
        self.report = session.report
        self._spikes = {}
        self._samples = {}
        for recorded in network.recorded:
            where = recorded.population
            if recorded.variable == "spikes":
                self._spikes[where] = session.spikes(where)
            else:
                self._samples[where, recorded.variable] = session.samples(where, recorded.variable)
        self._weights = {
            position: session.weights(position)
            for position, projection in enumerate(network.projections)
            if projection.plasticity is not None
        }

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        return self._spikes[population]

    def samples(self, population: int, variable: str) -> np.ndarray:
        return self._samples[population, variable]

    def weights(self, projection: int) -> np.ndarray:
        return self._weights[projection]

    def end(self) -> None:
        """Nothing is left to stop."""

    def _refuse(self, *_: Any) -> Any:
        raise RequestError(
            "The simulation has ended: it can be read, but not changed or run any further",
            fix="call setup() and build the model again, or change it before end()",
        )

    run = state = set_parameters = set_state = set_spike_times = _refuse  # type: ignore[assignment]
    set_weights = set_delays = set_injections = _refuse  # type: ignore[assignment]


class State(common.control.BaseState):
    """Everything between one ``setup()`` and the next.

    Attributes
    ----------
    dt : float
        Time step, ms.
    steps : int
        Present time, in steps since the last ``reset()``.
    populations, projections : list
        In the order of their creation; their positions in the Network.
    injections : list of (source, population, neurons)
    session : Session or None
        Open from the first ``run()`` on.
    """

    def __init__(self) -> None:
        common.control.BaseState.__init__(self)
        self.mpi_rank = 0
        self.num_processes = 1
        self.session: Session | None = None
        self.is_set_up = False
        self.dt = 0.1
        self.clear()

    def clear(self) -> None:
        """Forget the whole model and end what runs."""
        self.close()
        self.recorders: set[Any] = set()
        self.write_on_end: list[Any] = []
        self.next_id = FIRST_ID
        self.populations: list[Any] = []
        self.projections: list[Any] = []
        self.injections: list[tuple[Any, Any, np.ndarray]] = []
        self.network: Network | None = None
        self.parts: list[list[tuple[int, np.ndarray | None]]] = []
        self.last_report: Report | None = None
        self.backend: Backend | None = None
        self.options = Options()
        self.seed = 0
        self.shortest_delay: float | None = None
        self.longest_delay: float | None = None
        self.ended = False
        self.segment_counter = -1
        self.reset()

    def close(self) -> None:
        """End the session, if one is open."""
        session, self.session = self.session, None
        if session is not None:
            self.last_report = session.report
            session.end()

    def reset(self) -> None:
        """Back to t = 0, with the model as it stands; the next run opens it anew."""
        self.close()
        self.running = False
        self.steps = 0
        self.t_start = 0
        self.segment_counter += 1

    def end(self) -> None:
        """End the session, but keep what it recorded readable."""
        session = self.session
        if session is not None and self.network is not None and not isinstance(session, Frozen):
            try:
                frozen = Frozen(session, self.network)
            finally:
                self.close()
            self.session = frozen
        self.ended = True

    # --- time ----------------------------------------------------------------

    @property
    def t(self) -> float:
        """Present time, ms."""
        return round(self.steps * self.dt, 9)

    @property
    def min_delay(self) -> float:
        """The shortest delay a synapse may have, ms: ``setup()``'s, else one time step."""
        return self.dt if self.shortest_delay is None else self.shortest_delay

    @property
    def max_delay(self) -> float:
        """The longest delay a synapse may have, ms: ``setup()``'s, else the longest there is."""
        if self.longest_delay is not None:
            return self.longest_delay
        longest = [float(p._delay.max()) for p in self.projections if len(p)]
        return max(longest, default=self.min_delay)

    def run_until(self, time: float) -> None:
        """Advance to the step nearest to `time` ms, by at least one step where `time` lies ahead."""
        target = round(time / self.dt)
        if target <= self.steps and time > self.t + 1e-9:
            target = self.steps + 1
        self.advance(max(0, target - self.steps))

    def advance(self, steps: int) -> None:
        """Run `steps` time steps, opening the model first where it is not open."""
        self.require_set_up("run")
        if self.ended:
            raise RequestError(
                "The simulation has ended and can't run on",
                fix="call setup() and build the model again, or call end() later",
            )
        session = self.session or self.open()
        self.running = True
        if steps:
            session.run(steps)
            self.steps += steps

    def run(self, time: float) -> None:
        self.run_until(self.t + time)

    # --- the session ---------------------------------------------------------

    @property
    def live(self) -> Session | None:
        """The session that changes must be told to, if the model is open."""
        return self.session

    def open(self) -> Session:
        """Build the Network, check it and load it."""
        from neurodeploy.models.pynn.build import build

        if self.backend is None:
            raise RunError("No backend was chosen", fix="call setup(backend=...)")
        network, parts = build(self)
        self.backend.check(network, self.options)
        session = self.backend.open(network, self.options)
        self.network, self.parts, self.session = network, parts, session
        for recorder in self.recorders:
            recorder.opened()
        return session

    def set_injections(self) -> None:
        """Tell an open session about all current injections."""
        if self.live is not None:
            self.live.set_injections(self.injections_as_data())

    def injections_as_data(self) -> list[Injection]:
        result = []
        for source, population, neurons in self.injections:
            times, amplitudes = source.as_steps()
            if len(times):
                position = self.position(population)
                result.append(Injection(position, neurons.astype(np.int32), times, amplitudes))
        return result

    def position(self, population: Any) -> int:
        """Where `population` stands in the Network."""
        position: int = population._position
        if position >= len(self.populations) or self.populations[position] is not population:
            raise RequestError(
                f"Population '{population.label}' belongs to a simulation that a later setup() has ended",
                fix="read its data before calling setup() again",
            )
        return position

    # --- what may be done now ------------------------------------------------

    def require_set_up(self, action: str) -> None:
        if not self.is_set_up:
            raise RequestError(f"There is no simulation to {action} yet", fix="call setup() first")

    def require_structure_open(self, what: str) -> None:
        """Raise where the model can no longer grow."""
        self.require_set_up(f"add {what} to")
        if self.session is not None or self.ended:
            raise RequestError(
                f"{what[0].upper() + what[1:]} can't be added at t = {self.t:g} ms, after the first run",
                why="the model is loaded, and its structure is fixed until it starts again",
                fix="call reset() first to start again from t = 0, or setup() for a new model",
            )


def finite(value: Any) -> bool:
    """Whether `value` is one finite number."""
    try:
        return bool(math.isfinite(value))
    except TypeError:
        return False


state = State()
atexit.register(state.close)
