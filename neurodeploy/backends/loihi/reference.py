"""A Program executed by the book: dense NumPy, one step after the other, every state kept.

Slow and plain on purpose: it is what the compiled engine and Lava's processes are compared with, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.chips import loihi_arithmetic as chip
from neurodeploy.chips.loihi_learning import LearningRule, LearningState, advance, random_numbers


@dataclass
class Trace:
    """What happened, one entry a group of the Program.

    Attributes
    ----------
    spikes : list of ndarray of bool, shape (steps, size)
    u : list of ndarray of int64, shape (steps + 1, currents, size)
    v : list of ndarray of int64, shape (steps + 1, size)
        Sample k is the value before step k.  A source has no currents, and no v (a size of 0).
    weights : list of ndarray of int64, shape (n_synapses,)
        Mantissas after the last step, one entry a group of synapses.
    """

    spikes: list[np.ndarray] = field(default_factory=list)
    u: list[np.ndarray] = field(default_factory=list)
    v: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)


def simulate(program: LoihiProgram, steps: int) -> Trace:
    """Execute `steps` steps of `program` from its initial state."""
    trace, arriving, left = Trace(), [], []
    longest = max((int(s.delay.max(initial=1)) for s in program.synapses), default=1)
    for group in program.groups:
        cells = isinstance(group, Compartments)
        currents = len(group.du) if isinstance(group, Compartments) else 0
        trace.spikes.append(np.zeros((steps, group.size), dtype=bool))
        trace.u.append(np.zeros((steps + 1, currents, group.size), dtype=np.int64))
        trace.v.append(np.zeros((steps + 1, group.size if cells else 0), dtype=np.int64))
        arriving.append(np.zeros((steps + longest, currents, group.size), dtype=np.int64))
        left.append(np.zeros(group.size, dtype=np.int64))
        if isinstance(group, Source):
            within = (group.steps >= 0) & (group.steps < steps)
            trace.spikes[-1][group.steps[within], group.neurons[within]] = True
        else:
            trace.u[-1][0], trace.v[-1][0] = group.u, group.v
    learning = [_learning(program, synapses, steps) for synapses in program.synapses]

    for step in range(steps):
        for number, group in enumerate(program.groups):
            if isinstance(group, Compartments):
                trace.spikes[number][step] = _advance(
                    group, step, trace.u[number], trace.v[number], arriving[number][step], left[number]
                )
        for synapses, learner in zip(program.synapses, learning, strict=True):
            pre, post = trace.spikes[synapses.pre][step], trace.spikes[synapses.post][step]
            mantissa = learner.state.weight if learner else synapses.mantissa
            sends = pre[synapses.pre_index]
            at = (
                step + synapses.delay[sends],
                np.full(np.count_nonzero(sends), synapses.current),
                synapses.post_index[sends],
            )
            np.add.at(arriving[synapses.post], at, chip.weight(mantissa[sends], synapses.exponent))
            if learner:
                advance(learner.rule, learner.state, pre, post, learner.random[step])
    trace.weights = [
        learner.state.weight if learner else synapses.mantissa
        for synapses, learner in zip(program.synapses, learning, strict=True)
    ]
    return trace


@dataclass
class _Learner:
    rule: LearningRule
    state: LearningState
    random: np.ndarray


def _learning(program: LoihiProgram, synapses: Synapses, steps: int) -> _Learner | None:
    rule = synapses.learning
    if rule is None:
        return None
    sizes = (program.groups[synapses.pre].size, program.groups[synapses.post].size)
    state = LearningState.of(synapses.pre_index, synapses.post_index, synapses.mantissa, *sizes)
    return _Learner(rule, state, random_numbers(rule, 0, steps))


def _advance(
    group: Compartments, step: int, u: np.ndarray, v: np.ndarray, arriving: np.ndarray, left: np.ndarray
) -> np.ndarray:
    """Fill sample ``step + 1`` of u and v; gives who fired.  `left` counts the refractory steps that remain."""
    u[step + 1] = chip.next_current(u[step], group.du, arriving)
    drive = u[step + 1].sum(axis=0) + chip.bias(group.bias_mant, group.bias_exp)
    active = left == 0
    moved = np.where(active, chip.next_voltage(v[step], group.dv, drive), v[step])
    fired = active & chip.spikes(moved, group.vth)
    v[step + 1] = np.where(fired, 0, moved)
    left[:] = np.where(fired, group.refractory, np.maximum(left - 1, 0))
    return np.asarray(fired)
