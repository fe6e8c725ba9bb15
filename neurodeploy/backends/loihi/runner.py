"""Executes a Program in Lava: a plain script that needs NumPy and Lava alone, in a process of its own.

``python runner.py FOLDER`` takes one JSON object a line on standard input and gives one a line on standard output:
``{"progress": [stage, done, total]}`` any number of times, then ``{"done": {...}}`` or ``{"error": why, "kind": ...}``.  What
Lava prints goes to standard error.  Arrays travel as ``.npz`` files in the folder.

The folder's ``machine.json`` (the fields of a hardware file) says where Lava runs; without it, here, with our own processes.

``python runner.py FOLDER --run STEPS`` needs no front end: it executes the Program once and leaves ``recording.npz`` in the
folder: ``spikes<k>.steps``, ``spikes<k>.neurons`` and ``samples<k>``, k being the position in the Program's ``recorded``, and
``mantissa<k>`` of every group of synapses.  ``--machine``, ``--partition``, ... replace fields of ``machine.json``.  What Lava
prints goes to ``lava.log``.  Exit code 0: done; 1: it failed; 2: nothing could be run; 130: interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

PIECE_SECONDS = 0.5
"""About how long Lava runs before progress is told."""

SLURM_SECONDS = 30
"""How long SLURM may take to say what it has."""

MACHINE, ANSWER, CHANGES, RECORDING, LOG = (
    "machine.json",
    "answer.npz",
    "changes.npz",
    "recording.npz",
    "lava.log",
)

HERE = {
    "machine": "simulated",
    "chip": None,
    "processes": "own",
    "host": None,
    "partition": None,
    "board": None,
    "generation": None,
}
"""The machine where nothing is said: Lava on this one, for the Program's chip."""

ROOMS = {
    "own": ("fused", "FusedNetwork"),
    "stock": ("stock_network", "StockNetwork"),
    "float": ("float_network", "FloatNetwork"),
    "trials": ("trials", "TrialNetwork"),
}
"""By a machine's ``processes``, the module that has them and what makes a network of them."""

NO_LAVA, NO_EXTENSION, NO_BOARD, NO_PROGRAM = "no Lava", "no extension", "no board", "no Program"
"""Kinds of errors because of which nothing can be run at all."""


class CannotRunError(Exception):
    """Nothing can be run; `kind` says what is missing."""

    def __init__(self, kind: str, what: str) -> None:
        self.kind = kind
        super().__init__(what)


def told(error: BaseException) -> str:
    """An exception in one line or more."""
    return str(error) if isinstance(error, CannotRunError) else f"{type(error).__name__}: {error}"


