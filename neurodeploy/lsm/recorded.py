"""Recordings of event cameras as samples: folders of classes, each with one file a recording.

N-MNIST as it is published (Orchard et al. 2015): ``Train`` and ``Test``, in each a folder for every digit, in it files of 5
bytes an event, numbered as MNIST's images are.  Other sets: ``train`` and ``test``, in each a folder for every class, in it files
of any format of :mod:`neurodeploy.event_files`.  Time is rounded to whole ms; several events of one pixel and polarity in a ms
count once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neurodeploy.errors import RequestError
from neurodeploy.event_files import READERS, read

NMNIST_SENSOR = (34, 34)
NMNIST_MS = 300
"""Of a recording; what comes later is left out (``NALSM_SIM_SUPPORT.py``)."""

LONGEST_MS = 1 << 16
"""Of other recordings."""

Progress = Callable[[str, int, int], None]


@dataclass
class Recordings:
    """Recordings one after the other, as little memory as there may be; ``[...]`` takes some of them, as of an array.

    Attributes
    ----------
    begins : ndarray of int64, shape (n + 1,)
        Where each one's events begin.
    steps : ndarray of uint16
        ms of every event.
    cells : ndarray of unsigned integers
        Input that it hits: OFF cells come first, row by row, then ON cells.
    inputs : int
        How many there are.
    """

    begins: np.ndarray
    steps: np.ndarray
    cells: np.ndarray
    inputs: int

    def __len__(self) -> int:
        return len(self.begins) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(recordings, inputs), as an array of images has it."""
        return len(self), self.inputs

    def __getitem__(self, which: slice | np.ndarray) -> Recordings:
        first, counts = self.begins[:-1][which], np.diff(self.begins)[which]
        begins = np.concatenate([[0], np.cumsum(counts)])
        take = np.repeat(first - begins[:-1], counts) + np.arange(begins[-1])
        return Recordings(begins, self.steps[take], self.cells[take], self.inputs)

    def tobytes(self) -> bytes:
        """All that tells them from others."""
        return self.begins.tobytes() + self.steps.tobytes() + self.cells.tobytes()

    def last(self) -> np.ndarray:
        """ms of the last event of each."""
        return self.steps[self.begins[1:] - 1].astype(np.int64)

    def events(self) -> np.ndarray:
        """int32 (n_events, 3): recording, ms, input; in order of recordings, then time."""
        rows = np.repeat(np.arange(len(self)), np.diff(self.begins))
        return np.stack([rows, self.steps, self.cells], axis=1).astype(np.int32)


@dataclass
class Part:
    """Training or test recordings.

    Attributes
    ----------
    recordings : Recordings
    labels : ndarray of uint8
    given, merged, late : int
        Events in the files; left out, since one of the same cell and ms is there; since they come after the longest time.
    """

    recordings: Recordings
    labels: np.ndarray
    given: int = 0
    merged: int = 0
    late: int = 0


@dataclass
class Files:
    """Files of the training and the test set, in the order in which they are samples.

    Attributes
    ----------
    classes : list of str
        Names, in order of labels.
    files : dict of str to list of (Path, int)
        By part: file and label.
    validation : int
        How many of the last training files validate.
    """

    classes: list[str]
    files: dict[str, list[tuple[Path, int]]] = field(default_factory=dict)
    validation: int = 0


def find_nmnist(folder: Path) -> Files:
    """N-MNIST's files by number, as the authors order them; a sixth of the training files validates."""
    found = Files([str(digit) for digit in range(10)])
    for part in ("training", "test"):
        rows = _classes(folder, part, {".bin"})
        wrong = sorted(set(rows) - set(found.classes))
        if wrong:
            raise RequestError(
                f"{folder}: the folder '{wrong[0]}' is no digit",
                fix="use the folders as published: Train/0 ... Test/9",
            )
        pairs = [(file, int(name)) for name, files in rows.items() for file in files]
        found.files[part] = sorted(pairs, key=lambda pair: pair[0].name)
    training = found.files["training"]
    found.validation = len(training) // 6
    if not found.validation:
        raise RequestError(f"{folder}: {len(training)} training recordings", fix="use six or more")
    learned = {label for _, label in training[: -found.validation]}
    for part, files in found.files.items():
        for file, label in files:
            if label not in learned:
                raise RequestError(
                    f"{folder}: no recording of digit {label} is among those that are learned ({file} is of the {part} set)",
                    why="the last sixth of the training files, by number, validates",
                    fix="use the whole set, or a part of it with every digit",
                )
    return found


