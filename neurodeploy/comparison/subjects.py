"""What can be compared: a model that comes with neurodeploy, or a PyNN script."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends.base import Session
from neurodeploy.comparison.answers import Answer, Answers
from neurodeploy.comparison.traces import Protocol, Side, Traces, straight
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.network import Network
from neurodeploy.options import own_options, refuse_arguments, refuse_options_of_a_script


@dataclass
class Subject:
    """A model for a comparison.

    Attributes
    ----------
    name : str
    rules : str
        The tick rules where the user names none, and the backend has none of its own.
    describe : function of a Side to (Network, steps)
        The model as that side is to execute it.
    answers : function of Traces to Answers, or None
        What the model says in its own terms.
    changes : function to list of str
        What was done to the model for every side, once it is described.
    protocol : Protocol
        How a session of it is run.
    """

    name: str
    rules: str
    describe: Callable[[Side], tuple[Network, int]]
    answers: Callable[[Traces], Answers] | None = None
    changes: Callable[[], list[str]] = list
    protocol: Protocol = straight


def memory(experiment: str | None = None, seed: int = 0) -> Subject:
    """The content-addressable memory, with the circuit made for each side's rules."""
    from neurodeploy.backends import registry
    from neurodeploy.cam import experiments
    from neurodeploy.cam.application import RULES, TIME_STEP, describe
    from neurodeploy.cam.decoding import decode, summary

    chosen = (
        experiments.random(seed)
        if experiment == "random"
        else experiments.experiment(experiment or "functional")
    )

    def build(side: Side) -> tuple[Network, int]:
        network = describe(chosen, registry.load(side.backend), side.options.rules, seed)
        return network, round(chosen.duration_ms / TIME_STEP)

    def answers(traces: Traces) -> Answers:
        judged = decode(chosen, traces.spikes)
        counts = summary(judged)
        each = []
        for one in judged:
            given, expected = one.answer.words, one.expected.words
            late = "" if one.correct or given != expected else ", not all at its time"
            question = f"{one.operation.words} at {one.operation.time_ms} ms"
            each.append(Answer(question, given + late, expected, one.correct))
        overall = counts["overall"]
        text = f"{overall['correct']} of {overall['total']} answers right"
        return Answers(text, each, numbers=counts)

    return Subject(f"cam, {chosen.name}", RULES, build, answers)


MOVIES = 12
"""Shown to the detectors where the user names no number: a third of the motions, in less than a second of model time."""


def detectors(
    movies: int | None = None,
    synapses: int | None = None,
    bits: int | None = None,
    size: str | None = None,
    seed: int = 0,
) -> Subject:
    """The motion detectors that come along, and movies over held-out images, the same Network on every side."""
    from neurodeploy.backends import registry
    from neurodeploy.delays.evaluation import Score
    from neurodeploy.delays.network import DETECTORS, spike_times
    from neurodeploy.delays.target_application import RULES, Task, describe, judge, prepare

    movies = movies or MOVIES

    @cache
    def made() -> tuple[Task, Network]:
        task = prepare(None, synapses, bits, movies, size, None, seed)
        trains = spike_times(task.movies)
        return task, describe(task.made, trains, registry.load("brian2"), RULES, seed)

    def build(side: Side) -> tuple[Network, int]:
        task, network = made()
        return network, task.steps

    def answers(traces: Traces) -> Answers:
        task, _ = made()
        fields, _, _, differing = judge(task.quantised, task.made, task.movies, *traces.spikes[DETECTORS])
        counts = fields.sum(axis=2)
        labels = np.array([label for _, label, _ in task.shown])
        images = [image for _, _, image in task.shown]
        score = Score(counts.argmax(axis=1), labels, images)
        name = task.whole.motions.label
        each = [
            Answer(f"movie {number} ({image})", name(decided), name(label), decided == label)
            for number, (image, label, decided) in enumerate(
                zip(images, labels.tolist(), score.decisions.tolist(), strict=True)
            )
        ]
        text = f"{score.right} of {len(each)} motions right, {differing:,} spikes off the dense reference"
        return Answers(text, each, counts, {**score.facts(), "not_of_the_dense_reference": differing})

    name = f"delays, {movies} movie{'s' * (movies > 1)}"
    return Subject(name, RULES, build, answers, lambda: made()[0].changes)


IMAGES = 10
"""Test images shown to the liquid where the user names no number."""


