"""Training of the layer: softmax regression on the class that moves, by Adam, over voxels sampled from movies.

    loss = mean over voxels of  -log softmax_c( L )[label]            ("softmax", the authors' code)
    loss = mean over voxels of  Σ_c BCE( σ(L_c), label = c )          ("binary", the article)

L is the larger of two linear functions, so its gradient is two matrix products; nothing but NumPy is needed, and no
machine-learning framework is installed for it.  The same lines run in torch (`devices`), on a GPU too.  The batch of a
step is a function of (seed, step), so a run that is resumed continues bit for bit as if it had not stopped (on the
same machine and device, and with the same number of threads).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.delays import events as event_models
from neurodeploy.delays.devices import NUMPY, Device
from neurodeploy.delays.images import Image
from neurodeploy.delays.layer import (
    DELAYS,
    SIDE,
    Layer,
    evidence,
    from_flat,
    mask,
    patches,
    read_archive,
    swap,
    to_flat,
    valid_box,
    write_archive,
)
from neurodeploy.delays.motions import MEAN_BLOCK_MS, Motions
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.errors import RequestError, did_you_mean

CENTRAL_PAIR = 4.0
"""Start of the middle weight at delay 0: + for ON, - for OFF, the same in every class (the authors' code)."""

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's own defaults."""

VALIDATION_MOVIES, VALIDATION_VOXELS = 32, 32
"""Movies of the training images that no step sees, and voxels of each, for the curve."""

SAMPLINGS = {
    "uniform": "any valid voxel: the authors' loss",
    "events": "valid voxels whose own pixel has an event",
    "mixed": "half of each",
}
"""Which voxels the loss is a mean over."""

MOST_TRIES = 100
"""Movies of featureless places that are passed over before training gives up."""

STREAM_TRAINING, STREAM_START, STREAM_VALIDATION = range(3)
"""Independent streams of random numbers below one seed."""


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides the weights.

    Attributes
    ----------
    motions : Motions
    delays, side : int
        Size of the kernels.
    height, width, steps_ms : int
        Size of the training movies.
    mean_block : float
        ms until a movie's motion is drawn anew.
    movies, voxels : int
        Movies a step, and voxels sampled from each.
    sampling : str
        One of :data:`SAMPLINGS`.
    loss : str
        ``"softmax"`` or ``"binary"``.
    rate, cool_down : float
        Adam's learning rate, and the last share of the steps over which it falls to 0.
    sparsity : float
        Every weight moves by rate × sparsity towards 0 in every step, and stays there if it arrives (the proximal step
        of an L1 penalty in Adam's units; 0 in the paper).
    start_sd : float
        Standard deviation of the first weights, times the mask (0.01 in the authors' code).
    symmetric : bool
        Average the gradient over the symmetries of the grid that map classes onto classes (not in the paper).
    selectivity : float
        Of the events.
    steps, seed : int
    """

    motions: Motions = field(default_factory=Motions)
    delays: int = DELAYS
    side: int = SIDE
    height: int = 64
    width: int = 64
    steps_ms: int = 60
    mean_block: float = MEAN_BLOCK_MS
    movies: int = 4
    voxels: int = 256
    sampling: str = "events"
    loss: str = "softmax"
    rate: float = 1e-3
    cool_down: float = 0.5
    sparsity: float = 0.0
    start_sd: float = 0.0
    symmetric: bool = True
    selectivity: float = event_models.SELECTIVITY
    steps: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("sampling", tuple(SAMPLINGS)), ("loss", ("softmax", "binary"))):
            value = getattr(self, name)
            if value not in known:
                raise RequestError(
                    f"There is no {name} '{value}'.{did_you_mean(value, known)}",
                    fix=f"choose {' or '.join(known)}",
                )
        for name in ("delays", "side", "height", "width", "steps_ms", "movies", "voxels", "steps"):
            if getattr(self, name) < 1:
                raise RequestError(f"The training's {name} is {getattr(self, name)}.", fix="give 1 or more")
        if self.side % 2 == 0:
            raise RequestError(
                f"Kernels of {self.side} x {self.side} pixels have no middle.", fix="give an odd side"
            )
        if not self.rate > 0 or not 0 <= self.cool_down <= 1:
            raise RequestError(
                f"The rate is {self.rate} and the cool-down {self.cool_down}.",
                fix="give a rate above 0 and a cool-down from 0 to 1",
            )

    def frame(self) -> MovieSettings:
        """What the movies are like."""
        return MovieSettings(self.height, self.width, self.steps_ms, self.mean_block)

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass
class State:
    """Where a training is: weights and Adam's moments, as arrays of NumPy or of a device, and the curve so far."""

    flat: Any
    bias: Any
    moments: Any
    squares: Any
    bias_moments: Any
    bias_squares: Any
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)

    ARRAYS = ("flat", "bias", "moments", "squares", "bias_moments", "bias_squares")

    def moved(self, move: Callable[[Any], Any]) -> State:
        """The same, with every array passed through `move`."""
        return replace(self, **{name: move(getattr(self, name)) for name in self.ARRAYS})


def start(settings: TrainingSettings) -> State:
    """Weights of 0.01 N(0, 1) × mask (the settings' `start_sd`), and the central pair of +4 and -4."""
    generator = np.random.default_rng([settings.seed, STREAM_START])
    shape = (settings.motions.count, 2, settings.delays, settings.side, settings.side)
    weights = settings.start_sd * generator.standard_normal(shape, np.float32)
    weights *= mask(settings.delays, settings.side)
    middle = settings.side // 2
    weights[:, event_models.ON, 0, middle, middle] += CENTRAL_PAIR
    weights[:, event_models.OFF, 0, middle, middle] -= CENTRAL_PAIR
    flat = to_flat(weights.astype(np.float32))
    if settings.symmetric:
        flat = symmetrise(flat, settings)
    bias = np.zeros(len(flat), np.float32)
    zeros = [np.zeros_like(values) for values in (flat, flat, bias, bias)]
    return State(flat, bias, zeros[0], zeros[1], zeros[2], zeros[3])


def symmetrise(flat: Any, settings: TrainingSettings, device: Device = NUMPY) -> Any:
    """The mean of flat weights over the symmetries of the grid that map classes onto classes."""
    xp = device.xp
    grid = flat.reshape(len(flat), -1, settings.side, settings.side)
    total = xp.zeros_like(grid)
    symmetries = settings.motions.symmetries()
    for permutation, turns, mirrored in symmetries:
        moved = xp.rot90(xp.flip(grid, axis=-1) if mirrored else grid, turns, (-2, -1))
        total[device.put(permutation)] += moved
    return (total / len(symmetries)).reshape(flat.shape)


def make_batch(
    settings: TrainingSettings, images: Sequence[Image], step: int, stream: int = STREAM_TRAINING
) -> tuple[np.ndarray, np.ndarray]:
    """(patches, labels) of one step, a function of the seed and the step alone."""
    generator = np.random.default_rng([settings.seed, stream, step])
    frame = settings.frame()
    seen, labels = [], []
    for _ in range(settings.movies):
        for _ in range(MOST_TRIES):
            movie = make_movie(generator, images, settings.motions, frame)
            events = event_models.from_frames(movie.frames, settings.selectivity)
            places = sample_voxels(generator, events, settings)
            if places is not None:
                break
        else:
            raise RequestError(
                f"None of {MOST_TRIES} movies has {settings.voxels} events that a detector could see in full.",
                fix="lower the number of voxels, or use larger movies or images with more contrast",
            )
        t, y, x = places
        seen.append(patches(events.dense(), t, y, x, settings.delays, settings.side))
        labels.append(movie.labels[t])
    return np.concatenate(seen), np.concatenate(labels)


def sample_voxels(
    generator: np.random.Generator, events: event_models.Events, settings: TrainingSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(t, y, x) of the settings' number of valid voxels; None where a movie has too few events for that."""
    bins, rows, columns = valid_box(events, settings.delays, settings.side)
    anywhere = {"uniform": settings.voxels, "mixed": settings.voxels // 2, "events": 0}[settings.sampling]
    places = np.stack([generator.integers(r.start, r.stop, size=anywhere) for r in (bins, rows, columns)])
    if anywhere < settings.voxels:
        inside = (events.y >= rows.start) & (events.y < rows.stop)
        inside &= (events.x >= columns.start) & (events.x < columns.stop) & (events.t >= bins.start)
        valid = np.flatnonzero(inside)
        if len(valid) < settings.voxels - anywhere:
            return None
        chosen = generator.choice(valid, size=settings.voxels - anywhere, replace=False)
        at_events = np.stack([events.t[chosen], events.y[chosen], events.x[chosen]])
        places = np.concatenate([places, at_events], axis=1)
    return places[0], places[1], places[2]


def loss_and_gradient(
    flat: Any, bias: Any, seen: Any, labels: np.ndarray, loss: str = "softmax", device: Device = NUMPY
) -> tuple[float, Any, Any, Any]:
    """(loss, gradient of the weights, gradient of the bias, evidence L) over a batch, by hand; but for `labels`, arrays
    of the device."""
    xp = device.xp
    both = evidence(seen, flat, bias, xp)
    straight = both[:, 0] >= both[:, 1]
    larger = xp.maximum(both[:, 0], both[:, 1])
    truth = device.put(np.eye(len(flat), dtype=np.float32)[labels])
    if loss == "softmax":
        shifted = larger - xp.max(larger, axis=1, keepdims=True)
        log_sum = xp.log(xp.exp(shifted).sum(1))
        value = (log_sum - (shifted * truth).sum(1)).mean()
        error = xp.exp(shifted - log_sum[:, None])
    else:
        of_all = xp.logaddexp(xp.zeros_like(larger), larger).sum(1)
        value = (of_all - (larger * truth).sum(1)).mean()
        error = 0.5 * (1 + xp.tanh(0.5 * larger))
    error = (error - truth) / len(labels)
    to_both = xp.stack([error * straight, error * ~straight], 1).reshape(len(labels), -1)
    gradients = to_both.T @ seen
    gradient = gradients[: len(flat)] + swap(gradients[len(flat) :], xp)
    return float(value), gradient, error.sum(0), larger


def share_right(larger: Any, labels: np.ndarray, device: Device = NUMPY) -> float:
    """How many places have the largest evidence for their own class."""
    return float((device.get(larger).argmax(axis=1) == labels).mean())


def rate_at(settings: TrainingSettings, step: int) -> float:
    """The learning rate: constant, then falling in a straight line to 0 over the last `cool_down` of the steps."""
    left = (settings.steps - step) / max(settings.cool_down * settings.steps, 1)
    return settings.rate * min(1.0, left)


def advance(
    state: State,
    settings: TrainingSettings,
    seen: Any,
    labels: np.ndarray,
    limit: Any,
    device: Device = NUMPY,
) -> tuple[float, float]:
    """One step of Adam, in place; (loss, share of voxels classified right) before it."""
    xp = device.xp
    loss, gradient, bias_gradient, larger = loss_and_gradient(
        state.flat, state.bias, seen, labels, settings.loss, device
    )
    if settings.symmetric:
        gradient = symmetrise(gradient, settings, device)
    state.step += 1
    rate = rate_at(settings, state.step - 1)
    for values, moments, squares, slope in (
        (state.flat, state.moments, state.squares, gradient),
        (state.bias, state.bias_moments, state.bias_squares, bias_gradient),
    ):
        moments += (1 - BETA1) * (slope - moments)
        squares += (1 - BETA2) * (slope * slope - squares)
        spread = xp.sqrt(squares / (1 - BETA2**state.step)) + EPSILON
        values -= (rate / (1 - BETA1**state.step)) * moments / spread
    if settings.sparsity:
        shrink = rate * settings.sparsity
        state.flat -= xp.clip(state.flat, -shrink, shrink)
    bound = limit * xp.max(xp.abs(state.flat))
    state.flat = xp.clip(state.flat, -bound, bound)
    return loss, share_right(larger, labels, device)


def train(
    settings: TrainingSettings,
    images: Sequence[Image],
    state: State | None = None,
    checkpoint: Path | None = None,
    every: int = 100,
    keep_going: Callable[[], bool] = lambda: True,
    progress: Callable[[State, TrainingSettings], None] | None = None,
    ahead: int = 0,
    device: Device = NUMPY,
) -> State:
    """Train from `state` (or the start) until the settings' number of steps.

    Parameters
    ----------
    settings : TrainingSettings
    images : sequence of Image
        Of the training side.
    state : State, optional
        Where to go on from, in NumPy's arrays.
    checkpoint : Path, optional
        Written after every `every` steps and at the end.
    every : int
        Steps from one point of the curve to the next.
    keep_going : callable
        Asked before every step; training stops where it says no, and can be resumed.
    progress : callable, optional
        Called at every point of the curve.
    ahead : int
        Make so many batches ahead, each in a thread of its own.
    device : Device
        What executes the steps.

    Returns
    -------
    State
        In NumPy's arrays.
    """
    state = (start(settings) if state is None else state).moved(device.put)
    narrow = mask(settings.delays, settings.side)
    limit = device.put(to_flat(np.stack([narrow, narrow])[None]))
    apart = replace(settings, movies=VALIDATION_MOVIES, voxels=VALIDATION_VOXELS)
    held_seen, held_labels = make_batch(apart, images, 0, STREAM_VALIDATION)
    held_seen = device.put(held_seen)
    sums, count, began = np.zeros(2), 0, time.perf_counter()

    def note() -> None:
        nonlocal sums, count, began
        now = time.perf_counter()
        state.seconds += now - began
        began = now
        held_loss, _, _, larger = loss_and_gradient(
            state.flat, state.bias, held_seen, held_labels, settings.loss, device
        )
        state.curve.append(
            {
                "step": state.step,
                "seconds": state.seconds,
                **dict(zip(("loss", "accuracy"), (sums / count).tolist(), strict=True)),
                "held_loss": held_loss,
                "held_accuracy": share_right(larger, held_labels, device),
            }
        )
        sums, count = np.zeros(2), 0
        if checkpoint is not None:
            save_checkpoint(checkpoint, state.moved(device.get), settings)
        if progress is not None:
            progress(state, settings)

    with closing(batches(settings, images, state.step, ahead)) as made:
        while state.step < settings.steps and keep_going():
            seen, labels = next(made)
            sums += advance(state, settings, device.put(seen), labels, limit, device)
            count += 1
            if not math.isfinite(sums[0]):
                raise RequestError(
                    f"The loss is not finite after {state.step} steps.",
                    why=f"a learning rate of {settings.rate} is too large here",
                    fix="give a lower one",
                )
            if state.step % every == 0:
                note()
    if count:
        note()
    return state.moved(device.get)


def batches(
    settings: TrainingSettings, images: Sequence[Image], first: int, ahead: int
) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """The batches of the steps from `first` on, in order; `ahead` of them are made meanwhile, a thread for each."""
    steps = range(first, settings.steps)
    if not ahead:
        yield from (make_batch(settings, images, step) for step in steps)
        return
    with ThreadPoolExecutor(ahead) as pool:
        made = deque(pool.submit(make_batch, settings, images, step) for step in steps[:ahead])
        for step in steps:
            batch = made.popleft().result()
            if step + ahead < settings.steps:
                made.append(pool.submit(make_batch, settings, images, step + ahead))
            yield batch


def to_layer(state: State, settings: TrainingSettings, made_by: dict[str, Any] | None = None) -> Layer:
    """The layer that a training has come to."""
    facts = {"settings": settings.facts(), "steps": state.step, "seconds": state.seconds, **(made_by or {})}
    weights = from_flat(state.flat, settings.delays, settings.side)
    return Layer(weights, state.bias.copy(), settings.motions, facts)


def save_checkpoint(path: Path, state: State, settings: TrainingSettings) -> None:
    """Everything that :func:`resume` needs, in one file that is whole or not there."""
    facts = {"settings": settings.facts(), "step": state.step, "seconds": state.seconds, "curve": state.curve}
    write_archive(path, facts, **{name: getattr(state, name) for name in State.ARRAYS})


def resume(path: Path, settings: TrainingSettings) -> State:
    """The state of a checkpoint that was made with the same `settings`; the number of steps may differ.

    Raises
    ------
    RequestError
        The file is not there or damaged, or its settings are others.
    """
    facts, arrays = read_archive(path, "checkpoint", State.ARRAYS)
    theirs, ours = _comparable(facts["settings"]), _comparable(settings.facts())
    different = [name for name in ours if name != "steps" and theirs.get(name) != ours[name]]
    if different:
        listed = "; ".join(f"{name}: {theirs.get(name)} there, {ours[name]} here" for name in different)
        raise RequestError(
            f"The checkpoint {path} is of another training ({listed}).",
            why="its weights and moments would go on under other rules",
            fix="give the settings it was made with, or start anew without it",
        )
    return State(**arrays, step=facts["step"], seconds=facts["seconds"], curve=facts["curve"])


def _comparable(facts: dict[str, Any]) -> dict[str, Any]:
    import json

    return json.loads(json.dumps(facts))
