"""System RAM: the variables of a chip and a status block for each core, by the names of ``spinnaker.h`` and ``sark.h``."""

from __future__ import annotations

import struct

from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.chips.spinnaker_map import SYSTEM_RAM_BASE, SYSTEM_RAM_SIZE

STATUS_BLOCKS, STATUS_SIZE = 0x7000, 128
VARIABLES = 0x7F00
HEAP_BEGIN, HEAP_END = 0x1100, 0x7000

SOFTWARE_VERSION = 0x040000
"""4.0.0: the major number that a program was built for must be the same, its minor one not higher."""

VARIABLE = {
    "p2p_address": (0x00, "H"),
    "p2p_dimensions": (0x02, "H"),
    "p2p_up": (0x06, "B"),
    "ethernet_chip": (0x08, "H"),
    "hardware_version": (0x0A, "B"),
    "ethernet_up": (0x0B, "B"),
    "clock_ms": (0x10, "Q"),
    "unix_time": (0x1C, "I"),
    "cpu_mhz": (0x24, "H"),
    "memory_mhz": (0x26, "H"),
    "forward": (0x28, "B"),
    "peek_timeout": (0x2A, "B"),
    "boot_flag": (0x2B, "B"),
    "random": (0x30, "I"),
    "root_chip": (0x40, "B"),
    "shared_buffers": (0x41, "B"),
    "nearest_delay": (0x42, "B"),
    "system_heap": (0x48, "I"),
    "sdram_heap": (0x4C, "I"),
    "iobuf_size": (0x50, "I"),
    "system_buffers": (0x54, "I"),
    "system_buffer_words": (0x58, "I"),
    "links_up": (0x65, "B"),
    "free_messages": (0x68, "I"),
    "core_number": (0xBC, "B"),
    "working_cores": (0xBD, "B"),
    "sdram_base": (0xC0, "I"),
    "system_ram_base": (0xC4, "I"),
    "system_sdram": (0xC8, "I"),
    "status_blocks": (0xCC, "I"),
    "system_sdram_heap": (0xD0, "I"),
    "router_copy": (0xD4, "I"),
    "hop_table": (0xD8, "I"),
    "tag_table": (0xDC, "I"),
    "router_free": (0xE0, "H"),
    "application_table": (0xE4, "I"),
    "messages": (0xE8, "I"),
    "mailbox_flags": (0xEC, "I"),
    "ip_address": (0xF0, "I"),
    "fixed_route": (0xF4, "I"),
    "software_version": (0xFC, "I"),
}
"""System variables: offset and format."""

PHYSICAL_TO_VIRTUAL, VIRTUAL_TO_PHYSICAL = 0x94, 0xA8

STATUS = {
    "registers": (0x00, "8I"),
    "status_register": (0x20, "I"),
    "stack_pointer": (0x24, "I"),
    "link_register": (0x28, "I"),
    "error_code": (0x2C, "B"),
    "physical_core": (0x2D, "B"),
    "state": (0x2E, "B"),
    "application": (0x2F, "B"),
    "message_in": (0x30, "I"),
    "message_out": (0x34, "I"),
    "command_in": (0x38, "B"),
    "command_out": (0x39, "B"),
    "name": (0x48, "16s"),
    "user0": (0x70, "I"),
}
"""Fields of a core's status block: offset and format."""

CLEARED = 0x70
"""The monitor clears so much of the block when a program stops: the user words stay."""

DEAD, RUN_TIME_ERROR, WATCHDOG, INIT, READY = 0, 2, 3, 4, 5
RUNNING, IDLE = 7, 15
"""States of a core."""

ERROR_UNDEFINED, ERROR_PREFETCH, ERROR_DATA, ERROR_SOFTWARE = 2, 4, 5, 13
"""Codes of a run-time error."""


class SystemRam(Memory):
    """The 32 KiB that all cores of a chip share, with names for what the monitor keeps there."""

    def __init__(self) -> None:
        super().__init__(SYSTEM_RAM_SIZE)

    def get(self, name: str) -> int:
        """A system variable."""
        offset, layout = VARIABLE[name]
        value: int = struct.unpack_from("<" + layout, self.view, VARIABLES + offset)[0]
        return value

    def set(self, **values: int) -> None:
        """Set system variables."""
        for name, value in values.items():
            offset, layout = VARIABLE[name]
            struct.pack_into("<" + layout, self.view, VARIABLES + offset, value)

    def status_offset(self, core: int, name: str = "registers") -> int:
        return STATUS_BLOCKS + STATUS_SIZE * core + STATUS[name][0]

    def status(self, core: int, name: str) -> int:
        """A number in the status block of virtual core `core`."""
        value: int = struct.unpack_from("<" + STATUS[name][1], self.view, self.status_offset(core, name))[0]
        return value

    def set_status(self, core: int, **values: int | bytes | tuple[int, ...]) -> None:
        for name, value in values.items():
            parts = value if isinstance(value, tuple) else (value,)
            struct.pack_into("<" + STATUS[name][1], self.view, self.status_offset(core, name), *parts)

    def clear_status(self, core: int) -> None:
        """As when a program stops: everything but the user words."""
        self.write(self.status_offset(core), bytes(CLEARED))

    def map_cores(self, physical: list[int]) -> None:
        """Tell the programs which physical core is behind each virtual one."""
        both = bytearray(b"\xff" * 20)
        self.write(VARIABLES + VIRTUAL_TO_PHYSICAL, both[:20])
        for virtual, number in enumerate(physical):
            both[number] = virtual
            self.write(VARIABLES + VIRTUAL_TO_PHYSICAL + virtual, bytes([number]))
        self.write(VARIABLES + PHYSICAL_TO_VIRTUAL, both)


def address_of(offset: int) -> int:
    """Address at which a core sees `offset` of System RAM."""
    return SYSTEM_RAM_BASE + offset
