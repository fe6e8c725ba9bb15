"""PyNN scripts of the cases that go wrong elsewhere, as a user writes them; each builds a model and gives its cells."""

from __future__ import annotations

import numpy as np

import neurodeploy.pynn as sim


def array_source(*trains, label: str = "source"):
    return sim.Population(
        len(trains), sim.SpikeSourceArray(spike_times=[list(t) for t in trains]), label=label
    )


def neurons(size: int = 1, cell=None, label: str = "cells", record=("spikes", "v"), **parameters):
    made = sim.Population(size, (cell or sim.IF_curr_exp)(**{"tau_refrac": 2.0} | parameters), label=label)
    made.record(list(record))
    return made


def from_list(pre, post, rows, label: str, **more):
    """Synapses (pre, post, weight, delay) in one projection, of whatever signs."""
    connector = sim.FromListConnector(rows, safe=False)
    return sim.Projection(pre, post, connector, sim.StaticSynapse(), label=label, **more)


def thousand_three_and_minus_one():
    """Weights 1000, 3 and -1 in one projection, each onto a cell of its own that shows it; a fourth gets all."""
    pre = array_source([1.0], [1.0], [1.0])
    post = neurons(4, v_thresh=1e5)
    weights = (1000.0, 3.0, -1.0)
    rows = [(k, k, weight, 1.0) for k, weight in enumerate(weights)]
    rows += [(k, 3, weight, 1.0) for k, weight in enumerate(weights)]
    from_list(pre, post, rows, "odd")
    return post


def tiny_beside_thousand():
    post = neurons()
    from_list(array_source([1.0], [1.0]), post, [(0, 0, 1000.0, 1.0), (1, 0, 1e-5, 1.0)], "tiny")
    return post


def delays_of_63_and_500():
    pre, post = array_source([1.0, 20.0], [3.0]), neurons(2)
    from_list(pre, post, [(0, 0, 40.0, 63.0), (1, 1, 40.0, 500.0)], "late")
    return post


def time_constants_below_the_step():
    pre = array_source([1.0, 6.0])
    post = neurons(tau_m=0.3, tau_syn_E=0.05, tau_syn_I=0.02, cm=0.1)
    from_list(pre, post, [(0, 0, 100.0, 1.0)], "fast")
    return post


def five_thousand_synapses():
    draw = np.random.default_rng(1)
    pre = sim.Population(5000, sim.SpikeSourceArray(spike_times=[1.0, 2.0, 3.0]), label="source")
    rows = [(k, 0, weight, 1.0) for k, weight in enumerate(draw.uniform(0.002, 0.02, 5000))]
    post = neurons()
    from_list(pre, post, rows, "many")
    return post


def matrix_for_two_cores():
    pre = sim.Population(250, sim.SpikeSourcePoisson(rate=40.0), label="source")
    post = neurons(300, label="wide")
    synapse = sim.StaticSynapse(weight=0.02, delay=1.0)
    sim.Projection(pre, post, sim.AllToAllConnector(), synapse, label="matrix")
    return post


NASTY = {
    build.__name__: build
    for build in (
        thousand_three_and_minus_one,
        delays_of_63_and_500,
        time_constants_below_the_step,
        five_thousand_synapses,
        matrix_for_two_cores,
    )
}
"""Those that run; what they run for is in :data:`STEPS`."""

STEPS = {"delays_of_63_and_500": 520}
