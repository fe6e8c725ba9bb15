"""The runner's patience with a machine that has fallen silent."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("spinnman")

from spinnman.connections.scp_request_pipeline import SCPRequestPipeLine
from spinnman.exceptions import SpinnmanTimeoutException
from spinnman.messages.scp.enums import SCPResult
from spinnman.messages.scp.impl import ReadMemory

from neurodeploy.backends.spinnaker.runner import leave_a_silent_machine

SECONDS = 1.0


ANSWER = bytes([0, 0, 0x07, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0]) + bytes(4)


class Left(BaseException):
    """Raised where the runner would end its process."""


class Connection:
    """Answers as often as it is told to, then no more."""

    def __init__(self, answers: int) -> None:
        self.answers, self.sent = answers, 0

    def get_scp_data(self, request: Any) -> bytes:
        self.sequence = request.scp_request_header.sequence
        return b""

    def send(self, data: bytes) -> None:
        self.sent += 1

    def receive_scp_response(self, timeout: float) -> tuple[SCPResult, int, bytes, int]:
        if not self.answers:
            time.sleep(timeout)
            raise SpinnmanTimeoutException("nothing", timeout)
        self.answers -= 1
        return SCPResult.RC_OK, self.sequence, ANSWER, 2


def ask(connection: Connection, tries: int) -> list[Exception]:
    """One request, repeated `tries` times, and what came of it."""
    errors: list[Exception] = []
    pipeline = SCPRequestPipeLine(connection, n_retries=tries, packet_timeout=0.02)  # type: ignore[arg-type]
    pipeline.send_request(
        ReadMemory((0, 0, 0), 0x60000000, 4),
        lambda _: None,
        lambda request, error, trace, connection: errors.append(error),
    )
    pipeline.finish()
    return errors


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said at the end; the tools are as before after the test."""
    for name in ("_single_retrieve", "_handle_receive_timeout"):
        monkeypatch.setattr(SCPRequestPipeLine, name, getattr(SCPRequestPipeLine, name))
    said: list[str] = []

    def leave(reason: str) -> None:
        said.append(reason)
        raise Left

    leave_a_silent_machine(leave, SECONDS)
    return said


def test_a_machine_that_falls_silent_is_left_after_the_limit_however_many_requests_are_open(told) -> None:
    assert ask(Connection(1), 10) == []
    began = time.monotonic()
    with pytest.raises(Left):
        for _ in range(100):
            ask(Connection(0), 5)
    assert SECONDS <= time.monotonic() - began < SECONDS + 5
    assert "timed out" in told[0]


def test_answers_and_pauses_begin_the_patience_anew(told) -> None:
    for _ in range(3):
        assert ask(Connection(1), 10) == []
        time.sleep(SECONDS)
        assert [type(error) for error in ask(Connection(0), 3)] == [SpinnmanTimeoutException]
    assert not told


def test_a_machine_that_has_never_answered_is_left_to_the_tools_which_boot_it(told) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 2 * SECONDS:
        ask(Connection(0), 3)
    assert not told
