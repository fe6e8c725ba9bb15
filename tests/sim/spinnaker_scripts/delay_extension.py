"""Delays beyond a core's own ring buffer, through a delay extension core."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(3, sim.SpikeSourceArray(spike_times=[[5], [6], [7]]), label="source")
cells = sim.Population(100, sim.IF_curr_exp(tau_refrac=30.0), label="cells")
pairs = [(0, 0, 40.0, 1), (0, 1, 40.0, 64), (1, 2, 40.0, 65), (1, 3, 40.0, 100), (2, 99, 40.0, 128)]
sim.Projection(source, cells, sim.FromListConnector(pairs), sim.StaticSynapse())
far = sim.Population(100, sim.IF_curr_exp(tau_refrac=30.0), label="far")
one = sim.Population(1, sim.SpikeSourceArray(spike_times=[8]), label="one")
sim.Projection(one, far, sim.AllToAllConnector(), sim.StaticSynapse(weight=40.0, delay=300.0))
for population in (cells, far):
    population.record("spikes")
sim.run(350)
print(json.dumps({"cells": trains(cells), "far": trains(far)}))
sim.end()
