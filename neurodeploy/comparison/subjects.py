"""What can be compared: a model that comes with neurodeploy, or a PyNN script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.comparison.answers import Answer, Answers
from neurodeploy.comparison.traces import Side, Traces
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
    """

    name: str
    rules: str
    describe: Callable[[Side], tuple[Network, int]]
    answers: Callable[[Traces], Answers] | None = None
    changes: Callable[[], list[str]] = list


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
    from neurodeploy.delays.network import DETECTORS
    from neurodeploy.delays.target_application import RULES, Task, describe, judge, prepare

    movies = movies or MOVIES

    @cache
    def made() -> tuple[Task, Network]:
        task = prepare(None, synapses, bits, movies, size, None, seed)
        return task, describe(task.made, task.movies, registry.load("brian2"), RULES, seed)

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


MODELS: dict[str, Callable[..., Subject]] = {"cam": memory, "delays": detectors}


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
