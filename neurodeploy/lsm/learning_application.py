"""``neurodeploy run lsm-learning``: the liquid forms on Loihi, beside the same snapshots in floating point.

The Brian2 engine shows the snapshots and keeps its input spikes.  Lava is given these, and forms the same liquid by its
three-factor rule, the astrocyte being a compartment that sends graded spikes.  Then each of the chip's restrictions is put on the
exact network alone, so that one can see what it does to the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.base import Progress
from neurodeploy.backends.brian2.trials.session import Trials
from neurodeploy.backends.loihi.trials import reference
from neurodeploy.backends.loihi.trials.lower import Lowered, lower
from neurodeploy.backends.loihi.trials.reference import Restrictions
from neurodeploy.backends.loihi.trials.session import run_in_lava
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.errors import RequestError
from neurodeploy.lsm import data as datasets
from neurodeploy.lsm import measures, memory, phases
from neurodeploy.lsm.application import Request as WholeRequest
from neurodeploy.lsm.application import choose_design
from neurodeploy.lsm.data import EVENT_DATASETS
from neurodeploy.lsm.drive import Pixels
from neurodeploy.lsm.model import SNAPSHOT_MS, Design, build
from neurodeploy.models.network import Network
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

EXECUTED_BY = "chip arithmetic"

NEAR = 0.10
"""Share within which mean weights on Loihi are to be those of the exact network."""

IN_WORDS = {
    "adding_synapses": "synapses add up",
    "whole_neurons": "neurons in whole numbers",
    "late_factor": "the astrocyte acts a step later",
    "whole_factor": "an astrocyte of 7 bits",
    "whole_traces": "traces of 7 bits",
    "whole_weights": "weights of 8 bits",
    "even_mixed_weights": "the same, even where mixed",
    "other_seed": "all, other random numbers",
    "even": "all, even where mixed",
}
"""What is executed beside both sides, for a table."""

BY = {"lava": "Loihi's rules in Lava", "reference": "Loihi's rules in NumPy"}
"""What formed the liquid beside Brian2, in words."""

OTHER_SEED = 1000
"""Added to the seeds that round traces; that of weights is Lava's own."""

EQUAL = {
    True: "by Lava; the reference has the same spikes, weights and astrocyte, number for number",
    False: "[red]by Lava; the reference has other numbers: one of the two is wrong[/]",
    None: "by the reference in NumPy, which is to have Lava's numbers; Lava was not asked",
}


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    dataset: str = "digits"
    data: Path | None = None
    neurons: int = 125
    astrocyte_weight: float | None = None
    snapshots: int = 1000
    restrictions: bool = True
    lava: bool = True
    seed: int = 0
    out: Path | None = None


@dataclass
class Side:
    """A liquid after its snapshots.

    Attributes
    ----------
    weights : dict of str to ndarray
        By the population that they come from, in the network's unit and order.
    liquid : ndarray, shape (snapshots,)
        Spikes of all liquid neurons.
    astrocyte : ndarray, shape (snapshots,)
        At the end of each snapshot.
    """

    weights: dict[str, np.ndarray]
    liquid: np.ndarray
    astrocyte: np.ndarray

    def facts(self) -> dict[str, Any]:
        """Means, for ``metrics.json``."""
        return {
            "mean": {name: float(w.mean()) for name, w in self.weights.items()},
            "mean_magnitude": {name: float(np.abs(w).mean()) for name, w in self.weights.items()},
            "liquid_spikes_per_ms": float(self.liquid.mean() / SNAPSHOT_MS),
            "astrocyte": {
                "mean": float(self.astrocyte.mean()),
                "lowest": float(self.astrocyte.min()),
                "highest": float(self.astrocyte.max()),
            },
        }


