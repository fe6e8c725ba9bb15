"""A core's DMA controller: transfers are complete when the write that starts them ends, and cost time."""

from __future__ import annotations

import ctypes

from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.chips.spinnaker_map import (
    DMA_ABORT,
    DMA_BYTES_PER_CYCLE,
    DMA_CLEAR_DONE,
    DMA_CONTROL,
    DMA_CORE_SHIFT,
    DMA_DESCRIPTOR,
    DMA_DONE,
    DMA_DONE_INTERRUPTS,
    DMA_GLOBAL,
    DMA_LENGTH,
    DMA_SETUP_CYCLES,
    DMA_STATUS,
    DMA_SYSTEM,
    DMA_TCM,
    DMA_TO_SYSTEM,
    DTCM_BASE,
    ITCM_BASE,
    SDRAM_BASE,
    SDRAM_UNBUFFERED,
    SYSTEM_RAM_BASE,
    SYSTEM_RAM_UNBUFFERED,
)

REGISTERS = 128


class Dma:
    """See the module.

    Attributes
    ----------
    done : int
        Transfers whose end the core has not cleared.
    failed : bool
        A transfer led outside the memories.
    """

    def __init__(self, physical: int, sdram: Memory, system_ram: Memory, itcm: Memory, dtcm: Memory) -> None:
        self.physical = physical
        self.system = (
            (SDRAM_BASE, sdram),
            (SDRAM_UNBUFFERED, sdram),
            (SYSTEM_RAM_BASE, system_ram),
            (SYSTEM_RAM_UNBUFFERED, system_ram),
        )
        self.local = ((ITCM_BASE, itcm), (DTCM_BASE, dtcm))
        self.registers = [0] * REGISTERS
        self.done = 0
        self.failed = False

    @property
    def line(self) -> bool:
        return self.done > 0 and bool(self.registers[DMA_GLOBAL // 4] & DMA_DONE_INTERRUPTS)

    def read(self, offset: int) -> int:
        if offset == DMA_STATUS:
            return self.physical << DMA_CORE_SHIFT | (DMA_DONE if self.done else 0)
        return self.registers[offset // 4] if offset // 4 < REGISTERS else 0

    def write(self, offset: int, value: int) -> int:
        """A write to a register; gives the cycles it takes."""
        if offset == DMA_DESCRIPTOR:
            return self._transfer(value)
        if offset == DMA_CONTROL:
            if value & DMA_ABORT:
                self.done = 0
            elif value & DMA_CLEAR_DONE:
                self.done = max(0, self.done - 1)
        elif offset // 4 < REGISTERS:
            self.registers[offset // 4] = value
        return 0

    def _transfer(self, descriptor: int) -> int:
        length = descriptor & DMA_LENGTH
        system = _find(self.system, self.registers[DMA_SYSTEM // 4], length)
        local = _find(self.local, self.registers[DMA_TCM // 4], length)
        if not system or not local:
            self.failed = True
            return 0
        if descriptor & DMA_TO_SYSTEM:
            ctypes.memmove(system, local, length)
        else:
            ctypes.memmove(local, system, length)
        self.done += 1
        return DMA_SETUP_CYCLES + length // DMA_BYTES_PER_CYCLE


def _find(memories: tuple[tuple[int, Memory], ...], address: int, length: int) -> int:
    """Where `length` bytes at `address` lie in this process, or 0."""
    for base, memory in memories:
        if base <= address and address + length <= base + memory.size:
            return memory.address + address - base
    return 0
