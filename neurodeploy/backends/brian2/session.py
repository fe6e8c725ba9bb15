"""A running program: the compiled engine (or its slower stand-in in Python) as a process that takes instructions.

The process lives in a folder of the cache, reads arrays from files there, writes recordings there, and
ends with this one, however this one ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from neurodeploy import cache
from neurodeploy.backends.base import Options, Report, Session
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.lower import (
    arrival_shift,
    coefficients,
    initial_state,
    injected_current,
    lower,
    recordable,
)
from neurodeploy.backends.brian2.structure import SOURCES
from neurodeploy.backends.lowering import spike_steps, split_delay, whole_delays
from neurodeploy.chips.rules import rules_by_name
from neurodeploy.errors import RequestError, RunError, UnsupportedError
from neurodeploy.models.network import Injection, Network, Recorded, weight_sign
from neurodeploy.models.sources import poisson_spikes

SPARE_SOURCES = 1024
"""Room for source spikes in one step beyond one a source: a source may spike twice in a step."""

PARALLEL_FROM = 65536
"""Neurons of one cell type from which two threads are faster than one (see ``benchmarks/threads.py``)."""


def choose_threads(network: Network, options: Options) -> int:
    """What the user asked for, or as many as there are processors where a cell type has enough neurons."""
    if options.engine == "runtime":
        return 1
    if options.threads:
        return options.threads
    sizes: dict[str, int] = {}
    for population in network.populations:
        if not population.is_source:
            sizes[population.cell] = sizes.get(population.cell, 0) + population.size
    return os.cpu_count() or 1 if max(sizes.values(), default=0) >= PARALLEL_FROM else 1


class Engine:
    """The process and its pipe: one instruction a line, one answer a line."""

    def __init__(self, command: list[str], folder: Path, greeting: str, threads: int = 1) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "errors.txt").open("w"),
            text=True,
            start_new_session=True,  # Ctrl-C reaches us, and we end it
        )
        answer = self.process.stdout.readline().strip() if self.process.stdout else ""
        if answer != greeting:
            self.end()
            raise EngineUnusable(answer)

    def ask(self, instruction: str, progress=None) -> None:
        """Send one instruction and wait until it is done."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(instruction + "\n")
            self.process.stdin.flush()
            while True:
                answer = self.process.stdout.readline().strip()
                if answer == "done":
                    return
                if answer.startswith("at ") and progress:
                    progress(int(answer[3:]))
                elif answer.startswith("error ") or not answer:
                    break
        except (BrokenPipeError, ValueError):
            answer = ""
        raise self._failure(answer)

    def _failure(self, answer: str) -> RunError:
        self.end()
        if answer.startswith("error "):
            return RunError(f"The simulation stopped: {answer[6:]}", fix="free some space and run it again")
        code = self.process.returncode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit code {code}"
        )
        said = (
            (self.folder / "errors.txt").read_text().strip() if (self.folder / "errors.txt").exists() else ""
        )
        return RunError(
            f"The simulation {how} before it was done" + (f":\n{said[-4000:]}" if said else ""),
            why="the process that simulates is gone, and what it had not written with it",
            fix="run it again; where memory was short, make the model smaller or record less",
        )

    def peak_memory(self) -> float | None:
        """Largest resident size so far, MB; None where the system does not tell."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
        return None

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


class EngineUnusable(Exception):
    """The program did not introduce itself as the one that was asked for."""


class Brian2Session(Session):
    """A Network loaded into the engine.  See :class:`neurodeploy.backends.base.Session`."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network = network
        self.options = options
        self.rules = rules_by_name(options.rules)
        self.report = Report(executed_by="float")
        self.step = 0
        self._files = 0
        self._engine: Engine | None = None
        started = time.perf_counter()
        self.threads = choose_threads(network, options)
        self.lowered = lower(network, self.rules, parallel=self.threads > 1)
        self.report.changes += self.lowered.changes
        self.report.wall["build"] = time.perf_counter() - started
        self.folder = cache.session_folder()
        try:
            self._engine = self._start()
            started = time.perf_counter()
            self._load_everything()
            self.report.wall["build"] += time.perf_counter() - started
        except BaseException:
            self.end()
            raise
        self.report.wall["run"] = 0.0
        self.report.facts |= {
            "engine": options.engine,
            "threads": self.threads,
            "rules": self.rules.name,
            "brian2": compiler.brian2_version(),
            "network": network.digest(),
            "structure": self.lowered.structure.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
        }

    # ---------------------------------------------------------------------------- starting

    def _start(self) -> Engine:
        sizes = self._sizes()
        self._write_text("sizes", " ".join(str(size) for size in sizes))
        started = time.perf_counter()
        if self.options.engine == "runtime":
            self._write_text("structure.json", self.lowered.structure.to_json())
            command = [sys.executable, "-m", "neurodeploy.backends.brian2.runtime", "structure.json"]
            engine = Engine(command, self.folder, "neurodeploy runtime")
            self.report.facts["compiled"] = False
        else:
            engine = self._start_compiled()
        self.report.wall["compile"] = time.perf_counter() - started
        return engine

    def _start_compiled(self) -> Engine:
        structure = self.lowered.structure
        key = compiler.program_key(structure)
        for attempt in (1, 2):
            program, built = compiler.compiled(structure, self.options.progress)
            self.report.facts["compiled"] = built or self.report.facts.get("compiled", False)
            try:
                return Engine([str(program)], self.folder, f"neurodeploy {key}", self.threads)
            except (EngineUnusable, OSError) as error:
                compiler.discard(program)
                if attempt == 2:
                    raise RunError(
                        f"The compiled program does not run on this machine: {error}",
                        fix="run with '--engine runtime', and report this",
                    ) from error
        raise AssertionError

    def _sizes(self) -> list[int]:
        lowered = self.lowered
        sizes = [
            lowered.sizes[group] + (SPARE_SOURCES if group == SOURCES else 0)
            for group in lowered.structure.groups
        ]
        return sizes + [lowered.slots[cell] for cell in lowered.structure.cells]

    def _load_everything(self) -> None:
        for name, array in self.lowered.arrays.items():
            self._load(name, array)
        self._ask("prepare")
        self._own_spikes: list[tuple[np.ndarray, np.ndarray]] = []
        self._array_spikes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for position, population in enumerate(self.network.populations):
            if population.cell == "SpikeSourceArray":
                self.set_spike_times(position, population.spike_times)
        self.set_injections(self.network.injections)
        self._channels: dict[tuple[int, str], tuple[Recorded, Path]] = {}
        masks: dict[str, np.ndarray] = {}
        for recorded in self.network.recorded:
            placement = self.lowered.placements[recorded.population]
            neurons = recorded.neurons.astype(np.int32) + np.int32(placement.start)
            if recorded.variable == "spikes":
                room = self.lowered.sizes[placement.group] + SPARE_SOURCES
                masks.setdefault(placement.group, np.zeros(room, dtype=np.uint8))[neurons] = 1
            else:
                self._open_channel(recorded, placement.group, neurons)
        self._spike_files: dict[str, Path] = {}
        for group, mask in masks.items():
            self._spike_files[group] = self.folder / f"spikes_{group}.i32"
            self._ask(f"spikes {group} {self._write(mask)} spikes_{group}.i32")

    def _open_channel(self, recorded: Recorded, group: str, neurons: np.ndarray) -> None:
        update = recordable(self.network.populations[recorded.population], recorded.variable, self.rules)
        after = recorded.variable in update.sampled_after
        path = self.folder / f"samples_{len(self._channels)}.f64"
        self._channels[recorded.population, recorded.variable] = (recorded, path)
        self._ask(
            f"channel {group}.{recorded.variable} {self._write(neurons)} {self._interval(recorded)}"
            f" {int(after)} {path.name}"
        )

    def _interval(self, recorded: Recorded) -> int:
        return max(round(recorded.sampling_interval / self.network.time_step), 1)

    # ------------------------------------------------------------------------------ files

    def _running(self) -> Engine:
        if self._engine is None:
            raise RunError("This simulation has ended", fix="call setup() or reset() and run again")
        return self._engine

    def _ask(self, instruction: str, progress=None) -> None:
        engine = self._running()
        try:
            engine.ask(instruction, progress)
        except BaseException:
            self.end()
            raise

    def _write_text(self, name: str, text: str) -> None:
        self._guarded(lambda: (self.folder / name).write_text(text))

    def _write(self, array: np.ndarray) -> str:
        name = f"input_{self._files % 4}.bin"
        self._files += 1
        self._guarded(lambda: np.ascontiguousarray(array).tofile(self.folder / name))
        return name

    def _guarded(self, write) -> None:
        try:
            write()
        except OSError as error:
            raise RunError(
                f"Cannot write to {self.folder}: {os.strerror(error.errno) if error.errno else error}",
                fix="free some space, or set NEURODEPLOY_CACHE to a folder on another disk",
            ) from error

    def _load(self, name: str, array: np.ndarray) -> None:
        self._ask(f"load {name} {self._write(array)}")

    def _save(self, name: str) -> np.ndarray:
        self._ask(f"save {name} output.bin")
        return np.fromfile(self.folder / "output.bin")

    # ---------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        self._running()
        started = time.perf_counter()
        end = self.step + steps
        self._load_sources(self.step, end)
        total = end

        def at(step: int) -> None:
            if self.options.progress:
                self.options.progress("run", step, total)

        while self.step < end:
            self._inject_now()
            upcoming = [step for step, _, _ in self._timeline if step > self.step]
            until = min([end, *upcoming[:1]])
            self._ask(f"run {until - self.step}", at)
            self.step = until
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
        all_steps, all_neurons = np.concatenate(steps), np.concatenate(neurons)
        order = np.lexsort((all_neurons, all_steps))
        if self.lowered.structure.sources:
            self._ask(
                f"sources {self._write(all_steps[order].astype(np.int32))} {self._write(all_neurons[order])}"
            )

    def _inject_now(self) -> None:
        """Bring the injected current of every group up to the present step."""
        while self._timeline and self._timeline[0][0] <= self.step:
            _, group, current = self._timeline.pop(0)
            self._load(f"{group}.injected", current)

    # ---------------------------------------------------------------------------- reading

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        placement = self.lowered.placements[population]
        path = self._spike_files.get(placement.group)
        if path is None:
            return np.empty(0), np.empty(0, dtype=np.int32)
        pairs = np.fromfile(path, dtype=np.int32).reshape(-1, 2)
        mine = (pairs[:, 1] >= placement.start) & (pairs[:, 1] < placement.stop)
        late = self.rules.spike_is_at_end_of_step and placement.group != SOURCES
        times = (pairs[mine, 0] + int(late)) * self.network.time_step
        return times, pairs[mine, 1] - np.int32(placement.start)

    def samples(self, population: int, variable: str) -> np.ndarray:
        recorded, path = self._channels[population, variable]
        values = np.fromfile(path, dtype=np.float64).reshape(-1, len(recorded.neurons))
        if self.rules.sampled_at_the_end_too and self.step % self._interval(recorded) == 0:
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
        return self._save(f"{placement.group}.{variable}")[placement.start : placement.stop]

    def _look_ahead(self, population: int, variable: str) -> np.ndarray:
        """State that a step brings up to date at its beginning: execute the update on a copy."""
        placement = self.lowered.placements[population]
        group = placement.group
        update = self.rules.cells[self.network.populations[population].cell].update
        names = [*update.state, *update.coefficients, "injected"]
        names += ["refractory_left"] if update.refractory else []
        scope: dict[str, object] = {name: self._save(f"{group}.{name}") for name in names}
        size = self.lowered.sizes[group]
        slots = self._save(f"{group}.ring").reshape(self.lowered.slots[group], 2 * size)
        arriving = slots[self.step % len(slots)]
        scope |= {"arriving_exc": arriving[:size], "arriving_inh": arriving[size:]}
        scope |= {
            "clip": np.clip,
            "exp": np.exp,
            "int": lambda condition: np.asarray(condition).astype(np.int64),
        }
        exec(update.update, scope)
        return np.broadcast_to(np.asarray(scope[variable]), (size,))[placement.start : placement.stop]

    def weights(self, projection: int) -> np.ndarray:
        block = self.lowered.blocks[projection]
        weight = self._save(f"{block.owner}.w")[block.position]
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
        for name, value in coefficients(changed, self.rules, self.network.time_step).items():
            self._replace(f"{placement.group}.{name}", placement.start, placement.stop, value)

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        changed = self.network.populations[population]
        changed.initial_values[variable] = values
        placement = self.lowered.placements[population]
        state = initial_state(changed, variable, self.rules, self.network.time_step)
        self._replace(f"{placement.group}.{variable}", placement.start, placement.stop, state)

    def _replace(self, name: str, start: int, stop: int, values: np.ndarray) -> None:
        array = self._save(name)
        array[start:stop] = values
        self._load(name, array)

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
        self._ask(f"save {block.owner}.{name} output.bin")
        array = np.fromfile(self.folder / "output.bin", dtype=values.dtype)
        array[block.position] = values
        self._load(f"{block.owner}.{name}", array)

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
        if self.step and not self.rules.pair_rule.delay_is_dendritic and 0.0 < fraction < 1.0:
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
            return
        axonal, dendritic = split_delay(
            changed, changed.plasticity, steps, self.rules, self.report.changes, at_least=-shift
        )
        self._replace_synapses(projection, "send_steps", dendritic + np.int32(shift))
        if not self.rules.pair_rule.delay_is_dendritic:
            self._replace_synapses(projection, "pre.delay", axonal.astype(float))
        self._replace_synapses(projection, "post.delay", dendritic.astype(float))
        self._ask("prepare")

    def set_injections(self, injections: list[Injection]) -> None:
        self.network.injections = injections
        self._timeline = injected_current(
            injections, self.lowered.placements, self.lowered.sizes, self.network.time_step
        )

    def end(self) -> None:
        if self._engine is not None:
            self.report.facts["engine_memory_mb"] = self._engine.peak_memory()
            self._engine.end()
            self._engine = None
        shutil.rmtree(self.folder, ignore_errors=True)
