"""Our Lava processes against Lava's own models, and whole Programs in Lava against the dense reference: bit for bit.

Costs about 25 s, most of it Lava's start; the environment is installed once a cache folder (15 s).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lava_programs import (
    compartments,
    differences,
    execute,
    needs_lava,
    random_program,
    record_everything,
    run_script,
    source,
    synapses,
)

from neurodeploy.backends.loihi.program import LoihiProgram, read
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.backends.loihi.stock import beyond_stock


@needs_lava
def test_the_models_equal_lavas_own_wherever_those_can_say_the_same() -> None:
    found = run_script("side_by_side.py")
    assert {name: counts["wrong"] for name, counts in found.items()} == dict.fromkeys(found, 0)
    assert found["lif"]["spikes"] > 50_000 and found["lif"]["wrapped"] > 10_000
    assert found["refractory"]["spikes"] > 5_000
    assert min(found[name]["active"] for name in ("dense", "delay_dense", "sparse")) > 1_000


@needs_lava
def test_what_lava_does_in_the_cases_of_the_documentation() -> None:
    """docs/loihi.md, "Where Lava and this differ"."""
    half = 1 << 23
    assert run_script("particular.py") == {
        "mixed weights": [254, 2, -2],
        "threshold reached": 0,
        "threshold passed": 1,
        "current at the top": half,
        "current beyond the top": 64 - half,  # Lava's comment has 64
        "current at the bottom": half,
        "input of 2**25": (1 << 24) - (1 << 31),  # ours: 2**31 - 2**24
        "sum of ones, shifted": [[1], [-2]],  # one by one: 0 and -3
        "delays": [True, False, True, False],
        "bias beyond its bits": 5000,
        "bias with a negative exponent": -3,
    }


@needs_lava
def test_200_random_networks_equal_the_reference(tmp_path: Path) -> None:
    steps = 150
    program = random_program(networks=200, steps=steps, seed=4)
    trace = simulate(program, steps)
    spiking = sum(bool(spikes.any()) for spikes in trace.spikes)
    assert spiking > len(program.groups) / 2
    assert differences(program, execute(program, steps, tmp_path), trace, steps) == []


def uniform(label: str, size: int, rng: np.random.Generator, **fixed):
    """A population that a stock LIF can be."""
    values = {
        "du": np.full((1, size), rng.integers(0, 4096)),
        "dv": np.full(size, rng.integers(0, 400)),
        "vth": np.full(size, rng.integers(10, 500)),
        "refractory": np.zeros(size, dtype=int),
        "u": np.zeros((1, size), dtype=int),
        "bias_mant": rng.integers(0, 2000, size),
        "bias_exp": np.zeros(size, dtype=int),
    }
    return compartments(label, size, rng, **(values | fixed))


def one_each(program: LoihiProgram, pre: int, post: int, rng: np.random.Generator, delay: int):
    """At most one synapse between two neurons."""
    sizes = program.groups[pre].size, program.groups[post].size
    pairs = np.argwhere(rng.random(sizes) < 0.4)
    count = len(pairs)
    return synapses(
        f"{pre}→{post}",
        program,
        pre,
        post,
        rng,
        members=np.arange(count),
        pre_index=pairs[:, 0],
        post_index=pairs[:, 1],
        mantissa=rng.integers(-40, 41, count) * 2,
        sign_mode="mixed",
        delay=rng.integers(1, delay + 1, count),
        exponent=int(rng.integers(0, 4)),
    )


@needs_lava
def test_stock_processes_give_what_ours_give_wherever_they_can_run_the_program(tmp_path: Path) -> None:
    rng, steps = np.random.default_rng(8), 40
    program = LoihiProgram("loihi2", 1.0, [source("source", 4, steps, rng)])
    program.groups += [uniform(f"neurons {k}", int(rng.integers(2, 7)), rng) for k in range(2)]
    program.units = [None] * 3
    for pre, post, delay in ((0, 1, 1), (1, 2, 9), (2, 1, 1)):
        program.synapses.append(one_each(program, pre, post, rng, delay))
    record_everything(program)
    assert beyond_stock(program) == []
    ours = execute(program, steps, tmp_path / "ours")
    stock = execute(program, steps, tmp_path / "stock", "--processes", "stock")
    assert ours.keys() == stock.keys()
    assert [name for name in ours if not np.array_equal(ours[name], stock[name])] == []
    trace = simulate(program, steps)
    assert differences(program, stock, trace, steps) == []
    assert sum(int(spikes.sum()) for spikes in trace.spikes[1:]) > 20


def test_what_stock_processes_can_not_say_is_told_by_label() -> None:
    rng = np.random.default_rng(0)
    program = LoihiProgram("loihi2", 1.0, [uniform("plain", 3, rng)])
    program.synapses.append(one_each(program, 0, 0, rng, 5))
    assert beyond_stock(program) == []
    program.groups += [
        uniform("resting", 2, rng, refractory=np.array([0, 2])),
        uniform("varied", 2, rng, vth=np.array([5, 6]), dv=np.array([1, 2]), du=np.array([[7, 8]])),
        compartments("double", 2, rng, 2, refractory=np.zeros(2, dtype=int)),
    ]
    twice = synapses("twice", program, 0, 0, rng, pre_index=np.array([1, 1]), post_index=np.array([2, 2]))
    program.synapses.append(twice)
    found = " | ".join(beyond_stock(program))
    for words in (
        "'resting' is refractory",
        "values of vth",
        "values of dv",
        "values of du",
        "'twice' has several",
    ):
        assert words in found
    assert "'double' has two synaptic currents" in found
    assert "'plain'" not in found


def test_a_program_written_and_read_is_the_same(tmp_path: Path) -> None:
    program = random_program(networks=3, steps=20, seed=1)
    program.changes = ["one", "two"]
    program.write(tmp_path)
    again = read(tmp_path)
    assert (again.chip, again.time_step, again.changes) == ("loihi2", 1.0, ["one", "two"])
    for mine, other in zip(
        [*program.groups, *program.synapses], [*again.groups, *again.synapses], strict=True
    ):
        assert type(mine) is type(other)
        for name, value in vars(mine).items():
            assert np.array_equal(value, getattr(other, name)), name
    for (group, variable, neurons), other in zip(program.recorded, again.recorded, strict=True):
        assert (group, variable) == other[:2] and np.array_equal(neurons, other[2])


def test_a_program_of_another_format_is_refused(tmp_path: Path) -> None:
    random_program(networks=1, steps=5, seed=1).write(tmp_path)
    plan = tmp_path / "program.json"
    plan.write_text(plan.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(ValueError, match="format 99"):
        read(tmp_path)
