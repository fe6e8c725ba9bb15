"""The machines a model may run on: named or written by the user as YAML, read into checked records."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neurodeploy.errors import RequestError, did_you_mean

PACKAGED = files("neurodeploy") / "hardware_configs"


class SpinnakerHardware(BaseModel):
    """A SpiNNaker machine; the packaged files say what every option means, beside its default.

    Attributes
    ----------
    name : str
        The packaged name, or the path of the user's file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    backend: Literal["spinnaker"]
    description: str = ""
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
    incoming_spike_buffer: int = Field(default=256, ge=16)
    advanced_monitors: bool = True
    reinjection: bool = True
    compress_on_chip: bool = True
    poisson_on_chip: bool = False
    wait_seconds: int = Field(default=30, ge=1)
    time_limit_seconds: int = Field(default=3600, ge=1)

    @property
    def executed_by(self) -> str:
        """The stamp of what runs there; a virtual machine runs nothing."""
        return {"emulated": "emulated", "virtual": "nothing (mapped only)"}.get(self.machine, "silicon")


def names() -> list[str]:
    """The packaged machines."""
    return sorted(entry.name[: -len(".yaml")] for entry in PACKAGED.iterdir() if entry.name.endswith(".yaml"))


def load(chosen: str, host: str | None = None, faults: str | None = None) -> SpinnakerHardware:
    """The machine called `chosen`: a packaged name, or the path of a YAML file.

    Parameters
    ----------
    chosen : str
    host : str, optional
        Replaces the file's ``host``.
    faults : str, optional
        Replaces the file's ``faults``.

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
    return parse(text, chosen, host, faults)


def parse(text: str, name: str, host: str | None = None, faults: str | None = None) -> SpinnakerHardware:
    """Read the YAML `text` of the machine `name`, and check that it can be used."""
    return _consistent(_parsed(text, name, host, faults))


def read(name: str) -> SpinnakerHardware:
    """A packaged machine as its file has it, also where an address is still wanting."""
    return _parsed((PACKAGED / f"{name}.yaml").read_text(encoding="utf-8"), name)


def _parsed(text: str, name: str, host: str | None = None, faults: str | None = None) -> SpinnakerHardware:
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
    if host is not None:
        data["server" if data.get("machine") == "spalloc" else "host"] = host
    if faults is not None:
        data["faults"] = faults
    try:
        return SpinnakerHardware(**{**data, "name": name})
    except (ValidationError, TypeError) as error:
        raise _explained(error, data, name) from error


def _explained(error: ValidationError | TypeError, data: dict[Any, Any], name: str) -> RequestError:
    known = [option for option in SpinnakerHardware.model_fields if option != "name"]
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


def _consistent(hardware: SpinnakerHardware) -> SpinnakerHardware:
    """Raise where the options do not fit the kind of machine."""
    name = hardware.name
    if hardware.machine == "board" and hardware.host is None:
        raise RequestError(
            f"Hardware '{name}': the address of the board is not given",
            why="a board is reached over the network",
            fix="add --host ADDRESS, or 'host: ADDRESS' to a file of your own",
        )
    if hardware.machine == "spalloc" and hardware.server is None:
        raise RequestError(
            f"Hardware '{name}': the address of the spalloc server is not given",
            fix="add --host ADDRESS, or 'server: ADDRESS' to a file of your own",
        )
    if hardware.machine == "virtual" and hardware.host is not None:
        raise RequestError(
            f"Hardware '{name}': a virtual machine has no address", fix="leave host out, or use a board"
        )
    if hardware.faults and (hardware.machine != "emulated" or hardware.host is not None):
        raise RequestError(
            f"Hardware '{name}': faults are given, but not for a board that is started here",
            why="only an emulated board can be broken on demand, when it starts",
            fix="leave faults out, or use spinnaker-emulated without a host",
        )
    return hardware
