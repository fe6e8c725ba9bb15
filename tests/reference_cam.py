"""The memory on SpiNNaker, tick by tick in plain NumPy: an independent account to test against.

It is written from the published description and from sPyNNaker's conventions, and shares no table with
`neurodeploy.cam.model`: a number mistyped there or here shows as a difference.  One tick is 1 ms and does, in
this order: take the input due now, update the membranes, fire, decay the currents, send the spikes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.cam.experiments import Experiment
from neurodeploy.cam.operations import spike_times

SLOW = {"tau": 3.0, "capacitance": 0.27, "threshold": -57.0}
FAST = {"tau": 0.5, "capacitance": 0.14, "threshold": -57.0}
BRIEF = {"tau": 0.5, "capacitance": 0.05, "threshold": -57.0, "synapse": 0.1}
OUTPUT = {"tau": 3.0, "capacitance": 0.27, "threshold": -57.5}
REST = -60.0
TAU_SYNAPSE = 0.3
TAU_TRACE = 3.0
W_MAX = 6.0


@dataclass(frozen=True)
class Conventions:
    """How the plasticity counts time.  The defaults are sPyNNaker 7's, which the published rasters need.

    Attributes
    ----------
    dendritic_delay : int
        Ticks after which a spike of the target cell counts at the synapse.
    depression_on_tie : bool
        Whether a source spike depresses where a target spike counts in its very tick.
    amplitude : float
        A+ and A−, nA.
    clip_each : bool
        Whether the weight is clipped after every single event, not only when it is sent.
    """

    dendritic_delay: int = 1
    depression_on_tie: bool = True
    amplitude: float = 6.0
    clip_each: bool = True


SPINNAKER = Conventions()


@dataclass
class Outcome:
    """Spikes by population as (times, neurons), and the learned weights, nA, as (pre, post)."""

    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    forward: np.ndarray
    backward: np.ndarray


class _Cells:
    """Leaky integrate-and-fire cells with decaying currents, at 1 ms."""

    def __init__(self, size: int, kind: dict[str, float]) -> None:
        self.voltage = np.full(size, REST)
        self.excitation = np.zeros(size)
        self.inhibition = np.zeros(size)
        self.skip = np.zeros(size, dtype=bool)
        self.decay = np.exp(-1.0 / kind["tau"])
        self.resistance = kind["tau"] / kind["capacitance"]
        self.threshold = kind["threshold"]
        self.synapse = kind.get("synapse", TAU_SYNAPSE)

    def tick(self, excitation: np.ndarray, inhibition: np.ndarray) -> np.ndarray:
        arriving = self.synapse * (1.0 - np.exp(-1.0 / self.synapse))
        self.excitation += arriving * excitation
        self.inhibition += arriving * inhibition
        target = REST + (self.excitation - self.inhibition) * self.resistance
        moved = target - (target - self.voltage) * self.decay
        self.voltage = np.where(self.skip, self.voltage, moved)
        fired = self.voltage >= self.threshold
        self.voltage[fired] = REST
        self.skip = fired
        self.excitation *= np.exp(-1.0 / self.synapse)
        self.inhibition *= np.exp(-1.0 / self.synapse)
        return fired


class _Learning:
    """All pairs of spikes, additive, between every source cell and every target cell."""

    def __init__(self, pre: int, post: int, conventions: Conventions) -> None:
        self.weight = np.zeros((pre, post))
        self.pre_trace = np.zeros(pre)
        self.post_trace = np.zeros(post)
        self.late = [np.zeros(post, dtype=bool)] * conventions.dendritic_delay
        self.conventions = conventions

    def tick(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """The weight that every target cell is sent in this tick."""
        how = self.conventions
        self.pre_trace *= np.exp(-1.0 / TAU_TRACE)
        self.post_trace *= np.exp(-1.0 / TAU_TRACE)
        self.late.append(post)
        counted = self.late.pop(0)
        if counted.any():
            self.weight[:, counted] += how.amplitude * self.pre_trace[:, None]
            if how.clip_each:
                np.minimum(self.weight, W_MAX, out=self.weight)
        seen = self.post_trace + counted if how.depression_on_tie else self.post_trace * ~counted
        if pre.any():
            self.weight[pre] -= how.amplitude * seen
            if how.clip_each:
                np.maximum(self.weight, 0.0, out=self.weight)
            else:
                self.weight[pre] = np.clip(self.weight[pre], 0.0, W_MAX)
        self.post_trace = self.post_trace + counted
        self.pre_trace = self.pre_trace + pre
        return self.weight[pre].sum(axis=0)


class _Coincidence:
    """Together: full.  The target one tick before the source: nothing.  A spike is sent with the weight as it was."""

    def __init__(self, pre: int, post: int) -> None:
        self.weight = np.zeros((pre, post))
        self.post_before = np.zeros(post, dtype=bool)

    def tick(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        sent = self.weight[pre].sum(axis=0)
        self.weight[np.ix_(pre, self.post_before)] = 0.0
        self.weight[np.ix_(pre, post)] = W_MAX
        self.post_before = post
        return sent


def simulate(
    experiment: Experiment, conventions: Conventions = SPINNAKER, circuit: str = "published"
) -> Outcome:
    """Run `experiment`; spikes are listed by the tick in which they fire.

    `circuit` is the published one, or ``"loihi"``: brief gates, learning by coincidence, and S1cue inhibits S1cont.
    """
    on_loihi = circuit == "loihi"
    gate, content = (BRIEF, BRIEF) if on_loihi else (FAST, SLOW)
    m, n, duration = experiment.cues, experiment.contents, experiment.duration_ms
    cells = {
        "S1cue": _Cells(m, SLOW),
        "S1cont": _Cells(n, content),
        "cond": _Cells(n, gate),
        "int": _Cells(1, gate),
        "S2cue": _Cells(m, gate),
        "S2cont": _Cells(n, SLOW),
        "mcue": _Cells(m, SLOW),
        "mcont": _Cells(n, SLOW),
        "OUT_cue": _Cells(m, OUTPUT),
        "OUT_content": _Cells(n, OUTPUT),
    }
    forward, backward = (
        _Coincidence(*size) if on_loihi else _Learning(*size, conventions) for size in ((m, n), (n, m))
    )
    longest = 3
    due = {name: np.zeros((longest + 1, 2, group.voltage.size)) for name, group in cells.items()}
    raster = {name: np.zeros((duration, group.voltage.size), dtype=bool) for name, group in cells.items()}
    for name, listed in zip(("IN_cue", "IN_content"), spike_times(experiment.operations, m, n), strict=True):
        raster[name] = np.zeros((duration, len(listed)), dtype=bool)
        for neuron, times in enumerate(listed):
            raster[name][times, neuron] = True

    def send(target: str, tick: int, delay: int, weights: np.ndarray, inhibitory: bool = False) -> None:
        due[target][(tick + delay) % (longest + 1), int(inhibitory)] += weights

    for tick in range(duration):
        now = tick % (longest + 1)
        for name, group in cells.items():
            raster[name][tick] = group.tick(*due[name][now])
            due[name][now] = 0.0
        fired = {name: rows[tick] for name, rows in raster.items()}

        send("S1cont", tick, 1, forward.tick(fired["S1cue"], fired["S1cont"]))
        send("S2cue", tick, 1, backward.tick(fired["S2cont"], fired["S2cue"]))
        if fired["IN_cue"].any():
            send("S1cue", tick, 1, 6.0 * fired["IN_cue"])
        if fired["IN_content"].any():
            send("S1cont", tick, 1, 6.0 * fired["IN_content"])
        if fired["S1cue"].any():
            others = fired["S1cue"].sum() - fired["S1cue"]
            send("S2cue", tick, 2, 6.0 * fired["S1cue"])
            send("S2cue", tick, 3, 6.0 * n * others, inhibitory=True)
            send("cond", tick, 2, 6.0 * np.full(n, fired["S1cue"].sum()), inhibitory=True)
            send("mcue", tick, 3, 6.0 * fired["S1cue"])
            if on_loihi:
                send("S1cont", tick, 3, 6.0 * np.full(n, fired["S1cue"].sum()), inhibitory=True)
        if fired["S1cont"].any():
            send("cond", tick, 1, 9.0 * fired["S1cont"])
            send("int", tick, 1, 6.0 * np.array([fired["S1cont"].sum()]))
            send("mcont", tick, 3, 6.0 * fired["S1cont"])
        if fired["int"].any():
            send("cond", tick, 1, np.full(n, 2.0))
        if fired["cond"].any():
            send("S2cont", tick, 1, 6.0 * fired["cond"])
        if fired["S2cue"].any():
            others = fired["S2cue"].sum() - fired["S2cue"]
            send("S2cue", tick, 2, 6.0 * n * others, inhibitory=True)
            send("mcue", tick, 1, 6.0 * fired["S2cue"])
        if fired["S2cont"].any():
            send("mcont", tick, 1, 6.0 * fired["S2cont"])
        if fired["mcue"].any():
            send("OUT_cue", tick, 1, 6.0 * fired["mcue"])
        if fired["mcont"].any():
            send("OUT_content", tick, 1, 6.0 * fired["mcont"])

    spikes = {name: tuple(np.nonzero(rows)) for name, rows in raster.items()}
    return Outcome(spikes, forward.weight, backward.weight)


def differing_cells(ours: Outcome, theirs: Outcome) -> int:
    """In how many (tick, population) the spikes of two runs differ; input and output count as one each."""

    def cells(outcome: Outcome) -> dict[tuple[int, str], set[tuple[str, int]]]:
        found: dict[tuple[int, str], set[tuple[str, int]]] = {}
        for name, (times, neurons) in outcome.spikes.items():
            for time, neuron in zip(times.tolist(), neurons.tolist(), strict=True):
                found.setdefault((time, name.split("_")[0]), set()).add((name, neuron))
        return found

    one, other = cells(ours), cells(theirs)
    return sum(one.get(cell) != other.get(cell) for cell in one.keys() | other.keys())