def missing_in_slurm(machine: dict[str, Any]) -> str:
    """Why SLURM can't lend the board that the machine names; empty where it can."""
    command = ["sinfo", "--noheader", "--Node", "--format=%P %N"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SLURM_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return (
            "there is no SLURM on this machine ('sinfo' does not answer), and a board is lent by SLURM alone"
        )
    rows = [line.split() for line in answer.stdout.splitlines() if line.strip()]
    for kind, column in (("partition", 0), ("board", 1)):
        known = sorted({row[column].rstrip("*") for row in rows})  # the default partition bears a star
        if machine[kind] and machine[kind] not in known:
            return f"SLURM has no {kind} '{machine[kind]}' here; it has {', '.join(known) or 'none'}"
    return ""


class Runner:
    """One Program in Lava."""

    def __init__(self, folder: Path, say: Any, failed: Any, **machine: Any) -> None:
        self.folder, self.say, self.failed = folder, say, failed
        self.asked = machine
        self.processes: Any = None
        self.network: Any = None
        self.step = 0

    def build(self, _: dict[str, Any]) -> dict[str, Any]:
        self.program, self.machine = self.read()
        facts = self.start_lava()
        if self.machine["processes"] == "stock":
            from stock import beyond_stock  # type: ignore[import-not-found]

            beyond = beyond_stock(self.program)
            if beyond:
                raise ValueError(f"stock processes can't run this Program: {'; '.join(beyond)}")
            return facts | {"lava_processes": self.room.DESCRIPTION, "os_processes": None}
        self.network = self.network_class(self.program, self.folder)
        return facts | {
            "lava_processes": self.network.description,
            "os_processes": len(self.processes.pipes),
        }

    def read(self) -> tuple[Any, dict[str, Any]]:
        """The Program and the machine."""
        import program  # type: ignore[import-not-found]

        written = self.folder / MACHINE
        try:
            found = program.read(self.folder)
            given = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        except program.UnreadableProgramError as error:
            raise CannotRunError(NO_PROGRAM, str(error)) from error
        except (OSError, ValueError) as error:
            raise CannotRunError(NO_PROGRAM, f"{written} can't be read: {error}") from error
        machine = HERE | given | self.asked
        machine["chip"] = machine["chip"] or found.chip
        return found, machine

    def start_lava(self) -> dict[str, Any]:
        """Import Lava, and see that it can use the machine."""
        try:
            from importlib import import_module
            from importlib.metadata import version

            from lava.utils import loihi
            from processes import Processes  # type: ignore[import-not-found]

            room, network = ROOMS[self.machine["processes"]]
            self.room = import_module(f"lava_processes.{room}")
            self.network_class = getattr(self.room, network)
            self.processes = Processes(self.failed)
            facts = {
                "lava": version("lava-nc"),
                "lava_numpy": np.__version__,
                "lava_python": ".".join(map(str, sys.version_info[:3])),
            }
        except Exception as error:
            raise CannotRunError(
                NO_LAVA, f"{sys.executable} has no Lava that works: {told(error)}"
            ) from error
        if self.machine["machine"] != "simulated" and not loihi.is_installed():
            raise CannotRunError(
                NO_EXTENSION,
                f"Intel's extension of Lava, Lava-Loihi, is not installed beside Lava ({sys.executable}); it is for members"
                " of Intel's Neuromorphic Research Community",
            )
        if self.machine["machine"] == "slurm":
            missing = missing_in_slurm(self.machine)
            if missing:
                raise CannotRunError(NO_BOARD, missing)
        return facts

    # -------------------------------------------------------------------------------- running

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Advance by ``steps``, after the changes that the request names."""
        self.change(request)
        if self.machine["processes"] == "stock":
            return self.run_stock(request["steps"])
        begin, end, piece = self.step, self.step + request["steps"], 50
        while self.step < end:
            steps = min(piece, end - self.step)
            started = time.perf_counter()
            self.network.run(steps)
            spent = time.perf_counter() - started
            self.step += steps
            piece = max(1, round(steps * min(4.0, PIECE_SECONDS / max(spent, 1e-6))))
            self.say({"progress": ["run", self.step - begin, end - begin]})
        return {}

    def run_stock(self, steps: int) -> dict[str, Any]:
        """The one run that stock processes play: their sources and sinks are as long as it."""
        if self.step:
            raise RuntimeError(
                "stock processes play one run, and it is over; use own processes, or one longer run"
            )
        self.network = self.network_class(self.program, steps, self.machine)
        self.network.run(steps)
        self.step = steps
        return {}

    def change(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replace values, spikes and mantissas: ``[[kind, position, name, array], ...]``."""
        if not request.get("changes"):
            return {}
        if self.machine["processes"] == "stock":
            raise RuntimeError("stock processes can't be changed; use own processes")
        with np.load(self.folder / request.get("arrays", CHANGES)) as arrays:
            for kind, position, name, key in request["changes"]:
                if kind == "values":
                    self.network.set_values(position, **{name: arrays[key]})
                elif kind == "spikes":
                    self.network.set_spikes(position, arrays[key[0]], arrays[key[1]])
                elif kind == "mantissa":
                    self.network.set_mantissa(position, arrays[key])
                else:
                    raise ValueError(f"no kind of change {kind}")
        return {}

    # -------------------------------------------------------------------------------- reading

    def played(self) -> Any:
        """The network, which stock processes have from their run on alone."""
        if self.network is None:
            raise RuntimeError("stock processes have nothing to read before they have run")
        return self.network

    def spikes(self, request: dict[str, Any]) -> dict[str, Any]:
        steps, neurons = self.played().spikes(request["group"])
        return self.answer(steps=steps, neurons=neurons)

    def samples(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.answer(values=self.played().samples(request["recorded"]))

    def state(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.answer(values=self.played().state(request["group"], request["name"]))

    def mantissa(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.answer(values=self.played().mantissa(request["synapses"]))

    def answer(self, **arrays: np.ndarray) -> dict[str, Any]:
        np.savez(self.folder / ANSWER, **arrays)  # type: ignore[arg-type]
        return {"arrays": ANSWER}

    def end(self, _: dict[str, Any]) -> dict[str, Any]:
        """Stop Lava; its processes end by themselves."""
        if self.processes is not None:
            self.processes.may_end()
        if self.network is not None:
            self.network.stop()
        return {}

    def recording(self) -> dict[str, np.ndarray]:
        """Everything recorded, as ``recording.npz`` has it."""
        arrays: dict[str, np.ndarray] = {}
        for number, (group, variable, _) in enumerate(self.program.recorded):
            if variable == "spikes":
                steps, neurons = self.network.spikes(group)
                arrays |= {f"spikes{number}.steps": steps, f"spikes{number}.neurons": neurons}
            else:
                arrays[f"samples{number}"] = self.network.samples(number)
        for number in range(len(self.program.synapses)):
            arrays[f"mantissa{number}"] = self.network.mantissa(number)
        return arrays


INSTRUCTIONS = ("build", "run", "change", "spikes", "samples", "state", "mantissa", "end")

# ------------------------------------------------------------------------------------ front doors


def leave(code: int) -> NoReturn:
    """End at once: Lava's processes follow, and the keeper of its shared memory clears up after them."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)


def leave_with(parent: int) -> None:
    """End this process soon after the one that started it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    leave(1)


def explain(error: BaseException) -> None:
    """Write down where an error comes from; where even that is impossible (a full disk), go without."""
    with contextlib.suppress(OSError):
        traceback.print_exception(type(error), error, error.__traceback__)


def serve(folder: Path, kind: type[Runner] = Runner) -> None:
    """Take instructions until ``end``."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            try:
                channel.write(json.dumps(message) + "\n")
                channel.flush()
            except OSError:  # nobody listens any more
                leave(1)

    def failed(reason: str) -> NoReturn:
        say({"error": reason})
        leave(1)

    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    runner = kind(folder, say, failed)
    say({"done": {}})
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] not in INSTRUCTIONS:
            say({"error": f"no instruction {request['do']}"})
            continue
        try:
            answer = getattr(runner, request["do"])(request)
        except Exception as error:
            if runner.processes is not None:
                runner.processes.wait_for_reason()
            explain(error)
            say({"error": told(error), "kind": getattr(error, "kind", None)})
            continue
        say({"done": answer})
        if request["do"] == "end":
            return


def run_once(folder: Path, steps: int, machine: dict[str, Any]) -> None:
    """Execute the Program for `steps` and leave its recording in the folder."""
    out, err = os.dup(1), os.dup(2)
    log, part = folder / LOG, folder / f"{RECORDING}.part"

    def failed(reason: str, code: int = 1) -> NoReturn:
        part.unlink(missing_ok=True)
        os.write(err, f"runner: {reason}\n".encode())
        leave(code)

    def failed_in_lava(reason: str) -> NoReturn:
        failed(f"{reason}\n  log: {log}")

    runner = Runner(folder, lambda _: None, failed_in_lava, **machine)
    try:
        runner.read()
        (folder / RECORDING).unlink(missing_ok=True)  # of an earlier run
        with log.open("wb") as kept:
            os.dup2(kept.fileno(), 1)
            os.dup2(kept.fileno(), 2)
        facts = runner.build({})
        started = time.perf_counter()
        runner.run({"steps": steps})
        facts["run_seconds"] = round(time.perf_counter() - started, 3)
        with part.open("wb") as file:
            np.savez(file, **runner.recording())  # type: ignore[arg-type]
        runner.end({})
        part.rename(folder / RECORDING)
    except KeyboardInterrupt:
        failed("interrupted; nothing was kept", 130)
    except CannotRunError as error:
        failed(told(error), 2)
    except Exception as error:
        if runner.processes is not None:
            runner.processes.wait_for_reason()
        explain(error)
        failed_in_lava(told(error))
    facts |= {"steps": steps, "recording": str(folder / RECORDING)}
    os.write(out, (json.dumps(facts, indent=1) + "\n").encode())


def positive(text: str) -> int:
    """A number of steps."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute a Loihi Program in Lava.")
    parser.add_argument("folder", type=Path, help="the Program: program.json and arrays.npz")
    parser.add_argument("--run", type=positive, metavar="STEPS", help="execute it once, without a front end")
    choices = {"machine": ("simulated", "slurm", "ethernet"), "processes": ("own", "stock")}
    for name in ("machine", "processes", "host", "partition", "board", "generation"):
        parser.add_argument(f"--{name}", choices=choices.get(name), help=f"instead of {name} in {MACHINE}")
    options = parser.parse_args()
    machine = {name: getattr(options, name) for name in HERE if getattr(options, name, None) is not None}
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    if options.run is None:
        serve(options.folder)
    else:
        run_once(options.folder, options.run, machine)
    leave(0)


if __name__ == "__main__":
    main()
