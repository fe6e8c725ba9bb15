r"""Trials of a Loihi program by the book, in NumPy; any of the chip's restrictions can be lifted.

As it stands it does what Lava does, number for number.  With none it is the network itself, as the trials of the brian2
backend run it.  In between it says what each restriction does to what is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from neurodeploy.backends.loihi.trials.lower import Lowered
from neurodeploy.backends.loihi.trials.program import (
    DECAY_BITS,
    FRACTION_BITS,
    HALF,
    Connection,
    sent,
    towards_zero,
)
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.chips.loihi_arithmetic import clip_voltage, next_current, next_voltage
from neurodeploy.chips.loihi_learning import (
    EXPONENT_OFFSET,
    TRACE_HIGH,
    WEIGHT_HIGH,
    LearningRule,
    Product,
    cut,
    random_numbers,
    rounded,
)
from neurodeploy.chips.loihi_learning import FRACTION_BITS as WEIGHT_FRACTION_BITS
from neurodeploy.chips.loihi_three_factor import HELD_TAU


@dataclass(frozen=True)
class Restrictions:
    """What the chip does not do as the network asks; each can be lifted.

    Attributes
    ----------
    adding_synapses : bool
        A source's spikes add up (the network: a spike replaces what is left of the last one), and a weight that changes does not
        move the current that is under way.
    whole_neurons : bool
        Currents and voltages of 24 bits, decays of 12, the threshold's register.
    late_factor : bool
        The third factor acts one step later.
    whole_factor : bool
        The third factor in whole numbers, sent with 7 bits and no sign.
    whole_traces : bool
        Traces of 7 bits, those of sources rounded at random.
    whole_weights : bool
        Weights of 8 bits and a sign, changed by products of whole numbers and rounded at random.
    even_mixed_weights : bool
        Where weights have both signs, they are even: on a chip the sign costs a bit, which Lava's learning engine does not take.
    """

    adding_synapses: bool = True
    whole_neurons: bool = True
    late_factor: bool = True
    whole_factor: bool = True
    whole_traces: bool = True
    whole_weights: bool = True
    even_mixed_weights: bool = False


ALL = Restrictions()

NONE = Restrictions(*[False for _ in fields(Restrictions)])


def only(name: str) -> Restrictions:
    """One restriction alone; even weights are whole ones too."""
    return replace(NONE, **{name: True, **({"whole_weights": True} if name == "even_mixed_weights" else {})})


@dataclass
class Run:
    """What trials leave.

    Attributes
    ----------
    weights : list of ndarray, shape (neurons, sources)
        In units; of every connection.
    spikes : ndarray of int64, shape (n, 2)
        Step (counted over all trials) and neuron.
    third : ndarray, shape (trials,)
        Third factor at the end of each trial, in units of y3.
    facts : dict of str to int
        What was cut: ``clipped_voltages``, ``negative_factors`` (steps).
    """

    weights: list[np.ndarray]
    spikes: np.ndarray
    third: np.ndarray
    facts: dict[str, int]


def run(
    lowered: Lowered,
    played: np.ndarray,
    trials: int,
    restrictions: Restrictions = ALL,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Run `trials` with the spikes `played`.

    Parameters
    ----------
    lowered : Lowered
    played : ndarray of int64, shape (n, 2)
        Step (counted over all trials) and neuron of every spike of the first population, in order of steps.
    trials : int
    restrictions : Restrictions
    progress : function of the trials done so far, optional
    """
    program = lowered.program
    neurons = _Neurons(lowered, restrictions)
    third = _Third(lowered, restrictions)
    connections = [_Connection(lowered, c, restrictions, trials * program.steps) for c in program.connections]
    begins = np.searchsorted(played[:, 0], np.arange(trials * program.steps + 1))
    spikes, ends = [], np.zeros(trials)
    silence = np.zeros(program.played, dtype=bool)
    arriving = np.zeros(program.size)
    for step in range(trials * program.steps):
        if step % program.steps == 0:
            neurons.restart()
            third.restart()
            for connection in connections:
                connection.restart()
            fired = np.zeros(program.size, dtype=bool)
        else:
            fired = neurons.step(arriving)
        driven = silence
        if begins[step] < begins[step + 1]:
            driven = silence.copy()
            driven[played[begins[step] : begins[step + 1], 1]] = True
        arriving = np.zeros(program.size)
        for connection in connections:
            pre = (
                driven
                if connection.of.driven
                else fired[connection.of.first : connection.of.first + connection.size]
            )
            arriving += connection.deliver(pre)
            connection.learn(step, pre, fired, neurons.y1(), third.y3())
        neurons.trace(fired)
        third.step(driven, fired)
        if fired.any():
            seen = np.flatnonzero(fired)
            spikes.append(np.column_stack([np.full(len(seen), step), seen]))
        if (step + 1) % program.steps == 0:
            trial = step // program.steps
            ends[trial] = third.value
            if progress is not None:
                progress(trial + 1)
    found = np.concatenate(spikes) if spikes else np.empty((0, 2), dtype=np.int64)
    facts = {"clipped_voltages": neurons.clipped, "negative_factors": third.negative}
    return Run([c.weights for c in connections], found, ends, facts)


