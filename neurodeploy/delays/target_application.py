"""``neurodeploy run delays --backend``: the detectors as spiking neurons on a target, movie after movie, judged by counts.

``counts.csv`` has every movie's spikes by class, ``spikes.npz`` every spike, ``decisions.csv``, ``metrics.json`` and
``run.json`` as for every run; pictures of the events, the kernels, and the field of directions that the spikes say.
Every spike is compared with the dense reference, and beside the target's decisions stand those of the evidence rule in
floating point on the same movies.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.base import Backend, Options, Report
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.costs import Costs, rates_of_spikes
from neurodeploy.delays import layer as layers
from neurodeploy.delays import network
from neurodeploy.delays.detections import Detections
from neurodeploy.delays.evaluation import Score, TestSet, calibrate, evaluate
from neurodeploy.delays.events import CAMERAS, Events
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.movies import MovieSettings
from neurodeploy.delays.network import Detectors
from neurodeploy.delays.run_application import by_image, choose_size, write_decisions
from neurodeploy.delays.synapses import Quantised, places, prune, quantise
from neurodeploy.delays.train_application import choose_images
from neurodeploy.errors import RequestError, UnsupportedError, did_you_mean
from neurodeploy.models.network import Network
from neurodeploy.options import RunOptions
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import Band, Raster, Section, Shade, leave_run, numbers_sections

RULES = "spinnaker"
"""Where neither the user nor the backend's machine says which: the model means the same under all."""

ANIMATED = 3
"""Movies in the animation."""

DEFAULT_SYNAPSES, DEFAULT_BITS, DEFAULT_SIZE = 652, 8, "patch"
"""The paper's 652, in a chip's 8 bits, on a patch that every target holds."""


@dataclass
class Answers:
    """What a target said about movies shown one after the other.

    Attributes
    ----------
    fields : ndarray of int64, shape (movies, classes, places)
        Spikes in the bins that count, those after the longest delay.
    steps, neurons : ndarray
        Of every spike: the bin it answers to, counted over all movies, and the neuron.
    differing : int
        Spikes in the bins that count that either the target or the dense reference has alone.
    report : Report
    costs : Costs
        Of the target, with these spikes.
    """

    fields: np.ndarray
    steps: np.ndarray
    neurons: np.ndarray
    differing: int
    report: Report
    costs: Costs

    @property
    def counts(self) -> np.ndarray:
        """Spikes of every class over the field, (movies, classes)."""
        return self.fields.sum(axis=2)


@dataclass(frozen=True)
class Task:
    """Detectors with thresholds of their own, and the movies that they are shown.

    Attributes
    ----------
    whole, pruned : Layer
        As it was trained; with the synapses that are kept.
    bits : int
        Of a weight.
    quantised : Quantised
    rate : float
        Spikes a voxel at which thresholds were set.
    made : Detectors
    test : TestSet
    shown : list of (Events, int, str)
        The events, class and image of each movie of `test`.
    """

    whole: Layer
    pruned: Layer
    bits: int
    quantised: Quantised
    rate: float
    made: Detectors
    test: TestSet
    shown: list[tuple[Events, int, str]]

    @property
    def movies(self) -> list[Events]:
        return [events for events, _, _ in self.shown]

    @property
    def steps(self) -> int:
        """Time steps that it takes to show all movies and to have the last spike."""
        return sum(events.steps for events in self.movies) + network.SHIFT

    @property
    def changes(self) -> list[str]:
        """What was done to the trained layer."""
        return [
            f"pruned: {self.pruned.synapses:,} of {self.whole.synapses:,} weights kept",
            f"weights in {self.bits} bits, steps of {self.quantised.step:.4g}; {self.quantised.clipped} clipped to the scale's"
            f" end, {self.quantised.vanished} became 0",
        ]


def choose_neuron(neuron: str | None, inhibition: int | None) -> tuple[str, int]:
    """One of :data:`network.NEURONS`, and for how many steps a winner silences others.

    Raises
    ------
    RequestError
        There is no such neuron, or `inhibition` has no meaning for it.
    """
    neuron = neuron or network.NEURONS[0]
    if neuron not in network.NEURONS:
        raise RequestError(
            f"There is no neuron '{neuron}'.{did_you_mean(neuron, network.NEURONS)}",
            fix=f"choose {', '.join(network.NEURONS)}",
        )
    if inhibition is not None and neuron != "winner":
        raise RequestError(
            f"--inhibition {inhibition} has no meaning beside --neuron {neuron}",
            why="a spike of a winner alone silences others",
            fix="leave it out, or use --neuron winner",
        )
    return neuron, inhibition or network.INHIBITION


