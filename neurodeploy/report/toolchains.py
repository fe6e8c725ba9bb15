"""``neurodeploy toolchain list``: what can be installed, and what is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurodeploy.toolchains import TOOLCHAINS, Toolchain, damage, stamp


@dataclass
class Toolchains:
    """All toolchains, for people and machines."""

    data: dict[str, Any]

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("toolchain", "what it is", "state", box=box.SIMPLE, pad_edge=False)
        for name, entry in self.data.items():
            state = "[green]installed[/]" if entry["installed"] else f"[red]{escape(entry['state'])}[/]"
            where = entry["folder"] if entry["installed"] else f"→ {entry['fix']}"
            table.add_row(name, escape(entry["title"]), f"{state}\n{escape(where)}")
        return [table]


def _entry(toolchain: Toolchain) -> dict[str, Any]:
    found, harm = stamp(toolchain), damage(toolchain)
    entry = {"title": toolchain.title, "python": toolchain.python, "installed": bool(found and not harm)}
    if harm or not found:
        return entry | {"state": f"damaged: {harm}" if harm else "missing", "fix": toolchain.command}
    return entry | {
        "folder": str(toolchain.folder),
        "base": found["base"],
        "packages": found["packages"].split(),
    }


def survey() -> Toolchains:
    """Every toolchain that this installation knows."""
    return Toolchains({name: _entry(toolchain) for name, toolchain in TOOLCHAINS.items()})
