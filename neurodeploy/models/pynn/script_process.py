"""The process that executes a stranger's script: ``python -m ...script_process ANSWER SCRIPT [ARGUMENT ...]``.

It leaves a pickled :class:`~neurodeploy.models.pynn.scripts.Captured` in the file ANSWER.
"""

from __future__ import annotations

import linecache
import pickle
import runpy
import sys
import traceback
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyNN import utility

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.errors import NeurodeployError, UnsupportedError, did_you_mean
from neurodeploy.models import pynn as front
from neurodeploy.models.network import Network
from neurodeploy.models.pynn import control
from neurodeploy.models.pynn.scripts import Captured, Failure

SIMULATORS = ("arbor", "brian", "brian2", "mock", "moose", "nest", "neuroml", "neuron", "pcsim", "spiNNaker")
"""Modules of ``pyNN`` that are simulators."""

OTHERS = ("neurodeploy.pynn", "spynnaker8")
"""Simulators by other names."""

DEFAULT = "nest"
"""What a script that asks for the name of a simulator is told where the user names none."""


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


class NotThereError(UnsupportedError, AttributeError):
    """The script uses a name that this package's front end does not have."""


class StandIn(types.ModuleType):
    """This package's front end in the place of another simulator.

    Parameters
    ----------
    module : str
        The simulator's.
    captured : Captured
    """

    def __init__(self, module: str, captured: Captured) -> None:
        super().__init__(module)
        self.__dict__.update({key: value for key, value in vars(front).items() if not key.startswith("__")})
        self.__all__ = list(front.__all__)
        self._name, self._captured, self._backend = module, captured, Capturing(captured)
        for name in ("setup", "run", "run_until", "set_number_of_neurons_per_core"):
            self.__dict__[name] = getattr(type(self), name).__get__(self)
        self.run_for = self.run

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotThereError(
            f"{self._name}.{name} is not there in neurodeploy.{did_you_mean(name, front.__all__)}",
            why="the script is executed with this package's PyNN front end",
            fix="leave it out, or use what every PyNN simulator has",
        )

    def setup(self, timestep: float = 0.1, min_delay: Any = "auto", **extra: Any) -> int:
        """``setup()``, with what other simulators have beside PyNN's own parameters left out and told."""
        for name in [name for name in extra if name not in control.EXTRA]:
            self._captured.notes.append(
                f"setup(): {name}={extra.pop(name)!r} is for {self._name}, and has no meaning here"
            )
        rules, backend = extra.pop("rules", None), extra.pop("backend", None)
        self._captured.rules = rules
        self._captured.backend = backend if isinstance(backend, str) else getattr(backend, "name", None)
        for name in ("hardware", "host", "engine", "progress"):
            extra.pop(name, None)
        return control.setup(timestep, min_delay, backend=self._backend, **extra)

    def run(self, simtime: float, *arguments: Any, **more: Any) -> float:
        """Note the length of the first run."""
        self._captured.steps = round(float(simtime) / control.simulator.state.dt)
        return control.run(simtime)

    def run_until(self, time_point: float, *arguments: Any, **more: Any) -> float:
        self._captured.steps = round(float(time_point) / control.simulator.state.dt)
        return control.run_until(time_point)

    def set_number_of_neurons_per_core(self, cell: Any, most: Any) -> None:
        """sPyNNaker's own; told, since the machine's file decides it here."""
        name = getattr(cell, "__name__", str(cell))
        self._captured.notes.append(
            f"set_number_of_neurons_per_core({name}, {most}) is not applied: give neurons_per_core in a hardware file"
        )


def stand_in(captured: Captured) -> None:
    """Put this package's front end in the place of every simulator."""
    for name in (*(f"pyNN.{each}" for each in SIMULATORS), *OTHERS):
        module = StandIn(name, captured)
        sys.modules[name] = module
        package, _, last = name.rpartition(".")
        if package:
            setattr(sys.modules[package], last, module)
    for name in ("get_simulator", "get_script_args"):
        wrapped = with_default(getattr(utility, name))
        setattr(utility, name, wrapped)
        setattr(utility.script_tools, name, wrapped)


def with_default(ask: Callable[..., Any]) -> Callable[..., Any]:
    """`ask`, which reads the name of a simulator from the arguments, with :data:`DEFAULT` where the user gives none."""

    def asked(*arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except (SystemExit, Exception):
            if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
                raise
            sys.argv[1:1] = [DEFAULT]
            return ask(*arguments)

    return asked


def failure_of(error: BaseException, script: Path) -> Failure:
    """What went wrong, at which line of the script."""
    line, source = 0, ""
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).resolve() == script:
            line, source = frame.lineno or 0, (frame.line or "").strip()
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == script:
        line = error.lineno or 0
        source = linecache.getline(str(script), line).strip()
    if isinstance(error, NeurodeployError):
        return Failure(line, source, error.what, error.why, error.fix, of_the_model=True)
    if isinstance(error, SystemExit):
        return Failure(
            line,
            source,
            f"it ends with exit({error.code}) before it runs a model",
            fix="its own arguments come after --",
        )
    return Failure(line, source, f"{type(error).__name__}: {error}", fix="run it by itself, and mend that")


def main() -> None:
    answer, script, *arguments = sys.argv[1:]
    path = Path(script).resolve()
    captured = Captured()
    stand_in(captured)
    sys.argv = [script, *arguments]
    sys.path[0] = str(path.parent)
    warnings.simplefilter("ignore")
    try:
        runpy.run_path(script, run_name="__main__")
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
