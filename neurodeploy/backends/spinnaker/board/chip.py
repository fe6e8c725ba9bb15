"""A chip as its monitor keeps it: memories, heaps, router, the programs on its cores and the mailboxes to them.

What SCAMP does on a real chip's core 0 is done here, on the same data in the same places, since programs read it.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable

from neurodeploy.backends.spinnaker.board import aplx, system_controller
from neurodeploy.backends.spinnaker.board import system_ram as ram
from neurodeploy.backends.spinnaker.board.engine import ChipMemories, Engine, Failure, core_number
from neurodeploy.backends.spinnaker.board.heap import HEADER, Heap
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.router import ENTRY, Router
from neurodeploy.backends.spinnaker.board.system_ram import SystemRam, address_of
from neurodeploy.chips.spinnaker_map import (
    CLOCK_MHZ,
    CORES_PER_CHIP,
    MEMORY_MHZ,
    ROUTER_BASE,
    ROUTER_ENTRIES,
    ROUTER_SIZE,
    ROUTER_UNBUFFERED,
    SDRAM_BASE,
    SDRAM_SIZE,
    SDRAM_UNBUFFERED,
    SYSTEM_RAM_BASE,
    SYSTEM_RAM_UNBUFFERED,
)

IMAGE_PLACE = SDRAM_BASE + SDRAM_SIZE - (8 << 20)
"""Where the host puts an image before it is started; the last 8 MiB are the monitor's."""

CORE_BUFFERS = CORES_PER_CHIP * 32768 * 4
"""Bytes at the start of SDRAM that belong to the cores' system software."""

MONITOR_TABLES = 256 << 10
HOP_TABLE, TAG_TABLE, APPLICATION_TABLE = 65536 * 4, 65536 * 4, 256 * 8
MESSAGE_BUFFERS, MESSAGE_SIZE, IOBUF_SIZE = 7, 292, 16384
APPLICATION_RECORD = 8

STOP, SYNC0, SYNC1 = 2, 4, 5
"""Signals that the monitor itself acts on; the others go to the cores."""

COMMAND_MESSAGE, COMMAND_SIGNAL = 1, 3
"""What the mailbox command bytes say."""


