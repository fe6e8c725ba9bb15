"""Lava's own learning connection between two stretches of larger processes.

The arithmetic is that of the stock ``LearningDense`` (``PyLearningDenseModelBitApproximate`` of Lava 0.10.0), inherited and not
written again: what is here picks the connection's neurons out of the processes that hold all of them, and keeps pairs of
neurons without a synapse at 0, under a rule of two factors or of three.  On a chip a rule of two is that of a
``LearningDense`` between two ``LIF``: see :func:`stock_rule` and ``stock_network.py``.
"""

from __future__ import annotations

import typing as ty

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, LoihiLearningRule
from lava.magma.core.model.py.connection import LearningConnectionModelBitApproximate
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import AbstractPyDenseModelBitAcc
from lava.proc.dense.process import LearningDense
from lava.utils.weightutils import SignMode
from lava_processes.exchange import Exchange, ExchangeModel


def stock_rule(rule: dict[str, ty.Any]) -> Loihi2FLearningRule:
    """Lava's rule for a ``LearningRule`` of the Program, which comes as a table of its fields."""
    more = {f"{name}_impulse": value for name, value in rule["impulses"].items()}
    more |= {f"{name}_tau": value for name, value in rule["taus"].items()}
    return Loihi2FLearningRule(
        dw=sum_of_products(rule["weight"]),
        dt=sum_of_products(rule["tag"]) or None,
        rng_seed=rule["seed"],
        t_epoch=1,
        **more,
    )


def sum_of_products(products: list[dict[str, ty.Any]]) -> str:
    """A sum of products as Lava reads it."""
    words = ""
    for product in products:
        sign = "-" if product["mantissa"] < 0 else "+" if words else ""
        scale = f"{abs(product['mantissa'])} * 2^{product['exponent']}"
        words += f" {sign} " + " * ".join((scale, product["dependency"], *product["factors"]))
    return words.strip()


class LearningSynapses(Exchange, LearningDense):
    """Learning synapses from the neurons ``first_pre …`` of one process to ``first_post …`` of another.

    Parameters
    ----------
    size_in, size_post : int
        Neurons of ``s_in`` and of ``s_in_bap``.
    shape_out : tuple of int
        Shape of ``a_out``.
    first_pre, first_post, first_out : int
        Where the connection's neurons begin in ``s_in``, in ``s_in_bap`` and in the flattened ``a_out``.
    weights : array, shape (post, pre)
        Mantissas at first.
    connected : array of bool, shape (post, pre)
        Which pairs have a synapse.
    weight_exp : int
    rule : Loihi2FLearningRule or Loihi3FLearningRule
    sign_mode : SignMode
    folder : str
        See :mod:`lava_processes.exchange`.
    """

    def __init__(
        self,
        *,
        size_in: int,
        size_post: int,
        shape_out: tuple[int, ...],
        first_pre: int,
        first_post: int,
        first_out: int,
        weights: np.ndarray,
        connected: np.ndarray,
        weight_exp: int,
        rule: LoihiLearningRule,
        folder: str,
        name: str,
        sign_mode: SignMode = SignMode.EXCITATORY,
    ) -> None:
        posts, pres = weights.shape
        super().__init__(
            weights=np.asarray(weights, dtype=np.int32),
            learning_rule=rule,
            sign_mode=sign_mode,
            num_weight_bits=8,
            weight_exp=weight_exp,
            name=name,
            folder=folder,
            picked={
                "pre": slice(first_pre, first_pre + pres),
                "post": slice(first_post, first_post + posts),
                "out": slice(first_out, first_out + posts),
            },
            connected=None if connected.all() else connected,
            shape_out=shape_out,
        )
        self.s_in = InPort(shape=(size_in,))
        self.s_in_bap = InPort(shape=(size_post,))
        self.a_out = OutPort(shape=shape_out)
        self.open_exchange(folder)


@implements(proc=LearningSynapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_approximate_loihi")
class PyLearningSynapsesModel(  # type: ignore[misc]
    ExchangeModel, LearningConnectionModelBitApproximate, AbstractPyDenseModelBitAcc
):
    """:class:`LearningSynapses` on the CPU."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_in_bap: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("weights",)
    ready = False
    weights: ty.Any
    tag_1: ty.Any
    a_buff: ty.Any

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        self.picked, self.connected = self.proc_params["picked"], self.proc_params["connected"]
        self.sent = np.zeros(self.proc_params["shape_out"], dtype=np.int64)
        self.ready = True

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        self.sent.reshape(-1)[self.picked["out"]] = self.a_buff
        self.a_out.send(self.sent)  # what the last step's spikes bring; before recv, as in LearningDense
        s_in = self.s_in.recv()[self.picked["pre"]].astype(bool)
        self.a_buff = np.left_shift(self.weights[:, s_in].sum(axis=1), self.weight_exp)
        self.recv_traces(s_in)

    def _process_post_spikes(self, s_in_bap: np.ndarray) -> None:
        super()._process_post_spikes(s_in_bap[self.picked["post"]])

    def run_lrn(self) -> None:
        super().run_lrn()
        if self.connected is not None:
            self.weights = self.weights * self.connected
            self.tag_1 = self.tag_1 * self.connected
