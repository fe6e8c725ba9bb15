"""Whether Lava works here: two neurons in fixed point, whose numbers are known beforehand.  Run in Lava's interpreter."""

from __future__ import annotations

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIF


def main() -> None:
    """The first neuron reaches 64 · 10 in the fourth step; the second has one weight of 64 · 7 a step later, cut by half."""
    first = LIF(shape=(1,), vth=10, bias_mant=200)
    second = LIF(shape=(1,), vth=10, du=4095, dv=2048)
    synapse = Dense(weights=np.array([[7]]))
    first.s_out.connect(synapse.s_in)
    synapse.a_out.connect(second.a_in)
    second.run(condition=RunSteps(num_steps=6), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found = int(first.v.get()[0]), int(second.v.get()[0])
    second.stop()
    if found != (400, 224):
        raise SystemExit(f"Lava gives {found}, not (400, 224)")


if __name__ == "__main__":
    main()
