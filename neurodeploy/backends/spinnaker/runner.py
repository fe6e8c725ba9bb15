"""Runs a Program under sPyNNaker: a plain script that imports NumPy and sPyNNaker alone, in a process of its own.

Started with the Program's folder as its only argument.  It takes one JSON object a line on standard input and gives
one a line on standard output: ``{"progress": [stage, done, total]}`` any number of times, then ``{"done": {...}}`` or
``{"error": ...}``.  What the tools print goes to standard error.  Arrays travel as ``.npz`` files in the folder.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BELOW = 1e-6
"""Share of a time step that keeps times from being rounded up to the next tick."""


SILENCE = 60.0
"""Seconds without an answer after which a machine is given up; one request, ten times 5 s at most, is over before."""


def uniform(values: np.ndarray) -> Any:
    """One number where all are the same, else a list."""
    return float(values[0]) if len(values) and not np.ptp(values) else [float(value) for value in values]


def lengthen_rings(targets: list[Any]) -> None:
    """Give the vertices `targets` a ring buffer twice as long as sPyNNaker 7.4.1 does.

    It counts the slots for a longest delay of n steps as if delays began at 0: with n a power of two, one too few,
    and a plastic synapse with that delay is left out by the chip.
    """
    from spynnaker.pyNN.models import neuron

    kind: Any = neuron.PopulationVertex
    own = kind.max_delay_steps_incoming
    chosen = {id(target) for target in targets}

    def slots(vertex: Any) -> int:
        count: int = own.fget(vertex)
        return min(2 * count, vertex.max_delay_steps) if id(vertex) in chosen else count

    kind.max_delay_steps_incoming = property(slots)


def never_wait_for_the_disk() -> None:
    """Let no database of the tools wait for the disk when something is stored.

    sPyNNaker 7.4.1 asks for that in the connection that makes a database; it opens another one, some 300 a run, for
    whatever it stores later.
    """
    own = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database = own(*arguments, **options)
        database.execute("PRAGMA synchronous = OFF")
        return database

    sqlite3.connect = connect  # type: ignore[assignment]


def leave_a_silent_machine(leave: Callable[[str], None], seconds: float = SILENCE) -> None:
    """Let `leave` be called where a machine that has answered before gives no answer for `seconds`, however often asked.

    sPyNNaker 7.4.1 gives up a request after ten tries, and goes on to the next one: there may be hundreds.
    """
    from spinnman.connections.scp_request_pipeline import SCPRequestPipeLine

    pipeline: Any = SCPRequestPipeLine
    retrieve, handle_timeout = pipeline._single_retrieve, pipeline._handle_receive_timeout
    in_vain: float | None = None  # since when it has been asked in vain; none before its first answer

    def retrieved(self: Any, timeout: float) -> None:
        nonlocal in_vain
        retrieve(self, timeout)
        in_vain = math.inf

    def timed_out(self: Any) -> None:
        nonlocal in_vain
        if in_vain is not None:
            in_vain = min(in_vain, time.monotonic())
            if time.monotonic() - in_vain > seconds:
                leave(f"TimeoutError: timed out: no answer for {seconds:g} s")
        handle_timeout(self)

    pipeline._single_retrieve, pipeline._handle_receive_timeout = retrieved, timed_out


class Runner:
    """One model in sPyNNaker, from the Program in `folder`."""

    def __init__(self, folder: Path, say: Any) -> None:
        import pyNN.spiNNaker as sim

        self.sim, self.folder, self.say = sim, folder, say
        self.plan = json.loads((folder / "program.json").read_text(encoding="utf-8"))
        self.arrays = dict(np.load(folder / "arrays.npz"))
        self.dt = float(self.plan["time_step"])
        self.populations: list[Any] = []
        self.projections: dict[int, Any] = {}
        self.step = 0

    # ------------------------------------------------------------------------------- building

    def build(self, _: dict[str, Any]) -> dict[str, Any]:
        from importlib.metadata import version

        sim, plan = self.sim, self.plan
        boards = {"n_boards_required": plan["boards"]} if plan["boards"] else {}
        sim.setup(timestep=self.dt, min_delay=self.dt, time_scale_factor=plan["time_scale_factor"], **boards)
        if plan["neurons_per_core"]:
            for cell in {entry["cell"] for entry in plan["populations"]}:
                sim.set_number_of_neurons_per_core(getattr(sim, cell), plan["neurons_per_core"])
        return {"spynnaker": version("sPyNNaker"), "pynn": version("PyNN")}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell sPyNNaker the model: late, since it misreads spike trains that change before a model is mapped.

        Gives the step of the weights of each projection: what they are multiples of.
        """
        self.amend(request)
        for position, entry in enumerate(self.plan["populations"]):
            self.populations.append(self.population(position, entry))
            self.say({"progress": ["compile", position + 1, len(self.plan["populations"])]})
        for entry in self.plan["projections"]:
            self.projections[entry["position"]] = self.projection(entry)
        lengthen_rings(
            [
                population._vertex
                for population, entry in zip(self.populations, self.plan["populations"], strict=True)
                if entry.get("longer_ring")
            ]
        )
        return {"weight_steps": self.weight_steps()}

    def weight_steps(self) -> dict[int, float]:
        finest = {}
        for position, projection in self.projections.items():
            target = projection._projection_edge.post_vertex
            scales = target.get_weight_scales(target.get_ring_buffer_shifts())
            receptor = projection._synapse_information.synapse_type
            finest[position] = 1.0 / float(scales[receptor])
        return finest

    def population(self, position: int, entry: dict[str, Any]) -> Any:
        sim = self.sim
        cell, more = getattr(sim, entry["cell"]), {}
        if "spikes" in entry:
            steps, neurons = (self.arrays[name] for name in entry["spikes"])
            model = cell(spike_times=self.trains(entry["size"], steps, neurons))
        else:
            values = {name: uniform(self.arrays[key]) for name, key in entry["parameters"].items()}
            if entry["cell"] == "SpikeSourcePoisson":
                more["additional_parameters"] = {"seed": self.plan["seed"] * 1009 + position + 1}
            else:
                named = {
                    "max_expected_summed_weight": entry["largest_sums"],
                    "incoming_spike_buffer_size": entry["incoming_spikes"],
                }
                more["additional_parameters"] = {name: value for name, value in named.items() if value}
            model = cell(**values)
        population = sim.Population(entry["size"], model, label=entry["name"], **more)
        for name, key in entry["initial"].items():
            population.initialize(**{name: uniform(self.arrays[key])})
        for wanted in entry["record"]:
            part = population
            if wanted["neurons"] is not None and "spikes" not in entry:
                part = sim.PopulationView(population, [int(i) for i in self.arrays[wanted["neurons"]]])
            if wanted["native"] == "spikes":
                part.record("spikes")
            else:
                part.record(wanted["native"], sampling_interval=wanted["interval"])
        return population

    def trains(self, size: int, steps: np.ndarray, neurons: np.ndarray) -> list[Any]:
        """Spike times in ms, one list a neuron, a little late so that they are never rounded into the next tick."""
        if not len(steps):
            return []  # one empty list for all neurons: sPyNNaker can't read a list of empty ones
        result: list[list[float]] = [[] for _ in range(size)]
        for step, neuron in zip(steps.tolist(), neurons.tolist(), strict=True):
            result[neuron].append(round(step * self.dt, 6) + BELOW)
        return result

    def projection(self, entry: dict[str, Any]) -> Any:
        sim = self.sim
        array = {name: self.arrays[key] for name, key in entry["arrays"].items()}
        weight, delay = array["weight"], array["delay"]
        if entry["pattern"] == "list":
            # sPyNNaker 7.4.1 counts the synapses of a row too high in a list that is not sorted by source
            rows = np.column_stack([array["pre"], array["post"], weight, delay])
            rows = rows[np.argsort(array["pre"], kind="stable")]
            connector = sim.FromListConnector([(int(i), int(j), float(w), float(d)) for i, j, w, d in rows])
        elif entry["pattern"] == "one-to-one":
            connector = sim.OneToOneConnector()
        else:
            connector = sim.AllToAllConnector(allow_self_connections=True)
        values = {"weight": float(weight[0]), "delay": float(delay[0])}
        rule = entry["plasticity"]
        if rule is None:
            synapse = sim.StaticSynapse(**values)
        else:
            dependence = {
                "additive": sim.AdditiveWeightDependence,
                "multiplicative": sim.MultiplicativeWeightDependence,
            }[rule["weight_dependence"]]
            synapse = sim.STDPMechanism(
                timing_dependence=sim.SpikePairRule(
                    **{name: rule[name] for name in ("tau_plus", "tau_minus", "A_plus", "A_minus")}
                ),
                weight_dependence=dependence(w_min=rule["w_min"], w_max=rule["w_max"]),
                **values,
            )
        pre, post = self.populations[entry["pre"]], self.populations[entry["post"]]
        return sim.Projection(
            pre, post, connector, synapse, receptor_type=entry["receptor"], label=entry["name"]
        )

    # -------------------------------------------------------------------------------- running

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Advance by ``steps``; changes named in the request come first."""
        from spinn_front_end_common.data import FecDataView

        self.change(request)
        steps = request["steps"]
        self.sim.run(steps * self.dt if self.dt == 1.0 else (steps - BELOW) * self.dt)
        self.step += steps
        reached = FecDataView.get_current_run_timesteps()
        if reached != self.step and not self.plan["virtual"]:
            raise RuntimeError(f"sPyNNaker ran to step {reached} instead of {self.step}")
        answer = {"reports": str(FecDataView.get_run_dir_path())}
        if not self.plan["virtual"]:
            machine: Any = FecDataView.get_transceiver()
            answer["machine"] = machine._get_scamp_version().hardware
        return answer

    def amend(self, request: dict[str, Any]) -> None:
        """Put changes that came before the first run into the plan."""
        if not request.get("changes"):
            return
        arrays = np.load(self.folder / request["arrays"])
        for kind, position, name, key in request["changes"]:
            entry = self.plan["populations"][position]
            if kind == "spikes":
                for own, new in zip(entry["spikes"], key, strict=True):
                    self.arrays[own] = arrays[new]
            else:
                table = entry["initial" if kind == "state" else "parameters"]
                table[name] = f"amended{position}.{kind}.{name}"
                self.arrays[table[name]] = arrays[key]

    def change(self, request: dict[str, Any]) -> None:
        """Set parameters, state and spike trains: ``[[kind, population, name, array], ...]``."""
        if not request.get("changes"):
            return
        arrays = np.load(self.folder / request["arrays"])
        for kind, position, name, key in request["changes"]:
            population = self.populations[position]
            if kind == "spikes":
                # Population.set() of sPyNNaker 7.4.1 fails here: it indexes a list of lists with an array.
                ticks = np.empty(population.size, dtype=object)
                for neuron in range(population.size):
                    ticks[neuron] = np.sort(arrays[key[0]][arrays[key[1]] == neuron]).astype(np.int64)
                population._vertex.send_buffer_times = ticks
            elif kind == "state":
                population.set_state(**{name: uniform(arrays[key])})
            else:
                population.set(**{name: uniform(arrays[key])})

    def mapping(self, _: dict[str, Any]) -> dict[str, Any]:
        """Where every vertex went, what memory it takes, and how finely weights are rounded."""
        from spynnaker.pyNN.data import SpynnakerDataView as View

        keys = View.get_routing_infos()
        vertices = []
        for placement in View.iterate_placemements():
            vertex = placement.vertex
            application = vertex.app_vertex
            entry = {
                "vertex": vertex.label,
                "population": None if application is None else application.label,
                "chip": [placement.x, placement.y],
                "core": placement.p,
                "sdram_bytes": int(vertex.sdram_required.get_total_sdram(max(self.step, 1))),
                "keys": [
                    [f"0x{int(info.key):08x}", f"0x{int(info.mask):08x}"]
                    for partition in keys.get_partitions_from(vertex)
                    for info in [keys.get_info_from(vertex, partition)]
                ],
            }
            vertices.append(entry)
        return {"vertices": vertices}

    # -------------------------------------------------------------------------------- reading

    def spikes(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = np.asarray(self.populations[request["population"]].spinnaker_get_data("spikes")).reshape(-1, 2)
        steps = np.rint(rows[:, 1] / self.dt).astype(np.int64)
        return self.answer(steps=steps, neurons=rows[:, 0].astype(np.int32))

    def samples(self, request: dict[str, Any]) -> dict[str, Any]:
        population = self.populations[request["population"]]
        values = population.spinnaker_get_data(request["variable"], as_matrix=True)
        return self.answer(values=np.asarray(values, dtype=float))

    def weights(self, request: dict[str, Any]) -> dict[str, Any]:
        holder = self.projections[request["projection"]].get(["weight", "delay"], format="list")
        rows = np.array([[float(value) for value in row] for row in holder], dtype=float).reshape(-1, 4)
        return self.answer(pre=rows[:, 0], post=rows[:, 1], weight=rows[:, 2], delay=rows[:, 3])

    def state(self, request: dict[str, Any]) -> dict[str, Any]:
        population = self.populations[request["population"]]
        values = np.asarray(population.current_values[request["variable"]], dtype=float)
        return self.answer(values=np.broadcast_to(values, (population.size,)))

    def answer(self, **arrays: np.ndarray) -> dict[str, Any]:
        np.savez(self.folder / "answer.npz", **arrays)  # type: ignore[arg-type]
        return {"arrays": "answer.npz"}

    def end(self, _: dict[str, Any]) -> dict[str, Any]:
        self.sim.end()
        return {}


def placed() -> list[Any]:
    """``[x, y, core, name]`` of everything that has a place; empty before there is one."""
    try:
        from spynnaker.pyNN.data import SpynnakerDataView as View

        return [[p.x, p.y, p.p, str(p.vertex.label)] for p in View.iterate_placemements()]
    except Exception:
        return []


INSTRUCTIONS = ("build", "describe", "run", "mapping", "spikes", "samples", "weights", "state", "end")


def leave_with(parent: int) -> None:
    """End this process soon after the one that started it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    def leave(reason: str) -> None:
        say({"error": reason, "cores": placed()})
        os._exit(1)

    never_wait_for_the_disk()
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    try:
        runner = Runner(Path(sys.argv[1]), say)
        leave_a_silent_machine(leave)
    except Exception as error:
        traceback.print_exc()
        say({"error": f"{type(error).__name__}: {error}"})
        return
    say({"done": {}})
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] not in INSTRUCTIONS:
            say({"error": f"no instruction {request['do']}"})
            continue
        try:
            answer = getattr(runner, request["do"])(request)
        except BaseException as error:
            traceback.print_exc()
            say({"error": f"{type(error).__name__}: {error}", "cores": placed()})
            if not isinstance(error, Exception):
                return
            continue
        say({"done": answer})
        if request["do"] == "end":
            return


if __name__ == "__main__":
    main()
