"""Images shown to the frozen liquid on a target, one after the other in one run, and its spikes counted.

An image is 250 ms of input spikes; then nothing comes in for :data:`PAUSE_MS`, in which the liquid falls silent and every
current is gone; then all membranes are set to rest.  So a sample's counts depend on nothing but itself, on every target.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodeploy.backends.base import Backend, Options, Report, Session
from neurodeploy.backends.brian2.trials.session import Trials
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.costs import Costs, Rates
from neurodeploy.errors import RunError
from neurodeploy.lsm import phases
from neurodeploy.lsm.data import Images
from neurodeploy.lsm.drive import Drive
from neurodeploy.lsm.model import CELL, SAMPLE_MS, TIME_STEP_MS
from neurodeploy.lsm.network import LIQUID, Frozen, build, densest
from neurodeploy.lsm.store import Store
from neurodeploy.models.network import Network
from neurodeploy.version import VERSION

PAUSE_MS = 50
"""Without input after an image."""

SILENT_MS = 20
"""At its end no neuron may spike any more: a current is then e^-20 of what it was, 0 in a chip's numbers."""

PERIOD_MS = SAMPLE_MS + PAUSE_MS

BLOCK = 200
"""Samples whose input is handed over, and whose spikes are read, at a time."""

Train = tuple[np.ndarray, np.ndarray]
"""Steps and neurons of the input spikes of one sample, sorted by step."""

Progress = Callable[[str, int, int], None]


def drive(trials: Trials, images: Any, hits: Drive, part: str, first: int) -> tuple[list[Train], np.ndarray]:
    """Input spikes of `images` of `part`, ``"training"`` or ``"test"``, by the draws of :func:`phases.features`.

    Parameters
    ----------
    trials : Trials
        Of the frozen liquid.
    images : ndarray, shape (n, pixels); or Recordings
    hits : Drive
    part : str
    first : int
        Number of the first image in its part.

    Returns
    -------
    list of Train
        The same on every target.
    ndarray of uint16, shape (n, neurons)
        Spikes of the liquid in floating point under the model's own rules.
    """
    numbers = phases.FIRST_NUMBER[part] + np.arange(first, first + len(images))
    found = hits.show(trials, images, numbers, phases.FEATURES[False], raster=True)
    spikes = found.raster[found.raster[:, 2] < trials.driven]
    bounds = np.searchsorted(spikes[:, 0], np.arange(len(images) + 1))
    trains = [(spikes[a:b, 1], spikes[a:b, 2]) for a, b in itertools.pairwise(bounds)]
    return trains, found.counts[:, trials.driven :]


def spike_times(trains: Sequence[Train], inputs: int, first: int = 0) -> list[np.ndarray]:
    """Times of every input neuron's spikes, ms, of samples one after the other, the first of which begins at step `first`."""
    starts = first + PERIOD_MS * np.arange(len(trains))
    steps = np.concatenate([steps + start for (steps, _), start in zip(trains, starts, strict=True)])
    neurons = np.concatenate([neurons for _, neurons in trains])
    order = np.lexsort((steps, neurons))
    bounds = np.searchsorted(neurons[order], np.arange(1, inputs))
    return np.split(steps[order] * TIME_STEP_MS, bounds)


@dataclass
class Shown:
    """What a target made of the images.

    Attributes
    ----------
    counts, in_model : ndarray of uint16, shape (n, neurons)
        On the target, and in floating point under the model's own rules.
    afterwards : int
        Spikes of the liquid on the target when an image is over.
    resumed : int
        Images that an earlier command had shown.
    report : Report
        Of the target.
    costs : Costs
        Of the target, with these spikes.
    first : dict of str to Train
        Spikes of the input and of the liquid in the first image; empty where an earlier command had shown it.
    """

    counts: np.ndarray
    in_model: np.ndarray
    afterwards: int
    resumed: int
    report: Report
    costs: Costs
    first: dict[str, Train]


def describe(
    liquid: Frozen, trains: Sequence[np.ndarray], backend: object, rules: str, seed: int = 0
) -> Network:
    """The frozen liquid as a Network, its input as `trains` (ms)."""
    from neurodeploy.models import pynn as sim

    sim.setup(timestep=TIME_STEP_MS, min_delay=TIME_STEP_MS, backend=backend, rules=rules, seed=seed)
    build(sim, liquid, trains)
    return sim.capture()


