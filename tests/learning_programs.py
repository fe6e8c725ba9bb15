"""Rules of Loihi's learning engine at random, and random Programs some of whose synapses learn by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lava_programs import random_program

from neurodeploy.backends.loihi.program import LoihiProgram
from neurodeploy.chips.loihi_learning import (
    DEPENDENCIES,
    POST_TRACES,
    PRE_TRACES,
    WIDTHS,
    LearningRule,
    Product,
)
from neurodeploy.chips.loihi_plasticity import map_pair_rule
from neurodeploy.models.network import Plasticity


def random_rule(rng: np.random.Generator) -> LearningRule:
    """Any sums of products that the engine has, with traces that last and traces that do not."""

    def some(low: int, high: int) -> tuple[Product, ...]:
        return tuple(
            Product(
                int(rng.choice([-7, -4, -3, -1, 1, 2, 5, 7])),
                int(rng.integers(-7, 9)),
                str(rng.choice(DEPENDENCIES)),
                tuple(str(name) for name in rng.choice(list(WIDTHS), size=rng.integers(1, 4))),
            )
            for _ in range(rng.integers(low, high))
        )

    traces = PRE_TRACES + POST_TRACES
    impulses = {name: int(rng.integers(0, 128)) for name in traces}
    taus = {name: float(rng.choice([0.0, 0.4, rng.uniform(0.1, 10.0), 30.0])) for name in traces}
    return LearningRule(some(1, 4), some(0, 3), impulses, taus, int(rng.integers(1, 10_000)))


def pair_rule(
    tau_plus: float, tau_minus: float, a_plus: float, a_minus: float, seed: int = 1
) -> LearningRule:
    """PyNN's additive pair rule on the chip, at steps of 1 ms."""
    one = np.ones(1)
    plasticity = Plasticity(tau_plus, tau_minus, a_plus, a_minus, "additive", 0.0, 2.0, 1.0)
    return map_pair_rule(plasticity, "p", "excitatory", one, one, 1.0, seed).rule


LASTING = (20.0, 15.0, 0.1, 0.12)
COINCIDENCE = (0.1, 0.1, float(np.exp(10.0)), 1.0)
MIXED = (5.0, 0.1, 0.2, 0.3)


def random_learning_program(networks: int, steps: int, seed: int) -> LoihiProgram:
    """Random networks side by side; half of their groups of synapses learn."""
    rng = np.random.default_rng(seed)
    program = random_program(networks, steps, seed)
    for number, synapses in enumerate(program.synapses):
        if rng.random() < 0.5:
            continue
        pairs = np.unique(np.stack([synapses.pre_index, synapses.post_index]), axis=1)
        count = pairs.shape[1]
        kinds = [LASTING, COINCIDENCE, MIXED]
        rule = random_rule(rng) if rng.random() < 0.5 else pair_rule(*kinds[rng.integers(3)], seed=number)
        program.synapses[number] = replace(
            synapses,
            members=np.arange(count),
            pre_index=pairs[0],
            post_index=pairs[1],
            mantissa=rng.integers(0, 256, count),
            delay=np.ones(count, dtype=np.int64),
            sign_mode="excitatory",
            learning=rule,
        )
    return program
