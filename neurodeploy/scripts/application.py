"""``neurodeploy run SCRIPT.py``: a stranger's PyNN script, executed whole on a backend, and what it recorded as a run directory.

The script runs in this process with its own arguments, in the present folder, and prints what it prints.  Where it imports a
simulator, it is given this package's front end; what the command line says goes before what its ``setup`` says.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.backends.base import Progress, Report
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.costs import Costs, rates_of_spikes
from neurodeploy.errors import NeurodeployError, RequestError, RunError
from neurodeploy.models.network import Network
from neurodeploy.models.pynn import control, simulator
from neurodeploy.models.pynn.stand_in import Host, execute, failure_of
from neurodeploy.options import RunOptions
from neurodeploy.recording import command_line, default_folder, provenance, run_directory, write_json

TERMINATED = 143
"""Exit code of a command that was told to end, as shells have it."""

DEFAULT_BACKEND = "brian2"
"""Where neither the command line nor the script names one."""


@dataclass
class Simulation:
    """One simulation of a script, from ``setup`` or ``reset`` to the next, or to its end.

    Attributes
    ----------
    network : Network
    backend : str
    rules : str
    report : Report
    steps : int
    spikes : dict of str to (ndarray, ndarray)
        Population -> times in ms and neurons, of what was recorded.
    voltages : dict of str to (ndarray, ndarray, float)
        Population -> samples (time by neuron), the neurons' numbers, ms between samples.
    weights : dict of str to ndarray
        Projection that learns -> weights at the end.
    costs : Costs
    """

    network: Network
    backend: str
    rules: str
    report: Report
    steps: int
    spikes: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    voltages: dict[str, tuple[np.ndarray, np.ndarray, float]] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    @property
    def duration(self) -> float:
        """ms of model time."""
        return self.steps * self.network.time_step

    @property
    def mapped_only(self) -> bool:
        return bool(self.report.facts.get("mapped_only"))


class RunningHost(Host):
    """Executes a script on a backend, and keeps what each of its simulations recorded."""

    def __init__(self, options: RunOptions, backend: str | None, folder: Path, progress: Progress | None):
        self.options, self.backend, self.folder, self.progress = options, backend, folder, progress
        self.notes = []
        self.simulations: list[Simulation] = []
        self.replaced = {"reset": self.reset}

    def setup(self, timestep: float, min_delay: Any, extra: dict[str, Any]) -> int:
        self.collect()
        given = self.options
        chosen = self.backend or extra.get("backend") or DEFAULT_BACKEND
        said = {
            "rules": given.rules,
            "hardware": given.hardware,
            "host": given.host,
            "threads": given.threads or None,
            "progress": self.progress,
        }
        if self.backend is not None and self.backend != extra.get("backend"):
            for name in ("hardware", "host", "engine"):  # the script's are for another backend
                extra.pop(name, None)
        if isinstance(chosen, str) and extra.get("rules") is None:
            extra["rules"] = registry.load(chosen).only_rules
        extra |= {name: value for name, value in said.items() if value is not None}
        extra |= {"backend": chosen, "engine": extra.get("engine", given.engine)}
        extra.setdefault("seed", given.seed)
        rank = control.setup(timestep, min_delay, **extra)
        chosen_options = simulator.state.options
        chosen_options.faults = given.faults
        chosen_options.allow_losses = chosen_options.allow_losses or given.allow_losses
        number = f"-{len(self.simulations) + 1}" if self.simulations else ""
        chosen_options.folder = self.folder / f"{getattr(chosen, 'name', chosen)}{number}"
        return rank

    def reset(self, annotations: dict[str, Any] | None = None) -> None:
        self.collect()
        control.reset(annotations)

    def collect(self) -> None:
        """Keep what the present simulation has recorded, if it has run."""
        state = simulator.state
        session, network, backend = state.session, state.network, state.backend
        if session is None or network is None or backend is None or not state.steps:
            return
        options = replace(state.options, progress=None)
        found = Simulation(network, backend.name, options.rules, session.report, state.steps)
        for recorded in network.recorded:
            label = network.populations[recorded.population].label
            if recorded.variable == "spikes":
                found.spikes[label] = session.spikes(recorded.population)
            elif recorded.variable == "v":
                values = session.samples(recorded.population, "v")
                found.voltages[label] = (values, recorded.neurons, recorded.sampling_interval)
        for position, projection in enumerate(network.projections):
            if projection.plasticity is not None and not found.mapped_only:
                found.weights[projection.label] = session.weights(position)
        rates = rates_of_spikes({} if found.mapped_only else found.spikes, network, found.duration)
        found.costs = backend.costs(network, options, state.steps, rates)
        self.simulations.append(found)


@dataclass
class Result:
    """What the command line shows of a run of a script."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich.markup import escape

        m = self.data
        lines: list[Any] = []
        for number, one in enumerate(m["simulations"], 1):
            which = f"simulation {number} of {len(m['simulations'])}: " if len(m["simulations"]) > 1 else ""
            lines.append(
                f"{which}{one['neurons']:,} neurons, {one['synapses']:,} synapses, {one['model_time_ms']:g} ms of model"
                f" time, {sum(one['spikes'].values()):,} recorded spikes"
            )
            lines += [f"[yellow]changed:[/] {escape(change)}" for change in one["changes"]]
        lines += [f"[yellow]note:[/] {escape(note)}" for note in m["notes"]]
        stamp = (
            "mapped only, nothing was run"
            if m["mapped_only"]
            else f"executed by: [bold]{m['executed_by']}[/]"
        )
        lines.append(f"{stamp} ({m['backend']}, {m['rules']} rules)")
        lines.append(f"results in {escape(str(self.folder))}")
        return lines


