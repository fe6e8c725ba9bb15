"""Spikes that come from outside, played step by step."""

from __future__ import annotations

import typing as ty

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava_processes.exchange import Exchange, ExchangeModel


class SpikePlayer(Exchange, AbstractProcess):
    """Neuron ``neurons[k]`` spikes in step ``steps[k]``, the first step being 0; `steps` are sorted.

    Parameters
    ----------
    shape : (int,)
    steps, neurons : array of int, shape (n_spikes,)
    folder : str, optional
        Where spikes are exchanged while the process runs, and records written; see :mod:`lava_processes.exchange`.
    recorded_spikes : array of int
        Neurons of the record ``spikes``.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        steps: np.ndarray,
        neurons: np.ndarray,
        folder: str | None = None,
        recorded_spikes: ty.Any = (),
        name: str | None = None,
        **more: ty.Any,
    ) -> None:
        super().__init__(name=name, folder=folder, recorded_spikes=recorded_spikes, **more)
        self.proc_params["played"] = {"steps": steps, "neurons": neurons}
        self.s_out = OutPort(shape=shape)
        self.open_exchange(folder)


@implements(proc=SpikePlayer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi", "floating_pt")
class PySpikePlayerModel(ExchangeModel, PyLoihiProcessModel):  # type: ignore[misc]
    """:class:`SpikePlayer` on the CPU."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    ready = False

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        self.steps = np.asarray(self.proc_params["played"]["steps"], dtype=np.int64)
        self.neurons = np.asarray(self.proc_params["played"]["neurons"], dtype=np.int64)
        self.silence = np.zeros(self.s_out.shape, dtype=np.int32)
        self.mask = np.zeros(self.s_out.shape, dtype=bool)
        self.mask[np.asarray(self.proc_params["recorded_spikes"], dtype=np.int64)] = True
        self.ready = True

    def take(self, name: str, values: np.ndarray) -> None:
        setattr(self, name, np.asarray(values, dtype=np.int64))

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        step = self.time_step - 1
        first, last = np.searchsorted(self.steps, [step, step + 1])
        if first == last:
            self.s_out.send(self.silence)
            return
        spikes = self.silence.copy()
        spikes[self.neurons[first:last]] = 1
        self.s_out.send(spikes)
        seen = np.flatnonzero(spikes & self.mask)
        if len(seen):
            self.record("spikes", np.column_stack([np.full(len(seen), step), seen]))
