"""The compiled engine in Loihi's whole numbers: every u, v and spike equals the dense reference's, and Lava's.

Costs about 30 s and once a compilation: half of it is Lava's, most of the rest the slower engine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lava_programs import differences, execute, needs_lava, run_script
from random_programs import random_program
from stock_networks import joined, random_networks, write_for_lava

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2.loihi import LoihiEngine
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.backends.loihi.reference import simulate

NETWORKS, STEPS = 500, 100


def cells(size: int = 1, currents: int = 1, label: str = "cells", **registers: int) -> Compartments:
    """Like neurons that forget their current at once and their voltage never."""
    values = {"dv": 0, "vth": 1000, "bias_mant": 0, "bias_exp": 0, "refractory": 0, "v": 0} | registers
    du, u = values.pop("du", 4095), values.pop("u", 0)
    return Compartments(
        label,
        size,
        np.full((currents, size), du),
        u=np.full((currents, size), u),
        **{name: np.full(size, value) for name, value in values.items()},
    )


def source(*spikes: tuple[int, int], size: int = 1) -> Source:
    table = np.array(sorted(spikes), dtype=np.int64).reshape(-1, 2)
    return Source("source", size, table[:, 0], table[:, 1])


def synapses(
    pre: int, post: int, *rows: tuple[int, int, int, int], current: int = 0, exponent: int = 0
) -> Synapses:
    """From rows (pre, post, mantissa, delay)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    label, everyone = f"{pre}→{post}", np.arange(len(table))
    return Synapses(label, 0, everyone, pre, post, current, *table.T, exponent, "mixed")


def program(groups: list, connected: list) -> LoihiProgram:
    """Everything recorded."""
    made = LoihiProgram("loihi2", 1.0, groups, connected, [None] * len(groups))
    for position, group in enumerate(groups):
        currents = len(group.du) if isinstance(group, Compartments) else 0
        for variable in ("spikes", "v", "isyn_exc", "isyn_inh")[: 2 + currents if currents else 1]:
            made.recorded.append((position, variable, np.arange(group.size)))
    return made


@pytest.fixture
def opened(target):
    engines = []

    def open_(model: LoihiProgram) -> LoihiEngine:
        engines.append(LoihiEngine(model, Options("loihi2", target.engine)))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.end()


def differing(engine: LoihiEngine, steps: int) -> dict[str, int]:
    """How many recorded values of a run differ from the reference, by kind, those that do not left out."""
    trace, counts = simulate(engine.program, steps), dict.fromkeys(("spikes", "v", "isyn_exc", "isyn_inh"), 0)
    for number, (group, variable, neurons) in enumerate(engine.program.recorded):
        if variable == "spikes":
            found = np.zeros_like(trace.spikes[group])
            found[engine.spikes(group)] = True
            counts[variable] += np.count_nonzero(found != trace.spikes[group])
            continue
        u, v = trace.u[group], trace.v[group]
        expected = v if variable == "v" else u[:, 0 if variable == "isyn_exc" else u.shape[1] - 1]
        samples = engine.samples(number)
        assert samples.shape == (steps + 1, len(neurons))
        counts[variable] += np.count_nonzero(samples != expected[:, neurons])
    return {kind: count for kind, count in counts.items() if count}


def test_random_networks_equal_the_reference_in_every_bit(opened) -> None:
    engine = opened(random_program(seed=1, count=NETWORKS, steps=STEPS))
    for steps in (1, 62, STEPS - 63):
        engine.run(steps)
    assert differing(engine, STEPS) == {}
    one, two = (engine.samples(number) for number in (2, 5))  # v of both kinds of neuron
    assert len(engine.spikes(1)[0]) > 10_000 and len(engine.spikes(2)[0]) > 10_000
    assert (
        np.mean(np.abs(one) == (1 << 23) - 1) > 0.1 and np.mean(np.abs(two) == (1 << 23) - 1) > 0.1
    )  # limits reached
    wrapped = np.abs(np.diff(engine.samples(3), axis=0)) > 1 << 23
    assert np.count_nonzero(wrapped) > 500


def test_the_random_networks_have_everything_that_is_promised_of_them() -> None:
    model = random_program(seed=1, count=NETWORKS, steps=STEPS)
    delays = np.concatenate([s.delay for s in model.synapses])
    np.testing.assert_array_equal(np.unique(delays), np.arange(1, 64))  # 0 to 62 in Lava's count
    assert {s.sign_mode for s in model.synapses} == {"mixed", "excitatory", "inhibitory"}
    assert {s.pre == s.post for s in model.synapses} == {False, True}
    assert {s.exponent for s in model.synapses} == set(range(8))
    for group in model.groups[1:]:
        assert set(group.refractory) == set(range(9)) and set(group.bias_exp) == set(range(8))
        assert group.bias_mant.min() < 0 < group.bias_mant.max()
        assert {0, 4095} <= set(group.du.ravel()) and {0, 4095} <= set(group.dv)


@needs_lava
def test_the_same_networks_equal_the_reference_in_lava(tmp_path: Path) -> None:
    """So Lava equals the engine: in processes of our own, which have what the stock ones lack."""
    model = random_program(seed=1, count=NETWORKS, steps=STEPS)
    assert differences(model, execute(model, STEPS, tmp_path), simulate(model, STEPS), STEPS) == []


