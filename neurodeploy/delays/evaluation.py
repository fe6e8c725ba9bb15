"""How often the layer is right: one decision a movie of constant motion, over images that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from neurodeploy.delays import events as event_models
from neurodeploy.delays import readout
from neurodeploy.delays.events import Events
from neurodeploy.delays.images import Image
from neurodeploy.delays.layer import Layer, chosen_inputs, patches, swap, valid_box
from neurodeploy.delays.motion_clouds import CloudSettings, make_cloud
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.errors import RequestError

CHUNK = 2048
"""Voxels whose inputs are in memory at a time."""

STREAM_TEST, STREAM_CALIBRATION, STREAM_NOISE, STREAM_DRAWN = 10, 11, 12, 13
"""Streams of random numbers, apart from those of training."""


CALIBRATION_MOVIES = 36
"""Movies of training images that thresholds are chosen on."""


@dataclass(frozen=True)
class TestSet:
    """Movies that are the same every time they are asked for.

    Attributes
    ----------
    images : sequence of Image
    motions : Motions
    settings : MovieSettings or CloudSettings
        ``mean_block`` None: one motion a movie.  Motion Clouds need no image.
    count, first, seed : int
        Movies `first` .. `count` - 1 are given.
    stride : (int, int, int)
        Every how many ms, rows and columns the evidence is read; (1, 1, 1) reads it everywhere.
    selectivity : float
    accumulate : bool
        Of the camera (:func:`events.from_frames`).
    alter : callable, optional
        Changes the events of a movie: (events, generator) -> events.
    stream : int
    """

    __test__ = False  # not a test of pytest's

    images: Sequence[Image]
    motions: Motions = field(default_factory=Motions)
    settings: MovieSettings | CloudSettings = field(default_factory=lambda: MovieSettings(mean_block=None))
    count: int = 200
    seed: int = 0
    stride: tuple[int, int, int] = (3, 4, 4)
    selectivity: float = event_models.SELECTIVITY
    accumulate: bool = False
    alter: Callable[[Events, np.random.Generator], Events] | None = None
    stream: int = STREAM_TEST
    first: int = 0

    def calibration(self, images: Sequence[Image]) -> TestSet:
        """The movies over training `images` that thresholds are chosen on, alike in all else."""
        return replace(self, images=images, count=CALIBRATION_MOVIES, stream=STREAM_CALIBRATION)

    def __iter__(self) -> Iterator[tuple[Events, int, str]]:
        """(events, class, image's name) of each movie; a movie depends on the seed and its number alone."""
        for number in range(self.first, self.count):
            generator = np.random.default_rng([self.seed, self.stream, number])
            if isinstance(self.settings, CloudSettings):
                movie = make_cloud(generator, self.motions, self.settings)
            else:
                movie = make_movie(generator, self.images, self.motions, self.settings)
            events = event_models.from_frames(movie.frames, self.selectivity, self.accumulate)
            if self.alter is not None:
                events = self.alter(events, generator)
            yield events, int(movie.labels[-1]), movie.image


MOST_CHOSEN = 0.7
"""Share of the inputs above which reading all costs less than choosing."""


class Probe:
    """Evidence of several layers of one shape at the same places; inputs without a weight are not read."""

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        shapes = {layer.weights.shape for layer in layers.values()}
        if len(shapes) != 1:
            raise RequestError(f"Layers of the shapes {sorted(shapes)} cannot be evaluated together.")
        (_, _, self.delays, self.side, _) = shapes.pop()
        self.parts: dict[str, tuple[np.ndarray | slice, np.ndarray, np.ndarray]] = {}
        weights = {name: np.concatenate([layer.flat(), swap(layer.flat())]) for name, layer in layers.items()}
        read = np.any([both.any(axis=0) for both in weights.values()], axis=0)
        self.inputs = np.flatnonzero(read) if read.mean() <= MOST_CHOSEN else np.arange(len(read))
        for name, layer in layers.items():
            both = weights[name][:, self.inputs]
            mine = np.flatnonzero(both.any(axis=0))
            used = slice(None) if len(mine) > MOST_CHOSEN * both.shape[1] else mine
            self.parts[name] = (used, np.ascontiguousarray(both[:, used].T), layer.bias)
        self.all_inputs = len(self.inputs) == len(read)

    def fields(self, events: Events, stride: tuple[int, int, int]) -> dict[str, np.ndarray]:
        """L of each layer at every `stride`-th valid voxel, (voxels, classes)."""
        box = valid_box(events, self.delays, self.side)
        grid = np.meshgrid(*(np.array(r)[::s] for r, s in zip(box, stride, strict=True)), indexing="ij")
        t, y, x = (axis.ravel() for axis in grid)
        dense = events.dense()
        found: dict[str, list[np.ndarray]] = {name: [] for name in self.parts}
        for first in range(0, len(t), CHUNK):
            here = slice(first, first + CHUNK)
            place = (dense, t[here], y[here], x[here], self.delays, self.side)
            seen = patches(*place) if self.all_inputs else chosen_inputs(*place, self.inputs)
            for name, (used, both, bias) in self.parts.items():
                values = (seen[:, used] @ both).reshape(len(seen), 2, -1)
                found[name].append(values.max(axis=1) + bias)
        return {name: np.concatenate(parts) for name, parts in found.items()}


@dataclass
class Score:
    """Decisions of one layer over a test set.

    Attributes
    ----------
    decisions, labels : ndarray of int64, shape (movies,)
    images : list of str
    """

    decisions: np.ndarray
    labels: np.ndarray
    images: list[str]

    @property
    def right(self) -> int:
        return int((self.decisions == self.labels).sum())

    @property
    def accuracy(self) -> float:
        return self.right / len(self.labels)

    @property
    def interval(self) -> tuple[float, float]:
        """See :func:`readout.interval`."""
        return readout.interval(self.right, len(self.labels))

    def facts(self) -> dict[str, float | int]:
        low, high = self.interval
        return {
            "accuracy": self.accuracy,
            "low_5": low,
            "high_95": high,
            "right": self.right,
            "movies": len(self.labels),
        }


def evaluate(
    layers: Mapping[str, Layer],
    test: TestSet,
    thresholds: Mapping[str, np.ndarray] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    shown: Iterable[tuple[Events, int, str]] | None = None,
) -> dict[str, Score]:
    """A score for every layer, by the evidence rule, or by the count rule where `thresholds` has its name.

    `shown` are the movies of `test` where they have been made already.
    """
    probe = Probe(layers)
    decisions: dict[str, list[int]] = {name: [] for name in layers}
    labels, images = [], []
    for number, (events, label, image) in enumerate(test if shown is None else shown, test.first):
        for name, larger in probe.fields(events, test.stride).items():
            threshold = (thresholds or {}).get(name)
            decisions[name].append(
                readout.decide(larger) if threshold is None else readout.decide_by_count(larger, threshold)
            )
        labels.append(label)
        images.append(image)
        progress(number + 1, test.count)
    return {name: Score(np.array(made), np.array(labels), images) for name, made in decisions.items()}


def calibrate(
    layers: Mapping[str, Layer], movies: TestSet, stochastic: bool = False
) -> dict[str, tuple[np.ndarray, float]]:
    """(θ of every class, spikes a voxel) of every layer, by :func:`readout.choose_thresholds` on `movies` of training images.

    A `stochastic` detector fires with probability σ(L - θ): where L and a logistic variable together are above θ.
    """
    probe = Probe(layers)
    generator = np.random.default_rng([movies.seed, STREAM_NOISE])
    labels, fields = [], []
    for events, label, _ in movies:
        labels.append(label)
        found = probe.fields(events, movies.stride)
        if stochastic:
            found = {name: larger + generator.logistic(size=larger.shape) for name, larger in found.items()}
        fields.append(found)
    return {name: readout.choose_thresholds([one[name] for one in fields], labels) for name in layers}


def half_point(sizes: Sequence[float], accuracies: Sequence[float]) -> float:
    """The smallest size at which the accuracy reaches half of its largest value, interpolated in log(size)."""
    order = np.argsort(sizes)
    size, accuracy = np.asarray(sizes, float)[order], np.asarray(accuracies, float)[order]
    half = accuracy.max() / 2
    above = int(np.argmax(accuracy >= half))
    if above == 0:
        return float(size[0])
    share = (half - accuracy[above - 1]) / (accuracy[above] - accuracy[above - 1])
    return float(np.exp(np.log(size[above - 1]) + share * np.log(size[above] / size[above - 1])))
