"""Environments of their own: found, missing, damaged, interrupted; and what a user is told to do about it.

A shell script stands in for Python 3.10, its venv and its pip, so that nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurodeploy import toolchains
from neurodeploy.backends.loihi.running import anyone_lives
from neurodeploy.errors import EnvironmentMissingError, ToolchainMissingError
from neurodeploy.report import doctor
from neurodeploy.report.toolchains import survey

LAVA = toolchains.TOOLCHAINS["loihi"]
OWN_PYTHON = sys.executable
COMMAND = "neurodeploy toolchain install loihi"

PYTHON = """#!/bin/bash
case "$*" in
  *"-m venv "*)
    folder="${@: -1}"
    mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" ;;
  *"pip"*" install "*)
    PIP
    site="$(dirname "$0")/../lib/python3.10/site-packages"
    mkdir -p "$site/lava_nc-0.10.0.dist-info" "$site/lava"
    echo content > "$site/lava/part.py"
    echo "lava/part.py,sha256=x,8" > "$site/lava_nc-0.10.0.dist-info/RECORD" ;;
  *"pip"*" freeze"*) echo lava-nc==0.10.0 ;;
  *" -c "*) echo 3.10 ;;
esac
"""


class Machine:
    """A machine with an empty home, an empty cache, and a Python 3.10 where one is put."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root, root / "cache"
        self.environment = {
            "HOME": str(root / "home"),
            "PATH": str(root / "bin"),
            "NEURODEPLOY_CACHE": str(self.cache),
            "PYENV_ROOT": str(root / "pyenv"),
            "UV_PYTHON_INSTALL_DIR": str(root / "uv"),
        }
        (root / "home").mkdir()
        (root / "bin").mkdir()
        for tool in ("cp", "dirname", "mkdir", "sleep"):
            (root / "bin" / tool).symlink_to(str(shutil.which(tool)))

    def put_python(self, place: str, pip: str = ":") -> Path:
        """A Python 3.10 whose pip does `pip` first."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PYTHON.replace("PIP", pip, 1))
        path.chmod(0o755)
        return path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [OWN_PYTHON, "-m", "neurodeploy.cli", *arguments],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("_base_executable", "executable"):  # beside it there may be a Python 3.10 as well
        monkeypatch.setattr(sys, name, str(tmp_path / "nowhere" / "of" / "bin" / "python"), raising=False)
    return made


@pytest.mark.parametrize(
    "place",
    ["bin/python3.10", "pyenv/versions/3.10.7/bin/python3", "uv/cpython-3.10.7-linux-x86_64-gnu/bin/python3"],
)
def test_a_python_is_found_wherever_it_is(machine: Machine, place: str) -> None:
    path = machine.put_python(place)
    assert toolchains.find_python(LAVA) == path
    said: list[str] = []
    assert toolchains.install("loihi", said.append) == LAVA.interpreter
    assert len(said) == 2 and str(path) in said[0]
    assert toolchains.stamp(LAVA) and toolchains.damage(LAVA) == ""
    assert toolchains.install("loihi", said.append) == LAVA.interpreter and len(said) == 2
    assert doctor.examine_loihi().state == doctor.EMULATED
    assert list((machine.root / "home").iterdir()) == []


def test_a_shim_of_pyenvs_that_runs_nothing_is_passed_over(machine: Machine) -> None:
    path = machine.put_python("pyenv/versions/3.10.7/bin/python3")
    shim = machine.root / "bin" / "python3.10"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert toolchains.find_python(LAVA) == path


def test_where_there_is_none_the_lines_that_help_are_told(machine: Machine) -> None:
    with pytest.raises(EnvironmentMissingError) as told:
        toolchains.install("loihi", lambda _: None)
    assert "no Python 3.10" in told.value.what and told.value.exit_code == 2
    lines = [line.strip() for line in told.value.fix.splitlines()]
    for line in ("pyenv install 3.10", "uv python install 3.10", "apt install python3.10 python3.10-venv"):
        assert line in lines
    assert COMMAND in told.value.fix
    found = doctor.examine_loihi()
    assert (found.state, found.fix) == (doctor.MISSING, told.value.fix)
    assert not LAVA.folder.exists()


def test_nothing_is_installed_by_itself_where_that_is_forbidden(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put_python("bin/python3.10")
    monkeypatch.setenv(toolchains.OFFLINE, "1")
    with pytest.raises(EnvironmentMissingError, match="not installed") as told:
        toolchains.ensure("loihi", lambda _: None)
    assert told.value.fix == COMMAND and told.value.exit_code == 2
    found = doctor.examine_loihi()
    assert (found.state, found.fix) == (doctor.MISSING, COMMAND) and "python3.10" in found.detail
    assert survey().data["loihi"]["state"] == "missing"


UNREACHABLE = """echo "WARNING: Retrying (Retry(total=0)): 'NewConnectionError('[Errno 111] Connection refused')'" >&2
    echo "ERROR: No matching distribution found for lava-nc==0.10.0" >&2
    exit 1"""


@pytest.mark.parametrize(
    ("pip", "words", "fix"),
    [
        (UNREACHABLE, "the Python Package Index can't be reached", "PIP_INDEX_URL"),
        (
            "echo 'ERROR: No matching distribution found for x' >&2; exit 1",
            "does not have a package",
            "PIP_INDEX_URL",
        ),
        (
            "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
            "disk is full",
            "NEURODEPLOY_CACHE",
        ),
        ("echo 'ERROR: what nobody knows' >&2; exit 1", "what nobody knows", "run that line"),
        ("exit 3", "exit code 3", "run that line"),
    ],
)
def test_an_installation_that_fails_says_why_and_leaves_nothing(
    machine: Machine, pip: str, words: str, fix: str
) -> None:
    machine.put_python("bin/python3.10", pip)
    with pytest.raises(ToolchainMissingError, match="could not install the packages") as told:
        toolchains.install("loihi", lambda _: None)
    assert words in told.value.what and fix in told.value.fix and f"'{COMMAND}' again" in told.value.fix
    assert told.value.exit_code == 1
    assert not LAVA.folder.exists()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            lambda site: (site / "lava" / "part.py").unlink(),
            "lava/part.py of lava-nc==0.10.0 is missing or cut",
        ),
        (
            lambda site: os.truncate(site / "lava" / "part.py", 3),
            "lava/part.py of lava-nc==0.10.0 is missing or cut",
        ),
        (lambda site: shutil.rmtree(site / "lava_nc-0.10.0.dist-info"), "lava-nc==0.10.0 is not there"),
        (lambda site: LAVA.interpreter.unlink(), "does not run"),
        (lambda site: (LAVA.folder / toolchains.STAMP).write_text("{"), "can't be read"),
    ],
)
def test_a_damaged_environment_is_found_and_mended_by_the_line_that_doctor_says(
    machine: Machine, harm, words: str
) -> None:
    machine.put_python("bin/python3.10")
    toolchains.install("loihi", lambda _: None)
    harm(LAVA.folder / "lib" / "python3.10" / "site-packages")
    found = doctor.examine_loihi()
    assert (found.state, found.fix) == (doctor.DAMAGED, COMMAND) and words in found.detail
    listed = survey().data["loihi"]
    assert not listed["installed"] and words in listed["state"] and listed["fix"] == COMMAND
    said: list[str] = []
    toolchains.install("loihi", said.append)
    assert words in said[0] and "made anew" in said[0]
    assert toolchains.damage(LAVA) == "" and doctor.examine_loihi().state == doctor.EMULATED


def test_ctrl_c_leaves_nothing_and_no_process(machine: Machine) -> None:
    machine.put_python("bin/python3.10", f"echo $$ > {machine.root}/pip; sleep 600 & wait")
    started = machine.start("toolchain", "install", "loihi")
    pip = written_number(machine.root / "pip")
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert (
        started.returncode == 130
        and errors.endswith("Interrupted. Nothing was kept.\n")
        and "Traceback" not in errors
    )
    assert not LAVA.folder.exists()
    until = time.monotonic() + 10
    while anyone_lives(pip) and time.monotonic() < until:
        time.sleep(0.02)
    assert not anyone_lives(pip)


def test_a_killed_installation_counts_for_nothing_and_the_next_one_waits_for_what_it_has_started(
    machine: Machine,
) -> None:
    go, late = machine.root / "go", machine.root / "late"
    pip = f"echo $$ > {machine.root}/pip; until [ -e {go} ]; do sleep 0.05; done; echo > {late}"
    machine.put_python("bin/python3.10", pip)
    started = machine.start("toolchain", "install", "loihi")
    written_number(machine.root / "pip")
    started.kill()
    started.communicate()
    assert LAVA.folder.exists() and toolchains.stamp(LAVA) is None
    assert doctor.examine_loihi().state == doctor.MISSING
    machine.put_python("bin/python3.10")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        go.touch()

    toolchains.install("loihi", say)
    assert "another installation" in said[0] and late.exists()
    assert toolchains.damage(LAVA) == "" and doctor.examine_loihi().state == doctor.EMULATED


def written_number(path: Path) -> int:
    """The number in a file, once it is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")
