"""PyNN's VAbenchmarks CUBA network (Brette et al. 2007), written once, on pyNN.nest and on neurodeploy.pynn.

4,000 neurons, some 320,000 synapses, 1 s at 0.1 ms.  Time is build plus run, each simulator in a process of its own,
imports and compilation apart; runs alternate, and the medians are compared.  The rates are compared on identical
connections and initial voltages, since the network is chaotic: another draw moves them by several per cent.

    python benchmarks/cuba.py [--runs 5]
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time

import numpy as np

SIMULATORS = ("pyNN.nest", "neurodeploy.pynn")
CELLS, EXCITATORY, P_CONNECT, DURATION, TIME_STEP, DELAY = 4000, 3200, 0.02, 1000.0, 0.1, 0.2
AREA = 20000e-8  # cm²
CELL = {
    "tau_m": 20.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 10.0,
    "v_rest": -49.0,
    "v_reset": -60.0,
    "v_thresh": -50.0,
    "cm": AREA * 1000.0,  # 1 µF/cm², in nF
    "tau_refrac": 5.0,
}
WEIGHTS = {"excitatory": 1e-3 * 0.27 * (0.0 + 60.0), "inhibitory": 1e-3 * 4.5 * (-80.0 + 60.0)}  # nA


def network(sim, same_draws: bool):
    """The network; with `same_draws` from arrays that NumPy drew, the same for every simulator."""
    sim.setup(timestep=TIME_STEP, min_delay=DELAY, max_delay=DELAY)
    sizes = {"excitatory": EXCITATORY, "inhibitory": CELLS - EXCITATORY}
    populations = {
        name: sim.Population(size, sim.IF_curr_exp(**CELL), label=name) for name, size in sizes.items()
    }
    rng = sim.NumpyRNG(seed=98765, parallel_safe=True)
    draws = np.random.default_rng(98765)
    for population in populations.values():
        if same_draws:
            population.initialize(v=draws.uniform(-60.0, -50.0, population.size))
        else:
            population.initialize(v=sim.RandomDistribution("uniform", low=-60.0, high=-50.0, rng=rng))
    synapses = 0
    for source, pre in populations.items():
        synapse = sim.StaticSynapse(weight=WEIGHTS[source], delay=DELAY)
        for post in populations.values():
            if same_draws:
                pairs = np.argwhere(draws.random((pre.size, post.size)) < P_CONNECT)
                columns = [np.full(len(pairs), value) for value in (WEIGHTS[source], DELAY)]
                connector = sim.FromListConnector(np.column_stack([pairs, *columns]))
            else:
                connector = sim.FixedProbabilityConnector(P_CONNECT, rng=rng)
            projection = sim.Projection(pre, post, connector, synapse, receptor_type=source)
            synapses += projection.size()
    for population in populations.values():
        population.record("spikes")
    populations["excitatory"][[0, 1]].record("v")
    return populations, synapses


def measure(simulator: str, same_draws: bool) -> dict[str, float]:
    """Build, run and read the network once, in this process."""
    sim = importlib.import_module(simulator)
    started = time.perf_counter()
    populations, synapses = network(sim, same_draws)
    built = time.perf_counter()
    sim.run(DURATION)
    ran = time.perf_counter()
    rates = {
        name: population.mean_spike_count() * 1000.0 / DURATION for name, population in populations.items()
    }
    report = sim.get_report() if hasattr(sim, "get_report") else None
    compile_seconds = report.wall["compile"] if report else 0.0
    sim.end()
    run = ran - built - compile_seconds
    return {
        "build": built - started,
        "run": run,
        "total": built - started + run,
        "compile": compile_seconds,
        "synapses": synapses,
        **{f"rate_{name}": rate for name, rate in rates.items()},
    }


def in_own_process(simulator: str, same_draws: bool = False) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", simulator, *(["--same-draws"] if same_draws else [])]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", choices=SIMULATORS)
    parser.add_argument("--same-draws", action="store_true")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.same_draws)))
        return
    for simulator in SIMULATORS:
        in_own_process(simulator)  # warm up, and compile where something is to be compiled
    runs: dict[str, list[dict[str, float]]] = {simulator: [] for simulator in SIMULATORS}
    for _ in range(options.runs):
        for simulator in SIMULATORS:
            runs[simulator].append(in_own_process(simulator))
    print(f"{'':18s}{'build s':>9s}{'run s':>9s}{'total s':>9s}   (medians of {options.runs})")
    totals = {}
    for simulator, measured in runs.items():
        median = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
        totals[simulator] = median["total"]
        print(
            f"{simulator:18s}{median['build']:9.2f}{median['run']:9.2f}{median['total']:9.2f}   {median['synapses']:.0f} synapses"
        )
    nest, ours = SIMULATORS
    print(f"total, neurodeploy / nest: {totals[ours] / totals[nest]:.3f} (target: at most 0.333)")
    rates = {simulator: in_own_process(simulator, same_draws=True) for simulator in SIMULATORS}
    for kind in ("rate_excitatory", "rate_inhibitory"):
        a, b = rates[nest][kind], rates[ours][kind]
        print(
            f"{kind}, same connections: nest {a:.3f} Hz, neurodeploy {b:.3f} Hz, {100 * (b - a) / a:+.2f} % (target: within 5 %)"
        )


if __name__ == "__main__":
    main()
