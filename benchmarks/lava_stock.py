"""One population of Lava's own LIF and one of its own connections, timed: needs NumPy and Lava alone.

    python lava_stock.py NETWORK.npz RESULT.npz

NETWORK.npz holds ``weights`` and ``delays`` (target, source; delays in Lava's count, empty for a Dense), ``bias``, ``v``,
``du``, ``dv``, ``vth`` and ``pieces``, the steps to run one after the other.  The first piece is not timed: models prepare in it.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi1SimCfg
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.lif.process import LIF
from lava.utils.weightutils import SignMode


def main(network: str, result: str) -> None:
    given = np.load(network)
    size = len(given["bias"])
    cells = LIF(
        shape=(size,),
        u=0,
        v=given["v"],
        du=int(given["du"]),
        dv=int(given["dv"]),
        vth=int(given["vth"]),
        bias_mant=given["bias"],
        bias_exp=0,
    )
    if given["delays"].size:
        synapses = DelayDense(weights=given["weights"], delays=given["delays"], sign_mode=SignMode.MIXED)
    else:
        synapses = Dense(weights=given["weights"], sign_mode=SignMode.MIXED)
    cells.s_out.connect(synapses.s_in)
    synapses.a_out.connect(cells.a_in)
    states, seconds = [], []
    for steps in given["pieces"]:
        started = time.perf_counter()
        cells.run(condition=RunSteps(num_steps=int(steps)), run_cfg=Loihi1SimCfg(select_tag="fixed_pt"))
        seconds.append(time.perf_counter() - started)
        states.append(np.stack([cells.u.get(), cells.v.get()]))
    cells.stop()
    np.savez(result, states=np.array(states), seconds=np.array(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
