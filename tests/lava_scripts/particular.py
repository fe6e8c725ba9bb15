"""What Lava's own models do in the cases that docs/loihi.md lists; prints a number for each."""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, sys.argv[1])
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.utils.weightutils import SignMode
from lava_processes.synapses import DelayedSynapses
from stock_models import array, step, stock_lif, stock_synapses

HALF = 1 << 23


def current(u=0, arriving=0, **registers):
    """The current of a neuron that keeps all but 1/4096 of it."""
    values = {"v": 0, "du": 0, "dv": 0, "vth": 131071, "bias_mant": 0, "bias_exp": 0} | registers
    model = stock_lif(
        1,
        [u],
        [values.pop("v")],
        bias_mant=[values.pop("bias_mant")],
        bias_exp=[values.pop("bias_exp")],
        **values,
    )
    step(model, "a_in", array([arriving]))
    return model


def sent(weights, **more):
    """What a Dense sends in the step after a spike of every neuron."""
    model = stock_synapses(PyDenseModelBitAcc, np.array(weights), np.zeros((1, 1)), **more)
    step(model, "s_in", array(np.ones(len(weights[0]))))
    step(model, "s_in", array(np.zeros(len(weights[0]))))
    return model.a_out.value.tolist()


def accepts(delay):
    model = stock_synapses(PyDelayDenseModelBitAcc, np.array([[4]]), np.array([[delay]]), weight_exp=0)
    try:
        step(model, "s_in", array([1]))
    except ValueError:
        return False
    return True


def own_accepts(delay):
    try:
        DelayedSynapses(size_in=1, shape_out=(1,), pre=[0], post=[0], weights=[4], delays=delay)
    except ValueError:
        return False
    return True


print(
    json.dumps(
        {
            "mixed weights": sent([[1000], [3], [-1]], sign_mode=SignMode.MIXED),
            "threshold reached": int(current(v=64, vth=1, du=4095).s_out.value[0]),
            "threshold passed": int(current(v=65, vth=1, du=4095).s_out.value[0]),
            "current at the top": int(current(arriving=HALF >> 6).u[0]),
            "current beyond the top": int(current(arriving=(HALF >> 6) + 1).u[0]),
            "current at the bottom": int(current(arriving=-(HALF >> 6)).u[0]),
            "input of 2**25": int(current(arriving=1 << 25).u[0]),
            "sum of ones, shifted": [sent([[1, 1, 1]], weight_exp=-1), sent([[-1, -1, -1]], weight_exp=-1)],
            "delays": [accepts(63), accepts(64), own_accepts(62), own_accepts(63)],
            "bias beyond its bits": int(current(bias_mant=5000).v[0]),
            "bias with a negative exponent": int(current(bias_mant=-5, bias_exp=-1).v[0]),
        }
    )
)
