"""Loihi's step as update statements in doubles equals the step in whole numbers, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurodeploy.chips import loihi_arithmetic as chip
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.chips.loihi_compartment import CURRENTS, LOIHI2_RULES, ONE_CURRENT, TWO_CURRENTS

SIZE = 16
LIMIT = LOIHI2.largest_state


def whole(low: int, high: int, rows: int = 1):
    """Numbers between two limits, the limits themselves and their neighbours often among them."""
    edges = [low, low + 1, high - 1, high, *([-1, 0, 1] if low < 0 else [])]
    numbers = st.one_of(st.sampled_from(edges), st.integers(low, high))
    shape = SIZE if rows == 1 else (rows, SIZE)
    return arrays(np.int64, shape, elements=numbers)


def executed(cell: str, registers: dict, state: dict, arriving: np.ndarray) -> dict:
    """One step of the statements, as the engine executes them."""
    update = LOIHI2_RULES.cells[cell].update
    scope = LOIHI2_RULES.cells[cell].coefficients(registers, 1.0) | state
    scope = {name: np.asarray(value, dtype=float) for name, value in scope.items()}
    scope |= {"arriving_exc": arriving[0].astype(float), "arriving_inh": arriving[1].astype(float)}
    scope |= {"trunc": np.trunc, "clip": np.clip, "int": lambda condition: np.asarray(condition).astype(int)}
    exec(update.update, scope)
    scope["fired"] = (scope["v"] > scope["threshold"]) & (scope["refractory_left"] <= 0)
    return scope


@pytest.mark.parametrize(("cell", "currents"), [(ONE_CURRENT, 1), (TWO_CURRENTS, 2)])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_step_is_the_chips_step(cell: str, currents: int, data) -> None:
    u = data.draw(whole(-LIMIT, LIMIT + 1, 2))[:currents]
    v = data.draw(whole(-LIMIT, LIMIT))
    du = data.draw(whole(0, 4095, 2))[:currents]
    registers = {
        "du": du,
        "dv": data.draw(whole(0, 4095)),
        "vth": data.draw(whole(0, LOIHI2.largest_threshold)),
        "bias_mant": data.draw(whole(-4096, 4095)),
        "bias_exp": data.draw(whole(0, 7)),
        "refractory": np.zeros(SIZE, dtype=np.int64),
    }
    arriving = data.draw(whole(-(1 << 27), 1 << 27, 2))  # beyond what one turn of the current takes back
    state = {"v": v, "refractory_left": np.zeros(SIZE)} | dict(zip(CURRENTS, u, strict=False))
    found = executed(cell, registers, state, arriving)
    next_u = chip.next_current(u, du, arriving[:currents])
    drive = next_u.sum(axis=0) + chip.bias(registers["bias_mant"], registers["bias_exp"])
    next_v = chip.next_voltage(v, registers["dv"], drive)
    for name, values in zip(CURRENTS, next_u, strict=False):
        np.testing.assert_array_equal(found[name], values)
    np.testing.assert_array_equal(found["v"], next_v)
    np.testing.assert_array_equal(found["fired"], chip.spikes(next_v, registers["vth"]))


@pytest.mark.parametrize("steps", [0, 1, 2, 63])
def test_a_neuron_rests_for_its_refractory_steps_and_fires_in_the_next(steps: int) -> None:
    ones = np.ones(1, dtype=np.int64)
    registers = {
        "du": 4095 * ones[None],
        "dv": 0 * ones,
        "vth": 0 * ones,
        "bias_mant": ones,
        "bias_exp": 0 * ones,
    }
    state = {"v": np.zeros(1), "isyn_exc": np.zeros(1), "refractory_left": np.zeros(1)}
    fired = []
    for step in range(3 * (steps + 1)):
        found = executed(ONE_CURRENT, registers | {"refractory": steps * ones}, state, np.zeros((2, 1)))
        state = {name: found[name] for name in state}
        if found["fired"][0]:
            fired.append(step)
            state |= {"v": np.zeros(1), "refractory_left": found["refractory_steps"] + 1}
    assert fired == [0, steps + 1, 2 * (steps + 1)]


def test_a_voltage_above_the_threshold_does_not_fire_a_resting_neuron() -> None:
    ones = np.ones(1, dtype=np.int64)
    registers = {
        "du": ones[None],
        "dv": ones,
        "vth": ones,
        "bias_mant": ones,
        "bias_exp": ones,
        "refractory": 5 * ones,
    }
    state = {"v": np.full(1, 1000.0), "isyn_exc": np.zeros(1), "refractory_left": np.full(1, 2.0)}
    found = executed(ONE_CURRENT, registers, state, np.zeros((2, 1)))
    assert not found["fired"][0] and found["v"][0] == 1000.0


def test_both_chips_have_rules_and_name_the_cells_they_take() -> None:
    for name in ("loihi1", "loihi2"):
        rules = rules_by_name(name)
        assert rules.chip == name and set(rules.models) == {"IF_curr_exp", "IF_curr_delta"}
    assert rules_by_name("ideal").models["IF_curr_exp"] == "as in PyNN"
