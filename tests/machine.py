"""The emulated board as the tests use it: whether it can be had, and how a plain sPyNNaker script finds it.

``NEURODEPLOY_TEST_BOARD`` names a board that is already up; otherwise tests start their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

HOST = os.environ.get("NEURODEPLOY_TEST_BOARD")
SCRIPTS = Path(__file__).parent / "sim" / "spinnaker_scripts"

SETTINGS = """\
[Machine]
version = 3
machine_name = {address}
enable_advanced_monitor_support = False
enable_reinjection = False
post_simulation_overrun_before_error = 300
[Mapping]
compressor = PairCompressor
[Reports]
default_report_file_path = {folder}
extract_iobuf = False
"""


def missing() -> str:
    """Why nothing can be run on the emulated board; empty where it can."""
    for package in ("sPyNNaker", "unicorn"):
        try:
            version(package)
        except PackageNotFoundError:
            return f"{package} is not installed"
    return ""


needs_machine = pytest.mark.skipif(bool(missing()), reason=missing())


def start_script(script: Path, home: Path, address: str) -> subprocess.Popen[str]:
    """Start a plain sPyNNaker script in a home directory of its own, whose settings name the board at `address`."""
    home.mkdir(exist_ok=True)
    (home / ".spynnaker.cfg").write_text(SETTINGS.format(address=address, folder=home))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.Popen(
        [sys.executable, "-I", str(script)],
        cwd=home,
        env=environment | {"HOME": str(home), "MPLCONFIGDIR": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