def run_script(
    options: RunOptions, backend: str | None, script: Path, arguments: list[str], progress: Progress | None
) -> Result:
    """Execute `script`, and write the run directory.

    Raises
    ------
    RequestError
        There is no such script, or it runs no simulation.
    NeurodeployError
        What the front end or the backend refuses, with the script's line.
    RunError
        The script fails by a fault of its own.
    """
    from neurodeploy.scripts.page import page

    if not script.is_file():
        raise RequestError(f"There is no script {script}", fix="give the path of a PyNN script")
    keep_matplotlib_files()
    os.environ["MPLBACKEND"] = "Agg"
    started = time.perf_counter()
    wanted = (options.out or default_folder(f"{script.stem}-{backend or 'script'}")).absolute()
    with run_directory(wanted) as folder:
        host = RunningHost(options, backend, folder, progress)
        with printing(options.as_json), at_its_line(script):
            execute(str(script), arguments, host)
        host.collect()
        simulator.state.close()
        logging.getLogger().setLevel(logging.WARNING)  # a script's own may ask for more, of all libraries
        if not host.simulations:
            raise RequestError(f"{script} never calls run()", fix="give a script that runs a simulation")
        data = write(folder, script, host)
        data["wall_seconds"] = time.perf_counter() - started
        write_json(folder / "metrics.json", data)
        last = host.simulations[-1]
        run = provenance(
            command_line(),
            executed_by=data["executed_by"],
            backend=last.backend,
            rules=last.rules,
            engine=last.report.facts.get("engine"),
            seed=[one.network.seed for one in host.simulations],
            time_step_ms=[one.network.time_step for one in host.simulations],
            network_sha256=[one.network.digest() for one in host.simulations],
            hardware=last.report.facts.get("hardware"),
            spynnaker=last.report.facts.get("spynnaker"),
            lava=last.report.facts.get("lava"),
        )
        write_json(folder / "run.json", run)
        page(script.name, host.simulations, data, run, folder).write(folder)
    return Result(data, wanted)


@contextlib.contextmanager
def printing(aside: bool) -> Iterator[None]:
    """Where the script prints: on standard output, or `aside` on standard error."""
    with contextlib.redirect_stdout(sys.stderr) if aside else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def at_its_line(script: Path) -> Iterator[None]:
    """Turn what the script raises into an error that names its line; leaving by ``exit()`` or ``exit(0)`` is none."""
    try:
        yield
    except SystemExit as error:
        if error.code == TERMINATED:
            raise
        if error.code not in (None, 0):
            raise RunError(
                f"{script} ends with exit({error.code})", fix="its own arguments come after --"
            ) from error
    except Exception as error:
        failure = failure_of(error, script.resolve())
        where = f"{script}, line {failure.line}" if failure.line else str(script)
        if isinstance(error, NeurodeployError):
            raise type(error)(f"{where}: {failure.what}", why=failure.why, fix=failure.fix) from error
        shown = f"\n  {failure.source}" if failure.source else ""
        raise RunError(f"{where}: {failure.what}{shown}", fix="mend the script") from error


def write(folder: Path, script: Path, host: RunningHost) -> dict[str, Any]:
    """The files of every simulation; the last one's have no number.  Returns what ``metrics.json`` has."""
    for number, one in enumerate(host.simulations, 1):
        suffix = "" if number == len(host.simulations) else f"-{number}"
        if one.mapped_only:
            write_json(folder / f"mapping{suffix}.json", mapping(one.report))
            continue
        write_spikes(folder / f"spikes{suffix}.csv", one)
        if one.weights:
            np.savez_compressed(folder / f"weights{suffix}.npz", **one.weights)  # type: ignore[arg-type]
    facts = [facts_of(one) for one in host.simulations]
    last = host.simulations[-1]
    return {
        "model": script.name,
        "executed_by": last.report.executed_by,
        "backend": last.backend,
        "rules": last.rules,
        "mapped_only": last.mapped_only,
        "spikes": facts[-1]["spikes"],
        "model_time_ms": facts[-1]["model_time_ms"],
        "simulations": facts,
        "notes": list(dict.fromkeys(host.notes)),
    }


def facts_of(one: Simulation) -> dict[str, Any]:
    """What is countable of a simulation."""
    return {
        "neurons": one.network.neuron_count,
        "synapses": one.network.synapse_count,
        "time_step_ms": one.network.time_step,
        "model_time_ms": one.duration,
        "spikes": {label: len(times) for label, (times, _) in one.spikes.items()},
        "wall_seconds": one.report.wall,
        "cores": one.report.facts.get("cores"),
        "chips": one.report.facts.get("chips"),
        "changes": one.report.changes,
        "costs": one.costs.data,
    }


def mapping(report: Report) -> dict[str, Any]:
    """Where a model went that was mapped and not run, as ``mapping.json`` has it."""
    return {
        "cores": report.facts["cores"],
        "chips": report.facts["chips"],
        "sdram_bytes": sum(vertex["sdram_bytes"] for vertex in report.facts["mapping"]),
        "vertices": report.facts["mapping"],
    }


def write_spikes(path: Path, one: Simulation) -> None:
    """``time_ms,population,neuron``, by time, then population, then neuron."""
    labels = list(one.spikes)
    rows = [
        (float(at), rank, int(neuron))
        for rank, label in enumerate(labels)
        for at, neuron in zip(*one.spikes[label], strict=True)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("time_ms", "population", "neuron"))
        writer.writerows((f"{at:.9g}", labels[rank], neuron) for at, rank, neuron in sorted(rows))
