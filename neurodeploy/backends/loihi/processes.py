"""Lava's operating-system processes: why one has failed, and that none is lost unseen or outlives the runner.

Lava runs every process model in a process of its own.  Where a model raises something, or its process is killed, the others
wait for it forever, and so would the runner.  So each of them has a pipe to the runner: what it writes there is why it
has failed, and a pipe that closes is a process that has ended.  The other way round, all hold the reading end of
one pipe that the runner alone could write to: when it closes, the runner is no more, and they end themselves.

Imported in Lava's interpreter alone; it needs the standard library.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

LOOK_SECONDS = 0.1
"""How often the runner looks for pipes of new processes."""

PATIENCE = 2.0
"""Seconds that a failed process has to say why, after another one has ended because of it."""

LONGEST_REASON = 2000
"""Characters of a reason that are told; a pipe takes 4,096 bytes in one piece."""


class Processes:
    """The processes that Lava starts from now on, watched until :meth:`may_end`.

    Parameters
    ----------
    failed : function of a str
        Told, once, why the first of them has failed; it must not come back.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self.failed = failed
        self.pipes: dict[int, int] = {}
        self.ending = False
        self.runner_lives, self.kept_open = os.pipe()
        os.register_at_fork(after_in_child=self._in_child)
        self._watch_actors()
        threading.Thread(target=self._look_on, daemon=True).start()

    def may_end(self) -> None:
        """From here on a process that ends is no failure, only one that says why."""
        self.ending = True

    # ------------------------------------------------------------------------- in the runner

    def _watch_actors(self) -> None:
        """Have Lava start its processes as ones that tell."""
        from lava.magma.runtime.message_infrastructure import multiprocessing as infrastructure

        pipes: dict[int, Any] = self.pipes

        class TellingProcess(infrastructure.SystemProcess):  # type: ignore[misc]
            """Lava's own keeps what a model raises to itself until it is asked."""

            def start(self) -> None:
                here, self.to_runner = os.pipe()
                super().start()
                os.close(self.to_runner)
                pipes[here] = self.pid

            def run(self) -> None:
                try:
                    multiprocessing.Process.run(self)
                    self._cconn.send(None)
                except Exception as error:
                    builder = self._kwargs.get("builder")
                    model = getattr(builder, "proc_model", getattr(builder, "rs_class", type(builder)))
                    reason = f"{model.__name__} raised {type(error).__name__}: {error}"
                    with contextlib.suppress(OSError):  # a disk may be full
                        traceback.print_exc()
                    os.write(self.to_runner, reason[:LONGEST_REASON].encode())
                    os._exit(1)

        infrastructure.SystemProcess = TellingProcess

    def wait_for_reason(self) -> None:
        """Called where Lava has raised something: gives a process that has failed the time to be the reason."""
        time.sleep(PATIENCE / 2)

    def _look_on(self) -> None:
        while True:
            ended = self._hear(LOOK_SECONDS)
            if not ended or self.ending:
                continue
            how = how_it_ended(ended[0])
            until = time.monotonic() + PATIENCE
            while "killed" not in how and time.monotonic() < until:
                self._hear(LOOK_SECONDS)  # another one may be about to say why this one has ended
            self.failed(f"a process of Lava's {how}")

    def _hear(self, seconds: float) -> list[int]:
        """Wait so long for what processes say, and tell it; gives those that have ended without a word."""
        ended = []
        for pipe in map(int, wait([*self.pipes], seconds)):  # type: ignore[arg-type]
            reason = os.read(pipe, 2 * LONGEST_REASON).decode(errors="replace")
            if reason:
                self.failed(reason)
            ended.append(self.pipes.pop(pipe))
            os.close(pipe)
        return ended

    # -------------------------------------------------------------------------- in a process

    def _in_child(self) -> None:
        """Leave Ctrl-C to the runner, and end with it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(self.kept_open)
        threading.Thread(target=self._end_with_runner, daemon=True).start()

    def _end_with_runner(self) -> None:
        os.read(self.runner_lives, 1)  # comes back when nobody can write any more
        os.kill(os.getpid(), signal.SIGKILL)


def how_it_ended(process: int) -> str:
    """What became of a child whose pipe has closed."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except ChildProcessError:  # somebody else has asked
        return "ended too early"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