def prepare(
    model: Path | None = None,
    synapses: int | None = None,
    bits: int | None = None,
    movies: int = 40,
    size: str | None = None,
    images: Path | None = None,
    seed: int = 0,
    camera: str = "differencing",
    neuron: str | None = None,
    inhibition: int | None = None,
) -> Task:
    """The layer pruned and in whole numbers, thresholds calibrated on training images, and movies over the others.

    Raises
    ------
    RequestError
        There is no such size, neuron, model file or image, or options do not go together.
    """
    neuron, inhibition = choose_neuron(neuron, inhibition)
    height, width, steps, stride = choose_size(size or DEFAULT_SIZE)
    whole = layers.choose(model)
    pruned = prune(whole, DEFAULT_SYNAPSES if synapses is None else synapses)
    bits = DEFAULT_BITS if bits is None else bits
    quantised = quantise(pruned, bits)
    learned_from, held_out = choose_images(images)
    frame = MovieSettings(height, width, steps, None)
    seen = CAMERAS[camera]
    test = TestSet(held_out, whole.motions, frame, movies, seed, stride, accumulate=seen)
    thresholds, rate = calibrate(
        {"": quantised.layer}, test.calibration(learned_from), neuron == "stochastic"
    )[""]
    made = network.detectors(
        quantised,
        thresholds,
        height,
        width,
        stride[1],
        neuron=neuron,
        inhibition=inhibition,
    )
    return Task(whole, pruned, bits, quantised, rate, made, test, list(test))


def describe(
    made: Detectors,
    trains: Sequence[np.ndarray],
    target: Backend,
    rules: str,
    seed: int = 0,
    noise: np.ndarray | None = None,
) -> Network:
    """The detectors and the times of every input's events, ms (:func:`network.spike_times`), as a Network."""
    from neurodeploy.models import pynn as sim

    step = network.TIME_STEP
    sim.setup(timestep=step, min_delay=step, backend=target, rules=rules, seed=seed)
    # the current of a step decides about the spike at its end, or at the tick that it begins with
    noise_from = (network.SHIFT - rules_by_name(rules).spike_is_at_end_of_step) * step
    network.build(sim, made, trains, noise, noise_from)
    return sim.capture()


def show_movies(
    quantised: Quantised, made: Detectors, movies: list[Events], options: Options, backend: str, seed: int = 0
) -> Answers:
    """Show `movies` to the detectors on `backend`, in one run.

    Raises
    ------
    UnsupportedError
        The detectors are stochastic, and the target takes no current that changes in every step.
    """
    from neurodeploy.backends import registry

    target = registry.load(backend)
    target.refuse_machine(hardware=options.hardware, host=options.host, faults=options.faults)
    began = time.perf_counter()
    noise = network.draw_noise(made, sum(movie.steps for movie in movies), seed)
    model = describe(made, network.spike_times(movies), target, options.rules, seed, noise)
    described = time.perf_counter() - began
    try:
        session = target.open(model, options)
    except UnsupportedError as error:
        if noise is None:
            raise
        raise UnsupportedError(
            f"There are no stochastic detectors on {backend} under the {options.rules} rules: {error.what}",
            why="they are driven by a current that is drawn anew in every step, for every neuron",
            fix="use --backend brian2 with --rules spinnaker or ideal, or --neuron deterministic or winner",
        ) from error
    total = sum(movie.steps for movie in movies) + network.SHIFT
    try:
        session.run(total)
        times, neurons = session.spikes(1)
    finally:
        session.end()
    session.report.wall["build"] += described
    steps = np.rint(times / network.TIME_STEP).astype(np.int64)
    counts = rates_of_spikes({network.DETECTORS: (times, neurons)}, model, total * network.TIME_STEP)
    costs = target.costs(model, options, total, counts)
    return Answers(*judge(quantised, made, movies, steps, neurons, noise), session.report, costs)


