"""What the machine says about a run: everything late, lost or saturated, by the user's own labels.

sPyNNaker keeps the counters of every core and router in a database beside its reports, and goes on whatever they
say.  Here they are findings, and a run with findings fails unless the user allows it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.errors import RunError

DATABASES = "data*.sqlite3"

CORE_COUNTERS = {
    "Times_the_input_buffer_lost_packets": "spikes lost because the buffer of incoming spikes was full",
    "Number_of_late_spikes": "spikes that came too late for their tick",
    "Late spikes": "spikes that came too late for their tick",
    "Late_packets": "packets that came too late for their tick",
    "Times_synaptic_weights_have_saturated": "times the summed input of a tick saturated",
    "Times_plastic_synaptic_weights_have_saturated": "times the summed plastic input of a tick saturated",
    "Skipped synapses": "synapses skipped",
    "Invalid Master Pop hits": "spikes whose synapses were not found",
    "N bit fields not able to be read into DTCM": "bit fields that could not be read",
    "Times_the_background_queue_overloaded": "times the background queue overflowed",
    "Times_the_callback_queue_was_overloaded": "times the callback queue overflowed",
    "Times_the_dma_queue_was_overloaded": "times the queue of memory transfers overflowed",
    "Times_the_user_queue_was_overloaded": "times the user queue overflowed",
    "Times_the_transmission_of_spikes_overran": "times spikes could not be sent in time",
    "Times_the_timer_tic_over_ran": "ticks that were still being computed when the next one began",
    "Incorrect_keys": "packets with a wrong key",
    "Incorrect_packets": "packets that were malformed",
    "invalid_neuron_count": "delayed spikes of neurons that are not there",
    "invalid_key_count": "delayed spikes with a wrong key",
    "saturation_count": "delayed spikes lost because their counter was full",
    "lost_packets_without_payload": "packets lost on their way to the host",
    "lost_packets_with_payload": "packets lost on their way to the host",
}
"""Counters of a core that must be zero, and what they count."""

ROUTER_COUNTERS = {
    "Dropped_Multicast_Packets": "packets dropped",
    "Dropped_Multicast_Packets_via_local_transmission": "packets of local cores dropped for want of a route",
    "Dropped_P2P_Packets": "point-to-point packets dropped",
    "Dropped_NN_Packets": "nearest-neighbour packets dropped",
    "Dropped_FR_Packets": "fixed-route packets dropped",
    "Missed_For_Reinjection": "dropped packets that could not be sent again",
    "Reinjection_Overflows": "dropped packets that found no room to be sent again",
    "Error status": "the error register is",
}
"""Counters of a router, while the model ran, that must be zero."""

PHASE = "Run"
"""Prefix of the router counters read after a run; others are of loading and reading out."""

REINJECTED = "Reinjected"
"""Router counter of dropped packets that were sent again: those are not lost."""


@dataclass(frozen=True)
class Finding:
    """One thing that was late or lost.

    Attributes
    ----------
    subject : str
        ``"Population 'label'"`` or ``"Router of chip (x, y)"``.
    count : int
    what : str
    """

    subject: str
    count: int
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}: {self.count:,}"


def read(reports: Path, labels: list[str]) -> list[Finding]:
    """Everything late, lost or saturated in the databases below `reports`.

    Parameters
    ----------
    reports : Path
    labels : list of str
        The user's labels of the populations, by position.

    Raises
    ------
    RunError
        There is no database, or it can't be read: without it nobody knows whether something was lost.
    """
    databases = sorted(reports.rglob(DATABASES))
    if not databases:
        raise RunError(
            f"sPyNNaker has left no database of counters in {reports}",
            why="without it nobody can tell whether spikes were late or lost",
            fix="run it again, or allow losses with --allow-losses",
        )
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for database in databases:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                _add_cores(connection, labels, totals)
                _add_routers(connection, totals)
        except sqlite3.Error as error:
            raise RunError(
                f"The database of counters {database} can't be read: {error}",
                why="without it nobody can tell whether spikes were late or lost",
                fix="run it again, or allow losses with --allow-losses",
            ) from error
    return [Finding(subject, count, what) for (subject, what), count in sorted(totals.items())]


def _add_cores(connection: sqlite3.Connection, labels: list[str], totals: dict[tuple[str, str], int]) -> None:
    rows = connection.execute(
        "SELECT core_name, x, y, p, description, MAX(the_value) FROM core_provenance_view"
        " GROUP BY x, y, p, description"
    )
    worst: dict[tuple[str, str, tuple[int, int, int]], int] = {}
    for name, x, y, core, description, value in rows:
        if description in CORE_COUNTERS and value:
            subject = subject_of(str(name), labels) or f"Core ({x}, {y}, {core}), {name}"
            key = (subject, CORE_COUNTERS[description], (x, y, core))
            worst[key] = max(worst.get(key, 0), int(value))
    for (subject, what, _), value in worst.items():
        totals[subject, what] += value


def _add_routers(connection: sqlite3.Connection, totals: dict[tuple[str, str], int]) -> None:
    counters: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for x, y, description, value in connection.execute(
        "SELECT x, y, description, MAX(the_value) FROM router_provenance GROUP BY x, y, description"
    ):
        if str(description).startswith(PHASE):
            counters[x, y][str(description)[len(PHASE) :]] = int(value)
    for (x, y), chip in counters.items():
        for description, what in ROUTER_COUNTERS.items():
            value = chip.get(description, 0)
            if description == "Dropped_Multicast_Packets":
                value = max(0, value - chip.get(REINJECTED, 0))
            if value:
                totals[f"Router of chip ({x}, {y})", what] += value


def native_name(position: int, label: str) -> str:
    """The name that population or projection number `position` bears in sPyNNaker: plain letters, and its number."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in label)
    return f"n{position}_{plain}"


EXTENSION = "Delay extension for "
"""What the tools put before the name of a population whose delays a core keeps."""


def subject_of(name: str, labels: list[str]) -> str:
    """Whose population the core or vertex called `name` belongs to, in the user's words; empty where it is nobody's."""
    own = name.removeprefix(EXTENSION)
    number = own[1:].split("_")[0]
    if own.startswith("n") and number.isdigit() and int(number) < len(labels):
        delays = own != name or "delay" in own.removeprefix(native_name(int(number), labels[int(number)]))
        return f"Population '{labels[int(number)]}'" + (", its delays" if delays else "")
    return ""
