"""Poisson sources that the chip draws, in a window of time."""

import json

import pyNN.spiNNaker as sim


def trains(population):
    return [[float(t) for t in train] for train in population.get_data("spikes").segments[-1].spiketrains]


sim.setup(timestep=1.0, min_delay=1.0)
source = sim.Population(
    40,
    sim.SpikeSourcePoisson(rate=50.0, start=100.0, duration=400.0),
    label="source",
    additional_parameters={"seed": 7},
)
silent = sim.Population(5, sim.SpikeSourcePoisson(rate=0.0), label="silent")
cells = sim.Population(40, sim.IF_curr_exp(), label="cells")
sim.Projection(source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=20.0, delay=1.0))
for population in (source, silent, cells):
    population.record("spikes")
sim.run(600)
print(json.dumps({"source": trains(source), "silent": trains(silent), "cells": trains(cells)}))
sim.end()
