"""The pair rule, multiplicative: changes shrink towards the bounds."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


sim.setup(timestep=1.0, min_delay=1.0)
pre = sim.Population(1, sim.SpikeSourceArray(spike_times=[14, 20, 60]), label="pre")
teacher = sim.Population(1, sim.SpikeSourceArray(spike_times=[25]), label="teacher")
post = sim.Population(1, sim.IF_curr_exp(tau_refrac=30.0), label="post")
sim.Projection(teacher, post, sim.OneToOneConnector(), sim.StaticSynapse(weight=40.0, delay=1.0))
learning = sim.STDPMechanism(
    timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=20.0, A_plus=0.5, A_minus=0.25),
    weight_dependence=sim.MultiplicativeWeightDependence(w_min=0.0, w_max=4.0),
    weight=0.5,
    delay=1.0,
)
plastic = sim.Projection(pre, post, sim.OneToOneConnector(), learning)
post.record("spikes")
sim.run(50)
before = float(plastic.get("weight", "list", with_address=False)[0])
sim.run(50)
after = float(plastic.get("weight", "list", with_address=False)[0])
print(json.dumps({"spikes": trains(post), "before": before, "after": after}))
sim.end()