class _Neurons:
    """Currents, voltages, refractory counters and post traces of all neurons."""

    def __init__(self, lowered: Lowered, restrictions: Restrictions) -> None:
        self.program, self.exact, self.restrictions = lowered.program, lowered.exact, restrictions
        self.per_unit = 1 << (LOIHI2.weight_shift + self.program.weight_exponent)
        self.state: np.ndarray = np.zeros(self.program.size)
        self.clipped = 0
        self.restart()

    def restart(self) -> None:
        self.u: np.ndarray = np.zeros(self.program.size)
        self.v: np.ndarray = np.zeros(self.program.size)
        self.blocked = np.zeros(self.program.size, dtype=np.int64)

    def step(self, arriving: np.ndarray) -> np.ndarray:
        """Who fires; `arriving` in units of the weight."""
        new = arriving * self.per_unit
        if self.restrictions.whole_neurons:
            new = np.rint(new).astype(np.int64)
            self.u = (
                new
                if not self.restrictions.adding_synapses
                else next_current(self.u.astype(np.int64), self.program.du, new)
            )
            free = towards_zero(self.v.astype(np.int64), self.program.dv) + self.u
            self.v = next_voltage(self.v.astype(np.int64), self.program.dv, self.u)
            self.clipped += int(np.count_nonzero(free != clip_voltage(free)))
            above = self.v > (self.program.vth << LOIHI2.threshold_shift)
        else:
            self.u = new if not self.restrictions.adding_synapses else self.u * self.exact.keep_current + new
            self.v = self.v * (1 - self.exact.leak) + self.u
            above = self.v >= self.exact.threshold
        self.blocked -= 1
        fired = above & (self.blocked < 0)
        self.v[fired] = 0
        self.blocked[fired] = self.program.refractory
        return fired

    def y1(self) -> np.ndarray:
        return sent(self.state) if self.restrictions.whole_traces else self.state / (1 << FRACTION_BITS)

    def trace(self, fired: np.ndarray) -> None:
        self.state = self.state + self.program.trace_impulse * (1 << FRACTION_BITS) * fired
        if self.restrictions.whole_traces:
            kept = (1 << DECAY_BITS) - self.program.trace_decay
            self.state = (self.state.astype(np.int64) * kept) >> DECAY_BITS
        else:
            self.state = self.state * self.exact.trace_decay


class _Third:
    """The third factor, in units of y3 (in whole numbers: with 16 bits below)."""

    def __init__(self, lowered: Lowered, restrictions: Restrictions) -> None:
        self.third, self.exact, self.restrictions = lowered.program.third, lowered.exact, restrictions
        self.negative = 0
        self.restart()

    def restart(self) -> None:
        self.state = float(self.third.initial) if self.third and self.restrictions.whole_factor else 0.0
        if not self.restrictions.whole_factor:
            self.state = self.exact.third_initial
        self.before = self.state

    @property
    def value(self) -> float:
        return float(self.state / (1 << FRACTION_BITS) if self.restrictions.whole_factor else self.state)

    def y3(self) -> float:
        state = self.before if self.restrictions.late_factor else self.state
        if not self.restrictions.whole_factor:
            return float(state)
        return float(sent(state))

    def step(self, driven: np.ndarray, fired: np.ndarray) -> None:
        self.before = self.state
        if self.third is None:
            return
        if self.restrictions.whole_factor:
            counted = int(self.third.driven[driven].sum() + self.third.neurons[fired].sum())
            kept = int(towards_zero(int(self.state), self.third.decay))
            self.state = float(kept + (counted << self.third.exponent) + self.third.bias)
            self.negative += int(self.state < -HALF)
        else:
            counted = self.exact.driven_gains[driven].sum() + self.exact.gains[fired].sum()
            self.state += counted + self.exact.third_leak * (self.exact.third_resting - self.state)