def judge(
    quantised: Quantised,
    made: Detectors,
    movies: list[Events],
    steps: np.ndarray,
    neurons: np.ndarray,
    noise: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """`fields`, `steps`, `neurons` and `differing` of :class:`Answers`, from the detectors' spikes as they were recorded."""
    length, total = movies[0].steps, sum(movie.steps for movie in movies)
    steps = steps - network.SHIFT
    within = steps < total
    steps, neurons = steps[within], neurons[within].astype(np.int64)
    counting = steps % length >= quantised.layer.delays
    fields = [made.field(neurons[counting & (steps // length == number)]) for number in range(len(movies))]
    given, expected = (
        (t * made.synapses.neurons + neuron)[t % length >= quantised.layer.delays]
        for t, neuron in ((steps, neurons), network.dense_reference(quantised, made, movies, noise))
    )
    differing = len(np.setxor1d(expected, given, assume_unique=True))
    return np.array(fields), steps, neurons, differing


@dataclass
class TargetResult:
    """What the command line shows of a run on a target."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        m = self.data
        table = Table("decided by", "right", "5 % .. 95 %", box=box.SIMPLE, pad_edge=False)
        for name, one in m["scores"].items():
            share = f"{one['right']} of {one['movies']}, {100 * one['accuracy']:.1f} %"
            table.add_row(escape(name), share, f"{100 * one['low_5']:.1f} .. {100 * one['high_95']:.1f}")
        wall = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in m["wall_seconds"].items())
        agreement = (
            f"[green]all {m['spikes_compared']:,} equal the dense reference[/]"
            if not m["spikes_differing"]
            else f"[bold red]{m['spikes_differing']:,} are not those of the dense reference[/]"
        )
        return [
            table,
            f"{m['movies']} movies of {m['height']} x {m['width']} pixels and {m['steps_ms']} ms over held-out images,"
            f" {m['classes']} motions, chance {100 / m['classes']:.1f} %",
            f"{m['synapses_a_place']:,} synapses a place in {m['bits']} bits, {m['places']} places, two contrasts:"
            f" {m['neurons']:,} {m['neuron']} neurons, {m['synapses']:,} synapses",
            f"{m['spikes']:,} spikes; of those that count, {agreement}",
            f"executed by: [bold]{m['executed_by']}[/] ({m['backend']}, {m['rules']} rules); {wall}",
            *(f"[yellow]changed:[/] {escape(change)}" for change in m["changes"]),
            f"results in {escape(str(self.folder))}",
        ]


def run_on_target(
    options: RunOptions,
    model: Path | None = None,
    synapses: int | None = None,
    bits: int | None = None,
    movies: int = 40,
    size: str | None = None,
    images: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    camera: str = "differencing",
    neuron: str | None = None,
    inhibition: int | None = None,
) -> TargetResult:
    """Run the detectors as the command line asks, and write the run directory.

    Raises
    ------
    RequestError
        A name is none of those there are, or options do not go together.
    """
    began = time.perf_counter()
    keep_matplotlib_files()
    wanted = options.out or default_folder(f"delays-{options.backend}")
    with run_directory(wanted) as folder:
        given = options.of_backend(RULES, folder, progress)
        task = prepare(model, synapses, bits, movies, size, images, options.seed, camera, neuron, inhibition)
        made, quantised = task.made, task.quantised
        answers = show_movies(quantised, made, task.movies, given, options.backend, options.seed)
        by_evidence = evaluate({"evidence": task.pruned}, task.test, shown=task.shown)["evidence"]
        by_spikes = Score(answers.counts.argmax(axis=1), by_evidence.labels, by_evidence.images)
        scores = {
            f"spikes, {answers.report.executed_by}": by_spikes,
            "evidence, floating point": by_evidence,
        }
        write_decisions(folder / "decisions.csv", scores)
        write_counts(folder / "counts.csv", answers.counts)
        draw(folder, task.whole, made, task.shown, answers)
        np.savez_compressed(folder / "spikes.npz", step=answers.steps, neuron=answers.neurons)
        facts = answers.report.facts
        data: dict[str, Any] = {
            "model": "delays",
            "executed_by": answers.report.executed_by,
            "backend": options.backend,
            "rules": given.rules,
            "classes": task.whole.motions.count,
            "movies": task.test.count,
            "height": made.height,
            "width": made.width,
            "steps_ms": task.movies[0].steps,
            "stride": made.stride,
            "places": made.places,
            "synapses_a_place": int(np.count_nonzero(quantised.whole)),
            "bits": task.bits,
            "camera": camera,
            "spikes_a_voxel": task.rate,
            "weights_clipped": quantised.clipped,
            "weights_vanished": quantised.vanished,
            "neuron": neuron or network.NEURONS[0],
            "inhibition_ms": made.inhibition * network.TIME_STEP,
            "neurons": made.synapses.neurons,
            "synapses": len(made.synapses.pre) + made.inhibition * len(made.rivals()[0]),
            "events": sum(map(len, task.movies)),
            "spikes": len(answers.steps),
            "spikes_compared": int(answers.counts.sum()),
            "spikes_differing": answers.differing,
            "scores": {name: score.facts() for name, score in scores.items()},
            "right_by_image": by_image(by_spikes),
            "cores": facts.get("cores"),
            "changes": [*task.changes, *answers.report.changes],
            "wall_seconds": {part: answers.report.wall[part] for part in ("build", "compile", "run")},
        }
        data["wall_seconds"]["all"] = time.perf_counter() - began
        right = f"{100 * by_spikes.accuracy:.1f} % of {len(task.shown)} movies right"
        title = f"Motion detectors on {options.backend}"
        leave_run(
            folder,
            title,
            right,
            data,
            answers.costs,
            [Section("Spikes", [raster(task, answers)]), *numbers_sections(answers.report)],
            executed_by=answers.report.executed_by,
            backend=options.backend,
            rules=given.rules,
            seed=options.seed,
            camera=camera,
            model=str(model) if model else "shipped",
            trained=task.whole.made_by,
            test_images=[image.name for image in task.test.images],
            network_sha256=facts["network"],
            hardware=facts.get("hardware"),
            spynnaker=facts.get("spynnaker"),
            lava=facts.get("lava"),
        )
    return TargetResult(data, wanted)


def raster(task: Task, answers: Answers) -> Raster:
    """Every spike, a band for each motion, over the movies."""
    made, label = task.made, task.whole.motions.label
    motion, place = np.divmod(answers.neurons, made.places)
    branch, motion = np.divmod(motion, made.classes)
    time, row = answers.steps * network.TIME_STEP, branch * made.places + place
    bands = [
        Band(label(number), made.branches * made.places, {"spikes": (time[mine], row[mine])})
        for number in range(made.classes)
        for mine in [motion == number]
    ]
    length = task.movies[0].steps * network.TIME_STEP
    shades = [
        Shade(
            number * length + 0.5,
            (number + 1) * length - 0.5,
            "learn" if shown == decided else "wrong",
            f"movie {number}, {image}: {label(shown)}, taken for {label(decided)}",
        )
        for number, ((_, shown, image), decided) in enumerate(
            zip(task.shown, answers.counts.argmax(axis=1).tolist(), strict=True)
        )
    ]
    words = "Every spike, a band for each motion. Shaded: a movie (blue: its motion has most spikes; red: another)."
    return Raster(words, bands, len(task.movies) * length, {"spikes": "spikes"}, shades)


def draw(
    folder: Path, layer: Layer, made: Detectors, shown: list[tuple[Events, int, str]], answers: Answers
) -> None:
    """The events of the first movie, the kernels, and the motions detected in the first movies, still and moving."""
    from neurodeploy.delays import pictures
    from neurodeploy.delays.animation import Scene, animate

    events, label, image = shown[0]
    pictures.events(events, f"{image}: {layer.motions.label(label)}", folder / "events.png")
    pictures.kernels(layer, folder / "kernels.png")
    row, column = places(made.height, made.width, layer.radius, made.stride)
    stamp = f"executed by: {answers.report.executed_by}"
    labels = [one[1] for one in shown[: pictures.FIELDS]]
    pictures.directions(
        layer.motions,
        row,
        column,
        answers.fields[: pictures.FIELDS],
        labels,
        stamp,
        folder / "directions.png",
    )
    scenes = []
    for number, (events, label, _) in enumerate(shown[:ANIMATED]):
        start = number * events.steps
        mine = (answers.steps >= start + layer.delays) & (answers.steps < start + events.steps)
        motion, place = np.divmod(answers.neurons[mine] % (made.classes * made.places), made.places)
        steps = answers.steps[mine] - start
        order = np.argsort(steps, kind="stable")
        found = Detections(steps[order], place[order], motion[order], row, column, made.classes)
        scenes.append(Scene(events, found, layer.motions.label(label), label))
    animate(layer.motions, scenes, f"most spikes at each place; {stamp}", folder / "directions-over-time.gif")


def write_counts(path: Path, counts: np.ndarray) -> None:
    """One row a movie: the spikes of every class."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["movie", *(f"class {number}" for number in range(counts.shape[1]))])
        for number, row in enumerate(counts.tolist()):
            writer.writerow([number, *row])
