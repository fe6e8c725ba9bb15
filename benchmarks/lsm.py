"""The liquid on our engine against a plain event-driven C++ loop of the same equations (``lsm_loop.cpp``): the simulation alone.

The loop is single precision, one thread, the same compiler flags.  Both run the same wiring and images; hits are drawn from
different generators, so that spike counts agree on average.  Processor seconds of each process, the least of some runs.

    python benchmarks/lsm.py [--data MNIST_FOLDER] [--neurons 1000 2197 4096 8000] [--trials 400] [--runs 3]
    python benchmarks/lsm.py [--data MNIST_FOLDER] [--neurons 1000] --samples 100 400 1600     # our cost against their number
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.lsm.data import encode, largest_share, load
from neurodeploy.lsm.model import (
    ASTROCYTE_WEIGHT,
    FADE,
    KICK_MV,
    SAMPLE_MS,
    SNAPSHOT_MS,
    Design,
    build,
    excitatory_count,
)
from neurodeploy.lsm.phases import with_weights
from neurodeploy.models.network import Network

WARM_UP = 1500
"""Snapshots before anything is measured, so that the liquid has left its first, loud state."""


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def ours(network, plastic: bool, p: np.ndarray, protocol: Protocol) -> tuple[float, float, list[np.ndarray]]:
    trials = Trials(network, plastic)
    try:
        assert trials.program.engine is not None
        pid = trials.program.engine.process.pid
        before = processor_seconds(pid)
        found = trials.run(p, np.arange(len(p)), protocol)
        seconds = processor_seconds(pid) - before
        liquid = found.counts[:, network.populations[0].size :].sum()
        return seconds, float(liquid), [trials.weights(k) for k in range(len(network.projections))]
    finally:
        trials.end()


def loop(
    program: Path, design: Design, network, plastic: bool, p: np.ndarray, protocol: Protocol
) -> tuple[float, list[float]]:
    """Processor seconds, and what the loop prints: liquid spikes, input spikes, seconds, mean magnitudes of weights by source."""
    starts = np.cumsum([0, *(population.size for population in network.populations)])
    pre = np.concatenate([q.pre_index + starts[q.pre] for q in network.projections])
    post = np.concatenate([q.post_index + starts[q.post] for q in network.projections])
    weight = np.concatenate([q.weight for q in network.projections])
    order = np.lexsort((post, pre))
    with tempfile.NamedTemporaryFile() as file:
        head = [design.inputs, design.neurons, excitatory_count(design.neurons), len(pre)]
        run = [len(p), protocol.steps, int(plastic), int(protocol.restore)]
        for values, kind in (
            (head, "i4"),
            (pre[order], "i4"),
            (post[order], "i4"),
            (weight[order], "f4"),
            (run, "i4"),
            ([design.astrocyte_weight, protocol.fade], "f4"),
            (p, "f4"),
        ):
            file.write(np.asarray(values, dtype=kind).tobytes())
        file.flush()
        with subprocess.Popen([program, file.name], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [float(word) for word in process.stdout.read().split()]
            time.sleep(0.05)
            seconds = processor_seconds(process.pid)  # a zombie still tells
    return seconds, said


def formed(neurons: int, images: np.ndarray, count: int) -> tuple[Design, Network, np.ndarray]:
    """A liquid that has left its first, loud state, and the probabilities of `count` images."""
    p = encode(images[: max(count, WARM_UP)], largest_share(images))
    sizes = [n for n in ASTROCYTE_WEIGHT if n <= max(neurons, min(ASTROCYTE_WEIGHT))]
    design = Design(neurons, p.shape[1], astrocyte_weight=ASTROCYTE_WEIGHT[max(sizes)])
    network = build(design)
    _, _, weights = ours(network, True, p[:WARM_UP], Protocol(SNAPSHOT_MS, KICK_MV))
    return design, with_weights(network, weights), p


def measure_samples(neurons: int, images: np.ndarray, counts: list[int]) -> None:
    """Print what so many samples of 250 ms cost, by whether weights learn."""
    _, network, p = formed(neurons, images, max(counts))
    for name, plastic, protocol in (
        ("features, plastic, 250 ms", True, Protocol(SAMPLE_MS, KICK_MV, 1, FADE, restore=True)),
        ("features, frozen, 250 ms", False, Protocol(SAMPLE_MS, KICK_MV, 1)),
    ):
        for count in counts:
            seconds = ours(network, plastic, p[:count], protocol)[0]
            print(f"{neurons:6} {name:28} {count:8} {seconds:9.2f} {1e3 * seconds / count:10.3f}", flush=True)


def measure(neurons: int, images: np.ndarray, trials: int, runs: int, program: Path) -> None:
    """Print the costs of a liquid of `neurons`."""
    design, network, p = formed(neurons, images, trials * 12)
    cases = {
        "forming, 20 ms": (True, trials * 12, Protocol(SNAPSHOT_MS, KICK_MV)),
        "features, plastic, 250 ms": (True, trials, Protocol(SAMPLE_MS, KICK_MV, 1, FADE, restore=True)),
        "features, frozen, 250 ms": (False, trials, Protocol(SAMPLE_MS, KICK_MV, 1)),
    }
    print(f"N = {design.neurons}, {network.synapse_count:,} synapses")
    for name, (plastic, count, protocol) in cases.items():
        shown = p[:count]
        theirs = [loop(program, design, network, plastic, shown, protocol) for _ in range(runs)]
        mine = [ours(network, plastic, shown, protocol)[:2] for _ in range(runs)]
        a, b = min(theirs)[0] / len(shown) * 1e3, min(mine)[0] / len(shown) * 1e3
        spikes = f"{theirs[0][1][0] / len(shown):.0f}, {mine[0][1] / len(shown):.0f}"
        print(f"{name:28} {a:8.3f} {b:8.3f} {b / a:6.2f}  {spikes}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--neurons", type=int, nargs="+", default=[1000])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--samples", type=int, nargs="+")
    options = parser.parse_args()
    images = load("mnist" if options.data else "digits", options.data).training.images
    if options.samples:
        print(f"{'N':>6} {'':28} {'samples':>8} {'seconds':>9} {'ms a sample':>10}")
        for neurons in options.neurons:
            measure_samples(neurons, images, options.samples)
        return
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "loop"
        source = Path(__file__).parent / "lsm_loop.cpp"
        subprocess.run([compiler.compiler(), *compiler.FLAGS, source, "-o", program], check=True)
        print(compiler.compiler())
        print(f"{'':28} {'loop ms':>8} {'ours ms':>8} {'ratio':>6}  liquid spikes a trial (loop, ours)")
        for neurons in options.neurons:
            measure(neurons, images, options.trials, options.runs, program)


if __name__ == "__main__":
    main()
