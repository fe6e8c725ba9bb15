"""A Program as stock Lava processes, one for each population and each group of synapses: what runs on a chip as it stands.

``LIF``, ``Dense`` (all delays one step), ``DelayDense``, ``LearningDense``, and ring buffers for what comes in and goes out.  It
plays one run, of a length known when it is built, and can't be changed.  What it can't say is refused; see ``stock.py``.
"""

from __future__ import annotations

import os
import typing as ty

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi1HwCfg, Loihi2HwCfg, Loihi2SimCfg
from lava.proc.dense.process import DelayDense, Dense, LearningDense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Player
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor
from lava.utils.weightutils import SignMode
from lava_processes.learning import stock_rule

DESCRIPTION = "stock processes: LIF, Dense, DelayDense, LearningDense"

STEPPINGS = {"loihi1": "N2A2", "loihi2": "N3B3"}
"""Stepping that Lava compiles for where the hardware names none (``lava/utils/loihi.py``)."""


def set_up_chip(machine: dict[str, ty.Any]) -> None:
    """Tell Lava's compiler where the chip is, as Intel's extension expects it: in environment variables."""
    os.environ["LOIHI_GEN"] = machine["generation"] or STEPPINGS[machine["chip"]]
    if machine["machine"] == "ethernet":
        os.environ |= {"NOSLURM": "1", "NXSDKHOST": machine["host"]}
        os.environ.setdefault("HOST_BINARY", "nxcore/bin/nx_driver_server")
        return
    os.environ["SLURM"] = "1"
    for name, value in (("PARTITION", machine["partition"]), ("BOARD", machine["board"])):
        if value:
            os.environ[name] = value


class StockNetwork:
    """A Program in stock processes, for one run of `steps`.

    Parameters
    ----------
    program : LoihiProgram
    steps : int
    machine : dict
        The fields of the hardware.
    """

    def __init__(self, program: ty.Any, steps: int, machine: dict[str, ty.Any]) -> None:
        self.program, self.steps = program, steps
        self.on_chip = machine["machine"] != "simulated"
        if self.on_chip:
            set_up_chip(machine)
        hardware = {"loihi1": Loihi1HwCfg, "loihi2": Loihi2HwCfg}[machine["chip"]]
        self.config = hardware() if self.on_chip else Loihi2SimCfg(select_tag="fixed_pt")
        self.spiking = [
            self._source(group) if hasattr(group, "steps") else self._neurons(group)
            for group in program.groups
        ]
        self.connections = [self._connect(synapses) for synapses in program.synapses]
        self.sinks: dict[int, ty.Any] = {}
        self.monitors: dict[tuple[int, str], ty.Any] = {}
        self.initial: dict[tuple[int, str], np.ndarray] = {}
        for group, variable, _ in program.recorded:
            self._record(group, variable)

    # ------------------------------------------------------------------------------- building

    def _source(self, group: ty.Any) -> ty.Any:
        spikes = np.zeros((group.size, max(self.steps, 1)), dtype=np.int32)
        inside = np.asarray(group.steps) < self.steps
        spikes[np.asarray(group.neurons)[inside], np.asarray(group.steps)[inside]] = 1
        return Player(data=spikes)

    def _neurons(self, group: ty.Any) -> ty.Any:
        return LIF(
            shape=(group.size,),
            u=group.u[0],
            v=group.v,
            du=int(group.du[0][0]),
            dv=int(group.dv[0]),
            vth=int(group.vth[0]),
            bias_mant=group.bias_mant,
            bias_exp=group.bias_exp,
        )

    def _connect(self, synapses: ty.Any) -> ty.Any:
        groups = self.program.groups
        shape = (groups[synapses.post].size, groups[synapses.pre].size)
        weights, delays = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        weights[synapses.post_index, synapses.pre_index] = synapses.mantissa
        delays[synapses.post_index, synapses.pre_index] = synapses.delay - 1
        more: dict[str, ty.Any] = {
            "weights": weights,
            "weight_exp": synapses.exponent,
            "num_weight_bits": synapses.weight_bits,
            "sign_mode": SignMode[synapses.sign_mode.upper()],
        }
        if synapses.learning is not None:
            connection = LearningDense(learning_rule=stock_rule(synapses.learning), **more)
            self._spikes_of(synapses.post).connect(connection.s_in_bap)
        else:
            connection = DelayDense(delays=delays, **more) if delays.any() else Dense(**more)
        out = self._spikes_of(synapses.pre)
        if self.on_chip and hasattr(groups[synapses.pre], "steps"):
            from lava.proc.embedded_io.spike import PyToNxAdapter

            adapter = PyToNxAdapter(shape=(groups[synapses.pre].size,))
            out.connect(adapter.inp)
            out = adapter.out
        out.connect(connection.s_in)
        connection.a_out.connect(self.spiking[synapses.post].a_in)
        return connection

    def _spikes_of(self, group: int) -> ty.Any:
        return self.spiking[group].s_out

    def _record(self, group: int, variable: str) -> None:
        members, process = self.program.groups[group], self.spiking[group]
        if hasattr(members, "steps"):
            return  # what was played is known
        if variable == "spikes" and group not in self.sinks:
            out = process.s_out
            if self.on_chip:
                from lava.proc.embedded_io.spike import NxToPyAdapter

                adapter = NxToPyAdapter(shape=(members.size,))
                out.connect(adapter.inp)
                out = adapter.out
            self.sinks[group] = Sink(shape=(members.size,), buffer=self.steps)
            out.connect(self.sinks[group].a_in)
        elif variable != "spikes":
            name = "v" if variable == "v" else "u"
            if self.on_chip:
                raise ValueError(f"'{members.label}': {variable} can't be recorded on a chip; record spikes")
            self.initial[group, name] = members.v if name == "v" else members.u[0]
            if (group, name) not in self.monitors:
                self.monitors[group, name] = Monitor()
                self.monitors[group, name].probe(getattr(process, name), self.steps)

    # ----------------------------------------------------------------------- running, reading

    def run(self, steps: int) -> None:
        """Play all steps; populations that are not connected have runtimes of their own."""
        for process in self.spiking:
            if process.runtime is None:
                process.run(condition=RunSteps(num_steps=steps), run_cfg=self.config)

    def spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        members = self.program.groups[group]
        if hasattr(members, "steps"):
            inside = np.asarray(members.steps) < self.steps
            return np.asarray(members.steps)[inside], np.asarray(members.neurons)[inside]
        steps, neurons = np.nonzero(self.sinks[group].data.get().T)
        return steps, neurons

    def samples(self, recorded: int) -> np.ndarray:
        group, variable, neurons = self.program.recorded[recorded]
        name = "v" if variable == "v" else "u"
        data = self.monitors[group, name].get_data()[self.spiking[group].name][name]
        return np.vstack([self.initial[group, name], data])[:, np.asarray(neurons)].astype(np.int64)

    def mantissa(self, synapses: int) -> np.ndarray:
        mine = self.program.synapses[synapses]
        if mine.learning is None:
            return np.asarray(mine.mantissa)
        weights = self.connections[synapses].weights.get()
        return np.asarray(weights)[mine.post_index, mine.pre_index].astype(np.int64)

    def stop(self) -> None:
        for process in self.spiking:
            if process.runtime is not None:
                process.stop()
