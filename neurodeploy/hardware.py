"""The machines a model may run on: named or written by the user as YAML, read into checked records."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neurodeploy.errors import RequestError, did_you_mean

PACKAGED = files("neurodeploy") / "hardware_configs"


class Hardware(BaseModel):
    """What every machine has.

    Attributes
    ----------
    name : str
        The packaged name, or the path of the user's file.
    backend : str
        The backend that runs on it; it decides which options there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    backend: str
    description: str = ""
    time_limit_seconds: int = Field(default=3600, ge=1)

    @property
    def executed_by(self) -> str:
        """The stamp of what runs there."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise where the options do not fit the kind of machine."""
        raise NotImplementedError


class SpinnakerHardware(Hardware):
    """A SpiNNaker machine; the packaged files say what every option means, beside its default."""

    backend: Literal["spinnaker"]
    machine: Literal["emulated", "virtual", "board", "spalloc"]
    version: Literal[3, 5] = 5
    host: str | None = None
    faults: str | None = None
    server: str | None = None
    user: str | None = None
    boards: int | None = Field(default=None, ge=1)
    time_scale_factor: int | None = Field(default=None, ge=1)
    neurons_per_core: int | None = Field(default=None, ge=1)
    spikes_per_second: float = Field(default=30.0, gt=0)
    ring_buffer_sigma: float = Field(default=5.0, gt=0)
    incoming_spike_buffer: int | None = Field(default=None, ge=16)
    advanced_monitors: bool = True
    reinjection: bool = True
    compress_on_chip: bool = True
    poisson_on_chip: bool = False
    wait_seconds: int = Field(default=30, ge=1)

    @property
    def executed_by(self) -> str:
        """The stamp of what runs there, until the machine has said what it is; a virtual machine runs nothing."""
        return {"emulated": "emulated", "virtual": "nothing (mapped only)"}.get(self.machine, "silicon")

    def check(self) -> None:
        if self.machine == "board" and self.host is None:
            raise RequestError(
                f"Hardware '{self.name}': the address of the board is not given",
                why="a board is reached over the network",
                fix="add --host ADDRESS, or 'host: ADDRESS' to a file of your own",
            )
        if self.machine == "spalloc" and self.server is None:
            raise RequestError(
                f"Hardware '{self.name}': the address of the spalloc server is not given",
                fix="add --host ADDRESS, or 'server: ADDRESS' to a file of your own",
            )
        if self.machine == "virtual" and self.host is not None:
            raise RequestError(
                f"Hardware '{self.name}': a virtual machine has no address",
                fix="leave host out, or use a board",
            )
        if self.faults and (self.machine != "emulated" or self.host is not None):
            raise RequestError(
                f"Hardware '{self.name}': faults are given, but not for a board that is started here",
                why="only an emulated board can be broken on demand, when it starts",
                fix="leave faults out, or use spinnaker-emulated without a host",
            )


class LoihiHardware(Hardware):
    """A Loihi machine, or Lava's arithmetic of one on this machine; the packaged files say what every option means."""

    backend: Literal["loihi"]
    machine: Literal["simulated", "slurm", "ethernet"]
    chip: Literal["loihi1", "loihi2"] = "loihi2"
    chips: int | None = Field(default=None, ge=1)
    processes: Literal["own", "stock", "float"] = "own"
    host: str | None = None
    partition: str | None = None
    board: str | None = None
    generation: Literal["N2A2", "N3B2", "N3B3", "N3C1", "N3D1"] | None = None
    python: str | None = None

    @property
    def executed_by(self) -> str:
        """The stamp of what runs there: Lava's fixed point is the chip's arithmetic on this machine."""
        if self.machine != "simulated":
            return "silicon"
        return "float" if self.processes == "float" else "chip arithmetic"

    @property
    def rules(self) -> str:
        """The tick rules of what runs there: its chip's, or SpiNNaker's in floating point."""
        return "spinnaker" if self.processes == "float" else self.chip

    def check(self) -> None:
        if self.machine == "ethernet" and self.host is None:
            raise RequestError(
                f"Hardware '{self.name}': the address of the host is not given",
                fix="add --host ADDRESS, or 'host: ADDRESS' to a file of your own",
            )
        if self.machine != "ethernet" and self.host is not None:
            raise RequestError(
                f"Hardware '{self.name}': a {self.machine} machine has no address",
                why="SLURM chooses a board" if self.machine == "slurm" else "Lava runs on this machine",
                fix="leave host out, or use 'machine: ethernet' in a file of your own",
            )
        if self.machine != "slurm" and (self.partition or self.board):
            raise RequestError(
                f"Hardware '{self.name}': a partition or a board is given, but machine is {self.machine}",
                fix="leave them out, or use 'machine: slurm'",
            )
        if self.partition and self.board:
            raise RequestError(
                f"Hardware '{self.name}': partition {self.partition} and board {self.board} are given",
                why="Lava takes one of them",
                fix="leave one out",
            )
        if self.machine != "simulated" and self.processes != "stock":
            raise RequestError(
                f"Hardware '{self.name}': processes is '{self.processes}' on a chip",
                why="Lava's compiler has chip programs for its stock processes alone",
                fix="write 'processes: stock'",
            )


KINDS: dict[str, type[Hardware]] = {"spinnaker": SpinnakerHardware, "loihi": LoihiHardware}
"""The options of a machine, by the backend that runs on it."""

