"""A Program in Lava's stock processes, timed: a run of some steps after a few in which the models prepare; nothing is recorded.

    python lava_stock.py BACKEND PROGRAM RESULT.npz WARM_UP STEPS

An interpreter that has Lava executes it.  BACKEND is the folder of ``neurodeploy/backends/loihi``, whose ``StockNetwork`` makes
a ``LIF`` of every population and a ``Dense``, ``DelayDense`` or ``LearningDense`` of every group of synapses.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from processor_time import family, processor_seconds


def main(backend: str, folder: str, result: str, warm_up: str, steps: str) -> None:
    sys.path.insert(0, backend)
    import program  # type: ignore[import-not-found]
    from lava.magma.core.run_conditions import RunSteps
    from lava_processes.stock_network import StockNetwork  # type: ignore[import-not-found]

    machine = {"machine": "simulated", "chip": "loihi2"}
    network = StockNetwork(program.read(Path(folder)), int(warm_up) + int(steps), machine)
    network.run(int(warm_up))
    cells, pids = network.spiking[0], family(os.getpid())
    started, used = time.perf_counter(), processor_seconds(pids)
    cells.run(condition=RunSteps(num_steps=int(steps)), run_cfg=network.config)
    seconds = time.perf_counter() - started, processor_seconds(pids) - used
    np.savez(result, seconds=seconds, u=cells.u.get(), v=cells.v.get(), mantissa=network.mantissa(0))
    network.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
