"""Every cell under every set of rules, against accounts written independently from the equations."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from drive import PARAMETERS, WEIGHTS, driven, opened, record
from scipy.integrate import solve_ivp

from neurodeploy.models.network import Network

EXCITATORY = [1.0, 2.0, 2.5, 3.0, 3.5, 7.0, 7.5, 8.0, 8.5, 9.0]
INHIBITORY = [5.0, 8.0, 12.0]
INJECTED = ([4.0, 10.0, 14.0], [0.6, -0.4, 0.0])


def ideal(
    cell: str, p: dict, dt: float, steps: int, delay: float, injected, trains=(EXCITATORY, INHIBITORY)
) -> tuple[np.ndarray, list[float]]:
    """Integrate the cell's differential equations to 1e-12 between grid points; give v at 0, dt, ... and spikes."""
    weight_exc, weight_inh = WEIGHTS[cell]
    shape = {"IF_curr_alpha": 4, "IF_curr_delta": 0, "Izhikevich": 1}.get(cell, 2)
    state = np.zeros(1 + shape)
    state[0] = -62.0
    if cell == "Izhikevich":
        state[1] = -12.0

    def arrive(time: float) -> float:
        """Change the synaptic state at `time`; give the jump of v."""
        jump = 0.0
        for times, weight, place in ((trains[0], weight_exc, 0), (trains[1], weight_inh, 1)):
            count = sum(abs(t + delay - time) < 1e-9 for t in times)
            if cell in ("IF_curr_delta", "Izhikevich"):
                jump += count * weight
            elif cell == "IF_curr_alpha":
                state[3 + place] += count * weight * np.e / (p["tau_syn_E"], p["tau_syn_I"])[place]
            else:
                state[1 + place] += count * weight
        return jump

    def slope(time: float, y: np.ndarray, held: bool) -> np.ndarray:
        current = p["i_offset"] + now
        if cell == "Izhikevich":
            return np.array(
                [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + 1000 * current, p["a"] * (p["b"] * y[0] - y[1])]
            )
        change = np.zeros_like(y)
        if cell == "IF_curr_alpha":
            tau = np.array([p["tau_syn_E"], p["tau_syn_I"]])
            change[1:3], change[3:5] = y[3:5] - y[1:3] / tau, -y[3:5] / tau
            current += y[1] + y[2]
        elif cell == "IF_curr_exp":
            change[1:3] = -y[1:3] / np.array([p["tau_syn_E"], p["tau_syn_I"]])
            current += y[1] + y[2]
        elif cell == "IF_cond_exp":
            change[1:3] = -y[1:3] / np.array([p["tau_syn_E"], p["tau_syn_I"]])
            current += y[1] * (p["e_rev_E"] - y[0]) + y[2] * (p["e_rev_I"] - y[0])
        change[0] = 0.0 if held else (p["v_rest"] - y[0]) / p["tau_m"] + current / p["cm"]
        return change

    at_once = cell in ("IF_curr_delta", "Izhikevich")
    trace, spikes, left = [state[0]], [], 0
    for k in range(steps):
        now = 0.0
        for time, amplitude in zip(*injected, strict=True):
            now = amplitude if time <= k * dt + 1e-9 else now
        if not at_once:
            arrive(k * dt)
        held = left > 0
        answer = solve_ivp(slope, (0, dt), state, args=(held,), method="DOP853", rtol=1e-12, atol=1e-12)
        state = answer.y[:, -1]
        jump = arrive((k + 1) * dt) if at_once else 0.0
        if held:
            left -= 1
        else:
            state[0] += jump
        if state[0] >= p.get("v_thresh", 30.0):
            spikes.append((k + 1) * dt)
            if cell == "Izhikevich":
                state[0], state[1] = p["c"], state[1] + p["d"]
            else:
                state[0], left = p["v_reset"], round(p["tau_refrac"] / dt)
        trace.append(state[0])
    return np.array(trace), spikes


EXACT = {"IF_curr_exp": 1e-9, "IF_curr_alpha": 1e-9, "IF_curr_delta": 1e-9, "IF_cond_exp": 1e-5}


