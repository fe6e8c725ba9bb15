"""Files of recorded events: what a user's event camera saw, as a table of x, y, p and t.

NumPy's ``.npy`` (a structured array) and ``.npz`` (one array a field, or one structured array) and ``.csv`` (a header that
names the columns) are read here; formats of cameras by the package tonic.  Times are in µs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.delays.events import Events, from_array
from neurodeploy.errors import RequestError, ToolchainMissingError

Table = np.ndarray | Mapping[str, Any]


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

    return io.read_mnist_file(str(path), dtype=io.events_struct)


READERS: dict[str, tuple[str, Callable[[Path], Table]]] = {
    ".npy": ("a structured array with x, y, p and t", _npy),
    ".npz": ("arrays x, y, p and t", _npz),
    ".csv": ("columns x, y, p and t under a header with these names", _csv),
    ".aedat": ("AEDAT 3 of polarity events, or AEDAT 2 of a DVS128; by tonic", _aedat),
    ".bin": ("N-MNIST's and N-Caltech101's; by tonic", _bin),
}
"""What a file holds, and what reads it, by its suffix."""


def read(path: Path, sensor: tuple[int, int] | None = None) -> tuple[Events, int]:
    """The events of a file, in bins of 1 ms from the first on, and how many the file has.

    Parameters
    ----------
    path : Path
    sensor : (int, int), optional
        Rows and columns of the camera; the largest that occur, where left out.

    Raises
    ------
    RequestError
        The file is not there, of no format that is read, damaged, or has events that :func:`events.from_array` refuses.
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
    events = from_array(table, *(sensor or (None, None)))
    return events, len(table["t"])


def parse_sensor(text: str) -> tuple[int, int]:
    """(rows, columns) of ``"260x346"``."""
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise RequestError(f"--sensor {text} is no size.", fix="give rows and columns, such as 260x346")
    return int(rows), int(columns)
