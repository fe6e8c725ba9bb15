"""Trials in Lava: neurons that send traces and take in a third factor, where it comes from, and the rule that learns from both.

``trials/program.py`` says what a step does.  The change of weights is that of ``Loihi3FLearningRule`` in Lava's own learning
engine, in the synapses of ``learning.py``.
"""

from __future__ import annotations

import shutil
import typing as ty
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.learning_rule import Loihi3FLearningRule
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.neuron import LearningNeuronModelFixed
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.neuron import LearningNeuronProcess
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode
from lava_processes.exchange import Exchange, ExchangeModel
from lava_processes.learning import LearningSynapses, sum_of_products
from lava_processes.lif import HALF, MSB_BITS, wrapped
from lava_processes.source import SpikePlayer
from trials import program as lowered

SENT_BITS = 7
"""Of a graded spike that carries the third factor."""


# ------------------------------------------------------------------------------------ the neurons


class TrialNeurons(Exchange, LearningNeuronProcess, AbstractProcess):
    """All simulated neurons of a ``TrialProgram``.

    Parameters
    ----------
    program : TrialProgram
    rule : Loihi3FLearningRule
        Of one of the connections that learn from these neurons.
    folder, name : str
    """

    def __init__(self, *, program: ty.Any, rule: Loihi3FLearningRule, folder: str, name: str) -> None:
        shape = (program.size,)
        super().__init__(shape=shape, learning_rule=rule, name=name, folder=folder, program=program)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.open_exchange(folder)


@implements(proc=TrialNeurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_approximate_loihi")
class PyTrialNeuronsModel(ExchangeModel, LearningNeuronModelFixed):  # type: ignore[misc]
    """:class:`TrialNeurons` on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("facts",)
    ready = False

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        self.program = self.proc_params["program"]
        self.state = np.zeros(self.program.size, dtype=np.int64)
        self.facts = np.zeros(1, dtype=np.int64)
        self.ready = True

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        mine, step = self.program, self.time_step - 1
        arriving = np.asarray(self.a_in.recv(), dtype=np.int64) << MSB_BITS
        third = np.asarray(self.a_third_factor_in.recv(), dtype=np.int64)
        if step % mine.steps == 0:
            self.u, self.v = np.zeros(mine.size, dtype=np.int64), np.zeros(mine.size, dtype=np.int64)
            self.blocked = np.zeros(mine.size, dtype=np.int64)
            spikes = np.zeros(mine.size, dtype=bool)
            if mine.third is not None:
                third = np.full(mine.size, lowered.sent(mine.third.initial))
        else:
            self.u = wrapped(lowered.towards_zero(self.u, mine.du + 1) + arriving)
            free = lowered.towards_zero(self.v, mine.dv) + self.u
            self.v = np.clip(free, 1 - HALF, HALF - 1)
            self.facts[0] += np.count_nonzero(self.v != free)
            self.blocked -= 1
            spikes = (self.v > mine.vth << MSB_BITS) & (self.blocked < 0)
            self.v[spikes] = 0
            self.blocked[spikes] = mine.refractory
        self.s_out.send(spikes)
        self.s_out_bap.send(spikes)
        self.s_out_y1.send(lowered.sent(self.state))
        self.s_out_y3.send(third)
        self.state += mine.trace_impulse * (1 << lowered.FRACTION_BITS) * spikes
        self.state = (self.state * ((1 << lowered.DECAY_BITS) - mine.trace_decay)) >> lowered.DECAY_BITS
        seen = np.flatnonzero(spikes)
        if len(seen):
            self.record("spikes", np.column_stack([np.full(len(seen), step), seen]))


# ------------------------------------------------------------------------------ the third factor


class ThirdFactor(Exchange, AbstractProcess):
    """The compartment that counts spikes and sends what it has as a graded spike.

    Parameters
    ----------
    program : TrialProgram
    folder, name : str
    """

    def __init__(self, *, program: ty.Any, folder: str, name: str) -> None:
        super().__init__(name=name, folder=folder, program=program)
        self.a_in = InPort(shape=(1,))
        self.s_out = OutPort(shape=(1,))
        self.open_exchange(folder)


@implements(proc=ThirdFactor, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_approximate_loihi")
class PyThirdFactorModel(ExchangeModel, PyLoihiProcessModel):  # type: ignore[misc]
    """:class:`ThirdFactor` on the CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=SENT_BITS)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    exchanged = ("facts",)
    ready = False

    def prepare(self) -> None:
        if self.ready:
            return
        self.open_exchange()
        self.program = self.proc_params["program"]
        self.third = self.program.third
        self.state = int(self.third.initial)
        self.facts = np.zeros(1, dtype=np.int64)
        self.ready = True

    def run_spk(self) -> None:
        if not self.ready:
            self.prepare()
        counted, step = int(self.a_in.recv()[0]), self.time_step - 1
        if step:
            kept = int(lowered.towards_zero(self.state, self.third.decay))
            self.state = kept + counted + self.third.bias
            self.facts[0] += self.state < -lowered.HALF
        if step % self.program.steps == 0:
            if step:
                self.record("ends", np.array([[self.state]]))
            self.state = self.third.initial
        self.s_out.send(lowered.sent(np.array([self.state])).astype(np.int32))


