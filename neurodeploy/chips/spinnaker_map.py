"""SpiNNaker-1 as its programs see it: the memory map of a core, the registers of its devices, the links of a chip.

Names and numbers are those of the SpiNNaker datasheet (version 2.02) and of ``spinnaker.h`` in spinnaker_tools 4.0.
Every constant is a plain integer, so that the same table serves the emulator's Python and its C.
"""

from __future__ import annotations

CLOCK_MHZ = 200
"""Clock of the cores, MHz; times inside the emulator are counted in its cycles."""

MEMORY_MHZ = 130
CORES_PER_CHIP = 18
"""Core 0 is the monitor; the others run applications."""

SCP_PORT = 17893
"""UDP port on which a board's monitor takes commands."""

# ------------------------------------------------------------------------------------- memories

ITCM_BASE, ITCM_SIZE = 0x00000000, 0x8000
DTCM_BASE, DTCM_SIZE = 0x00400000, 0x10000
SDRAM_BASE, SDRAM_UNBUFFERED, SDRAM_SIZE = 0x60000000, 0x70000000, 128 << 20
SYSTEM_RAM_BASE, SYSTEM_RAM_UNBUFFERED, SYSTEM_RAM_SIZE = 0xE5000000, 0xF5000000, 0x8000

# -------------------------------------------------------------------------------------- devices

COMMS_BASE, COMMS_UNBUFFERED = 0x10000000, 0x20000000
TIMER_BASE, TIMER_UNBUFFERED = 0x11000000, 0x21000000
VIC_BASE, VIC_UNBUFFERED, VIC_HIGH = 0x1F000000, 0x2F000000, 0xFFFFF000
DMA_BASE, DMA_UNBUFFERED = 0x30000000, 0x40000000
CONTROLLER_BASE, CONTROLLER_UNBUFFERED = 0xE2000000, 0xF2000000
DEVICE_SIZE = 0x1000
ROUTER_BASE, ROUTER_UNBUFFERED, ROUTER_SIZE = 0xE1000000, 0xF1000000, 0x20000

# Interrupt sources.
SOURCE_SOFTWARE, SOURCE_TIMER1, SOURCE_TIMER2 = 1, 4, 5
SOURCE_PACKET_READY, SOURCE_TX_EMPTY = 6, 11
SOURCE_DMA_DONE, SOURCE_DMA_ERROR = 12, 13
SOURCE_CPU, SOURCE_TX_NOT_FULL, SOURCE_MULTICAST, SOURCE_FIXED_ROUTE = 18, 23, 24, 27

# Vectored interrupt controller.
VIC_IRQ_STATUS, VIC_FIQ_STATUS, VIC_RAW, VIC_SELECT = 0x00, 0x04, 0x08, 0x0C
VIC_ENABLE, VIC_DISABLE, VIC_SOFT_SET, VIC_SOFT_CLEAR = 0x10, 0x14, 0x18, 0x1C
VIC_CURRENT, VIC_DEFAULT, VIC_VECTORS, VIC_CONTROLS = 0x30, 0x34, 0x100, 0x200
VIC_SLOTS = 16
VIC_SLOT_ON, VIC_SLOT_SOURCE = 0x20, 0x1F

# Timers; the second one's registers lie TIMER_SECOND further.
TIMER_LOAD, TIMER_COUNT, TIMER_CONTROL, TIMER_CLEAR = 0x00, 0x04, 0x08, 0x0C
TIMER_RAW, TIMER_MASKED, TIMER_BACKGROUND, TIMER_SECOND = 0x10, 0x14, 0x18, 0x20
TIMER_ONE_SHOT, TIMER_INTERRUPTS, TIMER_PERIODIC, TIMER_ENABLED = 0x01, 0x20, 0x40, 0x80
TIMER_PRESCALE_SHIFT = 2

# DMA controller.
DMA_SYSTEM, DMA_TCM, DMA_DESCRIPTOR, DMA_CONTROL = 0x04, 0x08, 0x0C, 0x10
DMA_STATUS, DMA_GLOBAL = 0x14, 0x18
DMA_LENGTH, DMA_TO_SYSTEM = 0x1FFFF, 1 << 19
DMA_ABORT, DMA_CLEAR_DONE, DMA_DONE, DMA_CORE_SHIFT, DMA_DONE_INTERRUPTS = 0x10, 0x08, 1 << 10, 24, 0xC00

