"""``neurodeploy cache``: what lies in the cache folder, and what goes when it is cleared."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.cache import cache_folder, unwritable
from neurodeploy.errors import RequestError, did_you_mean

PARTS = {
    "programs": ("brian2*", "compiled programs and headers; made again by the next run"),
    "board": ("board", "the emulated board's compiled helper; made again by the next run"),
    "toolchains": ("toolchains", "environments of 'neurodeploy toolchain install'"),
    "failures": ("*-failures", "what failed runs left to be read"),
    "counts": ("lsm", "liquids, counts and read-outs of 'run lsm', to go on from and to read out again"),
    "fonts": ("matplotlib", "matplotlib's list of fonts"),
}
"""Part of the cache by name: its folders, and what it is.  Working files of running sessions are in none."""


@dataclass
class Contents:
    """What lies in the cache folder."""

    data: dict[str, Any]

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("part", "entries", "MB", "", box=box.SIMPLE, pad_edge=False)
        for name, part in self.data["parts"].items():
            table.add_row(name, f"{part['entries']:,}", f"{part['bytes'] / 1e6:.1f}", part["what"])
        return [
            escape(self.data["folder"]),
            table,
            "'neurodeploy cache clear PART' removes one, 'clear all' all of them",
        ]


def _folders(part: str) -> list[Path]:
    return sorted(path for path in cache_folder().glob(PARTS[part][0]) if path.is_dir())


def _size(folders: list[Path]) -> int:
    files = (path for folder in folders for path in folder.rglob("*"))
    return sum(path.lstat().st_size for path in files if path.is_file() and not path.is_symlink())


def survey() -> Contents:
    """Entries and bytes of every part."""
    parts = {}
    for name, (_, what) in PARTS.items():
        folders = _folders(name)
        entries = sum(1 for folder in folders for entry in folder.iterdir() if entry.is_dir())
        parts[name] = {"entries": entries, "bytes": _size(folders), "what": what}
    return Contents({"folder": str(cache_folder()), "parts": parts})


def clear(part: str) -> int:
    """Remove one part of the cache, or ``"all"``; gives the bytes that are free now.

    Raises
    ------
    RequestError
        There is no such part.
    RunError
        It cannot be removed.
    """
    if part != "all" and part not in PARTS:
        raise RequestError(
            f"The cache has no part '{part}'.{did_you_mean(part, PARTS)}",
            fix=f"choose one of: {', '.join(PARTS)}, all",
        )
    freed = 0
    for name in PARTS if part == "all" else (part,):
        folders = _folders(name)
        freed += _size(folders)
        for folder in folders:
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise unwritable(folder, error) from error
    return freed
