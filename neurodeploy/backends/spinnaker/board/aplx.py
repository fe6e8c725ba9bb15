"""APLX: the format of SpiNNaker's programs, a table of copies and fills that ends in a jump (spinnaker_tools, ``aplx``)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from neurodeploy.chips.spinnaker_map import DTCM_BASE, DTCM_SIZE, ITCM_BASE, ITCM_SIZE

COPY, COPY_RELATIVE, FILL, EXECUTE = 1, 2, 3, 4
RECORD = struct.Struct("<4I")
LINE = 32
"""Copies and fills are rounded up to so many bytes."""

MOST_RECORDS = 64
"""More than any image has; a table without an end is refused there."""


class ImageError(ValueError):
    """The bytes are no image of a core."""


@dataclass(frozen=True)
class Image:
    """What a core starts with.

    Attributes
    ----------
    itcm, dtcm : bytes
        Contents of its two memories, whole.
    entry : int
        Address of the first instruction.
    """

    itcm: bytes
    dtcm: bytes
    entry: int


def load(read: Callable[[int, int], bytes], address: int) -> Image:
    """The image at `address`, through `read(address, length)`.

    Raises
    ------
    ImageError
        A record writes outside the core's memories, is unknown, or the table has no end.
    """
    memories = {ITCM_BASE: bytearray(ITCM_SIZE), DTCM_BASE: bytearray(DTCM_SIZE)}
    for _ in range(MOST_RECORDS):
        operation, *operands = RECORD.unpack(read(address, RECORD.size))
        if operation in (COPY, COPY_RELATIVE):
            target, source, length = operands
            if operation == COPY_RELATIVE:
                source = (source + address) & 0xFFFFFFFF
            memory, offset, length = _place(memories, target, length)
            memory[offset : offset + length] = read(source, length)
        elif operation == FILL:
            target, length, value = operands
            memory, offset, length = _place(memories, target, length)
            memory[offset : offset + length] = struct.pack("<I", value) * (length // 4)
        elif operation == EXECUTE:
            return Image(bytes(memories[ITCM_BASE]), bytes(memories[DTCM_BASE]), operands[0])
        else:
            raise ImageError(f"record {operation} at {address:#x} is unknown")
        address += RECORD.size
    raise ImageError(f"the table before {address:#x} has no end")


def _place(memories: dict[int, bytearray], target: int, length: int) -> tuple[bytearray, int, int]:
    length = (length + LINE - 1) // LINE * LINE
    for base, memory in memories.items():
        if base <= target < base + len(memory):
            return memory, target - base, min(length, (base + len(memory) - target) // 4 * 4)
    raise ImageError(f"a record writes to {target:#x}, outside the core's memories")