# -------------------------------------------------------------------------------- what learns


def three_factor_rule(connection: ty.Any) -> Loihi3FLearningRule:
    """Lava's rule of a ``Connection``."""
    return Loihi3FLearningRule(
        dw=sum_of_products(connection.products),
        x1_impulse=connection.impulse,
        x1_tau=connection.tau,
        x2_impulse=connection.impulse,
        x2_tau=0,
        t_epoch=1,
        rng_seed=connection.seed,
    )


# ------------------------------------------------------------------------------ all of it


class TrialNetwork:
    """A ``TrialProgram`` in Lava, on the CPU.

    Parameters
    ----------
    program : TrialProgram
    folder : Path
        Holds ``played.npz``; where processes exchange arrays and write their records.
    """

    description = (
        "Loihi3FLearningRule in Lava's learning engine, with own processes: TrialNeurons, ThirdFactor, LearningSynapses,"
        " SpikePlayer; graded spikes over Lava's Dense"
    )

    def __init__(self, program: ty.Any, folder: Path) -> None:
        exchange = folder / "exchange"
        shutil.rmtree(exchange, ignore_errors=True)  # of an earlier run
        exchange.mkdir()
        place = str(exchange)
        rules = [three_factor_rule(connection) for connection in program.connections]
        with np.load(folder / lowered.PLAYED) as played:
            self.player = SpikePlayer(
                shape=(program.played,),
                steps=played["steps"],
                neurons=played["neurons"],
                folder=place,
                name="played",
            )
        self.neurons = TrialNeurons(program=program, rule=rules[0], folder=place, name="neurons")
        self.connections = []
        for number, (connection, rule) in enumerate(zip(program.connections, rules, strict=True)):
            source = self.player if connection.driven else self.neurons
            synapses = LearningSynapses(
                size_in=program.played if connection.driven else program.size,
                size_post=program.size,
                shape_out=(program.size,),
                first_pre=connection.first,
                first_post=0,
                first_out=0,
                weights=connection.weights,
                connected=connection.connected,
                weight_exp=program.weight_exponent,
                rule=rule,
                folder=place,
                name=f"connection{number}",
                sign_mode=SignMode[connection.sign_mode.upper()],
            )
            source.s_out.connect(synapses.s_in)
            synapses.a_out.connect(self.neurons.a_in)
            self.neurons.s_out_bap.connect(synapses.s_in_bap)
            self.neurons.s_out_y1.connect(synapses.s_in_y1)
            self.neurons.s_out_y3.connect(synapses.s_in_y3)
            self.connections.append(synapses)
        self.third = None
        if program.third is not None:
            self.third = ThirdFactor(program=program, folder=place, name="third")
            for source, gains in ((self.player, program.third.driven), (self.neurons, program.third.neurons)):
                counting = Dense(weights=gains[None, :], weight_exp=program.third.exponent)
                source.s_out.connect(counting.s_in)
                counting.a_out.connect(self.third.a_in)
            everywhere = Dense(weights=np.ones((program.size, 1), dtype=int), num_message_bits=SENT_BITS)
            self.third.s_out.connect(everywhere.s_in)
            everywhere.a_out.connect(self.neurons.a_third_factor_in)
        self.neurons.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        self.run(0)

    def run(self, steps: int) -> None:
        self.neurons.run(condition=RunSteps(num_steps=steps))

    def spikes(self, _: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps (over all trials) and neurons."""
        rows = self.neurons.records("spikes", 2)
        return rows[:, 0], rows[:, 1]

    def samples(self, _: int) -> np.ndarray:
        """The third factor's state at the end of every trial that another step has followed."""
        return self.third.records("ends", 1)[:, 0] if self.third is not None else np.empty(0, dtype=np.int64)

    def mantissa(self, connection: int) -> np.ndarray:
        """Present weights, shape (neurons, sources)."""
        return self.connections[connection].saved()["weights"]

    def state(self, _: int, name: str) -> np.ndarray:
        """``clipped`` voltages, and steps with a ``negative`` third factor."""
        process = self.neurons if name == "clipped" else self.third
        return process.saved()["facts"] if process is not None else np.zeros(1, dtype=np.int64)

    def stop(self) -> None:
        self.neurons.stop()
