"""Random PyNN scripts, drawn by hypothesis: whatever a user may write that the rules of a Loihi take."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import neurodeploy.pynn as sim
from neurodeploy.models.network import Network


def spread(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers whose logarithm is spread evenly, the ends among them."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda power: float(10.0**power))


def some(number: st.SearchStrategy[float], size: int) -> st.SearchStrategy:
    """One number for all, or one for each of `size` cells."""
    return st.one_of(number, st.lists(number, min_size=size, max_size=size))


@st.composite
def cell_parameters(draw, size: int, delta: bool, time_step: float) -> dict:
    reset = draw(st.floats(-90, -60))
    given = {
        "v_reset": reset,
        "v_rest": draw(some(st.floats(-90, -50), size)),
        "v_thresh": draw(some(spread(0.5, 60).map(lambda above: reset + above), size)),
        "tau_m": draw(some(spread(0.05 * time_step, 1000 * time_step), size)),
        "cm": draw(some(spread(0.01, 10), size)),
        "i_offset": draw(some(st.floats(-2, 2), size)),
        "tau_refrac": draw(some(st.floats(0, 60 * time_step), size)),
    }
    if not delta:
        short = spread(0.15 * time_step, 100 * time_step)
        given |= {"tau_syn_E": draw(some(short, size)), "tau_syn_I": draw(some(short, size))}
    return given


@st.composite
def rows(draw, sizes: tuple[int, int], sign: float, time_step: float, longest: int) -> list[tuple]:
    """Synapses (pre, post, weight, delay): equal ones, of all sizes, or none at all."""
    count = draw(st.integers(0, 12))
    equal = draw(spread(1e-3, 30))
    weight = draw(st.sampled_from([st.just(equal), st.floats(0, equal), spread(1e-4, 100), st.just(0.0)]))
    ends = [st.integers(0, size - 1) for size in sizes]
    one = st.tuples(
        *ends, weight.map(lambda w: sign * w), st.integers(1, longest).map(lambda d: d * time_step)
    )
    return draw(st.lists(one, min_size=count, max_size=count))


@st.composite
def pynn_networks(draw, steps: int, longest: int = 80) -> Network:
    """The Network of a script with up to two array sources and up to three populations of cells."""
    time_step = draw(st.sampled_from([0.1, 0.5, 1.0, 1.0, 2.0]))
    sim.setup(timestep=time_step, backend="brian2", rules="loihi2")
    made = []
    for number in range(draw(st.integers(1, 2))):
        size = draw(st.integers(1, 4))
        trains = draw(
            st.lists(st.lists(st.integers(0, steps - 1), max_size=12), min_size=size, max_size=size)
        )
        times = [[step * time_step for step in train] for train in trains]
        made.append(sim.Population(size, sim.SpikeSourceArray(spike_times=times), label=f"source {number}"))
    sources = len(made)
    for number in range(draw(st.integers(1, 3))):
        size, delta = draw(st.integers(1, 4)), draw(st.booleans())
        kind = sim.IF_curr_delta if delta else sim.IF_curr_exp
        given = draw(cell_parameters(size, delta, time_step))
        cells = sim.Population(size, kind(**given), label=f"cells {number}")
        cells.initialize(v=draw(some(st.floats(-100, -40), size)))
        if not delta and draw(st.booleans()):
            cells.initialize(isyn_exc=draw(some(st.floats(0, 2), size)))
        if not delta and draw(st.booleans()):
            cells.record(["isyn_exc", "isyn_inh"])
        if draw(st.booleans()):
            sim.DCSource(amplitude=draw(st.floats(-1, 1))).inject_into(cells[: draw(st.integers(1, size))])
        made.append(cells)
    for number in range(draw(st.integers(0, 5))):
        pre, post = draw(st.sampled_from(made)), draw(st.sampled_from(made[sources:]))
        inhibitory, unsafe = draw(st.booleans()), draw(st.booleans())
        sign = -1.0 if inhibitory != (unsafe and draw(st.booleans())) else 1.0
        sim.Projection(
            pre,
            post,
            sim.FromListConnector(
                draw(rows((pre.size, post.size), sign, time_step, longest)), safe=not unsafe
            ),
            sim.StaticSynapse(),
            receptor_type="inhibitory" if inhibitory else "excitatory",
            label=f"wires {number}",
        )
    return sim.capture()
