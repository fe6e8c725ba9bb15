"""From a Structure to a compiled program in the cache.

Brian2 writes the C++ in a process of its own; the compiler is called directly, one file a process, on both
processors.  The cache key covers the structure, the update equations, this package's generator and engine, Brian2's version,
the compiler and its flags, and the processor the program is compiled for.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy import cache
from neurodeploy.backends.base import Progress
from neurodeploy.errors import RunError, ToolchainMissingError
from neurodeploy.recording import processor_lines

if TYPE_CHECKING:
    from neurodeploy.backends.brian2.structure import Structure as NetworkStructure
    from neurodeploy.backends.brian2.trials.structure import TrialStructure

    Structure = NetworkStructure | TrialStructure

FLAGS = (
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-std=c++14",
    "-w",
)
"""No fused multiply-add and no reordering of sums, so that results do not depend on the processor."""

PARALLEL_FLAG = "-fopenmp"

FLAGS_OF = {"objects.cpp": ("-O1",)}
"""Flags of single files: what is done once, at the start, needs no optimising."""

COMMON_HEADER = "common.h"
"""Of ``engine/``, in every project."""

LIBRARY_HEADER = Path(__file__).parent / "engine" / "library.h"
"""The standard library, which all projects have in common: compiled once for all of them."""

CANDIDATES = ("g++", "clang++", "c++")

INSTALL_COMPILER = (
    "install one (Debian, Ubuntu: 'apt install g++'; Fedora: 'dnf install gcc-c++'; macOS: 'xcode-select --install'; "
    "conda: 'conda install cxx-compiler'), or run without one, many times slower, with '--engine runtime'"
)


def compiler() -> str:
    """The C++ compiler: ``CXX`` if set, else the first of g++, clang++, c++ on the path."""
    named = os.environ.get("CXX")
    for candidate in [named] if named else CANDIDATES:
        found = shutil.which(candidate)
        if found:
            return found
    raise ToolchainMissingError(
        f"There is no C++ compiler ({'CXX=' + named if named else ', '.join(CANDIDATES)} not found)",
        why="the brian2 backend compiles the model once for each structure",
        fix=INSTALL_COMPILER,
    )


def brian2_version() -> str:
    """Brian2's version, without importing it."""
    try:
        return version("brian2")
    except PackageNotFoundError as error:
        raise ToolchainMissingError(
            "Brian2 is not installed",
            why="the brian2 backend generates its code with it",
            fix="pip install 'neurodeploy[brian2]'",
        ) from error


@functools.cache
def compiler_version(path: str) -> str:
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.splitlines()[0] if answer.stdout else path


def processor() -> str:
    """What ``-march=native`` stands for on this machine: the processor's model and features."""
    lines = processor_lines("model name", "flags", "Features", "CPU part")
    return "\n".join(lines) or f"{platform.machine()} {platform.processor()}"


def flags(structure: Structure) -> tuple[str, ...]:
    return (*FLAGS, PARALLEL_FLAG) if structure.parallel else FLAGS


def program_key(structure: Structure) -> str:
    """Everything the compiled program depends on, as one digest."""
    room = Path(__file__).parent
    ours = [room / name for name in (*structure.INGREDIENTS, "compiler.py")]
    ours += sorted((room / "engine").iterdir())
    sources = [cache.file_digest(path) for path in ours]
    path = compiler()
    return structure.digest(
        brian2_version(), path, compiler_version(path), " ".join(flags(structure)), processor(), *sources
    )


def compiled_library(path: str, given: tuple[str, ...]) -> Path:
    """The folder that has the standard library's headers as compiler `path` reads them fastest, under the same flags."""

    def build(empty: Path) -> list[str]:
        shutil.copy(LIBRARY_HEADER, empty)
        name = LIBRARY_HEADER.name
        command = [path, *given, "-x", "c++-header", name, "-o", f"{name}.gch"]
        _call(command, empty, f"The compiler failed on {name}")
        return [name, f"{name}.gch"]

    facts = (path, compiler_version(path), *given, processor(), LIBRARY_HEADER.read_text())
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    return cache.entry("brian2-headers", key, build)[0]


def compiled(structure: Structure, progress: Progress | None = None) -> tuple[Path, bool]:
    """The compiled program for `structure`, and whether it had to be compiled now."""
    key = program_key(structure)
    folder, built = cache.entry("brian2", key, lambda empty: _compile(structure, empty, key, progress))
    return folder / "main", built


def discard(program: Path) -> None:
    """Throw a cached program away that proved unusable."""
    shutil.rmtree(program.parent, ignore_errors=True)


def _compile(structure: Structure, folder: Path, key: str, progress: Progress | None) -> list[str]:
    (folder / "structure.json").write_text(structure.to_json())
    generator = [sys.executable, "-m", structure.GENERATOR]
    _call(
        [*generator, str(folder / "structure.json"), str(folder), key],
        folder,
        "Brian2 could not generate the program",
    )
    sources = (folder / "sources.txt").read_text().split()
    path = compiler()
    library = compiled_library(path, flags(structure))

    def compile_one(source: str) -> None:
        given = (*flags(structure), *FLAGS_OF.get(source, ()), "-I.", f"-I{library}")
        first = (word for header in (LIBRARY_HEADER.name, COMMON_HEADER) for word in ("-include", header))
        _call(
            [path, *given, *first, "-c", source, "-o", f"{source}.o"],
            folder,
            f"The compiler failed on {source}",
        )

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = [pool.submit(compile_one, source) for source in sources]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if progress:
                    progress("compile", done, len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    objects = [f"{source}.o" for source in sources]
    _call([path, *flags(structure), *objects, "-o", "main"], folder, "The linker failed")
    for leftover in [
        *folder.rglob("*.o"),
        *folder.glob("results"),
        *folder.glob("static_arrays"),
    ]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    return ["main", "structure.json"]


def _call(command: list[str], folder: Path, failure: str) -> None:
    """Run `command` in `folder`; it dies with this call, however the call ends."""
    fonts = str(cache.cache_folder() / "matplotlib")  # keeps them out of the home
    environment = os.environ | {"TMPDIR": str(folder), "MPLCONFIGDIR": fonts}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        tail = "\n".join(output.strip().splitlines()[-12:])
        raise RunError(f"{failure} (exit code {process.returncode}):\n{tail}")
