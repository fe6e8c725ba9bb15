"""Memories that the emulated cores, the monitor and the host share."""

from __future__ import annotations

import ctypes
import mmap
import struct


class Memory:
    """`size` bytes of zeros at a fixed address of this process; pages are taken when first used.

    Attributes
    ----------
    view : memoryview
    address : int
        Where it lies in this process, for a library to use directly.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._map = mmap.mmap(-1, size)
        self.view = memoryview(self._map)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self.address = ctypes.addressof(self._anchor)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.view[offset : offset + length])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.view[offset : offset + len(data)] = data

    def word(self, offset: int) -> int:
        """The 32-bit word at `offset`, little endian."""
        value: int = struct.unpack_from("<I", self.view, offset)[0]
        return value

    def set_word(self, offset: int, value: int) -> None:
        struct.pack_into("<I", self.view, offset, value & 0xFFFFFFFF)

    def clear(self) -> None:
        self.view[:] = bytes(self.size)
