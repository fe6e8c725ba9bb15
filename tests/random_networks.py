"""Small random Networks, each a source and one population, many of them side by side in one Network."""

from __future__ import annotations

import numpy as np

from neurodeploy.models.network import Network, Plasticity, Population, Projection, Recorded

WEIGHTS = {  # the largest: enough for some spikes
    "IF_curr_exp": 4.0,
    "IF_curr_delta": 12.0,
    "IF_cond_exp": 0.15,
    "IF_curr_alpha": 8.0,
    "Izhikevich": 8.0,
}
SAMPLED = {
    "IF_curr_exp": ("v", "isyn_exc", "isyn_inh"),
    "IF_curr_alpha": ("v", "isyn_exc", "isyn_inh"),
    "IF_cond_exp": ("v", "gsyn_exc", "gsyn_inh"),
}


def cells(draw: np.random.Generator, cell: str, label: str, size: int) -> Population:
    def between(low: float, high: float) -> np.ndarray:
        return draw.uniform(low, high, size)

    if cell == "Izhikevich":
        parameters = {
            "a": between(0.01, 0.12),
            "b": between(0.15, 0.3),
            "c": between(-70, -50),
            "d": between(1, 9),
            "i_offset": between(-2, 8),
        }
        return Population(label, cell, size, parameters, {"v": between(-70, -55), "u": between(-16, -8)})
    parameters = {
        "v_rest": between(-70, -60),
        "v_reset": between(-75, -65),
        "v_thresh": between(-58, -48),
        "tau_m": between(4, 30),
        "cm": between(0.2, 2),
        "i_offset": between(-0.3, 0.9),
        "tau_refrac": between(0, 5),
    }
    if cell != "IF_curr_delta":
        parameters |= {"tau_syn_E": between(0.5, 8), "tau_syn_I": between(0.5, 8)}
    if cell == "IF_cond_exp":
        parameters |= {"e_rev_E": between(-10, 10), "e_rev_I": between(-90, -70)}
    initial = {"v": between(-66, -60)}
    if cell == "IF_curr_exp":
        initial |= {"isyn_exc": between(0, 1), "isyn_inh": -between(0, 1)}
    return Population(label, cell, size, parameters, initial)


def pair_rule(draw: np.random.Generator, dependence: str, largest: float) -> Plasticity:
    amplitude = 0.3 * largest if dependence == "additive" else 0.5
    return Plasticity(
        *draw.uniform(3, 30, 2),
        *draw.uniform(0, amplitude, 2),
        dependence,
        float(draw.choice([0.0, 0.1 * largest])),
        float(draw.uniform(0.5, 1.2) * largest),
        1.0,
    )


def synapses(
    draw: np.random.Generator, sizes: tuple[int, int], largest: float, longest: int, time_step: float
) -> tuple[np.ndarray, ...]:
    """pre, post, weights, delays: all-to-all and alike, one-to-one and alike, or a list."""
    kind, (pre_size, post_size) = draw.integers(0, 5), sizes
    if kind == 0:
        pre, post = (x.ravel() for x in np.meshgrid(*map(np.arange, sizes), indexing="ij"))
    elif kind == 1 and pre_size == post_size:
        pre = post = np.arange(pre_size)
    else:
        count = int(draw.integers(1, 9))
        pre, post = draw.integers(0, pre_size, count), draw.integers(0, post_size, count)
        weight, steps = draw.uniform(0, largest, count), draw.integers(1, longest + 1, count)
        return pre.astype(np.int32), post.astype(np.int32), weight, steps * time_step
    weight = np.full(len(pre), draw.uniform(0, largest / 2))
    delay = np.full(len(pre), draw.integers(1, longest + 1) * time_step)
    return pre.astype(np.int32), post.astype(np.int32), weight, delay


def add_network(
    network: Network, draw: np.random.Generator, cell: str, dependence: str, steps: int, longest: int
) -> None:
    """Add a source, cells, and up to four projections from both onto both receptors; record everything."""
    dt, at = network.time_step, len(network.populations)
    sizes = tuple(draw.integers(1, 6, 2).tolist())
    trains = [np.unique(draw.integers(0, steps, draw.integers(0, 16))) * dt for _ in range(sizes[0])]
    network.populations.append(Population(f"source {at}", "SpikeSourceArray", sizes[0], spike_times=trains))
    network.populations.append(cells(draw, cell, f"cells {at}", sizes[1]))
    rule = pair_rule(draw, dependence, WEIGHTS[cell]) if dependence else None
    for receptor in ("excitatory", "inhibitory"):
        sign = -1.0 if receptor == "inhibitory" and cell != "IF_cond_exp" else 1.0
        for pre in (0, 1):
            learns = rule is not None and draw.random() < 0.6
            if draw.random() < 0.15:
                continue
            rows = synapses(draw, (sizes[pre], sizes[1]), WEIGHTS[cell], longest, dt)
            label = f"{receptor} {at + pre} {at + 1}"
            network.projections.append(
                Projection(
                    label,
                    at + pre,
                    at + 1,
                    receptor,
                    *rows[:2],
                    sign * rows[2],
                    rows[3],
                    rule if learns else None,
                )
            )
    network.recorded.append(Recorded(at, "spikes", np.arange(sizes[0], dtype=np.int32), dt))
    for variable in ("spikes", *SAMPLED.get(cell, ("v",))):
        network.recorded.append(Recorded(at + 1, variable, np.arange(sizes[1], dtype=np.int32), dt))


def random_networks(
    seed: int,
    count: int,
    cells: tuple[str, ...],
    dependence: str = "",
    steps: int = 60,
    time_step: float = 1.0,
    longest: int = 13,
) -> Network:
    """`count` disjoint small networks of the given cells in turn.

    Parameters
    ----------
    dependence : str
        Of the pair rule that some projections learn by; none where empty.
    longest : int
        Delay in steps.
    """
    draw, network = np.random.default_rng(seed), Network(time_step)
    for number in range(count):
        add_network(network, draw, cells[number % len(cells)], dependence, steps, longest)
    return network
