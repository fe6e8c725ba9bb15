"""What went wrong in Lava, in the user's words: what the runner says, read into one message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from neurodeploy.backends.loihi import runner
from neurodeploy.errors import EnvironmentMissingError, RunError
from neurodeploy.hardware import LoihiHardware
from neurodeploy.toolchains import TOOLCHAINS

EXTENSION = "Lava-Loihi (lava-nc-loihi, with NxCore)"


class LavaError(RunError):
    """Lava has raised something, as it says it."""


@dataclass(frozen=True)
class Cause:
    """What of the runner's words matches, and why and what helps."""

    pattern: str
    why: str
    fix: str


CAUSES = (
    Cause(
        r"No space left on device|Disk quota exceeded|File too large",
        "what is recorded, and every change, goes through files in the cache folder",
        "free some space, or set NEURODEPLOY_CACHE to a folder on another disk; or record less",
    ),
    Cause(
        r"killed by SIGBUS",
        "Lava's processes talk through shared memory; the system ends one that finds /dev/shm full",
        "free some of /dev/shm, or make it larger (docker run --shm-size=1g ...), or make the model smaller",
    ),
    Cause(
        r"killed by SIGKILL|MemoryError|Cannot allocate memory",
        "either somebody has ended it, or the memory was short and the system did",
        "where memory was short, make the model smaller or record less",
    ),
)
"""In order: the first that fits."""


def explained(do: str, said: str, kind: str | None, python: str, hardware: LoihiHardware) -> RunError:
    """The error behind what the runner `said` when it was to `do`."""
    if kind == runner.NO_LAVA:
        return no_lava(python, said, hardware)
    if kind == runner.NO_EXTENSION:
        return EnvironmentMissingError(
            f"Hardware '{hardware.name}': Intel's extension of Lava, {EXTENSION}, is not installed beside Lava ({python}), so no"
            " chip can be used",
            why="it has the compiler and the drivers of the chips; Intel gives it to members of its Neuromorphic Research"
            " Community alone (intel-nrc.org), and it is on no public index",
            fix=f"on a host of Intel's cloud, '{python} -m pip install' the lava-loihi archive that Intel keeps there; without a"
            f" chip, the same numbers come from --hardware {hardware.chip}-sim",
        )
    if kind == runner.NO_BOARD:
        return EnvironmentMissingError(
            f"Hardware '{hardware.name}': {said}",
            fix="write another partition or board in a file of your own ('sinfo' lists them), or 'machine: ethernet' and the"
            f" address of the chip's host; without a chip, --hardware {hardware.chip}-sim",
        )
    cause = next((cause for cause in CAUSES if re.search(cause.pattern, said)), None)
    what = f"Lava could not {do}: {said}"
    if cause is None:
        return LavaError(what)
    return LavaError(what, why=cause.why, fix=cause.fix)


def no_lava(python: str, said: str, hardware: LoihiHardware) -> EnvironmentMissingError:
    """Where Lava's interpreter or Lava itself does not work."""
    lava = TOOLCHAINS["loihi"]
    if hardware.python:
        return EnvironmentMissingError(
            f"Hardware '{hardware.name}': its python, {python}, has no Lava that works: {said}",
            why="the hardware file names a Python of its own",
            fix=f"install Lava there ('{python} -m pip install lava-nc'), or leave python out and use '{lava.command}'",
        )
    return EnvironmentMissingError(
        f"{lava.title}: the environment is damaged: {said}",
        why=f"it is {lava.folder}",
        fix=f"mend it with '{lava.command}'",
    )
