"""Trials of a Network in Lava: given spikes are played, the network learns, and what it has learned is read back."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy import cache, toolchains
from neurodeploy.backends.base import Progress
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.running import LavaProcess
from neurodeploy.backends.loihi.session import POLITENESS, say
from neurodeploy.backends.loihi.trials.lower import Lowered
from neurodeploy.backends.loihi.trials.program import ARRAYS, FRACTION_BITS, PLAN, PLAYED
from neurodeploy.backends.loihi.trials.reference import Run
from neurodeploy.errors import RunError, ToolchainMissingError
from neurodeploy.hardware import LoihiHardware, load_as

SCRIPT = Path(__file__).with_name("runner.py")

HARDWARE = "loihi2-sim"
"""Lava on this machine: nothing else runs these processes."""


def run_in_lava(
    lowered: Lowered, played: np.ndarray, trials: int, progress: Progress | None = None
) -> tuple[Run, dict[str, Any]]:
    """Run `trials` in Lava; arguments and result as those of :func:`neurodeploy.backends.loihi.trials.reference.run`.

    Returns
    -------
    Run
    dict
        What Lava says of itself.

    Raises
    ------
    ToolchainMissingError
        Lava is not installed.
    RunError
        It fails; its log is kept.
    """
    hardware = load_as(LoihiHardware, HARDWARE)
    interpreter = (
        Path(hardware.python).expanduser().absolute() if hardware.python else toolchains.ensure("loihi", say)
    )
    folder = cache.session_folder()
    lava: LavaProcess | None = None
    try:
        lowered.program.write(folder)
        np.savez(folder / PLAYED, steps=played[:, 0], neurons=played[:, 1])
        lava = LavaProcess(folder, interpreter, hardware, SCRIPT)
        facts = lava.ask("build", progress)
        # one step more: what the third factor was at a trial's end is told when the next one begins
        lava.ask("run", progress, steps=trials * lowered.program.steps + 1)
        found = _read(lava, folder, len(lowered.program.connections))
        with contextlib.suppress(RunError):
            lava.ask("end", limit=POLITENESS)
    except RunError as error:
        if isinstance(error, ToolchainMissingError):
            raise
        raise _kept(error, folder) from None
    except OSError as error:
        if error.errno is None:
            raise
        raise cache.unwritable(folder.parent, error) from error
    finally:
        if lava is not None:
            lava.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return found, facts


def _read(lava: LavaProcess, folder: Path, connections: int) -> Run:
    def arrays(do: str, **more: Any) -> dict[str, np.ndarray]:
        with np.load(folder / lava.ask(do, **more)["arrays"]) as stored:
            return dict(stored)

    spikes = arrays("spikes", group=0)
    facts = {
        name: int(arrays("state", group=0, name=state)["values"][0])
        for name, state in (("clipped_voltages", "clipped"), ("negative_factors", "negative"))
    }
    return Run(
        weights=[
            arrays("mantissa", synapses=number)["values"].astype(float) for number in range(connections)
        ],
        spikes=np.column_stack([spikes["steps"], spikes["neurons"]]),
        third=arrays("samples", recorded=0)["values"] / (1 << FRACTION_BITS),
        facts=facts,
    )


def _kept(error: RunError, folder: Path) -> RunError:
    """The error, with the log and the program where they stay."""
    place = cache.failure_folder("loihi")
    place.mkdir(parents=True, exist_ok=True)
    for name in (PLAN, ARRAYS, PLAYED, runner.LOG):
        if (folder / name).exists():
            shutil.move(str(folder / name), str(place / name))
    what = error.what.replace(str(folder), str(place))
    if str(place / runner.LOG) not in what:
        what += f"\n  log: {place / runner.LOG}"
    return type(error)(what, why=error.why, fix=error.fix or "read the end of the log")