Kind = TypeVar("Kind", bound=Hardware)


def names(backend: str | None = None) -> list[str]:
    """The packaged machines, of one backend or of all."""
    every = sorted(
        entry.name[: -len(".yaml")] for entry in PACKAGED.iterdir() if entry.name.endswith(".yaml")
    )
    return [name for name in every if backend is None or read(name).backend == backend]


def load_as(
    kind: type[Kind],
    chosen: str,
    host: str | None = None,
    faults: str | None = None,
    to_run: bool = True,
) -> Kind:
    """The machine called `chosen`, which must be one of `kind`; its address may be wanting unless it is `to_run`.

    Raises
    ------
    RequestError
        As for :func:`load`; or it belongs to another backend.
    """
    hardware = load(chosen, host, faults, to_run)
    if not isinstance(hardware, kind):
        own = next(backend for backend, other in KINDS.items() if other is kind)
        raise RequestError(
            f"Hardware '{chosen}' is for the {hardware.backend} backend, not for {own}",
            fix=f"use --backend {hardware.backend}, or one of: {', '.join(names(own))}",
        )
    return hardware


def load(chosen: str, host: str | None = None, faults: str | None = None, to_run: bool = True) -> Hardware:
    """The machine called `chosen`: a packaged name, or the path of a YAML file.

    Parameters
    ----------
    chosen : str
    host : str, optional
        Replaces the file's ``host``.
    faults : str, optional
        Replaces the file's ``faults``.
    to_run : bool
        Whether something is to run there, so that its address must be known.

    Raises
    ------
    RequestError
        There is no such machine, or its file says something that has no meaning.
    """
    if chosen.endswith((".yaml", ".yml")) or "/" in chosen:
        try:
            text = Path(chosen).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(
                f"Hardware file {chosen} can't be read: {getattr(error, 'strerror', None) or error}",
                fix=f"give the path of a YAML file, or one of: {', '.join(names())}",
            ) from error
    elif chosen in names():
        text = (PACKAGED / f"{chosen}.yaml").read_text(encoding="utf-8")
    else:
        raise RequestError(
            f"There is no hardware called '{chosen}'.{did_you_mean(chosen, names())}",
            fix=f"choose one of: {', '.join(names())}; or give the path of a YAML file of your own",
        )
    return parse(text, chosen, host, faults, to_run)


def parse(
    text: str, name: str, host: str | None = None, faults: str | None = None, to_run: bool = True
) -> Hardware:
    """Read the YAML `text` of the machine `name`; where something is `to_run` there, check that it can."""
    hardware = _parsed(text, name, host, faults)
    if to_run:
        hardware.check()
    return hardware


def read(name: str) -> Hardware:
    """A packaged machine as its file has it, also where an address is still wanting."""
    return _parsed((PACKAGED / f"{name}.yaml").read_text(encoding="utf-8"), name)


def _parsed(text: str, name: str, host: str | None = None, faults: str | None = None) -> Hardware:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place else ""
        raise RequestError(
            f"Hardware '{name}'{where} is not YAML: {getattr(error, 'problem', error)}",
            fix="write 'option: value', one a line",
        ) from error
    if not isinstance(data, dict):
        raise RequestError(f"Hardware '{name}' has no options", fix="write 'option: value', one a line")
    kind = _kind(data, name)
    if faults is not None and "faults" not in kind.model_fields:
        raise RequestError(
            f"Hardware '{name}' has no use for faults {faults!r}",
            why="only an emulated SpiNNaker board can be broken on demand",
            fix="leave faults out, or use --backend spinnaker",
        )
    if host is not None:
        data["server" if data.get("machine") == "spalloc" else "host"] = host
    if faults is not None:
        data["faults"] = faults
    try:
        return kind(**{**data, "name": name})
    except (ValidationError, TypeError) as error:
        raise _explained(error, data, name, kind) from error


def _kind(data: dict[Any, Any], name: str) -> type[Hardware]:
    """Which options the machine has: those of its backend."""
    if "backend" not in data:
        raise RequestError(
            f"Hardware '{name}' does not say 'backend'", fix=f"add a line 'backend: {' or '.join(KINDS)}'"
        )
    backend = str(data["backend"])
    if backend not in KINDS:
        raise RequestError(
            f"Hardware '{name}': backend is {backend!r}.{did_you_mean(backend, KINDS)}",
            fix=f"machines are of the backends {', '.join(KINDS)}",
        )
    return KINDS[backend]


def _explained(
    error: ValidationError | TypeError, data: dict[Any, Any], name: str, kind: type[Hardware]
) -> RequestError:
    known = [option for option in kind.model_fields if option != "name"]
    if isinstance(error, TypeError):
        return RequestError(f"Hardware '{name}': an option is no word", fix=f"options are {', '.join(known)}")
    first = error.errors()[0]
    option = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return RequestError(
            f"Hardware '{name}' has no option '{option}'.{did_you_mean(option, known)}",
            fix=f"its options are {', '.join(known)}",
        )
    if first["type"] == "missing":
        return RequestError(f"Hardware '{name}' does not say '{option}'", fix=f"add a line '{option}: ...'")
    return RequestError(
        f"Hardware '{name}': {option} is {data.get(option)!r}; {first['msg'][0].lower()}{first['msg'][1:]}",
        fix=f"give {option} another value",
    )
