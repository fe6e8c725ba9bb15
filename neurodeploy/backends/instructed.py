"""A process that takes one instruction a line and gives one answer a line, and that leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurodeploy.backends.base import Progress
from neurodeploy.errors import RunError
from neurodeploy.processes import end, started

IN_WORDS = {
    "spikes": "read spikes",
    "samples": "read samples",
    "state": "read the state",
    "weights": "read weights",
    "mantissa": "read weights",
    "change": "change values",
}
"""Instructions that are no verbs, as messages say them."""


class InstructedProcess:
    """A runner: what drives a toolchain, in an interpreter and a session of its own.

    Parameters
    ----------
    command : list of str
    folder : Path
        Its working folder.
    log : Path
        Where its standard error is kept.
    tool : str
        What it drives, as messages name it.
    limit : float
        Seconds that one instruction may take.
    environment : dict of str to str
        Added to the present one, without Python's own variables.

    Attributes
    ----------
    meanwhile : function, optional
        Called about once a second while an answer is awaited.
    """

    meanwhile: Callable[[], None] | None = None

    def __init__(
        self,
        command: list[str],
        folder: Path,
        log: Path,
        tool: str,
        limit: float,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder, self.log, self.tool, self.limit = folder, log, tool, limit
        self._rest = b""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with (
            log.open("ab") as output,
            started(
                command,
                cwd=folder,
                env=own | (environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            ) as self.process,
        ):
            try:
                self._answer(limit, None, "start")
            except BaseException:
                self.kill()
                raise

    def ask(
        self, do: str, progress: Progress | None = None, limit: float | None = None, **more: Any
    ) -> dict[str, Any]:
        """Send one instruction and wait until it is done."""
        assert self.process.stdin
        with contextlib.suppress(OSError):  # where it has gone, what it said last is why
            self.process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
            self.process.stdin.flush()
        return self._answer(limit or self.limit, progress, IN_WORDS.get(do, do))

    def failed(self, do: str, message: dict[str, Any]) -> RunError:
        """What to raise where the tool has raised ``message["error"]``."""
        return RunError(f"{self.tool} could not {do}: {message['error']}")

    def _answer(self, limit: float, progress: Progress | None, do: str) -> dict[str, Any]:
        until = time.monotonic() + limit
        while True:
            line = self._line(until, limit, do)
            try:
                message = json.loads(line)
            except ValueError:
                raise self._gone(do) from None
            if "progress" in message and progress:
                progress(*message["progress"])
            elif "error" in message:
                raise self.failed(do, message)
            elif "done" in message:
                answer: dict[str, Any] = message["done"]
                return answer

    def _line(self, until: float, limit: float, do: str) -> bytes:
        assert self.process.stdout
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0:
                raise RunError(
                    f"{self.tool} did not finish to {do} within {limit:g} s; its log is {self.log}",
                    why="that is the time limit of the hardware",
                    fix="raise time_limit_seconds in a hardware file of your own, or make the model smaller",
                )
            if select.select([self.process.stdout], [], [], min(left, 1.0))[0]:
                received = os.read(self.process.stdout.fileno(), 65536)
                if not received:
                    raise self._gone(do)
                self._rest += received
            elif self.meanwhile is not None:
                self.meanwhile()
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _gone(self, do: str) -> RunError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        code = self.process.poll()
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit code {code}"
        )
        return RunError(
            f"The process that drives {self.tool} {how} when it was to {do}; its log is {self.log}",
            fix="read the end of the log; where memory was short, make the model smaller",
        )

    def kill(self) -> None:
        """End the process and all it has started."""
        end(self.process)
