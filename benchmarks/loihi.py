"""Lava's CPU run beside the compiled engine: the same Program, the same steps, every spike, u, v and learned weight equal.

One population of 1,000 or 300 ``LIF`` neurons, connected among themselves by one ``Dense``, ``DelayDense`` or ``LearningDense``
of stock Lava 0.10.0 in fixed point; the same Program in our own Lava processes, and in the engine of ``--backend brian2 --rules
loihi2``.  What stock Lava lacks, a refractory period above all, the networks do without (docs/loihi.md, "Where Lava and this
differ").  A fifth of the neurons inhibit, but for those that learn, and a constant bias keeps the network going: its size sets
the rate (at 1 ms a step).

First 100 steps with everything recorded, which are compared.  Then the timed steps, after 20 in which Lava prepares its
weights: nothing is recorded in Lava, spikes are in the engine; u, v and weights at the end are compared.  Times are those of the
call that runs, without building, start and compilation on any side: of the wall, and of all processors that worked on it, which
a loaded machine changes less.  The median of the runs, each in fresh processes.

    python benchmarks/loihi.py [--runs 5] [--only WORDS] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from processor_time import Stopwatch

from neurodeploy import toolchains
from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2.loihi import LoihiEngine
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Synapses
from neurodeploy.backends.loihi.running import LavaProcess
from neurodeploy.chips.loihi_learning import LearningRule
from neurodeploy.chips.loihi_plasticity import map_pair_rule
from neurodeploy.hardware import LoihiHardware, load_as
from neurodeploy.models.network import Plasticity

DU, DV, THRESHOLD = 741, 200, 2000
"""Time constants of 5 and 20 steps; a threshold of 128,000."""

RHEOBASE = THRESHOLD * 64 * DV // 4096
"""The bias that brings v just to the threshold."""

BIAS_EXPONENT = 5

CHECKED, WARM_UP = 100, 20
"""Steps that are compared one by one; steps before those that are timed."""


@dataclass(frozen=True)
class Case:
    """A network, the biases and steps it is timed with, and what the ratio has to be.

    Attributes
    ----------
    longest : int
        Delay in Lava's count, which begins at 0.
    weight : int
        The largest mantissa of an excitatory synapse is twice as large.
    drives : tuple of float
        Largest bias as a share of the rheobase; neurons get half of it to all of it.
    """

    name: str
    size: int
    connectivity: float
    longest: int
    weight: int
    drives: tuple[float, ...]
    steps: int
    target: int | None = None
    learns: bool = False


CASES = (
    Case("LIF + Dense, 1,000 neurons, 10 %", 1000, 0.1, 0, 12, (1.12, 1.6, 12.0), 2000, 50),
    Case("LIF + DelayDense, 300 × 300, delays 0-60", 300, 1.0, 60, 4, (1.1, 1.6, 8.0), 200, 100),
    Case("LIF + LearningDense, 300 × 300, STDP", 300, 1.0, 0, 1, (1.02, 8.0), 300, learns=True),
)


def stdp() -> LearningRule:
    """PyNN's additive pair rule in the chip's terms, with time constants of 20 steps; it depresses more than it potentiates."""
    weights = np.ones(1)
    plasticity = Plasticity(20.0, 20.0, 0.002, 0.012, "additive", 0.0, 2.0, 1.0)
    return map_pair_rule(plasticity, "synapses", "excitatory", weights, weights, 1.0, 1).rule


def network(case: Case, drive: float) -> LoihiProgram:
    draw = np.random.default_rng(4)
    post, pre = np.nonzero(draw.random((case.size, case.size)) < case.connectivity)
    inhibits = draw.random(case.size) < 0.2
    mantissa = 2 * draw.integers(1, case.weight + 1, len(pre))
    if not case.learns:
        mantissa[inhibits[pre]] *= -4
    bias = draw.integers(int(RHEOBASE * drive) // 2, int(RHEOBASE * drive) + 1, case.size)
    everyone = np.ones(case.size, dtype=np.int64)
    cells = Compartments(
        label="cells",
        size=case.size,
        du=DU * everyone[np.newaxis],
        dv=DV * everyone,
        vth=THRESHOLD * everyone,
        bias_mant=bias >> BIAS_EXPONENT,
        bias_exp=BIAS_EXPONENT * everyone,
        refractory=0 * everyone,
        u=0 * everyone[np.newaxis],
        v=draw.integers(0, THRESHOLD * 64, case.size),
    )
    synapses = Synapses(
        label="synapses",
        projection=0,
        members=np.arange(len(pre)),
        pre=0,
        post=0,
        current=0,
        pre_index=pre,
        post_index=post,
        mantissa=mantissa,
        delay=draw.integers(1, case.longest + 2, len(pre)),
        sign_mode="excitatory" if case.learns else "mixed",
        learning=stdp() if case.learns else None,
    )
    recorded = [(0, variable, np.arange(case.size)) for variable in ("spikes", "v", "isyn_exc")]
    return LoihiProgram("loihi2", 1.0, [cells], [synapses], [None], recorded)


# ------------------------------------------------------------------------ what is compared

State = dict[str, np.ndarray]


def recorded_by_lava(program: LoihiProgram, folder: Path, processes: str) -> State:
    program.write(folder)
    command = [lava_python(), "-I", runner.__file__, str(folder)]
    command += ["--run", str(CHECKED), "--processes", processes]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(folder / runner.RECORDING) as arrays:
        return dict(arrays)


def recorded_by_engine(program: LoihiProgram) -> State:
    engine = LoihiEngine(program, Options())
    try:
        engine.run(CHECKED)
        steps, neurons = engine.spikes(0)
        state = {"spikes0.steps": steps, "spikes0.neurons": neurons, "mantissa0": engine.mantissa(0)}
        return state | {f"samples{number}": engine.samples(number) for number in (1, 2)}
    finally:
        engine.end()


def lava_python() -> str:
    return str(toolchains.ensure("loihi", print))


def agree(states: dict[str, State], what: str) -> None:
    """End here if one of them differs from the first in anything."""
    (first, expected), *others = states.items()
    for name, state in others:
        wrong = [key for key in expected if not np.array_equal(expected[key], state[key])]
        if wrong:
            sys.exit(f"{what}: {name} and {first} differ in {', '.join(wrong)}")


# ----------------------------------------------------------------------------- what is timed

Timed = tuple[State, tuple[float, float]]
"""State after a run, and its seconds: of the wall, and of processors."""


def stock(program: LoihiProgram, folder: Path, steps: int) -> Timed:
    replace(program, recorded=[]).write(folder)
    script, backend = Path(__file__).parent / "lava_stock.py", Path(runner.__file__).parent
    result = folder / "result.npz"
    command = [lava_python(), str(script), str(backend), str(folder), str(result), str(WARM_UP), str(steps)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with np.load(result) as arrays:
        state = {name: arrays[name].astype(np.int64) for name in ("u", "v", "mantissa")}
        return state, tuple(arrays["seconds"])


def own_processes(program: LoihiProgram, folder: Path, steps: int) -> Timed:
    replace(program, recorded=[]).write(folder)
    machine = load_as(LoihiHardware, "loihi2-sim", None, None)
    lava = LavaProcess(folder, Path(lava_python()), machine)

    def values(do: str, **which) -> np.ndarray:
        with np.load(folder / lava.ask(do, **which)["arrays"]) as arrays:
            return arrays["values"]

    try:
        lava.ask("build")
        lava.ask("run", steps=WARM_UP)
        with Stopwatch(lava.process.pid) as watch:
            lava.ask("run", steps=steps)
        state = {"u": values("state", group=0, name="u")[0], "v": values("state", group=0, name="v")}
        state["mantissa"] = values("mantissa", synapses=0)
        lava.ask("end")
        return state, watch.seconds
    finally:
        lava.kill()


def engine(program: LoihiProgram, _: Path, steps: int) -> Timed:
    """The spikes of the timed steps are counted, too."""
    running = LoihiEngine(replace(program, recorded=program.recorded[:1]), Options())
    try:
        running.run(WARM_UP)
        with Stopwatch(running.running.running().process.pid) as watch:
            running.run(steps)
        spikes = np.count_nonzero(running.spikes(0)[0] >= WARM_UP)
        state = {"u": running.state(0, "u")[0], "v": running.state(0, "v"), "mantissa": running.mantissa(0)}
        return state | {"spikes": np.array(spikes)}, watch.seconds
    finally:
        running.end()


EXECUTORS: dict[str, Callable[[LoihiProgram, Path, int], Timed]] = {
    "stock": stock,
    "own": own_processes,
    "engine": engine,
}


def compared(case: Case, drive: float, runs: int) -> dict[str, float]:
    """Hz, and milliseconds a step of each executor: the wall's, and the processors' (``<name> cpu``)."""
    program = network(case, drive)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = {"stock Lava": recorded_by_lava(program, folder, "stock")}
        recorded["own processes"] = recorded_by_lava(program, folder, "own")
        recorded["engine"] = recorded_by_engine(program)
        agree(recorded, case.name)
        times: dict[str, list[float]] = {}
        for _ in range(runs):
            states = {}
            for executor, run in EXECUTORS.items():
                states[executor], seconds = run(program, folder, case.steps)
                for kind, spent in zip(("", " cpu"), seconds, strict=True):
                    times.setdefault(executor + kind, []).append(1000 * spent / case.steps)
            agree(states, case.name)
    rate = 1000 * float(states["engine"]["spikes"]) / case.steps / case.size
    return {"Hz": rate} | {executor: statistics.median(found) for executor, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each is timed; the median counts")
    parser.add_argument("--only", default="", metavar="WORDS", help="only cases whose name has these words")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    options = parser.parse_args()
    print(f"{'':42s}{'':7s}{'ms of the wall':>27s}{'':8s}{'ms of processors':>27s}")
    columns = "".join(f"{name:>9s}" for name in (*EXECUTORS, "ratio"))
    print(f"{'a step':42s}{'Hz':>7s}{columns}{columns}{'target':>8s}")
    rows, missed = [], []
    for case in (case for case in CASES if options.only in case.name):
        for drive in case.drives:
            row = compared(case, drive, options.runs)
            line = f"{case.name:42s}{row['Hz']:7.1f}"
            for kind in ("", " cpu"):
                row[f"ratio{kind}"] = row[f"stock{kind}"] / row[f"engine{kind}"]
                line += (
                    "".join(f"{row[name + kind]:9.4f}" for name in EXECUTORS) + f"{row['ratio' + kind]:9.0f}"
                )
            print(line + (f"{case.target:8d}" if case.target else ""), flush=True)
            rows.append({"case": case.name, "steps": case.steps, "target": case.target} | row)
            if case.target and row["ratio"] < case.target:
                missed.append(f"{case.name}, {row['Hz']:.1f} Hz")
    print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if missed:
        sys.exit(f"below the target, by the wall: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
