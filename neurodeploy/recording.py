"""What a run leaves behind: the Recording, and the directory it is written to.

A run directory appears under its name only when it is complete; until then it is a hidden sibling that is
swept away when the run fails, is interrupted, or runs out of disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import RequestError, RunError
from neurodeploy.version import VERSION

EXECUTED_BY = ("silicon", "emulated", "chip arithmetic", "float")
"""What may have executed a run: a chip; the chip's own binaries on an emulated board; our engine with the chip's
rounding; our engine in floating point."""


@dataclass
class Recording:
    """Spikes and weights of one run, and what executed it.

    Attributes
    ----------
    executed_by : str
        One of :data:`EXECUTED_BY`.
    time_step : float
        ms.
    duration : float
        ms of model time.
    spikes : dict of str to (ndarray, ndarray)
        Population label -> times in ms and neuron numbers, sorted by time, then neuron.
    weights : dict of str to ndarray
        Projection label -> weights at the end, nA, in the Network's order of synapses.
    """

    executed_by: str
    time_step: float
    duration: float
    spikes: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)

    def ticks(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Spikes with their times counted in whole time steps."""
        return {
            label: (np.rint(times / self.time_step).astype(np.int64), neurons)
            for label, (times, neurons) in self.spikes.items()
        }


def provenance(command: list[str], **facts: Any) -> dict[str, Any]:
    """What it takes to do a run again: versions, machine and its load, command, and `facts` (seeds, hashes, stamp)."""
    packages = {}
    for package in ("numpy", "scipy", "PyNN", "neo", "brian2"):
        with contextlib.suppress(PackageNotFoundError):
            packages[package] = version(package)
    return {
        "neurodeploy": VERSION,
        "command": command,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "packages": packages,
        **facts,
    }


def processor() -> str:
    """Model of this machine's processor, as the system tells it."""
    for line in processor_lines("model name"):
        return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processor_lines(*beginnings: str) -> list[str]:
    """What the system says of its processors, lines with these `beginnings`, each once; none where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(beginnings)})


def default_folder(name: str) -> Path:
    """``runs/NAME-DATE-TIME`` below the working directory."""
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


@contextlib.contextmanager
def run_directory(wanted: Path) -> Iterator[Path]:
    """A folder to write a run into; it becomes `wanted` if the block ends well, and vanishes if it does not.

    Raises
    ------
    RequestError
        `wanted` is there already and not empty, or cannot be made.
    RunError
        Writing failed, e.g. the disk is full.
    """
    wanted = wanted.expanduser()
    if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
        raise RequestError(
            f"--out {wanted}: there is already {'a folder with files' if wanted.is_dir() else 'a file'} of that name",
            why="a run never mixes with an older one",
            fix="choose another name, or remove it first",
        )
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.unfinished-", dir=wanted.parent))
    except OSError as error:
        raise RequestError(
            f"--out {wanted}: cannot be written ({os.strerror(error.errno or 0)})",
            fix="choose a folder you can write to",
        ) from error
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        if wanted.exists():
            wanted.rmdir()
        folder.rename(wanted)
    except OSError as error:
        raise RunError(
            f"--out {wanted}: cannot be written ({os.strerror(error.errno or 0)})",
            why="the results were not saved",
            fix="free some space or choose another folder, and run it again",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=plain) + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """What JSON has no word for, as something it has."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def command_line() -> list[str]:
    """The command this process was started with, by the program's name alone."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
