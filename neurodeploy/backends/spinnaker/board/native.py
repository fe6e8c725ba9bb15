"""The native engine: ``native.c``, compiled once for this machine and kept in the cache, on the library of unicorn's wheel."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neurodeploy import cache
from neurodeploy.backends.spinnaker.board.aplx import Image
from neurodeploy.backends.spinnaker.board.engine import (
    ERRORS,
    SLICE_SECONDS,
    ChipMemories,
    Failure,
    Services,
)
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.system_ram import ERROR_DATA
from neurodeploy.chips.spinnaker_map import DTCM_SIZE, ITCM_SIZE, constants

SOURCE = Path(__file__).with_name("native.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra")
LIBRARIES = ("libunicorn.so.2", "libunicorn.2.dylib")
PIECE_NANOSECONDS = 2_000_000
"""How long the cores run before the server looks for datagrams again."""

MONITOR = ctypes.CFUNCTYPE(None, ctypes.c_int)
PATH = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint32, ctypes.c_int)
FAILED = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_uint32))
ROUTER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)


class NativeError(Exception):
    """The native engine can't be had here."""


def unicorn_folder() -> Path:
    """Where unicorn's wheel is, without importing it."""
    found = find_spec("unicorn")
    if found is None or found.origin is None:
        raise NativeError("unicorn is not installed")
    return Path(found.origin).parent


def header() -> str:
    """``map.h``: the chip's numbers for the C."""
    return "".join(f"#define {name} {value:#x}\n" for name, value in sorted(constants().items()))


def compiler() -> str:
    named = os.environ.get("CC")
    for candidate in [named] if named else COMPILERS:
        if found := shutil.which(candidate):
            return found
    raise NativeError(
        f"there is no C compiler ({'CC=' + named if named else ', '.join(COMPILERS)} not found)"
    )


