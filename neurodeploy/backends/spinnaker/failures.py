"""What went wrong, in the user's words: sPyNNaker's exceptions and the states of the cores, read into one message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.backends.spinnaker.provenance import subject_of
from neurodeploy.errors import RunError
from neurodeploy.hardware import SpinnakerHardware

STOPPED_CORE = re.compile(r"ERROR: (\d+):(\d+):(\d+)[^\n]* in state (\w+)(?::(\w+))?")
"""How sPyNNaker's log names a core that is not in the state it ought to be in."""

STATES = {
    "RUN_TIME_EXCEPTION": "ended with a run-time error",
    "WATCHDOG": "gave no sign of life",
    "RUNNING": "had not finished",
    "FINISHED": "ended too early",
    "IDLE": "runs nothing",
    "DEAD": "is dead",
}

ERRORS = {
    "SWERR": "its program found a fault and stopped",
    "DABT": "it read or wrote where there is no memory",
    "PABT": "it ran out of its program",
    "UNDEF": "it met an instruction that there is not",
    "MALLOC": "it had no memory left",
    "DIVBY0": "it divided by zero",
    "API": "the system software refused a request",
}


@dataclass(frozen=True)
class Situation:
    """What is known beside the exception.

    Attributes
    ----------
    doing : str
    labels : list of str
        The user's labels of the populations.
    hardware : SpinnakerHardware
    address : str or None
        Where the machine was looked for.
    cores : dict of (x, y, core) to str
        Names of what was placed where.
    log : str
        The tools' log.
    """

    doing: str
    labels: list[str]
    hardware: SpinnakerHardware
    address: str | None
    cores: dict[tuple[int, int, int], str]
    log: str


def explained(message: str, situation: Situation) -> RunError:
    """The error behind `message`, which is the class and the text of sPyNNaker's exception."""
    for pattern, explain in CAUSES:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return explain(found, situation)
    return RunError(
        f"sPyNNaker could not {situation.doing}: {_first_lines(message)}",
        fix="read the log; it ends with what the tools and the cores have said",
    )


def _stopped(_: re.Match[str], situation: Situation) -> RunError:
    states = {
        tuple(map(int, found.groups()[:3])): found.groups()[3:]
        for found in STOPPED_CORE.finditer(situation.log)
    }
    lines = []
    for (x, y, core), (state, error) in sorted(states.items()):
        if state == "IDLE" and len(states) > 1:
            continue
        name = situation.cores.get((x, y, core), "")
        who = subject_of(name, situation.labels, x, y, core) if name else "A core"
        how = STATES.get(state, f"is in state {state}")
        reason = f": {ERRORS.get(error, error)}" if error else ""
        lines.append(f"  {who}: core {x}, {y}, {core} {how}{reason}")
    late = any(state == "RUNNING" for state, _ in states.values()) or not states
    if late:
        limit = situation.hardware.wait_seconds
        return RunError(
            "\n".join([f"The machine had not finished {limit} s after the model's time was over", *lines]),
            why="the cores need longer for a tick than the tick lasts, or the emulated board is slow",
            fix="raise wait_seconds or time_scale_factor in a hardware file of your own",
        )
    return RunError(
        "\n".join(["The machine stopped before the run was over:", *lines]),
        why="what such a core would have sent is missing, so the results are not the model's",
        fix="run it again; where it happens again on the same core, have the board tested (neurodeploy test-board)",
    )


def _silent(_: re.Match[str], situation: Situation) -> RunError:
    return RunError(
        f"The machine{_at(situation)} stopped answering when sPyNNaker was to {situation.doing}",
        why="every request was repeated ten times, a second apart",
        fix="see that the board has power and the network reaches it, and run again",
    )


def _absent(_: re.Match[str], situation: Situation) -> RunError:
    return RunError(
        f"No SpiNNaker board answers{_at(situation)}",
        why="neither the running system nor the boot software has replied",
        fix="check the address and the power of the board (--host ADDRESS, or the hardware file)",
    )


def _no_room(found: re.Match[str], situation: Situation) -> RunError:
    who = subject_of(found[1], situation.labels, 0, 0, 0) if found[1][0] == "n" else found[1]
    return RunError(
        f"The model does not fit on the machine: there is no room left for {who}",
        why="its cores and memory, or those of the chips that it must share with its neighbours, are taken",
        fix="use a larger machine (version: 5 in a hardware file has 48 chips), or a smaller model",
    )


def _no_memory(_: re.Match[str], situation: Situation) -> RunError:
    return RunError(
        f"A chip of the machine ran out of memory when sPyNNaker was to {situation.doing}",
        why="synapses and recordings of all populations on a chip share its SDRAM",
        fix="record less or in shorter runs, use a larger machine, or fewer neurons_per_core",
    )


def _unusable(found: re.Match[str], situation: Situation) -> RunError:
    return RunError(
        f"The machine{_at(situation)} can't be used as it is: {found[1]}",
        why="too many of its chips, cores or links are broken, or something else is running on it",
        fix="reset the board, see that nobody else uses it, or take another one",
    )


def _at(situation: Situation) -> str:
    return f" at {situation.address}" if situation.address else ""


def _first_lines(message: str) -> str:
    lines = [line for line in message.strip().splitlines() if "Stack trace" not in line]
    return "\n".join(lines[:6])


Explain = Callable[[re.Match[str], Situation], RunError]

CAUSES: tuple[tuple[str, Explain], ...] = (
    (r"CoresNotInState", _stopped),
    (r"PacmanPlaceException.*?start with for (\S+)", _no_room),
    (r"(?:MallocError|SDRAM Allocation|MemoryMapInvalid|AllocError|CMD_ALLOC\b(?!.*timed out))", _no_memory),
    (r"(unreachable incoming chips|too few cores found)", _unusable),
    (r"boot failed|BootException", _absent),
    (r"TimeoutException|timed out", _silent),
)
"""What sPyNNaker's message matches -> how it is explained; the first that fits."""


def read_log(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
