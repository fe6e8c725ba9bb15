"""A Program as few Lava processes: all compartments, all sources, the synapses from each of the two, and each group that learns.

Lava's cost of a step goes with the number of processes more than with the number of neurons.  So all groups of a kind share one
process, and every group is a stretch of it.
"""

from __future__ import annotations

import shutil
import typing as ty
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.utils.weightutils import SignMode
from lava_processes.learning import LearningSynapses, stock_rule
from lava_processes.lif import RefractoryLIF
from lava_processes.source import SpikePlayer
from lava_processes.synapses import DelayedSynapses

VALUES = ("dv", "vth", "bias_mant", "bias_exp", "refractory", "v")
"""Arrays of a group with one value for each neuron; ``du`` and ``u`` have one for each current."""

NO_CURRENT = 4095
"""du of a second current that a group does not have: its u is 0 and stays 0."""

NEURONS, SOURCES = "compartments", "sources"
"""The two processes that spike."""


class FusedNetwork:
    """A Program in Lava, on the CPU; it can go on after a run, and be changed in between.

    Parameters
    ----------
    program : LoihiProgram
    folder : Path
        Where processes exchange arrays and write their records.
    """

    description = "own processes: RefractoryLIF, DelayedSynapses, SpikePlayer, LearningSynapses (around Lava's learning engine)"

    def __init__(self, program: ty.Any, folder: Path) -> None:
        exchange = folder / "exchange"
        shutil.rmtree(exchange, ignore_errors=True)  # of an earlier run
        exchange.mkdir()
        self.program, self.folder = program, str(exchange)
        self.home = [SOURCES if hasattr(group, "steps") else NEURONS for group in program.groups]
        self.start, total = [], {NEURONS: 0, SOURCES: 0}
        for group, home in zip(program.groups, self.home, strict=True):
            self.start.append(total[home])
            total[home] += group.size
        self.size = {home: max(size, 1) for home, size in total.items()}  # a process has one neuron at least
        self.currents = 2 if program.targets_on_two_currents else 1
        self.columns = self._columns()
        self.values = self._values()
        self.played = [(g.steps, g.neurons) if home == SOURCES else None for g, home in self._groups()]
        self.lif = RefractoryLIF(
            shape=(self.size[NEURONS],),
            currents=self.currents,
            folder=self.folder,
            name=NEURONS,
            recorded_v=self.columns["v"],
            recorded_u=self.columns["u"],
            recorded_spikes=self.columns[NEURONS],
            **self.values,
        )
        self.spiking: dict[str, ty.Any] = {NEURONS: self.lif}
        if SOURCES in self.home:
            steps, neurons = self._all_played()
            self.spiking[SOURCES] = SpikePlayer(
                shape=(self.size[SOURCES],),
                steps=steps,
                neurons=neurons,
                folder=self.folder,
                name=SOURCES,
                recorded_spikes=self.columns[SOURCES],
            )
        self.members: dict[str, list[int]] = {}
        self.connections: dict[str, DelayedSynapses] = {}
        for home in self.spiking:
            self._connect(home)
        self.learning = {
            number: self._connect_learning(number)
            for number, synapses in enumerate(program.synapses)
            if synapses.learning is not None
        }
        self.lif.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        self.run(0)

    def _groups(self) -> ty.Any:
        return zip(self.program.groups, self.home, strict=True)

    # ------------------------------------------------------------------------------- building

    def _columns(self) -> dict[str, np.ndarray]:
        """Which neurons each process records."""
        found: dict[str, list[np.ndarray]] = {"v": [], "u": [], NEURONS: [], SOURCES: []}
        for group, variable, neurons in self.program.recorded:
            places = self.start[group] + np.asarray(neurons)
            if variable == "spikes":
                found[self.home[group]].append(places)
            elif variable == "v":
                found["v"].append(places)
            else:
                found["u"].append(places + self._row(group, variable) * self.size[NEURONS])
        return {name: np.unique(np.concatenate([[], *parts])).astype(int) for name, parts in found.items()}

    def _row(self, group: int, variable: str) -> int:
        """The current that `variable` is: the second where the group has two."""
        return int(variable == "isyn_inh" and len(self.program.groups[group].du) == 2)

    def _values(self) -> dict[str, np.ndarray]:
        size, rows = self.size[NEURONS], self.currents
        values = {name: np.zeros(size, dtype=np.int64) for name in VALUES}
        values["u"] = np.zeros((rows, size), dtype=np.int64)
        values["du"] = np.full((rows, size), NO_CURRENT, dtype=np.int64)
        for number, (group, home) in enumerate(self._groups()):
            if home == NEURONS:
                stretch = slice(self.start[number], self.start[number] + group.size)
                for name in VALUES:
                    values[name][stretch] = getattr(group, name)
                for name in ("u", "du"):
                    values[name][: len(group.du), stretch] = getattr(group, name)
        return {name: self._shaped(name, array) for name, array in values.items()}

    def _shaped(self, name: str, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1) if name in ("u", "du") and self.currents == 1 else array

    def _all_played(self) -> tuple[np.ndarray, np.ndarray]:
        steps, neurons = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for start, played in zip(self.start, self.played, strict=True):
            if played is not None:
                steps.append(np.asarray(played[0]))
                neurons.append(np.asarray(played[1]) + start)
        all_steps, all_neurons = np.concatenate(steps), np.concatenate(neurons)
        order = np.lexsort((all_neurons, all_steps))
        return all_steps[order], all_neurons[order]

    def _connect(self, home: str) -> None:
        """All synapses that the neurons of one process send."""
        self.members[home] = [
            k for k, s in enumerate(self.program.synapses) if self.home[s.pre] == home and s.learning is None
        ]
        if home == NEURONS and not self.members[home]:
            return  # sources are connected in any case: what is not would not run
        parts: dict[str, list[np.ndarray]] = {
            name: [np.empty(0, dtype=np.int64)] for name in ("pre", "post", "weights", "delays", "weight_exp")
        }
        for number in self.members[home]:
            synapses = self.program.synapses[number]
            parts["pre"].append(self.start[synapses.pre] + synapses.pre_index)
            place = synapses.current * self.size[NEURONS] + self.start[synapses.post]
            parts["post"].append(place + synapses.post_index)
            parts["weights"].append(synapses.mantissa)
            parts["delays"].append(synapses.delay - 1)
            parts["weight_exp"].append(np.full(len(synapses.mantissa), synapses.exponent))
        size = self.size[NEURONS]
        connection = DelayedSynapses(
            size_in=self.size[home],
            shape_out=(size,) if self.currents == 1 else (2, size),
            sign_mode=SignMode.NULL,  # mantissas are the lowering's, of several sign modes
            folder=self.folder,
            name=f"synapses_of_{home}",
            **{name: np.concatenate(arrays) for name, arrays in parts.items()},
        )
        self.spiking[home].s_out.connect(connection.s_in)
        connection.a_out.connect(self.lif.a_in)
        self.connections[home] = connection

    def _connect_learning(self, number: int) -> LearningSynapses:
        """One group of synapses that learn."""
        synapses = self.program.synapses[number]
        groups, size = self.program.groups, self.size[NEURONS]
        shape = (groups[synapses.post].size, groups[synapses.pre].size)
        weights, connected = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
        weights[synapses.post_index, synapses.pre_index] = synapses.mantissa
        connected[synapses.post_index, synapses.pre_index] = True
        home = self.home[synapses.pre]
        connection = LearningSynapses(
            size_in=self.size[home],
            size_post=size,
            shape_out=(size,) if self.currents == 1 else (2, size),
            first_pre=self.start[synapses.pre],
            first_post=self.start[synapses.post],
            first_out=synapses.current * size + self.start[synapses.post],
            weights=weights,
            connected=connected,
            weight_exp=synapses.exponent,
            rule=stock_rule(synapses.learning),
            folder=self.folder,
            name=f"learning{number}",
        )
        self.spiking[home].s_out.connect(connection.s_in)
        self.lif.s_out.connect(connection.s_in_bap)
        connection.a_out.connect(self.lif.a_in)
        return connection

    # -------------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        self.lif.run(condition=RunSteps(num_steps=steps))

    def stop(self) -> None:
        self.lif.stop()

    # -------------------------------------------------------------------------------- reading

    def spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neurons of the recorded spikes of a group, by step, then neuron."""
        rows = self.spiking[self.home[group]].records("spikes", 2)
        start, stop = self.start[group], self.start[group] + self.program.groups[group].size
        mine = rows[(rows[:, 1] >= start) & (rows[:, 1] < stop)]
        return mine[:, 0], mine[:, 1] - start

    def samples(self, recorded: int) -> np.ndarray:
        """Samples of one entry of ``program.recorded`` before every step, and after the last one."""
        group, variable, neurons = self.program.recorded[recorded]
        name = "v" if variable == "v" else "u"
        places = self.start[group] + np.asarray(neurons)
        if name == "u":
            places = places + self._row(group, variable) * self.size[NEURONS]
        columns = self.columns[name]
        rows = self.lif.records(name, len(columns))[:, np.searchsorted(columns, places)]
        return np.vstack([rows, self.lif.saved()[name].reshape(-1)[places]])

    def state(self, group: int, name: str) -> np.ndarray:
        """Present ``u`` (currents, size), ``v`` or ``refractory_end`` of a group."""
        stretch = slice(self.start[group], self.start[group] + self.program.groups[group].size)
        array = self.lif.saved()[name]
        if name != "u":
            return array[stretch]
        return array.reshape(self.currents, -1)[: len(self.program.groups[group].du), stretch]

    def mantissa(self, synapses: int) -> np.ndarray:
        """Present mantissas of one entry of ``program.synapses``."""
        if synapses in self.learning:
            mine = self.program.synapses[synapses]
            return self.learning[synapses].saved()["weights"][mine.post_index, mine.pre_index]
        home = self.home[self.program.synapses[synapses].pre]
        return self.connections[home].saved()["mantissa"][self._stretch(home, synapses)]

    def _stretch(self, home: str, synapses: int) -> slice:
        start = 0
        for number in self.members[home]:
            stop = start + len(self.program.synapses[number].mantissa)
            if number == synapses:
                return slice(start, stop)
            start = stop
        raise ValueError(f"no synapses {synapses} from {home}")

    # ------------------------------------------------------------------------------- changing

    def set_values(self, group: int, **arrays: np.ndarray) -> None:
        """Replace values of a group, state included, by their names in ``Compartments``."""
        state = {"u", "v"} & set(arrays)
        self.values |= {name: value for name, value in self.lif.saved().items() if name in state}
        stretch = slice(self.start[group], self.start[group] + self.program.groups[group].size)
        for name, values in arrays.items():
            if name in ("u", "du"):
                rows = self.values[name].reshape(self.currents, -1)
                rows[: len(self.program.groups[group].du), stretch] = values
            else:
                self.values[name][stretch] = values
        self.lif.replace(**{name: self.values[name] for name in arrays})

    def set_spikes(self, group: int, steps: np.ndarray, neurons: np.ndarray) -> None:
        """Replace the spikes of a source; those before the present have no effect."""
        self.played[group] = (steps, neurons)
        all_steps, all_neurons = self._all_played()
        self.spiking[SOURCES].replace(steps=all_steps, neurons=all_neurons)

    def set_mantissa(self, synapses: int, mantissa: np.ndarray) -> None:
        """Replace the mantissas of one entry of ``program.synapses``; spikes under way keep the old ones."""
        if synapses in self.learning:
            mine = self.program.synapses[synapses]
            weights = self.learning[synapses].saved()["weights"]
            weights[mine.post_index, mine.pre_index] = mantissa
            self.learning[synapses].replace(weights=weights)
            return
        home = self.home[self.program.synapses[synapses].pre]
        present = self.connections[home].saved()["mantissa"]
        present[self._stretch(home, synapses)] = mantissa
        self.connections[home].replace(mantissa=present)
