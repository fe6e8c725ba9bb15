"""The field of detected motions: which detector spoke for its motion, where and when.

Of spikes, each is a detection.  Of evidence, the published rule decides where the detectors speak: the 15 % of voxels with
the largest max_c L are kept, and each is a detection of its argmax_c L.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.delays.evaluation import Probe
from neurodeploy.delays.events import Events
from neurodeploy.delays.layer import Layer, valid_box
from neurodeploy.delays.readout import KEPT

MOST_CELLS = 2**25
"""Pixels × polarities × bins that are laid out in memory at a time."""


@dataclass(frozen=True)
class Detections:
    """Detections in order of time.

    Attributes
    ----------
    t, place, motion : ndarray of int64, shape (count,)
        ms, number of the place, class.
    row, column : ndarray of int64, shape (places,)
        Where the places are.
    classes : int
    """

    t: np.ndarray
    place: np.ndarray
    motion: np.ndarray
    row: np.ndarray
    column: np.ndarray
    classes: int

    def between(self, start: int, stop: int) -> Detections:
        """Those with `start` <= t < `stop`."""
        first, last = np.searchsorted(self.t, [start, stop])
        return replace(
            self, t=self.t[first:last], place=self.place[first:last], motion=self.motion[first:last]
        )

    @property
    def field(self) -> np.ndarray:
        """How many of each class there are at each place, (classes, places)."""
        places = len(self.row)
        number = self.motion * places + self.place
        return np.bincount(number, minlength=self.classes * places).reshape(self.classes, places)

    def counts(self, edges: np.ndarray) -> np.ndarray:
        """How many of each class there are from each of `edges` (ms) to the next, (len(edges) - 1, classes)."""
        window = np.searchsorted(edges, self.t, side="right") - 1
        inside = (window >= 0) & (window < len(edges) - 1)
        number = window[inside] * self.classes + self.motion[inside]
        return np.bincount(number, minlength=(len(edges) - 1) * self.classes).reshape(-1, self.classes)


def winners(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the class with most detections at each place, whether it has more than every other)."""
    most = field.max(axis=0)
    return field.argmax(axis=0), (most > 0) & ((field == most).sum(axis=0) == 1)


def detect(
    layer: Layer,
    events: Events,
    stride: tuple[int, int, int],
    kept: float = KEPT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Detections:
    """Detections by evidence, read every `stride` ms, rows and columns.

    A voxel whose evidence is not above that of no event at all is none, even among the kept.

    Raises
    ------
    RequestError
        The events' grid is too small for the layer's kernels.
    """
    bins, rows, columns = (
        np.array(axis)[::step]
        for axis, step in zip(valid_box(events, layer.delays, layer.side), stride, strict=True)
    )
    probe = Probe({"": layer})
    at_once = max(1, (MOST_CELLS // (2 * events.height * events.width) - layer.delays) // stride[0])
    nothing = layer.bias.max()
    found = []
    for first in range(0, len(bins), at_once):
        times = bins[first : first + at_once]
        start = times[0] - layer.delays
        some = slice(*np.searchsorted(events.t, [start, times[-1] + 1]))
        if events.t[some].size:
            part = Events(
                events.t[some] - start,
                events.y[some],
                events.x[some],
                events.p[some],
                int(times[-1] + 1 - start),
                events.height,
                events.width,
            )
            larger = probe.fields(part, stride)[""]
            best = larger.max(axis=1)
            said = np.flatnonzero(best > nothing)
            voxel = said + first * len(rows) * len(columns)
            found.append((voxel, larger[said].argmax(axis=1), best[said]))
        progress(min(first + at_once, len(bins)), len(bins))
    voxel, motion, best = (
        np.concatenate([one[k] for one in found]) if found else np.zeros(0, np.int64) for k in range(3)
    )
    count = max(1, round(kept * len(bins) * len(rows) * len(columns)))
    if count < len(best):
        chosen = np.sort(np.argpartition(best, len(best) - count)[len(best) - count :])
        voxel, motion = voxel[chosen], motion[chosen]
    places = len(rows) * len(columns)
    row, column = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    return Detections(bins[voxel // places], voxel % places, motion, row, column, len(layer.weights))
