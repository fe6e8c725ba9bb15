"""The content-addressable memory's published experiments: every answer right, every spike where it was on SpiNNaker.

The authors have published what a physical machine did in two of the three; the whole-number model of a core says all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import TIME_STEP
from neurodeploy.boardtest.trial import (
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    check,
    no_losses,
    refusals,
)
from neurodeploy.cam import decoding, experiments
from neurodeploy.models.network import Network

Spikes = dict[str, tuple[np.ndarray, np.ndarray]]


def trials(name: str) -> Callable[[], Iterator[Trial]]:
    """The trial of the experiment `name`."""

    def generate() -> Iterator[Trial]:
        from neurodeploy.backends.spinnaker import SpinnakerBackend
        from neurodeploy.cam.application import describe

        experiment = experiments.experiment(name)
        yield Trial(
            name, describe(experiment, SpinnakerBackend()), (round(experiment.duration_ms / TIME_STEP),)
        )

    return generate


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    series: dict[str, object] = {}
    for result in measured:
        name, network = result.trial.name, result.trial.network
        found = by_label(network, result)
        judged = decoding.decode(experiments.experiment(name), found)
        wrong = [one.operation.words for one in judged if not one.correct]
        checks.append(
            check(
                f"{name}: answers",
                f"{len(judged)} right",
                f"{len(judged) - len(wrong)} right" + (f"; wrong: {'; '.join(wrong[:3])}" if wrong else ""),
                not wrong,
            )
        )
        published, rows = experiments.published(name), decoding.spike_rows(found)
        if published is not None:
            apart = sorted(set(rows) ^ set(published))
            checks.append(
                check(
                    f"{name}: spikes",
                    f"{len(published):,} as published, from SpiNNaker hardware",
                    f"{len(apart):,} rows differ: {apart[:3]}" if apart else "all equal",
                    rows == published,
                )
            )
        everyone = list(range(len(network.populations)))
        said = compare.model(result)
        checks.append(
            compare.spikes(network, result.numbers, said, everyone).check(f"{name}: spikes", compare.MODEL)
        )
        labels = [population.label for population in network.populations]
        series = {
            "row": [labels.index(label) for _, label, _ in rows],
            "neuron": [neuron for _, _, neuron in rows],
            "ms": [ms for ms, _, _ in rows],
            "labels": labels,
            "sizes": [population.size for population in network.populations],
        }
    if measured:
        checks.append(no_losses(measured))
    return Judgement(checks + refusals(results), series=series)


def by_label(network: Network, result: Measured) -> Spikes:
    """Spikes by the population's label, times in ms."""
    return {
        population.label: (result.numbers.spikes[position][0] * TIME_STEP, result.numbers.spikes[position][1])
        for position, population in enumerate(network.populations)
    }
