"""A LoihiProgram in the compiled engine: the chip's whole numbers in, the chip's whole numbers out.

All compartments with one current share one Brian2 group, those with two another, all sources a third.  One program, compiled
once, serves every model: what a model lacks has the size of one silent neuron there.  The engine's reals hold the chip's
integers exactly (see :mod:`neurodeploy.chips.loihi_compartment`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.loihi_learning import Learner, rule_arrays
from neurodeploy.backends.brian2.lower import Block, Placement, join_all
from neurodeploy.backends.brian2.running import RunningProgram, choose_threads
from neurodeploy.backends.brian2.structure import SOURCES, Structure, synapses_name
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.chips.loihi_compartment import CURRENTS, LOIHI2_RULES, ONE_CURRENT, TWO_CURRENTS
from neurodeploy.chips.loihi_learning import random_numbers

GROUPS = {1: ONE_CURRENT, 2: TWO_CURRENTS}
"""Group of the compartments with so many currents."""

NO_SYNAPSES: dict[str, np.ndarray] = {
    **{
        name: np.empty(0, dtype=np.int32) for name in ("_synaptic_pre", "_synaptic_post", "row", "send_steps")
    },
    "w": np.empty(0),
}


@dataclass
class Lowered:
    """A program and its data; see :class:`neurodeploy.backends.brian2.lower.Lowered`."""

    structure: Structure
    sizes: dict[str, int]
    slots: dict[str, int]
    arrays: dict[str, np.ndarray]
    placements: list[Placement]
    blocks: dict[int, Block]
    learners: dict[int, Learner]


def structure(parallel: bool) -> Structure:
    """The one structure of all models: whatever a model lacks has the size of a single silent neuron."""
    cells = tuple(sorted(GROUPS.values()))
    pairs = itertools.product((*cells, SOURCES), cells)
    return Structure(LOIHI2_RULES.name, cells, True, tuple(sorted(pairs)), (), parallel)


def lower_program(program: LoihiProgram, options: Options) -> tuple[Lowered, int]:
    """Arrays of `program`, and the threads it is to have."""
    placements: list[Placement] = []
    sizes = dict.fromkeys((*GROUPS.values(), SOURCES), 0)
    for group in program.groups:
        name = SOURCES if isinstance(group, Source) else GROUPS[len(group.du)]
        placements.append(Placement(name, sizes[name], sizes[name] + group.size))
        sizes[name] += group.size
    sizes = {name: max(size, 1) for name, size in sizes.items()}
    threads = choose_threads({name: sizes[name] for name in GROUPS.values()}, options)
    made = structure(parallel=threads > 1)
    arrays: dict[str, np.ndarray] = {}
    for group, place in zip(program.groups, placements, strict=True):
        if isinstance(group, Compartments):
            for name, values in (coefficients(group) | state(group)).items():
                array = arrays.setdefault(f"{place.group}.{name}", np.zeros(sizes[place.group]))
                array[place.start : place.stop] = values
    parts: dict[str, list[dict[str, np.ndarray]]]
    parts = {synapses_name("static", *pair): [NO_SYNAPSES] for pair in made.static}
    owners, longest = list(parts), dict.fromkeys(made.cells, 1)
    static: list[int] = []
    learners: dict[int, Learner] = {}
    for number, synapses in enumerate(program.synapses):
        pre, post = placements[synapses.pre], placements[synapses.post]
        if synapses.learning is not None:
            shift = LOIHI2.weight_shift + synapses.exponent
            learners[number] = Learner(f"learning{number}", pre.group, post.group, shift)
            given = _learning_arrays(synapses, pre, post, sizes[post.group])
            arrays |= {f"learning{number}.{name}": values for name, values in given.items()}
            continue
        static.append(number)
        owners.append(synapses_name("static", pre.group, post.group))
        parts[owners[-1]].append(_rows(synapses, pre, post, sizes[post.group]))
        longest[post.group] = max(longest[post.group], int(synapses.delay.max(initial=1)))
    blocks = dict(zip(static, join_all(parts, owners, arrays)[len(made.static) :], strict=True))
    # A spike of step k is sent after slot k was emptied, so that a ring of d slots holds delays up to d.
    slots = {cell: 1 << int(steps - 1).bit_length() for cell, steps in longest.items()}
    return Lowered(made, sizes, slots, arrays, placements, blocks, learners), threads


def coefficients(group: Compartments) -> dict[str, np.ndarray]:
    """Coefficients of a group, by the engine's names."""
    return LOIHI2_RULES.cells[GROUPS[len(group.du)]].coefficients(vars(group), 0.0)


