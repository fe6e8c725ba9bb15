"""Small random networks in Loihi's own numbers, many of them side by side in the groups of one LoihiProgram.

Each network has a source, neurons with one current and neurons with two, and synapses within and between them in all sign
modes and exponents; no synapse leads from one network to another.  A third of the networks are lively, a third drives
voltages into their limits, a third currents across theirs.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.chips.loihi import SIGN_MODES

SOURCE, ONE, TWO = range(3)
CURRENTS = {ONE: 1, TWO: 2}
REGIMES = ("lively", "saturating", "overflowing")
EXPONENTS = {"lively": (0, 3), "saturating": (0, 7), "overflowing": (5, 8)}


def decay(draw: np.random.Generator, size: int) -> np.ndarray:
    """Registers from no decay to all of it at once, most of them slow."""
    slow = np.exp2(draw.uniform(0, 12, size)).astype(np.int64)
    return np.where(draw.random(size) < 0.1, draw.choice([0, 1, 4094, 4095], size), np.minimum(slow, 4095))


def compartments(draw: np.random.Generator, regime: str, currents: int, size: int) -> dict[str, np.ndarray]:
    """Registers and initial state of some neurons, as in ``Compartments``."""
    lively = regime == "lively"
    threshold = draw.integers(0, 6000 if lively else 131072, size)
    mantissa, exponent = draw.integers(-4096, 4096, size), draw.integers(0, 8, size)
    if regime == "saturating":
        mantissa = draw.choice([-4096, 4095, 3000], size)
        exponent = draw.integers(5, 8, size)
    start = 60000 if lively else 1 << 23
    return {
        "du": np.stack([decay(draw, size) for _ in range(currents)]),
        "dv": np.minimum(decay(draw, size), 40) if regime == "saturating" else decay(draw, size),
        "vth": np.where(draw.random(size) < 0.02, draw.choice([0, 131071], size), threshold),
        "bias_mant": mantissa // 4 if lively else mantissa,
        "bias_exp": exponent // 2 if lively else exponent,
        "refractory": draw.integers(0, 9, size) * draw.integers(0, 2, size),
        "u": draw.integers(1 - start, start, (currents, size)) // 4,
        "v": draw.integers(1 - start, start, size),
    }


def mantissas(draw: np.random.Generator, mode: str, count: int) -> np.ndarray:
    low, high, step = SIGN_MODES[mode].low, SIGN_MODES[mode].high, SIGN_MODES[mode].step
    return low + step * draw.integers(0, (high - low) // step + 1, count)


def random_program(seed: int, count: int, steps: int, longest: int = 63, largest: int = 60) -> LoihiProgram:
    """`count` disjoint random networks of 1 to `largest` neurons, everything recorded.

    Parameters
    ----------
    steps : int
        For which the sources have spikes.
    longest : int
        Delay in steps.
    """
    draw = np.random.default_rng(seed)
    sizes = [0, 0, 0]
    pieces: dict[int, list[dict[str, np.ndarray]]] = {ONE: [], TWO: []}
    trains: list[np.ndarray] = []
    rows: dict[tuple[int, int, int, str, int], list[np.ndarray]] = {}
    for number in range(count):
        regime = REGIMES[number % 3]
        neurons = int(draw.integers(1, largest + 1))
        one = int(draw.integers(0, neurons + 1))
        here = {SOURCE: int(draw.integers(1, 6)), ONE: one, TWO: neurons - one}
        rate = draw.uniform(0.02, 0.3)
        when, who = np.nonzero(draw.random((steps, here[SOURCE])) < rate)
        trains.append(np.stack([when, who + sizes[SOURCE]], axis=1))
        for group, currents in CURRENTS.items():
            pieces[group].append(compartments(draw, regime, currents, here[group]))
            for pre in (SOURCE, ONE, TWO):
                for current in range(currents):
                    _connect(draw, rows, regime, (pre, group), current, here, sizes, longest)
        for group in here:
            sizes[group] += here[group]
    spikes = np.unique(np.concatenate(trains), axis=0)
    program = LoihiProgram("loihi2", 1.0, [Source("source", sizes[SOURCE], spikes[:, 0], spikes[:, 1])])
    for group, label in ((ONE, "one current"), (TWO, "two currents")):
        joined = {
            name: np.concatenate([p[name] for p in pieces[group]], axis=-1) for name in pieces[group][0]
        }
        program.groups.append(Compartments(label, sizes[group], **joined))
    for (pre, post, current, mode, exponent), members in rows.items():
        pre_index, post_index, mantissa, delay = np.concatenate(members, axis=1)
        everyone = np.arange(len(pre_index))
        label = f"{pre}→{post}.{current} {mode} {exponent}"
        program.synapses.append(
            Synapses(
                label,
                -1,
                everyone,
                pre,
                post,
                current,
                pre_index,
                post_index,
                mantissa,
                delay,
                exponent,
                mode,
            )
        )
    program.units = [None] * 3
    for group, variables in ((SOURCE, ()), (ONE, ("v", "isyn_exc")), (TWO, ("v", "isyn_exc", "isyn_inh"))):
        program.recorded += [
            (group, variable, np.arange(sizes[group])) for variable in ("spikes", *variables)
        ]
    return program


def _connect(draw, rows, regime: str, ends: tuple[int, int], current: int, here, sizes, longest: int) -> None:
    """Add synapses between two groups of one network: none, some pairs, or many of them, several between two neurons at times."""
    pre, post = ends
    if not here[pre] or not here[post] or draw.random() < 0.2:
        return
    dense = here[pre] * here[post] * draw.uniform(0.02, 0.3)
    count = int(draw.integers(1, max(int(dense), 1) + 4))
    mode = str(draw.choice(list(SIGN_MODES)))
    exponent = int(draw.integers(*EXPONENTS[regime]))
    delay = draw.integers(1, longest + 1, count) if draw.random() < 0.7 else draw.choice([1, longest], count)
    piece = np.stack(
        [
            draw.integers(0, here[pre], count) + sizes[pre],
            draw.integers(0, here[post], count) + sizes[post],
            mantissas(draw, mode, count),
            delay,
        ]
    )
    rows.setdefault((pre, post, current, mode, exponent), []).append(piece)