class Chip:
    """See the module.

    Parameters
    ----------
    number : int
        Position among the board's chips.
    x, y : int
    working : list of int
        Physical cores that work, the monitor's first.
    """

    def __init__(self, number: int, x: int, y: int, working: list[int]) -> None:
        self.number, self.x, self.y, self.physical = number, x, y, working
        self.sdram = Memory(SDRAM_SIZE)
        self.ram = SystemRam()
        self.controller = Memory(system_controller.SIZE)
        self.router = Router(self.ram, self.sdram)
        self.engine: Engine
        self.application = [0] * CORES_PER_CHIP
        self.running: set[int] = set()
        self.mail: dict[int, deque[tuple[int, bytes | int]]] = {}
        self.said: Callable[[str], None] = lambda line: None

    @property
    def memories(self) -> ChipMemories:
        return ChipMemories(self.sdram, self.ram, self.router.registers, self.controller)

    @property
    def cores(self) -> range:
        """Virtual numbers of the cores that run applications."""
        return range(1, len(self.physical))

    # -------------------------------------------------------------------------------- start-up

    def boot(
        self, version: int, sides: tuple[int, int], links: int, ip: bytes | None, sdram: int | None
    ) -> None:
        """Bring everything into the state that a booted monitor leaves.

        Parameters
        ----------
        links : int
            Mask of the working links.
        ip : bytes or None
            Address of the chip's Ethernet, where it has one.
        sdram : int or None
            Bytes that are left for models, where that is fewer than there are.
        """
        system = IMAGE_PLACE
        begin = SDRAM_BASE + CORE_BUFFERS
        top = system if sdram is None else min(system, begin + sdram)
        self.ram.set(
            p2p_address=self.x << 8 | self.y,
            p2p_dimensions=sides[0] << 8 | sides[1],
            p2p_up=1,
            hardware_version=version,
            ethernet_up=int(ip is not None),
            unix_time=int(time.time()),
            cpu_mhz=CLOCK_MHZ,
            memory_mhz=MEMORY_MHZ,
            forward=0x3F,
            peek_timeout=200,
            boot_flag=1,
            random=1,
            root_chip=int((self.x, self.y) == (0, 0)),
            shared_buffers=MESSAGE_BUFFERS,
            nearest_delay=20,
            iobuf_size=IOBUF_SIZE,
            system_buffers=SDRAM_BASE,
            system_buffer_words=CORE_BUFFERS // CORES_PER_CHIP // 4,
            links_up=links,
            core_number=len(self.physical),
            working_cores=len(self.physical),
            sdram_base=begin,
            system_ram_base=address_of(0x100),
            system_sdram=system,
            status_blocks=address_of(ram.STATUS_BLOCKS),
            software_version=ram.SOFTWARE_VERSION,
        )
        self.ram.map_cores(self.physical)
        self.system_heap = Heap(self.ram, SYSTEM_RAM_BASE, address_of(ram.HEAP_BEGIN)).create(
            address_of(ram.HEAP_END)
        )
        self.sdram_heap = Heap(self.sdram, SDRAM_BASE, begin).create(top)
        self.monitor_heap = Heap(self.sdram, SDRAM_BASE, system + MONITOR_TABLES).create(
            SDRAM_BASE + SDRAM_SIZE
        )
        self.ram.set(
            system_heap=self.system_heap.root,
            sdram_heap=self.sdram_heap.root,
            system_sdram_heap=self.monitor_heap.root,
            hop_table=self.monitor_heap.allocate(HOP_TABLE),
            router_copy=self.monitor_heap.allocate((ROUTER_ENTRIES + 1) * ENTRY.size),
            tag_table=self.monitor_heap.allocate(TAG_TABLE),
            application_table=self.monitor_heap.allocate(APPLICATION_TABLE),
            messages=self.system_heap.allocate(MESSAGE_BUFFERS * MESSAGE_SIZE),
        )
        first = self.ram.get("messages")
        buffers = [first + MESSAGE_SIZE * number for number in range(MESSAGE_BUFFERS)]
        for buffer, following in zip(buffers, [*buffers[1:], 0], strict=True):
            self.ram.set_word(buffer - SYSTEM_RAM_BASE, following)
        self.ram.set(free_messages=first)
        if ip is not None:
            self.ram.set(ip_address=int.from_bytes(ip, "little"))
        self.router.reset()
        for core in range(len(self.physical)):
            monitor = core == 0
            self.ram.set_status(
                core, name=b"scamp-3" if monitor else b"sark", physical_core=self.physical[core]
            )
            self.ram.set_status(core, state=ram.RUNNING if monitor else ram.IDLE)

    # ---------------------------------------------------------------------------------- memory

    def place(self, address: int, length: int) -> tuple[Memory, int] | None:
        """The memory that `length` bytes at `address` lie in, and the offset there."""
        for base, memory in (
            (SDRAM_BASE, self.sdram),
            (SDRAM_UNBUFFERED, self.sdram),
            (SYSTEM_RAM_BASE, self.ram),
            (SYSTEM_RAM_UNBUFFERED, self.ram),
            (ROUTER_BASE, self.router.registers),
            (ROUTER_UNBUFFERED, self.router.registers),
        ):
            if base <= address and address + length <= base + memory.size:
                return memory, address - base
        return None

    def read(self, address: int, length: int) -> bytes | None:
        """`length` bytes, or None where no memory of the chip is."""
        found = self.place(address, length)
        return found[0].read(found[1], length) if found else None

    def write(self, address: int, data: bytes) -> bool:
        """Write `data`; False where no memory of the chip is."""
        found = self.place(address, len(data))
        if not found:
            return False
        memory, offset = found
        if memory.size != ROUTER_SIZE:
            memory.write(offset, data)
        else:
            for word in range(0, len(data) // 4 * 4, 4):
                self.router.write_register((offset + word) & ~3, *struct.unpack_from("<I", data, word))
        return True

    def allocate(self, size: int, tag: int, application: int, again: bool) -> int:
        """Memory for an application under a tag; a tag that is in use gives 0, or `again` the same block."""
        if tag > 255 or application > 255:
            return 0
        owner = application << 8 | tag
        entry = self.ram.get("tag_table") - SDRAM_BASE + 4 * owner
        if tag and (present := self.sdram.word(entry)):
            return present if again and self.sdram_heap.size_of(present) == (size + 3) // 4 * 4 else 0
        block = self.sdram_heap.allocate(size, owner)
        if tag and block:
            self.sdram.set_word(entry, block)
        return block

    def release(self, heap: Heap, address: int) -> None:
        owner = heap.release(address)
        if owner >= 0 and owner & 0xFF:
            self.sdram.set_word(self.ram.get("tag_table") - SDRAM_BASE + 4 * owner, 0)

    def release_all(self, heap: Heap, application: int) -> int:
        """Release every block of an application; gives how many."""
        blocks = [block for block, owner in heap.taken() if owner >> 8 == application]
        for block in blocks:
            self.release(heap, block + HEADER)
        return len(blocks)

    # -------------------------------------------------------------------------------- programs

    def start(self, address: int, cores: int, application: int, flags: int) -> bool:
        """Start the image at `address` on the cores of the mask; False where it is no image."""
        wanted = [core for core in self.cores if cores >> core & 1]
        if not wanted:
            return True
        try:
            image = aplx.load(lambda where, length: self.read(where, length) or bytes(length), address)
        except aplx.ImageError as error:
            self.said(f"chip {self.x}, {self.y}: {error}")
            return False
        self.said(f"chip {self.x}, {self.y}: application {application} starts on {len(wanted)} cores")
        self._count_application(application, cores)
        for core in wanted:
            self.stop_core(core)
            self._set_flag(core, True)
            self.ram.set_status(core, state=ram.INIT, application=application)
            self.application[core] = application
            self.running.add(core)
            self.engine.start(self.core_number(core), self.physical[core], image, flags << 8 | application)
        return True

    def _count_application(self, application: int, cores: int) -> None:
        place = self.ram.get("application_table") - SDRAM_BASE + APPLICATION_RECORD * application
        number, clean, semaphore, lead, mask = struct.unpack_from("<4BI", self.sdram.view, place)
        if not number:
            clean, semaphore, mask, lead = 0, 0, 0, (cores & -cores).bit_length() - 1
        number = min(255, number + cores.bit_count())
        struct.pack_into("<4BI", self.sdram.view, place, number, clean, semaphore, lead, mask | cores)

    def core_number(self, core: int) -> int:
        return core_number(self.number, core)

    def stop_core(self, core: int) -> None:
        """Stop what runs on a core, and what waits for it."""
        self.engine.stop(self.core_number(core))
        self.running.discard(core)
        self.mail.pop(core, None)

    def fail(self, failure: Failure) -> None:
        """A core has stopped by a fault: say so in its status block, where the host finds it."""
        core = failure.core % CORES_PER_CHIP
        self.running.discard(core)
        self.mail.pop(core, None)
        self.ram.set_status(
            core,
            registers=failure.registers,
            status_register=failure.status,
            stack_pointer=failure.stack,
            link_register=failure.link,
            error_code=failure.error,
            state=ram.RUN_TIME_ERROR if failure.error else ram.WATCHDOG,
        )
        kind = f"run-time error {failure.error}" if failure.error else "no sign of life"
        self.said(
            f"core {self.x}, {self.y}, {core}: {kind} at {failure.counter:#x}, called from {failure.link:#x}"
        )

    def count(self, application: int, state: int) -> int:
        """Cores of an application that are in a state."""
        return sum(
            self.application[core] == application and self.ram.status(core, "state") == state
            for core in self.cores
        )

    def signal(self, signal: int, application: int, mask: int) -> None:
        """Act on a signal to the cores whose application, masked, is `application`."""
        cores = [core for core in self.cores if self.application[core] & mask == application & mask]
        if signal == STOP:
            self._stop_applications(cores, application, mask)
            return
        for core in (core for core in cores if core in self.running):
            if signal in (SYNC0, SYNC1):
                self._set_flag(core, signal == SYNC1)
                self.engine.interrupt(self.core_number(core))
            else:
                self.post(core, COMMAND_SIGNAL, signal)

    def _stop_applications(self, cores: list[int], application: int, mask: int) -> None:
        for core in cores:
            self.stop_core(core)
            self.ram.clear_status(core)
            self.ram.set_status(core, physical_core=self.physical[core], state=ram.IDLE, application=0)
            self.application[core] = 0
        for number in range(1, 256):
            if number & mask == application & mask:
                self.release_all(self.sdram_heap, number)
                self.release_all(self.system_heap, number)
                self.release_all(self.monitor_heap, number)
                self.router.release_all(number, clear=True)
                place = self.ram.get("application_table") - SDRAM_BASE + APPLICATION_RECORD * number
                self.sdram.write(place, b"\0\1")

    def _set_flag(self, core: int, on: bool) -> None:
        flags, bit = self.controller.word(system_controller.FLAGS), 1 << self.physical[core]
        self.controller.set_word(system_controller.FLAGS, flags | bit if on else flags & ~bit)

    # ------------------------------------------------------------------------------- mailboxes

    def post(self, core: int, command: int, content: bytes | int) -> None:
        """Put something into a core's mailbox as soon as it is free."""
        if core in self.running:
            self.mail.setdefault(core, deque()).append((command, content))
            self.pump()

    def pump(self) -> None:
        """Fill the mailboxes that are free with what waits for them."""
        for core, waiting in list(self.mail.items()):
            while waiting and not self.ram.status(core, "command_in"):
                command, content = waiting[0]
                if isinstance(content, bytes):
                    buffer = self._take_buffer()
                    if not buffer:
                        return
                    offset = buffer - SYSTEM_RAM_BASE
                    self.ram.write(offset + 4, struct.pack("<HH", len(content), 0) + content)
                    content = buffer
                waiting.popleft()
                self.ram.set_status(core, message_in=content, command_in=command)
                self.engine.interrupt(self.core_number(core))
            if not waiting:
                self.mail.pop(core, None)

    def _take_buffer(self) -> int:
        buffer = self.ram.get("free_messages")
        if buffer:
            self.ram.set(free_messages=self.ram.word(buffer - SYSTEM_RAM_BASE))
        return buffer

    def collect(self) -> list[bytes]:
        """What the cores have put into their mailboxes to the monitor: messages, in the order of the cores."""
        flags = self.ram.get("mailbox_flags")
        self.ram.set(mailbox_flags=0)
        messages = []
        for core in self.cores:
            if flags >> core & 1 and self.ram.status(core, "command_out") == COMMAND_MESSAGE:
                offset = self.ram.status(core, "message_out") - SYSTEM_RAM_BASE
                if 0 <= offset <= self.ram.size - MESSAGE_SIZE:
                    length = struct.unpack_from("<H", self.ram.view, offset + 4)[0]
                    messages.append(self.ram.read(offset + 8, min(length, MESSAGE_SIZE - 8)))
                    self.ram.set_word(offset, self.ram.get("free_messages"))
                    self.ram.set(free_messages=offset + SYSTEM_RAM_BASE)
                self.ram.set_status(core, command_out=0)
        return messages
