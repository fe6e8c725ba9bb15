"""Processor time of running processes, to the microsecond (Linux): what a loaded machine does not change much."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter


def family(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    parent_of = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        parent_of[int(folder.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parent_of.items() if parent == one]
    return found


def processor_seconds(pids: list[int]) -> float:
    """What all threads of these processes have run so far."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Stopwatch:
    """Seconds of the wall and of processors that a block takes in process `pid` and those it started."""

    def __init__(self, pid: int) -> None:
        self.pids = family(pid)

    def __enter__(self) -> Stopwatch:
        self.started, self.used = perf_counter(), processor_seconds(self.pids)
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = perf_counter() - self.started, processor_seconds(self.pids) - self.used
