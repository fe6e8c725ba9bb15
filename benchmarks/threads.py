"""From how many neurons on two threads beat one: IF_curr_exp cells without synapses, equal work in each row.

python benchmarks/threads.py
"""

from __future__ import annotations

import time

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.registry import load
from neurodeploy.models.network import Network, Population, Recorded

CELL = {
    "tau_m": 20.0,
    "cm": 1.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 10.0,
    "tau_refrac": 5.0,
    "v_rest": -49.0,
    "v_reset": -60.0,
    "v_thresh": -50.0,
    "i_offset": 0.0,
}
UPDATES = 200_000_000


def seconds(size: int, threads: int) -> float:
    """Time to update `size` cells so often that the work is always the same."""
    parameters = {name: np.full(size, value) for name, value in CELL.items()}
    cells = Population("cells", "IF_curr_exp", size, parameters, {"v": np.linspace(-60.0, -50.0, size)})
    network = Network(0.1, [cells], recorded=[Recorded(0, "spikes", np.arange(size), 0.1)])
    session = load("brian2").open(network, Options(rules="ideal", threads=threads))
    try:
        session.run(10)
        started = time.perf_counter()
        session.run(UPDATES // size)
        return time.perf_counter() - started
    finally:
        session.end()


def main() -> None:
    print(f"{'neurons':>8s}{'1 thread s':>12s}{'2 threads s':>12s}{'ratio':>8s}")
    for size in (1024, 4096, 8192, 16384, 65536, 262144):
        one, two = (min(seconds(size, threads) for _ in range(3)) for threads in (1, 2))
        print(f"{size:8d}{one:12.2f}{two:12.2f}{two / one:8.2f}")


if __name__ == "__main__":
    main()