@pytest.mark.parametrize("cell", sorted(EXACT))
@pytest.mark.parametrize("delay", [0.1, 0.7])
def test_ideal_rules_follow_the_differential_equations(target, cell: str, delay: float) -> None:
    network = driven(cell, 0.1, EXCITATORY, INHIBITORY, delay, INJECTED)
    session = opened(network, target, "ideal")
    session.run(200)
    trace, spikes = ideal(cell, PARAMETERS[cell], 0.1, 200, delay, INJECTED)
    assert spikes, "a test without spikes tests half"
    np.testing.assert_allclose(session.spikes(1)[0], spikes, atol=1e-9)
    np.testing.assert_allclose(session.samples(1, "v")[:, 0], trace, atol=EXACT[cell])
    session.end()


def test_ideal_rules_where_synapse_and_membrane_are_equally_slow(target) -> None:
    changes = {"tau_syn_E": 12.0, "tau_syn_I": 12.0}
    for cell in ("IF_curr_exp", "IF_curr_alpha"):
        session = opened(driven(cell, 0.1, EXCITATORY, INHIBITORY, 0.1, INJECTED, **changes), target, "ideal")
        session.run(100)
        trace, _ = ideal(cell, PARAMETERS[cell] | changes, 0.1, 100, 0.1, INJECTED)
        np.testing.assert_allclose(session.samples(1, "v")[:, 0], trace, atol=1e-9)
        session.end()


@pytest.mark.parametrize("cell", ["IF_cond_exp", "Izhikevich"])
def test_ideal_integration_is_of_fourth_order(target, cell: str) -> None:
    """Below threshold, half the step means a sixteenth of the error (twelfth to twentieth accepted)."""
    changes = {"v_thresh": 1000.0} if cell == "IF_cond_exp" else {}
    injected = ([0.0], [-0.003]) if cell == "Izhikevich" else ((), ())
    trains = (EXCITATORY if cell == "IF_cond_exp" else [1.0], [])
    errors = []
    for dt in (0.5, 0.25):
        steps = round(12.0 / dt)
        session = opened(driven(cell, dt, *trains, 0.5, injected, **changes), target, "ideal")
        session.run(steps)
        got = session.samples(1, "v")[-1, 0]
        session.end()
        trace, spikes = ideal(cell, PARAMETERS[cell] | changes, dt, steps, 0.5, injected, trains)
        assert not spikes
        errors.append(abs(got - trace[-1]))
    assert 12 < errors[0] / errors[1] < 20, errors


# ------------------------------------------------------------------------------------------------ SpiNNaker


def spinnaker(
    cell: str, p: dict, dt: float, ticks: int, delay: float, injected, trains
) -> tuple[np.ndarray, list[float]]:
    """SpiNNaker's tick, scalar by scalar: take the slot, (record,) update, threshold, decay."""
    v, u, left, just = -62.0, -12.0, 0, False
    syn, line, fall, last = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    taus = (5.0, 5.0) if cell == "Izhikevich" else (p.get("tau_syn_E", 1.0), p.get("tau_syn_I", 1.0))
    trace, spikes = [], []
    for t in range(ticks):
        arriving = [
            sum(abs(time + delay - t * dt) < 1e-9 for time in times) * abs(weight)
            for times, weight in zip(trains, WEIGHTS[cell], strict=True)
        ]
        now = 0.0
        for time, amplitude in zip(*injected, strict=True):
            now = amplitude if time <= t * dt + 1e-9 else now
        for r in (0, 1):
            decay = np.exp(-dt / taus[r])
            if cell == "IF_curr_delta":
                syn[r] = arriving[r] / dt
            elif cell == "IF_curr_alpha":
                if arriving[r] > 0:
                    last[r] = arriving[r]
                    fall[r] = fall[r] * decay + 1
                    line[r] = (line[r] + arriving[r] * dt / taus[r] ** 2) * (1 - 1 / fall[r])
                syn[r] = line[r] * fall[r]
            else:
                syn[r] += arriving[r] * taus[r] / dt * (1 - decay)
        trace.append(v)
        if cell == "Izhikevich":
            h = dt * (1.85 if just else 1.0)
            just = False
            pre = 140 + syn[0] - syn[1] + p["i_offset"] + now - u
            alpha = pre + (5 + 0.040008544921875 * v) * v
            eta = v + h * alpha / 2
            beta = h * (p["b"] * v - u) * p["a"] / 2
            v, u = (
                v + h * (pre - beta + (5 + 0.040008544921875 * eta) * eta),
                u + p["a"] * h * (-u - beta + p["b"] * eta),
            )
            if v >= 30:
                spikes.append(t * dt)
                v, u, just = p["c"], u + p["d"], True
        else:
            if left > 0:
                left -= 1
            else:
                push, pull = syn
                if cell == "IF_cond_exp":
                    push, pull = syn[0] * (p["e_rev_E"] - v), -syn[1] * (p["e_rev_I"] - v)
                target = (push - pull + p["i_offset"] + now) * p["tau_m"] / p["cm"] + p["v_rest"]
                v = target - (target - v) * np.exp(-dt / p["tau_m"])
            if v >= p["v_thresh"]:
                spikes.append(t * dt)
                v, left = p["v_reset"], int(np.ceil(p["tau_refrac"] / dt - 1e-9))
        for r in (0, 1):
            decay = np.exp(-dt / taus[r])
            if cell == "IF_curr_alpha":
                line[r] += last[r] * dt / taus[r] ** 2
                fall[r] *= decay
            else:
                syn[r] *= decay
    return np.array(trace), spikes


