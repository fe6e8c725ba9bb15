"""Motion detectors in Lava's stock ``DelaySparse`` and ``LIF``, fixed point, timed; every spike is kept.

    python lava_delays.py NETWORK.npz RESULT.npz WARM_UP STEPS

An interpreter that has Lava executes it.  A ``DelaySparse`` has one delay for a pair of neurons, so the synapses come in layers
(``layer``), a process each, onto the same neurons.  A ``LIF`` population has one threshold: each neuron's own lies below it by a
constant bias.  Nothing is left of a voltage after a step (du 4095, dv 4096), and weights of both signs are even.
"""

from __future__ import annotations

import os
import sys

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Player
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import DelaySparse
from processor_time import Stopwatch
from scipy.sparse import csr_matrix

INPUT_SHIFT = 6
"""Bits by which a LIF moves what arrives, and not its bias."""


def main(network: str, result: str, warm_up: str, steps: str) -> None:
    with np.load(network) as arrays:
        given = dict(arrays)
    neurons, total = len(given["threshold"]), int(warm_up) + int(steps)
    player = Player(data=given["spikes"][:, :total].astype(np.int32))
    highest = int(given["threshold"].max())
    cells = LIF(
        shape=(neurons,),
        du=4095,
        dv=4096,
        vth=2 * highest,
        bias_mant=2 * (highest - given["threshold"]),
        bias_exp=INPUT_SHIFT,
    )
    for number in range(int(given["layer"].max()) + 1):
        mine = given["layer"] == number
        where, shape = (given["post"][mine], given["pre"][mine]), (neurons, len(given["spikes"]))
        weights = csr_matrix((2 * given["weight"][mine].astype(int), where), shape=shape)
        delays = csr_matrix((given["delay"][mine].astype(int), where), shape=shape)
        connection = DelaySparse(weights=weights, delays=delays)
        player.s_out.connect(connection.s_in)
        connection.a_out.connect(cells.a_in)
    sink = Sink(shape=(neurons,), buffer=total)
    cells.s_out.connect(sink.a_in)
    config = Loihi2SimCfg(select_tag="fixed_pt")
    cells.run(condition=RunSteps(num_steps=int(warm_up)), run_cfg=config)
    with Stopwatch(os.getpid()) as watch:
        cells.run(condition=RunSteps(num_steps=int(steps)), run_cfg=config)
    np.savez(result, seconds=watch.seconds, spikes=sink.data.get().astype(bool))
    cells.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
