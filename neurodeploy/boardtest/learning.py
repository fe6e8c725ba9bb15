r"""The pair rule of STDP: what one pair of spikes does to a weight, for every distance between them.

By the equation, with :math:`\Delta t = t_{post} + d - t_{pre}` (all of the delay d lies behind the synapse),

.. math::
    \Delta w = A_+ f_+ e^{-\Delta t/\tau_+} \; (\Delta t > 0), \qquad
    \Delta w = -A_- f_- e^{\Delta t/\tau_-} \; (\Delta t \le 0)

where f is 1 for the additive rule, and the room to the bound for the multiplicative one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import ONE_SPIKE, TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    check,
    no_losses,
    refusals,
)
from neurodeploy.chips.spinnaker_stdp import TRACE_ONE
from neurodeploy.models.network import Network, Plasticity

DISTANCES = np.arange(-40, 41)
"""Steps from the presynaptic spike to the postsynaptic one, as it reaches the synapse; one synapse each."""

DELAY = 1
PAIR = 60
"""Step of the presynaptic spike of the pair."""

CLOSING = 200
"""Steps later the source spikes once more, so that the chip looks at the weight; longer than its traces last."""

START = 1.0
"""nA; too little to fire a cell."""

UNIT = 2.0**-11
"""nA; the step of weights here: the teacher's weight and ``w_max`` together are below 2^4 nA."""

RULES = {
    name: Plasticity(
        tau_plus=16.0,
        tau_minus=20.0,
        A_plus=0.5,
        A_minus=0.4,
        weight_dependence=name,
        w_min=0.0,
        w_max=2.5,
        dendritic_delay_fraction=1.0,
    )
    for name in ("additive", "multiplicative")
}


def trials() -> Iterator[Trial]:
    result = Network(TIME_STEP)
    size = len(DISTANCES)
    teacher_spikes = [[PAIR + distance - 2 * DELAY] for distance in DISTANCES]
    for name, rule in RULES.items():
        pre, teacher, post = f"{name}, source", f"{name}, teacher", f"{name}, cells"
        result.populations += [
            source(pre, [[PAIR, PAIR + CLOSING]] * size),
            source(teacher, teacher_spikes),
            cells(post, size),
        ]
        synapses(result, teacher, post, [(i, i, ONE_SPIKE, DELAY) for i in range(size)])
        synapses(result, pre, post, [(i, i, START, DELAY) for i in range(size)], rule=rule)
        record(result, post, "spikes")
    yield Trial("pairs of spikes", result, (PAIR + CLOSING + 10,), weights=True)


def equation(rule: Plasticity, distance: np.ndarray) -> np.ndarray:
    """The weight after one pair, nA."""
    additive = rule.weight_dependence == "additive"
    up = rule.A_plus * (1.0 if additive else rule.w_max - START)
    down = rule.A_minus * (1.0 if additive else START - rule.w_min)
    gap = np.abs(distance)
    change = np.where(distance > 0, up * np.exp(-gap / rule.tau_plus), -down * np.exp(-gap / rule.tau_minus))
    return np.clip(START + change, rule.w_min, rule.w_max)


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    curves = {}
    for result in measured:
        network, said = result.trial.network, compare.model(result)
        for position, projection in enumerate(network.projections):
            rule = projection.plasticity
            if rule is None:
                continue
            name, found = rule.weight_dependence, result.numbers.weights[position]
            exact, mine = (
                equation(rule, DISTANCES),
                compare.spikes(network, result.numbers, said, [projection.post]),
            )
            checks.append(mine.check(f"{name}: postsynaptic spikes", compare.MODEL))
            checks.append(
                compare.weights(network, found, said.weights[position], position).check(
                    f"{name}: weights after a pair", compare.MODEL
                )
            )
            off, most = float(np.abs(found - exact).max()), tolerance(rule)
            checks.append(
                check(
                    f"{name}: the curve",
                    f"within {most:.2g} nA of the equation: traces have 11 bits behind the point",
                    f"{off:.2g} nA off at most",
                    off <= most,
                )
            )
            curves[name] = {"found": found.tolist(), "equation": exact.tolist()}
    if measured:
        checks.append(no_losses(measured))
    return Judgement(
        checks + refusals(results),
        series={"distance": DISTANCES.tolist(), "curves": curves, "start": START},
    )


def tolerance(rule: Plasticity) -> float:
    """How far truncation may take a weight from the equation, nA: one unit of a trace, and two of a weight."""
    room = 1.0 if rule.weight_dependence == "additive" else rule.w_max - rule.w_min
    return max(rule.A_plus, rule.A_minus) * room / TRACE_ONE + 2 * UNIT
