"""Cells with random parameters, neuron by neuron, against accounts written from the equations.

Under ``ideal`` the linear cells are compared with matrix exponentials, the others with an adaptive integrator of
eighth order; under ``spinnaker`` with the tick, one scalar after the other.
"""

from __future__ import annotations

from math import ceil, exp

import numpy as np
import pytest
from conftest import TARGETS
from drive import opened, record, source, synapses
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Injection, Network, Population

SIZE = 6
INJECTIONS = (
    (range(SIZE), [3.0, 9.5, 14.0], [0.3, -0.2, 0.0]),
    ([1, 2], [5.0, 12.0], [-0.1, 0.4]),
)
"""Two step currents; neurons 1 and 2 get their sum."""

STRENGTH = {  # excitatory and inhibitory weights, drawn between these; times cm for the cells that have it
    "IF_curr_exp": ((2.0, 6.0), (-3.0, -1.0)),
    "IF_curr_alpha": ((1.0, 3.0), (-2.0, -0.5)),
    "IF_curr_delta": ((3.0, 9.0), (-5.0, -2.0)),
    "IF_cond_exp": ((0.05, 0.2), (0.05, 0.1)),
    "Izhikevich": ((6.0, 14.0), (-6.0, -2.0)),
}


class Draw:
    """One random population with its inputs: as a Network, and as plain numbers of each neuron."""

    def __init__(self, cell: str, dt: float, steps: int, seed: int, fixed: dict | None = None) -> None:
        r = np.random.default_rng([seed, sorted(STRENGTH).index(cell)])
        self.cell, self.dt, self.steps = cell, dt, steps
        p = self._parameters(r) | {k: np.full(SIZE, v) for k, v in (fixed or {}).items()}
        start = {"v": r.uniform(-72, -60, SIZE)}
        if cell == "Izhikevich":
            start["u"] = r.uniform(-16, -10, SIZE)
        elif cell != "IF_curr_delta":
            name = "gsyn" if cell == "IF_cond_exp" else "isyn"
            size = 0.02 if cell == "IF_cond_exp" else 0.5
            start[f"{name}_exc"] = r.uniform(0, size, SIZE)
            sign = 1 if cell == "IF_cond_exp" else -1
            start[f"{name}_inh"] = sign * r.uniform(0, size, SIZE)
        self.parameters, self.start = p, start
        scale = p.get("cm", np.ones(SIZE)) if cell != "IF_curr_delta" else np.ones(SIZE)
        last = int((steps * dt - 4) / dt)
        self.weights, self.delays, self.trains = [], [], []
        for (low, high), count in zip(STRENGTH[cell], (14, 5), strict=True):
            self.weights.append(r.uniform(low, high, SIZE) * scale)
            self.delays.append(r.integers(1, max(2, round(3 / dt)), SIZE))
            self.trains.append([np.sort(r.integers(0, last, count)) for _ in range(SIZE)])

    def _parameters(self, r: np.random.Generator) -> dict[str, np.ndarray]:
        def u(low: float, high: float) -> np.ndarray:
            return r.uniform(low, high, SIZE)

        if self.cell == "Izhikevich":
            return {
                "a": u(0.02, 0.1),
                "b": u(0.2, 0.25),
                "c": u(-65, -50),
                "d": u(2, 8),
                "i_offset": u(0, 0.006),
            }
        rest = u(-70, -60)
        p = {"tau_m": u(5, 30), "cm": u(0.2, 2), "v_rest": rest, "v_thresh": rest + u(8, 15)}
        p |= {"v_reset": rest - u(0, 5), "i_offset": u(-0.1, 0.2)}
        p["tau_refrac"] = np.array([0.0, 1.0, 2.0, 3.0, 1.24, 2.96])
        if self.cell != "IF_curr_delta":
            p |= {"tau_syn_E": u(0.3, 12), "tau_syn_I": u(0.3, 12)}
            p["tau_syn_E"][0], p["tau_syn_I"][1] = p["tau_m"][0], p["tau_m"][1]
            p["tau_syn_E"][2] = p["tau_m"][2] * (1 + 1e-9)
        if self.cell == "IF_cond_exp":
            p |= {"e_rev_E": u(-10, 10), "e_rev_I": u(-85, -75)}
        return p

    def network(self) -> Network:
        population = Population("cells", self.cell, SIZE, self.parameters, self.start)
        network = Network(
            self.dt, [source(*(t * self.dt for trains in self.trains for t in trains)), population]
        )
        for k, receptor in enumerate(("excitatory", "inhibitory")):
            rows = [(k * SIZE + n, n, self.weights[k][n], self.delays[k][n] * self.dt) for n in range(SIZE)]
            network.projections.append(synapses(0, 1, rows, receptor))
        for neurons, times, amplitudes in INJECTIONS:
            scale = 0.01 if self.cell == "Izhikevich" else 1.0
            network.injections.append(
                Injection(1, np.array(neurons), np.array(times), np.array(amplitudes) * scale)
            )
        names = [name for name in self.start if self.cell != "Izhikevich" or name in ("v", "u")]
        record(network, 1, "spikes", *names)
        return network

    def of(self, n: int) -> tuple[dict[str, float], dict[str, float], np.ndarray, np.ndarray]:
        """Parameters and start of neuron n, what arrives at each grid point (exc, inh), and its injected current."""
        arriving = np.zeros((self.steps + 50, 2))
        for r in (0, 1):
            np.add.at(arriving[:, r], self.trains[r][n] + self.delays[r][n], self.weights[r][n])
        current = np.zeros(self.steps)
        for neurons, times, amplitudes in INJECTIONS:
            for time, before, amplitude in zip(times, [0.0, *amplitudes], amplitudes, strict=False):
                if n in neurons:
                    current[round(time / self.dt) :] += amplitude - before
        current *= 0.01 if self.cell == "Izhikevich" else 1.0
        pick = [{k: float(v[n]) for k, v in table.items()} for table in (self.parameters, self.start)]
        return *pick, arriving, current


