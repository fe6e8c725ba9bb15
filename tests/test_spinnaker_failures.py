"""What sPyNNaker's exceptions and logs become: one message in the user's words, with what helps."""

import re

import pytest

from neurodeploy import hardware
from neurodeploy.backends.spinnaker.failures import (
    CAUSES,
    NoRoomError,
    SilentMachineError,
    Situation,
    explained,
)
from neurodeploy.errors import RunError

LABELS = ["in put", "cells"]
CORES = {(0, 0, 3): "n1_cells_0_255", (0, 1, 2): "n1_cells_0_255_delayed", (1, 1, 1): "n0_in_put"}


def situation(log: str = "", address: str | None = "10.0.0.7") -> Situation:
    return Situation("run", LABELS, hardware.load("spinnaker-emulated"), address, CORES, log)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "PacmanPlaceException:  No more chips to start with for n1_cells Out of 4 0 already full",
            "no room left for Population 'cells'",
        ),
        (
            "PacmanPlaceException: No more chips to start with for monitor Out of 4",
            "no room left for monitor",
        ),
        ("SpinnmanException: SDRAM Allocation failed", "ran out of memory when sPyNNaker was to run"),
        (
            "SpinnMachineException: chip 0, 0 has too few cores found 3",
            "at 10.0.0.7 can't be used .* too few cores",
        ),
        (
            "SpinnMachineException: unreachable incoming chips at (0, 1)",
            "can't be used .* unreachable incoming",
        ),
        ("SpinnmanBootException: IO Error: Scamp boot failed", "No SpiNNaker board answers at 10.0.0.7"),
        (
            "SpinnmanTimeoutException: CMD_ALLOC timed out after 1.0 s",
            "at 10.0.0.7 stopped answering .* to run",
        ),
        (
            "ValueError: what nobody has seen yet\n Stack trace: [...]",
            "could not run: ValueError: what nobody",
        ),
    ],
)
def test_each_failure_is_told_in_the_users_words(message: str, told: str) -> None:
    error = explained(message, situation())
    assert error.fix and "Stack trace" not in error.what
    assert re.search(told, error.what)


def test_every_cause_can_be_filled_in_without_an_address() -> None:
    for cause in CAUSES:
        filled = cause.what.format(machine="m", at="", doing="run", found="f", subject="s")
        assert "{" not in filled and cause.why and cause.fix
    assert explained("boot failed", situation(address=None)).what == "No SpiNNaker board answers"


NOT_THERE = "SpiNNManCoresNotInStateException: waiting for cores ['0, 0, 3'] to reach one of ..."


def test_a_core_that_stopped_is_named_by_its_population_and_says_why() -> None:
    log = (
        "2026-01-01 00:00:00 ERROR: 0:0:3 (ph: 3) in state RUN_TIME_EXCEPTION:DABT\n"
        "2026-01-01 00:00:00 ERROR: 0:1:2 (ph: 2) in state WATCHDOG\n"
    )
    error = explained(NOT_THERE, situation(log))
    assert error.what.splitlines() == [
        "The machine stopped before the run was over:",
        "  Population 'cells': core 0, 0, 3 ended with a run-time error: it read or wrote where there is no memory",
        "  Population 'cells', its delays: core 0, 1, 2 gave no sign of life",
    ]


@pytest.mark.parametrize("log", ["", "ERROR: 1:1:1 (ph: 1) in state RUNNING\n"])
def test_cores_that_have_not_finished_are_late_not_broken(log: str) -> None:
    error = explained(NOT_THERE, situation(log))
    limit = hardware.load("spinnaker-emulated").wait_seconds
    assert f"had not finished {limit} s after" in error.what and "time_scale_factor" in error.fix
    assert ("Population 'in put': core 1, 1, 1 had not finished" in error.what) == bool(log)


def test_a_core_without_memory_is_no_room_and_names_whose_it_is() -> None:
    log = (
        "2026-01-01 ERROR: 0:1:2 (ph: 3) in state RUN_TIME_EXCEPTION:SWERR\n"
        "2026-01-01 ERROR: 0, 1, 2: failed to allocate memory for bitfield of size 256 bytes (delay_extension.c: 250)\n"
    )
    cores = {(0, 1, 2): "Delay extension for n0_in_put"}
    stopped = "CoresNotInStateException: waiting for cores"
    known = Situation("run", LABELS, hardware.load("spinnaker-emulated"), None, cores, log)
    error = explained(stopped, known)
    assert isinstance(error, NoRoomError) and "64 KiB" in error.why
    assert "Population 'in put', its delays: core 0, 1, 2 has no memory left for it" in error.what
    other = log + "2026-01-01 ERROR: 1:1:1 (ph: 3) in state RUN_TIME_EXCEPTION:DABT\n"
    mixed = Situation("run", LABELS, hardware.load("spinnaker-emulated"), None, cores | CORES, other)
    error = explained(stopped, mixed)
    assert not isinstance(error, NoRoomError) and "where there is no memory" in error.what


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("PacmanPlaceException: No more chips to start with for n1_cells", NoRoomError),
        ("SpinnmanException: SDRAM Allocation failed", NoRoomError),
        ("SpinnmanBootException: Scamp boot failed", SilentMachineError),
        ("SpinnmanTimeoutException: CMD_ALLOC timed out after 1.0 s", SilentMachineError),
        ("ValueError: something else", RunError),
    ],
)
def test_what_can_be_told_apart_is_a_class_of_its_own(message: str, kind: type) -> None:
    assert type(explained(message, situation())) is kind
