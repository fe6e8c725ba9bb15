"""An application core in Python: an ARM968 on Unicorn, and its devices.

Unicorn has no interrupt input: a handler is entered by writing the core's registers, and returns to a trampoline, where
it sleeps and so gives control back.  Masked interrupts are looked for again after each instruction that may unmask them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import unicorn
from unicorn import arm_const as arm

from neurodeploy.backends.spinnaker.board import system_controller
from neurodeploy.backends.spinnaker.board.aplx import Image
from neurodeploy.backends.spinnaker.board.comms import Comms
from neurodeploy.backends.spinnaker.board.dma import Dma
from neurodeploy.backends.spinnaker.board.engine import ERRORS, ChipMemories, Failure
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.system_ram import ERROR_DATA
from neurodeploy.backends.spinnaker.board.timers import NEVER, Timer
from neurodeploy.backends.spinnaker.board.vic import FIQ, IRQ, Vic
from neurodeploy.chips import spinnaker_map as chip

if TYPE_CHECKING:
    from neurodeploy.backends.spinnaker.board.python_engine import PythonEngine

ALL = unicorn.UC_PROT_ALL
DATA = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
BUS_END = 0xFFFFFFFF
ALWAYS = 1 << chip.SOURCE_TX_EMPTY | 1 << chip.SOURCE_TX_NOT_FULL


def unmasking(words: tuple[int, ...]) -> list[int]:
    """Positions, among the instructions `words`, of those that write the interrupt masks and may clear one."""
    found = []
    for position, word in enumerate(words[:-1]):
        register = word & 0x0FF1FFF0 == 0x0121F000
        immediate = word & 0x0FF1F000 == 0x0321F000
        masks = chip.CPSR_NO_IRQ | chip.CPSR_NO_FIQ
        if register or (immediate and (word & 0xF00 or word & masks != masks)):
            found.append(position)
    return found


class Core:
    """See the module.

    Attributes
    ----------
    local : int
        The core's own time: the instant, and what it has spent since.
    resume : int
        When it goes on after letting others go first.
    """

    def __init__(
        self,
        engine: PythonEngine,
        number: int,
        physical: int,
        shared: ChipMemories,
        image: Image,
        register0: int,
    ) -> None:
        self.engine, self.number, self.physical, self.shared = engine, number, physical, shared
        self.chip = number // chip.CORES_PER_CHIP
        self.itcm, self.dtcm = Memory(chip.ITCM_SIZE), Memory(chip.DTCM_SIZE)
        self.itcm.write(0, image.itcm)
        self.dtcm.write(0, image.dtcm)
        self.vic, self.timers, self.comms = Vic(), (Timer(), Timer()), Comms()
        self.dma = Dma(physical, shared.sdram, shared.system_ram, self.itcm, self.dtcm)
        self.cpu_interrupt = False
        self.alive, self.halted, self.asked, self.yielded, self.hung = True, False, False, False, False
        self.local, self.resume, self.ticks = engine.now, NEVER, 0
        self.interrupted: list[tuple[int, int]] = []
        self.counter = image.entry
        self.uc = self._machine()
        self.uc.reg_write(arm.UC_ARM_REG_CPSR, chip.MODE_SUPERVISOR | chip.CPSR_NO_IRQ | chip.CPSR_NO_FIQ)
        self.uc.reg_write(arm.UC_ARM_REG_R0, register0)

    def _machine(self) -> Any:
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM)
        uc.ctl_set_cpu_model(arm.UC_CPU_ARM_946)
        uc.mem_map_ptr(chip.ITCM_BASE, chip.ITCM_SIZE, ALL, self.itcm.address)
        uc.mem_map_ptr(chip.DTCM_BASE, chip.DTCM_SIZE, DATA, self.dtcm.address)
        for base in (chip.SDRAM_BASE, chip.SDRAM_UNBUFFERED):
            uc.mem_map_ptr(base, chip.SDRAM_SIZE, DATA, self.shared.sdram.address)
        for base in (chip.SYSTEM_RAM_BASE, chip.SYSTEM_RAM_UNBUFFERED):
            uc.mem_map_ptr(base, chip.SYSTEM_RAM_SIZE, DATA, self.shared.system_ram.address)
        for bases, size, read, write in (
            ((chip.COMMS_BASE, chip.COMMS_UNBUFFERED), chip.DEVICE_SIZE, self._comms_read, self._comms_write),
            ((chip.TIMER_BASE, chip.TIMER_UNBUFFERED), chip.DEVICE_SIZE, self._timer_read, self._timer_write),
            (
                (chip.VIC_BASE, chip.VIC_UNBUFFERED, chip.VIC_HIGH),
                chip.DEVICE_SIZE,
                self._vic_read,
                self._vic_write,
            ),
            ((chip.DMA_BASE, chip.DMA_UNBUFFERED), chip.DEVICE_SIZE, self._dma_read, self._dma_write),
            (
                (chip.CONTROLLER_BASE, chip.CONTROLLER_UNBUFFERED),
                chip.DEVICE_SIZE,
                self._controller_read,
                self._controller_write,
            ),
            (
                (chip.ROUTER_BASE, chip.ROUTER_UNBUFFERED),
                chip.ROUTER_SIZE,
                self._router_read,
                self._router_write,
            ),
        ):
            for base in bases:
                uc.mmio_map(base, size, read, None, write, None)
        uc.mem_map(chip.TRAMPOLINE, chip.DEVICE_SIZE, ALL)
        uc.mem_write(chip.TRAMPOLINE, struct.pack("<I", chip.WAIT_FOR_INTERRUPT) * 2)
        for position in unmasking(struct.unpack(f"<{chip.ITCM_SIZE // 4}I", self.itcm.view)):
            after = 4 * position + 4
            uc.hook_add(unicorn.UC_HOOK_CODE, self._unmasked, None, after, after)
        return uc

    # ------------------------------------------------------------------------------ interrupts

    def lines(self) -> int:
        """Every interrupt source that is on."""
        first, second = self.timers
        return (
            self.vic.soft
            | ALWAYS
            | first.line << chip.SOURCE_TIMER1
            | second.line << chip.SOURCE_TIMER2
            | self.dma.line << chip.SOURCE_DMA_DONE
            | self.cpu_interrupt << chip.SOURCE_CPU
            | self.comms.lines
        )

    def _deliverable(self) -> int:
        pending = self.vic.pending(self.lines())
        if not pending:
            return 0
        status = self.uc.reg_read(arm.UC_ARM_REG_CPSR)
        if pending & FIQ and not status & chip.CPSR_NO_FIQ:
            return FIQ
        return IRQ if pending & IRQ and not status & chip.CPSR_NO_IRQ else 0

    def _stop_if_deliverable(self) -> None:
        if self._deliverable():
            self.asked = True
            self.uc.emu_stop()

    def _unmasked(self, *_: Any) -> None:
        self._stop_if_deliverable()

    def _take_interrupt(self) -> bool:
        kind = self._deliverable()
        if not kind:
            return False
        uc = self.uc
        status = uc.reg_read(arm.UC_ARM_REG_CPSR)
        fast = kind == FIQ
        masks = chip.CPSR_NO_IRQ | (chip.CPSR_NO_FIQ if fast else 0)
        mode = chip.MODE_FIQ if fast else chip.MODE_IRQ
        self.interrupted.append((self.counter, status))
        uc.reg_write(arm.UC_ARM_REG_CPSR, status & ~(chip.CPSR_MODE | chip.CPSR_THUMB) | masks | mode)
        uc.reg_write(arm.UC_ARM_REG_LR, chip.TRAMPOLINE + 4)
        uc.reg_write(arm.UC_ARM_REG_SPSR, status & ~chip.CPSR_THUMB)
        self.counter = chip.VECTOR_FIQ if fast else chip.VECTOR_IRQ
        return True

    # ------------------------------------------------------------------------------- execution

    @property
    def next(self) -> int:
        """When something happens to this core of itself."""
        return min(self.resume, self.timers[0].next, self.timers[1].next)

    def expire(self, now: int) -> None:
        """Let its timers interrupt where they are due."""
        self.ticks += self.timers[0].expire(now)
        self.timers[1].expire(now)

    def run(self) -> None:
        """Run until it sleeps, fails or lets others go first."""
        uc = self.uc
        self.local, self.resume = max(self.local, self.engine.now), NEVER
        while True:
            if self._take_interrupt():
                self.halted = False
            if self.halted:
                if not self.vic.pending(self.lines()):
                    return
                self.halted = False
            thumb = bool(uc.reg_read(arm.UC_ARM_REG_CPSR) & chip.CPSR_THUMB)
            try:
                uc.emu_start(self.counter | thumb, BUS_END)
            except unicorn.UcError as error:
                self.fail(ERRORS.get(error.errno, ERROR_DATA))
                return
            self.counter = uc.reg_read(arm.UC_ARM_REG_PC)
            if self.hung or self.dma.failed:
                self.fail(0 if self.hung else ERROR_DATA)
                return
            if not self.alive:
                return
            if self.yielded:
                self.yielded = self.asked = False
                self.resume = self.local
                return
            asked, self.asked = self.asked, False
            if self.counter in (chip.TRAMPOLINE, chip.TRAMPOLINE + 4):
                self._return()
            elif not asked:
                self.halted = True

    def _return(self) -> None:
        """Back from a handler: flags and mode are restored, the instruction set is not."""
        self.counter, status = self.interrupted.pop()
        if status & chip.CPSR_THUMB:
            present = self.uc.reg_read(arm.UC_ARM_REG_CPSR)
            self.uc.reg_write(arm.UC_ARM_REG_CPSR, present | chip.CPSR_THUMB)

    def fail(self, error: int) -> None:
        """End with a run-time error; 0 is the watchdog's."""
        read = self.uc.reg_read
        self.alive = False
        self.engine.failed(
            Failure(
                self.number,
                error,
                tuple(read(arm.UC_ARM_REG_R0 + number) for number in range(8)),
                read(arm.UC_ARM_REG_CPSR),
                read(arm.UC_ARM_REG_SP),
                read(arm.UC_ARM_REG_LR),
                read(arm.UC_ARM_REG_PC),
            )
        )

    # --------------------------------------------------------------------------------- devices

    def _comms_read(self, _: Any, offset: int, *__: Any) -> int:
        return self.comms.read(offset)

    def _comms_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        self.comms.write(offset, value)

    def _timer_read(self, _: Any, offset: int, *__: Any) -> int:
        timer, register = self.timers[offset // chip.TIMER_SECOND & 1], offset % chip.TIMER_SECOND
        if register == chip.TIMER_COUNT:
            self.local += chip.COUNT_READ_CYCLES
            if self.local - self.engine.now > chip.QUANTUM_CYCLES and self.engine.others_before(self):
                self.yielded = True
                self.uc.emu_stop()
        return timer.read(register, self.local)

    def _timer_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        self.timers[offset // chip.TIMER_SECOND & 1].write(offset % chip.TIMER_SECOND, value, self.local)

    def _vic_read(self, _: Any, offset: int, *__: Any) -> int:
        return self.vic.read(offset, self.lines())

    def _vic_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        self.vic.write(offset, value)
        if offset in (chip.VIC_ENABLE, chip.VIC_SOFT_SET):
            self._stop_if_deliverable()

    def _dma_read(self, _: Any, offset: int, *__: Any) -> int:
        return self.dma.read(offset)

    def _dma_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        self.local += self.dma.write(offset, value)
        if self.dma.failed:
            self.uc.emu_stop()
        elif offset == chip.DMA_DESCRIPTOR:
            self._stop_if_deliverable()

    def _controller_read(self, _: Any, offset: int, *__: Any) -> int:
        return system_controller.read(self.shared.controller, offset)

    def _controller_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        system_controller.write(self.shared.controller, offset, value, self._interrupt)

    def _interrupt(self, physical: int, on: bool) -> None:
        self.engine.interrupt_physical(self.chip, physical, on)

    def _router_read(self, _: Any, offset: int, *__: Any) -> int:
        return self.shared.router.word(offset & ~3)

    def _router_write(self, _: Any, offset: int, __: int, value: int, *___: Any) -> None:
        self.engine.services.router_written(self.chip, offset & ~3, value)
