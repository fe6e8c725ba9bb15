"""``neurodeploy targets``: backends, tick rules and cell types, read from the records themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurodeploy import hardware
from neurodeploy.backends import registry
from neurodeploy.chips import loihi
from neurodeploy.chips.catalogue import RULES
from neurodeploy.chips.rules import TickRules
from neurodeploy.errors import NeurodeployError


@dataclass
class Survey:
    """What can run what."""

    data: dict[str, Any]

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        backends = Table("backend", "what it is", box=box.SIMPLE, pad_edge=False)
        for name, description in self.data["backends"].items():
            backends.add_row(name, escape(description))
        rules = Table(
            "rules",
            "meaning",
            "spike of step k at",
            "STDP ties",
            "STDP delay",
            box=box.SIMPLE,
            pad_edge=False,
        )
        for name, entry in self.data["rules"].items():
            rules.add_row(name, escape(entry["title"]), entry["spike_time"], entry["ties"], entry["delay"])
        names = list(self.data["rules"])
        cells = Table("cell", *names, box=box.SIMPLE, pad_edge=False)
        every = sorted({cell for entry in self.data["rules"].values() for cell in entry["cells"]})
        for cell in every:
            cells.add_row(
                cell, *(escape(self.data["rules"][name]["cells"].get(cell, "no")) for name in names)
            )
        machines = Table("hardware", "what it is", box=box.SIMPLE, pad_edge=False)
        for name, description in self.data["hardware"].items():
            machines.add_row(name, escape(description))
        chips = Table("Loihi", *self.data["loihi"]["titles"], box=box.SIMPLE, pad_edge=False)
        for row in self.data["loihi"]["limits"]:
            chips.add_row(row["meaning"], *(f"{row[name]:,}" for name in self.data["loihi"]["names"]))
        return [backends, machines, rules, cells, chips]


def survey() -> Survey:
    """Every backend and every set of rules of this installation."""
    backends = {}
    for name in sorted(registry.available()):
        try:
            backends[name] = registry.load(name).description
        except NeurodeployError as error:
            backends[name] = f"not usable: {error.what}"
    machines = {name: hardware.read(name).description for name in hardware.names()}
    return Survey(
        {
            "backends": backends,
            "hardware": machines,
            "rules": {name: _describe(r) for name, r in RULES.items()},
            "loihi": {
                "names": list(loihi.CHIPS),
                "titles": [chip.title for chip in loihi.CHIPS.values()],
                "limits": loihi.table(),
            },
        }
    )


def _describe(rules: TickRules) -> dict[str, Any]:
    return {
        "title": rules.title,
        "source": rules.source,
        "spike_time": "(k+1) dt" if rules.spike_is_at_end_of_step else "k dt",
        "ties": "depress" if rules.pair_rule.ties_depress else "no change",
        "delay": "all dendritic" if rules.pair_rule.delay_is_dendritic else "any dendritic fraction",
        "additive_amplitude": "A × w_max" if rules.pair_rule.amplitude_times_w_max else "A",
        "cells": rules.models,
    }
