"""Boards as processes: where they are, that they stand side by side, and that they end."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("unicorn")

from neurodeploy.backends.spinnaker.board.process import BoardProcess
from neurodeploy.chips.spinnaker_map import SCP_PORT
from neurodeploy.errors import RequestError, RunError

VERSION = b"\0\0" + bytes([0x87, 0xFF, 0, 0xFF, 0, 0, 0, 0]) + struct.pack("<HH3I", 0, 1, 0, 0, 0)


def answers(address, seconds=5.0):
    """Whether a board answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        try:
            asking.connect((address, SCP_PORT))
            asking.send(VERSION)
            return b"SC&MP" in asking.recv(512)
        except OSError:
            return False


def test_boards_stand_side_by_side_and_end_with_their_contexts(tmp_path):
    with BoardProcess(version=3, log=tmp_path / "a.log") as first, BoardProcess(version=5) as second:
        assert first.address != second.address
        assert answers(first.address) and answers(second.address)
        assert first.alive and second.alive
    assert not answers(first.address, 0.3) and not first.alive
    assert first.address in (tmp_path / "a.log").read_text()


def test_an_address_that_is_taken_or_not_ours_is_one_clear_error():
    with (
        BoardProcess() as first,
        pytest.raises(RunError, match=first.address.replace(".", r"\.")),
        BoardProcess(address=first.address),
    ):
        pass
    with pytest.raises(RunError, match=r"192\.0\.2\.1"), BoardProcess(address="192.0.2.1"):
        pass


def test_faults_are_refused_before_anything_starts():
    with pytest.raises(RequestError, match="dead-duck"):
        BoardProcess(faults="dead-duck=1")


def test_a_silent_board_is_silent_and_one_that_loses_everything_too():
    with BoardProcess(faults="silent-after=1") as board:
        assert answers(board.address)
        assert not answers(board.address, 0.3)
    with BoardProcess(faults="lose=1") as board:
        assert not answers(board.address, 0.3)


def test_a_late_board_answers_late_and_a_doubling_one_twice():
    with BoardProcess(faults="delay=1") as board:
        began = time.monotonic()
        assert answers(board.address)
        assert time.monotonic() - began > 0.5  # the request and the reply, 0.3 s each
    with (
        BoardProcess(faults="duplicate=1") as board,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
    ):
        asking.settimeout(2.0)
        asking.connect((board.address, SCP_PORT))
        asking.send(VERSION)
        assert len({asking.recv(512) for _ in range(4)}) == 1


def test_a_board_ends_when_the_process_that_started_it_is_killed(tmp_path):
    script = (
        "import sys, time\n"
        "from neurodeploy.backends.spinnaker.board.process import BoardProcess\n"
        "with BoardProcess() as board:\n"
        "    print(board.address, board._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as host:
        address, process = host.stdout.readline().split()
        assert answers(address)
        host.kill()
        host.wait()
        until = time.monotonic() + 10
        while answers(address, 0.2):
            assert time.monotonic() < until, "the board is still there"
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(int(process), signal.SIGKILL)
    pytest.fail("the board's process is still there")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", None),
        ("board of version 3\n", None),
        ("board of version 3\n398 ms of the chip's time so far\n456 ms of the chip's time so far\n", 456.0),
        ("398 ms of the chip's time so far\n456 ms of the ch", 398.0),
        ("398 ms of the chip's time so far\n602.0 ms of the chip's time in 11.988 s: 1,792 rounds\n", None),
    ],
)
def test_the_log_says_how_far_the_chip_is(tmp_path: Path, said: str, expected: float | None) -> None:
    board = BoardProcess(log=tmp_path / "board.log")
    assert board.so_far() is None
    (tmp_path / "board.log").write_text(said, encoding="utf-8")
    assert board.so_far() == expected
