"""What went wrong, in the user's words: sPyNNaker's exceptions and the states of the cores, read into one message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.backends.spinnaker.provenance import subject_of
from neurodeploy.chips.spinnaker_map import DTCM_SIZE
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


OUT_OF_MEMORY = re.compile(r"ERROR: (\d+), (\d+), (\d+): [^\n]*failed to allocate memory", re.IGNORECASE)
"""How the programs say, in sPyNNaker's log, that their core's memory is too small."""


class NoRoomError(RunError):
    """The model was not taken: there is no room for it on the machine, its chips, or a core."""


class SilentMachineError(RunError):
    """The machine does not answer, or no longer."""


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
    if STOPPED in message:
        return _stopped(situation)
    for cause in CAUSES:
        found = re.search(cause.pattern, message, re.DOTALL)
        if found:
            named = (found.groups() or ("",))[0]
            what = cause.what.format(
                machine="The machine" + (f" at {situation.address}" if situation.address else ""),
                at=f" at {situation.address}" if situation.address else "",
                doing=situation.doing,
                found=named,
                subject=subject_of(named, situation.labels) or named,
            )
            return cause.error(what, why=cause.why, fix=cause.fix)
    return RunError(
        f"sPyNNaker could not {situation.doing}: {_first_lines(message)}",
        fix="read the log; it ends with what the tools and the cores have said",
    )


def _stopped(situation: Situation) -> RunError:
    """What became of the cores that did not reach the state they ought to."""
    states = {
        tuple(map(int, found.groups()[:3])): found.groups()[3:]
        for found in STOPPED_CORE.finditer(situation.log)
    }
    full = {tuple(map(int, found.groups())) for found in OUT_OF_MEMORY.finditer(situation.log)}
    lines, starved = [], True
    for (x, y, core), (state, error) in sorted(states.items()):
        if state == "IDLE" and len(states) > 1:
            continue
        name = situation.cores.get((x, y, core), "")
        who = subject_of(name, situation.labels) or name or "A core"
        if (x, y, core) in full:
            lines.append(f"  {who}: core {x}, {y}, {core} has no memory left for it")
            continue
        starved = False
        how = STATES.get(state, f"is in state {state}")
        reason = f": {ERRORS.get(error, error)}" if error else ""
        lines.append(f"  {who}: core {x}, {y}, {core} {how}{reason}")
    if lines and starved:
        return NoRoomError(
            "\n".join(["The model does not fit into the memory of a core:", *lines]),
            why=f"a core has {DTCM_SIZE >> 10} KiB for its neurons, its ring buffers and its delays",
            fix="use shorter delays, or fewer neurons on a core (neurons_per_core in a hardware file of your own)",
        )
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
        fix="run it again; where it happens again on the same core, keep that core out of use, or take another board",
    )


def _first_lines(message: str) -> str:
    lines = [line for line in message.strip().splitlines() if "Stack trace" not in line]
    return "\n".join(lines[:6])


@dataclass(frozen=True)
class Cause:
    """What sPyNNaker's message matches, and how it is told: ``{machine}``, ``{at}``, ``{doing}``, ``{found}``, ``{subject}``.

    `error` is the class it is told as.
    """

    pattern: str
    what: str
    why: str
    fix: str
    error: type[RunError] = RunError


STOPPED = "CoresNotInState"
"""In the name of sPyNNaker's exception where cores are not as they ought to be."""

CAUSES = (
    Cause(
        r"PacmanPlaceException.*?start with for (\S+)",
        "The model does not fit on the machine: there is no room left for {subject}",
        "its cores and memory, or those of the chips that it must share with its neighbours, are taken",
        "use a larger machine (version: 5 in a hardware file has 48 chips), or a smaller model",
        NoRoomError,
    ),
    Cause(
        r"(?:MallocError|SDRAM Allocation|MemoryMapInvalid|AllocError|CMD_ALLOC\b(?!.*timed out))",
        "A chip of the machine ran out of memory when sPyNNaker was to {doing}",
        "synapses and recordings of all populations on a chip share its SDRAM",
        "record less or in shorter runs, use a larger machine, or fewer neurons_per_core",
        NoRoomError,
    ),
    Cause(
        r"(unreachable incoming chips|too few cores found)",
        "{machine} can't be used as it is: {found}",
        "too many of its chips, cores or links are broken, or something else is running on it",
        "reset the board, see that nobody else uses it, or take another one",
    ),
    Cause(
        r"boot failed|BootException",
        "No SpiNNaker board answers{at}",
        "neither the running system nor the boot software has replied",
        "check the address and the power of the board (--host ADDRESS, or the hardware file)",
        SilentMachineError,
    ),
    Cause(
        r"TimeoutException|timed out",
        "{machine} stopped answering when sPyNNaker was to {doing}",
        "every request was repeated, a second apart, and nothing came back",
        "see that the board has power and the network reaches it, and run again",
        SilentMachineError,
    ),
)
"""In order: the first that fits."""


def read_log(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
