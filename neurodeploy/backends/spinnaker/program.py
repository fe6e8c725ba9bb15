"""The Program: a folder that says everything about one run.

``program.json`` has the plan, ``arrays.npz`` its numbers, ``spynnaker.cfg`` the settings of the tools.  The runner
needs nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.chips.spinnaker_machine import INCOMING_SPIKES
from neurodeploy.hardware import SpinnakerHardware

FORMAT = 1

REPORTS = "reports"
"""Folder, inside the Program's, that sPyNNaker writes its reports to."""


@dataclass
class Program:
    """A lowered Network.

    Attributes
    ----------
    plan : dict
        Populations, projections and recordings; where a value is an array, the name of the array.
    arrays : dict of str to ndarray
    timeline : list of (step, population, ndarray)
        Where a population's ``i_offset`` changes while the model runs, and to what, by step.
    changes : list of str
        What was rounded or done otherwise, one sentence each.
    """

    plan: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    timeline: list[tuple[int, int, np.ndarray]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def write(self, folder: Path, hardware: SpinnakerHardware, address: str | None) -> None:
        """Write the Program into `folder`, for the machine at `address`."""
        (folder / "program.json").write_text(json.dumps(self.plan, indent=1) + "\n", encoding="utf-8")
        np.savez(folder / "arrays.npz", **self.arrays)  # type: ignore[arg-type]
        settings = configuration(hardware, address, folder)
        (folder / "spynnaker.cfg").write_text(settings, encoding="utf-8")
        (folder / "home").mkdir()
        (folder / "home" / ".spynnaker.cfg").write_text(settings, encoding="utf-8")


def configuration(hardware: SpinnakerHardware, address: str | None, folder: Path) -> str:
    """sPyNNaker's settings file for this machine: reports complete, and all of them below `folder`."""
    machine: dict[str, Any] = {}
    if hardware.machine == "virtual":
        machine |= {"version": hardware.version, "virtual_board": True}
    elif hardware.machine == "spalloc":
        machine |= {"version": hardware.version, "spalloc_server": hardware.server}
        machine |= {"spalloc_user": hardware.user} if hardware.user else {}
    else:
        # That literal address makes sPyNNaker's own transceiver a virtual one.
        name = "localhost" if address == "127.0.0.1" else address
        machine |= {"version": hardware.version, "machine_name": name}
    machine |= {
        "enable_advanced_monitor_support": hardware.advanced_monitors,
        "enable_reinjection": hardware.reinjection,
        "post_simulation_overrun_before_error": hardware.wait_seconds,
    }
    sections = {
        "Machine": machine,
        "Simulation": {
            "spikes_per_second": f"{hardware.spikes_per_second:g}",
            "ring_buffer_sigma": f"{hardware.ring_buffer_sigma:g}",
            "incoming_spike_buffer_size": hardware.incoming_spike_buffer or INCOMING_SPIKES,
        },
        "Mapping": {} if hardware.compress_on_chip else {"compressor": "PairCompressor"},
        "Reports": {
            "default_report_file_path": folder,
            "extract_iobuf": False,
            "write_provenance": True,
            "read_router_provenance_data": True,
            "read_graph_provenance_data": True,
            "read_placements_provenance_data": True,
            "keep_data_database": True,
            "keep_stack_trace": True,
        },
    }
    lines = []
    for section, entries in sections.items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    return "\n".join(lines)
