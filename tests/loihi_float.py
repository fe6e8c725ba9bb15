"""Loihi's tick order in real numbers, straight from PyNN's parameters: what a lowered model is measured against."""

from __future__ import annotations

import numpy as np

from neurodeploy.models.network import Network


def simulate(network: Network, steps: int, forced: list[np.ndarray] | None = None):
    """Spikes (steps, size), v in mV and synaptic currents (steps + 1, …) of every population.

    `forced`, where given, replaces who fires (resets and what is sent): so two runs can be compared below threshold.
    """
    dt, cells = network.time_step, []
    for population in network.populations:
        n, p, start = population.size, population.parameters, population.initial_values
        spikes = np.zeros((steps, n), dtype=bool)
        if population.is_source:
            for neuron, times in enumerate(population.spike_times):
                at = np.rint(np.asarray(times) / dt).astype(int)
                spikes[at[(at >= 0) & (at < steps)], neuron] = True
            cells.append({"spikes": spikes, "source": True})
            continue
        delta = population.cell == "IF_curr_delta"
        tau = np.stack([np.full(n, 1e-9)] * 2 if delta else [p["tau_syn_E"], p["tau_syn_I"]])
        keep = np.exp(-dt / tau)
        i0 = np.stack([np.broadcast_to(start.get(k, 0.0), n) for k in ("isyn_exc", "isyn_inh")])
        with np.errstate(all="ignore"):
            first = np.where(i0 != 0, i0 / keep, 0.0)
        current = np.zeros((steps + 1, 2, n))
        current[0] = first
        v = np.zeros((steps + 1, n))
        v[0] = start.get("v", p["v_rest"])
        injected = np.zeros(n)
        for injection in network.injections:
            if network.populations[injection.population] is population:
                np.add.at(injected, injection.neurons, injection.amplitudes[0])
        r = p["tau_m"] / p["cm"]
        cells.append(
            {
                "spikes": spikes,
                "source": False,
                "v": v,
                "i": current,
                "keep": keep,
                "gain": np.ones((2, n)) if delta else tau / dt * (1 - keep),
                "stay": np.exp(-dt / p["tau_m"]),
                "r": r,
                "per": np.ones(n) if delta else r * (1 - np.exp(-dt / p["tau_m"])),
                "rest": p["v_rest"] + r * (p["i_offset"] + injected),
                "p": p,
                "left": np.zeros(n, dtype=int),
                "refractory": np.ceil(p["tau_refrac"] / dt - 1e-6).astype(int),
                "arriving": np.zeros((steps + 1000, 2, n)),
            }
        )
    for k in range(steps):
        for number, c in enumerate(cells):
            if c["source"]:
                continue
            c["i"][k + 1] = c["i"][k] * c["keep"] + c["gain"] * c["arriving"][k]
            active = c["left"] == 0
            v = c["rest"] + (c["v"][k] - c["rest"]) * c["stay"] + c["per"] * c["i"][k + 1].sum(axis=0)
            v = np.where(active, v, c["v"][k])
            fired = active & (v >= c["p"]["v_thresh"]) if forced is None else forced[number][k]
            c["spikes"][k] = fired
            c["v"][k + 1] = np.where(fired, c["p"]["v_reset"], v)
            c["left"] = np.where(fired, c["refractory"], np.maximum(c["left"] - 1, 0))
        for projection in network.projections:
            row = int(projection.receptor == "inhibitory")
            sends = cells[projection.pre]["spikes"][k][projection.pre_index]
            at = k + np.rint(projection.delay[sends] / dt).astype(int)
            target = cells[projection.post]["arriving"]
            np.add.at(target, (at, row, projection.post_index[sends]), projection.weight[sends])
    empty = np.zeros((steps + 1, 0))
    return (
        [c["spikes"] for c in cells],
        [c.get("v", empty) for c in cells],
        [c.get("i", np.zeros((steps + 1, 2, 0))) for c in cells],
    )