def find_classes(folder: Path, most: int) -> Files:
    """Any set's files, classes in turn; the last sixth of each class, one at least, validates."""
    by_part = {part: _classes(folder, part, set(READERS)) for part in ("training", "test")}
    training = by_part["training"]
    found = Files(sorted(training))
    if not 2 <= len(training) <= most:
        raise RequestError(
            f"{folder}: {len(training)} classes", why=f"the read-out has 2 to {most}", fix="use other folders"
        )
    for name, files in training.items():
        if len(files) < 2:
            raise RequestError(
                f"{folder}: class '{name}' has one training recording",
                why="one at least is learned, and one at least validates",
                fix="give it two or more, or leave the class out",
            )
    strange = sorted(set(by_part["test"]) - set(training))
    if strange:
        raise RequestError(
            f"{folder}: class '{strange[0]}' is in the test set alone", fix="give it training recordings"
        )
    learned: list[tuple[float, int, Path]] = []
    validates: list[tuple[float, int, Path]] = []
    test: list[tuple[float, int, Path]] = []
    for label, name in enumerate(found.classes):
        files = training[name]
        held = max(1, len(files) // 6)
        for place, file in enumerate(files):
            row = (place / len(files), label, file)
            (learned if place < len(files) - held else validates).append(row)
        test += [(place, label, file) for place, file in enumerate(by_part["test"].get(name, []))]
    found.files = {
        part: [(file, label) for _, label, file in rows]
        for part, rows in (("training", sorted(learned) + sorted(validates)), ("test", sorted(test)))
    }
    found.validation = len(validates)
    return found


def _classes(folder: Path, part: str, suffixes: set[str]) -> dict[str, list[Path]]:
    """Files of each class of a part, by name."""
    wanted = {"training": "train", "test": "test"}[part]
    if not folder.is_dir():
        raise RequestError(
            f"--data {folder}: there is no such folder", fix="name the folder that holds Train and Test"
        )
    inside = [one for one in folder.iterdir() if one.is_dir() and one.name.lower() == wanted]
    if not inside:
        raise RequestError(
            f"--data {folder}: there is no folder '{wanted}' in it",
            why="recordings are read from Train/CLASS/FILE and Test/CLASS/FILE",
            fix="unpack the set's archives there, and name the folder above",
        )
    rows = {
        one.name: sorted(file for file in one.iterdir() if file.suffix.lower() in suffixes)
        for one in sorted(inside[0].iterdir())
        if one.is_dir()
    }
    for name, files in rows.items():
        if not files:
            raise RequestError(
                f"{inside[0] / name} has no recording",
                fix=f"put files there that end in {', '.join(sorted(suffixes))}",
            )
    if not rows:
        raise RequestError(f"{inside[0]} has no folder of a class", fix="put one there for each class")
    return rows


def load(
    files: Files, sensor: tuple[int, int] | None, nmnist: bool, progress: Progress | None = None
) -> dict[str, Part]:
    """Read all recordings of both parts.

    Parameters
    ----------
    files : Files
    sensor : (int, int) or None
        Rows and columns; None takes the largest that occur.
    nmnist : bool
        Whether ms are counted from time 0, up to 300, and not from a recording's first event.
    progress : function, optional

    Raises
    ------
    RequestError
        A file is damaged, has no event, or one outside the sensor.
    ToolchainMissingError
        tonic is needed and not installed.
    """
    total = sum(map(len, files.files.values()))
    done, longest = 0, NMNIST_MS if nmnist else LONGEST_MS
    kept: dict[str, list[tuple[np.ndarray, ...]]] = {}
    facts: dict[str, list[int]] = {}
    for part, pairs in files.files.items():
        kept[part], facts[part] = [], [0, 0, 0]
        for path, _ in pairs:
            one = read(path, sensor)
            steps = np.rint((one.t - (0.0 if nmnist else one.t[0])) / 1000).astype(np.int64)
            inside = steps < longest
            if not inside.any():
                raise RequestError(f"{path}: its first event comes after {longest:,} ms", fix="take it out")
            side = max(int(one.y.max()), int(one.x.max())) + 1
            key = ((steps * 2 + one.p) * side + one.y) * side + one.x
            step_and_p, place = np.divmod(np.unique(key[inside]), side * side)
            columns = (step_and_p // 2, step_and_p % 2, place // side, place % side)
            kept[part].append(tuple(column.astype(np.uint16) for column in columns))
            late = int(np.count_nonzero(~inside))
            for k, more in enumerate((len(one.t), len(one.t) - late - len(place), late)):
                facts[part][k] += more
            done += 1
            if progress is not None and (done % 100 == 0 or done == total):
                progress("recordings", done, total)
    if sensor is None:
        both = [one for rows in kept.values() for one in rows]
        sensor = max(int(one[2].max()) for one in both) + 1, max(int(one[3].max()) for one in both) + 1
    parts = {}
    for part, rows in kept.items():
        labels = np.array([label for _, label in files.files[part]], np.uint8)
        parts[part] = Part(_joined(rows, *sensor), labels, *facts[part])
    return parts


def _joined(rows: list[tuple[np.ndarray, ...]], height: int, width: int) -> Recordings:
    inputs = 2 * height * width
    kind = np.min_scalar_type(inputs - 1)
    begins = np.concatenate([[0], np.cumsum([len(row[0]) for row in rows])]).astype(np.int64)
    cells = [((p.astype(np.int64) * height + y) * width + x).astype(kind) for _, p, y, x in rows]
    return Recordings(begins, np.concatenate([row[0] for row in rows]), np.concatenate(cells), inputs)