def compare(draw: Draw, rules: str, account, tolerance: float) -> None:
    session = opened(draw.network(), TARGETS["cpp"], rules)
    session.run(draw.steps)
    times, neurons = session.spikes(1)
    found = {name: session.samples(1, name) for _, name in session._channels}
    session.end()
    fired = 0
    for n in range(SIZE):
        expected, spikes = account(draw, n)
        fired += len(spikes)
        np.testing.assert_allclose(
            times[neurons == n], np.array(spikes) * draw.dt, atol=1e-9, err_msg=f"neuron {n}"
        )
        for name, values in found.items():
            np.testing.assert_allclose(
                values[:, n], expected[name], rtol=0, atol=tolerance, err_msg=f"{name} of neuron {n}"
            )
    assert fired > 10, "a comparison without spikes is half a comparison"


# ------------------------------------------------------------------------------------------------ ideal


def linear(draw: Draw, n: int) -> tuple[dict[str, list[float]], list[int]]:
    """State (v, I_e, I_i, slope_e, slope_i, 1): the matrix exponential of its linear system moves it by a step."""
    p, start, arriving, current = draw.of(n)
    alpha, delta = draw.cell == "IF_curr_alpha", draw.cell == "IF_curr_delta"
    taus = np.array([p.get("tau_syn_E", 1.0), p.get("tau_syn_I", 1.0)])
    y = np.array([start["v"], start.get("isyn_exc", 0.0), start.get("isyn_inh", 0.0), 0.0, 0.0, 1.0])
    system = np.zeros((6, 6))
    system[0, :3] = [-1 / p["tau_m"], 1 / p["cm"], 1 / p["cm"]]
    for r in (0, 1):
        system[1 + r, 1 + r] = system[3 + r, 3 + r] = -1 / taus[r]
        system[1 + r, 3 + r] = 1.0
    moves = {}
    for value in set(current):
        system[0, 5] = p["v_rest"] / p["tau_m"] + (p["i_offset"] + value) / p["cm"]
        moves[value] = expm(system * draw.dt)
    found: dict[str, list[float]] = {"v": [], "isyn_exc": [], "isyn_inh": []}
    spikes, held = [], 0
    for k in range(draw.steps + 1):
        if alpha:
            y[3:5] += arriving[k] * np.e / taus
        elif not delta:
            y[1:3] += arriving[k]
        for place, name in enumerate(found):
            found[name].append(y[place])
        if k == draw.steps:
            break
        v, y = y[0], moves[current[k]] @ y
        if held:
            y[0], held = v, held - 1
        elif delta:
            y[0] += arriving[k + 1].sum()
        if y[0] >= p["v_thresh"]:
            spikes.append(k + 1)
            y[0], held = p["v_reset"], round(p["tau_refrac"] / draw.dt)
    return found, spikes


