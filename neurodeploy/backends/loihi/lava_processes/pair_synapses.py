r"""The additive pair rule of STDP as SpiNNaker computes it, which Lava's learning connections cannot say.

In step t, over a synapse of delay d, in this order:

.. math::
    x &\leftarrow x\,e^{-1/\tau_+}, \quad y \leftarrow y\,e^{-1/\tau_-} \\
    \text{post spike of } t-d:\quad w &\leftarrow \min(w + A_+ x,\ w_{max}), \quad y \leftarrow y + 1 \\
    \text{pre spike of } t:\quad w &\leftarrow \max(w - A_- y,\ w_{min}), \quad x \leftarrow x + 1,
        \quad w \text{ is sent, and acts in step } t + d

The whole delay is dendritic; where two spikes meet, depression applies in full; and a spike carries the weight that it has just
changed.  (A stock ``LearningDense`` sends the weight as it was, has no dendritic delay, and counts a tie both ways.)
Floating point, and no chip: a process for the CPU alone.
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
from lava_processes.exchange import Exchange, ExchangeModel


class PairSynapses(Exchange, AbstractProcess):
    """Learning synapses; see the module for what they compute.

    Parameters
    ----------
    size_pre, size_post : int
        Neurons of ``s_in``, and of ``s_in_bap`` and ``a_out``.
    synapses : dict of arrays, shape (n_synapses,)
        ``pre``, ``post``, ``delay`` (steps, at least 1), ``weight`` (nA) and ``gain`` (what 1 nA adds to ``a_out``).
    rule : dict
        ``a_plus``, ``a_minus``, ``keep_plus``, ``keep_minus``, ``w_min``, ``w_max``.
    folder : str
        See :mod:`lava_processes.exchange`.
    """

    def __init__(
        self,
        *,
        size_pre: int,
        size_post: int,
        synapses: dict[str, np.ndarray],
        rule: dict[str, float],
        folder: str,
        name: str,
    ) -> None:
        super().__init__(name=name, folder=folder, synapses=synapses, rule=rule, size_post=size_post)
        self.s_in = InPort(shape=(size_pre,))
        self.s_in_bap = InPort(shape=(size_post,))
        self.a_out = OutPort(shape=(size_post,))
        self.open_exchange(folder)


@implements(proc=PairSynapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyPairSynapsesModel(ExchangeModel, PyLoihiProcessModel):  # type: ignore[misc]
    """:class:`PairSynapses` on the CPU."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_in_bap: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("weight",)
    ready = False

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        synapses: ty.Any = self.proc_params["synapses"]
        self.pre, self.post, self.delay = synapses["pre"], synapses["post"], synapses["delay"]
        self.weight, self.gain = synapses["weight"].copy(), synapses["gain"]
        self.x, self.y = np.zeros(len(self.pre)), np.zeros(len(self.pre))
        depth = int(self.delay.max()) + 1
        self.sent = np.zeros((depth, self.proc_params["size_post"]))
        self.spoken = np.zeros((depth, self.proc_params["size_post"]), dtype=bool)
        self.ready = True

    def run_spk(self) -> None:
        self.prepare()
        rule, step, depth = self.proc_params["rule"], self.time_step, len(self.sent)
        self.a_out.send(self.sent[step % depth])  # before recv: recurrent networks would wait forever
        self.sent[step % depth] = 0.0
        fired = self.s_in.recv().astype(bool)[self.pre]
        self.spoken[step % depth] = self.s_in_bap.recv()
        arrived = self.spoken[(step - self.delay) % depth, self.post]
        self.x *= rule["keep_plus"]
        self.y *= rule["keep_minus"]
        potentiated = np.minimum(self.weight + rule["a_plus"] * self.x, rule["w_max"])
        self.weight = np.where(arrived, potentiated, self.weight)
        self.y += arrived
        depressed = np.maximum(self.weight - rule["a_minus"] * self.y, rule["w_min"])
        self.weight = np.where(fired, depressed, self.weight)
        self.x += fired
        places = ((step + self.delay) % depth)[fired], self.post[fired]
        np.add.at(self.sent, places, (self.weight * self.gain)[fired])
