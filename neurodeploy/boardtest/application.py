"""``neurodeploy test-board``: from options to a report of what a board does and does not.

Tests run one after the other on one board.  A trial that breaks fails its test, and the next one goes on; a board that
falls silent ends the whole, and what had not been run says so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy import hardware as machines
from neurodeploy.backends.spinnaker import DEFAULT_HARDWARE
from neurodeploy.backends.spinnaker.failures import SilentMachineError
from neurodeploy.backends.spinnaker.session import BOARD_LOG
from neurodeploy.boardtest.bench import Bench
from neurodeploy.boardtest.suites import TESTS, choose
from neurodeploy.boardtest.trial import (
    FAIL,
    NOT_RUN,
    PASS,
    BoardTest,
    Broken,
    Check,
    Entry,
    Judgement,
    Measured,
    Result,
)
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.recording import command_line, default_folder, provenance, run_directory

if TYPE_CHECKING:
    from neurodeploy.report.board import BoardReport

Progress = Callable[[str, int, int], None]

NO_KNEE = (
    "Overload is not modelled on the emulated board: its cores have unlimited speed inside a step, and its links lose nothing."
    " So no knee can show here. The ladder was climbed to its top, {top}, and shows that the numbers stay right under load."
)


def perform(test: BoardTest, bench: Bench, progress: Progress | None = None) -> Entry:
    """Run all trials of `test`, and judge them.

    Raises
    ------
    SilentMachineError
        The board does not answer.
    ToolchainMissingError
        What drives it is not installed.
    """
    began = time.perf_counter()
    trials, results = list(test.trials()), list[Result]()
    for number, trial in enumerate(trials):
        if progress:
            progress(test.name, number, len(trials))
        try:
            result: Result = bench.run(trial)
        except (SilentMachineError, ToolchainMissingError):
            raise
        except RunError as error:
            result = Broken(trial, str(error))
        results.append(result)
        if test.climbs and (isinstance(result, Broken) or (isinstance(result, Measured) and result.losses)):
            break
    if progress:
        progress(test.name, len(trials), len(trials))
    broken = [Check(one.trial.name, "a run", one.reason, FAIL) for one in results if isinstance(one, Broken)]
    judgement = Judgement(broken) if broken and not test.climbs else test.judge(results)
    return Entry(
        test,
        judgement.verdict,
        judgement,
        [_trial(result) for result in results],
        time.perf_counter() - began,
    )


def _trial(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": result.trial.name, "runs": len(result.trial.runs)}
    if not isinstance(result, Measured):
        return entry | {"reason": result.reason}
    places = [place for cores in result.places.values() for place in cores]
    return entry | {
        "seconds": result.seconds,
        "cores": len(places),
        "chips": len({(x, y) for x, y, _ in places}),
        "losses": [str(finding) for finding in result.losses],
    }


def test_board(
    hardware: str | None = None,
    host: str | None = None,
    suite: str = "functional",
    only: Sequence[str] = (),
    faults: str | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
) -> BoardReport:
    """Test a board as the command line asks, and write the report.

    Raises
    ------
    RequestError
        An option has no meaning.
    RunError
        The board never answered, or what drives it is missing.
    """
    from neurodeploy.report.board import BoardReport

    tests = choose(suite, only)
    machine = machines.load_as(machines.SpinnakerHardware, hardware or DEFAULT_HARDWARE, host, faults)
    check_machine(machine)
    keep_matplotlib_files()
    wanted = out or default_folder(f"test-board-{Path(machine.name).stem}")
    with run_directory(wanted) as folder:
        began = time.perf_counter()
        with Bench(machine, folder / BOARD_LOG) as bench:
            entries = perform_all(tests, bench, progress)
        for entry in entries:
            if entry.test.climbs and bench.facts["executed_by"] == "emulated" and entry.verdict == PASS:
                entry.judgement.note = NO_KNEE.format(top=entry.trials[-1]["name"])
        facts = provenance(
            command_line(),
            seconds=time.perf_counter() - began,
            hardware=machine.model_dump(),
            **bench.facts,
        )
        report = BoardReport(facts, entries, wanted)
        report.write(folder)
    return report


def perform_all(tests: Sequence[BoardTest], bench: Bench, progress: Progress | None) -> list[Entry]:
    """All tests, in order; those after the board has fallen silent are not run."""
    entries: list[Entry] = []
    for number, test in enumerate(tests):
        try:
            entries.append(perform(test, bench, progress))
        except SilentMachineError as error:
            if not entries:
                raise
            silent = Judgement([Check("the board", "answers", str(error), FAIL)])
            entries.append(Entry(test, FAIL, silent))
            entries += [
                Entry(later, NOT_RUN, Judgement([], note="The board had fallen silent before."))
                for later in tests[number + 1 :]
            ]
            break
    return entries


def check_machine(machine: SpinnakerHardware) -> None:
    """Raise where nothing can be run on `machine`, or its address is nobody's."""
    if machine.machine == "virtual":
        raise RequestError(
            f"Hardware '{machine.name}' is a virtual machine: it executes nothing, so there is nothing to test",
            fix="use spinnaker-emulated, spin3, spin5 or spalloc",
        )
    if machine.host is None or machine.machine == "spalloc":
        return
    try:
        socket.getaddrinfo(machine.host, None)
    except OSError as error:
        raise RunError(
            f"--host {machine.host}: there is no machine of that name ({error.strerror or error})",
            why="a board is reached over the network by its name or address",
            fix="check the spelling, or give the address in numbers",
        ) from error


@dataclass
class TestList:
    """What ``--list`` shows."""

    __test__ = False

    data: list[dict[str, str]]

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("test", "suite", "what it proves", box=box.SIMPLE, pad_edge=False)
        for entry in self.data:
            table.add_row(entry["name"], entry["suite"], escape(entry["subject"]))
        return [table]


def list_tests() -> TestList:
    """Every test there is."""
    return TestList([{"name": test.name, "suite": test.suite, "subject": test.subject} for test in TESTS])
