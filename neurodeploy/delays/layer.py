"""One layer of motion detectors: weights over (class, polarity, delay, row, column), and their evidence.

    B(c,t,y,x) = Σ_{p,d,dy,dx} K(c,p,d,dy,dx) A(p, t-d, y-dy, x-dx) + β_c
    L(c,t,y,x) = max( B[A], B[A with ON and OFF swapped] )

A is 1 where there is an event, d ≥ 0 is the age of the event and the delay of its synapse (equations 4 and 6 of the
specification; the article's "complex cell").  Kernels are kept with d, dy, dx growing, dy = dx = 0 in the middle.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.delays.events import OFF, ON, Events
from neurodeploy.delays.motions import Motions
from neurodeploy.errors import RequestError, RunError

DELAYS, SIDE = 21, 17
"""Delays 0 .. 20 ms and pixels of the paper's kernels."""

MASK_EXPONENT, MASK_SPEED, MASK_RADIUS = 4, 2.5, 0.05
"""Of the mask: exponent, half widths a depth, half width at delay 0 (the authors' code)."""

FORMAT = 1
"""Version of the model file."""


@dataclass(frozen=True)
class Layer:
    """The detectors.

    Attributes
    ----------
    weights : ndarray of float32, shape (classes, 2, delays, side, side)
        K(c, p, d, dy, dx); p is OFF, ON.
    bias : ndarray of float32, shape (classes,)
    motions : Motions
    made_by : dict
        How it was trained: command, settings, seed, time.
    """

    weights: np.ndarray
    bias: np.ndarray
    motions: Motions = field(default_factory=Motions)
    made_by: dict[str, Any] = field(default_factory=dict)

    @property
    def delays(self) -> int:
        return self.weights.shape[2]

    @property
    def side(self) -> int:
        return self.weights.shape[3]

    @property
    def radius(self) -> int:
        return self.side // 2

    @property
    def synapses(self) -> int:
        """How many weights are not 0."""
        return int(np.count_nonzero(self.weights))

    def flat(self) -> np.ndarray:
        """Weights in the order of :func:`patches`: shape (classes, 2 × delays × side × side)."""
        return to_flat(self.weights)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file: NumPy's compressed archive, whole or not at all."""
        facts = {"format": FORMAT, "motions": asdict(self.motions), "made_by": self.made_by}
        write_archive(Path(path), facts, weights=self.weights, bias=self.bias)


def load(path: str | os.PathLike[str]) -> Layer:
    """The layer of a model file.

    Raises
    ------
    RequestError
        The file is not there, is no model file, or has numbers that are not finite.
    """
    facts, arrays = read_archive(Path(path), "model", ("weights", "bias"))
    if facts.get("format") != FORMAT:
        raise RequestError(
            f"The model {path} has format {facts.get('format')}; this version reads {FORMAT}.",
            fix="train it again, or use the version of neurodeploy that wrote it",
        )
    motions = Motions(facts["motions"]["directions"], tuple(facts["motions"]["speeds"]))
    weights = arrays["weights"].astype(np.float32)
    if weights.ndim != 5 or weights.shape[0] != motions.count or weights.shape[1] != 2:
        raise RequestError(
            f"The model {path} has weights of shape {weights.shape} for {motions.count} classes.",
            fix="train it again",
        )
    if not np.isfinite(weights).all() or not np.isfinite(arrays["bias"]).all():
        raise RequestError(
            f"The model {path} has weights that are not finite.", fix="train it again with a lower rate"
        )
    return Layer(weights, arrays["bias"].astype(np.float32), motions, facts["made_by"])


def shipped() -> Layer:
    """The trained layer that comes with the package."""
    return load(Path(__file__).parent / "trained.npz")


def choose(path: str | os.PathLike[str] | None) -> Layer:
    """The layer of the user's model file, or the one that comes along."""
    return shipped() if path is None else load(path)


