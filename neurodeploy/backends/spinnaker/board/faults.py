"""Faults on demand: what is to be broken about a board or the network to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from neurodeploy.chips.spinnaker_map import CORES_PER_CHIP, LINKS, SDRAM_SIZE, board_chips
from neurodeploy.errors import RequestError, did_you_mean

UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20}
LEAST_SDRAM = 4 << 10
"""Bytes of memory below which not even an empty model can be loaded."""


@dataclass(frozen=True)
class Faults:
    """What is broken.

    Attributes
    ----------
    dead_chips : frozenset of (x, y)
    dead_cores : frozenset of (x, y, core)
    dead_links : frozenset of (x, y, link)
        In both directions.
    lossy_links : frozenset of (x, y, link)
        Pass for working ones, and drop every packet onto them, in this direction.
    stopped_cores : frozenset of (x, y, core, tick)
        Cores that stop with a run-time error at that tick of their timer.
    lose, delay, duplicate : float
        Share of the datagrams, in either direction, that are lost, come `DELAY_SECONDS` late, or come twice.
    sdram : int or None
        Bytes of memory that a chip has left for models.
    silent_after : int or None
        The board answers nothing after so many datagrams.
    seed : int
        Of the choice among datagrams.
    """

    dead_chips: frozenset[tuple[int, int]] = frozenset()
    dead_cores: frozenset[tuple[int, int, int]] = frozenset()
    dead_links: frozenset[tuple[int, int, int]] = frozenset()
    lossy_links: frozenset[tuple[int, int, int]] = frozenset()
    stopped_cores: frozenset[tuple[int, int, int, int]] = frozenset()
    lose: float = 0.0
    delay: float = 0.0
    duplicate: float = 0.0
    sdram: int | None = None
    silent_after: int | None = None
    seed: int = 0
    text: str = field(default="", compare=False)


DELAY_SECONDS = 0.3

EXAMPLE = "dead-core=0,0,5; dead-link=1,0,2; lose=0.05"


def parse(text: str | None, version: int = 3) -> Faults:
    """Read ``name=value; name=value``: see :data:`NAMES`; a name may come more than once where it lists things.

    Raises
    ------
    RequestError
        A name is unknown, or a value has no meaning on a board of that version.
    """
    faults = Faults(text=text or "")
    for part in filter(None, (part.strip() for part in re.split(r"[;\n]", text or ""))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in NAMES:
            raise RequestError(
                f"--faults: there is no fault '{name}'.{did_you_mean(name, list(NAMES))}",
                fix=f"choose from {', '.join(NAMES)}; for example '{EXAMPLE}'",
            )
        key, read, form = NAMES[name]
        try:
            found = read(value, version)
        except (ValueError, TypeError):
            raise RequestError(
                f"--faults: {name}={value} has no meaning on a board of version {version}",
                fix=f"write {name}={form}",
            ) from None
        present = getattr(faults, key)
        faults = replace(faults, **{key: present | found if isinstance(found, frozenset) else found})
    return faults


def _place(parts: int) -> Callable[[str, int], frozenset[Any]]:
    """Reads ``x,y``, ``x,y,number`` or ``x,y,core@tick``."""
    limits = {2: (), 3: (CORES_PER_CHIP,), 4: (CORES_PER_CHIP, 1 << 31)}[parts]

    def read(text: str, version: int) -> frozenset[Any]:
        numbers = tuple(int(number) for number in re.split("[,@]", text))
        if len(numbers) != parts or numbers[:2] not in board_chips(version):
            raise ValueError(text)
        if any(not 1 <= number < limit for number, limit in zip(numbers[2:], limits, strict=True)):
            raise ValueError(text)
        return frozenset([numbers])

    return read


def _chip(text: str, version: int) -> frozenset[Any]:
    found = _place(2)(text, version)
    if (0, 0) in found:
        raise ValueError("chip 0, 0 holds the connection")
    return found


def _link(text: str, version: int) -> frozenset[Any]:
    x, y, link = (int(number) for number in text.split(","))
    if (x, y) not in board_chips(version) or not 0 <= link < len(LINKS):
        raise ValueError(text)
    return frozenset([(x, y, link)])


def _share(text: str, _: int) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError(text)
    return value


def _bytes(text: str, _: int) -> int:
    found = re.fullmatch(r"(\d+)\s*([KkMm]i[Bb])?", text)
    if not found:
        raise ValueError(text)
    value = int(found[1]) * UNITS[(found[2] or "").lower()]
    if not LEAST_SDRAM <= value <= SDRAM_SIZE:
        raise ValueError(text)
    return value


def _count(text: str, _: int) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


NAMES: dict[str, tuple[str, Callable[[str, int], Any], str]] = {
    "dead-chip": ("dead_chips", _chip, "X,Y; any but 0,0"),
    "dead-core": ("dead_cores", _place(3), "X,Y,CORE; core 1 to 17"),
    "dead-link": ("dead_links", _link, "X,Y,LINK; link 0 (east) to 5 (south), anticlockwise"),
    "lossy-link": ("lossy_links", _link, "X,Y,LINK; link 0 (east) to 5 (south), anticlockwise"),
    "stop-core": ("stopped_cores", _place(4), "X,Y,CORE@TICK"),
    "lose": ("lose", _share, "a share of the datagrams, 0 to 1"),
    "delay": ("delay", _share, "a share of the datagrams, 0 to 1"),
    "duplicate": ("duplicate", _share, "a share of the datagrams, 0 to 1"),
    "sdram": ("sdram", _bytes, "bytes, or a number followed by KiB or MiB; 4 KiB at least"),
    "silent-after": ("silent_after", _count, "a number of datagrams"),
    "seed": ("seed", _count, "a whole number"),
}
"""Name of a fault -> field of :class:`Faults`, reader, and how it is written."""
