"""Executes a Program in Lava: a plain script that needs NumPy and Lava alone, in a process of its own.

``python runner.py FOLDER`` takes one JSON object a line on standard input and gives one a line on standard output:
``{"progress": [stage, done, total]}`` any number of times, then ``{"done": {...}}`` or ``{"error": ...}``.  What Lava
prints goes to standard error.  Arrays travel as ``.npz`` files in the folder.

The folder's ``machine.json`` (the fields of a hardware file) says where Lava runs; without it, here, with our own processes.

``python runner.py FOLDER --run STEPS`` needs no front end: it executes the Program once and leaves ``recording.npz`` in the
folder: ``spikes<k>.steps``, ``spikes<k>.neurons`` and ``samples<k>``, k being the position in the Program's ``recorded``, and
``mantissa<k>`` of every group of synapses.  ``--machine``, ``--partition``, ... replace fields of ``machine.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

PIECE_SECONDS = 0.5
"""About how long Lava runs before progress is told."""

MACHINE, ANSWER, CHANGES, RECORDING = "machine.json", "answer.npz", "changes.npz", "recording.npz"

HERE = {
    "machine": "simulated",
    "chip": None,
    "processes": "own",
    "host": None,
    "partition": None,
    "board": None,
}
HERE |= {"generation": None}
"""The machine where nothing is said: Lava on this one, for the Program's chip."""

NO_EXTENSION = "NoLoihiExtension"
"""How an error begins that says that Intel's extension of Lava is missing."""


class Runner:
    """One Program in Lava."""

    def __init__(self, folder: Path, say: Any, **machine: Any) -> None:
        self.folder, self.say = folder, say
        self.network: Any = None
        self.step = 0
        written = folder / MACHINE
        given = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        self.machine = HERE | given | machine

    def build(self, _: dict[str, Any]) -> dict[str, Any]:
        from importlib.metadata import version

        import program  # type: ignore[import-not-found]

        self.program = program.read(self.folder)
        self.machine["chip"] = self.machine["chip"] or self.program.chip
        facts = {
            "lava": version("lava-nc"),
            "lava_numpy": np.__version__,
            "lava_python": ".".join(map(str, sys.version_info[:3])),
        }
        if self.machine["machine"] != "simulated":
            from lava.utils import loihi

            if not loihi.is_installed():
                raise RuntimeError(NO_EXTENSION)
        if self.machine["processes"] == "stock":
            from stock import beyond_stock  # type: ignore[import-not-found]

            beyond = beyond_stock(self.program)
            if beyond:
                raise ValueError(f"stock processes can't run this Program: {'; '.join(beyond)}")
            from lava_processes import stock_network

            return facts | {"lava_processes": stock_network.DESCRIPTION, "os_processes": None}
        from lava_processes.fused import FusedNetwork

        self.network = FusedNetwork(self.program, self.folder)
        watch(multiprocessing.active_children(), self.say)
        processes = len(multiprocessing.active_children())
        return facts | {"lava_processes": self.network.description, "os_processes": processes}

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
        from lava_processes.stock_network import StockNetwork

        if self.step:
            raise RuntimeError(
                "stock processes play one run, and it is over; use own processes, or one longer run"
            )
        self.network = StockNetwork(self.program, steps, self.machine)
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
        watching.clear()
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

# ------------------------------------------------------------------------------------- processes

watching: list[Any] = []
"""Lava's processes, while they are to be alive."""


def kill_children() -> None:
    for child in multiprocessing.active_children():
        child.kill()


def watch(children: list[Any], say: Any) -> None:
    """Say so and leave where a process of Lava's is killed from outside: the others would wait for it forever."""
    watching[:] = children

    def look() -> None:
        while watching:
            lost = [child for child in list(watching) if child.exitcode not in (None, 0)]
            if lost and watching:
                code = lost[0].exitcode
                how = (
                    f"was killed by {signal.Signals(-code).name}"
                    if code < 0
                    else f"ended with exit code {code}"
                )
                say({"error": f"a process of Lava's {how}"})
                kill_children()
                os._exit(1)
            time.sleep(0.2)

    threading.Thread(target=look, daemon=True).start()


def leave_with(parent: int) -> None:
    """End this process and Lava's soon after the one that started it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    kill_children()
    os._exit(1)


# ------------------------------------------------------------------------------------ front doors


def serve(folder: Path) -> None:
    """Take instructions until ``end``."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            channel.write(json.dumps(message) + "\n")
            channel.flush()

    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    runner = Runner(folder, say)
    say({"done": {}})
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] not in INSTRUCTIONS:
            say({"error": f"no instruction {request['do']}"})
            continue
        try:
            answer = getattr(runner, request["do"])(request)
        except Exception as error:
            traceback.print_exc()
            known = str(error) == NO_EXTENSION
            say({"error": NO_EXTENSION if known else f"{type(error).__name__}: {error}"})
            continue
        say({"done": answer})
        if request["do"] == "end":
            return


def run_once(folder: Path, steps: int, machine: dict[str, Any]) -> None:
    """Execute the Program for `steps` and leave its recording in the folder."""

    def say(message: dict[str, Any]) -> None:
        if "error" in message:
            print(message["error"], file=sys.stderr, flush=True)

    runner = Runner(folder, say, **machine)
    facts = runner.build({})
    started = time.perf_counter()
    runner.run({"steps": steps})
    facts["run_seconds"] = round(time.perf_counter() - started, 3)
    np.savez(folder / RECORDING, **runner.recording())  # type: ignore[arg-type]
    runner.end({})
    print(json.dumps(facts | {"steps": steps, "recording": str(folder / RECORDING)}, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute a Loihi Program in Lava.")
    parser.add_argument("folder", type=Path, help="the Program: program.json and arrays.npz")
    parser.add_argument("--run", type=int, metavar="STEPS", help="execute it once, without a front end")
    for name in ("machine", "processes", "host", "partition", "board", "generation"):
        parser.add_argument(f"--{name}", help=f"instead of {name} in {MACHINE}")
    options = parser.parse_args()
    machine = {name: getattr(options, name) for name in HERE if getattr(options, name, None) is not None}
    try:
        if options.run is None:
            serve(options.folder)
        else:
            run_once(options.folder, options.run, machine)
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:
        if str(error) != NO_EXTENSION:
            raise
        sys.exit(
            "Intel's extension of Lava, lava-nc-loihi, is not installed beside this Lava; it is for members of Intel's"
            " Neuromorphic Research Community"
        )
    finally:
        kill_children()


if __name__ == "__main__":
    main()
