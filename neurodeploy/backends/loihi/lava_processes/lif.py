r"""A Loihi compartment in whole numbers: the stock LIF with a refractory period, one or two currents, and values for each neuron.

With ``eff(du) = du + 1``, ``//`` cut towards zero, and in this order:

.. math::
    u_c &\leftarrow \mathrm{wrap}_{24}\big(u_c\,(4096-\mathrm{eff}(du_c))\;//\;4096 + 64\,a_c\big) \\
    v   &\leftarrow \mathrm{clip}_{24}\big(v\,(4096-dv)\;//\;4096 + \textstyle\sum_c u_c + b_m\,2^{b_e}\big)
         \quad\text{unless refractory} \\
    \text{spike} &\iff v > 64\,v_{th}, \quad\text{then } v \leftarrow 0

A neuron fires only in a step in which v is updated.  With one current and no refractory period this equals
``lava.proc.lif.models.PyLifModelBitAcc`` (0.10.0) bit for bit, as long as a current stays within 24 bits.  As there, what leaves
them is wrapped once: input of up to 2**18 in a step comes back inside.  Beyond, Lava's 32 bits overflow.
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
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava_processes.exchange import Exchange, ExchangeModel

Values = ty.Union[int, ty.Sequence[int], np.ndarray]  # noqa: UP007 (Lava's Python is 3.10, its style is older)

HALF = 1 << 23
UNITY_BITS = 12
MSB_BITS = 6


class RefractoryLIF(Exchange, AbstractProcess):
    """Leaky integrate-and-fire neurons of Loihi; see the module for the equations.

    Parameters
    ----------
    shape : (int,)
    currents : int
        1, or 2: excitatory and inhibitory input, each with a decay of its own.  ``a_in`` has the shape (n,) or (2, n).
    du : array, shape (n,) or (2, n), 0 … 4095
    dv : array, 0 … 4095
    vth : array, 0 … 131071
    bias_mant, bias_exp : array, −4096 … 4095 and 0 … 7
    refractory : array
        Steps without an update of v after a spike; the current goes on.
    u, v : array
        Initial state.
    folder : str, optional
        Where arrays are exchanged while the process runs, and records written; see :mod:`lava_processes.exchange`.
    recorded_v, recorded_u, recorded_spikes : array of int
        Neurons (for u: positions in the flattened u) of the records ``v``, ``u`` and ``spikes`` (pairs of step and neuron).
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        currents: int = 1,
        du: Values = 0,
        dv: Values = 0,
        vth: Values = 10,
        bias_mant: Values = 0,
        bias_exp: Values = 0,
        refractory: Values = 0,
        u: Values = 0,
        v: Values = 0,
        folder: str | None = None,
        recorded_v: Values = (),
        recorded_u: Values = (),
        recorded_spikes: Values = (),
        name: str | None = None,
        **more: ty.Any,
    ) -> None:
        records = {"v": recorded_v, "u": recorded_u, "spikes": recorded_spikes}
        super().__init__(name=name, folder=folder, records=records, **more)
        (size,) = shape
        rows = shape if currents == 1 else (currents, size)

        def full(values: Values, wanted: tuple[int, ...] = shape) -> np.ndarray:
            return np.broadcast_to(np.asarray(values, dtype=np.int32), wanted).copy()

        self.a_in = InPort(shape=rows)
        self.s_out = OutPort(shape=shape)
        self.u = Var(shape=rows, init=full(u, rows))
        self.v = Var(shape=shape, init=full(v))
        self.du = Var(shape=rows, init=full(du, rows))
        self.dv = Var(shape=shape, init=full(dv))
        self.vth = Var(shape=shape, init=full(vth))
        self.bias_mant = Var(shape=shape, init=full(bias_mant))
        self.bias_exp = Var(shape=shape, init=full(bias_exp))
        self.refractory = Var(shape=shape, init=full(refractory))
        self.refractory_end = Var(shape=shape, init=full(0))
        self.open_exchange(folder)


def towards_zero(product: np.ndarray) -> np.ndarray:
    """``product // 4096``, cut towards zero."""
    negative = (product >> 63) & ((1 << UNITY_BITS) - 1)
    return (product + negative) >> UNITY_BITS


def wrapped(value: np.ndarray) -> np.ndarray:
    """What is above 2**23 comes back 2**24 lower, what is at or below −2**23 as much higher, once."""
    value = np.where(value > HALF, value - 2 * HALF, value)
    return np.where(value <= -HALF, value + 2 * HALF, value)


@implements(proc=RefractoryLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class PyRefractoryLIFModel(ExchangeModel, PyLoihiProcessModel):  # type: ignore[misc]
    """:class:`RefractoryLIF` on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    u: np.ndarray = LavaPyType(np.ndarray, np.int64, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    du: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dv: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)
    bias_mant: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    bias_exp: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=3)
    refractory: np.ndarray = LavaPyType(np.ndarray, np.int32)
    refractory_end: np.ndarray = LavaPyType(np.ndarray, np.int32)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("u", "v", "refractory_end")

    def __init__(self, proc_params: ty.Any) -> None:
        super().__init__(proc_params)
        self.ready = False

    def prepare(self) -> None:
        """What does not change from step to step."""
        if not self.ready:
            self.open_exchange()
            records = self.proc_params["records"]
            self.wanted = {what: np.asarray(chosen, dtype=np.int64) for what, chosen in records.items()}
            self.spike_mask = np.zeros(self.v.shape, dtype=bool)
            self.spike_mask[self.wanted["spikes"]] = True
        self.keep_u = (1 << UNITY_BITS) - 1 - self.du.astype(np.int64)
        self.keep_v = (1 << UNITY_BITS) - self.dv.astype(np.int64)
        mantissa = self.bias_mant.astype(np.int64)
        self.bias = np.where(
            self.bias_exp >= 0,
            mantissa << np.maximum(self.bias_exp, 0),
            mantissa >> np.maximum(-self.bias_exp, 0),
        )
        self.threshold = self.vth.astype(np.int64) << MSB_BITS
        self.never_refractory = not self.refractory.any() and not self.refractory_end.any()
        self.ready = True

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        for what, values in (("v", self.v), ("u", self.u)):
            if len(self.wanted[what]):
                self.record(what, values.reshape(-1)[self.wanted[what]])
        arriving = np.asarray(self.a_in.recv(), dtype=np.int64)
        self.u[...] = wrapped(towards_zero(self.u * self.keep_u) + (arriving << MSB_BITS))
        current = self.u if self.u.ndim == 1 else self.u.sum(axis=0, dtype=np.int64)
        v = np.clip(towards_zero(self.v * self.keep_v) + current + self.bias, 1 - HALF, HALF - 1)
        spikes = v > self.threshold
        if self.never_refractory:
            self.v[:] = v
        else:
            active = self.refractory_end < self.time_step
            np.copyto(self.v, v, where=active, casting="same_kind")
            spikes &= active
            self.refractory_end[spikes] = self.time_step + self.refractory[spikes]
        self.s_out.send(spikes)
        if spikes.any():
            self.v[spikes] = 0
            seen = np.flatnonzero(spikes & self.spike_mask)
            if len(seen):
                self.record("spikes", np.column_stack([np.full(len(seen), self.time_step - 1), seen]))
