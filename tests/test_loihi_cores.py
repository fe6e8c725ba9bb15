"""Who lives on which core: every neuron once, nothing above a core's budget, and clear words where it does not fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loihi_models import cells, connect, everyone, network, source
from random_networks import random_networks

from neurodeploy.backends.loihi.cores import LIMITS, placeable, use_of
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import Compartments
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.chips.loihi import LOIHI1, LOIHI2
from neurodeploy.errors import UnsupportedError


def check(program, chip) -> None:
    """Every neuron once; and the budgets, counted here by a plain loop over synapses."""
    homes: dict[tuple[int, int], int] = {}
    for position, core in enumerate(program.cores):
        for run in core.runs:
            for neuron in range(run.start, run.stop):
                assert (run.group, neuron) not in homes
                homes[run.group, neuron] = position
    expected = {
        (number, neuron)
        for number, group in enumerate(program.groups)
        if isinstance(group, Compartments)
        for neuron in range(group.size)
    }
    assert set(homes) == expected
    lists: dict[int, dict[tuple[int, int], int]] = {}
    sent: dict[int, set] = {}
    for number, synapses in enumerate(program.synapses):
        for pre, post in zip(synapses.pre_index, synapses.post_index, strict=True):
            home = homes[synapses.post, int(post)]
            mine = lists.setdefault(home, {})
            mine[number, int(pre)] = mine.get((number, int(pre)), 0) + 1
            if (synapses.pre, int(pre)) in homes:
                sent.setdefault(homes[synapses.pre, int(pre)], set()).add((number, int(pre), home))
    for position, core in enumerate(program.cores):
        mine = lists.get(position, {})
        if not core.shares_axons:
            assert core.use.input_axons == len(mine)
        assert core.use.output_axons == len(sent.get(position, ()))
        assert core.use.memory_bits >= sum(mine.values()) * (chip.weight_bits + 10)
        for name, limit in LIMITS.items():
            assert getattr(core.use, name) <= getattr(chip, limit)


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2])
def test_random_networks_are_placed_within_the_budgets(chip):
    program = lower(random_networks(3, 15, ("IF_curr_exp", "IF_curr_delta"), steps=20, longest=80), chip.name)
    check(program, chip)


def test_a_matrix_that_only_fits_on_two_cores_is_cut_and_computes_the_same():
    """62,500 synapses of 18 bits are more than Loihi 1's 128 KB, of 21 bits less than Loihi 2's 192 KB."""
    n = 250
    weight = np.random.default_rng(1).uniform(0.01, 0.05, n * n)
    model = network(
        [source(*[[float(i % 7)] for i in range(n)]), cells(n, label="wide")],
        [connect(0, 1, weight, pairs=everyone(n, n), label="dense")],
    )
    one, two = lower(model, "loihi2"), lower(model, "loihi1")
    assert (len(one.cores), len(two.cores)) == (1, 2)
    # a list of 219: three of 64 synapses in 19 words each and one of 27 in 8; 250 x 65 words fit 16,384, 250 x 66 do not
    assert [(run.start, run.stop) for core in two.cores for run in core.runs] == [(0, 219), (219, 250)]
    assert any("'wide': 250 neurons over 2 cores, because of its memory" in change for change in two.changes)
    for a, b in zip(simulate(one, 12).v, simulate(two, 12).v, strict=True):
        assert np.array_equal(a, b)


def test_small_populations_share_a_core_and_large_ones_do_not():
    model = network([cells(3, label=f"few {n}") for n in range(5)] + [cells(9000, label="many")])
    program = lower(model)
    assert [len(core.runs) for core in program.cores] == [5, 1, 1]
    assert program.cores[1].use.compartments == LOIHI2.neurons_per_core - 8192 + program.cores[1].runs[0].stop


def test_a_neuron_of_five_thousand_synapses_shares_its_axons():
    pairs = [(i, 0) for i in range(5000)]
    model = network([source(*[[1.0]] * 5000), cells()], [connect(0, 1, np.full(5000, 0.1), pairs=pairs)])
    program = lower(model)
    assert program.cores[0].shares_axons
    assert program.cores[0].use.input_axons == 5000 // 32 + 1
    assert any("share an axon" in change for change in program.changes)


def test_more_than_the_machine_has_is_refused_with_the_population_that_takes_most():
    model = network([cells(2000, label="crowd"), cells(3, label="few")])
    assert len(lower(model, "loihi1", chips=1).cores) == 2
    varied = cells(3000, label="varied", v_thresh=np.linspace(-50, -20, 3000))
    with pytest.raises(UnsupportedError) as caught:
        lower(network([varied, cells(3)]), "loihi1", chips=1)
    assert "of them population 'varied'; the machine has 128" in str(caught.value)
    assert "thresholds" in caught.value.why
    assert lower(network([varied, cells(3)]), "loihi2", chips=1)


def test_a_neuron_that_no_core_holds_is_refused():
    n = 70_000
    pairs = np.stack([np.arange(n), np.zeros(n, dtype=int)], axis=1)
    model = network(
        [source(*[[]] * n), cells(label="hub")], [connect(0, 1, np.full(n, 0.1), delay=2.0, pairs=pairs)]
    )
    with pytest.raises(UnsupportedError, match=r"'hub': neuron 0 alone takes .* memory bits"):
        lower(model, "loihi1")


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_a_run_takes_grows_with_it(data):
    """The search for the longest run rests on that."""
    seed = data.draw(st.integers(0, 1000))
    program = lower(random_networks(seed, 2, ("IF_curr_exp",), steps=10), allow_losses=True)
    number = next(n for n, group in enumerate(program.groups) if isinstance(group, Compartments))
    group = placeable(program, number)
    uses = [use_of(group, 0, stop, LOIHI1) for stop in range(1, group.size + 1)]
    for smaller, larger in itertools.pairwise(uses):
        assert all(getattr(smaller, name) <= getattr(larger, name) for name in LIMITS)
