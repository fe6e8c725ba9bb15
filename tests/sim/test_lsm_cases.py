"""Acceptance cases 2 to 5 of the liquid on the engine, step by step: hits are given, so that every spike has its time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.errors import RequestError
from neurodeploy.lsm.model import (
    CELL,
    EXCITATORY,
    INHIBITORY,
    INPUT,
    RATE,
    TRACE_MULTIPLIER,
    Design,
    build,
    plasticity,
)
from neurodeploy.models.modulation import Modulator
from neurodeploy.models.network import Network, Population, Projection

KICK = 100.0


def population(label: str, size: int) -> Population:
    return Population(
        label, "IF_curr_exp", size, {name: np.full(size, value) for name, value in CELL.items()}
    )


def projection(pre: int, post: int, pairs: list[tuple[int, int, float]], *learning) -> Projection:
    i, j, weight = zip(*pairs, strict=True)
    rule, modulation, gate = learning or (None, None, None)
    return Projection(
        f"{pre} to {post}",
        pre,
        post,
        "inhibitory" if pre == INHIBITORY else "excitatory",
        np.array(i, np.int32),
        np.array(j, np.int32),
        np.array(weight, float),
        np.ones(len(i)),
        plasticity=rule,
        modulation=modulation,
        gate=gate,
    )


def opened(network: Network, plastic: bool) -> Iterator[Trials]:
    trials = Trials(network, plastic)
    try:
        yield trials
    finally:
        trials.end()


# ------------------------------------------------------------------------------------- one neuron: cases 2 and 3

WEIGHTS = (5.0, 20.0, np.nextafter(20.0, 0), 40.0)


@pytest.fixture(scope="module")
def single() -> Iterator[Trials]:
    """One input onto four neurons, by weights of 5, 20, just below 20, and 40."""
    pairs = [(0, k, w) for k, w in enumerate(WEIGHTS)]
    network = Network(1.0, [population("input", 1), population("liquid", 4)], [projection(0, 1, pairs)])
    yield from opened(network, plastic=False)


def voltages(trials: Trials, hits: list[int], steps: int) -> np.ndarray:
    """Of all cells at the end of a trial of `steps`, whose input is hit at these steps."""
    events = np.array([(0, step, 0) for step in hits if step < steps], np.int32).reshape(-1, 3)
    trials.replay(events, 1, Protocol(steps, KICK))
    return trials.program.save("cells.v")


def raster(trials: Trials, hits: list[int], steps: int) -> list[list[int]]:
    """Steps at which each cell spikes."""
    events = np.array([(0, step, 0) for step in hits], np.int32)
    found = trials.replay(events, 1, Protocol(steps, KICK), raster=True).raster
    return [found[found[:, 2] == cell, 1].tolist() for cell in range(5)]


def test_2_a_spike_lifts_by_w_then_less_while_v_leaks(single: Trials) -> None:
    """Hit at 0, spike at 1: V rises by W, 0.368 W, 0.135 W ... from step 1 on, and leaks a 64th."""
    v = 0.0
    for step in range(1, 12):
        v += 5.0 * np.exp(-(step - 1)) - v / 64
        assert voltages(single, [0], step + 1)[1] == pytest.approx(v, abs=1e-9)


def test_2_twenty_exactly_fires_and_a_step_later(single: Trials) -> None:
    """The input spikes at 1; what 20 lifts to threshold spikes at 2; what is just below, when the kernel's rest has come."""
    spikes = raster(single, [0], 5)
    assert spikes == [[1], [], [2], [3], [2]]


def test_2_intervals_are_3_steps_at_least(single: Trials) -> None:
    spikes = raster(single, list(range(20)), 20)
    assert spikes[0] == list(range(1, 20, 3))
    assert np.diff(spikes[4]).min() == 3


def test_2_v_integrates_while_refractory(single: Trials) -> None:
    """After its spike at 2 the neuron is blocked for two steps, and rises by what is left of the kernel."""
    v = 0.0
    for step in (2, 3, 4):
        v += 40.0 * np.exp(-(step - 1)) - v / 64
        assert voltages(single, [0], step + 1)[4] == pytest.approx(v, abs=1e-9)
    assert v > 20.0  # above threshold, and no spike at 3 or 4
    assert raster(single, [0], 5)[4] == [2]


def test_3_the_kernel_follows_the_last_spike(single: Trials) -> None:
    """Spikes at 1 and 4: the closed form of the last spike to 1e-5, and e^-3 of a kernel below accumulation."""
    v, accumulated = 0.0, 0.0
    for step in range(1, 9):
        last = step - 1 if step < 4 else step - 4
        v += 5.0 * np.exp(-last) - v / 64
        both = np.exp(-(step - 1)) + (np.exp(-(step - 4)) if step >= 4 else 0.0)
        accumulated += 5.0 * both - accumulated / 64
        assert voltages(single, [0, 3], step + 1)[1] == pytest.approx(v, abs=1e-5)
        if step == 4:
            assert accumulated - v == pytest.approx(5.0 * np.exp(-3), rel=1e-6)


# ------------------------------------------------------------------------------------------- pairs: case 4

A = 0.4
"""The astrocyte, held there."""

START = {INPUT: 1.0, EXCITATORY: 1.0, INHIBITORY: -1.0}


