"""This package's PyNN front end in the place of whatever simulator a stranger's script imports."""

from __future__ import annotations

import contextlib
import io
import linecache
import runpy
import sys
import traceback
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyNN import utility

from neurodeploy.errors import NeurodeployError, UnsupportedError, did_you_mean
from neurodeploy.models import pynn as front
from neurodeploy.models.pynn import control
from neurodeploy.models.pynn.scripts import Failure

SIMULATORS = ("arbor", "brian", "brian2", "mock", "moose", "nest", "neuroml", "neuron", "pcsim", "spiNNaker")
"""Modules of ``pyNN`` that are simulators."""

OTHERS = ("neurodeploy.pynn", "spynnaker8")
"""Simulators by other names."""

DEFAULT = "nest"
"""What a script that asks for the name of a simulator is told where the user names none."""


class Host(ABC):
    """Who executes a script, and what ``setup`` and the rest become there.

    Attributes
    ----------
    notes : list of str
        What the script says to its simulator that means nothing here.
    replaced : dict of str to function
        Names of the front end that are something else in the script.
    """

    notes: list[str]
    replaced: dict[str, Callable[..., Any]]

    @abstractmethod
    def setup(self, timestep: float, min_delay: Any, extra: dict[str, Any]) -> int:
        """``setup()`` with what this package knows of its parameters."""


class NotThereError(UnsupportedError, AttributeError):
    """The script uses a name that this package's front end does not have."""


class StandIn(types.ModuleType):
    """This package's front end in the place of another simulator.

    Parameters
    ----------
    module : str
        The simulator's.
    host : Host
    """

    def __init__(self, module: str, host: Host) -> None:
        super().__init__(module)
        self.__dict__.update({key: value for key, value in vars(front).items() if not key.startswith("__")})
        self.__all__ = list(front.__all__)
        self._name, self._host = module, host
        for name in ("setup", "set_number_of_neurons_per_core"):
            self.__dict__[name] = getattr(type(self), name).__get__(self)
        self.__dict__.update(host.replaced)

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
            self._host.notes.append(
                f"setup(): {name}={extra.pop(name)!r} is for {self._name}, and has no meaning here"
            )
        return self._host.setup(timestep, min_delay, extra)

    def set_number_of_neurons_per_core(self, cell: Any, most: Any) -> None:
        """sPyNNaker's own; told, since the machine's file decides it here."""
        name = getattr(cell, "__name__", str(cell))
        self._host.notes.append(
            f"set_number_of_neurons_per_core({name}, {most}) is not applied: give neurons_per_core in a hardware file"
        )


def stand_in(host: Host) -> None:
    """Put this package's front end in the place of every simulator."""
    for name in (*(f"pyNN.{each}" for each in SIMULATORS), *OTHERS):
        module = StandIn(name, host)
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
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                return ask(*arguments)
        except (SystemExit, Exception):
            if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
                sys.stderr.write(said.getvalue())
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


def execute(script: str, arguments: list[str], host: Host) -> None:
    """Execute `script` as if it had been started by itself, with its own arguments, for `host`."""
    stand_in(host)
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")
