"""A Program in floating point: stock neurons and delays, and the connection that learns as SpiNNaker does.

Cells with the same time constants and refractory period share one ``LIFRefractory``; all sources share one player; the static
synapses between two such processes one ``DelayDense``, or a ``DelaySparse`` where that would be large (another one where a pair
of neurons has several synapses).
"""

from __future__ import annotations

import shutil
import typing as ty
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import DelayDense
from lava.proc.lif.models import PyLifRefractoryModelFloat
from lava.proc.lif.process import LIFRefractory
from lava.proc.sparse.process import DelaySparse
from lava_processes.exchange import Exchange, ExchangeModel
from lava_processes.pair_synapses import PairSynapses
from lava_processes.source import SpikePlayer
from scipy.sparse import csr_matrix

LARGE = 1 << 20
"""Cells of all delays of a ``DelayDense``, which makes them anew in every step."""


class RecordedLIF(Exchange, LIFRefractory):
    """A ``LIFRefractory`` that has a threshold for each neuron, and writes down its spikes, and v before every step."""

    def __init__(
        self,
        *,
        folder: str,
        name: str,
        recorded_v: np.ndarray,
        vth: np.ndarray,
        refractory: int,
        **stock: ty.Any,
    ) -> None:
        super().__init__(name=name, **stock)
        self.vth = Var(shape=vth.shape, init=vth)
        self.proc_params.overwrite("refractory_period", refractory)  # the stock process refuses 0
        self.proc_params["folder"] = folder
        self.proc_params["recorded_v"] = recorded_v
        self.open_exchange(folder)


