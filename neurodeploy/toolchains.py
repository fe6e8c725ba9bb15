"""Environments of their own for tools that can't live beside this package: ``neurodeploy toolchain install loihi``.

A toolchain is a virtual environment in the cache folder.  It is made where it stays, under a lock, since the paths inside
could not be moved; it counts once its stamp is there, which is written last, after a check inside of it.  What has no stamp
(an installation that was interrupted) is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from neurodeploy import cache
from neurodeploy.errors import EnvironmentMissingError, RequestError, ToolchainMissingError, did_you_mean

STAMP = "neurodeploy-stamp.json"
OFFLINE = "NEURODEPLOY_OFFLINE"
"""Environment variable: where it is set, nothing is installed by itself."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Toolchain:
    """What an environment is made of.

    Attributes
    ----------
    name, title : str
    python : str
        The only version of Python that it works with.
    source : Path
        The folder of the two files.
    requirements, check : str
        Names of the pinned list for pip, and of a script that fails where the tools do not work.
    """

    name: str
    title: str
    python: str
    source: Path
    requirements: str
    check: str

    @property
    def key(self) -> str:
        """Digest of everything that decides what is installed."""
        parts = [
            (self.source / self.requirements).read_bytes(),
            (self.source / self.check).read_bytes(),
            f"{self.python} {platform.system()} {platform.machine()}".encode(),
        ]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return cache.cache_folder() / "toolchains" / f"{self.name}-{self.key}"

    @property
    def interpreter(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def command(self) -> str:
        return f"neurodeploy toolchain install {self.name}"


TOOLCHAINS = {
    "loihi": Toolchain(
        name="loihi",
        title="Lava, for the loihi backend",
        python="3.10",
        source=Path(str(files("neurodeploy"))) / "backends" / "loihi",
        requirements="lava-requirements.txt",
        check="lava_check.py",
    )
}


def named(name: str) -> Toolchain:
    """The toolchain the user asked for."""
    if name not in TOOLCHAINS:
        raise RequestError(
            f"There is no toolchain called '{name}'.{did_you_mean(name, TOOLCHAINS)}",
            fix=f"choose one of: {', '.join(TOOLCHAINS)}",
        )
    return TOOLCHAINS[name]


def stamp(toolchain: Toolchain) -> dict[str, str] | None:
    """What is installed, or None where it is not there, not whole, or its Python has gone."""
    try:
        found: dict[str, str] = json.loads((toolchain.folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if os.access(toolchain.interpreter, os.X_OK) else None


def ensure(name: str, say: Say) -> Path:
    """The interpreter of a toolchain, which is installed where it is missing.

    Raises
    ------
    ToolchainMissingError
        It is missing, and it can't be installed or ``NEURODEPLOY_OFFLINE`` is set.
    """
    toolchain = named(name)
    if stamp(toolchain) is None:
        if os.environ.get(OFFLINE):
            raise EnvironmentMissingError(
                f"{toolchain.title}: the environment is not installed",
                why=f"{OFFLINE} is set, so nothing is installed by itself",
                fix=toolchain.command,
            )
        install(name, say)
    return toolchain.interpreter


def install(name: str, say: Say, python: str | None = None) -> Path:
    """Make the environment, unless it is there and whole; gives its interpreter.

    Parameters
    ----------
    name : str
    say : function of a line
    python : str, optional
        The interpreter to make it with, instead of the first that fits.
    """
    toolchain = named(name)
    folder = toolchain.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with cache.locked(folder.with_suffix(".lock")):
            if stamp(toolchain) is None:
                base = find_python(toolchain, python)
                _build(toolchain, base, say)
            for old in folder.parent.glob(f"{name}-*"):
                if old.is_dir() and old != folder:  # of another version of the list
                    shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ToolchainMissingError(
            f"{toolchain.title}: the environment can't be written to {folder}: {error.strerror}",
            fix="free some space, or set NEURODEPLOY_CACHE to another folder",
        ) from error
    return toolchain.interpreter


def remove(name: str) -> bool:
    """Remove every environment of a toolchain; whether there was one."""
    named(name)
    root = cache.cache_folder() / "toolchains"
    found = [folder for folder in root.glob(f"{name}-*") if folder.is_dir()]
    for folder in found:
        with cache.locked(folder.with_suffix(".lock")):
            (folder / STAMP).unlink(missing_ok=True)  # half removed is not whole
            shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)
    return bool(found)


def _build(toolchain: Toolchain, base: Path, say: Say) -> None:
    started = time.monotonic()
    folder = toolchain.folder
    say(f"installing {toolchain.title} (once, with {base}) ...")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _step(toolchain, [str(base), "-I", "-m", "venv", str(folder)], "make a virtual environment")
        pip = [
            str(toolchain.interpreter),
            "-I",
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
        requirements = str(toolchain.source / toolchain.requirements)
        _step(toolchain, [*pip, "install", "--requirement", requirements], "install the packages")
        _step(toolchain, [str(toolchain.interpreter), "-I", str(toolchain.source / toolchain.check)], "work")
        listed = _step(toolchain, [*pip, "freeze"], "list the packages").split()
        facts = {"key": toolchain.key, "base": str(base), "packages": " ".join(listed)}
        fresh = folder / f"{STAMP}.new"
        fresh.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        fresh.rename(folder / STAMP)
    finally:
        if not (folder / STAMP).exists():
            shutil.rmtree(folder, ignore_errors=True)
    say(f"installed {toolchain.title} in {time.monotonic() - started:.0f} s, in {folder}")


def _step(toolchain: Toolchain, command: list[str], doing: str) -> str:
    """Run one command of an installation; what it prints matters only where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines
        raise ToolchainMissingError(
            f"{toolchain.title}: the environment could not {doing}: {errors[-1] if errors else done.returncode}",
            why=f"this failed: {' '.join(command)}",
            fix=_remedy(toolchain, "\n".join(lines)),
        )
    return done.stdout


def _remedy(toolchain: Toolchain, output: str) -> str:
    again = f"then '{toolchain.command}' again"
    if "ensurepip" in output:
        return f"install the venv module of that Python (on Debian: apt install python{toolchain.python}-venv), {again}"
    if any(word in output for word in ("No matching distribution", "Connection", "resolution", "timed out")):
        return f"connect to the Python Package Index, or set PIP_INDEX_URL to a mirror of it, {again}"
    if "No space left" in output:
        return f"free some space, or set NEURODEPLOY_CACHE to another folder, {again}"
    return f"run that line to see all it says, {again}"


# --------------------------------------------------------------------------- finding a Python


def find_python(toolchain: Toolchain, given: str | None = None) -> Path:
    """A Python of the version that the toolchain needs.

    Looked for, in this order: `given`; on PATH; the running one; pyenv's; beside the running one; uv's.

    Raises
    ------
    ToolchainMissingError
        There is none.
    """
    wanted = toolchain.python
    if given is not None:
        if not _is_version(given, wanted):
            raise RequestError(
                f"{given} is not a Python {wanted} that runs", fix=f"give the path of a Python {wanted}"
            )
        return Path(given)
    for candidate in _candidates(wanted):
        if _is_version(candidate, wanted):
            return Path(candidate)
    raise EnvironmentMissingError(
        f"{toolchain.title}: there is no Python {wanted} on this machine",
        why=f"its packages exist for Python {wanted} alone; this is Python {platform.python_version()}",
        fix=f"get one with 'pyenv install {wanted}', 'uv python install {wanted}' or your system's packages (python{wanted},"
        f" python{wanted}-venv), then '{toolchain.command}'; one in an unusual place: '{toolchain.command} --python PATH'",
    )


def _candidates(version: str) -> Iterator[str]:
    found = shutil.which(f"python{version}")
    if found:
        yield found  # may be a shim of pyenv's that runs nothing
    running = getattr(sys, "_base_executable", None) or sys.executable
    yield running
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    beside = Path(os.path.realpath(running)).parent.parent.parent
    for root in (versions, beside):
        yield from map(str, sorted(root.glob(f"{version}.*/bin/python3"), reverse=True))
    uv = shutil.which("uv")
    if uv:
        answer = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        yield answer.stdout.strip()
    kept = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    yield from map(str, sorted(kept.glob(f"cpython-{version}*/bin/python3"), reverse=True))


def _is_version(candidate: str, version: str) -> bool:
    if not candidate:
        return False
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [candidate, "-I", "-c", code],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version