# Communications controller.
COMMS_TX_CONTROL, COMMS_TX_DATA, COMMS_TX_KEY = 0x00, 0x04, 0x08
COMMS_RX_STATUS, COMMS_RX_DATA, COMMS_RX_KEY = 0x0C, 0x10, 0x14
COMMS_TX_IDLE, COMMS_RX_RECEIVED, COMMS_CONTROL_SHIFT = 0x90000000, 0x80000000, 16
PACKET_PAYLOAD, PACKET_TYPE, PACKET_FIXED_ROUTE = 0x02, 0xC0, 0xC0

# System controller; a control register takes a write only with the code in the top 12 bits.
CONTROLLER_ID, CONTROLLER_SET_INTERRUPT, CONTROLLER_CLEAR_INTERRUPT = 0x00, 0x08, 0x0C
CONTROLLER_MONITOR, CONTROLLER_FLAGS_SET, CONTROLLER_FLAGS_CLEAR = 0x34, 0x58, 0x5C
CONTROLLER_TEST_AND_SET, CONTROLLER_RELEASE, CONTROLLER_SEMAPHORES = 0x100, 0x180, 32
CONTROLLER_CODE, CONTROLLER_CODE_SHIFT, CHIP_ID = 0x5EC, 20, 0x59111012

# Router.
ROUTER_CONTROL, ROUTER_COUNTER_RESET, ROUTER_FIXED = 0x00, 0x2C, 0x84
ROUTER_COUNTERS, ROUTER_COUNTER_NUMBER, ROUTER_P2P, ROUTER_P2P_SIZE = 0x300, 16, 0x10000, 0x8000
ROUTER_CONTROL_VALUE = 0x00400001
COUNT_LOCAL, COUNT_EXTERNAL, COUNT_DROPPED = 0, 1, 8
COUNT_LOCAL_FIXED, COUNT_EXTERNAL_FIXED, COUNT_DROPPED_FIXED = 6, 7, 11
ROUTER_ENTRIES = 1024
"""Entries of a router's table; the first is kept by the monitor."""

P2P_THIS_CHIP, P2P_NONE = 7, 6
ROUTE_CORES_SHIFT = 6
"""Bits of a route: links below, core n at this bit and n further."""

# ---------------------------------------------------------------------------------- core's modes

MODE_FIQ, MODE_IRQ, MODE_SUPERVISOR = 0x11, 0x12, 0x13
CPSR_THUMB, CPSR_NO_FIQ, CPSR_NO_IRQ, CPSR_MODE = 0x20, 0x40, 0x80, 0x1F
VECTOR_IRQ, VECTOR_FIQ = 0x18, 0x1C
WAIT_FOR_INTERRUPT = 0xEE070F90
"""``mcr p15, 0, r0, c7, c0, 4``: ARMv5's way to sleep."""

# ---------------------------------------------------------------------- what the emulator assumes

COUNT_READ_CYCLES = 40
"""Cycles that a read of a timer's count takes; without it a core that polls it would wait for ever."""

DMA_SETUP_CYCLES, DMA_BYTES_PER_CYCLE = 30, 4
"""Cycles of a transfer: a constant, and one for so many bytes (32-bit bus)."""

QUANTUM_CYCLES = 400
"""How far a polling core may run ahead of the others before it lets them go first."""

TRAMPOLINE = 0xFFF10000
"""Where the emulator has handlers return to: unused by the chip."""

# -------------------------------------------------------------------------------------- geometry

LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
"""Where links 0 to 5 (E, NE, N, W, SW, S) lead, in chips."""

BOARD_SIDES = {3: (2, 2), 5: (8, 8)}
"""Width and height of the rectangle that a board's chips lie in, by its version."""


def board_chips(version: int) -> list[tuple[int, int]]:
    """Coordinates of a board's chips: 2 x 2 for version 3, the 48 of a hexagon for version 5."""
    width, height = BOARD_SIDES[version]
    everything = [(x, y) for x in range(width) for y in range(height)]
    return everything if version == 3 else [(x, y) for x, y in everything if -4 < x - y < 5]


def neighbour(version: int, x: int, y: int, link: int) -> tuple[int, int]:
    """Coordinates that `link` of chip (`x`, `y`) leads to; a board of version 3 is wrapped round."""
    dx, dy = LINKS[link]
    if version == 3:
        width, height = BOARD_SIDES[version]
        return (x + dx) % width, (y + dy) % height
    return x + dx, y + dy


def constants() -> dict[str, int]:
    """Every plain number of this table by its name."""
    return {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int)}
