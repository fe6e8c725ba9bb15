"""Processes that are started in a group of their own, and ended with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process whose group Ctrl-C does not reach; whatever is raised in the block ends that group.

    A signal that comes while it starts waits until there is something to end.

    Parameters
    ----------
    command : sequence of str
    **options
        What else :class:`subprocess.Popen` takes.
    """
    process = None
    try:
        with signals_wait():
            process = subprocess.Popen(command, start_new_session=True, **options)
        yield process
    except BaseException:
        if process is not None:
            end(process)
        raise


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that was :func:`started`, if it still runs, and what it has left in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            if pipe:
                pipe.close()


@contextlib.contextmanager
def signals_wait() -> Iterator[list[int]]:
    """SIGINT and SIGTERM act after the block, also where that fails; the list has the first that came.  A second one acts
    at once.  Outside the main thread, which alone gets them, nothing has to wait.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def keep(number: int, _: Any) -> None:
        came.append(number)
        restore()

    try:
        for number in before:
            signal.signal(number, keep)
        yield came
    finally:
        restore()
        if came:
            signal.raise_signal(came[0])
