"""Work that is done, on disk, so that a run that was stopped goes on where it was.

A store is a folder of the cache, named by a digest of everything its content depends on.  A piece is a file that appears
whole; one that is damaged is made anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from neurodeploy.cache import cache_folder
from neurodeploy.errors import RunError


def digest(**facts: object) -> str:
    """SHA-256 of `facts`: the same facts, the same store."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write(file: IO[bytes], arrays: dict[str, np.ndarray]) -> None:
    """An ``.npz``, packed with least effort: `numpy.savez_compressed` takes ten times as long for a fifth less."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, array in arrays.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


class Store:
    """The pieces made for `facts`.

    Parameters
    ----------
    kind : str
        What the pieces are; part of the key, and of the folder's name.
    facts : anything that JSON has a word for
        All that decides what the pieces hold.
    """

    def __init__(self, kind: str, **facts: object) -> None:
        self.folder = cache_folder() / "lsm" / f"{kind}-{digest(kind=kind, **facts)[:32]}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """For this process alone; the lock ends with the process, however it ends.

        Raises
        ------
        RunError
            Another process has it, or the folder can't be written to.
        """
        with contextlib.ExitStack() as ends:
            try:
                lock = ends.enter_context((self.folder / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    "Another process is at work on the same liquid, images or read-out",
                    why="two would do the same twice",
                    fix="wait for it to end; this command then goes on with what it has made",
                ) from None
            except OSError as error:
                raise self._unwritable(error, "lock") from error
            yield

    def save(self, name: str, **arrays: np.ndarray) -> None:
        """Keep a piece, in place of an older one of that name."""
        unfinished = self.folder / f"{name}.unfinished"
        try:
            with unfinished.open("wb") as file:
                write(file, arrays)
            unfinished.replace(self.folder / f"{name}.npz")
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """A piece; None where it is not there, or not whole."""
        try:
            with np.load(self.folder / f"{name}.npz") as piece:
                return dict(piece)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def drop(self, name: str) -> None:
        """Throw a piece away."""
        (self.folder / f"{name}.npz").unlink(missing_ok=True)

    def _unwritable(self, error: OSError, name: str = "") -> RunError:
        path = self.folder / name
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            mend = "free some space"
        else:
            mend = f"{'remove it, or ' if name else ''}make it writable,"
        return RunError(
            f"Cannot write to {path}: {os.strerror(error.errno or 0)}",
            why="what is done is kept in the cache folder, so that a run can go on; what was made so far is there",
            fix=f"{mend} and give the same command again, or set NEURODEPLOY_CACHE to another folder",
        )