@dataclass
class Result:
    """What the command line shows of a run."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        names = list(m["exact"]["mean_magnitude"])
        table = Table("mean magnitude of weights", *names, "liquid spikes/ms", "astrocyte")
        rows = {"brian2": m["exact"], m["by"]: m[m["by"]], **m["restrictions"]}
        for label, facts in rows.items():
            table.add_row(
                (IN_WORDS | BY).get(label, label),
                *(f"{facts['mean_magnitude'][name]:.3f}" for name in names),
                f"{facts['liquid_spikes_per_ms']:.2f}",
                f"{facts['astrocyte']['mean']:.4f}",
            )
        worst = max(abs(ratio - 1) for ratio in m["ratios"].values())
        return [
            f"[bold]{'within' if m['near'] else 'not within'} {NEAR:.0%} of Brian2's mean weights[/] (at most {worst:.1%} off):"
            f" {m['neurons']:,} neurons, {m['snapshots']:,} snapshots of {m['dataset']}",
            table,
            EQUAL[m["lava_equals_reference"]],
            f"executed by: [bold]{m['executed_by']}[/]",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


def run_learning(request: Request, progress: Progress | None = None) -> Result:
    """Form the liquid on both sides, and write the run directory.

    Raises
    ------
    RequestError, UnsupportedError
        A name is none of those there are, a file is wrong, or Loihi can't have such a liquid.
    RunError
        Lava has failed; its log is kept.
    """
    keep_matplotlib_files()
    if request.dataset in EVENT_DATASETS:
        raise RequestError(
            f"--dataset {request.dataset} has no meaning here",
            why="the liquid is driven by pixels in this experiment",
            fix="use digits, mnist or fashion-mnist",
        )
    whole = datasets.load(request.dataset, request.data)
    design = design_of(request, whole.training.images.shape[1])
    memory.refuse_on_loihi(design)
    network = build(design)
    lowered = lower(network, SNAPSHOT_MS)
    images = whole.training.images[: len(whole.training.labels) - whole.validation]
    shown = images[phases.snapshot_order(len(images), request.snapshots, design.seed)]
    drive = Pixels(datasets.largest_share(whole.training.images))
    wanted = request.out or default_folder(f"lsm-learning-{request.dataset}")
    with run_directory(wanted) as folder:
        wall: dict[str, float] = {}
        started = time.perf_counter()
        exact, played, program = form_exactly(network, shown, drive, progress)
        wall["brian2"] = time.perf_counter() - started

        started = time.perf_counter()
        expected = reference.run(
            lowered, played, request.snapshots, progress=told(progress, request.snapshots)
        )
        wall["reference"] = time.perf_counter() - started
        lava: dict[str, Any] = {}
        found, by = expected, "reference"
        if request.lava:
            by = "lava"
            started = time.perf_counter()
            found, lava = run_in_lava(lowered, played, request.snapshots, progress)
            wall["lava"] = time.perf_counter() - started
        on_loihi = side(network, lowered, found, request.snapshots)

        started = time.perf_counter()
        alone: dict[str, Side] = {}
        steps = ladder(lowered) if request.restrictions else {}
        for done, (name, (of, chosen)) in enumerate(steps.items()):
            if progress is not None:
                progress("restrictions", done, len(steps))
            one = reference.run(of, played, request.snapshots, chosen)
            alone[name] = side(network, lowered, one, request.snapshots)
        wall["restrictions"] = time.perf_counter() - started

        ratios = {
            name: float(np.abs(w).mean() / np.abs(exact.weights[name]).mean())
            for name, w in on_loihi.weights.items()
        }
        start = measures.by_source([network])
        draw(folder, exact, on_loihi, BY[by])
        np.savez(
            folder / "weights.npz",
            **{f"brian2.{name}": w for name, w in exact.weights.items()},  # type: ignore[arg-type]
            **{f"{by}.{name}": w for name, w in on_loihi.weights.items()},  # type: ignore[arg-type]
        )
        data = {
            "model": "lsm-learning",
            "executed_by": EXECUTED_BY,
            "dataset": whole.name,
            "neurons": design.neurons,
            "inputs": design.inputs,
            "astrocyte_weight": design.astrocyte_weight,
            "snapshots": request.snapshots,
            "seed": request.seed,
            "by": by,
            "near": bool(max(abs(ratio - 1) for ratio in ratios.values()) <= NEAR),
            "ratios": ratios,
            "mean_change": {
                label: {name: float(np.abs(w - start[name]).mean()) for name, w in one.weights.items()}
                for label, one in (("exact", exact), (by, on_loihi))
            },
            "exact": exact.facts(),
            by: on_loihi.facts(),
            "correlation": {
                name: correlation(w, exact.weights[name]) for name, w in on_loihi.weights.items()
            },
            "synapses": {name: len(w) for name, w in exact.weights.items()},
            "input_spikes_per_ms": len(played) / (request.snapshots * SNAPSHOT_MS),
            "lava_equals_reference": same(found, expected) if request.lava else None,
            "restrictions": {name: one.facts() for name, one in alone.items()},
            "cut": found.facts,
            "changes": lowered.changes,
            "wall_seconds": wall,
        }
        title = f"A liquid of {design.neurons:,} neurons that forms by {BY[by]}"
        verdict = f"{'within' if data['near'] else 'not within'} {NEAR:.0%}"
        leave_run(
            folder,
            title,
            verdict,
            data,
            executed_by=EXECUTED_BY,
            backend="loihi",
            rules="loihi2",
            seed=request.seed,
            images_sha256=whole.checksums,
            network_sha256=network.digest(),
            brian2_program=program,
            **lava,
        )
    return Result(data, wanted)


def told(progress: Progress | None, snapshots: int) -> Callable[[int], None] | None:
    """Progress of the reference."""
    return None if progress is None else lambda done: progress("reference", done, snapshots)


def ladder(lowered: Lowered) -> dict[str, tuple[Lowered, Restrictions]]:
    """What is executed to see where a difference comes from: no restriction, each alone, and all with other random numbers."""
    steps = {"none": (lowered, reference.NONE)}
    steps |= {one.name: (lowered, reference.only(one.name)) for one in fields(Restrictions)}
    others = [replace(c, seed=c.seed + OTHER_SEED) for c in lowered.program.connections]
    steps["other_seed"] = (
        replace(lowered, program=replace(lowered.program, connections=others)),
        reference.ALL,
    )
    steps["even"] = (lowered, replace(reference.ALL, even_mixed_weights=True))
    return steps


def design_of(request: Request, inputs: int) -> Design:
    """The liquid that is asked for: always with its astrocyte."""
    return choose_design(
        WholeRequest(neurons=request.neurons, astrocyte_weight=request.astrocyte_weight, seed=request.seed),
        inputs,
    )


def form_exactly(
    network: Network, shown: np.ndarray, drive: Pixels, progress: Progress | None
) -> tuple[Side, np.ndarray, str]:
    """The liquid in floating point; steps and neurons of its input spikes; the key of the program that ran it."""
    trials = Trials(network, plastic=True, progress=progress)
    try:
        found = drive.show(trials, shown, np.arange(len(shown)), phases.FORMING, raster=True)
        weights = [trials.weights(number) for number in range(len(network.projections))]
        key = str(trials.report.facts["program"])
    finally:
        trials.end()
    spikes = found.raster[found.raster[:, 2] < trials.driven].astype(np.int64)
    played = np.column_stack([spikes[:, 0] * SNAPSHOT_MS + spikes[:, 1], spikes[:, 2]])
    liquid = found.counts[:, trials.driven :].sum(axis=1, dtype=np.int64)
    return (
        Side(measures.by_source([phases.with_weights(network, weights)]), liquid, found.modulators[:, 0]),
        played,
        key,
    )


def side(network: Network, lowered: Lowered, found: reference.Run, snapshots: int) -> Side:
    """What a run in units of the chip has come to, in the network's."""
    weights = [
        found.weights[number][rows, columns] * lowered.unit for number, rows, columns in lowered.places
    ]
    liquid = np.bincount(found.spikes[:, 0] // SNAPSHOT_MS, minlength=snapshots)
    return Side(
        measures.by_source([phases.with_weights(network, weights)]),
        liquid,
        found.third * lowered.scale.third_unit,
    )


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Of weights synapse for synapse; None where a side has one value alone."""
    if not one.std() or not other.std():
        return None
    return float(np.corrcoef(one, other)[0, 1])


def same(one: reference.Run, other: reference.Run) -> bool:
    """Whether two runs agree in every spike, weight and value of the third factor."""
    return bool(
        np.array_equal(one.spikes, other.spikes)
        and np.array_equal(one.third, other.third)
        and all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))
    )


def draw(folder: Path, exact: Side, on_loihi: Side, by: str) -> None:
    """Weights of both sides, and how the liquid formed; `by` is what executed the second."""
    from neurodeploy.lsm import learning_pictures

    learning_pictures.weights({"Brian2": exact.weights, by: on_loihi.weights}, folder / "weights.png")
    learning_pictures.formation(
        {"Brian2": (exact.liquid, exact.astrocyte), by: (on_loihi.liquid, on_loihi.astrocyte)},
        SNAPSHOT_MS,
        folder / "formation.png",
    )
