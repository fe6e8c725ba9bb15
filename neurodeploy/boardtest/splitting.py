"""One population on one core, on several, and on several chips: the same spikes and voltages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    REFUSED,
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    no_losses,
    refusals,
)
from neurodeploy.models.network import Network

CELLS, SOURCES, STEPS = 200, 100, 120
SEED = 1
CORES_PER_CHIP = 17
"""The most that are left for models on a chip; more cores than these lie on several."""

PER_CORE = {"one core": None, "several cores": 40, "several chips": 6}
"""Trials, and how many neurons they put on a core; 6 of :data:`CELLS` make 34 cores."""

NAME = "cells"


def network() -> Network:
    """Sources that excite cells at random, and cells that inhibit each other, with delays of 1 to 12 ms."""
    draw = np.random.default_rng(SEED)
    trains = [np.flatnonzero(draw.random(STEPS) < 0.05) for _ in range(SOURCES)]
    result = Network(TIME_STEP, [source("sources", trains)])
    result.populations.append(
        cells(NAME, CELLS, cm=1.0, tau_m=20.0, v_thresh=-52.0, tau_refrac=2.0, tau_syn_E=5.0, tau_syn_I=5.0)
    )
    for pre, size, receptor, weight in (
        ("sources", SOURCES, "excitatory", 2.0),
        (NAME, CELLS, "inhibitory", -0.5),
    ):
        pairs = np.argwhere(draw.random((size, CELLS)) < 0.08)
        delays = draw.integers(1, 13, len(pairs))
        synapses(result, pre, NAME, np.column_stack([pairs, np.full(len(pairs), weight), delays]), receptor)
    record(result, NAME, "spikes", "v")
    return result


def trials() -> Iterator[Trial]:
    for name, per_core in PER_CORE.items():
        yield Trial(name, network(), (STEPS,), neurons_per_core=per_core)


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    series: dict[str, list[float | str]] = {"trial": [], "cores": [], "chips": [], "spikes": []}
    for result in measured:
        places = result.places.get(NAME, [])
        chips = {(x, y) for x, y, _ in places}
        series["trial"].append(result.trial.name)
        series["cores"].append(len(places))
        series["chips"].append(len(chips))
        series["spikes"].append(len(result.numbers.spikes[1][0]))
        wanted = {
            "one core": len(places) == 1,
            "several cores": len(places) > 1,
            "several chips": len(chips) > 1,
        }
        where = f"{len(places)} core{'s' * (len(places) != 1)} on {len(chips)} chip{'s' * (len(chips) != 1)}"
        if not wanted[result.trial.name]:
            checks.append(Check(result.trial.name, "", f"the tools have put it on {where}", REFUSED))
            continue
        if result.trial.name == "one core":
            checks += compare.against_model(result)
        elif isinstance(results[0], Measured):
            first = results[0].numbers
            for what, found in (
                ("spikes", compare.spikes(result.trial.network, result.numbers, first, [1])),
                ("samples", compare.samples(result.trial.network, result.numbers, first, [(1, "v")])),
            ):
                checks.append(found.check(f"{result.trial.name} ({where}): {what}", "as on one core"))
    if measured:
        checks.append(no_losses(measured))
    return Judgement(checks + refusals(results), series=series)
