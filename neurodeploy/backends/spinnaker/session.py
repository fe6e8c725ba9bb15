"""A running Program: the machine where it is emulated, and the runner, each a process that ends with this one."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy import cache
from neurodeploy.backends.base import Options, Report, Session
from neurodeploy.backends.instructed import InstructedProcess
from neurodeploy.backends.spinnaker import board, failures, provenance, runner
from neurodeploy.backends.spinnaker.board.process import BoardProcess
from neurodeploy.backends.spinnaker.lower import (
    array_spikes,
    check_values,
    lower,
    native_cell,
    state_sign,
    store_spikes,
    timeline,
)
from neurodeploy.backends.spinnaker.program import REPORTS
from neurodeploy.backends.spinnaker.weights import weights_on_grid
from neurodeploy.errors import RunError, ToolchainMissingError, UnsupportedError
from neurodeploy.findings import LOST, VANISHED
from neurodeploy.hardware import SpinnakerHardware, load_as
from neurodeploy.models.network import Injection, Network, weight_sign
from neurodeploy.models.sources import poisson_spikes

TOOLS_LOG = "spynnaker.log"
BOARD_LOG = "board.log"
INSTALL = "pip install 'neurodeploy[spinnaker]'"

POLITENESS = 20.0
"""Seconds the runner has to leave a machine in order before it is ended."""


class ToolsError(RunError):
    """sPyNNaker has raised something, as it says it."""

    def __init__(self, doing: str, message: str, cores: dict[tuple[int, int, int], str]) -> None:
        super().__init__(f"sPyNNaker could not {doing}: {message}")
        self.doing, self.message, self.cores = doing, message, cores


class Runner(InstructedProcess):
    """The process that drives sPyNNaker."""

    def __init__(self, folder: Path, limit: float) -> None:
        super().__init__(
            [sys.executable, "-I", str(Path(runner.__file__)), str(folder)],
            folder,
            folder / TOOLS_LOG,
            "sPyNNaker",
            limit,
            {"HOME": str(folder / "home"), "MPLCONFIGDIR": str(cache.cache_folder() / "matplotlib")},
        )

    def failed(self, do: str, message: dict[str, Any]) -> RunError:
        said = message["error"]
        if said.startswith("ModuleNotFoundError"):
            return ToolchainMissingError(f"sPyNNaker is not installed: {said}", fix=INSTALL)
        cores = message.get("cores", [])
        return ToolsError(do, said, {(x, y, core): name for x, y, core, name in cores})


def start_board(
    hardware: SpinnakerHardware, log: Path, stack: ExitStack, facts: dict[str, Any]
) -> tuple[str | None, BoardProcess | None]:
    """The address of the machine; an emulated one without an address is started, and ends with `stack`."""
    if hardware.machine != "emulated" or hardware.host is not None:
        return hardware.host, None
    started = stack.enter_context(BoardProcess(version=hardware.version, log=log, faults=hardware.faults))
    facts["board_engine"] = started.engine
    facts |= {"faults": hardware.faults} if hardware.faults else {}
    return started.address, started


class SpinnakerSession(Session):
    """A Network loaded into sPyNNaker.  See :class:`neurodeploy.backends.base.Session`.

    Parameters
    ----------
    network : Network
    options : Options
    hardware : SpinnakerHardware, optional
        The machine, where it is not the one that the options name.
    """

    def __init__(self, network: Network, options: Options, hardware: SpinnakerHardware | None = None) -> None:
        self.network, self.options = network, options
        self.hardware = hardware or load_as(
            SpinnakerHardware, str(options.hardware), options.host, options.faults
        )
        self.report = Report(executed_by=self.hardware.executed_by)
        self.step = self._until = self._end = 0
        self._stack = ExitStack()
        self._runner: Runner | None = None
        self._address: str | None = None
        self._board: BoardProcess | None = None
        self._pending: dict[tuple[str, int, str], Any] = {}
        self._read: dict[tuple[Any, ...], Any] = {}
        self.losses: list[provenance.Finding] = []
        started = time.perf_counter()
        self.program = lower(network, options.rules, self.hardware, options.allow_losses)
        self.report.changes += self.program.changes
        self._timeline = list(self.program.timeline)
        self.report.wall["build"] = time.perf_counter() - started
        self.folder = cache.session_folder()
        try:
            started = time.perf_counter()
            self._address, self._board = start_board(
                self.hardware, self.folder / BOARD_LOG, self._stack, self.report.facts
            )
            self.program.write(self.folder, self.hardware, self._address)
            self._runner = Runner(self.folder, self.hardware.time_limit_seconds)
            self._runner.meanwhile = self._say_how_far
            versions = self._runner.ask("build", options.progress)
        except BaseException as error:
            raise self._kept(error) from None
        self.report.wall |= {"compile": time.perf_counter() - started, "run": 0.0}
        self.report.facts |= {
            "engine": self.hardware.name,
            "hardware": self.hardware.model_dump(),
            "compiled": False,
            "threads": 1,
            "rules": options.rules,
            "network": network.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
            "mapped_only": self.hardware.machine == "virtual",
            **versions,
        }

    # --------------------------------------------------------------------------- failing

    def _kept(self, error: BaseException) -> BaseException:
        """End everything; where the run failed, keep its logs and say in the error where they are."""
        if not isinstance(error, RunError) or isinstance(error, ToolchainMissingError):
            self._stop()
            shutil.rmtree(self.folder, ignore_errors=True)
            return error
        self._stop()
        if isinstance(error, ToolsError):
            labels = [population.label for population in self.network.populations]
            log = failures.read_log(self.folder / TOOLS_LOG)
            error = failures.explained(
                error.message,
                failures.Situation(error.doing, labels, self.hardware, self._address, error.cores, log),
            )
        place = cache.failure_folder("spinnaker")
        self._move_to(place)
        moved = error.what.replace(str(self.folder), str(place))
        files = [name for name in (TOOLS_LOG, BOARD_LOG) if (place / name).exists() and name not in moved]
        if files:
            moved += "".join(f"\n  log: {place / name}" for name in files)
        return type(error)(moved, why=error.why, fix=error.fix)

    def _move_to(self, place: Path) -> None:
        """Move what a reader may want from the working folder to `place`, and remove the rest."""
        place.mkdir(parents=True, exist_ok=True)
        for name in ("program.json", "arrays.npz", "spynnaker.cfg", TOOLS_LOG, BOARD_LOG, REPORTS):
            if (self.folder / name).exists():
                shutil.move(str(self.folder / name), str(place / name))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self) -> None:
        if self._runner is not None:
            self._runner.kill()
            self._runner = None
        self._stack.close()

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        if self._runner is None:
            raise RunError("This simulation has ended", fix="call setup() or reset() and run again")
        try:
            return self._runner.ask(do, self.options.progress, **more)
        except BaseException as error:
            raise self._kept(error) from None

    def _arrays(self, do: str, **more: Any) -> dict[str, np.ndarray]:
        """Ask for arrays; the same question in the same step is asked once."""
        key = (do, *sorted(more.items()))
        if key not in self._read:
            answer = self._ask(do, **more)
            with np.load(self.folder / answer["arrays"]) as arrays:
                self._read[key] = dict(arrays)
        found: dict[str, np.ndarray] = self._read[key]
        return found

    # -------------------------------------------------------------------------- running

    def run(self, steps: int) -> None:
        started = time.perf_counter()
        end = self.step + steps
        while self.step < end:
            self._inject_now()
            upcoming = [step for step, _, _ in self._timeline if step > self.step]
            self._run_piece(min([end, *upcoming[:1]]), end)
        self.report.wall["run"] += time.perf_counter() - started

    def _run_piece(self, until: int, end: int) -> None:
        first = self.step == 0
        self._until, self._end = until, end
        self._draw(self.step, until)
        changes, arrays = [], {}
        for number, ((kind, population, name), value) in enumerate(self._pending.items()):
            key: Any = f"change{number}"
            if kind == "spikes":
                key = [f"{key}.steps", f"{key}.neurons"]
                arrays[key[0]], arrays[key[1]] = value
            else:
                arrays[key] = value
            changes.append([kind, population, name, key])
        self._pending.clear()
        np.savez(self.folder / "changes.npz", **arrays)  # type: ignore[arg-type]
        news: dict[str, Any] = {"changes": changes, "arrays": "changes.npz"}
        if first:
            self._judge_weights(self._ask("describe", **news)["weight_steps"])
            news["changes"] = []
        if self.options.progress:
            self.options.progress("run", self.step, end)
        answer = self._ask("run", steps=until - self.step, **news)
        self.step = until
        self._read.clear()
        if self.options.progress:
            self.options.progress("run", self.step, end)
        if first:
            self._describe_mapping()
        if not self.report.facts["mapped_only"]:
            self.report.executed_by = "emulated" if answer["machine"] == board.NAME else "silicon"
            self._judge(Path(answer["reports"]))

    def _say_how_far(self) -> None:
        """Progress while sPyNNaker runs, where the board is one that says its time."""
        passed = self._board.so_far() if self._board is not None and self.options.progress else None
        if passed is not None and self.options.progress:
            steps = int(passed / self.network.time_step / self.program.plan["time_scale_factor"])
            self.options.progress("run", min(self.step + steps, self._until), self._end)

    def _draw(self, begin: int, end: int) -> None:
        """Hand over the Poisson spikes of steps `begin` to `end`."""
        time_step = self.network.time_step
        for position, entry in enumerate(self.program.plan["populations"]):
            if not entry.get("drawn"):
                continue
            parameters = self.network.populations[position].parameters
            times, neurons = poisson_spikes(
                **{name: parameters[name] for name in ("rate", "start", "duration")},
                seed=self.network.seed,
                population=position,
                begin=begin * time_step,
                end=end * time_step,
            )
            steps = np.clip(np.floor(times / time_step).astype(np.int64), begin, end - 1)
            self._pending["spikes", position, ""] = (steps, neurons)

    def _inject_now(self) -> None:
        while self._timeline and self._timeline[0][0] <= self.step:
            _, position, current = self._timeline.pop(0)
            self._pending["parameter", position, "i_offset"] = current

    def _describe_mapping(self) -> None:
        mapping = self._ask("mapping")
        names = {entry["name"]: entry["label"] for entry in self.program.plan["populations"]}
        for vertex in mapping["vertices"]:
            vertex["population"] = names.get(vertex["population"], vertex["population"])
        chips = {tuple(vertex["chip"]) for vertex in mapping["vertices"]}
        self.report.facts |= {
            "cores": len(mapping["vertices"]),
            "chips": len(chips),
            "mapping": mapping["vertices"],
        }

    def _judge_weights(self, steps: dict[str, float]) -> None:
        """Say how weights are rounded; fail on those that vanish or are cut, unless the user allows it."""
        for position, step in ((int(key), value) for key, value in steps.items()):
            projection = self.network.projections[position]
            target = self.network.populations[projection.post]
            finding = weights_on_grid(projection, target.label, step, self.hardware, target.largest_sums)
            if finding.error is not None:
                if not self.options.allow_losses:
                    raise self._kept(finding.error)
                self.report.changes.append(f"{VANISHED}{finding.error.what}")
            self.report.changes += finding.changes

    def _judge(self, reports: Path) -> None:
        """Fail on anything late, lost or saturated, unless the user allows it."""
        labels = [population.label for population in self.network.populations]
        try:
            self.losses = provenance.read(reports, labels)
        except RunError as error:
            if not self.options.allow_losses:
                raise self._kept(error) from None
            self.losses = [provenance.Finding("sPyNNaker", 1, "counters that could not be read")]
            self.report.changes.append(error.what)
            return
        if not self.losses:
            return
        if not self.options.allow_losses:
            failure = RunError(
                "The machine was late or lost something:\n"
                + "\n".join(f"  {finding}" for finding in self.losses)
                + f"\n  log: {self.folder / TOOLS_LOG}",
                why="results that lack spikes are not the model's",
                fix="put fewer neurons on a core, raise time_scale_factor, or incoming_spike_buffer where that was full"
                " (a hardware file of your own), or keep such a run with --allow-losses",
            )
            raise self._kept(failure)
        self.report.changes += [f"{LOST}{finding}" for finding in self.losses]

    # -------------------------------------------------------------------------- reading

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        neurons = [
            r.neurons for r in self.network.recorded if r.population == population and r.variable == "spikes"
        ]
        if not neurons or not self.step or self.report.facts["mapped_only"]:
            return np.empty(0), np.empty(0, dtype=np.int32)
        found = self._arrays("spikes", population=population)
        wanted = np.isin(found["neurons"], neurons[0]) & (found["steps"] < self.step)
        steps, numbers = found["steps"][wanted], found["neurons"][wanted]
        order = np.lexsort((numbers, steps))
        return steps[order] * self.network.time_step, numbers[order]

    def samples(self, population: int, variable: str) -> np.ndarray:
        recorded = next(
            r for r in self.network.recorded if (r.population, r.variable) == (population, variable)
        )
        if not self.step or self.report.facts["mapped_only"]:
            return np.empty((0, len(recorded.neurons)))
        cell = native_cell(self.network.populations[population])
        found = self._arrays("samples", population=population, variable=cell.recordable[variable])
        return np.asarray(found["values"].reshape(-1, len(recorded.neurons)) * state_sign(cell, variable))

    def state(self, population: int, variable: str) -> np.ndarray:
        cell = native_cell(self.network.populations[population])
        if variable not in cell.initial:
            raise UnsupportedError(
                f"Population '{self.network.populations[population].label}': {variable} can't be read on SpiNNaker",
                fix=f"read one of: {', '.join(cell.initial)}",
            )
        if not self.step or self.report.facts["mapped_only"]:
            size = self.network.populations[population].size
            initial = self.network.populations[population].initial_values.get(variable, np.zeros(size))
            return np.asarray(initial, dtype=float)
        found = self._arrays("state", population=population, variable=cell.initial[variable])
        return np.asarray(found["values"] * state_sign(cell, variable))

    def weights(self, projection: int) -> np.ndarray:
        mine = self.network.projections[projection]
        if not mine.size or not self.step or self.report.facts["mapped_only"]:
            return np.asarray(mine.weight, dtype=float)
        found = self._arrays("weights", projection=projection)
        if len(found["weight"]) != mine.size:
            raise RunError(
                f"Projection '{mine.label}': the machine has {len(found['weight'])} synapses instead of {mine.size}"
            )
        weight = np.empty(mine.size)
        there = np.lexsort((found["delay"], found["post"], found["pre"]))
        weight[np.lexsort((mine.delay, mine.post_index, mine.pre_index))] = np.abs(found["weight"][there])
        return weight * weight_sign(self.network, mine)

    # ------------------------------------------------------------------------- changing

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        changed = self.network.populations[population]
        for name, values in parameters.items():
            check_values(changed, name, values)
            if np.array_equal(values, changed.parameters.get(name, ())):
                continue
            if not self.program.plan["populations"][population].get("drawn"):
                self._pending["parameter", population, name] = np.asarray(values, dtype=float)
        changed.parameters = parameters
        if "i_offset" in parameters:
            self._restart_currents(population)

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        changed = self.network.populations[population]
        cell = native_cell(changed)
        if variable not in cell.initial:
            raise UnsupportedError(
                f"Population '{changed.label}': {variable} can't be set on SpiNNaker",
                fix=f"set one of: {', '.join(cell.initial)}",
            )
        check_values(changed, variable, values)
        changed.initial_values[variable] = values
        sign = state_sign(cell, variable)
        self._pending["state", population, cell.initial[variable]] = sign * np.asarray(values, dtype=float)
        self._read.clear()

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        self.network.populations[population].spike_times = spike_times
        steps, neurons = array_spikes(self.network, population, self.report.changes)
        ahead = steps >= self.step
        arrays: dict[str, np.ndarray] = {}
        names = store_spikes(arrays, population, steps[ahead], neurons[ahead])
        self._pending["spikes", population, ""] = tuple(arrays[name] for name in names)

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        self._fixed(projection, "weights")

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        self._fixed(projection, "delays")

    def _fixed(self, projection: int, what: str) -> None:
        raise UnsupportedError(
            f"Projection '{self.network.projections[projection].label}': its {what} can't be changed on SpiNNaker"
            " once a run has begun",
            why="sPyNNaker loads synapses when a model starts, and not again",
            fix=f"set the {what} before the first run, call reset() first, or run it with the brian2 backend",
        )

    def set_injections(self, injections: list[Injection]) -> None:
        had = {injection.population for injection in self.network.injections}
        self.network.injections = injections
        for population in had | {injection.population for injection in injections}:
            self._restart_currents(population)

    def _restart_currents(self, population: int) -> None:
        """Bring ``i_offset`` of a population in line with its parameter and all injections."""
        present = np.asarray(self.network.populations[population].parameters["i_offset"], dtype=float)
        everything = timeline(self.network, self.network.injections)
        for step, position, current in everything:
            if position == population and step <= self.step:
                present = current
        self._pending["parameter", population, "i_offset"] = present
        self._timeline = [entry for entry in everything if entry[0] > self.step]

    # --------------------------------------------------------------------------- ending

    def end(self) -> None:
        if self._runner is not None:
            with contextlib.suppress(RunError):
                self._runner.ask("end", limit=POLITENESS)
        self._stop()
        if not self.folder.exists():
            return
        if self.options.folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self._move_to(self.options.folder)
