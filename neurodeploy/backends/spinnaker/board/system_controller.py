"""A chip's system controller: flags and semaphores that its cores share, and the line from core to core."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.chips.spinnaker_map import (
    CHIP_ID,
    CONTROLLER_CLEAR_INTERRUPT,
    CONTROLLER_CODE,
    CONTROLLER_CODE_SHIFT,
    CONTROLLER_FLAGS_CLEAR,
    CONTROLLER_FLAGS_SET,
    CONTROLLER_ID,
    CONTROLLER_RELEASE,
    CONTROLLER_SEMAPHORES,
    CONTROLLER_SET_INTERRUPT,
    CONTROLLER_TEST_AND_SET,
    CORES_PER_CHIP,
)

FLAGS, SEMAPHORES, SIZE = 0, 4, 8
"""Where the two words lie in the memory that all engines share."""


def read(shared: Memory, offset: int) -> int:
    """A read by a core; a semaphore is taken by it, or let go."""
    if CONTROLLER_TEST_AND_SET <= offset < CONTROLLER_TEST_AND_SET + 4 * CONTROLLER_SEMAPHORES:
        bit = 1 << (offset - CONTROLLER_TEST_AND_SET) // 4
        taken = shared.word(SEMAPHORES)
        shared.set_word(SEMAPHORES, taken | bit)
        return 1 << 31 if taken & bit else 0
    if CONTROLLER_RELEASE <= offset < CONTROLLER_RELEASE + 4 * CONTROLLER_SEMAPHORES:
        bit = 1 << (offset - CONTROLLER_RELEASE) // 4
        shared.set_word(SEMAPHORES, shared.word(SEMAPHORES) & ~bit)
        return 0
    return {CONTROLLER_FLAGS_SET: shared.word(FLAGS), CONTROLLER_ID: CHIP_ID}.get(offset, 0)


def write(shared: Memory, offset: int, value: int, interrupt: Callable[[int, bool], None]) -> None:
    """A write by a core; `interrupt(physical, on)` drives the line of another core, 0 being the monitor's."""
    if offset in (CONTROLLER_SET_INTERRUPT, CONTROLLER_CLEAR_INTERRUPT):
        if value >> CONTROLLER_CODE_SHIFT == CONTROLLER_CODE:
            for physical in range(CORES_PER_CHIP):
                if value >> physical & 1:
                    interrupt(physical, offset == CONTROLLER_SET_INTERRUPT)
    elif offset == CONTROLLER_FLAGS_SET:
        shared.set_word(FLAGS, shared.word(FLAGS) | value)
    elif offset == CONTROLLER_FLAGS_CLEAR:
        shared.set_word(FLAGS, shared.word(FLAGS) & ~value)
