"""Our process models beside Lava's own, step by step with the same input; prints how often they differ.

The models are driven without a runtime: their ports are replaced by lists, so hundreds of parameter sets cost seconds.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, sys.argv[1])
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.lif.models import PyLifRefractoryModelFloat
from lava.proc.sparse.models import PySparseModelBitAcc
from lava.utils.weightutils import SignMode
from lava_processes.lif import PyRefractoryLIFModel
from lava_processes.synapses import DelayedSynapses, PyDelayedSynapsesModel
from stock_models import In, Out, array, step, stock_lif, stock_synapses

rng = np.random.default_rng(20)


def own_lif(size, **values):
    model = PyRefractoryLIFModel({"records": {"v": (), "u": (), "spikes": ()}, "folder": None, "name": "lif"})
    model.a_in, model.s_out = In((size,)), Out((size,))
    zero = dict.fromkeys(("du", "dv", "vth", "bias_mant", "bias_exp", "refractory", "refractory_end", "v"), 0)
    for name, value in (zero | values).items():
        setattr(model, name, array(np.broadcast_to(value, size)))
    model.u = array(np.broadcast_to(values.get("u", 0), size), np.int64)
    return model


def lif_sets(count, steps=60, size=40):
    """One current, no refractory period, any register values; input up to where one wrap brings a current back into 24 bits."""
    wrong, spikes, wrapped = 0, 0, 0
    for _ in range(count):
        v0 = rng.integers(-(2**23) + 1, 2**23, size)
        u0 = rng.integers(-(2**23) + 1, 2**23 + 1, size)
        du, dv = (int(rng.choice([0, 1, 4095, rng.integers(4096)])) for _ in range(2))
        vth = int(rng.choice([0, 10, rng.integers(131072), 131071]))
        bias = {
            "bias_mant": rng.integers(-4096, 4096, size),
            "bias_exp": rng.integers(0, 8, size) * int(rng.integers(2)),
        }
        stock = stock_lif(size, u0, v0, du, dv, vth, **bias)
        own = own_lif(size, u=u0, v=v0, du=du, dv=dv, vth=vth, **bias)
        reach = int(rng.choice([5, 2**10, 2**17, 2**18]))
        for _ in range(steps):
            arriving = rng.integers(-reach, reach + 1, size) * (rng.random(size) < 0.5)
            step(stock, "a_in", array(arriving))
            step(own, "a_in", arriving)
            same = np.array_equal(stock.u, own.u) and np.array_equal(stock.v, own.v)
            wrong += not (same and np.array_equal(stock.s_out.value, own.s_out.value))
            spikes += int(own.s_out.value.sum())
            wrapped += int(np.sum(np.abs(arriving) > 2**17))
    return {"wrong": wrong, "spikes": spikes, "steps": count * steps, "wrapped": wrapped}


def refractory_sets(count, steps=120, size=30):
    """When neurons fire and rest, as the stock float model has it: powers of two, which floats hold exactly."""
    wrong, spikes = 0, 0
    for _ in range(count):
        period = int(rng.integers(0, 9))
        float_model = PyLifRefractoryModelFloat({"refractory_period": period})
        float_model.a_in, float_model.s_out = In((size,)), Out((size,))
        float_model.u, float_model.v = np.zeros(size), np.zeros(size)
        float_model.du, float_model.dv, float_model.vth = 1.0, 0.0, 64.0 * 20
        float_model.bias_mant = rng.integers(0, 400, size).astype(float)
        float_model.refractory_period_end = np.zeros(size, int)
        own = own_lif(size, du=4095, vth=20, bias_mant=float_model.bias_mant, refractory=period)
        for _ in range(steps):
            arriving = rng.integers(-3, 4, size)
            step(float_model, "a_in", arriving * 64.0)
            step(own, "a_in", arriving)
            same = np.array_equal(float_model.v, own.v) and np.array_equal(
                float_model.s_out.value, own.s_out.value
            )
            wrong += not same
            spikes += int(own.s_out.value.sum())
    return {"wrong": wrong, "spikes": spikes}


def own_synapses(weights, delays, **more):
    post, pre = np.nonzero(np.ones_like(weights))
    process = DelayedSynapses(
        size_in=weights.shape[1],
        shape_out=(weights.shape[0],),
        pre=pre,
        post=post,
        weights=weights[post, pre],
        delays=delays[post, pre],
        **more,
    )
    model = PyDelayedSynapsesModel(process.proc_params)
    model.s_in, model.a_out = In((weights.shape[1],)), Out((weights.shape[0],))
    return model


def synapse_sets(kind, count, steps=90):
    """Any mantissas (Lava clips and truncates them), sign modes, weight bits, exponents of both signs, delays 0 to 62."""
    wrong, active = 0, 0
    for _ in range(count):
        shape = tuple(rng.integers(1, 15, 2))
        weights = rng.integers(-400, 401, shape) * (rng.random(shape) < 0.7)
        mode = rng.choice([None, SignMode.MIXED, SignMode.EXCITATORY, SignMode.INHIBITORY])
        if mode is SignMode.EXCITATORY:
            weights = np.abs(weights)
        if mode is SignMode.INHIBITORY:
            weights = -np.abs(weights)
        delays = np.zeros(shape, int)
        if kind is PyDelayDenseModelBitAcc:
            delays = rng.integers(0, int(rng.choice([1, 2, 63])), shape)
        more = {
            "weight_exp": int(rng.integers(-6, 8)),
            "num_weight_bits": int(rng.integers(1, 9)),
            "sign_mode": mode,
        }
        stock, own = stock_synapses(kind, weights, delays, **more), own_synapses(weights, delays, **more)
        rate = rng.choice([0.05, 0.6])
        for _ in range(steps):
            spikes = (rng.random(shape[1]) < rate).astype(np.int32)
            step(stock, "s_in", spikes)
            step(own, "s_in", spikes)
            wrong += not np.array_equal(np.asarray(stock.a_out.value), own.a_out.value)
            active += int(np.any(own.a_out.value))
    return {"wrong": wrong, "active": active}


print(
    json.dumps(
        {
            "lif": lif_sets(200),
            "refractory": refractory_sets(60),
            "dense": synapse_sets(PyDenseModelBitAcc, 60),
            "delay_dense": synapse_sets(PyDelayDenseModelBitAcc, 60),
            "sparse": synapse_sets(PySparseModelBitAcc, 40),
        }
    )
)
