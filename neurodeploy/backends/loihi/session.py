"""A running Program: Lava in a process of its own, which ends with this one, and its numbers read back in PyNN's units."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy import cache, toolchains
from neurodeploy.backends.base import Options, Report, Session
from neurodeploy.backends.instructed import InstructedProcess
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.changing import mantissas, membranes, registers, units_per_mantissa
from neurodeploy.backends.loihi.inputs import array_source, poisson_source
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import ARRAYS, PLAN, Compartments, LoihiProgram
from neurodeploy.backends.loihi.stock import beyond_stock
from neurodeploy.chips.loihi import chip_by_name
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError, UnsupportedError
from neurodeploy.hardware import LoihiHardware, load_as
from neurodeploy.models.network import Injection, Network

LOG = "lava.log"

POLITENESS = 20.0
"""Seconds Lava has to stop by itself before it is ended."""

EXTENSION = "lava-nc-loihi"

CURRENTS = {"isyn_exc": 0, "isyn_inh": 1}
"""Row of ``u`` that a variable is."""


class LavaError(RunError):
    """Lava has raised something, as it says it."""


class LavaProcess(InstructedProcess):
    """The process that drives Lava."""

    def __init__(self, folder: Path, interpreter: Path, limit: float) -> None:
        self.interpreter = interpreter
        super().__init__(
            [str(interpreter), "-I", "-B", str(Path(runner.__file__)), str(folder)],
            folder,
            folder / LOG,
            "Lava",
            limit,
            {"MPLCONFIGDIR": str(folder)},
        )

    def failed(self, do: str, message: dict[str, Any]) -> RunError:
        said = message["error"]
        if said.startswith(runner.NO_EXTENSION):
            python = self.interpreter
            return ToolchainMissingError(
                f"Intel's extension of Lava, {EXTENSION}, is not installed beside Lava ({python}), so no chip can be used",
                why="it has the compiler and the drivers of the chips; Intel gives it to members of its Neuromorphic Research"
                " Community alone (intel-nrc.org), and it is on no public index",
                fix=f"on a host of Intel's cloud, '{python} -m pip install {EXTENSION}-<version>.tar.gz'; without a chip, the"
                " same numbers come from --hardware loihi2-sim or loihi1-sim",
            )
        return LavaError(f"Lava could not {do}: {said}")


def say(line: str) -> None:
    """Tell the user what takes long before the first run."""
    print(f"neurodeploy: {line}", file=sys.stderr, flush=True)


def _refuse_learning(program: LoihiProgram) -> None:
    for part in program.synapses:
        if part.learning is not None:
            raise UnsupportedError(
                f"Projection '{part.label}' learns, and Lava is given no process that does",
                fix="make its synapses static, or run it with the brian2 backend",
            )


class LoihiSession(Session):
    """A Network loaded into Lava.  See :class:`neurodeploy.backends.base.Session`."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network, self.options = network, options
        self.hardware = load_as(LoihiHardware, str(options.hardware), options.host, options.faults)
        self.chip = chip_by_name(self.hardware.chip)
        self.report = Report(executed_by=self.hardware.executed_by)
        self.step = 0
        self._lava: LavaProcess | None = None
        self._pending: list[tuple[str, int, str, Any]] = []
        self._read: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
        started = time.perf_counter()
        self.program = lower(network, self.chip.name, options.allow_losses)
        self._membranes = membranes(network, self.chip)
        self.report.changes += self.program.changes
        beyond = beyond_stock(self.program)
        if beyond and self.hardware.processes == "stock":
            raise UnsupportedError(
                f"Lava's stock processes can't run this model: {'; '.join(beyond)}",
                why="a chip has programs for the stock processes alone",
                fix="simplify these, or use --hardware loihi2-sim or loihi1-sim, which run our own processes on this machine",
            )
        _refuse_learning(self.program)
        self.report.wall["build"] = time.perf_counter() - started
        interpreter = Path(self.hardware.python) if self.hardware.python else toolchains.ensure("loihi", say)
        self.folder = cache.session_folder()
        try:
            started = time.perf_counter()
            self.program.write(self.folder)
            machine = json.dumps(self.hardware.model_dump(), indent=1) + "\n"
            (self.folder / runner.MACHINE).write_text(machine, encoding="utf-8")
            self._lava = LavaProcess(self.folder, interpreter, self.hardware.time_limit_seconds)
            facts = self._lava.ask("build", options.progress)
        except BaseException as error:
            raise self._kept(error) from None
        self.report.wall |= {"compile": time.perf_counter() - started, "run": 0.0}
        self.report.facts |= {
            "engine": self.hardware.name,
            "hardware": self.hardware.model_dump(),
            "compiled": False,
            "threads": facts["os_processes"],
            "rules": self.chip.name,
            "network": network.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
            "beyond_stock_processes": beyond,
            **facts,
        }

    # --------------------------------------------------------------------------- failing

    def _kept(self, error: BaseException) -> BaseException:
        """End everything; where the run failed, keep its log and say in the error where it is."""
        self._stop()
        if not isinstance(error, RunError) or isinstance(error, ToolchainMissingError):
            shutil.rmtree(self.folder, ignore_errors=True)
            return error
        place = cache.failure_folder("loihi")
        self._move_to(place)
        what = error.what.replace(str(self.folder), str(place))
        if str(place / LOG) not in what:
            what += f"\n  log: {place / LOG}"
        fix = error.fix or "read the end of the log"
        return type(error)(what, why=error.why, fix=fix)

    def _move_to(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        for name in (PLAN, ARRAYS, runner.MACHINE, LOG):
            if (self.folder / name).exists():
                shutil.move(str(self.folder / name), str(place / name))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self) -> None:
        if self._lava is not None:
            self._lava.kill()
            self._lava = None

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        if self._lava is None:
            raise RunError("This simulation has ended", fix="call setup() or reset() and run again")
        try:
            return self._lava.ask(do, self.options.progress, **more)
        except BaseException as error:
            raise self._kept(error) from None

    def _arrays(self, do: str, **more: Any) -> dict[str, np.ndarray]:
        """Ask for arrays, after the changes that wait; the same question in the same state is asked once."""
        self._tell()
        key = (do, *sorted(more.items()))
        if key not in self._read:
            answer = self._ask(do, **more)
            with np.load(self.folder / answer["arrays"]) as arrays:
                self._read[key] = dict(arrays)
        return self._read[key]

    # -------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        started = time.perf_counter()
        self._draw(self.step, self.step + steps)
        self._tell()
        self._ask("run", steps=steps)
        self.step += steps
        self._read.clear()
        self.report.wall["run"] += time.perf_counter() - started

    def _draw(self, begin: int, end: int) -> None:
        """Hand over the Poisson spikes of steps `begin` to `end`."""
        for position, population in enumerate(self.network.populations):
            if population.cell == "SpikeSourcePoisson":
                drawn = poisson_source(self.network, position, begin, end)
                self._change("spikes", position, "", (drawn.steps, drawn.neurons))

    def _change(self, kind: str, position: int, name: str, value: Any) -> None:
        self._pending.append((kind, position, name, value))

    def _tell(self) -> None:
        """Tell Lava what has changed."""
        if not self._pending:
            return
        changes, arrays = [], {}
        for number, (kind, position, name, value) in enumerate(self._pending):
            key: Any = f"change{number}"
            if kind == "spikes":
                key = [f"{key}.steps", f"{key}.neurons"]
                arrays[key[0]], arrays[key[1]] = value
            else:
                arrays[key] = value
            changes.append([kind, position, name, key])
        self._pending.clear()
        self._read.clear()
        np.savez(self.folder / runner.CHANGES, **arrays)
        self._ask("change", changes=changes)

    # -------------------------------------------------------------------------- reading

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        if not any(r.population == population and r.variable == "spikes" for r in self.network.recorded):
            return np.empty(0), np.empty(0, dtype=np.int32)
        found = self._arrays("spikes", group=population)
        return found["steps"] * self.network.time_step, found["neurons"].astype(np.int32)

    def samples(self, population: int, variable: str) -> np.ndarray:
        number = next(
            k
            for k, (group, name, _) in enumerate(self.program.recorded)
            if (group, name) == (population, variable)
        )
        recorded = next(
            r for r in self.network.recorded if (r.population, r.variable) == (population, variable)
        )
        neurons = self.program.recorded[number][2]
        every = round(recorded.sampling_interval / self.network.time_step)
        return self._in_units(
            population, variable, self._arrays("samples", recorded=number)["values"][::every], neurons
        )

    def state(self, population: int, variable: str) -> np.ndarray:
        size = self.network.populations[population].size
        values = self._arrays("state", group=population, name=self._register(population, variable))["values"]
        if variable in CURRENTS:
            values = values[min(CURRENTS[variable], len(values) - 1)]
        return self._in_units(population, variable, values, np.arange(size))

    def _register(self, population: int, variable: str) -> str:
        cells = self.network.populations[population]
        group = self.program.groups[population]
        known = ["v"] if isinstance(group, Compartments) else []
        known += list(CURRENTS) if isinstance(group, Compartments) and len(group.du) == 2 else []
        if variable not in known:
            raise UnsupportedError(
                f"Population '{cells.label}': {variable} is not to be had on Loihi",
                why="its neurons have one current for both receptors"
                if variable in CURRENTS and known
                else "",
                fix=f"use one of: {', '.join(known)}" if known else "read its spikes",
            )
        return "u" if variable in CURRENTS else "v"

    def _in_units(
        self, population: int, variable: str, values: np.ndarray, neurons: np.ndarray
    ) -> np.ndarray:
        units = self.program.units[population]
        assert units is not None
        if variable == "v":
            return np.asarray(units.v_zero[neurons] + values / units.v_scale[neurons])
        return np.asarray(values / units.i_scale[neurons])

    def weights(self, projection: int) -> np.ndarray:
        mine = self.network.projections[projection]
        weight = np.array(mine.weight, dtype=float)
        membrane, units = self._membranes[mine.post], self.program.units[mine.post]
        for k, part in enumerate(self.program.synapses):
            if part.projection == projection and membrane is not None and units is not None:
                step = units_per_mantissa(self.network, part, membrane, float(units.i_scale[0]))
                weight[part.members] = self._arrays("mantissa", synapses=k)["values"] * step
        return weight

    # ------------------------------------------------------------------------- changing

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        changed = self.network.populations[population]
        if changed.is_source:
            changed.parameters = parameters
            return
        before = changed.parameters
        changed.parameters = parameters
        try:
            self._load_registers(population)
        except RequestError:
            changed.parameters = before
            raise

    def _load_registers(self, population: int) -> None:
        """Bring a population's registers in line with its parameters; v and the currents keep their values in PyNN's units."""
        fresh = registers(self.network, population, self.program)
        present, units = self.program.groups[population], self.program.units[population]
        assert isinstance(present, Compartments) and units is not None
        if not np.array_equal(units.v_scale, fresh.units.v_scale) or not np.array_equal(
            units.v_zero, fresh.units.v_zero
        ):
            voltage = self.state(population, "v")
            v = np.rint((voltage - fresh.units.v_zero) * fresh.units.v_scale)
            self._change("values", population, "v", self._within(population, "v", v))
        for name, values in fresh.values.items():
            if not np.array_equal(values, getattr(present, name)):
                setattr(present, name, values)
                self._change("values", population, name, values)
        for k, mantissa in fresh.mantissas:
            if not np.array_equal(mantissa, self.program.synapses[k].mantissa):
                self.program.synapses[k].mantissa = mantissa
                self._change("mantissa", k, "", mantissa)
        self.program.units[population] = fresh.units
        self._membranes = membranes(self.network, self.chip)

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        register, units = self._register(population, variable), self.program.units[population]
        assert units is not None
        self.network.populations[population].initial_values[variable] = values
        if variable == "v":
            wanted = np.rint((np.asarray(values, dtype=float) - units.v_zero) * units.v_scale)
            self._change("values", population, "v", self._within(population, "v", wanted))
            return
        u = self._arrays("state", group=population, name=register)["values"].copy()
        u[CURRENTS[variable]] = self._within(population, variable, np.rint(values * units.i_scale))
        self._change("values", population, "u", u)

    def _within(self, population: int, variable: str, values: np.ndarray) -> np.ndarray:
        """`values` as integers; raises where one does not fit the chip's 24 bits."""
        over = np.flatnonzero(~(np.abs(values) <= self.chip.largest_state))
        if over.size:
            raise RequestError(
                f"Population '{self.network.populations[population].label}': {variable} of neuron {over[0]} would be"
                f" {values[over[0]]:,.0f} of the chip's units; it has {self.chip.largest_state:,} at most",
                why="the scale is chosen so that thresholds and weights use their bits",
                fix="set a value nearer to the threshold",
            )
        return values.astype(np.int64)

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        self.network.populations[population].spike_times = spike_times
        source = array_source(self.network, population, self.report.changes)
        ahead = source.steps >= self.step
        self._change("spikes", population, "", (source.steps[ahead], source.neurons[ahead]))

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        changed = self.network.projections[projection]
        before, changed.weight = changed.weight, weight
        try:
            found = mantissas(self.network, projection, self.program)
        except RequestError:
            changed.weight = before
            raise
        for k, mantissa in found:
            self.program.synapses[k].mantissa = mantissa
            self._change("mantissa", k, "", mantissa)

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        raise UnsupportedError(
            f"Projection '{self.network.projections[projection].label}': its delays can't be changed on Loihi once a run has"
            " begun",
            why="they are part of what is compiled, relays included",
            fix="set the delays before the first run, call reset() first, or run it with the brian2 backend",
        )

    def set_injections(self, injections: list[Injection]) -> None:
        had = {injection.population for injection in self.network.injections}
        self.network.injections = [self._from_now_on(injection) for injection in injections]
        for population in sorted(had | {injection.population for injection in injections}):
            self._load_registers(population)

    def _from_now_on(self, injection: Injection) -> Injection:
        """A current as it is from the present on: what was before is over."""
        now = self.step * self.network.time_step
        over = int(np.searchsorted(injection.times, now, side="right")) - 1
        if over < 0:
            return injection
        times = np.concatenate([[0.0], injection.times[over + 1 :]])
        return Injection(injection.population, injection.neurons, times, injection.amplitudes[over:])

    # --------------------------------------------------------------------------- ending

    def end(self) -> None:
        if self._lava is not None:
            with contextlib.suppress(RunError):
                self._lava.ask("end", limit=POLITENESS)
        self._stop()
        if not self.folder.exists():
            return
        if self.options.folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self._move_to(self.options.folder)
