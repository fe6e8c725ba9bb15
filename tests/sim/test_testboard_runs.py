"""``neurodeploy test-board`` on the emulated board, as a user meets it: a good board, a broken one, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import HOST, needs_machine

COMMAND = [sys.executable, "-m", "neurodeploy.cli", "test-board"]
BOARD = ["--host", HOST] if HOST else []

pytestmark = needs_machine


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_a_faultless_board_passes_with_a_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = call("--only", "weights,cells", *BOARD, "--out", str(out))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "passed: 2 pass" in answer.stdout and "executed by: emulated" in answer.stdout
    said = report(out)
    assert [test["verdict"] for test in said["tests"]] == ["pass"] * 2
    assert said["passed"] and said["executed_by"] == "emulated" and said["spynnaker"]
    assert (out / "report.html").read_text().count("data:image/svg+xml") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(HOST is not None, reason="faults are of a board that the test starts")
def test_a_core_that_stops_is_found_and_the_other_tests_go_on(tmp_path: Path) -> None:
    """The cells take more cores than the pairs of spikes: core 0, 0, 9 is theirs alone."""
    out = tmp_path / "out"
    answer = call("--only", "stdp,cells", "--faults", "stop-core=0,0,9@20", "--out", str(out), "--json")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    said = json.loads(answer.stdout)
    assert [test["verdict"] for test in said["tests"]] == ["pass", "fail"] and not said["passed"]
    (check,) = said["tests"][1]["checks"]
    assert "The machine stopped before the run was over" in check["found"]
    assert "Population '" in check["found"] and "core 0, 0, 9" in check["found"]
    assert said["faults"] == "stop-core=0,0,9@20"


@pytest.mark.skipif(HOST is not None, reason="faults are of a board that the test starts")
def test_packets_lost_between_chips_are_found_by_their_spikes_and_by_the_routers_counter(
    tmp_path: Path,
) -> None:
    """The tools take the links for working ones, and the cores of one chip never learn what those of another have sent."""
    links = "; ".join(f"lossy-link=0,0,{link}" for link in range(6))
    answer = call("--only", "split", "--faults", links, "--out", str(tmp_path / "out"), "--json")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    (test,) = json.loads(answer.stdout)["tests"]
    failed = {check["what"]: check["found"] for check in test["checks"] if check["verdict"] == "fail"}
    assert {what.split(" (")[0] for what in failed} == {"several chips", "late, lost or saturated"}
    assert "Router of chip (0, 0): packets dropped: " in failed["late, lost or saturated"]
    assert any("is missing" in found for found in failed.values())
    assert sum(check["verdict"] == "pass" for check in test["checks"]) == 4


def processes(mark: str) -> set[str]:
    """Whatever was started with `mark` in its environment."""
    found = set()
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                environment = (place / "environ").read_bytes()
            except OSError:
                continue
            if f"NEURODEPLOY_TEST_MARK={mark}".encode() in environment.split(b"\0"):
                found.add(place.name)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    mark = str(tmp_path)
    started = subprocess.Popen(
        [*COMMAND, "--only", "cells", *BOARD, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"NEURODEPLOY_TEST_MARK": mark},
    )
    until = time.monotonic() + 30
    while len(processes(mark)) < (2 if HOST else 3) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(processes(mark)) == (2 if HOST else 3)  # itself, the board, what drives it
    time.sleep(0.5)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert started.returncode == 130 and "Traceback" not in errors
    time.sleep(0.5)
    assert not processes(mark) and list(tmp_path.iterdir()) == []


@pytest.mark.board_stress
@pytest.mark.parametrize("suite", ["functional", "stress", "heavy"])
def test_whole_suites(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = call("--suite", suite, *BOARD, "--out", str(out))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for test in report(out)["tests"]:
        assert test["verdict"] == "pass"
        if "ladder" in test["name"]:
            assert "Overload is not modelled" in test["note"] and not test["knee"]
