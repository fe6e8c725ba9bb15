"""The same cells on one core, and split into a core of synapses and a core of neurons."""

import json

import pyNN.spiNNaker as sim
from spynnaker.pyNN.extra_algorithms.splitter_components import SplitterPopulationVertexNeuronsSynapses


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


def voltage(population):
    return [[float(x) for x in row] for row in population.get_data("v").segments[-1].analogsignals[0]]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5, 15, 20, 25]), label="source")
together = sim.Population(8, sim.IF_curr_exp(), label="together")
split = sim.Population(
    8,
    sim.IF_curr_exp(),
    label="split",
    additional_parameters={"splitter": SplitterPopulationVertexNeuronsSynapses(), "n_synapse_cores": 1},
)
for cells in (together, split):
    sim.Projection(source, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=5.0, delay=2.0))
    cells.record(["spikes", "v"])
sim.run(60)
result = {
    name: {"spikes": trains(p), "v": voltage(p)} for name, p in (("together", together), ("split", split))
}
print(json.dumps({**result, "synapse_cores": split._vertex.n_synapse_cores_required}))
sim.end()
