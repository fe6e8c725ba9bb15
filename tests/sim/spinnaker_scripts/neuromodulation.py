"""Learning that waits for a reward: eligibility alone moves nothing."""

import json

import pyNN.spiNNaker as sim

sim.setup(timestep=1.0, min_delay=1.0)
weights, projections = {"none": None, "reward": 0.1, "more": 0.2, "punishment": 0.1}, {}
for name, dopamine in weights.items():
    pre = sim.Population(1, sim.SpikeSourceArray(spike_times=[10, 90]), label=f"pre_{name}")
    teacher = sim.Population(1, sim.SpikeSourceArray(spike_times=[14]), label=f"teacher_{name}")
    post = sim.Population(1, sim.IF_curr_exp(tau_refrac=30.0), label=f"post_{name}")
    sim.Projection(teacher, post, sim.OneToOneConnector(), sim.StaticSynapse(weight=40.0, delay=1.0))
    learning = sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=12.0, A_plus=1.0, A_minus=1.0),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=8.0),
        weight=4.0,
        delay=1.0,
    )
    projections[name] = sim.Projection(pre, post, sim.OneToOneConnector(), learning)
    modulator = sim.Population(
        1, sim.SpikeSourceArray(spike_times=[40] if dopamine else [9999]), label=f"dopamine_{name}"
    )
    sim.Projection(
        modulator,
        post,
        sim.OneToOneConnector(),
        sim.extra_models.Neuromodulation(weight=dopamine or 0.1, tau_c=100.0, tau_d=5.0, w_max=8.0),
        receptor_type="punishment" if name == "punishment" else "reward",
    )
sim.run(120)
print(json.dumps({n: float(p.get("weight", "list", with_address=False)[0]) for n, p in projections.items()}))
sim.end()
