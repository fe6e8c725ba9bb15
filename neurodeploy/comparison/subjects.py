"""What can be compared: a model that comes with neurodeploy, or a PyNN script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.comparison.traces import Side, Traces
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.network import Network


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
    answers : function of Traces to dict, or None
        What the model says in its own terms: ``text`` for people, and numbers.
    """

    name: str
    rules: str
    describe: Callable[[Side], tuple[Network, int]]
    answers: Callable[[Traces], dict[str, Any]] | None = None


def memory(experiment: str, seed: int) -> Subject:
    """The content-addressable memory, with the circuit made for each side's rules."""
    from neurodeploy.backends import registry
    from neurodeploy.cam import experiments
    from neurodeploy.cam.application import RULES, TIME_STEP, describe
    from neurodeploy.cam.decoding import decode, summary

    chosen = experiments.random(seed) if experiment == "random" else experiments.experiment(experiment)

    def build(side: Side) -> tuple[Network, int]:
        network = describe(chosen, registry.load(side.backend), side.options.rules, seed)
        return network, round(chosen.duration_ms / TIME_STEP)

    def answers(traces: Traces) -> dict[str, Any]:
        counts = summary(decode(chosen, traces.spikes))
        overall = counts["overall"]
        return {"text": f"{overall['correct']} of {overall['total']} answers right", **counts}

    return Subject(f"cam, {chosen.name}", RULES, build, answers)


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


MODELS = {"cam": memory}


def subject(model: str, experiment: str, seed: int, arguments: list[str]) -> Subject:
    """The model that the user named.

    Raises
    ------
    RequestError
        It is neither a model that comes with neurodeploy nor a script.
    """
    if model in MODELS:
        return MODELS[model](experiment, seed)
    if model.endswith(".py"):
        return script(Path(model), arguments)
    raise RequestError(
        f"There is no model '{model}' to compare.{did_you_mean(model, MODELS)}",
        fix=f"give {', '.join(MODELS)}, or the path of a PyNN script (.py)",
    )