class _Connection:
    """Weights, kernels and pre traces of one connection."""

    def __init__(self, lowered: Lowered, of: Connection, restrictions: Restrictions, steps: int) -> None:
        self.of, self.exact, self.restrictions = of, lowered.exact, restrictions
        self.got = lowered.scale.got
        self.neurons, self.size = of.weights.shape
        self.post, self.pre = np.nonzero(of.connected)
        self.w = of.weights[self.post, self.pre].astype(float)
        self.x = np.zeros(self.size)
        self.products = [
            Product(p["mantissa"], p["exponent"], p["dependency"], tuple(p["factors"])) for p in of.products
        ]
        rule = LearningRule(tuple(self.products), taus={"x1": of.tau}, seed=of.seed)
        self.decay = rule.decay("x1")
        self.held = float(np.exp(-1.0 / HELD_TAU))
        self.random = random_numbers(rule, 0, steps)
        lowest = -WEIGHT_HIGH - restrictions.whole_weights  # a mixed weight of whole numbers goes to -256
        self.low = {"excitatory": 0, "inhibitory": -WEIGHT_HIGH, "mixed": lowest}[of.sign_mode]
        self.high = 0 if of.sign_mode == "inhibitory" else WEIGHT_HIGH
        self.restart()

    @property
    def weights(self) -> np.ndarray:
        dense = np.zeros((self.neurons, self.size))
        dense[self.post, self.pre] = self.w
        return dense

    def restart(self) -> None:
        self.kernel = np.zeros(self.size)

    def deliver(self, fired: np.ndarray) -> np.ndarray:
        """What this step's spikes bring: added to the current, or (kernels) the whole of it."""
        if self.restrictions.adding_synapses:
            brought = self.w * fired[self.pre]
        else:
            self.kernel *= self.exact.keep_current
            self.kernel[fired] = 1.0
            brought = self.w * self.kernel[self.pre]
        return np.bincount(self.post, weights=brought, minlength=self.neurons)

    def learn(self, step: int, fired: np.ndarray, targets: np.ndarray, y1: np.ndarray, y3: float) -> None:
        """Change weights by this step's spikes of sources and `targets`."""
        of_pre, of_post, of_weights = self.random[step]
        x2 = self.of.impulse * fired
        if self.restrictions.whole_traces:
            left = rounded(self.decay * self.x, of_pre)
            self.x = np.where(fired, np.minimum(left + x2, TRACE_HIGH), left)
            y1 = rounded(self.held * y1, of_post)
            if self.restrictions.whole_factor:
                y3 = float(rounded(np.float64(self.held * y3), of_post))
        else:
            self.x = self.decay * self.x + x2
        if not fired.any() and not targets.any():
            return
        values: dict[str, Any] = {
            "x0": fired[self.pre],
            "y0": targets[self.post],
            "x1": self.x[self.pre],
            "x2": x2[self.pre],
            "y1": y1[self.post],
            "y3": y3,
        }
        one = 1 << WEIGHT_FRACTION_BITS
        total = self.w * one
        for product in self.products:
            term = values[product.dependency] * (product.mantissa / (1 << product.shift))
            for name in product.factors:
                term = term * values[name]
            scale = 2.0 ** (product.exponent + EXPONENT_OFFSET)
            if self.restrictions.whole_weights:
                total = cut(total + cut(np.floor(term) * scale))
            else:
                total = total + term * scale / self.got
        w = total / one
        if self.restrictions.whole_weights:
            if self.of.sign_mode != "mixed":
                w = rounded(np.clip(w, self.low, self.high), of_weights)
            elif self.restrictions.even_mixed_weights:
                w = np.minimum(2 * rounded(w / 2, of_weights), WEIGHT_HIGH - 1)
            else:
                w = rounded(w, of_weights)
        self.w = np.clip(w, self.low, self.high).astype(float)
