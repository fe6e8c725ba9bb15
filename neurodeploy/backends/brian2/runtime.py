"""The engine without a compiler: the same Brian2 objects, run by Brian2's NumPy target.

Takes the instructions of the compiled engine (``engine/main.cpp.jinja``) and answers alike; many times slower.
Run as ``python -m neurodeploy.backends.brian2.runtime STRUCTURE.json`` in the session's folder.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neurodeploy.backends.brian2 import loihi_learning as learning
from neurodeploy.backends.brian2.objects import Callbacks, build_objects
from neurodeploy.backends.brian2.structure import RULE_WIDTH, SOURCES, Structure
from neurodeploy.backends.brian2.without_pictures import brian2
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.loihi_learning import LearningState, advance

INTEGERS = ("row", "send_steps", "rule_row", "pre_at", "post_at")
"""Arrays of 32-bit integers; all others hold 64-bit reals."""


class Ring:
    """Ring buffers of one group, as in ``engine.h``."""

    def __init__(self, rows: int, slots: int) -> None:
        self.data = np.zeros((slots, rows))

    def send(self, row: np.ndarray, slot: np.ndarray, weight: np.ndarray) -> np.ndarray:
        row, slot, weight = np.broadcast_arrays(row, slot, weight)
        np.add.at(self.data, (slot % len(self.data), row), weight)
        return np.zeros(np.shape(weight))

    def take(self, slot: int) -> np.ndarray:
        line = self.data[slot % len(self.data)]
        weights = line.copy()
        line[:] = 0.0
        return weights


@dataclass
class Channel:
    """One recorded variable."""

    group: str
    variable: str
    neurons: np.ndarray
    interval: int
    after: bool
    file: BinaryIO


class RuntimeLearning:
    """Synapses that learn, as ``Learning`` in ``engine/learning.h``."""

    def __init__(self, source: str, target: str, exponent: int) -> None:
        self.source, self.target, self.exponent = source, target, exponent
        self.arrays = {"random": np.empty(0)}
        self.state: LearningState | None = None
        self.next_random = 0

    def load(self, name: str, values: np.ndarray) -> None:
        self.arrays[name] = values
        if name == "weight" and self.state is not None:
            self.state.weight = values.astype(np.int64)

    def prepare(self, sizes: dict[str, int]) -> None:
        a = self.arrays
        self.rule = learning.rule_from(a["rule"], a["impulse"], a["decay"])
        pre, post = a["pre"].astype(np.int64), a["post"].astype(np.int64)
        self.state = LearningState.of(pre, post, a["weight"], sizes[self.source], sizes[self.target])

    def step(self, now: int, pre: np.ndarray, post: np.ndarray, ring: Ring) -> None:
        assert self.state is not None
        sends = np.flatnonzero(pre[self.state.pre_index])
        sent = (self.state.weight[sends] << self.exponent).astype(float)
        ring.send(self.arrays["row"][sends], np.full(len(sends), now + 1), sent)
        numbers = self.arrays["random"].reshape(-1, 3)
        number = numbers[self.next_random] if len(numbers) else np.zeros(3)
        self.next_random += 1
        advance(self.rule, self.state, pre, post, number)
        self.arrays["weight"] = self.state.weight.astype(np.int32)
        self.arrays["tag"] = self.state.tag.astype(np.int32)


class Runtime:
    """A structure in Brian2's runtime, obeying instructions."""

    def __init__(self, structure: Structure, sizes: list[int]) -> None:
        brian2.prefs.codegen.target = "numpy"
        brian2.prefs.logging.file_log = False
        self.structure = structure
        self.rules_table = np.zeros((0, RULE_WIDTH))
        groups = structure.groups
        self.sizes = dict(zip(groups, sizes, strict=False))
        slots = dict(zip(structure.cells, sizes[len(groups) :], strict=True))
        self.rings = {cell: Ring(2 * self.sizes[cell], slots[cell]) for cell in structure.cells}
        callbacks = {cell: Callbacks(send=ring.send) for cell, ring in self.rings.items()}
        callbacks[""] = Callbacks(rule=lambda row, column: self.rules_table[row, column])
        self.objects = build_objects(structure, self.sizes, callbacks)
        self.loaded: dict[str, np.ndarray] = {}
        self.channels: list[Channel] = []
        self.spike_channels: list[tuple[str, np.ndarray, BinaryIO]] = []
        self.source_steps = self.source_neurons = np.empty(0, dtype=np.int32)
        self.step = 0
        self.learnings: dict[str, RuntimeLearning] = {}
        self.network: brian2.Network | None = None

    # --------------------------------------------------------------------------- arrays

    def _variable(self, name: str):
        owner, _, rest = name.partition(".")
        if owner in self.objects.synapses:
            synapses = self.objects.synapses[owner]
            side, _, delay = rest.rpartition(".")
            holder = getattr(synapses, side) if side else synapses
            return holder.variables[delay or rest]
        return self.objects.groups[owner].variables[rest]

    def load(self, name: str, path: str) -> None:
        owner, _, last = name.rpartition(".")
        if owner in self.learnings:
            dtype = np.int32 if last in learning.INTEGERS else np.float64
            self.learnings[owner].load(last, np.fromfile(path, dtype=dtype))
            return
        if name == "rules":
            self.rules_table = np.fromfile(path).reshape(-1, RULE_WIDTH)
            return
        integer = last in (*INTEGERS, "_synaptic_pre", "_synaptic_post", "N")
        values = np.fromfile(path, dtype=np.int32 if integer else np.float64)
        if name.split(".")[0] in self.objects.synapses:
            self.loaded[name] = values
            if self.network is not None and last != "N":
                self._set(name, values)
        else:
            self._set(name, values)

    def _set(self, name: str, values: np.ndarray) -> None:
        self._variable(name).set_value(values)

    def save(self, name: str, path: str) -> None:
        owner, _, last = name.rpartition(".")
        if owner in self.learnings:
            self.learnings[owner].arrays[last].tofile(path)
            return
        if name.endswith(".ring"):
            self.rings[name[: -len(".ring")]].data.tofile(path)
            return
        values = self._variable(name).get_value()
        integer = name.rsplit(".", 1)[-1] in INTEGERS
        np.ascontiguousarray(values, dtype=np.int32 if integer else np.float64).tofile(path)

    def prepare(self) -> None:
        """Connect the synapses as loaded and put the objects into the order the rules demand."""
        if self.network is not None:
            return  # delays are read again at the next run
        for name in [name for name in self.objects.synapses if not len(self.loaded[f"{name}._synaptic_pre"])]:
            del self.objects.synapses[name]  # Brian2 can't connect nothing
            self.loaded = {
                key: values for key, values in self.loaded.items() if not key.startswith(f"{name}.")
            }
        for name, synapses in self.objects.synapses.items():
            pre, post = self.loaded.pop(f"{name}._synaptic_pre"), self.loaded.pop(f"{name}._synaptic_post")
            synapses.connect(i=pre, j=post)
        for name in [name for name in self.loaded if not name.endswith(".N")]:
            self._set(name, self.loaded[name])
        early = rules_by_name(self.structure.rules).sources_before_update
        for name, synapses in self.objects.synapses.items():
            if early and f"_{SOURCES}_" in name:
                synapses.pre.when = "before_groups"
            for path in synapses._pathways:
                path.order = 0 if path.prepost == "post" else 1
        for learner in self.learnings.values():
            learner.prepare(self.sizes)
        operations = [
            brian2.NetworkOperation(self._learn, when="before_synapses", order=0),
            brian2.NetworkOperation(self._begin, when="before_groups", order=2),
            brian2.NetworkOperation(lambda: self._record(after=True), when="after_groups"),
            brian2.NetworkOperation(
                self._emit, when="before_groups" if early else "before_synapses", order=-1
            ),
            brian2.NetworkOperation(self._record_spikes, when="before_synapses", order=1),
        ]
        groups = self.objects.groups
        if SOURCES in groups:
            groups[SOURCES].active = False
        self.network = brian2.Network(*groups.values(), *self.objects.synapses.values(), *operations)

    # ------------------------------------------------------------------------- one step

    def _emit(self) -> None:
        if SOURCES not in self.objects.groups:
            return
        mine = self.source_neurons[self.source_steps == self.step]
        space = self.objects.groups[SOURCES].variables["_spikespace"].get_value()
        space[: len(mine)] = mine
        space[-1] = len(mine)

    def _begin(self) -> None:
        self._record(after=False)
        for cell, ring in self.rings.items():
            exc, inh = np.split(ring.take(self.step), 2)
            self._set(f"{cell}.arriving_exc", exc)
            self._set(f"{cell}.arriving_inh", inh)

    def _record(self, after: bool) -> None:
        for channel in self.channels:
            if channel.after == after and self.step % channel.interval == 0:
                values = self.objects.groups[channel.group].variables[channel.variable].get_value()
                channel.file.write(np.ascontiguousarray(values[channel.neurons]).tobytes())

    def _record_spikes(self) -> None:
        for group, mask, file in self.spike_channels:
            space = self.objects.groups[group].variables["_spikespace"].get_value()
            fired = space[: space[-1]]
            fired = fired[mask[fired] != 0]
            rows = np.column_stack([np.full(len(fired), self.step), fired]).astype(np.int32)
            file.write(rows.tobytes())
        self.step += 1

    def _learn(self) -> None:
        for learner in self.learnings.values():
            pre, post = self._fired(learner.source), self._fired(learner.target)
            learner.step(self.step, pre, post, self.rings[learner.target])

    def _fired(self, group: str) -> np.ndarray:
        space = self.objects.groups[group].variables["_spikespace"].get_value()
        fired = np.zeros(self.sizes[group], dtype=bool)
        fired[space[: space[-1]]] = True
        return fired

    def run(self, steps: int) -> None:
        assert self.network is not None
        for learner in self.learnings.values():
            learner.next_random = 0
        last = time.monotonic()
        for begin in range(0, steps, 50):
            self.network.run(min(50, steps - begin) * brian2.second, namespace={})
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                print(f"at {self.step}", flush=True)
        for file in [channel.file for channel in self.channels] + [entry[2] for entry in self.spike_channels]:
            file.flush()

    # --------------------------------------------------------------------- instructions

    def obey(self, line: str) -> None:
        verb, *words = line.split()
        if verb == "load":
            self.load(*words)
        elif verb == "save":
            self.save(*words)
        elif verb == "prepare":
            self.prepare()
        elif verb == "learning":
            name, source, target, exponent = words
            self.learnings[name] = RuntimeLearning(source, target, int(exponent))
        elif verb == "sources":
            self.source_steps, self.source_neurons = (np.fromfile(path, dtype=np.int32) for path in words)
        elif verb == "channel":
            name, neurons, interval, after, path = words
            group, _, variable = name.partition(".")
            which = np.fromfile(neurons, dtype=np.int32)
            self.channels.append(
                Channel(group, variable, which, int(interval), after == "1", Path(path).open("wb"))
            )
        elif verb == "spikes":
            group, mask, path = words
            self.spike_channels.append((group, np.fromfile(mask, dtype=np.uint8), Path(path).open("wb")))
        elif verb == "run":
            self.run(int(words[0]))
        else:
            raise ValueError(f"unknown instruction: {line}")


def main(arguments: list[str]) -> int:
    structure = Structure.from_json(Path(arguments[0]).read_text())
    runtime = Runtime(structure, [int(size) for size in Path("sizes").read_text().split()])
    print("neurodeploy runtime", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        try:
            runtime.obey(line)
        except OSError as error:
            print(f"error {error}", flush=True)
            return 3
        print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
