"""A board that stays up, and trials on it, one session after the other."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.failures import NoRoomError
from neurodeploy.backends.spinnaker.session import SpinnakerSession, start_board
from neurodeploy.boardtest.trial import Measured, Refused, Trial
from neurodeploy.chips.spinnaker_core import Outcome
from neurodeploy.errors import RequestError
from neurodeploy.hardware import SpinnakerHardware

RULES = "spinnaker"


class Bench:
    """A board to run trials on; an emulated one is up while this context is.

    Parameters
    ----------
    hardware : SpinnakerHardware
        Its ``spikes_per_second`` and ``ring_buffer_sigma`` are not used: the tests are made for their defaults, which
        decide how weights are rounded.
    log : Path
        Where an emulated board writes what happens to it.

    Attributes
    ----------
    facts : dict
        What is known of the board: ``address``, ``executed_by``, and ``board_engine`` of one that was started here; after
        a trial the tools' versions.
    """

    def __init__(self, hardware: SpinnakerHardware, log: Path) -> None:
        defaults = {
            name: SpinnakerHardware.model_fields[name].default
            for name in ("spikes_per_second", "ring_buffer_sigma", "poisson_on_chip")
        }
        self.hardware, self.log = hardware.model_copy(update=defaults), log
        self.facts: dict[str, Any] = {"executed_by": hardware.executed_by}
        self._stack = ExitStack()

    def __enter__(self) -> Bench:
        address, _ = start_board(self.hardware, self.log, self._stack, self.facts)
        self.facts["address"] = address
        if self.hardware.machine == "emulated":
            self.hardware = self.hardware.model_copy(update={"host": address, "faults": None})
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, trial: Trial) -> Measured | Refused:
        """Load `trial`, run it, read what it recorded; refused where the tools or the chip's memory do not take it.

        Raises
        ------
        RunError
            The board, or what drives it, failed.
        """
        changes: dict[str, Any] = {"time_limit_seconds": min(trial.limit, self.hardware.time_limit_seconds)}
        if trial.neurons_per_core is not None:
            changes["neurons_per_core"] = trial.neurons_per_core
        hardware = self.hardware.model_copy(update=changes)
        began = time.perf_counter()
        session: SpinnakerSession | None = None
        try:
            session = SpinnakerSession(trial.network, Options(RULES, allow_losses=True), hardware)
            return self._measure(session, trial, began)
        except (RequestError, NoRoomError) as error:
            what = [line.strip() for line in error.what.splitlines() if not line.strip().startswith("log:")]
            return Refused(trial, f"{' '.join(what)} ({error.why})")
        finally:
            if session is not None:
                session.end()

    def _measure(self, session: SpinnakerSession, trial: Trial, began: float) -> Measured:
        clock = [began, time.perf_counter()]
        for steps in trial.runs:
            session.run(steps)
        clock.append(time.perf_counter())
        network, numbers = trial.network, Outcome()
        for recorded in network.recorded:
            position, variable = recorded.population, recorded.variable
            if variable == "spikes":
                times, neurons = session.spikes(position)
                numbers.spikes[position] = np.rint(times / network.time_step).astype(np.int64), neurons
            else:
                numbers.samples[position, variable] = session.samples(position, variable)
        if trial.weights:
            for position in range(len(network.projections)):
                numbers.weights[position] = session.weights(position)
        clock.append(time.perf_counter())
        facts = session.report.facts
        self.facts["executed_by"] = session.report.executed_by
        self.facts |= {name: facts[name] for name in ("spynnaker", "pynn") if name in facts}
        places: dict[str, list[tuple[int, int, int]]] = {}
        for vertex in facts["mapping"]:
            x, y = vertex["chip"]
            places.setdefault(str(vertex["population"]), []).append((x, y, vertex["core"]))
        seconds = {name: clock[i + 1] - clock[i] for i, name in enumerate(("load", "run", "read"))}
        return Measured(trial, numbers, session.losses, places, seconds)
