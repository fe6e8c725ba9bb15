"""A running program: the compiled engine (or its slower stand-in in Python) as a process that takes instructions.

The process lives in a folder of the cache, reads arrays from files there, writes recordings there, and
ends with this one, however this one ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurodeploy import cache
from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.loihi_learning import Learner
from neurodeploy.backends.brian2.structure import SOURCES, Structure
from neurodeploy.backends.brian2.trials.structure import TrialStructure
from neurodeploy.errors import RunError
from neurodeploy.processes import end, started

SPARE_SOURCES = 1024
"""Room for source spikes in one step beyond one a source: a source may spike twice in a step."""

SHORT_OF = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
"""Of which a program that does not start says nothing bad."""

PARALLEL_FROM = 65536
"""Neurons of one cell type from which two threads are faster than one (see ``benchmarks/threads.py``)."""


def choose_threads(sizes: dict[str, int], options: Options) -> int:
    """What the user asked for, or as many as there are processors where a cell type has enough neurons.

    `sizes` are the neurons of each group of cells.
    """
    if options.engine == "runtime":
        return 1
    if options.threads:
        return options.threads
    return os.cpu_count() or 1 if max(sizes.values(), default=0) >= PARALLEL_FROM else 1


class Engine:
    """The process and its pipe: one instruction a line, one answer a line."""

    def __init__(self, command: list[str], folder: Path, greeting: str, threads: int = 1) -> None:
        self.folder = folder
        with started(
            command,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "errors.txt").open("w"),
            text=True,
        ) as self.process:
            answer = self.process.stdout.readline().strip() if self.process.stdout else ""
            if answer != greeting:
                raise EngineUnusable(answer)

    def ask(self, instruction: str, progress=None) -> None:
        """Send one instruction and wait until it is done."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(instruction + "\n")
            self.process.stdin.flush()
            while True:
                answer = self.process.stdout.readline().strip()
                if answer == "done":
                    return
                if answer.startswith("at ") and progress:
                    progress(int(answer[3:]))
                elif answer.startswith("error ") or not answer:
                    break
        except (BrokenPipeError, ValueError):
            answer = ""
        raise self._failure(answer)

    def _failure(self, answer: str) -> RunError:
        self.end()
        if answer.startswith("error "):
            return RunError(f"The simulation stopped: {answer[6:]}", fix="free some space and run it again")
        code = self.process.returncode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit code {code}"
        )
        said = (
            (self.folder / "errors.txt").read_text().strip() if (self.folder / "errors.txt").exists() else ""
        )
        return RunError(
            f"The simulation {how} before it was done" + (f":\n{said[-4000:]}" if said else ""),
            why="the process that simulates is gone, and what it had not written with it",
            fix="run it again; where memory was short, make the model smaller or record less",
        )

    def peak_memory(self) -> float | None:
        """Largest resident size so far, MB; None where the system does not tell."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
        return None

    def end(self) -> None:
        end(self.process)


class EngineUnusable(Exception):
    """The program did not introduce itself as the one that was asked for."""


class RunningProgram:
    """The program of a Structure, started and loaded with arrays.

    Parameters
    ----------
    structure : Structure or TrialStructure
    sizes : dict of str to int
        Neurons of each group.
    slots : dict of str to int
        Ring slots of each group of cells, a power of two.
    arrays : dict of str to ndarray
        Everything to load, by the engine's names.
    options : Options
    threads : int
    learners : list of Learner
        Synapses that learn as Loihi's do; their arrays are among `arrays`.
    report : Report
        Gets the seconds that compiling and loading took, and whether something was compiled.

    Attributes
    ----------
    folder : Path
    step : int
        Steps executed so far.
    """

    def __init__(
        self,
        structure: Structure | TrialStructure,
        sizes: dict[str, int],
        slots: dict[str, int],
        arrays: dict[str, np.ndarray],
        options: Options,
        threads: int,
        report: Report,
        learners: Sequence[Learner] = (),
    ) -> None:
        self.structure = structure
        self.sizes = sizes
        self.slots = slots
        self.options = options
        self.threads = threads
        self.report = report
        self.step = 0
        self._files = 0
        self._channel_count = 0
        self._spike_files: dict[str, Path] = {}
        self.engine: Engine | None = None
        self.folder = cache.session_folder()
        try:
            self.engine = self._start()
            started = time.perf_counter()
            for one in learners:
                self.ask(f"learning {one.name} {one.source} {one.target} {one.exponent}")
            for name, array in arrays.items():
                self.load(name, array)
            self.ask("prepare")
            report.wall["build"] = report.wall.get("build", 0.0) + time.perf_counter() - started
        except BaseException:
            self.end()
            raise

    # ---------------------------------------------------------------------------- starting

    def _start(self) -> Engine:
        self._write_text("sizes", " ".join(str(size) for size in self._all_sizes()))
        started = time.perf_counter()
        if self.options.engine == "runtime":
            self._write_text("structure.json", self.structure.to_json())
            command = [sys.executable, "-m", "neurodeploy.backends.brian2.runtime", "structure.json"]
            engine = Engine(command, self.folder, "neurodeploy runtime")
            self.report.facts["compiled"] = False
        else:
            engine = self._start_compiled()
        self.report.wall["compile"] = time.perf_counter() - started
        return engine

    def _start_compiled(self) -> Engine:
        key = compiler.program_key(self.structure)
        for attempt in (1, 2):
            program, built = compiler.compiled(self.structure, self.options.progress)
            self.report.facts["compiled"] = built or self.report.facts.get("compiled", False)
            try:
                return Engine([str(program)], self.folder, f"neurodeploy {key}", self.threads)
            except (EngineUnusable, OSError) as error:
                if isinstance(error, OSError) and error.errno in SHORT_OF:
                    raise RunError(
                        f"The program that simulates cannot be started: {error.strerror}",
                        why="this machine, or a limit of yours, has no room for another process or file",
                        fix="end others, or raise the limit (ulimit -a); 'run lsm' takes as many as --processes says",
                    ) from error
                compiler.discard(program)
                if attempt == 2:
                    raise RunError(
                        f"The compiled program does not run on this machine: {error}",
                        fix="run with '--engine runtime', and report this",
                    ) from error
        raise AssertionError

    def _all_sizes(self) -> list[int]:
        sizes = [
            self.sizes[group] + (SPARE_SOURCES if group == SOURCES else 0) for group in self.structure.groups
        ]
        return sizes + [self.slots[cell] for cell in self.structure.cells]

    # ------------------------------------------------------------------------------ arrays

    def running(self) -> Engine:
        """The process; a RunError where it has ended."""
        if self.engine is None:
            raise RunError("This simulation has ended", fix="call setup() or reset() and run again")
        return self.engine

    def ask(self, instruction: str, progress=None) -> None:
        """Give one instruction (see ``engine/main.cpp.jinja``) and wait until it is done."""
        engine = self.running()
        try:
            engine.ask(instruction, progress)
        except BaseException:
            self.end()
            raise

    def _write_text(self, name: str, text: str) -> None:
        self._guarded(lambda: (self.folder / name).write_text(text))

    def _write(self, array: np.ndarray) -> str:
        path = self._fresh(f"input_{self._files % 4}.bin")
        self._files += 1
        self._guarded(lambda: np.ascontiguousarray(array).tofile(path))
        return path.name

    def _fresh(self, name: str) -> Path:
        """A file that is not there: one that is emptied and written again may have to wait for the disk."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path

    def _guarded(self, write) -> None:
        try:
            write()
        except OSError as error:
            raise RunError(
                f"Cannot write to {self.folder}: {os.strerror(error.errno) if error.errno else error}",
                fix="free some space, or set NEURODEPLOY_CACHE to a folder on another disk",
            ) from error

    def load(self, name: str, array: np.ndarray) -> None:
        """Fill an array of the engine, by its name there."""
        self.ask(f"load {name} {self._write(array)}")

    def save(self, name: str, dtype: np.dtype | type = np.float64) -> np.ndarray:
        """The present values of an array of the engine."""
        path = self._fresh("output.bin")
        self.ask(f"save {name} {path.name}")
        return np.fromfile(path, dtype=dtype)

    def replace(self, name: str, where: slice | np.ndarray, values: np.ndarray) -> None:
        """Replace some values of an array of reals or, where the values are int32, of an array of those."""
        array = self.save(name, np.int32 if values.dtype == np.int32 else np.float64)
        array[where] = values
        self.load(name, array)

    # --------------------------------------------------------------------------- recording

    def record(self, name: str, neurons: np.ndarray, interval: int, after: bool) -> Path:
        """Sample an array every `interval` steps, before or after the update; the file that gets the reals, row by row."""
        path = self.folder / f"samples_{self._channel_count}.f64"
        self._channel_count += 1
        self.ask(
            f"channel {name} {self._write(neurons.astype(np.int32))} {interval} {int(after)} {path.name}"
        )
        return path

    def record_spikes(self, neurons: dict[str, np.ndarray]) -> None:
        """Record the spikes of these neurons, by group."""
        for group, wanted in neurons.items():
            mask = np.zeros(self.sizes[group] + SPARE_SOURCES, dtype=np.uint8)
            mask[wanted] = 1
            self._spike_files[group] = self.folder / f"spikes_{group}.i32"
            self.ask(f"spikes {group} {self._write(mask)} spikes_{group}.i32")

    def spikes(self, group: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neuron numbers, from 0, of the recorded spikes of neurons `start` to `stop`."""
        path = self._spike_files.get(group)
        if path is None:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
        pairs = np.fromfile(path, dtype=np.int32).reshape(-1, 2)
        mine = (pairs[:, 1] >= start) & (pairs[:, 1] < stop)
        return pairs[mine, 0], pairs[mine, 1] - np.int32(start)

    # ----------------------------------------------------------------------------- running

    def set_sources(self, steps: np.ndarray, neurons: np.ndarray) -> None:
        """Hand over spikes of the sources for the coming steps, in any order."""
        order = np.lexsort((neurons, steps))
        if self.structure.sources:
            now, who = steps[order].astype(np.int32), neurons[order].astype(np.int32)
            self.ask(f"sources {self._write(now)} {self._write(who)}")

    def run(self, steps: int, progress=None) -> None:
        """Advance; `progress` is called with the step now and then."""
        self.ask(f"run {steps}", progress)
        self.step += steps

    def end(self) -> None:
        """Stop the process and remove its folder.  Safe to call twice, and from two threads."""
        engine, self.engine = self.engine, None
        if engine is not None:
            self.report.facts["engine_memory_mb"] = engine.peak_memory()
            engine.end()
        shutil.rmtree(self.folder, ignore_errors=True)