@implements(proc=RecordedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyRecordedLIFModel(ExchangeModel, PyLifRefractoryModelFloat):  # type: ignore[misc]
    """:class:`RecordedLIF` on the CPU; its arithmetic is the stock model's."""

    implements_process = None  # the stock model's; Lava asks for a blank one before it sets another
    vth: np.ndarray = LavaPyType(np.ndarray, float)
    load: np.ndarray = LavaPyType(np.ndarray, np.int32)
    save: np.ndarray = LavaPyType(np.ndarray, np.int32)

    ready = False

    def prepare(self) -> None:
        if not self.ready:
            self.open_exchange()
            self.ready = True

    def run_spk(self) -> None:
        self.prepare()
        chosen = self.proc_params["recorded_v"]
        if len(chosen):
            self.record("v", self.v[chosen].view(np.int64))  # records are whole numbers: the same 64 bits
        super().run_spk()

    def spiking_activation(self) -> np.ndarray:
        spikes = super().spiking_activation()
        seen = np.flatnonzero(spikes)
        if len(seen):
            self.record("spikes", np.column_stack([np.full(len(seen), self.time_step - 1), seen]))
        return np.asarray(spikes)


class FloatNetwork:
    """A Program of ``FloatCells`` and ``FloatSynapses`` in Lava.

    Parameters
    ----------
    program : LoihiProgram
    folder : Path
        Where processes write their records.
    """

    description = "stock LIFRefractory, DelayDense and DelaySparse; own PairSynapses, SpikePlayer"

    def __init__(self, program: ty.Any, folder: Path) -> None:
        exchange = folder / "exchange"
        shutil.rmtree(exchange, ignore_errors=True)  # of an earlier run
        exchange.mkdir()
        self.program, self.folder = program, str(exchange)
        self.home: list[np.ndarray] = [np.empty(0)] * len(program.groups)
        self.place: list[np.ndarray] = [np.empty(0)] * len(program.groups)
        self.processes = [self._player(), *self._neurons()]
        self.sizes = [process.s_out.shape[0] for process in self.processes]
        static = [synapses for synapses in program.synapses if synapses.learning is None]
        self._connect_static(static)
        self.learning = {
            number: self._connect_learning(number, synapses)
            for number, synapses in enumerate(program.synapses)
            if synapses.learning is not None
        }
        for process in self.processes:
            if process.runtime is None:
                process.create_runtime(run_cfg=Loihi2SimCfg(select_tag="floating_pt"))
        self.run(0)

    # ------------------------------------------------------------------------------- building

    def _player(self) -> SpikePlayer:
        steps, neurons, size = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], 0
        for number, group in enumerate(self.program.groups):
            if hasattr(group, "steps"):
                self.home[number] = np.zeros(group.size, dtype=np.int64)
                self.place[number] = size + np.arange(group.size)
                steps.append(group.steps)
                neurons.append(group.neurons + size)
                size += group.size
        all_steps, all_neurons = np.concatenate(steps), np.concatenate(neurons)
        order = np.lexsort((all_neurons, all_steps))
        size = max(size, 1)  # a process has one neuron at least
        return SpikePlayer(
            shape=(size,),
            steps=all_steps[order],
            neurons=all_neurons[order],
            folder=self.folder,
            name="sources",
            recorded_spikes=np.arange(size),
        )

    def _neurons(self) -> list[RecordedLIF]:
        cells = [(n, group) for n, group in enumerate(self.program.groups) if not hasattr(group, "steps")]
        if not cells:
            return []
        rows = np.concatenate([np.column_stack([group.du, group.dv, group.refractory]) for _, group in cells])
        kinds, kind_of = np.unique(rows, axis=0, return_inverse=True)
        kind_of = kind_of.reshape(-1)
        place_of = np.empty(len(rows), dtype=np.int64)
        for kind in range(len(kinds)):
            place_of[kind_of == kind] = np.arange(np.count_nonzero(kind_of == kind))
        start = 0
        for number, group in cells:
            self.home[number] = 1 + kind_of[start : start + group.size]
            self.place[number] = place_of[start : start + group.size]
            start += group.size
        v, bias, vth = (
            np.concatenate([getattr(group, name) for _, group in cells]) for name in ("v", "bias", "vth")
        )
        recorded: list[list[int]] = [[] for _ in kinds]
        for group, variable, neurons in self.program.recorded:
            if variable == "v":
                for home, place in zip(self.home[group][neurons], self.place[group][neurons], strict=True):
                    recorded[home - 1].append(place)
        self.columns = [np.unique(np.array(places, dtype=np.int64)) for places in recorded]
        return [
            RecordedLIF(
                shape=(np.count_nonzero(kind_of == kind),),
                du=du,
                dv=dv,
                vth=vth[kind_of == kind],
                refractory=int(refractory),
                v=v[kind_of == kind],
                bias_mant=bias[kind_of == kind],
                folder=self.folder,
                name=f"neurons{kind}",
                recorded_v=self.columns[kind],
            )
            for kind, (du, dv, refractory) in enumerate(kinds)
        ]

    def _connect_static(self, static: list[ty.Any]) -> None:
        if not static:
            return
        ends = np.concatenate(
            [
                np.stack(
                    [
                        self.home[s.pre][s.pre_index],
                        self.home[s.post][s.post_index],
                        self.place[s.pre][s.pre_index],
                        self.place[s.post][s.post_index],
                    ]
                )
                for s in static
            ],
            axis=1,
        )
        weight = np.concatenate([s.weight * s.gain for s in static])
        delay = np.concatenate([s.delay for s in static])
        left = np.arange(len(weight))
        while len(left):
            _, first = np.unique(ends[:, left], axis=1, return_index=True)  # one synapse of each pair
            layer, left = left[np.sort(first)], np.delete(left, first)
            for pre, post in np.unique(ends[:2, layer], axis=1).T:
                mine = layer[(ends[0, layer] == pre) & (ends[1, layer] == post)]
                shape = self.sizes[post], self.sizes[pre]
                place = ends[3, mine], ends[2, mine]
                weights = csr_matrix((weight[mine], place), shape)
                delays = csr_matrix((delay[mine] - 1, place), shape)
                if shape[0] * shape[1] * int(delay[mine].max()) < LARGE:
                    connection = DelayDense(weights=weights.toarray(), delays=delays.toarray())
                else:
                    connection = DelaySparse(weights=weights, delays=delays)
                self.processes[pre].s_out.connect(connection.s_in)
                connection.a_out.connect(self.processes[post].a_in)

    def _connect_learning(self, number: int, synapses: ty.Any) -> list[tuple[np.ndarray, PairSynapses]]:
        """A connection for each two processes that the synapses join, and which synapses it has."""
        pre_home = self.home[synapses.pre][synapses.pre_index]
        post_home = self.home[synapses.post][synapses.post_index]
        parts: list[tuple[np.ndarray, PairSynapses]] = []
        for pre, post in np.unique([pre_home, post_home], axis=1).T:
            mine = np.flatnonzero((pre_home == pre) & (post_home == post))
            connection = PairSynapses(
                size_pre=self.sizes[pre],
                size_post=self.sizes[post],
                synapses={
                    "pre": self.place[synapses.pre][synapses.pre_index[mine]],
                    "post": self.place[synapses.post][synapses.post_index[mine]],
                    **{name: getattr(synapses, name)[mine] for name in ("delay", "weight", "gain")},
                },
                rule=synapses.learning,
                folder=self.folder,
                name=f"learning{number}.{len(parts)}",
            )
            self.processes[pre].s_out.connect(connection.s_in)
            self.processes[post].s_out.connect(connection.s_in_bap)
            connection.a_out.connect(self.processes[post].a_in)
            parts.append((mine, connection))
        return parts

    # ----------------------------------------------------------------------- running, reading

    def run(self, steps: int) -> None:
        """Advance; processes that are not connected have runtimes of their own."""
        done: list[ty.Any] = []
        for process in self.processes:
            if process.runtime not in done:
                process.run(condition=RunSteps(num_steps=steps))
                done.append(process.runtime)

    def spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neurons of the spikes of a group, by step, then neuron."""
        found = []
        for home in np.unique(self.home[group]):
            neuron_at = np.full(self.sizes[home], -1)
            mine = self.home[group] == home
            neuron_at[self.place[group][mine]] = np.flatnonzero(mine)
            rows = self.processes[home].records("spikes", 2)
            neurons = neuron_at[rows[:, 1]]
            found.append(np.stack([rows[:, 0], neurons])[:, neurons >= 0])
        steps, neurons = np.concatenate(found, axis=1)
        wanted = [
            entry for number, name, entry in self.program.recorded if (number, name) == (group, "spikes")
        ]
        chosen = np.isin(neurons, np.concatenate(wanted))
        steps, neurons = steps[chosen], neurons[chosen]
        order = np.lexsort((neurons, steps))
        return steps[order], neurons[order]

    def samples(self, recorded: int) -> np.ndarray:
        """v of one entry of ``program.recorded`` before every step, mV from the reset."""
        group, _, neurons = self.program.recorded[recorded]
        columns = []
        for home, place in zip(self.home[group][neurons], self.place[group][neurons], strict=True):
            kept = self.columns[home - 1]
            rows = self.processes[home].records("v", len(kept)).view(float)
            columns.append(rows[:, np.searchsorted(kept, place)])
        return np.column_stack(columns)

    def mantissa(self, synapses: int) -> np.ndarray:
        """Present weights of one entry of ``program.synapses``, nA."""
        weight = np.array(self.program.synapses[synapses].weight)
        for mine, connection in self.learning.get(synapses, ()):
            weight[mine] = connection.saved()["weight"]
        return weight

    def stop(self) -> None:
        for process in self.processes:
            if process.runtime is not None:
                process.stop()