def state(group: Compartments) -> dict[str, np.ndarray]:
    """State variables of a group, by the engine's names."""
    return {name: group.u[row] for row, name in enumerate(CURRENTS[: len(group.u)])} | {"v": group.v}


def _rows(synapses: Synapses, pre: Placement, post: Placement, size_of_target: int) -> dict[str, np.ndarray]:
    return {
        "_synaptic_pre": (synapses.pre_index + pre.start).astype(np.int32),
        "_synaptic_post": (synapses.post_index + post.start).astype(np.int32),
        "row": (synapses.post_index + post.start + synapses.current * size_of_target).astype(np.int32),
        "w": synapses.weight.astype(float),
        "send_steps": synapses.delay.astype(np.int32),
    }


def _learning_arrays(
    synapses: Synapses, pre: Placement, post: Placement, size_of_target: int
) -> dict[str, np.ndarray]:
    """What a learner is loaded with; its synapses are sorted by source (see :func:`_order`)."""
    order, rows = _order(synapses), _rows(synapses, pre, post, size_of_target)
    named = {"pre": "_synaptic_pre", "post": "_synaptic_post", "row": "row"}
    arrays = {name: rows[key][order] for name, key in named.items()}
    return arrays | {"weight": synapses.mantissa[order].astype(np.int32)} | rule_arrays(synapses.learning)


def _order(synapses: Synapses) -> np.ndarray:
    return np.argsort(synapses.pre_index, kind="stable")