def show(
    network: Network,
    liquid: Frozen,
    images: Images,
    hits: Drive,
    part: str,
    options: Options,
    backend: str,
    progress: Progress | None = None,
) -> Shown:
    """Show `images` of `part` to `liquid`, the frozen `network`, on `backend`.

    The chip's numbers are chosen for the densest input there can be, so that they do not depend on the images.  What the
    brian2 backend has counted is kept, so that a run that was stopped goes on.

    Raises
    ------
    RunError
        The liquid does not fall silent after an image.
    """
    from neurodeploy.backends import registry

    target = registry.load(backend)
    target.refuse_machine(hardware=options.hardware, host=options.host, faults=options.faults)
    began = time.perf_counter()
    model = describe(liquid, densest(liquid.inputs, PERIOD_MS), target, options.rules, network.seed)
    described = time.perf_counter() - began
    total = len(images.labels)
    counts, in_model = (np.zeros((total, liquid.neurons), np.uint16) for _ in range(2))
    arrived = np.zeros(liquid.inputs)
    store = _store(network, model, options.rules) if backend == "brian2" else None
    afterwards = resumed = 0
    with ExitStack() as stack:
        session = target.open(model, replace(options, progress=None))
        stack.callback(session.end)
        trials = Trials(network, plastic=False)
        stack.callback(trials.end)
        target_of = _Target(session, liquid)
        for begin in range(0, total, BLOCK):
            rows = slice(begin, min(begin + BLOCK, total))
            shown = images.images[rows]
            name = f"{part}-{begin}-{phases.image_digest(shown, hits)[:16]}"
            kept = store.load(name) if store is not None else None
            if kept is None or "arrived" not in kept:
                trains, floats = drive(trials, shown, hits, part, begin)
                found, late = target_of.count(trains, begin, total, progress)
                sent = np.concatenate([neurons for _, neurons in trains])
                kept = {
                    "counts": found,
                    "in_model": floats,
                    "afterwards": np.array(late),
                    "arrived": np.bincount(sent, minlength=liquid.inputs),
                }
                if store is not None:
                    store.save(name, **kept)
            else:
                resumed += len(shown)
            counts[rows], in_model[rows] = kept["counts"], kept["in_model"]
            arrived += kept["arrived"]
            afterwards += int(kept["afterwards"])
        if progress is not None:
            progress("images", total, total)
    session.report.wall["build"] += described
    costs = _costs(model, target, options, arrived, counts)
    if afterwards:
        costs.notes.append(f"{afterwards:,} spikes of the liquid after the images are left out")
    return Shown(counts, in_model, afterwards, resumed, session.report, costs, target_of.first)


def _costs(
    model: Network, target: Backend, options: Options, arrived: np.ndarray, counts: np.ndarray
) -> Costs:
    """What the images take of the target, with the spikes that `arrived` and the `counts` of the liquid."""
    steps = len(counts) * PERIOD_MS
    spikes = {"input": arrived, LIQUID: counts.sum(axis=0, dtype=float)}
    rates = Rates(counts=spikes, duration=steps * TIME_STEP_MS, run="this run")
    return target.costs(model, replace(options, progress=None), steps, rates)


def _store(network: Network, model: Network, rules: str) -> Store:
    """Where counts under `rules` are kept: by all that decides them."""
    from neurodeploy.backends.brian2 import compiler, loihi
    from neurodeploy.backends.brian2.lower import lower

    meaning = rules_by_name(rules)
    structure = loihi.structure(parallel=False) if meaning.chip else lower(model, meaning).structure
    return Store(
        "counts-on-target",
        network=network.digest(),
        model=model.digest(),
        rules=rules,
        program=compiler.program_key(structure),
        version=VERSION,
        period=[SAMPLE_MS, PAUSE_MS],
    )


class _Target:
    """The liquid in a session; samples go on from where the last one ended."""

    def __init__(self, session: Session, liquid: Frozen) -> None:
        self.session, self.liquid, self.samples = session, liquid, 0
        self.rest = np.full(liquid.neurons, CELL["v_rest"])
        self.first: dict[str, Train] = {}

    def count(
        self, trains: Sequence[Train], begin: int, total: int, progress: Progress | None
    ) -> tuple[np.ndarray, int]:
        """Spikes of every neuron in every sample, and of all of them in the pauses; `begin` is the first of `total` samples."""
        first = self.samples * PERIOD_MS
        self.session.set_spike_times(0, spike_times(trains, self.liquid.inputs, first))
        for number in range(len(trains)):
            if self.samples:
                self.session.set_state(1, "v", self.rest)
            self.session.run(PERIOD_MS)
            self.samples += 1
            if progress is not None:
                progress("images", begin + number + 1, total)
        times, neurons = self.session.spikes(1)
        steps = np.rint(np.asarray(times) / TIME_STEP_MS).astype(np.int64) - first
        if not begin:
            early = (steps >= 0) & (steps < PERIOD_MS)
            self.first = {"input": trains[0], LIQUID: (steps[early], neurons[early])}
        mine = steps >= 0
        return counted(steps[mine], neurons[mine], (len(trains), self.liquid.neurons))


def counted(steps: np.ndarray, neurons: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Spikes of every neuron in every sample, `shape` being (samples, neurons), and of all of them in the pauses.

    Raises
    ------
    RunError
        The liquid does not fall silent after an image.
    """
    sample, step = np.divmod(steps, PERIOD_MS)
    _refuse_restless(sample, step)
    within = step < SAMPLE_MS
    counts = np.zeros(shape, np.uint16)
    np.add.at(counts, (sample[within], neurons[within]), 1)
    return counts, int(np.count_nonzero(~within))


def _refuse_restless(sample: np.ndarray, step: np.ndarray) -> None:
    late = np.unique(sample[step >= PERIOD_MS - SILENT_MS])
    if late.size:
        raise RunError(
            f"The liquid still spikes {PAUSE_MS - SILENT_MS} ms after image {late[0]} is over ({late.size} such images so far)",
            why="the next image would meet what is left of it, and its counts would depend on the order of the images",
            fix="use a liquid that its input alone keeps going: more snapshots, or a larger --astrocyte-weight",
        )
