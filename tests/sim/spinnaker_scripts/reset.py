"""A run, a reset, and the same run again, with a synapse that learns in between."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


def voltage(population):
    return [[float(x) for x in row] for row in population.get_data("v").segments[-1].analogsignals[0]]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5, 12, 30, 50]), label="source")
cells = sim.Population(1, sim.IF_curr_exp(tau_refrac=2.0), label="cells")
learning = sim.STDPMechanism(
    timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=20.0, A_plus=0.5, A_minus=0.25),
    weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=8.0),
    weight=6.0,
    delay=1.0,
)
plastic = sim.Projection(source, cells, sim.OneToOneConnector(), learning)
cells.record(["spikes", "v"])
result = []
for again in range(2):
    sim.run(60)
    weight = float(plastic.get("weight", "list", with_address=False)[0])
    result.append({"spikes": trains(cells), "v": voltage(cells), "weight": weight})
    if not again:
        sim.reset()
print(json.dumps(result))
sim.end()
