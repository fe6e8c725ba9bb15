"""Late, lost and saturated things are found in the tools' database and told by the user's labels."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from neurodeploy.backends.spinnaker.provenance import native_name, read
from neurodeploy.errors import RunError

LABELS = ["first", "S1cue→ 2"]


def database(folder: Path, cores=(), routers=()) -> Path:
    path = folder / "reports" / "run_1" / "data.sqlite3"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE core_provenance_view (core_name, x, y, p, description, the_value)")
        connection.execute("CREATE TABLE router_provenance (x, y, description, the_value)")
        connection.executemany("INSERT INTO core_provenance_view VALUES (?, 0, 0, ?, ?, ?)", cores)
        connection.executemany("INSERT INTO router_provenance VALUES (0, 1, ?, ?)", routers)
    connection.close()
    return folder / "reports"


def found(folder: Path) -> list[str]:
    return [str(finding) for finding in read(folder, LABELS)]


def test_nothing_lost(tmp_path: Path) -> None:
    cores = [
        ("n0_first(0:4)", 3, "Times_the_input_buffer_lost_packets", 0),
        ("n0_first(0:4)", 3, "Total_pre_synaptic_events", 9),
    ]
    assert (
        found(database(tmp_path, cores, [("RunLocal_Multicast_Packets", 8), ("LoadDropped_NN_Packets", 2)]))
        == []
    )


def test_losses_bear_the_users_labels(tmp_path: Path) -> None:
    name = native_name(1, LABELS[1])
    cores = [
        (f"{name}(0:4)", 3, "Times_the_input_buffer_lost_packets", 2),
        (f"{name}(5:9)", 4, "Times_the_input_buffer_lost_packets", 3),
        (f"{name}(0:4)", 3, "Number_of_late_spikes", 7),
        (f"{name}(0:4)", 3, "Late spikes", 7),
        ("other", 5, "Times_the_timer_tic_over_ran", 1),
    ]
    told = found(database(tmp_path, cores))
    assert "Population 'S1cue→ 2': spikes lost because the buffer of incoming spikes was full: 5" in told
    assert "Population 'S1cue→ 2': spikes that came too late for their tick: 7" in told
    assert "Core (0, 0, 5), other: ticks that were still being computed when the next one began: 1" in told
    assert len(told) == 3


def test_delay_cores_are_told_apart(tmp_path: Path) -> None:
    told = found(database(tmp_path, [(f"{native_name(0, 'first')}_delayed(0:4)", 3, "saturation_count", 1)]))
    assert told == ["Population 'first', its delays: delayed spikes lost because their counter was full: 1"]


def test_packets_that_were_sent_again_are_not_lost(tmp_path: Path) -> None:
    routers = [("RunDropped_Multicast_Packets", 5), ("RunReinjected", 5)]
    assert found(database(tmp_path, routers=routers)) == []


def test_dropped_packets(tmp_path: Path) -> None:
    told = found(database(tmp_path, routers=[("RunDropped_Multicast_Packets", 5), ("RunReinjected", 2)]))
    assert told == ["Router of chip (0, 1): packets dropped: 3"]


def test_without_a_database_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no database"):
        read(tmp_path, LABELS)
    (tmp_path / "data.sqlite3").write_text("nonsense" * 100)
    with pytest.raises(RunError, match="can't be read"):
        read(tmp_path, LABELS)
