"""Learning in Lava: its own engine is what `chips/loihi_learning.py` says, and whole learning Programs equal the reference.

Costs about 10 s, most of it Lava's.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from lava_programs import (
    compartments,
    differences,
    execute,
    needs_lava,
    record_everything,
    run_script,
    source,
    synapses,
)
from learning_programs import COINCIDENCE, LASTING, MIXED, pair_rule, random_learning_program, random_rule

from neurodeploy.backends.loihi.program import LoihiProgram
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.backends.loihi.stock import beyond_stock
from neurodeploy.chips.loihi_learning import LearningState, advance, random_numbers


@needs_lava
def test_lavas_engine_is_the_one_that_is_written_down(tmp_path: Path) -> None:
    """Weights, tags, all traces and what is sent, in every step, random rounding included."""
    rng, steps = np.random.default_rng(7), 40
    rules = [random_rule(rng) for _ in range(200)]
    rules += [pair_rule(*LASTING, 5), pair_rule(*COINCIDENCE, 9)]
    cases = []
    for rule in rules:
        pres, posts = (int(n) for n in rng.integers(1, 6, 2))
        cases.append(
            {
                "rule": asdict(rule),
                "exponent": int(rng.integers(0, 8)),
                "weights": rng.integers(0, 256, (posts, pres)).tolist(),
                "pre": (rng.random((steps, pres)) < 0.3).tolist(),
                "post": (rng.random((steps, posts)) < 0.3).tolist(),
            }
        )
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    moved = 0
    for rule, case, lava in zip(
        rules, cases, run_script("learning_rules.py", str(tmp_path / "cases.json")), strict=True
    ):
        weights, pre, post = (np.array(case[name]) for name in ("weights", "pre", "post"))
        posts, pres = weights.shape
        pre_index, post_index = np.tile(np.arange(pres), posts), np.repeat(np.arange(posts), pres)
        state = LearningState.of(pre_index, post_index, weights.ravel(), pres, posts)
        sent = np.zeros(posts, dtype=np.int64)
        for step, numbers in enumerate(random_numbers(rule, 0, steps)):
            np.testing.assert_array_equal(lava["sent"][step], sent << case["exponent"])
            sent = state.weight.reshape(posts, pres) @ pre[step]
            advance(rule, state, pre[step], post[step], numbers)
            np.testing.assert_array_equal(np.ravel(lava["weights"][step]), state.weight, err_msg=rule.dw)
            np.testing.assert_array_equal(np.ravel(lava["tag_1"][step]), state.tag, err_msg=str(rule.dt))
            for name, trace in state.traces.items():
                np.testing.assert_array_equal(lava[name][step], trace)
            moved += np.count_nonzero(np.diff(lava["weights"][step - 1 : step + 1], axis=0)) if step else 0
    assert moved > 2000


def learning_program(steps: int, everywhere: bool, **fixed) -> LoihiProgram:
    """Sources that teach neurons through synapses that learn by rules of every kind, beside static ones.

    `everywhere` connects all pairs; else some, from groups that begin in the middle of a process.
    """
    rng = np.random.default_rng(3)
    program = LoihiProgram("loihi2", 1.0, [source("other", 3, steps, rng), source("source", 5, steps, rng)])
    program.groups += [
        compartments("first", 4, rng, 1, **_quiet(4), **fixed),
        compartments("second", 6, rng, 1, **_quiet(6), **fixed),
    ]
    rules = [
        pair_rule(*LASTING, 5),
        pair_rule(*COINCIDENCE, 9),
        pair_rule(*MIXED, 2),
    ]
    for pre, post, rule in ((1, 2, rules[0]), (1, 3, rules[1]), (2, 3, rules[2]), (3, 2, None), (0, 2, None)):
        sizes = program.groups[pre].size, program.groups[post].size
        pairs = np.argwhere(rng.random(sizes) < (2.0 if everywhere else 0.6))
        program.synapses.append(
            synapses(
                f"{pre}→{post}",
                program,
                pre,
                post,
                rng,
                members=np.arange(len(pairs)),
                pre_index=pairs[:, 0],
                post_index=pairs[:, 1],
                mantissa=rng.integers(0, 256, len(pairs)),
                sign_mode="excitatory",
                delay=np.ones(len(pairs), dtype=int),
                exponent=2,
                learning=rule,
            )
        )
    program.units = [None] * len(program.groups)
    record_everything(program)
    return program


def _quiet(size: int) -> dict[str, np.ndarray]:
    """Neurons that fire from their input alone, now and then."""
    whole = np.ones(size, dtype=np.int64)
    return {
        "du": 3000 * whole[np.newaxis],
        "dv": 500 * whole,
        "vth": 1200 * whole,
        "bias_mant": 0 * whole,
        "u": 0 * whole[np.newaxis],
        "v": 0 * whole,
    }


def check_learned(program: LoihiProgram, recording: dict[str, np.ndarray], steps: int) -> None:
    trace = simulate(program, steps)
    assert differences(program, recording, trace, steps) == []
    for number, (synapses_, weights) in enumerate(zip(program.synapses, trace.weights, strict=True)):
        np.testing.assert_array_equal(recording[f"mantissa{number}"], weights)
        if synapses_.learning is not None:
            assert np.count_nonzero(weights != synapses_.mantissa) > 3
    assert all(trace.spikes[group].sum() > 20 for group in (2, 3))


@needs_lava
def test_learning_programs_equal_the_reference(tmp_path: Path) -> None:
    """Spikes, voltages, currents and learned weights; some pairs have no synapse, and neurons are refractory."""
    program = learning_program(200, everywhere=False)
    check_learned(program, execute(program, 200, tmp_path), 200)


@needs_lava
def test_random_learning_networks_equal_the_reference(tmp_path: Path) -> None:
    program = random_learning_program(4, 100, seed=6)
    recording, trace = execute(program, 100, tmp_path), simulate(program, 100)
    assert sum(synapses_.learning is not None for synapses_ in program.synapses) > 8
    assert differences(program, recording, trace, 100) == []
    for number, weights in enumerate(trace.weights):
        np.testing.assert_array_equal(recording[f"mantissa{number}"], weights)


@needs_lava
def test_stock_processes_learn_the_same(tmp_path: Path) -> None:
    """Lava's LIF and LearningDense, which are what a chip has."""
    never = {"refractory": np.zeros(1, dtype=int)}
    program = learning_program(150, everywhere=True, **never)
    for group in program.groups[2:]:
        group.refractory = np.zeros(group.size, dtype=int)
    assert beyond_stock(program) == []
    check_learned(program, execute(program, 150, tmp_path, "--processes", "stock"), 150)


def test_a_learning_projection_with_pairs_left_out_is_beyond_stock() -> None:
    program = learning_program(10, everywhere=False)
    assert [s for s in beyond_stock(program) if "'1→2' learns, and not between all pairs" in s]