def write_archive(path: Path, facts: dict[str, Any], **arrays: np.ndarray) -> None:
    """Arrays and a JSON of `facts` in one file, which appears whole or not at all.

    Raises
    ------
    RunError
        It cannot be written; a file that was there before still is.
    """
    whole = io.BytesIO()
    np.savez_compressed(whole, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(whole.getbuffer())
        os.replace(unfinished, path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({os.strerror(error.errno or 0)}).",
            why="what was there before, if anything, is unchanged",
            fix="free some space or choose another folder, and run it again",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read_archive(
    path: Path, kind: str, names: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts and the named arrays of :func:`write_archive`."""
    if not path.is_file():
        raise RequestError(f"The {kind} {path} is not there.", fix="give the path of a file that is")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return json.loads(str(archive["facts"])), {name: archive[name] for name in names}
    except Exception as error:  # zip, NumPy, JSON: each has errors of its own for a damaged file
        raise RequestError(
            f"{path} is not a {kind} of neurodeploy ({error}).", fix="give a file that training wrote"
        ) from error


def mask(delays: int = DELAYS, side: int = SIDE) -> np.ndarray:
    """m(d, dy, dx) = ((1 + cos πr) / 2)^(1/4) exp(-r² / (2 (2.5 (1-τ) + 0.05)²)) for r < 1, else 0.

    r is the distance from the middle in units of (side + 1) / 2, τ = 1 - d / (delays - 1): round, and narrow at
    short delays (the authors' code; the article says only that it is).
    """
    u = (np.arange(side) - side // 2) / ((side + 1) / 2)
    r = np.hypot(u[:, None], u[None])[None]
    depth = (np.arange(delays) / max(delays - 1, 1))[:, None, None]
    round_ = np.where(r < 1, (1 + np.cos(np.pi * np.minimum(r, 1))) / 2, 0) ** (1 / MASK_EXPONENT)
    return (round_ * np.exp(-(r**2) / (2 * (MASK_SPEED * depth + MASK_RADIUS) ** 2))).astype(np.float32)


def to_flat(weights: np.ndarray) -> np.ndarray:
    """(classes, 2, delays, side, side) in the order of :func:`patches`, as a contiguous matrix."""
    return np.ascontiguousarray(weights[:, :, ::-1, ::-1, ::-1].reshape(len(weights), -1))


def from_flat(flat: np.ndarray, delays: int, side: int) -> np.ndarray:
    """The inverse of :func:`to_flat`."""
    return np.ascontiguousarray(flat.reshape(len(flat), 2, delays, side, side)[:, :, ::-1, ::-1, ::-1])


def swap(flat: Any, xp: Any = np) -> Any:
    """Flat weights or patches (rows, inputs) with ON and OFF exchanged; `xp` are the functions on its kind of array."""
    half = flat.shape[1] // 2
    return xp.stack([flat[:, half:], flat[:, :half]], 1).reshape(flat.shape)


def valid_box(events: Events, delays: int, side: int) -> tuple[range, range, range]:
    """Bins, rows and columns whose whole past and neighbourhood are on the grid.

    The grid's first bin holds no event, having no frame before it, so the first `delays` bins are dropped (21, as in
    the authors' code).

    Raises
    ------
    RequestError
        There is no such place.
    """
    radius = side // 2
    box = (
        range(delays, events.steps),
        range(radius, events.height - radius),
        range(radius, events.width - radius),
    )
    if not all(box):
        raise RequestError(
            f"Events of {events.height} x {events.width} pixels and {events.steps} ms are too few for kernels of"
            f" {side} x {side} pixels and {delays} ms.",
            why="a detector needs its whole receptive field, and all of its delays",
            fix=f"use {side} x {side} pixels and {delays + 1} ms or more",
        )
    return box


def patches(
    dense: np.ndarray, t: np.ndarray, y: np.ndarray, x: np.ndarray, delays: int, side: int
) -> np.ndarray:
    """What the detectors at (t, y, x) see: rows of A(p, t-d, y-dy, x-dx) in one order, (len(t), inputs).

    `dense` is A(p, t, y, x) as float32; places are of :func:`valid_box`.
    """
    radius = side // 2
    window = (2, delays, side, side)
    views = np.lib.stride_tricks.sliding_window_view(dense, window)[0]
    return views[t - delays + 1, y - radius, x - radius].reshape(len(t), -1)


def chosen_inputs(
    dense: np.ndarray,
    t: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    delays: int,
    side: int,
    inputs: np.ndarray,
) -> np.ndarray:
    """The columns `inputs` of :func:`patches`, without reading the others: (len(t), len(inputs))."""
    p, age, row, column = np.unravel_index(inputs, (2, delays, side, side))
    offset = np.ravel_multi_index((p, age, row, column), dense.shape)
    corner = (t - delays + 1, y - side // 2, x - side // 2)
    start = np.ravel_multi_index((np.zeros_like(t), *corner), dense.shape)
    return dense.ravel()[start[:, None] + offset]


def evidence(seen: Any, flat: Any, bias: Any, xp: Any = np) -> Any:
    """L of both contrasts, (places, 2, classes): B of the events, and of the events swapped.

    The larger of the two along the middle axis is the layer's evidence.  `xp` are the functions on the given kind of
    arrays.
    """
    both = seen @ xp.stack([flat, swap(flat, xp)]).reshape(2 * len(flat), -1).T
    return both.reshape(len(seen), 2, len(flat)) + bias


def evidence_everywhere(layer: Layer, events: Events) -> np.ndarray:
    """L(c, t, y, x) at every place of :func:`valid_box`, by one event and synapse after the other.

    The arrival of every event at every synapse is added up as in equation (1); slow, and the reference.  Shape
    (classes, bins, rows, columns) of the valid box, float64.
    """
    branches = []
    for seen in (events, events.swapped()):
        total = np.zeros((len(layer.weights), events.steps, events.height, events.width))
        total += layer.bias[:, None, None, None]
        c, p, d, j, i = np.nonzero(layer.weights)
        w = layer.weights[c, p, d, j, i]
        for polarity in (OFF, ON):
            mine, arriving = p == polarity, seen.p == polarity
            t = seen.t[arriving][:, None] + d[mine]
            y = seen.y[arriving][:, None] + j[mine] - layer.radius
            x = seen.x[arriving][:, None] + i[mine] - layer.radius
            inside = (t < events.steps) & (y >= 0) & (y < events.height) & (x >= 0) & (x < events.width)
            event, synapse = np.nonzero(inside)
            where = (c[mine][synapse], t[event, synapse], y[event, synapse], x[event, synapse])
            np.add.at(total, where, w[mine][synapse])
        branches.append(total)
    bins, rows, columns = valid_box(events, layer.delays, layer.side)
    both = np.maximum(*branches)
    return both[:, bins.start :, rows.start : rows.stop, columns.start : columns.stop]


def with_weights(layer: Layer, weights: np.ndarray) -> Layer:
    """`layer` with other weights and the same bias."""
    return replace(layer, weights=weights)