@needs_lava
def test_networks_of_lavas_own_models_equal_the_engine(tmp_path: Path) -> None:
    """LIF, Dense and DelayDense as they come with Lava: one set of registers a population, no refractory period."""
    steps = 70
    networks = random_networks(seed=5, count=NETWORKS, steps=steps)
    write_for_lava(networks, steps, tmp_path / "networks.json")
    run_script("stock_networks.py", str(tmp_path / "networks.json"), str(tmp_path / "lava.npz"))
    engine = LoihiEngine(joined(networks), Options("loihi2", "cpp"))
    engine.run(steps)
    spikes = np.zeros((steps, engine.program.groups[1].size), dtype=bool)
    spikes[engine.spikes(1)] = True
    with np.load(tmp_path / "lava.npz") as lava:
        for name, ours in (("spikes", spikes), ("v", engine.samples(1)), ("u", engine.samples(2))):
            np.testing.assert_array_equal(lava[name], ours, err_msg=name)
        assert np.count_nonzero(spikes) > 50_000
        assert np.mean(np.abs(lava["v"]) == (1 << 23) - 1) > 0.1
        assert np.count_nonzero(np.abs(np.diff(lava["u"], axis=0)) > 1 << 23) > 5_000  # wrapped
    engine.end()
    assert sum(any(s.pre == s.post for s in network.synapses) for network in networks) > NETWORKS / 2
    delays = np.concatenate([s.delay for network in networks for s in network.synapses])
    assert {1, 63} <= set(delays)


def test_a_spike_acts_after_its_delay(opened) -> None:
    delays = (1, 2, 31, 32, 62, 63)
    rows = [(0, target, 5, delay) for target, delay in enumerate(delays)]
    engine = opened(program([source((3, 0)), cells(len(delays))], [synapses(0, 1, *rows)]))
    engine.run(70)
    expected = np.zeros((71, len(delays)), dtype=np.int64)
    for target, delay in enumerate(delays):
        expected[3 + delay + 1, target] = 5 << 6
    np.testing.assert_array_equal(engine.samples(3), expected)


def test_exponents_reach_from_7_down_to_minus_6(opened) -> None:
    parts = [synapses(0, 1, (0, e, 3, 1), exponent=e - 6) for e in range(14)]
    engine = opened(program([source((0, 0)), cells(14)], parts))
    engine.run(2)
    assert engine.state(1, "u")[0].tolist() == [3 << e for e in range(14)]
    assert [engine.mantissa(e).tolist() for e in range(14)] == [[3]] * 14


def test_a_current_beyond_three_halves_of_its_range_is_moved_once(opened) -> None:
    """As in Lava; the chip's lowering keeps sums below."""
    rows = [(0, 0, 254, 1)] * 13
    engine = opened(program([source((0, 0)), cells(du=0)], [synapses(0, 1, *rows, exponent=7)]))
    engine.run(2)
    assert engine.state(1, "u")[0, 0] == 13 * (254 << 13) - (1 << 24) > 1 << 23


def test_two_synapses_between_two_neurons_add_up_and_a_doubled_source_spike_is_one(opened) -> None:
    twice = Source("source", 1, np.array([2, 2]), np.array([0, 0]))
    engine = opened(program([twice, cells()], [synapses(0, 1, (0, 0, 4, 1), (0, 0, 6, 1))]))
    engine.run(4)
    assert engine.state(1, "u").tolist() == [[10 << 6]]
    assert engine.spikes(0)[0].tolist() == [2]


def test_what_is_changed_between_runs_holds_from_then_on(opened) -> None:
    """State, registers, mantissas and spikes; a spike under way keeps its weight."""
    groups = [source((0, 0), (9, 0)), cells(2, dv=4095, label="one"), cells(2, 2, label="two")]
    engine = opened(
        program(groups, [synapses(0, 1, (0, 0, 8, 5), (0, 1, 2, 1)), synapses(0, 2, (0, 1, 6, 1), current=1)])
    )
    engine.run(3)
    engine.set_mantissa(0, np.array([-8, 4]))
    engine.set_values(1, v=np.array([700, 64001]))
    engine.set_values(2, bias_mant=np.array([3, 5]), bias_exp=np.array([1, 0]), u=np.array([[7, 0], [0, -9]]))
    assert engine.state(1, "v").tolist() == [700, 64001] and engine.state(2, "u").tolist() == [
        [7, 0],
        [0, -9],
    ]
    assert engine.mantissa(0).tolist() == [-8, 4]
    engine.run(3)
    assert engine.samples(2)[:, 0].tolist() == [0, 0, 0, 700, 0, 0, 8 << 6]
    assert engine.state(2, "v").tolist() == [3 * 6, 3 * 5 + (6 << 6)]
    engine.set_spikes(0, np.array([4, 7]), np.array([0, 0]))  # the first is past
    engine.run(7)
    assert np.flatnonzero(engine.samples(3)[:, 0]).tolist() == [6, 13]
    assert engine.samples(3)[[6, 13], 0].tolist() == [8 << 6, -8 << 6]
    assert engine.spikes(0)[0].tolist() == [0, 7]


def test_the_second_model_compiles_nothing() -> None:
    """Whatever it has: other sizes, weights, delays, kinds of neuron, no sources, no synapses."""
    draw, alone = random_program(2, count=6, steps=STEPS), program([cells(3, bias_mant=900)], [])
    for model in (alone, draw, random_program(3, count=9, steps=STEPS)):
        engine = LoihiEngine(model, Options("loihi2", "cpp"))
        engine.run(STEPS)
        assert differing(engine, STEPS) == {} and len(engine.spikes(len(model.groups) - 1)[0]) > 2
        engine.end()
        if model is not alone:
            assert engine.report.facts["compiled"] is False
    assert engine.report.executed_by == "chip arithmetic"
