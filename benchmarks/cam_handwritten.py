"""The memory as an expert would write it in Brian2 by hand, against ours: the time of the simulation loop alone.

Hand-written: one NeuronGroup a population, one Synapses object a projection, C++ standalone, one thread, Brian2's
default compiler flags.  Both run the same random operations; their spikes must be equal.

    python benchmarks/cam_handwritten.py [--size 64] [--operations 1000] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile

import numpy as np


def experiment(size: int, operations: int):
    from neurodeploy.cam.experiments import random

    return random(3, cues=size, contents=size, operations=operations, spacing=20, density=min(0.4, 8 / size))


def ours(size: int, operations: int) -> dict:
    from neurodeploy.backends.base import Options
    from neurodeploy.cam.application import simulate

    outcome = simulate(experiment(size, operations), Options("spinnaker", threads=1))
    spikes = {
        label: [times.astype(int).tolist(), neurons.tolist()]
        for label, (times, neurons) in outcome.recording.ticks().items()
        if not label.startswith("IN_")
    }
    return {"run": outcome.report.wall["run"], "spikes": spikes}


def handwritten(size: int, operations: int) -> dict:
    """The published model in Brian2 alone (weights in nA, times in ms)."""
    import brian2 as b
    from brian2 import ms

    from neurodeploy.cam.operations import spike_times

    m = n = size
    asked = experiment(size, operations)
    cue_spikes, content_spikes = spike_times(asked.operations, m, n)
    b.set_device("cpp_standalone", build_on_run=False)
    b.defaultclock.dt = 1 * ms
    gain = 0.3 * (1 - np.exp(-1 / 0.3))
    equations = """dv/dt = (-60 - v + resistance*(i_exc - i_inh))/tau_m : 1 (unless refractory)
                   i_exc : 1
                   i_inh : 1
                   resistance : 1 (shared, constant)
                   tau_m : second (shared, constant)
                   v_thresh : 1 (shared, constant)"""
    groups, objects = {}, []
    kinds = {"slow": (3.0, 0.27, -57.0), "fast": (0.5, 0.14, -57.0), "out": (3.0, 0.27, -57.5)}
    rows = [
        ("S1cue", m, "slow"),
        ("S1cont", n, "slow"),
        ("cond", n, "fast"),
        ("int", 1, "fast"),
        ("S2cue", m, "fast"),
    ]
    rows += [
        ("S2cont", n, "slow"),
        ("mcue", m, "slow"),
        ("mcont", n, "slow"),
        ("OUT_cue", m, "out"),
        ("OUT_content", n, "out"),
    ]
    for name, count, kind in rows:
        tau, capacity, threshold = kinds[kind]
        group = b.NeuronGroup(
            count,
            equations,
            threshold="v >= v_thresh",
            reset="v = -60",
            refractory=2 * ms,
            method="exact",
            name=name,
        )
        group.v, group.tau_m, group.resistance, group.v_thresh = -60, tau * ms, tau / capacity, threshold
        group.run_regularly("i_exc *= exp(-1/0.3)\ni_inh *= exp(-1/0.3)", when="after_thresholds")
        groups[name] = group
    for name, spikes in (("IN_cue", cue_spikes), ("IN_content", content_spikes)):
        index = np.concatenate([np.full(len(times), i) for i, times in enumerate(spikes)]).astype(int)
        times = np.concatenate([np.asarray(times, dtype=float) for times in spikes])
        groups[name] = b.SpikeGeneratorGroup(len(spikes), index, times * ms, name=name)

    def static(source, target, weight, delay, condition=None, current="i_exc"):
        synapses = b.Synapses(
            groups[source],
            groups[target],
            on_pre=f"{current}_post += {weight * gain}",
            delay=(delay - 1) * ms,
        )
        synapses.connect(**({"j": "i"} if condition == "one" else {"condition": condition}))
        objects.append(synapses)

    def plastic(source, target):
        synapses = b.Synapses(
            groups[source],
            groups[target],
            """w : 1
               dx/dt = -x/(3*ms) : 1 (event-driven)
               dy/dt = -y/(3*ms) : 1 (event-driven)""",
            on_pre=f"w = clip(w - 6*y, 0, 6)\nx += 1\ni_exc_post += w*{gain}",
            on_post="w = clip(w + 6*x, 0, 6)\ny += 1",
            delay={"pre": 0 * ms, "post": 1 * ms},
        )
        synapses.post.order = -1
        synapses.connect()
        objects.append(synapses)

    static("IN_cue", "S1cue", 6, 1, "one")
    static("IN_content", "S1cont", 6, 1, "one")
    plastic("S1cue", "S1cont")
    static("S1cue", "S2cue", 6, 2, "one")
    static("S1cue", "S2cue", 6 * n, 3, "i != j", "i_inh")
    static("S1cue", "cond", 6, 2, None, "i_inh")
    static("S1cont", "cond", 9, 1, "one")
    static("S1cont", "int", 6, 1)
    static("int", "cond", 2, 1)
    static("cond", "S2cont", 6, 1, "one")
    plastic("S2cont", "S2cue")
    static("S2cue", "S2cue", 6 * n, 2, "i != j", "i_inh")
    static("S1cue", "mcue", 6, 3, "one")
    static("S2cue", "mcue", 6, 1, "one")
    static("S1cont", "mcont", 6, 3, "one")
    static("S2cont", "mcont", 6, 1, "one")
    static("mcue", "OUT_cue", 6, 1, "one")
    static("mcont", "OUT_content", 6, 1, "one")
    monitors = {name: b.SpikeMonitor(groups[name]) for name, _, _ in rows}
    network = b.Network(*groups.values(), *objects, *monitors.values())
    network.run(asked.duration_ms * ms)
    with tempfile.TemporaryDirectory() as folder:
        b.device.build(directory=folder, compile=True, run=True)
        spikes = {}
        for name, monitor in monitors.items():
            times, neurons = np.rint(np.asarray(monitor.t / ms)).astype(int), np.asarray(monitor.i)
            order = np.lexsort((neurons, times))
            spikes[name] = [times[order].tolist(), neurons[order].tolist()]
        return {"run": b.device._last_run_time, "spikes": spikes}


def in_own_process(which: str, options: argparse.Namespace) -> dict:
    size = ["--size", str(options.size), "--operations", str(options.operations)]
    answer = subprocess.run(
        [sys.executable, __file__, "--one", which, *size], capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", choices=("ours", "handwritten"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(globals()[options.one](options.size, options.operations)))
        return
    in_own_process("ours", options)  # compiles
    runs: dict[str, list[float]] = {"ours": [], "handwritten": []}
    for _ in range(options.runs):
        answers = {which: in_own_process(which, options) for which in runs}
        if answers["ours"]["spikes"] != answers["handwritten"]["spikes"]:
            raise SystemExit("the two do not spike alike")
        for which, answer in answers.items():
            runs[which].append(answer["run"])
    ours_s, hand_s = statistics.median(runs["ours"]), statistics.median(runs["handwritten"])
    asked = f"{options.operations} operations, {options.operations * 20} steps"
    print(f"m = n = {options.size}, {asked}, spikes equal, medians of {options.runs}:")
    print(
        f"  hand-written {hand_s:.3f} s, ours {ours_s:.3f} s, ratio {ours_s / hand_s:.3f} (target: at most 1.1)"
    )


if __name__ == "__main__":
    main()
