"""Environments of their own for tools that can't live beside this package: ``neurodeploy toolchain install loihi``.

A toolchain is a virtual environment in the cache folder.  It is made where it stays, under a lock, since the paths inside
could not be moved; it counts once its stamp is there, which is written last, after a check inside of it.  What has no stamp
(an installation that was interrupted) is removed by the next one; what no longer has the files that its packages list
is damaged, and is made anew.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import re
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
from neurodeploy.processes import started

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


def damage(toolchain: Toolchain) -> str:
    """Why an environment that has been installed can't work; empty where nothing is wrong with it, or there is none."""
    try:
        packages = json.loads((toolchain.folder / STAMP).read_text(encoding="utf-8"))["packages"].split()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return f"{toolchain.folder / STAMP} can't be read"
    if not _is_version(str(toolchain.interpreter), toolchain.python):
        return f"its Python, {toolchain.interpreter}, does not run"
    site = toolchain.folder / "lib" / f"python{toolchain.python}" / "site-packages"
    for package in packages:
        name, _, version = package.partition("==")
        records = list(site.glob(f"{_glob(name)}-{version}.dist-info/RECORD"))
        if not records:
            return f"{package} is not there"
        for path, _, size in csv.reader(records[0].read_text(encoding="utf-8").splitlines()):
            if size and "__pycache__" not in path and _size(site / path) != int(size):
                return f"{path} of {package} is missing or cut"
    return ""


def _glob(name: str) -> str:
    """What matches a package's folder, which may be spelled with other signs and cases than pip's list."""
    return "".join(
        f"[{sign.lower()}{sign.upper()}]" if sign.isalpha() else sign if sign.isdigit() else "?"
        for sign in name
    )


def _size(path: Path) -> int:
    """Bytes of a file, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


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

    Interrupted, it leaves nothing.  Killed, it leaves the lock to the step that is under way until that has ended.

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
        other = f"another installation of {toolchain.title} is under way; waiting for it ..."
        with cache.locked(folder.with_suffix(".lock"), lambda: say(other)) as lock:
            harm = damage(toolchain)
            if harm:
                say(f"{toolchain.title}: the environment is damaged ({harm}) and is made anew")
            if harm or stamp(toolchain) is None:
                base = find_python(toolchain, python)
                _build(toolchain, base, say, lock)
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


def _build(toolchain: Toolchain, base: Path, say: Say, lock: int) -> None:
    started = time.monotonic()
    folder = toolchain.folder
    say(f"installing {toolchain.title} (once, with {base}) ...")
    (folder / STAMP).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)

    def step(doing: str, *command: str) -> str:
        return _step(toolchain, list(command), doing, lock)

    try:
        step("make a virtual environment", str(base), "-I", "-m", "venv", str(folder))
        python = (str(toolchain.interpreter), "-I")
        pip = (*python, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
        step("install the packages", *pip, "install", "-r", str(toolchain.source / toolchain.requirements))
        step("work", *python, str(toolchain.source / toolchain.check))
        listed = step("list the packages", *pip, "freeze").split()
        facts = {"key": toolchain.key, "base": str(base), "packages": " ".join(listed)}
        fresh = folder / f"{STAMP}.new"
        fresh.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        fresh.rename(folder / STAMP)
    finally:
        if not (folder / STAMP).exists():
            shutil.rmtree(folder, ignore_errors=True)
    say(f"installed {toolchain.title} in {time.monotonic() - started:.0f} s, in {folder}")


def _step(toolchain: Toolchain, command: list[str], doing: str, lock: int) -> str:
    """Run one command of an installation; what it prints matters only where it fails."""
    with started(
        command,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(lock,),
    ) as process:
        out, errors = process.communicate()
    if process.returncode:
        lines = [line.strip() for line in (errors + out).splitlines() if line.strip()]
        said = [line for line in lines if line.lower().startswith("error")] or lines
        remedy = next((remedy for remedy in REMEDIES if re.search(remedy.pattern, "\n".join(lines))), None)
        reason = remedy.reason if remedy else said[-1] if said else f"exit code {process.returncode}"
        fix = remedy.fix.format(python=toolchain.python) if remedy else "run that line to see all it says"
        raise ToolchainMissingError(
            f"{toolchain.title}: the environment could not {doing}: {reason}",
            why=f"this failed: {' '.join(command)}",
            fix=f"{fix}, then '{toolchain.command}' again",
        )
    return out


@dataclass(frozen=True)
class Remedy:
    """What pip or venv say, what that means, and what helps."""

    pattern: str
    reason: str
    fix: str


REMEDIES = (
    Remedy(
        r"No space left|Disk quota",
        "the disk is full",
        "free some space, or set NEURODEPLOY_CACHE to another folder",
    ),
    Remedy(
        r"ensurepip",
        "that Python lacks its venv module",
        "install it (on Debian: apt install python{python}-venv)",
    ),
    Remedy(
        r"NewConnectionError|ConnectTimeout|ConnectionError|ReadTimeout|ProxyError|name resolution|unreachable|SSLError",
        "the Python Package Index can't be reached",
        "connect to it, or set PIP_INDEX_URL to a mirror of it that answers",
    ),
    Remedy(
        r"No matching distribution",
        "the package index does not have a package of the list for this machine",
        "set PIP_INDEX_URL to an index that has it",
    ),
)
"""In order: the first that fits."""


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
    lines = (
        f"pyenv install {wanted}",
        f"uv python install {wanted}",
        f"apt install python{wanted} python{wanted}-venv",
    )
    raise EnvironmentMissingError(
        f"{toolchain.title}: there is no Python {wanted} on this machine",
        why=f"its packages exist for Python {wanted} alone; this is Python {platform.python_version()}",
        fix=f"get one by one of these lines, then '{toolchain.command}':"
        + "".join(f"\n         {line}" for line in lines)
        + f"\n       or name one that is in an unusual place: '{toolchain.command} --python PATH'",
    )


PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""Versions that neurodeploy or a toolchain runs on."""


def pythons() -> dict[str, Path]:
    """The first Python of each of :data:`PYTHONS` that is found and runs, by version."""
    found = {}
    for version in PYTHONS:
        for candidate in dict.fromkeys(_candidates(version)):
            if _is_version(candidate, version):
                found[version] = Path(candidate)
                break
    return found


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
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version
