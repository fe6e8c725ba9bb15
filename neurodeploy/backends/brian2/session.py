"""A Network in a running program: what the front end reads and changes, in PyNN's names and units."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from neurodeploy.backends.base import Options, Report, Session
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.lower import (
    arrival_shift,
    coefficients,
    initial_state,
    injected_current,
    lower,
    place,
    recordable,
)
from neurodeploy.backends.brian2.running import RunningProgram, choose_threads
from neurodeploy.backends.brian2.structure import SOURCES
from neurodeploy.backends.lowering import spike_steps, split_delay, whole_delays
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Injection, Network, Recorded, weight_sign
from neurodeploy.models.sources import poisson_spikes


class Brian2Session(Session):
    """A Network loaded into the engine.  See :class:`neurodeploy.backends.base.Session`."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network = network
        self.options = options
        self.rules = rules_by_name(options.rules)
        self.report = Report(executed_by="float")
        started = time.perf_counter()
        neurons = {group: size for group, size in place(network)[1].items() if group != SOURCES}
        threads = choose_threads(neurons, options)
        lowered = self.lowered = lower(network, self.rules, parallel=threads > 1)
        self.report.changes += lowered.changes
        self.report.wall["build"] = time.perf_counter() - started
        self.program = RunningProgram(
            lowered.structure, lowered.sizes, lowered.slots, lowered.arrays, options, threads, self.report
        )
        try:
            self._begin()
        except BaseException:
            self.end()
            raise
        self.report.wall["run"] = 0.0
        self.report.facts |= {
            "engine": options.engine,
            "threads": threads,
            "rules": self.rules.name,
            "brian2": compiler.brian2_version(),
            "network": network.digest(),
            "structure": lowered.structure.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
        }

    def _begin(self) -> None:
        """Inputs, and what is recorded."""
        self._array_spikes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for position, population in enumerate(self.network.populations):
            if population.cell == "SpikeSourceArray":
                self.set_spike_times(position, population.spike_times)
        self.set_injections(self.network.injections)
        self._channels: dict[tuple[int, str], tuple[Recorded, Path]] = {}
        spiking: dict[str, list[np.ndarray]] = {}
        for recorded in self.network.recorded:
            placement = self.lowered.placements[recorded.population]
            neurons = recorded.neurons.astype(np.int32) + np.int32(placement.start)
            if recorded.variable == "spikes":
                spiking.setdefault(placement.group, []).append(neurons)
            else:
                update = recordable(
                    self.network.populations[recorded.population], recorded.variable, self.rules
                )
                path = self.program.record(
                    f"{placement.group}.{recorded.variable}",
                    neurons,
                    self._interval(recorded),
                    recorded.variable in update.sampled_after,
                )
                self._channels[recorded.population, recorded.variable] = (recorded, path)
        self.program.record_spikes({group: np.concatenate(which) for group, which in spiking.items()})

    def _interval(self, recorded: Recorded) -> int:
        return max(round(recorded.sampling_interval / self.network.time_step), 1)

    # ---------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        self.program.running()
        started = time.perf_counter()
        end = self.program.step + steps
        self._load_sources(self.program.step, end)
        total = end

        def at(step: int) -> None:
            if self.options.progress:
                self.options.progress("run", step, total)

        while self.program.step < end:
            self._inject_now()
            upcoming = [step for step, _, _ in self._timeline if step > self.program.step]
            self.program.run(min([end, *upcoming[:1]]) - self.program.step, at)
        at(end)
        self.report.wall["run"] += time.perf_counter() - started

    def _load_sources(self, begin: int, end: int) -> None:
        """Hand over the source spikes of steps ``begin`` to ``end``."""
        steps, neurons = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int32)]
        time_step = self.network.time_step
        for position, population in enumerate(self.network.populations):
            if not population.is_source:
                continue
            if population.cell == "SpikeSourceArray":
                own_steps, own_neurons = self._array_spikes[position]
                wanted = (own_steps >= begin) & (own_steps < end)
                own_steps, own_neurons = own_steps[wanted], own_neurons[wanted]
            else:
                p = population.parameters
                times, own_neurons = poisson_spikes(
                    rate=p["rate"],
                    start=p["start"],
                    duration=p["duration"],
                    seed=self.network.seed,
                    population=position,
                    begin=begin * time_step,
                    end=end * time_step,
                )
                own_steps = np.clip(np.floor(times / time_step).astype(np.int64), begin, end - 1)
            steps.append(own_steps)
            neurons.append(own_neurons + np.int32(self.lowered.placements[position].start))
        self.program.set_sources(np.concatenate(steps), np.concatenate(neurons))

    def _inject_now(self) -> None:
        """Bring the injected current of every group up to the present step."""
        while self._timeline and self._timeline[0][0] <= self.program.step:
            _, group, current = self._timeline.pop(0)
            self.program.load(f"{group}.injected", current)

    # ---------------------------------------------------------------------------- reading

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        placement = self.lowered.placements[population]
        steps, neurons = self.program.spikes(placement.group, placement.start, placement.stop)
        late = self.rules.spike_is_at_end_of_step and placement.group != SOURCES
        return (steps + int(late)) * self.network.time_step, neurons

    def samples(self, population: int, variable: str) -> np.ndarray:
        recorded, path = self._channels[population, variable]
        values = np.fromfile(path, dtype=np.float64).reshape(-1, len(recorded.neurons))
        if self.rules.sampled_at_the_end_too and self.program.step % self._interval(recorded) == 0:
            now = self.state(population, variable)[recorded.neurons]
            values = np.vstack([values, now])
        return values

    def state(self, population: int, variable: str) -> np.ndarray:
        placement = self.lowered.placements[population]
        cell = self.rules.cell(
            self.network.populations[population].cell, self.network.populations[population].label
        )
        if variable in cell.update.sampled_after:
            return self._look_ahead(population, variable)
        return self.program.save(f"{placement.group}.{variable}")[placement.start : placement.stop]

    def _look_ahead(self, population: int, variable: str) -> np.ndarray:
        """State that a step brings up to date at its beginning: execute the update on a copy."""
        placement = self.lowered.placements[population]
        group = placement.group
        update = self.rules.cells[self.network.populations[population].cell].update
        names = [*update.state, *update.coefficients, "injected"]
        names += ["refractory_left"] if update.refractory else []
        scope: dict[str, object] = {name: self.program.save(f"{group}.{name}") for name in names}
        size = self.lowered.sizes[group]
        slots = self.program.save(f"{group}.ring").reshape(self.lowered.slots[group], 2 * size)
        arriving = slots[self.program.step % len(slots)]
        scope |= {"arriving_exc": arriving[:size], "arriving_inh": arriving[size:]}
        scope |= {
            "clip": np.clip,
            "exp": np.exp,
            "floor": np.floor,
            "int": lambda condition: np.asarray(condition).astype(np.int64),
        }
        exec(update.update, scope)
        return np.broadcast_to(np.asarray(scope[variable]), (size,))[placement.start : placement.stop]

    def weights(self, projection: int) -> np.ndarray:
        block = self.lowered.blocks[projection]
        weight = self.program.save(f"{block.owner}.w")[block.position]
        if self.network.projections[projection].plasticity is not None:
            weight = weight * weight_sign(self.network, self.network.projections[projection])
        return weight

    # --------------------------------------------------------------------------- changing

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        changed = self.network.populations[population]
        changed.parameters = parameters
        if changed.is_source:
            return
        placement = self.lowered.placements[population]
        mine = slice(placement.start, placement.stop)
        for name, value in coefficients(changed, self.rules, self.network.time_step).items():
            self.program.replace(f"{placement.group}.{name}", mine, value)

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        changed = self.network.populations[population]
        changed.initial_values[variable] = values
        placement = self.lowered.placements[population]
        state = initial_state(changed, variable, self.rules, self.network.time_step)
        self.program.replace(f"{placement.group}.{variable}", slice(placement.start, placement.stop), state)

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        self.network.populations[population].spike_times = spike_times
        self._array_spikes[population] = spike_steps(
            self.network.populations[population], spike_times, self.network.time_step, self.report.changes
        )

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        self.network.projections[projection].weight = weight
        plastic = self.network.projections[projection].plasticity is not None
        self._replace_synapses(projection, "w", np.abs(weight) if plastic else weight)

    def _replace_synapses(self, projection: int, name: str, values: np.ndarray) -> None:
        block = self.lowered.blocks[projection]
        self.program.replace(f"{block.owner}.{name}", block.position, values)

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        changed = self.network.projections[projection]
        longest = (
            self.lowered.slots[self.lowered.placements[changed.post].group] - 2
        ) * self.network.time_step
        if delay.max(initial=0.0) > longest:
            raise RequestError(
                f"Projection '{changed.label}': delay {delay.max():g} ms, at most {longest:g} ms fits a run that has begun",
                why="the buffers for spikes under way were made for the delays the run began with",
                fix="set the delays before the first run, or call reset() first",
            )
        fraction = changed.plasticity.dendritic_delay_fraction if changed.plasticity else 1.0
        if self.program.step and not self.rules.pair_rule.delay_is_dendritic and 0.0 < fraction < 1.0:
            raise UnsupportedError(
                f"Projection '{changed.label}': the delays of plastic synapses with dendritic_delay_fraction"
                f" {fraction:g} can't be changed once a run has begun",
                why="a spike on its way along the axon would go on with the new dendritic delay",
                fix="set the delays before the first run, call reset() first, or use a fraction of 0 or 1",
            )
        changed.delay = delay
        steps = whole_delays(self.network, changed, self.report.changes)
        shift = arrival_shift(self.network.populations[changed.post], self.rules)
        if changed.plasticity is None:
            self._replace_synapses(projection, "send_steps", steps + np.int32(shift))
            self.program.ask("prepare")
            return
        axonal, dendritic = split_delay(
            changed, changed.plasticity, steps, self.rules, self.report.changes, at_least=-shift
        )
        self._replace_synapses(projection, "send_steps", dendritic + np.int32(shift))
        if not self.rules.pair_rule.delay_is_dendritic:
            self._replace_synapses(projection, "pre.delay", axonal.astype(float))
        self._replace_synapses(projection, "post.delay", dendritic.astype(float))
        self.program.ask("prepare")

    def set_injections(self, injections: list[Injection]) -> None:
        self.network.injections = injections
        self._timeline = injected_current(
            injections, self.lowered.placements, self.lowered.sizes, self.network.time_step
        )

    def end(self) -> None:
        self.program.end()
