"""The five cells, each driven by spikes on both receptors and by a current, against the whole-number model of a core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    no_losses,
    refusals,
)
from neurodeploy.models.network import Network

SIZE, SOURCES, STEPS = 16, 8, 100
SEED = 2

MEMBRANE: dict[str, Any] = {
    "v_rest": -65.0,
    "v_reset": -68.0,
    "v_thresh": -52.0,
    "tau_m": (6.0, 30.0),
    "cm": (0.5, 1.5),
    "tau_refrac": (0.0, 5.0),
    "i_offset": (-0.2, 0.5),
}
SYNAPSES: dict[str, Any] = {"tau_syn_E": (1.5, 8.0), "tau_syn_I": (1.5, 8.0)}
CURRENTS = ("v", "isyn_exc", "isyn_inh")

CELLS: dict[str, tuple[dict[str, Any], tuple[float, float], tuple[str, ...]]] = {
    "IF_curr_exp": ({**MEMBRANE, **SYNAPSES}, (4.0, -2.0), CURRENTS),
    "IF_curr_alpha": ({**MEMBRANE, **SYNAPSES}, (8.0, -3.0), CURRENTS),
    "IF_curr_delta": (MEMBRANE, (9.0, -4.0), ("v",)),
    "IF_cond_exp": (
        {**MEMBRANE, **SYNAPSES, "e_rev_E": 0.0, "e_rev_I": -80.0},
        (0.15, 0.1),
        ("v", "gsyn_exc", "gsyn_inh"),
    ),
    "Izhikevich": (
        {"a": (0.02, 0.1), "b": 0.2, "c": (-65.0, -55.0), "d": (2.0, 8.0), "i_offset": (0.0, 6.0)},
        (8.0, -5.0),
        ("v",),
    ),
}
"""Parameters (a pair is spread over the cells), weights of the two receptors in nA, mV or µS, and what is recorded."""


def trials() -> Iterator[Trial]:
    draw = np.random.default_rng(SEED)
    result = Network(TIME_STEP)
    for name, (parameters, weights, variables) in CELLS.items():
        trains = [np.flatnonzero(draw.random(STEPS) < 0.08) for _ in range(SOURCES)]
        values = {
            key: np.linspace(value[0], value[1], SIZE) if isinstance(value, tuple) else value
            for key, value in parameters.items()
        }
        result.populations += [source(f"onto {name}", trains), cells(name, SIZE, name, **values)]
        for receptor, weight in zip(("excitatory", "inhibitory"), weights, strict=True):
            pairs = np.argwhere(draw.random((SOURCES, SIZE)) < 0.4)
            strength = weight * draw.uniform(0.3, 1.0, len(pairs))
            delays = draw.integers(1, 14, len(pairs))
            synapses(result, f"onto {name}", name, np.column_stack([pairs, strength, delays]), receptor)
        record(result, name, "spikes", *variables)
    yield Trial("five cells", result, (STEPS,))


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    series: dict[str, list[object]] = {"cell": [], "spikes": [], "differing": []}
    for result in measured:
        network, said = result.trial.network, compare.model(result)
        for position, population in enumerate(network.populations):
            if population.is_source:
                continue
            variables = [entry for entry in compare.recorded(network) if entry[0] == position]
            spikes = compare.spikes(network, result.numbers, said, [position])
            samples = compare.samples(network, result.numbers, said, variables)
            checks.append(spikes.check(f"{population.cell}: spikes", compare.MODEL))
            checks.append(samples.check(f"{population.cell}: samples", compare.MODEL))
            series["cell"].append(population.cell)
            series["spikes"].append(len(result.numbers.spikes[position][0]))
            series["differing"].append(spikes.differing + samples.differing)
    if measured:
        checks.append(no_losses(measured))
    return Judgement(checks + refusals(results), series=dict(series))
