"""Sparse synapses with a delay each: what Lava's Dense and DelayDense do, at the cost of the synapses that are active.

A spike of step k over a synapse of Lava's delay D (0 … 62) adds ``mantissa * 2**exponent`` to ``a_out`` of step k + D + 1.
Several synapses between two neurons are allowed.  With one exponent for all, results equal ``PyDenseModelBitAcc``,
``PyDelayDenseModelBitAcc`` and ``PySparseModelBitAcc`` of Lava 0.10.0 bit for bit, negative exponents included (there the
sum of a step is shifted, and cut towards −∞).
"""

from __future__ import annotations

import typing as ty

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils.weightutils import SignMode, clip_weights, determine_sign_mode, truncate_weights
from lava_processes.exchange import Exchange, ExchangeModel

LONGEST_DELAY = 62
"""In Lava's count; Loihi 2 keeps delays in 6 bits, and 63 means 'none'."""


class DelayedSynapses(Exchange, AbstractProcess):
    """Sparse connection; see the module for what it computes.

    Parameters
    ----------
    size_in : int
        Neurons of ``s_in``.
    shape_out : tuple of int
        Shape of ``a_out``; targets are positions in the flattened array.
    pre, post, weights, delays : array, shape (n_synapses,)
        Source, target, mantissa and delay (Lava's count) of each synapse.
    weight_exp : int or array, shape (n_synapses,)
        An array must not be negative.
    sign_mode : SignMode, optional
        As for ``Dense``; without it, as the weights are.  ``SignMode.NULL`` takes the mantissas as they are.
    num_weight_bits : int
        As for ``Dense``.
    folder : str, optional
        Where weights are exchanged while the process runs; see :mod:`lava_processes.exchange`.
    """

    def __init__(
        self,
        *,
        size_in: int,
        shape_out: tuple[int, ...],
        pre: np.ndarray,
        post: np.ndarray,
        weights: np.ndarray,
        delays: ty.Any = 0,
        weight_exp: ty.Any = 0,
        sign_mode: SignMode | None = None,
        num_weight_bits: int = 8,
        folder: str | None = None,
        name: str | None = None,
        **more: ty.Any,
    ) -> None:
        super().__init__(name=name, folder=folder, **more)
        pre = np.asarray(pre, dtype=np.int64)
        count = len(pre)

        def each(values: ty.Any) -> np.ndarray:
            return np.broadcast_to(np.asarray(values, dtype=np.int64), (count,)).copy()

        delays = each(delays)
        if count and not 0 <= delays.min() <= delays.max() <= LONGEST_DELAY:
            raise ValueError(
                f"delays are {delays.min()} to {delays.max()}; Loihi has 0 to {LONGEST_DELAY}, in Lava's count"
            )
        if np.ndim(weight_exp) and np.min(weight_exp, initial=0) < 0:
            raise ValueError(
                "an exponent for each synapse must not be negative: sums of a step could not be shifted"
            )
        mantissa = each(weights)
        if count and sign_mode is not SignMode.NULL:
            mode = sign_mode or determine_sign_mode(mantissa)
            mantissa = truncate_weights(clip_weights(mantissa, mode, num_bits=8), mode, num_weight_bits)
        self.proc_params["size_in"] = size_in
        self.proc_params["shape_out"] = shape_out
        self.proc_params["shift"] = 0 if np.ndim(weight_exp) else min(int(weight_exp), 0)
        # Arrays travel to the model as they are: a Var would be copied element by element, and none may be empty.
        self.proc_params["synapses"] = {
            "pre": pre,
            "post": each(post),
            "delays": delays,
            "mantissa": mantissa,
            "exponent": np.maximum(each(weight_exp), 0),
        }
        self.s_in = InPort(shape=(size_in,))
        self.a_out = OutPort(shape=shape_out)
        self.open_exchange(folder)


@implements(proc=DelayedSynapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class PyDelayedSynapsesModel(ExchangeModel, PyLoihiProcessModel):  # type: ignore[misc]
    """:class:`DelayedSynapses` on the CPU: rows of synapses by source, and a ring of the sums under way."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("mantissa",)
    ready = False

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        synapses = self.proc_params["synapses"]
        self.size = int(np.prod(self.proc_params["shape_out"]))
        self.order = np.argsort(synapses["pre"], kind="stable")
        delays = synapses["delays"][self.order]
        counts = np.bincount(synapses["pre"], minlength=self.proc_params["size_in"])
        self.row_end = np.cumsum(counts)
        self.row_length = counts
        self.place = delays * self.size + synapses["post"][self.order]
        self.exponent = synapses["exponent"][self.order]
        self.ring = np.zeros((int(delays.max(initial=0)) + 1, self.size), dtype=np.int64)
        self.ready = True
        self.take("mantissa", synapses["mantissa"])

    def take(self, name: str, values: np.ndarray) -> None:
        self.mantissa = np.asarray(values, dtype=np.int64)
        self.weight = self.mantissa[self.order] << self.exponent

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        depth = len(self.ring)
        now = self.ring[self.time_step % depth]
        self.a_out.send(
            now.reshape(self.proc_params["shape_out"])
        )  # before recv: recurrent networks would wait forever
        now[:] = 0
        active = np.flatnonzero(self.s_in.recv())
        if not len(active):
            return
        lengths = self.row_length[active]
        total = int(lengths.sum())
        if not total:
            return
        chosen = np.arange(total) + np.repeat(self.row_end[active] - np.cumsum(lengths), lengths)
        places = self.place[chosen] + (self.time_step + 1) % depth * self.size
        places[places >= self.ring.size] -= self.ring.size
        ring = self.ring.reshape(-1)
        shift = -self.proc_params["shift"]
        if shift:
            sums = np.bincount(places, self.weight[chosen], ring.size).astype(np.int64)
            ring += sums >> shift
        else:
            np.add.at(ring, places, self.weight[chosen])
