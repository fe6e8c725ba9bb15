"""An emulated board as a process of its own, which ends with the one that started it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from neurodeploy.backends.spinnaker.board import SO_FAR
from neurodeploy.backends.spinnaker.board.faults import parse
from neurodeploy.errors import RunError
from neurodeploy.processes import end, started

START_SECONDS = 60.0
LAST_LINE = 200
"""Bytes of the log that hold its last line, where that says how far the chip's time has come."""


class BoardProcess:
    """A board that is up while this context is.

    Parameters
    ----------
    version : int
        3 (4 chips) or 5 (48 chips).
    address : str, optional
        Where it is to be reached; a free loopback address by default.
    log : Path, optional
        File for what the board says.
    faults : str, optional
        See :mod:`neurodeploy.backends.spinnaker.board.faults`.
    engine : str
        ``"native"``, ``"python"``, or ``"auto"``: native where there is a compiler.
    threads : int
        Of the native engine; 0 is one a processor.

    Attributes
    ----------
    address : str
    engine : str
        The engine that executes it.
    """

    def __init__(
        self,
        version: int = 3,
        address: str | None = None,
        log: Path | None = None,
        faults: str | None = None,
        engine: str = "auto",
        threads: int = 0,
    ) -> None:
        parse(faults, version)
        self.version, self.address, self.log, self.engine = version, address or "", log, engine
        self._command = [
            *(sys.executable, "-m", "neurodeploy.backends.spinnaker.board"),
            *("--version", str(version), "--engine", engine, "--threads", str(threads)),
            *(["--address", address] if address else []),
            *(["--faults", faults] if faults else []),
            *("--parent", str(os.getpid())),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BoardProcess:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with (
            self.log.open("ab") if self.log else contextlib.nullcontext(subprocess.DEVNULL) as log,
            started(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            ) as process,
        ):
            assert process.stdout
            hello = self._hello(process.stdout)
            self.address, self.engine, self._process = hello["address"], hello["engine"], process
        return self

    def _hello(self, said: IO[bytes]) -> dict[str, str]:
        until, received = time.monotonic() + START_SECONDS, b""
        while not received.endswith(b"\n"):
            if select.select([said], [], [], max(0.0, until - time.monotonic()))[0]:
                piece = os.read(said.fileno(), 4096)
                received += piece
                if piece:
                    continue
                raise self._failed("ended while it was to start")
            raise self._failed(f"did not start within {START_SECONDS:g} s")
        message: dict[str, str] = json.loads(received)
        if "error" in message:
            raise RunError(message["error"], why=message["why"], fix=message["fix"])
        return message

    def _failed(self, how: str) -> RunError:
        said = ""
        if self.log and self.log.exists():
            said = self.log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
        return RunError(f"The emulated board {how}" + (f":\n{said}" if said else ""))

    def so_far(self) -> float | None:
        """ms of the chip's time since the cores began to run, as the log said last; None where they do not run."""
        if self.log is None or not self.log.exists():
            return None
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LAST_LINE))
            said = file.read().decode("utf-8", errors="replace").rpartition("\n")[0].rpartition("\n")[2]
        number = said.removesuffix(SO_FAR)
        return float(number) if number != said else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it; safe to call twice."""
        if self._process is None:
            return
        end(self._process)
        self._process = None
