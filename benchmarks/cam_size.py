"""The memory at growing size: time and memory against synapses, and the slope.

Each size runs the same number of random operations (learned once each, then recalled) in a process of its own;
the program is compiled before and its time is apart.  Memory is the largest resident size of the front end and of the engine.

    python benchmarks/cam_size.py [--sizes 16 64 256 1000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

OPERATIONS, SPACING = 60, 20


def measure(size: int) -> dict[str, float]:
    from neurodeploy.backends.base import Options
    from neurodeploy.cam.application import simulate
    from neurodeploy.cam.decoding import summary
    from neurodeploy.cam.experiments import random

    density = min(0.4, 8 / size)
    experiment = random(
        1, cues=size, contents=size, operations=OPERATIONS, spacing=SPACING, density=density, relearn=False
    )
    started = time.perf_counter()
    outcome = simulate(experiment, Options("spinnaker"))
    wall = outcome.report.wall
    total = time.perf_counter() - started - wall["compile"]
    overall = summary(outcome.judged)["overall"]
    return {
        "synapses": outcome.network.synapse_count,
        "neurons": outcome.network.neuron_count,
        "build": wall["build"],
        "run": wall["run"],
        "total": total,
        "front_end_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "engine_mb": outcome.report.facts["engine_memory_mb"],
        "correct": overall["correct"],
        "asked": overall["total"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256, 1000])
    parser.add_argument("--one", type=int)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    rows = []
    columns = (
        "synapses",
        "neurons",
        "build",
        "run",
        "total",
        "front_end_mb",
        "engine_mb",
        "correct",
        "asked",
    )
    print(f"{'m = n':>6s}" + "".join(f"{column:>14s}" for column in columns))
    for size in [options.sizes[0], *options.sizes]:  # the first one warms up
        answer = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], capture_output=True, text=True, check=True
        )
        row = json.loads(answer.stdout.strip().splitlines()[-1])
        rows.append(row)
        if len(rows) > 1:
            print(
                f"{size:6d}"
                + "".join(
                    f"{row[column]:14.3f}" if isinstance(row[column], float) else f"{row[column]:14d}"
                    for column in columns
                )
            )
    synapses = np.array([row["synapses"] for row in rows[1:]], dtype=float)
    for what, unit, scale in (("total", "s", 1e6), ("front_end_mb", "MB", 1e6), ("engine_mb", "MB", 1e6)):
        slope = np.polyfit(synapses, [row[what] for row in rows[1:]], 1)[0] * scale
        print(f"slope of {what}: {slope:.3f} {unit} per million synapses")


if __name__ == "__main__":
    main()
