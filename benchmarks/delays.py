"""The motion detectors on the compiled engine, beside torch's dense 3-D convolution and Lava's ``DelaySparse``.

The layer that comes along, pruned, in 8 bits, two branches, at every place of a frame; a movie over a held-out image.
The same events, the same whole-number weights and thresholds, one thread on every side, and every spike equal: the
convolution computes the sums of all neurons at all steps and compares them with the thresholds, the engine and Lava play
the events step by step.  Times are those of the steps alone, without building, start and compilation; the engine's movie is
shown twice, and the second time counts.  Seconds are of the wall and of the processors that worked on it, which a
loaded machine changes less; ratios are of the second.

    synapses   cost against synapses, beside the convolution: from how many on is the dense one faster?
    frames     ms of movie a second: up to which frame is it faster than real time?
    events     cost against the rate of events
    lava       beside DelaySparse, some steps

    python benchmarks/delays.py [--only TABLE] [--json FILE]        needs neurodeploy[brian2,delays,torch]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processor_time import Stopwatch

from neurodeploy import toolchains
from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.delays import layer as layers
from neurodeploy.delays import network
from neurodeploy.delays.events import Events, from_frames
from neurodeploy.delays.images import embedded
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.delays.network import Detectors
from neurodeploy.delays.synapses import Quantised, expand, prune, quantise, to_synapses
from neurodeploy.models import pynn as sim

BITS, STEPS, RATE = 8, 64, 0.02
"""Of a weight; ms of movie; spikes of a class at a place and ms."""

SYNAPSES, SYNAPSES_SIDE = (652, 2_000, 8_000, 32_000, 64_000, 131_000), 24
FRAMES = {652: (32, 48, 64, 96), 8_000: (20, 24, 32, 48)}
SELECTIVITIES, EVENTS_CASE = (0.25, 0.5, 1.0, 2.0, 3.0), (8_000, 32)
LAVA = ((652, 32), (8_000, 24))
"""(synapses a place, pixels of a side)."""

LAVA_WARM_UP, LAVA_STEPS, LAVA_SHIFT = 2, 10, 1
"""Steps, and how many later than the events Lava's spikes come."""

TARGET_LAVA = 100


