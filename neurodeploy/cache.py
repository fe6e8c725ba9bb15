"""The cache folder: where compiled programs and the working files of running sessions are kept.

``NEURODEPLOY_CACHE`` names it; without it, the platform's own cache folder is used.  An entry is a folder that
appears under its final name in one step, complete, with a manifest of what it must hold.  What does not match
its manifest is built anew, never trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from neurodeploy.errors import RunError

MANIFEST = "manifest.json"


def cache_folder() -> Path:
    """The cache folder, made if it is not there."""
    named = os.environ.get("NEURODEPLOY_CACHE")
    if named:
        folder = Path(named).expanduser().absolute()
    else:
        from platformdirs import user_cache_path

        folder = user_cache_path("neurodeploy", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"The cache folder {folder} cannot be made: {error.strerror}",
            why="compiled programs and working files live there",
            fix="set NEURODEPLOY_CACHE to a folder you can write to",
        ) from error
    return folder


def keep_matplotlib_files() -> None:
    """Let matplotlib keep its list of fonts in the cache folder, not in the home directory.

    To be called before PyNN is imported, which imports it where the ``csa`` package is installed.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_whole(entry: Path, key: str) -> bool:
    """Whether `entry` holds exactly what its manifest says and was made for `key`."""
    try:
        manifest = json.loads((entry / MANIFEST).read_text())
        return manifest["key"] == key and all(
            file_digest(entry / name) == digest for name, digest in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def entry(kind: str, key: str, build: Callable[[Path], list[str]]) -> tuple[Path, bool]:
    """The cached folder for `key`, built where it is missing or damaged.

    Parameters
    ----------
    kind : str
        Subfolder of the cache.
    key : str
        A digest of everything the content depends on.
    build : function of an empty folder
        Fills it; gives the names of the files that count.

    Returns
    -------
    folder : Path
    built : bool
        Whether `build` was called.
    """
    root = cache_folder() / kind
    final = root / key
    if is_whole(final, key):
        return final, False
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root, "building-")
    except OSError as error:
        raise unwritable(root, error) from error
    with locked(root / f"{key}.lock"):
        if is_whole(final, key):  # another process was faster
            return final, False
        folder = Path(tempfile.mkdtemp(prefix=f"building-{os.getpid()}-", dir=root))
        try:
            names = build(folder)
            files = {name: file_digest(folder / name) for name in names}
            (folder / MANIFEST).write_text(json.dumps({"key": key, "files": files}, indent=1))
            if final.exists():
                shutil.rmtree(final)
            folder.rename(final)
        except OSError as error:
            raise unwritable(root, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return final, True


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], object] | None = None) -> Iterator[int]:
    """Hold an exclusive lock on `path`, and give its file descriptor.

    The lock ends with the process, however it ends; and with the last of the processes that the descriptor is passed to.

    Parameters
    ----------
    path : Path
    waiting : function, optional
        Called where somebody else holds it.
    """
    import fcntl

    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def session_folder() -> Path:
    """A new folder for the working files of one session; folders of dead processes are swept away."""
    root = cache_folder() / "sessions"
    try:
        root.mkdir(exist_ok=True)
        _sweep(root, "")
        return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
    except OSError as error:
        raise unwritable(root, error) from error


FAILURES_KEPT = 20
"""Folders of failed runs of one kind that stay; older ones make room."""


def failure_folder(kind: str) -> Path:
    """A new folder for what a failed run leaves to be read, named by date and time; the newest are kept."""
    root = cache_folder() / f"{kind}-failures"
    try:
        root.mkdir(exist_ok=True)
        for old in sorted(root.iterdir())[: -(FAILURES_KEPT - 1)]:
            shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{datetime.now():%Y%m%d-%H%M%S}-", dir=root))
    except OSError as error:
        raise unwritable(root, error) from error


def unwritable(root: Path, error: OSError) -> RunError:
    """The error where nothing can be written to a folder of the cache."""
    return RunError(
        f"Cannot write to the cache folder {root}: {error.strerror}",
        fix="free some space, or set NEURODEPLOY_CACHE to another folder",
    )


def _sweep(root: Path, prefix: str) -> None:
    """Remove the folders `prefix`PROCESS-... whose process is no more."""
    for old in root.glob(f"{prefix}*-*"):
        owner = old.name[len(prefix) :].split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(old, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
