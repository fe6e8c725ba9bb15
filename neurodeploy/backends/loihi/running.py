"""The process that drives Lava, and what it leaves: nothing."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from neurodeploy.backends.instructed import InstructedProcess
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.failures import explained, no_lava
from neurodeploy.errors import RunError
from neurodeploy.hardware import LoihiHardware

CLEARING = 2.0
"""Seconds that Lava's processes and the keeper of its shared memory have to follow the runner."""


class LavaProcess(InstructedProcess):
    """The process that drives Lava, by `script`, which takes instructions as ``runner.py`` does."""

    def __init__(
        self,
        folder: Path,
        interpreter: Path,
        hardware: LoihiHardware,
        script: Path = Path(runner.__file__),
    ) -> None:
        self.interpreter, self.hardware = str(interpreter), hardware
        if not os.access(interpreter, os.X_OK):
            raise no_lava(self.interpreter, "there is no such program", hardware)
        super().__init__(
            [self.interpreter, "-I", "-B", str(script), str(folder)],
            folder,
            folder / runner.LOG,
            "Lava",
            hardware.time_limit_seconds,
            {"MPLCONFIGDIR": str(folder)},
        )

    def failed(self, do: str, message: dict[str, Any]) -> RunError:
        return explained(do, message["error"], message.get("kind"), self.interpreter, self.hardware)

    def _gone(self, do: str) -> RunError:
        if do != "start":
            return super()._gone(do)
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return no_lava(self.interpreter, lines[-1] if lines else "it does not start", self.hardware)

    def kill(self) -> None:
        """End the runner; then see that all it has started, which follows by itself and clears up, is no more."""
        self.process.kill()
        self.process.wait()
        until = time.monotonic() + CLEARING
        while time.monotonic() < until and anyone_lives(self.process.pid):
            time.sleep(0.01)
        super().kill()


def anyone_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that has ended and that nobody has asked about does not."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = file.read_text().rsplit(")", 1)[1].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return not Path("/proc/self").exists()
