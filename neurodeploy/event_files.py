"""Files of recorded events: what a user's event camera saw, as a table of x, y, p and t.

NumPy's ``.npy`` (a structured array) and ``.npz`` (one array a field, or one structured array) and ``.csv`` (a header that
names the columns) are read here; formats of cameras by the package tonic.  Times are in µs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError

Table = np.ndarray | Mapping[str, Any]
"""A structured array, or a mapping, with fields ``x``, ``y``, ``p`` and ``t``."""


LONGEST_HOURS = 10
"""Of a recording; a longer one has no µs, or a damaged event."""

LARGEST_SIDE = 2048
"""Rows or columns of a sensor."""


@dataclass(frozen=True)
class Recording:
    """Events of one recording, in order of time, as its camera gave them.

    Attributes
    ----------
    t : ndarray of float64, shape (count,)
        µs.
    y, x, p : ndarray of int64, shape (count,)
        Row, column, polarity (0 OFF, 1 ON).
    height, width : int
        Of the sensor.
    """

    t: np.ndarray
    y: np.ndarray
    x: np.ndarray
    p: np.ndarray
    height: int
    width: int


def _npy(path: Path) -> Table:
    return np.load(path, allow_pickle=False)


def _npz(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    (first, *others) = arrays.values()
    return first if first.dtype.names and not others else arrays


def _csv(path: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an empty file is one
        table = np.genfromtxt(path, delimiter=",", names=True, dtype=np.float64, encoding="utf-8")
    return np.atleast_1d(table)


def _aedat(path: Path) -> Table:
    """Words by tonic; what their bits mean is written here, since its own readers of whole files fail in 1.7.0."""
    from tonic import io

    version, start = io.read_aedat_header_from_file(str(path))[:2]
    words = io.get_aer_events_from_file(str(path), version, start)
    column, row, polarity, mask = (17, 2, 1, 0x7FFF) if version >= 3 else (8, 1, 0, 0x7F)
    address = words["address"]
    return {
        "x": address >> column & mask,
        "y": address >> row & mask,
        "p": address >> polarity & 1,
        "t": words["timeStamp"],
    }


def _bin(path: Path) -> Table:
    from tonic import io

    if path.stat().st_size % BIN_BYTES:
        raise ValueError(
            f"{path.stat().st_size:,} bytes are no whole number of events of {BIN_BYTES}: it is truncated"
        )
    return io.read_mnist_file(str(path), dtype=io.events_struct)


BIN_BYTES = 5
"""Of an event in N-MNIST's files: column, row, and a bit of polarity before 23 bits of time."""

READERS: dict[str, tuple[str, Callable[[Path], Table]]] = {
    ".npy": ("a structured array with x, y, p and t", _npy),
    ".npz": ("arrays x, y, p and t", _npz),
    ".csv": ("columns x, y, p and t under a header with these names", _csv),
    ".aedat": ("AEDAT 3 of polarity events, or AEDAT 2 of a DVS128; by tonic", _aedat),
    ".bin": ("N-MNIST's and N-Caltech101's; by tonic", _bin),
}
"""What a file holds, and what reads it, by its suffix."""


def read(path: Path, sensor: tuple[int, int] | None = None) -> Recording:
    """The events of a file.

    Parameters
    ----------
    path : Path
    sensor : (int, int), optional
        Rows and columns of the camera; the largest that occur, where left out.

    Raises
    ------
    RequestError
        The file is not there, of no format that is read, damaged, or has events that :func:`checked` refuses.
    ToolchainMissingError
        tonic is needed and not installed.
    """
    if not path.is_file():
        raise RequestError(f"The recording {path} is not there.", fix="give the path of a file that is")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = "; ".join(f"{name}: {what}" for name, (what, _) in READERS.items())
        raise RequestError(f"{path} is of no format that is read ('{suffix}').", why=known, fix="convert it")
    what, reader = READERS[suffix]
    try:
        table = reader(path)
    except ImportError as error:
        raise ToolchainMissingError(
            f"Files that end in {suffix} need a package that is not installed ({error.name})",
            fix="pip install 'neurodeploy[recordings]', or save the events as .npy, .npz or .csv",
        ) from error
    except Exception as error:  # NumPy, zip, tonic: each has errors of its own for a damaged file
        raise RequestError(
            f"{path} cannot be read ({str(error).strip() or type(error).__name__}).",
            fix=f"a {suffix} file has {what}",
        ) from error
    try:
        return checked(table, *(sensor or (None, None)))
    except RequestError as error:
        raise RequestError(f"{path}: {error.what}", why=error.why, fix=error.fix) from error