@pytest.mark.parametrize("cell", sorted(PARAMETERS))
@pytest.mark.parametrize(("dt", "delay"), [(1.0, 1.0), (1.0, 3.0), (0.5, 1.5)])
def test_spinnaker_rules_follow_the_tick(target, cell: str, dt: float, delay: float) -> None:
    changes = {"i_offset": 6.0} if cell == "Izhikevich" else {}
    injected = ([4.0, 10.0], [0.6, 0.0])
    trains = ([1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 8.0, 9.0], INHIBITORY)  # on every grid used; 8.0 twice
    trace, spikes = spinnaker(cell, PARAMETERS[cell] | changes, dt, 40, delay, injected, trains)
    session = opened(driven(cell, dt, *trains, delay, injected, **changes), target, "spinnaker")
    session.run(40)
    got = session.samples(1, "v")[:, 0]
    np.testing.assert_allclose(session.spikes(1)[0], spikes, atol=1e-9)
    np.testing.assert_allclose(got, trace, atol=1e-9)
    session.end()


# ---------------------------------------------------------------------------------------------- arrival


STEPS_UNDER_WAY = (1, 2, 7)


@cache
def arrivals(target, cell: str, rules: str) -> np.ndarray:
    """The v of like cells, one column each: a spike at 3 ms takes so many steps to each, and never comes to the last."""
    network = Network(1.0)
    for spikes, steps in (*(([3.0], steps) for steps in STEPS_UNDER_WAY), ([], 1)):
        one, at = driven(cell, 1.0, spikes, [], float(steps)), len(network.populations)
        network.populations += one.populations
        for projection in one.projections:
            projection.pre, projection.post = projection.pre + at, projection.post + at
        network.projections += one.projections
        record(network, at + 1, "v")
    session = opened(network, target, rules)
    session.run(20)
    traces = [session.samples(position, "v")[:20, 0] for position in range(1, len(network.populations), 2)]
    session.end()
    return np.column_stack(traces)


@pytest.mark.parametrize("cell", sorted(PARAMETERS))
@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
@pytest.mark.parametrize("steps", STEPS_UNDER_WAY)
def test_when_a_spike_lands(target, cell: str, rules: str, steps: int) -> None:
    """One spike at 3 ms, so many steps under way: the first sample of v that differs from a cell left alone."""
    traces = arrivals(target, cell, rules)
    different = np.abs(traces[:, STEPS_UNDER_WAY.index(steps)] - traces[:, -1]) > 1e-9
    moved = int(np.flatnonzero(different)[0])
    at_once = rules == "ideal" and cell in ("IF_curr_delta", "Izhikevich")
    slow = rules == "spinnaker" and cell == "IF_curr_alpha"  # the line starts at zero: seen one tick later
    assert moved == 3 + steps + (0 if at_once else 1) + slow


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_a_volley_can_fire_at_its_arrival_where_it_moves_the_membrane_itself(target, rules: str) -> None:
    network = driven("IF_curr_delta", 1.0, [3.0], [], 2.0)
    network.projections[0].weight[:] = 60.0
    session = opened(network, target, rules)
    session.run(10)
    assert session.spikes(1)[0].tolist() == [5.0]
    session.end()