def liquid(
    neurons: int | None = None,
    snapshots: int | None = None,
    samples: int | None = None,
    test_samples: int | None = None,
    seed: int = 0,
) -> Subject:
    """The astrocyte-gated liquid, formed and frozen: images of digits as the same input spikes on every side.

    Its read-out has learned from counts of the model in floating point, and decides here.
    """
    from neurodeploy.backends import registry
    from neurodeploy.backends.brian2.trials.session import Trials
    from neurodeploy.lsm import phases, presentation, readout, sharing
    from neurodeploy.lsm.application import Request
    from neurodeploy.lsm.network import LIQUID, densest
    from neurodeploy.lsm.presentation import PERIOD_MS
    from neurodeploy.lsm.target_application import RULES, Prepared, changes_of, prepare

    images = IMAGES if test_samples is None else test_samples
    request = Request(
        neurons=1000 if neurons is None else neurons,
        snapshots=snapshots,
        samples=samples,
        test_samples=images,
        seed=seed,
    )

    @cache
    def made() -> tuple[Prepared, Network, list[np.ndarray]]:
        # what the read-out needs is missing now rather than at the end
        readout.recipe(request.readout)
        sharing.check()
        ready = prepare(request)
        trials = Trials(ready.network, plastic=False)
        try:
            shown, drive = ready.dataset.test.images, ready.drives["test"]
            trains, _ = presentation.drive(trials, shown, drive, "test", 0)
        finally:
            trials.end()
        times = presentation.spike_times(trains, ready.liquid.inputs)
        dense = densest(ready.liquid.inputs, PERIOD_MS)
        network = presentation.describe(ready.liquid, dense, registry.load("brian2"), "spinnaker", seed)
        return ready, network, times

    def build(side: Side) -> tuple[Network, int]:
        ready, network, _ = made()
        return network, len(ready.dataset.test.labels) * PERIOD_MS

    def one_by_one(session: Session, steps: int) -> None:
        ready, network, times = made()
        rest = np.full(ready.liquid.neurons, network.population(LIQUID).parameters["v_rest"])
        session.set_spike_times(0, times)
        for begin in range(0, steps, PERIOD_MS):
            if begin:
                session.set_state(1, "v", rest)
            session.run(min(PERIOD_MS, steps - begin))

    @cache
    def read_out() -> tuple[readout.Trained | readout.KernelTrained, float]:
        ready = made()[0]
        training = ready.dataset.training
        drives = {"training": (training, ready.drives["training"])}
        counts = phases.features(ready.network, False, drives, os.cpu_count() or 1).counts["training"]
        x = readout.features(counts)
        recipe = readout.recipe(request.readout)
        return readout.train(x, training.labels, ready.dataset.validation, recipe), x.largest

    def answers(traces: Traces) -> Answers:
        labels = made()[0].dataset.test.labels.tolist()
        counts, _ = presentation.counted(*traces.spikes[LIQUID], (len(labels), request.neurons))
        trained, largest = read_out()
        said = trained.classes(readout.features(counts, largest)).tolist()
        each = [
            Answer(f"image {number}", str(given), str(label), given == label)
            for number, (given, label) in enumerate(zip(said, labels, strict=True))
        ]
        right = sum(one.right for one in each)
        text = f"{right} of {len(each)} digits right ({100 * right / len(each):.1f} %)"
        return Answers(text, each, counts, {"right": right, "images": len(each)})

    def changes() -> list[str]:
        ready, _, times = made()
        digest = hashlib.sha256(b"".join(one.tobytes() for one in times)).hexdigest()
        spikes = sum(map(len, times))
        return [*changes_of(ready), f"input handed over as it runs: {spikes:,} spikes, SHA-256 {digest[:12]}"]

    name = f"lsm, {images} image{'s' * (images > 1)}"
    return Subject(name, RULES["brian2"], build, answers, changes, one_by_one)


def script(path: Path, arguments: list[str]) -> Subject:
    """A PyNN script as far as its first ``run``; executed once, so that every side has the same connections."""
    from neurodeploy.models.pynn.scripts import capture

    captured = capture(path, arguments)
    if captured.network is None:
        failure = captured.failure
        assert failure is not None
        raise RequestError(f"{path}: {failure.what}", why=failure.why, fix=failure.fix)
    network, steps = captured.network, captured.steps
    return Subject(path.name, captured.rules or "ideal", lambda _: (network, steps))


MODELS: dict[str, Callable[..., Subject]] = {"cam": memory, "lsm": liquid, "delays": detectors}


def subject(model: str, arguments: list[str], **given: Any) -> Subject:
    """The model that the user named, with those of the `given` options that are its own.

    Raises
    ------
    RequestError
        It is neither a model that comes with neurodeploy nor a script; or it has no use for something that is given.
    """
    if model.endswith(".py"):
        refuse_options_of_a_script(given)
        return script(Path(model), arguments)
    if model in MODELS:
        refuse_arguments(model, arguments)
        return MODELS[model](**own_options(model, MODELS[model], given))
    raise RequestError(
        f"There is no model '{model}' to compare.{did_you_mean(model, MODELS)}",
        fix=f"give {', '.join(MODELS)}, or the path of a PyNN script (.py)",
    )
