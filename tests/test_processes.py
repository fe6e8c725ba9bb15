"""Processes in a group of their own: whatever comes while they start or run, none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from neurodeploy.backends.brian2.running import Engine
from neurodeploy.backends.instructed import InstructedProcess
from neurodeploy.backends.loihi.running import anyone_lives
from neurodeploy.backends.spinnaker.board.process import BoardProcess
from neurodeploy.models.pynn import scripts
from neurodeploy.processes import end, signals_wait, started
from neurodeploy.toolchains import TOOLCHAINS, _step

SLEEP = ["sleep", "600"]

STARTED_BY = {
    "a block": lambda folder: started(SLEEP).__enter__(),
    "an installation": lambda folder: _step(TOOLCHAINS["loihi"], SLEEP, "wait", os.open(folder, os.O_RDONLY)),
    "a script": lambda folder: scripts._execute(folder / "script.py", [], folder / "answer", folder / "said"),
    "a runner": lambda folder: InstructedProcess(SLEEP, folder, folder / "log", "A tool", 60.0),
    "a board": lambda folder: BoardProcess().__enter__(),
    "an engine": lambda folder: Engine(SLEEP, folder, "hello"),
}


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[int, object]]:
    """Those of the command line, which must be there afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: lambda *_: sys.exit(143)}
    for number, handler in ours.items():
        signal.signal(number, handler)
    yield ours
    after = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert after == ours


def signal_when_started(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """From here on the signal comes when a process is there, and before there is anything to end it by."""
    groups: list[int] = []
    popen = subprocess.Popen

    def interrupted(*command, **more):
        process = popen(*command, **more)
        groups.append(process.pid)
        os.kill(os.getpid(), number)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    return groups


@pytest.mark.parametrize("kind", STARTED_BY)
def test_ctrl_c_while_a_process_starts_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    groups = signal_when_started(monkeypatch, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        STARTED_BY[kind](tmp_path)
    assert len(groups) == 1 and not anyone_lives(groups[0])


def test_so_does_being_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = signal_when_started(monkeypatch, signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"), started(SLEEP):
        pass
    assert not anyone_lives(groups[0])


def test_what_is_raised_while_it_runs_ends_it_and_what_it_has_started(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        started(["sh", "-c", "sleep 600 & echo; wait"], stdout=subprocess.PIPE) as process,
    ):
        process.stdout.readline()
        1 / 0  # noqa: B018
    until = time.monotonic() + 10
    while anyone_lives(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not anyone_lives(process.pid) and process.stdout.closed


def test_it_goes_on_after_the_block_until_it_is_ended() -> None:
    with started(SLEEP) as process:
        pass
    assert process.poll() is None
    end(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("comes, raised", [(False, FileNotFoundError), (True, KeyboardInterrupt)])
def test_where_nothing_starts_a_signal_still_acts(
    monkeypatch: pytest.MonkeyPatch, comes: bool, raised: type[BaseException]
) -> None:
    def missing(*_, **__):
        if comes:
            os.kill(os.getpid(), signal.SIGINT)
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", missing)
    with pytest.raises(raised), started(SLEEP):
        pass


def test_a_thread_starts_processes_too() -> None:
    def start() -> int:
        with started(["true"]) as process:
            return process.wait()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(start).result() == 0


def test_a_second_signal_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), signals_wait() as came:
        signal.raise_signal(signal.SIGINT)
        assert came == [signal.SIGINT]
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it has waited")


def test_a_signal_that_is_ignored_stays_so(handlers: dict[int, object]) -> None:
    handlers[signal.SIGINT] = signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals_wait() as came:
        signal.raise_signal(signal.SIGINT)
    assert not came
