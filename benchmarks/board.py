"""The emulated board's engines, and any other emulator of a board beside them, on the same sPyNNaker scripts.

``idle core``: one core of 64 silent IF_curr_exp cells, 10,000 ticks.  ``idle``: 15 such cores, 1,000 ticks.  ``busy``:
11 cores, 500 cells in a random network with delays, driven by Poisson sources, 1,000 ticks.  The time is the board's
own, from its first tick to its last; spikes must be the same everywhere.  The least of several runs is what other
programs of the machine disturb least.

    python benchmarks/board.py [--runs 3] [--peer "python other_board.py" --peer-address 127.0.0.5 --peer-says "in ([0-9.]+) s"]

A peer is a command that serves a board of version 3 at an address of its own and says how long the ticks took.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IDLE = """
import json
import pyNN.spiNNaker as sim
sim.setup(1.0)
sim.set_number_of_neurons_per_core(sim.IF_curr_exp, 64)
cells = [sim.Population(64, sim.IF_curr_exp(), label=f"cells{i}") for i in range(CORES)]
cells[0].record("spikes")
sim.run(TICKS)
print(json.dumps(len(cells[0].spinnaker_get_data("spikes"))))
sim.end()
"""

BUSY = """
import hashlib, json
import numpy as np
import pyNN.spiNNaker as sim
sim.setup(1.0)
sim.set_number_of_neurons_per_core(sim.IF_curr_exp, 64)
cell = sim.IF_curr_exp(tau_syn_E=5.0, tau_syn_I=10.0)
excitatory = sim.Population(400, cell, label="excitatory", seed=1)
inhibitory = sim.Population(100, cell, label="inhibitory", seed=2)
for number, cells in enumerate((excitatory, inhibitory)):
    drive = sim.Population(cells.size, sim.SpikeSourcePoisson(rate=40.0), label=f"drive{number}", seed=7 + number)
    sim.Projection(drive, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=3.0, delay=1.0))
    for source, weight, receptor in ((excitatory, 0.15, "excitatory"), (inhibitory, 0.8, "inhibitory")):
        synapse = sim.StaticSynapse(weight=weight, delay=4.0)
        sim.Projection(source, cells, sim.FixedProbabilityConnector(0.1), synapse, receptor_type=receptor)
    cells.record("spikes")
sim.run(1000)
rows = b"".join(np.asarray(cells.spinnaker_get_data("spikes")).tobytes() for cells in (excitatory, inhibitory))
print(json.dumps([len(rows), hashlib.sha256(rows).hexdigest()]))
sim.end()
"""

SCRIPTS = {
    "idle core": IDLE.replace("CORES", "1").replace("TICKS", "10000"),
    "idle": IDLE.replace("CORES", "15").replace("TICKS", "1000"),
    "busy": BUSY,
}

SETTINGS = """[Machine]
version = 3
machine_name = {address}
enable_advanced_monitor_support = False
enable_reinjection = False
post_simulation_overrun_before_error = 600
[Mapping]
compressor = PairCompressor
"""

OURS = r"ms of the chip's time in ([0-9.]+) s"


def measured(command: list[str], address: str, says: str, script: str) -> tuple[float, object]:
    """Seconds that the board needed, and what the script printed."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for file in (".spynnaker.cfg", "spynnaker.cfg"):
            (home / file).write_text(SETTINGS.format(address=address))
        (home / "script.py").write_text(script)
        with (home / "board.log").open("w") as log:
            board = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            time.sleep(3.0)
            done = subprocess.run(
                [sys.executable, "-I", "script.py"],
                cwd=home,
                env=os.environ | {"HOME": name},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                sys.exit(done.stderr)
            time.sleep(0.5)
        finally:
            os.killpg(board.pid, signal.SIGKILL)
            board.wait()
        found = re.findall(says, (home / "board.log").read_text())
        return float(found[-1]), json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default="native,native-1,python", help="native-1: on one thread")
    parser.add_argument("--peer")
    parser.add_argument("--peer-address")
    parser.add_argument("--peer-says")
    chosen = parser.parse_args()
    subjects = {}
    for engine in chosen.engines.split(","):
        kind, _, threads = engine.partition("-")
        address = "127.0.77.1"
        command = [sys.executable, "-m", "neurodeploy.backends.spinnaker.board", "--address", address]
        subjects[engine] = ([*command, "--engine", kind, "--threads", threads or "0"], address, OURS)
    if chosen.peer:
        subjects["peer"] = (shlex.split(chosen.peer), chosen.peer_address, chosen.peer_says)
    result = {}
    for name, script in SCRIPTS.items():
        answers, seconds = {}, {subject: [] for subject in subjects}
        for _ in range(chosen.runs):
            for subject, how in subjects.items():  # in turn, so that a slow minute hits all alike
                spent, answers[subject] = measured(*how, script)
                seconds[subject].append(spent)
        if len({json.dumps(answer) for answer in answers.values()}) != 1:
            sys.exit(f"{name}: the spikes differ: {answers}")
        reference = seconds.get("peer", seconds.get("python", max(seconds.values(), key=min)))
        result[name] = {
            subject: {
                "median_seconds": statistics.median(times),
                "times_faster": round(statistics.median(reference) / statistics.median(times), 2),
                "least_seconds": min(times),
                "times_faster_by_least": round(min(reference) / min(times), 2),
            }
            for subject, times in seconds.items()
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
