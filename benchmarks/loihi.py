"""Lava's CPU run beside the compiled engine: the same network, the same run, every u and v equal.

Stock Lava 0.10.0, fixed point: ``LIF`` and ``Dense`` (1,000 neurons, 10 % connectivity, no delays), ``LIF`` and ``DelayDense``
(300 × 300 synapses, delays of 0 to 60 steps in Lava's count).  A fifth of the neurons inhibit; a constant bias keeps the
network going, and its size sets the rate.  Nothing is recorded by Lava; states are compared after every piece of the run.
Times are the pure run: without start, compilation and the first piece, in which Lava prepares its weights.

    python benchmarks/loihi.py [--lava-python PYTHON] [--runs 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2.loihi import LoihiEngine
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Synapses

DU, DV, THRESHOLD = 741, 200, 2000
"""Time constants of 5 and 20 steps; a threshold of 128,000."""

RHEOBASE = THRESHOLD * 64 * DV // 4096
"""The bias that brings v just to the threshold."""

ENGINE_STEPS = 20000
"""Steps of a timed run of ours, after those that are compared: a step takes microseconds."""


@dataclass
class Case:
    """A network, the steps Lava is timed for, and what the ratio has to be."""

    name: str
    size: int
    connectivity: float
    longest: int
    weight: int
    steps: int
    target: int


CASES = (
    Case("LIF + Dense, 1,000 neurons, 10 %", 1000, 0.1, 0, 12, 500, 50),
    Case("LIF + DelayDense, 300 × 300, delays to 60", 300, 1.0, 60, 4, 100, 100),
)
DRIVES = (1.0, 1.3, 2.5)
"""Bias, as a share of the rheobase, at most: neurons get half of it to all of it."""


def network(case: Case, drive: float) -> dict[str, np.ndarray]:
    """The network as Lava takes it."""
    draw = np.random.default_rng(4)
    inhibits = draw.random(case.size) < 0.2
    weights = 2 * draw.integers(1, case.weight + 1, (case.size, case.size))
    weights[:, inhibits] *= -4
    weights[draw.random(weights.shape) >= case.connectivity] = 0
    delays = (
        draw.integers(0, case.longest + 1, weights.shape) if case.longest else np.empty(0, dtype=np.int64)
    )
    return {
        "weights": weights,
        "delays": delays,
        "bias": draw.integers(int(RHEOBASE * drive) // 2, int(RHEOBASE * drive) + 1, case.size),
        "v": draw.integers(0, THRESHOLD * 64, case.size),
        "du": np.array(DU),
        "dv": np.array(DV),
        "vth": np.array(THRESHOLD),
        "pieces": np.array([20, case.steps // 2, case.steps - case.steps // 2]),
    }


def program(given: dict[str, np.ndarray]) -> LoihiProgram:
    """The same network as a LoihiProgram."""
    size = len(given["bias"])
    post, pre = np.nonzero(given["weights"])
    none, everyone = np.zeros(size, dtype=np.int64), np.arange(size)
    cells = Compartments(
        label="cells",
        size=size,
        du=np.full((1, size), DU),
        dv=np.full(size, DV),
        vth=np.full(size, THRESHOLD),
        bias_mant=given["bias"],
        bias_exp=none,
        refractory=none,
        u=np.zeros((1, size), dtype=np.int64),
        v=given["v"],
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
        mantissa=given["weights"][post, pre],
        delay=given["delays"][post, pre] + 1 if given["delays"].size else np.ones(len(pre), dtype=np.int64),
        sign_mode="mixed",
    )
    return LoihiProgram("loihi2", 1.0, [cells], [synapses], [None], [(0, "spikes", everyone)])


def lava(python: str, given: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """States after every piece, and milliseconds a step."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("network.npz", "result.npz")]
        np.savez(paths[0], **given)
        command = [python, str(Path(__file__).parent / "lava_stock.py"), *paths]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(paths[1]) as result:
            return result["states"], 1000 * result["seconds"][1:].sum() / given["pieces"][1:].sum()


def ours(given: dict[str, np.ndarray], runs: int) -> tuple[np.ndarray, float, float, float]:
    """States after every piece, milliseconds a step (the fastest of `runs`), spikes a neuron and step, seconds to load."""
    started = perf_counter()
    engine = LoihiEngine(program(given), Options())
    loading = perf_counter() - started - engine.report.wall["compile"]
    try:
        states = []
        for steps in given["pieces"]:
            engine.run(int(steps))
            states.append(np.stack([engine.state(0, "isyn_exc"), engine.state(0, "v")]))
        seconds = []
        for _ in range(runs):
            started = perf_counter()
            engine.run(ENGINE_STEPS)
            seconds.append(perf_counter() - started)
        spikes = len(engine.spikes(0)[0]) / engine.step / len(given["bias"])
    finally:
        engine.end()
    return np.array(states), 1000 * min(seconds) / ENGINE_STEPS, spikes, loading


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lava-python", required=True, help="a Python that has Lava")
    parser.add_argument("--runs", type=int, default=3, help="the fastest of so many runs counts")
    options = parser.parse_args()
    print(
        f"{'':44s}{'Hz':>7s}{'Lava ms':>9s}{'ours ms':>9s}{'ratio':>8s}{'at least':>9s}   (a step; Hz at 1 ms)"
    )
    missed = False
    for case in CASES:
        for drive in DRIVES:
            given = network(case, drive)
            ours(given, 1)  # compiles where something is to be compiled
            theirs, lava_ms = min(
                (lava(options.lava_python, given) for _ in range(options.runs)), key=lambda r: r[1]
            )
            states, ours_ms, rate, _ = ours(given, options.runs)
            if not np.array_equal(theirs, states):
                sys.exit(f"{case.name}: states differ")
            ratio = lava_ms / ours_ms
            missed |= ratio < case.target
            print(
                f"{case.name:44s}{1000 * rate:7.1f}{lava_ms:9.3f}{ours_ms:9.5f}{ratio:8.0f}{case.target:9d}",
                flush=True,
            )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
