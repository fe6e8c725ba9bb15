"""A running Program: Lava in a process of its own, which ends with this one, and its numbers read back in PyNN's units."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy import cache, toolchains
from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.changing import membranes
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import ARRAYS, PLAN, LoihiProgram
from neurodeploy.backends.loihi.program_session import ProgramSession
from neurodeploy.backends.loihi.running import LavaProcess
from neurodeploy.backends.loihi.stock import beyond_stock
from neurodeploy.chips.loihi import chip_by_name
from neurodeploy.errors import RunError, ToolchainMissingError, UnsupportedError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.hardware import LoihiHardware, load_as
from neurodeploy.models.network import Network

POLITENESS = 20.0
"""Seconds Lava has to stop by itself before it is ended."""


def say(line: str) -> None:
    """Tell the user what takes long before the first run."""
    print(f"neurodeploy: {line}", file=sys.stderr, flush=True)


def lower_for(
    hardware: LoihiHardware, network: Network, options: Options, judge: Judge = RAISES
) -> tuple[LoihiProgram, list[str]]:
    """The Program for a machine, and what of it Lava's stock processes could not say.

    Raises
    ------
    UnsupportedError
        As for :func:`lower`; more chips than the machine has; a machine of stock processes that can't say the model.
    """
    program = lower(network, hardware.chip, options.allow_losses, hardware.chips, judge)
    beyond = beyond_stock(program)
    if beyond and hardware.processes == "stock":
        with judge.each():
            raise UnsupportedError(
                f"Hardware '{hardware.name}' can't run this model: {'; '.join(beyond)}",
                why="a chip has programs for Lava's stock processes alone",
                fix=f"simplify these, or use --hardware {hardware.chip}-sim, which runs our own processes on this machine",
            )
    return program, beyond


def interpreter(hardware: LoihiHardware) -> Path:
    """The Python that has Lava: the machine's own, or that of the toolchain, which is installed where it is missing."""
    own = hardware.python
    return Path(own).expanduser().absolute() if own else toolchains.ensure("loihi", say)


class LoihiSession(ProgramSession):
    """A Network loaded into Lava.  See :class:`neurodeploy.backends.base.Session`."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network, self.options = network, options
        self.hardware = load_as(LoihiHardware, str(options.hardware), options.host, options.faults)
        self.chip = chip_by_name(self.hardware.chip)
        self.report = Report(executed_by=self.hardware.executed_by)
        self.step = 0
        self._lava: LavaProcess | None = None
        self._pending: list[tuple[str, int, str, Any]] = []
        self._read: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
        started = time.perf_counter()
        lowered = self._lower()
        self.report.changes += self.program.changes
        self.report.wall["build"] = time.perf_counter() - started
        python = interpreter(self.hardware)
        self.folder = cache.session_folder()
        try:
            started = time.perf_counter()
            self.program.write(self.folder)
            machine = json.dumps(self.hardware.model_dump(), indent=1) + "\n"
            (self.folder / runner.MACHINE).write_text(machine, encoding="utf-8")
            self._lava = LavaProcess(self.folder, python, self.hardware)
            facts = self._lava.ask("build", options.progress)
        except BaseException as error:
            raise self._kept(error) from None
        self.report.wall |= {"compile": time.perf_counter() - started, "run": 0.0}
        self.report.facts |= {
            "engine": self.hardware.name,
            "hardware": self.hardware.model_dump(),
            "compiled": False,
            "threads": facts["os_processes"],
            "rules": self.hardware.rules,
            "network": network.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
            **lowered,
            **facts,
        }

    def _lower(self) -> dict[str, Any]:
        """Make the Program; give what else a run should say of it."""
        self.program, beyond = lower_for(self.hardware, self.network, self.options)
        self._membranes = membranes(self.network, self.chip)
        self.report.quantisation = self.program.report
        return {"beyond_stock_processes": beyond}

    # --------------------------------------------------------------------------- failing

    def _kept(self, error: BaseException) -> BaseException:
        """End everything; where the run failed, keep its log and say in the error where it is."""
        self._stop()
        if not isinstance(error, RunError) or isinstance(error, ToolchainMissingError):
            shutil.rmtree(self.folder, ignore_errors=True)
            if isinstance(error, OSError) and error.errno is not None:
                return cache.unwritable(self.folder.parent, error)
            return error
        place = cache.failure_folder("loihi")
        self._move_to(place)
        what = error.what.replace(str(self.folder), str(place))
        if str(place / runner.LOG) not in what:
            what += f"\n  log: {place / runner.LOG}"
        fix = error.fix or "read the end of the log"
        return type(error)(what, why=error.why, fix=fix)

    def _move_to(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        for name in (PLAN, ARRAYS, runner.MACHINE, runner.LOG):
            if (self.folder / name).exists():
                shutil.move(str(self.folder / name), str(place / name))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self) -> None:
        if self._lava is not None:
            self._lava.kill()
            self._lava = None

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        if self._lava is None:
            raise RunError("This simulation has ended", fix="call setup() or reset() and run again")
        try:
            return self._lava.ask(do, self.options.progress, **more)
        except BaseException as error:
            raise self._kept(error) from None

    def _arrays(self, do: str, **more: Any) -> dict[str, np.ndarray]:
        """Ask for arrays, after the changes that wait; the same question in the same state is asked once."""
        self._tell()
        key = (do, *sorted(more.items()))
        if key not in self._read:
            answer = self._ask(do, **more)
            with np.load(self.folder / answer["arrays"]) as arrays:
                self._read[key] = dict(arrays)
        return self._read[key]

    # -------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        started = time.perf_counter()
        self._draw(self.step, self.step + steps)
        self._tell()
        self._ask("run", steps=steps)
        self.step += steps
        self._read.clear()
        self.report.wall["run"] += time.perf_counter() - started

    def _change(self, kind: str, position: int, name: str, value: Any) -> None:
        self._pending.append((kind, position, name, value))

    def _tell(self) -> None:
        """Tell Lava what has changed."""
        if not self._pending:
            return
        changes, arrays = [], {}
        for number, (kind, position, name, value) in enumerate(self._pending):
            key: Any = f"change{number}"
            if kind == "spikes":
                key = [f"{key}.steps", f"{key}.neurons"]
                arrays[key[0]], arrays[key[1]] = value
            else:
                arrays[key] = value
            changes.append([kind, position, name, key])
        self._pending.clear()
        self._read.clear()
        try:
            np.savez(self.folder / runner.CHANGES, **arrays)
        except OSError as error:
            raise self._kept(error) from None
        self._ask("change", changes=changes)

    # -------------------------------------------------------------------------- reading

    def _spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._arrays("spikes", group=group)
        return found["steps"], found["neurons"]

    def _samples(self, recorded: int) -> np.ndarray:
        return self._arrays("samples", recorded=recorded)["values"]

    def _state(self, group: int, name: str) -> np.ndarray:
        return self._arrays("state", group=group, name=name)["values"]

    def _mantissa(self, synapses: int) -> np.ndarray:
        return self._arrays("mantissa", synapses=synapses)["values"]

    # --------------------------------------------------------------------------- ending

    def end(self) -> None:
        if self._lava is not None:
            with contextlib.suppress(RunError):
                self._lava.ask("end", limit=POLITENESS)
        self._stop()
        if not self.folder.exists():
            return
        if self.options.folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        try:
            self._move_to(self.options.folder)
            if self.program.report is not None:
                self.program.report.save(self.options.folder)
        except OSError as error:
            raise RunError(
                f"The Program can't be written to {self.options.folder}: {error.strerror}",
                fix="free some space, or choose another folder",
            ) from error
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
