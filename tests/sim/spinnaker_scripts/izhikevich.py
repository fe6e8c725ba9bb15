"""Izhikevich cells, driven to spike."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


def voltage(population):
    return [[float(x) for x in row] for row in population.get_data("v").segments[-1].analogsignals[0]]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5, 15, 20, 25, 60]), label="source")
cells = sim.Population(3, sim.Izhikevich(a=0.02, b=0.2, c=-65.0, d=8.0), label="cells")
cells.initialize(v=-70.0, u=-14.0)
sim.Projection(
    source,
    cells,
    sim.FromListConnector([(0, 0, 4.0, 1), (0, 1, 8.0, 4), (0, 2, 16.0, 7)]),
    sim.StaticSynapse(),
)
cells.record(["spikes", "v"])
sim.run(100)
print(json.dumps({"spikes": trains(cells), "v": voltage(cells)}))
sim.end()