def checked(recording: Table, height: int | None = None, width: int | None = None) -> Recording:
    """The events of a table, where they are some.

    Parameters
    ----------
    recording : structured array or mapping
        Fields ``x``, ``y``, ``p`` and ``t`` (µs), in order of time.  Polarities are 0 and 1, -1 and 1, or booleans.
    height, width : int, optional
        The sensor's size; the largest row and column that occur, where left out.

    Raises
    ------
    RequestError
        A field is missing; lengths differ; a time is not finite, or a place not a whole number; times go backwards;
        a place is outside the sensor; a polarity is none; the recording is too long or too large to be one.
    """
    names = recording.dtype.names or () if isinstance(recording, np.ndarray) else tuple(recording)
    for name in "xypt":
        if name not in names:
            raise RequestError(
                f"The recording has no field '{name}' (it has: {', '.join(map(str, names)) or 'none'}).",
                fix="give a structured array or a dict with x, y, p and t, as tonic does",
            )
    fields = {name: np.asarray(recording[name]) for name in "xypt"}
    if len({field.shape for field in fields.values()}) != 1 or fields["t"].ndim != 1:
        raise RequestError(
            f"The recording's fields differ in length: { {name: field.shape for name, field in fields.items()} }.",
            fix="give one x, y, p and t for every event",
        )
    if not len(fields["t"]):
        raise RequestError("The recording has no event.", fix="give one that has")
    for name, field in fields.items():
        wrong, what = ~np.isfinite(field), "finite"
        if name in "xy" and not wrong.any():
            wrong, what = field != np.floor(field), "a whole number"
        if wrong.any():
            raise RequestError(
                f"Field '{name}' of event {int(np.flatnonzero(wrong)[0])} is not {what}"
                f" ({np.count_nonzero(wrong):,} events are so).",
                fix="take such events out",
            )
    times = fields["t"].astype(np.float64)
    backwards = np.flatnonzero(np.diff(times) < 0)
    if len(backwards):
        raise RequestError(
            f"Event {backwards[0] + 1} (t = {times[backwards[0] + 1]:g} µs) comes before the event in front of it"
            f" (t = {times[backwards[0]]:g} µs).",
            why="events have to be in order of time",
            fix="sort them: events[numpy.argsort(events['t'], kind='stable')]",
        )
    hours = (times[-1] - times[0]) / 3.6e9
    if hours > LONGEST_HOURS:
        raise RequestError(
            f"The recording goes on for {hours:,.4g} hours, more than {LONGEST_HOURS}.",
            why="times are read as µs; so long a recording has others, most likely, or a damaged event",
            fix="give times in µs, or a part of the recording",
        )
    y, x = fields["y"].astype(np.int64), fields["x"].astype(np.int64)
    height = int(y.max()) + 1 if height is None else height
    width = int(x.max()) + 1 if width is None else width
    if max(height, width) > LARGEST_SIDE:
        far = int(np.argmax(np.maximum(y, x)))
        raise RequestError(
            f"The sensor has {height:,} x {width:,} pixels, more than {LARGEST_SIDE:,} in a row or column"
            f" (event {far} is at row {y[far]}, column {x[far]}).",
            why="some milliseconds of all pixels are held in memory at a time",
            fix="give the sensor's size as height and width, or cut a part out",
        )
    outside = np.flatnonzero((y < 0) | (y >= height) | (x < 0) | (x >= width))
    if len(outside):
        first = outside[0]
        raise RequestError(
            f"Event {first} is at row {y[first]}, column {x[first]}, outside the sensor of {height} x {width} pixels"
            f" ({len(outside)} events are).",
            fix="give the sensor's size as height and width",
        )
    polarity = fields["p"].astype(np.int64)
    if not np.isin(polarity, (-1, 0, 1)).all() or {-1, 0} <= set(np.unique(polarity).tolist()):
        raise RequestError(
            f"The polarities are {np.unique(polarity).tolist()[:8]}.", fix="use 0 and 1, or -1 and 1"
        )
    return Recording(times, y, x, (polarity > 0).astype(np.int64), height, width)


def parse_sensor(text: str) -> tuple[int, int]:
    """(rows, columns) of ``"260x346"``."""
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise RequestError(f"--sensor {text} is no size.", fix="give rows and columns, such as 260x346")
    return int(rows), int(columns)