def pair(start: dict[int, float]) -> Network:
    """Inputs 0 to 3 drive an excitatory and an inhibitory source and their target; input 0 is a source, too."""
    design = Design(8, 4)
    force = 22.0
    network = Network(
        1.0,
        [population("input", 4), population("excitatory", 2), population("inhibitory", 1)],
        [
            projection(INPUT, EXCITATORY, [(1, 0, force), (3, 1, force)]),
            projection(INPUT, INHIBITORY, [(2, 0, force)]),
            projection(INPUT, EXCITATORY, [(0, 1, start[INPUT])], *plasticity(design, INPUT)),
            projection(EXCITATORY, EXCITATORY, [(0, 1, start[EXCITATORY])], *plasticity(design, EXCITATORY)),
            projection(INHIBITORY, EXCITATORY, [(0, 1, start[INHIBITORY])], *plasticity(design, INHIBITORY)),
        ],
        modulators=[Modulator("astrocyte", 100.0, A, A)],
    )
    return network


LEARNED = {INPUT: 2, EXCITATORY: 3, INHIBITORY: 4}
"""Source -> position of its projection onto the target."""


@pytest.fixture(scope="module")
def pairs() -> Iterator[Trials]:
    yield from opened(pair(START), plastic=True)


def change(trials: Trials, source: int, lag: int) -> float:
    """What one pair does: the target spikes `lag` steps after the source (before it, where negative)."""
    early = 1 if source == INPUT else 0  # an input spikes a step before what it drives
    at = {source: 40 + early, 3: 40 + lag}
    events = sorted((0, step, cell) for cell, step in at.items())
    trials.replay(np.array(events, np.int32), 1, Protocol(90, KICK, restore=True))
    return float(trials.weights(LEARNED[source])[0]) - START[source]


@pytest.mark.parametrize("source", [INPUT, EXCITATORY, INHIBITORY])
def test_4_the_table_of_pairs(pairs: Trials, source: int) -> None:
    """+L or -A for the source first, -A or +L for the target first, times 0.1 m^lag; nothing in the same step."""
    first, second = (RATE, -A) if source != INHIBITORY else (-A, RATE)
    for lag in range(1, 31):
        assert change(pairs, source, lag) == pytest.approx(first * 0.1 * TRACE_MULTIPLIER**lag, rel=1e-6)
        assert change(pairs, source, -lag) == pytest.approx(second * 0.1 * TRACE_MULTIPLIER**lag, rel=1e-6)
    assert change(pairs, source, 0) == 0.0


def test_4_bounds_hold_and_an_input_crosses_zero() -> None:
    """Lowered from 0.001 an input weight goes below 0, an excitatory one to 0; raised from -0.001 an inhibitory one to 0."""
    start = {INPUT: 0.001, EXCITATORY: 0.001, INHIBITORY: -0.001}
    (trials,) = [Trials(pair(start), plastic=True)]
    try:
        for source, end in (
            (INPUT, 0.001 - A * 0.1 * TRACE_MULTIPLIER),
            (EXCITATORY, 0.0),
            (INHIBITORY, 0.0),
        ):
            early = 1 if source == INPUT else 0
            events = sorted([(0, 40 + early, source), (0, 39, 3)], key=lambda event: event[1])
            trials.replay(np.array(events, np.int32), 1, Protocol(60, KICK, restore=True))
            assert trials.weights(LEARNED[source])[0] == pytest.approx(end, abs=1e-9)
    finally:
        trials.end()


# ----------------------------------------------------------------------------------- the astrocyte: case 5


def test_5_the_astrocyte_of_the_engine_is_that_of_the_equation() -> None:
    """Its value after a trial, from the trial's own spikes; with nothing to see it stays at L."""
    from neurodeploy.lsm.measures import astrocyte_trace, raster_of

    design = Design(64, 30, astrocyte_weight=0.05, astrocyte_density=0.7, seed=2)
    trials = Trials(build(design), plastic=True)
    try:
        p = np.full((1, 30), 0.3, np.float32)
        for fade in (1.0, 0.99):
            found = trials.run(p, np.array([3]), Protocol(100, KICK, 1, fade, True), raster=True)
            seen = [raster_of(found.raster, 0, 100, *ends) for ends in ((0, 30), (30, 94))]
            trace = astrocyte_trace(design, *seen, fade=fade)
            assert found.modulators[0, 0] == pytest.approx(trace[-1], abs=1e-12)
            assert abs(trace[-1] - RATE * fade**100) > 0.01
        silence = trials.run(np.zeros((1, 30), np.float32), np.array([0]), Protocol(100, KICK))
        assert silence.modulators[0, 0] == pytest.approx(RATE)
    finally:
        trials.end()


# ------------------------------------------------------------------------------------ what replay refuses


@pytest.mark.parametrize(
    "events", [[(0, 5, 0), (0, 4, 0)], [(1, 0, 0)], [(0, 10, 0)], [(0, 0, 1)], [(0, -1, 0)]]
)
def test_events_that_are_not_in_order_or_outside_are_refused(single: Trials, events: list) -> None:
    with pytest.raises(RequestError, match="in order of time"):
        single.replay(np.array(events, np.int32), 1, Protocol(10, KICK))


def test_the_refused_leaves_the_program_as_it_was(single: Trials) -> None:
    assert raster(single, [0], 6)[0] == [1]