class Case:
    """Detectors of so many synapses a place at every place of a frame, and a movie for them."""

    def __init__(self, synapses: int, side: int, selectivity: float = 1.0) -> None:
        self.side = side
        self.quantised = quantise(prune(layers.shipped(), synapses), BITS)
        self.synapses = int(np.count_nonzero(self.quantised.whole))
        image = [one for one in embedded(test=True) if one.name == "chelsea"]
        settings = MovieSettings(side, side, STEPS, mean_block=None)
        movie = make_movie(np.random.default_rng(5), image, self.quantised.layer.motions, settings)
        self.events = from_frames(movie.frames, selectivity)
        self.dense, self.kernels = dense_operands(self.quantised, self.events)
        sums = torch.nn.functional.conv3d(self.dense, self.kernels)[0].numpy()
        by_class = sums.reshape(2, -1, *sums.shape[1:]).swapaxes(0, 1).reshape(len(sums) // 2, -1)
        theta = np.floor(np.quantile(by_class, 1 - RATE, axis=1))
        self.theta = np.maximum(theta, 0).astype(np.int64)

    def detectors(self) -> Detectors:
        table = expand(to_synapses(self.quantised), self.side, self.side)
        kinds = np.tile(self.theta, 2) + network.ABOVE["deterministic"]
        levels = np.repeat(kinds, table.neurons // len(kinds))
        return Detectors(table, levels, len(self.theta), 2, self.side, self.side, 1)

    def dense_run(self) -> tuple[np.ndarray, tuple[float, float]]:
        """Spikes (step, neuron) as a matrix, and ms a step."""
        thresholds = torch.tensor(np.tile(self.theta, 2), dtype=torch.float32)[None, :, None, None, None]
        with Stopwatch(os.getpid()) as watch:
            fired = torch.nn.functional.conv3d(self.dense, self.kernels) > thresholds
        return fired[0].movedim(1, 0).reshape(STEPS, -1).numpy(), per_step(watch, STEPS)

    def engine_run(self, made: Detectors) -> tuple[np.ndarray, tuple[float, float]]:
        """The same of the engine."""
        target = registry.load("brian2")
        sim.setup(
            timestep=network.TIME_STEP, min_delay=network.TIME_STEP, backend=target, rules="ideal", seed=0
        )
        network.build(sim, made, network.spike_times([self.events, self.events]))
        session: Any = target.open(sim.capture(), Options("ideal", threads=1))
        try:
            session.run(STEPS)
            with Stopwatch(session.program.running().process.pid) as watch:
                session.run(STEPS)
            times, neurons = session.spikes(1)
        finally:
            session.end()
        fired = np.zeros((2 * STEPS, made.synapses.neurons), bool)
        steps = np.rint(times / network.TIME_STEP).astype(int) - network.SHIFT
        fired[steps, neurons] = True
        return fired[:STEPS], per_step(watch, STEPS)

    def lava_run(self, made: Detectors, folder: Path) -> tuple[np.ndarray, tuple[float, float]]:
        """The same of Lava, of the first steps."""
        table, raster = made.synapses, self.events.dense(bool)
        one = to_synapses(self.quantised)
        copies = len(table.pre) // len(one)
        np.savez(
            folder / "network.npz",
            spikes=raster.swapaxes(0, 1).reshape(STEPS, -1).T,
            threshold=np.floor(made.levels).astype(np.int64),
            layer=np.repeat(one.layers(), copies),
            **{name: getattr(table, name) for name in ("pre", "post", "weight", "delay")},
        )
        script, result = Path(__file__).parent / "lava_delays.py", folder / "result.npz"
        command = [str(toolchains.ensure("loihi", print)), str(script), str(folder / "network.npz")]
        command += [str(result), str(LAVA_WARM_UP), str(LAVA_STEPS)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(result) as arrays:
            wall, processors = 1000 * arrays["seconds"] / LAVA_STEPS
            return arrays["spikes"].T[LAVA_SHIFT:], (float(wall), float(processors))


def dense_operands(quantised: Quantised, events: Events) -> tuple[torch.Tensor, torch.Tensor]:
    """A movie with silence before it, (1, 2, time, rows, columns), and the kernels of both branches."""
    flat = layers.to_flat(quantised.whole.astype(np.float32))
    shape = (-1, 2, quantised.layer.delays, quantised.layer.side, quantised.layer.side)
    kernels = np.concatenate([flat, layers.swap(flat)]).reshape(shape)
    silence = np.zeros((2, quantised.layer.delays - 1, events.height, events.width), np.float32)
    movie = np.concatenate([silence, events.dense()], axis=1)
    return torch.from_numpy(movie[None]), torch.from_numpy(kernels)


def per_step(watch: Stopwatch, steps: int) -> tuple[float, float]:
    wall, processors = watch.seconds
    return 1000 * wall / steps, 1000 * processors / steps


def agree(what: str, case: Case, expected: np.ndarray, found: np.ndarray) -> None:
    """End here if a spike differs, or if there are none to compare."""
    if not expected.any() or not np.array_equal(expected, found):
        differing = np.count_nonzero(expected != found)
        sys.exit(f"{what}, {case.synapses} synapses: {differing} of {expected.sum()} spikes differ")


def measured(synapses: int, side: int, selectivity: float = 1.0, lava: bool = False) -> dict[str, Any]:
    """One row: what was run, and ms a step of every side (wall, processors)."""
    case = Case(synapses, side, selectivity)
    made = case.detectors()
    expected, dense = case.dense_run()
    found, engine = case.engine_run(made)
    agree("engine and convolution", case, expected, found)
    events = len(case.events) / STEPS
    row: dict[str, Any] = {
        "synapses a place": case.synapses,
        "side": side,
        "neurons": made.synapses.neurons,
        "synapses": len(made.synapses.pre),
        "events a step": events,
        "synaptic events a step": events * len(made.synapses.pre) / made.synapses.inputs,
        "spikes a step": float(expected.sum()) / STEPS,
        "engine": engine,
        "dense": dense,
        "load": os.getloadavg()[0],
    }
    if lava:
        with tempfile.TemporaryDirectory() as folder:
            found, row["lava"] = case.lava_run(made, Path(folder))
        agree("Lava and convolution", case, expected[: len(found)], found)
    return row


def table(title: str, rows: list[dict[str, Any]], peer: str) -> None:
    """Print the rows, with `peer` beside the engine."""
    print(f"\n{title}\n{'synapses':>9s}{'side':>6s}{'synapses':>12s}{'events':>8s}{'synaptic':>10s}", end="")
    print(
        f"{'ms of processors a step':>34s}{'wall':>9s}{'':9s}{'engine: million a second':>26s}{'movie ms':>10s}"
    )
    print(f"{'a place':>9s}{'':6s}{'':12s}{'a step':>8s}{'a step':>10s}{'engine':>10s}{peer:>12s}", end="")
    print(
        f"{'ratio':>12s}{'engine':>9s}{peer:>9s}{'events':>13s}{'synaptic':>13s}{'a second':>10s}{'load':>6s}"
    )
    for row in rows:
        (wall, engine), (peer_wall, other) = row["engine"], row[peer]
        print(
            f"{row['synapses a place']:9,d}{row['side']:6d}{row['synapses']:12,d}{row['events a step']:8.0f}"
            f"{row['synaptic events a step']:10.0f}{engine:10.4f}{other:12.3f}{other / engine:12.1f}{wall:9.3f}"
            f"{peer_wall:9.3f}{row['events a step'] / engine / 1000:13.2f}"
            f"{row['synaptic events a step'] / engine / 1000:13.1f}{1000 / engine:10.0f}{row['load']:6.0f}",
            flush=True,
        )


def crossing(rows: list[dict[str, Any]], x: str, y: Any) -> str:
    """Where y(row) passes 1, between two rows, by a straight line in logarithms; in words where it does not."""
    points = [(row[x], y(row)) for row in rows]
    for (a, below), (b, above) in itertools.pairwise(points):
        if (below - 1) * (above - 1) <= 0:
            share = math.log(below) / (math.log(below) - math.log(above))
            return f"{a * (b / a) ** share:,.0f}"
    return f"not between {points[0][0]:,} and {points[-1][0]:,}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("synapses", "frames", "events", "lava")
    parser.add_argument("--only", choices=names, help="one table")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen, tables = [options.only] if options.only else names, {}
    if "synapses" in chosen:
        rows = [measured(count, SYNAPSES_SIDE) for count in SYNAPSES]
        table(f"Against synapses, frames of {SYNAPSES_SIDE} x {SYNAPSES_SIDE}", rows, "dense")
        where = crossing(rows, "synapses a place", lambda row: row["dense"][1] / row["engine"][1])
        print(f"the convolution is as fast at {where} synapses a place")
        tables["synapses"] = rows
    if "frames" in chosen:
        for count, sides in FRAMES.items():
            rows = [measured(count, side) for side in sides]
            table(f"Against frames, {count} synapses a place", rows, "dense")
            where = crossing(rows, "side", lambda row: row["engine"][1])
            print(f"real time (1 ms a step) up to a side of {where} pixels")
            tables[f"frames, {count}"] = rows
    if "events" in chosen:
        rows = [measured(*EVENTS_CASE, selectivity) for selectivity in SELECTIVITIES]
        table("Against events (selectivity 0.25 to 3)", rows, "dense")
        tables["events"] = rows
    missed = []
    if "lava" in chosen:
        rows = [measured(*case, lava=True) for case in LAVA]
        table("Beside Lava's DelaySparse", rows, "lava")
        missed = [row["side"] for row in rows if row["lava"][1] / row["engine"][1] < TARGET_LAVA]
        tables["lava"] = rows
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n")
    if missed:
        sys.exit(f"less than {TARGET_LAVA} times Lava")


if __name__ == "__main__":
    main()
