"""Three runs one after the other, where another model's one run would do."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


def voltage(population):
    return [[float(x) for x in row] for row in population.get_data("v").segments[-1].analogsignals[0]]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[5, 19, 45], [20, 21, 80]]), label="source")
cells = sim.Population(2, sim.IF_curr_exp(i_offset=0.25, tau_refrac=2.0), label="cells")
sim.Projection(source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=6.0, delay=3.0))
cells.record(["spikes", "v"])
for time in (20, 1, 79):
    sim.run(time)
print(json.dumps({"spikes": trains(cells), "v": voltage(cells)}))
sim.end()
