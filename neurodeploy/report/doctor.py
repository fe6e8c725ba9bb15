"""``neurodeploy doctor``: what is usable here, and the exact line that installs the rest."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from neurodeploy.errors import NeurodeployError, RequestError

USABLE, EMULATED, LIMITED = "usable", "usable as emulation", "limited"
MISSING, DAMAGED, SILENT = "missing", "damaged", "silent"


BOARD = "with a board of your own: neurodeploy doctor --hardware spin5 --host ADDRESS"
LOIHI = "with a Loihi of your own: neurodeploy doctor --hardware loihi2-oheo-gulch"
"""Where a backend is emulated, the line that looks for silicon."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its state, what was found, and the line that mends it."""

    subject: str
    state: str
    detail: str
    fix: str = ""


def examine_python() -> Finding:
    found = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", USABLE if fits else LIMITED, found, "" if fits else "use Python 3.10 to 3.13")


def examine_pythons() -> Finding:
    """The Pythons of this machine, since Lava needs one of its own."""
    from neurodeploy import toolchains

    found, wanted = toolchains.pythons(), toolchains.TOOLCHAINS["loihi"].python
    detail = ", ".join(f"{version} ({path})" for version, path in found.items()) or "none"
    if wanted not in found:
        fix = f"pyenv install {wanted}, or uv python install {wanted}"
        return Finding("other Pythons", LIMITED, f"{detail}; no {wanted}, which Lava needs", fix)
    return Finding("other Pythons", USABLE, detail)


def examine_packages() -> Finding:
    """The core packages, against the bounds this package was installed with."""
    from packaging.requirements import Requirement

    wrong, count = [], 0
    for line in requires("neurodeploy") or []:
        requirement = Requirement(line)
        if requirement.marker is not None:  # an extra
            continue
        count += 1
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} is outside {requirement.specifier}")
    if wrong:
        return Finding("core packages", MISSING, "; ".join(wrong), "pip install neurodeploy")
    return Finding("core packages", USABLE, f"{count} packages within their bounds")


def examine_compiler() -> Finding:
    from neurodeploy.backends.brian2 import compiler

    try:
        path = compiler.compiler()
    except NeurodeployError as error:
        return Finding("C++ compiler", MISSING, error.what, compiler.INSTALL_COMPILER)
    return Finding("C++ compiler", USABLE, f"{path}: {compiler.compiler_version(path)}")


def examine_brian2() -> Finding:
    from neurodeploy.backends.brian2 import compiler

    try:
        found = compiler.brian2_version()
    except NeurodeployError as error:
        return Finding("backend brian2", MISSING, error.what, error.fix)
    if examine_compiler().state == MISSING:
        return Finding(
            "backend brian2",
            LIMITED,
            f"Brian2 {found}, without a compiler: --engine runtime only",
            "install a C++ compiler",
        )
    return Finding("backend brian2", USABLE, f"Brian2 {found}, compiled C++")


def examine_spinnaker() -> Finding:
    """The packages of the SpiNNaker backend; none of them is imported."""
    found, missing = [], []
    for name in ("sPyNNaker", "unicorn"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    install = "pip install 'neurodeploy[spinnaker]'"
    if "sPyNNaker" in missing:
        return Finding("backend spinnaker", MISSING, "sPyNNaker is not installed", install)
    if missing:
        return Finding(
            "backend spinnaker",
            LIMITED,
            f"{', '.join(found)}: real boards and mapping, no emulated board",
            install,
        )
    detail = f"{', '.join(found)}: an emulated board; no real board is looked for"
    return Finding("backend spinnaker", EMULATED, detail, BOARD)


def examine_loihi() -> Finding:
    """The Lava environment, and whether it could be made."""
    from neurodeploy import toolchains

    lava = toolchains.TOOLCHAINS["loihi"]
    try:
        harm = toolchains.damage(lava)
        if harm:
            return Finding(
                "backend loihi", DAMAGED, f"Lava's environment, {lava.folder}: {harm}", lava.command
            )
        found = toolchains.stamp(lava)
        if found is None:
            base = toolchains.find_python(lava)
            return Finding(
                "backend loihi", MISSING, f"Lava is not installed; {base} would do for it", lava.command
            )
    except NeurodeployError as error:
        return Finding("backend loihi", MISSING, error.what, error.fix)
    version = next(p.split("==")[1] for p in found["packages"].split() if p.startswith("lava-nc=="))
    detail = f"Lava {version} in the chip's whole numbers on this machine, in {lava.folder}; no Loihi is looked for"
    return Finding("backend loihi", EMULATED, detail, LOIHI)


def examine_cache() -> Finding:
    from neurodeploy.cache import cache_folder

    try:
        folder = cache_folder()
    except NeurodeployError as error:
        return Finding("cache", MISSING, error.what, error.fix)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    programs = len(list((folder / "brian2").glob("*/main")))
    free = shutil.disk_usage(folder).free
    detail = f"{folder}: {programs} compiled programs, {size / 1e6:.1f} MB, {free / 1e9:.1f} GB free"
    return Finding(
        "cache", USABLE if free > 1e8 else LIMITED, detail, "" if free > 1e8 else "free some space"
    )


EXAMINATIONS: tuple[Callable[[], Finding], ...] = (
    examine_python,
    examine_pythons,
    examine_packages,
    examine_compiler,
    examine_brian2,
    examine_spinnaker,
    examine_loihi,
    examine_cache,
)


def examine_machine(chosen: str, host: str | None) -> Finding:
    """A machine that the user names: whether its options are sound, and whether it answers.

    Raises
    ------
    RequestError
        There is no such machine, or its file says something that has no meaning.
    """
    from neurodeploy import hardware
    from neurodeploy.report import reaching

    machine = hardware.load(chosen, host)
    subject = f"machine {chosen}"
    if machine.executed_by != "silicon" and getattr(machine, "host", None) is None:
        return Finding(subject, USABLE, f"{machine.description}: it is this computer")
    try:
        return Finding(subject, USABLE, reaching.ask(machine))
    except reaching.SilentError as error:
        fix = "switch it on, and see whether its address is right and a firewall lets it through"
        return Finding(subject, SILENT, str(error), fix)


@dataclass
class Diagnosis:
    """All findings, for people and machines."""

    findings: list[Finding]

    @property
    def data(self) -> dict[str, Any]:
        return {
            finding.subject: {"state": finding.state, "detail": finding.detail, "fix": finding.fix}
            for finding in self.findings
        }

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        colours = {USABLE: "green", EMULATED: "green", LIMITED: "yellow"}
        table = Table(box=box.SIMPLE, pad_edge=False, show_header=False)
        for finding in self.findings:
            detail = escape(finding.detail) + (f"\n[bold]→ {escape(finding.fix)}[/]" if finding.fix else "")
            table.add_row(finding.subject, f"[{colours.get(finding.state, 'red')}]{finding.state}[/]", detail)
        return [table]


def examine(machines: Sequence[str] = (), host: str | None = None) -> Diagnosis:
    """Everything here, and the named `machines`; `host` replaces the address of their files.

    Raises
    ------
    RequestError
        There is no such machine, its file is wrong, or `host` comes without a machine.
    """
    if host is not None and not machines:
        raise RequestError(
            f"--host {host} has no meaning without a machine", fix="name one, such as --hardware spin5"
        )
    asked = [examine_machine(chosen, host) for chosen in machines]  # first, since one may be refused
    return Diagnosis([look() for look in EXAMINATIONS] + asked)