class LoihiEngine:
    """A LoihiProgram that is loaded and can run; groups and synapses are named by their position in it.

    Parameters
    ----------
    program : LoihiProgram
    options : Options
        ``engine``, ``threads`` and ``progress`` are used.
    report : Report or None
        Gets what compiling and loading took.
    """

    def __init__(self, program: LoihiProgram, options: Options, report: Report | None = None) -> None:
        self.program = program
        self.groups = list(program.groups)
        self.report = report or Report(executed_by="chip arithmetic")
        self.lowered, threads = lower_program(program, options)
        lowered = self.lowered
        self.running = RunningProgram(
            lowered.structure,
            lowered.sizes,
            lowered.slots,
            lowered.arrays,
            options,
            threads,
            self.report,
            list(lowered.learners.values()),
        )
        self.report.facts |= {
            "engine": options.engine,
            "threads": threads,
            "brian2": compiler.brian2_version(),
            "structure": lowered.structure.digest(),
        }
        try:
            self._begin()
        except BaseException:
            self.end()
            raise

    def _begin(self) -> None:
        self._trains: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for position, group in enumerate(self.program.groups):
            if isinstance(group, Source):
                self.set_spikes(position, group.steps, group.neurons)
        self._files: dict[int, Path] = {}
        spiking: dict[str, list[np.ndarray]] = {}
        for number, (position, variable, neurons) in enumerate(self.program.recorded):
            place = self.lowered.placements[position]
            if variable == "spikes":
                spiking.setdefault(place.group, []).append(neurons + place.start)
            else:
                name = f"{place.group}.{self._array(position, variable)}"
                self._files[number] = self.running.record(name, neurons + place.start, 1, after=False)
        self.running.record_spikes({group: np.concatenate(which) for group, which in spiking.items()})

    def _array(self, group: int, variable: str) -> str:
        """Which state ``"v"``, ``"isyn_exc"`` or ``"isyn_inh"`` is: the only current is both of the latter."""
        if variable == "v":
            return "v"
        currents = CURRENTS[: len(self._compartments(group).du)]
        return currents[min(CURRENTS.index(variable), len(currents) - 1)]

    def _compartments(self, group: int) -> Compartments:
        compartments = self.groups[group]
        assert isinstance(compartments, Compartments)
        return compartments

    # ----------------------------------------------------------------------------- running

    @property
    def step(self) -> int:
        """Steps executed so far."""
        return self.running.step

    def run(self, steps: int, progress=None) -> None:
        """Advance by `steps` steps; `progress` is called with the step now and then."""
        begin, end = self.step, self.step + steps
        times, who = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for position, (at, neurons) in self._trains.items():
            first, last = np.searchsorted(at, [begin, end])
            times.append(at[first:last])
            who.append(neurons[first:last] + self.lowered.placements[position].start)
        self.running.set_sources(np.concatenate(times), np.concatenate(who))
        for number, learner in self.lowered.learners.items():
            rule = self.program.synapses[number].learning
            if not rule.exact:
                self.running.load(f"{learner.name}.random", random_numbers(rule, begin, steps))
        self.running.run(steps, progress)

    # ----------------------------------------------------------------------------- reading

    def spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neurons of all recorded spikes so far."""
        place = self.lowered.placements[group]
        return self.running.spikes(place.group, place.start, place.stop)

    def samples(self, recorded: int) -> np.ndarray:
        """All samples of an entry of ``recorded``, int64, shape (step + 1, n_neurons); sample k is the value before step k."""
        group, variable, neurons = self.program.recorded[recorded]
        rows = np.fromfile(self._files[recorded]).reshape(self.step, len(neurons)).astype(np.int64)
        return np.vstack([rows, self._state(group, self._array(group, variable))[neurons]])

    def state(self, group: int, name: str) -> np.ndarray:
        """The present ``"v"``, int64, shape (size,), or ``"u"``, shape (currents, size)."""
        if name == "v":
            return self._state(group, "v")
        return np.stack([self._state(group, u) for u in CURRENTS[: len(self._compartments(group).du)]])

    def _state(self, group: int, array: str) -> np.ndarray:
        place = self.lowered.placements[group]
        return self.running.save(f"{place.group}.{array}")[place.start : place.stop].astype(np.int64)

    def mantissa(self, synapses: int) -> np.ndarray:
        """The present mantissas of a group of synapses, int64."""
        if synapses in self.lowered.learners:
            weights = np.empty(len(self.program.synapses[synapses].mantissa), dtype=np.int64)
            saved = self.running.save(f"{self.lowered.learners[synapses].name}.weight", np.int32)
            weights[_order(self.program.synapses[synapses])] = saved
            return weights
        block = self.lowered.blocks[synapses]
        if not block.position.size:
            return np.empty(0, dtype=np.int64)
        weight = self.running.save(f"{block.owner}.w")[block.position].astype(np.int64)
        return weight >> (LOIHI2.weight_shift + self.program.synapses[synapses].exponent)

    # ---------------------------------------------------------------------------- changing

    def set_values(self, group: int, **values: Any) -> None:
        """Replace state or registers of a group, by their names in :class:`Compartments`."""
        place = self.lowered.placements[group]
        self.groups[group] = present = replace(self._compartments(group), **values)
        arrays = coefficients(present) if set(values) - {"u", "v"} else {}
        arrays |= {
            name: array for name, array in state(present).items() if ("v" if name == "v" else "u") in values
        }
        for name, array in arrays.items():
            where = slice(place.start, place.stop)
            self.running.replace(f"{place.group}.{name}", where, array.astype(float))

    def set_spikes(self, group: int, steps: np.ndarray, neurons: np.ndarray) -> None:
        """Replace the spikes of a source; those of steps before the present have no effect.  One a neuron and step counts."""
        pairs = np.unique(np.stack([steps, neurons]).astype(np.int64), axis=1)
        self._trains[group] = (pairs[0], pairs[1])

    def set_mantissa(self, synapses: int, mantissa: np.ndarray) -> None:
        """Replace the mantissas of a group of synapses; spikes under way keep the old ones."""
        if synapses in self.lowered.learners:
            weights = np.asarray(mantissa)[_order(self.program.synapses[synapses])].astype(np.int32)
            self.running.load(f"{self.lowered.learners[synapses].name}.weight", weights)
            return
        block, present = self.lowered.blocks[synapses], self.program.synapses[synapses]
        weight = replace(present, mantissa=np.asarray(mantissa, dtype=np.int64)).weight
        if block.position.size:
            self.running.replace(f"{block.owner}.w", block.position, weight.astype(float))

    def end(self) -> None:
        """Stop, and leave no process behind.  Safe to call twice."""
        self.running.end()
