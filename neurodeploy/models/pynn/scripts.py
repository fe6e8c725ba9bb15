"""A PyNN script as the Network it builds: it is executed until its first ``run``, whatever simulator it was written for.

The script runs in a process of its own, with its own arguments, in the present folder; what it prints is kept back, and its
windows are never shown.  Where it imports a simulator (``pyNN.nest``, ``pyNN.spiNNaker``, ...), it is given this package's front
end.  What comes after the first ``run`` is not executed.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from neurodeploy.errors import RequestError, RunError
from neurodeploy.models.network import Network
from neurodeploy.processes import end, started

TIME_LIMIT = 600.0
"""Seconds that a script may take to build its model."""

LINES = 12
"""Of what a script printed last, where it failed."""


@dataclass
class Failure:
    """What a script raised.

    Attributes
    ----------
    line : int
        Of the script; 0 where none is known.
    source : str
        That line.
    what, why, fix : str
    of_the_model : bool
        Whether the front end refused the model, rather than the script having a fault of its own.
    """

    line: int
    source: str
    what: str
    why: str = ""
    fix: str = ""
    of_the_model: bool = False


@dataclass
class Captured:
    """What a script built.

    Attributes
    ----------
    network : Network or None
    steps : int
        Of its first ``run``.
    rules, backend : str or None
        As its ``setup`` names them.
    notes : list of str
        What it says to its simulator that means nothing here.
    failure : Failure or None
    """

    network: Network | None = None
    steps: int = 0
    rules: str | None = None
    backend: str | None = None
    notes: list[str] = field(default_factory=list)
    failure: Failure | None = None


def capture(script: Path, arguments: list[str]) -> Captured:
    """Execute `script` until its first ``run``.

    Raises
    ------
    RequestError
        There is no such script, it fails by a fault of its own, or it builds no model.
    RunError
        It does not come to a ``run`` in time.
    """
    if not script.is_file():
        raise RequestError(f"There is no script {script}", fix="give the path of a PyNN script")
    with tempfile.TemporaryDirectory(prefix="neurodeploy-") as folder:
        answer, printed = Path(folder) / "network.pickle", Path(folder) / "printed"
        said = _execute(script, arguments, answer, printed)
        if not answer.exists():
            raise RunError(
                f"{script} ended its own process before it came to a run{said}",
                fix="run it by itself, and mend what it says",
            )
        captured: Captured = pickle.loads(answer.read_bytes())
    failure = captured.failure
    if captured.network is None and failure is None:
        raise RequestError(
            f"{script} builds no model: it never calls setup(){said}",
            fix="give a script that uses a PyNN simulator; its own arguments come after --",
        )
    if failure is not None and not failure.of_the_model:
        where = f"{script}, line {failure.line}" if failure.line else str(script)
        shown = f"\n  {failure.source}" if failure.source else ""
        raise RequestError(f"{where}: {failure.what}{shown}{said}", why=failure.why, fix=failure.fix)
    return captured


def _execute(script: Path, arguments: list[str], answer: Path, printed: Path) -> str:
    """Run the script in a process of its own; gives what it printed last."""
    command = [sys.executable, "-m", "neurodeploy.models.pynn.script_process"]
    with (
        printed.open("wb") as output,
        started(
            [*command, str(answer), str(script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"MPLBACKEND": "Agg"},
        ) as process,
    ):
        try:
            process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            raise RunError(
                f"{script} did not come to a run within {TIME_LIMIT:g} s",
                fix="make its model smaller, or see whether it waits for something",
            ) from None
        end(process)  # it has ended; what it has started may not have
    lines = printed.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:]
    return "".join(f"\n  | {line}" for line in lines)