def nonlinear(draw: Draw, n: int) -> tuple[dict[str, list[float]], list[int]]:
    """The differential equations, to 1e-11 from grid point to grid point."""
    p, start, arriving, current = draw.of(n)
    izhikevich = draw.cell == "Izhikevich"
    names = ("v", "u") if izhikevich else ("v", "gsyn_exc", "gsyn_inh")
    y = np.array([start[name] for name in names])

    def slope(_, y, now, held):
        if izhikevich:
            v, u = y
            return [0.04 * v * v + 5 * v + 140 - u + 1000 * (p["i_offset"] + now), p["a"] * (p["b"] * v - u)]
        v, e, i = y
        flow = e * (p["e_rev_E"] - v) + i * (p["e_rev_I"] - v) + p["i_offset"] + now
        dv = 0.0 if held else (p["v_rest"] - v) / p["tau_m"] + flow / p["cm"]
        return [dv, -e / p["tau_syn_E"], -i / p["tau_syn_I"]]

    found: dict[str, list[float]] = {name: [] for name in names}
    spikes, held = [], 0
    for k in range(draw.steps + 1):
        if not izhikevich:
            y[1:] += arriving[k]
        for place, name in enumerate(names):
            found[name].append(y[place])
        if k == draw.steps:
            break
        y = solve_ivp(
            slope, (0, draw.dt), y, args=(current[k], held > 0), method="DOP853", rtol=1e-11, atol=1e-12
        ).y[:, -1]
        held = max(held - 1, 0)
        if izhikevich:
            y[0] += arriving[k + 1].sum()
        if y[0] >= p.get("v_thresh", 30.0):
            spikes.append(k + 1)
            if izhikevich:
                y = np.array([p["c"], y[1] + p["d"]])
            else:
                y[0], held = p["v_reset"], round(p["tau_refrac"] / draw.dt)
    return found, spikes


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("cell", ["IF_curr_exp", "IF_curr_alpha", "IF_curr_delta"])
def test_linear_cells_are_integrated_exactly(cell: str, seed: int) -> None:
    compare(Draw(cell, 0.1, 250, seed), "ideal", linear, 1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_conductance_cells_are_integrated_to_the_order_of_the_method(seed: int) -> None:
    """Half the step has a sixteenth of the error, with spikes and all; 5e-4 mV at 0.1 ms is little enough."""
    compare(Draw("IF_cond_exp", 0.1, 180, seed), "ideal", nonlinear, 5e-4)
    compare(Draw("IF_cond_exp", 0.05, 360, seed), "ideal", nonlinear, 5e-4 / 16)


@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_a_strong_conductance_pulls_the_membrane_to_its_reversal_potential_and_not_beyond(
    strength: float,
) -> None:
    """Hundreds of synapses of 0.01 µS at once, at a step of 1 ms."""
    draw = Draw("IF_cond_exp", 1.0, 12, 1, {"cm": 1.0, "v_thresh": 1e3, "e_rev_E": 0.0, "tau_syn_E": 5.0})
    draw.trains = [[np.array([2])] * SIZE, [np.array([], dtype=int)] * SIZE]
    draw.weights[0], draw.delays[0] = np.full(SIZE, strength), np.full(SIZE, 1)
    session = opened(draw.network(), TARGETS["cpp"], "ideal")
    session.run(12)
    v = session.samples(1, "v")
    session.end()
    expected = np.array([nonlinear(draw, n)[0]["v"] for n in range(SIZE)]).T
    assert expected.max() > -10.0
    np.testing.assert_allclose(v, expected, rtol=0, atol=3.0)


def test_no_conductance_takes_the_membrane_out_of_the_range_of_the_reversal_potentials() -> None:
    """Random conductances of up to 10 mS, decaying many times over within a step; no current but theirs."""
    size = 2000
    r = np.random.default_rng(1)

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(r.uniform(np.log(low), np.log(high), size))

    fixed = {"v_rest": -65.0, "v_reset": -65.0, "v_thresh": 1e9, "tau_refrac": 1.0, "i_offset": 0.0}
    parameters = {name: np.full(size, value) for name, value in fixed.items()}
    parameters |= {"e_rev_E": np.zeros(size), "e_rev_I": np.full(size, -80.0)}
    parameters |= {"tau_m": spread(0.5, 1e3), "cm": spread(0.01, 10)}
    parameters |= {"tau_syn_E": spread(0.05, 100), "tau_syn_I": spread(0.05, 100)}
    start = {"v": r.uniform(-80, 0, size), "gsyn_exc": spread(1e-6, 1e4), "gsyn_inh": spread(1e-6, 1e4)}
    network = Network(1.0, [Population("cells", "IF_cond_exp", size, parameters, start)])
    record(network, 0, "v")
    session = opened(network, TARGETS["cpp"], "ideal")
    session.run(20)
    v = session.samples(0, "v")
    session.end()
    assert v.min() >= -80.0 and v.max() <= 0.0
    assert np.abs(v[-1] - start["v"]).max() > 10.0


def test_izhikevich_cells_fire_when_they_should() -> None:
    """The upstroke to 30 mV takes less than a ms, so that the trace is only as good as its steepest step; the
    reset wipes the error of v out, and what it leaves in u is small."""
    draw = Draw("Izhikevich", 0.05, 400, 1)
    session = opened(draw.network(), TARGETS["cpp"], "ideal")
    session.run(draw.steps)
    times, neurons = session.spikes(1)
    v, u = (session.samples(1, name) for name in "vu")
    session.end()
    fired = 0
    for n in range(SIZE):
        expected, spikes = nonlinear(draw, n)
        fired += len(spikes)
        mine = times[neurons == n] / draw.dt
        assert len(mine) == len(spikes) and np.all(np.abs(mine - np.array(spikes)) < 1.5)
        calm = np.array(expected["v"]) < -40
        before = slice(0, spikes[0] - 20 if spikes else None)
        np.testing.assert_allclose(v[before, n], np.array(expected["v"])[before], atol=1e-4)
        np.testing.assert_allclose(u[calm, n], np.array(expected["u"])[calm], atol=0.05)
    assert fired >= SIZE


# ------------------------------------------------------------------------------------------------ SpiNNaker


def tick_by_tick(draw: Draw, n: int) -> tuple[dict[str, list[float]], list[int]]:
    """Tick t: take slot t and add it, shaped, to the synapses; update with the current held; threshold; decay."""
    p, start, arriving, current = draw.of(n)
    cell, dt = draw.cell, draw.dt
    v, u, held, after_spike = start["v"], start.get("u", 0.0), 0, False
    tau = [p.get("tau_syn_E", 5.0), p.get("tau_syn_I", 5.0)]
    kind = "gsyn" if cell == "IF_cond_exp" else "isyn"
    syn = [start.get(f"{kind}_exc", 0.0), start.get(f"{kind}_inh", 0.0)]
    line, fall, last = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    found: dict[str, list[float]] = {name: [] for name in ("v", "u", f"{kind}_exc", f"{kind}_inh")}
    spikes = []
    for t in range(draw.steps):
        for r in (0, 1):
            w = float(arriving[t, r])
            if cell == "IF_curr_delta":
                syn[r] = w / dt
            elif cell == "IF_curr_alpha":
                if w != 0:
                    last[r] = w
                    fall[r] = fall[r] * exp(-dt / tau[r]) + 1
                    line[r] = (line[r] + w * dt / tau[r] ** 2) * (1 - 1 / fall[r])
                syn[r] = line[r] * fall[r]
            else:
                syn[r] += w * (tau[r] / dt) * (1 - exp(-dt / tau[r]))
        for name, value in zip(found, (v, u, *syn), strict=True):
            found[name].append(value)
        injected = p["i_offset"] + float(current[t])
        if cell == "Izhikevich":
            h = 1.85 * dt if after_spike else dt
            after_spike = False
            drive = 140 + sum(syn) + injected - u
            middle = v + h / 2 * (drive + (5 + 0.040008544921875 * v) * v)
            bend = h / 2 * p["a"] * (p["b"] * v - u)
            v += h * (drive - bend + (5 + 0.040008544921875 * middle) * middle)
            u += h * p["a"] * (p["b"] * middle - u - bend)
            if v >= 30:
                spikes.append(t)
                v, u, after_spike = p["c"], u + p["d"], True
        else:
            if held:
                held -= 1
            else:
                total = sum(syn)
                if cell == "IF_cond_exp":
                    total = syn[0] * (p["e_rev_E"] - v) + syn[1] * (p["e_rev_I"] - v)
                steady = p["v_rest"] + (total + injected) * p["tau_m"] / p["cm"]
                v = steady - (steady - v) * exp(-dt / p["tau_m"])
            if v >= p["v_thresh"]:
                spikes.append(t)
                v, held = p["v_reset"], ceil(round(p["tau_refrac"] / dt, 6))
        for r in (0, 1):
            if cell == "IF_curr_alpha":
                line[r] += last[r] * dt / tau[r] ** 2
                fall[r] *= exp(-dt / tau[r])
            else:
                syn[r] *= exp(-dt / tau[r])
    return found, spikes


@pytest.mark.parametrize(("dt", "steps"), [(1.0, 60), (0.1, 250)])
@pytest.mark.parametrize("cell", sorted(STRENGTH))
def test_the_tick(cell: str, dt: float, steps: int) -> None:
    draw = Draw(cell, dt, steps, 7, {"i_offset": 5.0} if cell == "Izhikevich" else None)
    if cell == "IF_curr_alpha":  # what it does with an initial current is tested by itself
        draw.start = {"v": draw.start["v"], "isyn_exc": np.zeros(SIZE), "isyn_inh": np.zeros(SIZE)}
    if cell in ("IF_curr_delta", "IF_curr_alpha"):  # the weight is a charge there
        draw.weights = [weight * 5 for weight in draw.weights]
    compare(draw, "spinnaker", tick_by_tick, 1e-9)


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
@pytest.mark.parametrize("cell", ["IF_curr_exp", "IF_curr_alpha", "IF_cond_exp"])
def test_an_initial_synaptic_state_is_the_state_at_time_zero(cell: str, rules: str) -> None:
    draw = Draw(cell, 1.0, 5, 1)
    draw.trains = [[np.array([], dtype=int)] * SIZE] * 2
    if cell == "IF_curr_alpha" and rules == "spinnaker":  # computed there: refused rather than dropped
        with pytest.raises(UnsupportedError, match="'cells': isyn_exc of IF_curr_alpha"):
            opened(draw.network(), TARGETS["cpp"], rules)
        return
    session = opened(draw.network(), TARGETS["cpp"], rules)
    session.run(5)
    for name in draw.start:
        np.testing.assert_allclose(session.samples(1, name)[0], draw.start[name], rtol=1e-12, err_msg=name)
    session.end()
