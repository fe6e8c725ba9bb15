"""What executes the cores: the promise that the Python engine and the native one both keep, to the byte.

Time is counted in cycles of the clock and advances from event to event.  At one instant, cores that have something to do
run in *rounds*, in the order of their numbers, each until it sleeps; what they send is delivered when the round is over,
and begins another.  A core has unlimited speed within an instant, but polling a timer and moving memory take time, and a
core that has run ahead of the others by more than a quantum lets them go first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from neurodeploy.backends.spinnaker.board.aplx import Image
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.system_ram import ERROR_PREFETCH, ERROR_SOFTWARE, ERROR_UNDEFINED
from neurodeploy.chips.spinnaker_map import CORES_PER_CHIP

SLICE_SECONDS = 60.0
"""Wall-clock time after which a core that neither sleeps nor polls is taken for hung, as the chip's watchdog would."""


@dataclass(frozen=True)
class ChipMemories:
    """What the cores of one chip share."""

    sdram: Memory
    system_ram: Memory
    router: Memory
    controller: Memory


@dataclass(frozen=True)
class Path:
    """Where a packet goes.

    Attributes
    ----------
    cores : tuple of int
        Numbers of the cores that get it.
    counters : tuple of (Memory, offset)
        Router counters that each such packet adds one to.
    """

    cores: tuple[int, ...]
    counters: tuple[tuple[Memory, int], ...]


@dataclass(frozen=True)
class Failure:
    """A core stopped by a fault of its program.

    Attributes
    ----------
    core : int
    error : int
        Code of the run-time error.
    registers : tuple of int
        r0 to r7.
    status, stack, link, counter : int
        CPSR, sp, lr and pc.
    """

    core: int
    error: int
    registers: tuple[int, ...] = (0,) * 8
    status: int = 0
    stack: int = 0
    link: int = 0
    counter: int = 0


@dataclass(frozen=True)
class Services:
    """What an engine asks of the board around it.

    Attributes
    ----------
    monitor : callable(chip)
        A core of that chip has interrupted its monitor.
    path : callable(chip, key, fixed) -> Path
    failed : callable(Failure)
    router_written : callable(chip, offset, value)
    """

    monitor: Callable[[int], None]
    path: Callable[[int, int, bool], Path]
    failed: Callable[[Failure], None]
    router_written: Callable[[int, int, int], None]


ERRORS = {
    8: ERROR_PREFETCH,  # UC_ERR_FETCH_UNMAPPED
    10: ERROR_UNDEFINED,  # UC_ERR_INSN_INVALID
    14: ERROR_PREFETCH,  # UC_ERR_FETCH_PROT
    21: ERROR_SOFTWARE,  # UC_ERR_EXCEPTION
}
"""What Unicorn says, by its own numbers -> code of the run-time error; anything else is a data abort."""


class Engine(Protocol):
    """See the module.  A core's number is its chip's number times 18 plus its virtual number."""

    name: str

    @property
    def now(self) -> int:
        """The present instant, cycles."""

    def start(self, core: int, physical: int, image: Image, register0: int) -> None:
        """Start a program on a core, which is running nothing."""

    def stop(self, core: int) -> None:
        """Stop it, whatever it does; a core that runs nothing is left alone."""

    def interrupt(self, core: int) -> None:
        """The monitor raises the core's CPU interrupt."""

    def forget_paths(self) -> None:
        """Routing tables have changed."""

    def advance(self, whole_piece: bool = True) -> bool:
        """Run a round, or `whole_piece`, as many as take little time and ask nothing of the board around.

        False where every core sleeps and no timer is set.
        """

    def ticks(self, core: int) -> int:
        """How often the core's first timer has interrupted since the program began."""

    def totals(self) -> dict[str, int]:
        """Rounds and packets so far."""

    def close(self) -> None:
        """Free what it holds."""


def core_number(chip: int, virtual: int) -> int:
    return chip * CORES_PER_CHIP + virtual
