"""The process that executes a script until its first run: ``python -m ...script_process ANSWER SCRIPT [ARGUMENT ...]``.

It leaves a pickled :class:`~neurodeploy.models.pynn.scripts.Captured` in the file ANSWER.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.models.network import Network
from neurodeploy.models.pynn import control
from neurodeploy.models.pynn.scripts import Captured
from neurodeploy.models.pynn.stand_in import Host, execute, failure_of


class Done(BaseException):
    """The script has come to its first run."""


class Capturing(Backend):
    """Takes the model and the length of its first run, and ends the script there."""

    name, description, has_hardware = "capture", "", True

    def __init__(self, captured: Captured) -> None:
        self.captured = captured

    def check(self, network: Network, options: Options) -> None:
        if self.captured.network is None:
            self.captured.network = network

    def open(self, network: Network, options: Options) -> Session:
        raise Done


class CapturingHost(Host):
    """Gives a script the backend that captures it, whatever it asks for."""

    def __init__(self, captured: Captured) -> None:
        self.captured, self.backend, self.notes = captured, Capturing(captured), captured.notes
        self.replaced = {"run": self.run, "run_for": self.run, "run_until": self.run_until}

    def setup(self, timestep: float, min_delay: Any, extra: dict[str, Any]) -> int:
        rules, backend = extra.pop("rules", None), extra.pop("backend", None)
        self.captured.rules = rules
        self.captured.backend = backend if isinstance(backend, str) else getattr(backend, "name", None)
        for name in ("hardware", "host", "engine", "progress"):
            extra.pop(name, None)
        return control.setup(timestep, min_delay, backend=self.backend, **extra)

    def run(self, simtime: float, *arguments: Any, **more: Any) -> float:
        """Note the length of the first run."""
        self.captured.steps = round(float(simtime) / control.simulator.state.dt)
        return control.run(simtime)

    def run_until(self, time_point: float, *arguments: Any, **more: Any) -> float:
        self.captured.steps = round(float(time_point) / control.simulator.state.dt)
        return control.run_until(time_point)


def main() -> None:
    answer, script, *arguments = sys.argv[1:]
    path = Path(script).resolve()
    captured = Captured()
    warnings.simplefilter("ignore")
    try:
        execute(script, arguments, CapturingHost(captured))
    except Done:
        pass
    except BaseException as error:
        if captured.network is None:
            captured.failure = failure_of(error, path)
    if captured.network is None and captured.failure is None and control.simulator.state.is_set_up:
        captured.network = control.capture()
        captured.notes.append("the script never calls run(); recordings are counted for no time at all")
    Path(answer).write_bytes(pickle.dumps(captured))


if __name__ == "__main__":
    main()
