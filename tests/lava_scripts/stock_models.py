"""Lava's own models without a runtime: their ports are replaced by lists, so hundreds of networks cost seconds."""

import numpy as np
from lava.proc.dense.models import PyDelayDenseModelBitAcc
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.sparse.models import PySparseModelBitAcc
from scipy.sparse import csr_matrix


class In:
    """A port that gives what it was handed."""

    def __init__(self, shape):
        self.shape = shape

    def recv(self):
        return self.value


class Out(In):
    """A port that keeps what is sent."""

    def send(self, data):
        self.value = np.array(data)


def step(model, port, value):
    model.time_step += 1
    getattr(model, port).value = value
    model.run_spk()


def array(values, dtype=np.int32):
    return np.array(values, dtype=dtype)


def stock_lif(size, u, v, du, dv, vth, bias_mant, bias_exp):
    """A ``LIF``; `du`, `dv` and `vth` are one number."""
    model = PyLifModelBitAcc({})
    model.a_in, model.s_out = In((size,)), Out((size,))
    model.u, model.v = array(u), array(v)
    model.du, model.dv = np.array([du], np.uint16), np.array([dv], np.uint16)
    model.vth = array([vth])
    model.bias_mant, model.bias_exp = array(bias_mant, np.int16), array(bias_exp, np.int16)
    return model


def stock_synapses(kind, weights, delays, **more):
    """A ``Dense``, ``DelayDense`` or ``Sparse``; arrays have the shape (post, pre)."""
    model = kind(more)
    model.s_in, model.a_out = In((weights.shape[1],)), Out((weights.shape[0],))
    model.num_message_bits = np.array([0])
    sparse = kind is PySparseModelBitAcc
    model.weights = csr_matrix(array(weights)) if sparse else array(weights)
    if kind is PyDelayDenseModelBitAcc:
        model.delays = array(delays)
        model.a_buff = np.zeros((weights.shape[0], delays.max() + 1), np.int32)
    else:
        model.a_buff = np.zeros(weights.shape[0], np.int32)
    return model