def library() -> Path:
    """The compiled engine, from the cache or made now.

    Raises
    ------
    NativeError
        There is no compiler, no library of unicorn, or the one does not suit the other.
    """
    unicorn = unicorn_folder()
    shared = next((unicorn / "lib" / name for name in LIBRARIES if (unicorn / "lib" / name).exists()), None)
    if shared is None:
        raise NativeError(f"unicorn has no shared library in {unicorn / 'lib'}")
    path = compiler()
    parts = (SOURCE.read_text(), header(), path, " ".join(FLAGS), str(shared), str(shared.stat().st_size))
    key = hashlib.sha256("\0".join((platform.platform(), *parts)).encode()).hexdigest()

    def build(folder: Path) -> list[str]:
        (folder / "map.h").write_text(header())
        command = [
            path,
            *FLAGS,
            f"-I{folder}",
            f"-I{unicorn / 'include'}",
            str(SOURCE),
            "-o",
            str(folder / "board.so"),
        ]
        done = subprocess.run(
            [*command, str(shared), f"-Wl,-rpath,{shared.parent}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NativeError(f"{path} could not compile the engine:\n{done.stderr.strip()}")
        return ["board.so"]

    folder, _ = cache.entry("board", key, build)
    return folder / "board.so"


def _load() -> Any:
    try:
        loaded = ctypes.CDLL(str(library()))
    except OSError as error:
        raise NativeError(f"the engine can't be loaded: {error}") from error
    loaded.machine_new.restype = ctypes.c_void_p
    loaded.machine_new.argtypes = (ctypes.c_int, ctypes.c_int, MONITOR, PATH, FAILED, ROUTER)
    machine, number, word, place = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p
    for name, result, arguments in (
        ("chip", None, (number, place, place, place, place)),
        ("start", ctypes.c_int, (number, number, place, place, word, word)),
        ("stop", None, (number,)),
        ("interrupt", None, (number,)),
        ("forget_paths", None, ()),
        ("path", None, (number, ctypes.POINTER(ctypes.c_int), number, ctypes.POINTER(place))),
        ("advance", ctypes.c_int, (ctypes.c_longlong,)),
        ("watch", None, (ctypes.c_longlong,)),
        ("now", ctypes.c_uint64, ()),
        ("rounds", ctypes.c_uint64, ()),
        ("packets", ctypes.c_uint64, ()),
        ("ticks", ctypes.c_uint64, (number,)),
        ("free", None, ()),
    ):
        function = getattr(loaded, f"machine_{name}")
        function.restype, function.argtypes = result, (machine, *arguments)
    return loaded


class NativeEngine:
    """See :class:`neurodeploy.backends.spinnaker.board.engine.Engine`.

    Parameters
    ----------
    threads : int
        Cores of one round run on so many; the results do not depend on it.

    Raises
    ------
    NativeError
        It can't be had here.
    """

    name = "native"

    def __init__(
        self,
        chips: list[ChipMemories],
        services: Services,
        threads: int = 0,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._library = _load()
        self._services, self._chips = services, chips
        self._memories: dict[int, tuple[Memory, Memory]] = {}
        self._callbacks = (
            MONITOR(services.monitor),
            PATH(self._path),
            FAILED(self._failed),
            ROUTER(services.router_written),
        )
        threads = threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else (0,))
        self._machine = self._library.machine_new(len(chips), threads, *self._callbacks)
        for number, chip in enumerate(chips):
            places = (chip.sdram, chip.system_ram, chip.router, chip.controller)
            self._library.machine_chip(self._machine, number, *(memory.address for memory in places))
        self._closed = threading.Event()
        self._slice_seconds = slice_seconds
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def now(self) -> int:
        return int(self._library.machine_now(self._machine))

    def start(self, core: int, physical: int, image: Image, register0: int) -> None:
        self.stop(core)
        itcm, dtcm = self._memories[core] = Memory(ITCM_SIZE), Memory(DTCM_SIZE)
        itcm.write(0, image.itcm)
        dtcm.write(0, image.dtcm)
        error = self._library.machine_start(
            self._machine, core, physical, itcm.address, dtcm.address, image.entry, register0
        )
        if error:
            raise NativeError(f"unicorn refused a core: error {error}")

    def stop(self, core: int) -> None:
        self._library.machine_stop(self._machine, core)
        self._memories.pop(core, None)

    def interrupt(self, core: int) -> None:
        self._library.machine_interrupt(self._machine, core)

    def forget_paths(self) -> None:
        self._library.machine_forget_paths(self._machine)

    def advance(self, whole_piece: bool = True) -> bool:
        return bool(self._library.machine_advance(self._machine, PIECE_NANOSECONDS if whole_piece else 0))

    def ticks(self, core: int) -> int:
        return int(self._library.machine_ticks(self._machine, core))

    def totals(self) -> dict[str, int]:
        return {
            "rounds": int(self._library.machine_rounds(self._machine)),
            "packets": int(self._library.machine_packets(self._machine)),
        }

    def close(self) -> None:
        self._closed.set()
        self._watcher.join()
        if self._machine:
            self._library.machine_free(self._machine)
            self._machine = None
        self._memories.clear()

    def _path(self, chip: int, key: int, fixed: int) -> None:
        path = self._services.path(chip, key, bool(fixed))
        cores = (ctypes.c_int * len(path.cores))(*path.cores)
        counters = (ctypes.c_void_p * len(path.counters))(
            *(memory.address + offset for memory, offset in path.counters)
        )
        self._library.machine_path(self._machine, len(path.cores), cores, len(path.counters), counters)

    def _failed(self, core: int, error: int, registers: Any) -> None:
        found = tuple(registers[number] for number in range(12))
        code = ERRORS.get(error, ERROR_DATA) if error else 0  # 0: it hung
        self._services.failed(Failure(core, code, found[:8], *found[8:]))

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, self._slice_seconds / 4)):
            self._library.machine_watch(self._machine, int(self._slice_seconds * 1e9))
