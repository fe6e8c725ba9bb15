"""The heaps that the monitor and the cores walk and change together (``sark_alloc.c``).

A root of four words (first free block, first, last, free bytes), then blocks: two words each before the memory that
is given out, namely the next block, and the next free one or, where the block is taken, 0xffff, application and tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from neurodeploy.backends.spinnaker.board.memory import Memory

FREE, FIRST, LAST, FREE_BYTES = 0, 4, 8, 12
ROOT, HEADER = 16, 8
TAKEN = 0xFFFF0000


@dataclass
class Heap:
    """A heap between two addresses of one memory.

    Attributes
    ----------
    memory : Memory
    base : int
        Address of the memory's first byte on the chip.
    root : int
        Address of the heap.
    """

    memory: Memory
    base: int
    root: int

    def create(self, top: int) -> Heap:
        """Make one free block of everything up to the address `top`."""
        first, last = self.root + ROOT, top - HEADER
        for offset, value in (
            (FREE, first),
            (FIRST, first),
            (LAST, last),
            (FREE_BYTES, last - first - HEADER),
        ):
            self._set(self.root + offset, value)
        self._set_block(first, last, 0)
        self._set_block(last, 0, 0)
        return self

    def allocate(self, size: int, owner: int = 0) -> int:
        """Address of `size` bytes for `owner` (application * 256 + tag), or 0: the first block that is large enough."""
        if size <= 0:
            return 0
        size = (size + 3) // 4 * 4 + HEADER
        previous, block = 0, self._word(self.root + FREE)
        for _ in self._guard():
            if not block:
                break
            following, next_free = self._block(block)
            if block + size <= following:
                if block + size + HEADER < following:
                    self._set_block(block + size, following, next_free)
                    self._set(block, block + size)
                    following = next_free = block + size
                self._set(previous + 4 if previous else self.root + FREE, next_free)
                self._set(self.root + FREE_BYTES, self._word(self.root + FREE_BYTES) - (following - block))
                self._set(block + 4, TAKEN + owner)
                return block + HEADER
            previous, block = block, next_free
        return 0

    def release(self, address: int) -> int:
        """Give a block back, merged with free neighbours; gives its owner, or -1 where nothing was taken there."""
        block = address - HEADER
        if block not in (taken for taken, _ in self.taken()):
            return -1
        following, owner = self._block(block)
        self._set(self.root + FREE_BYTES, self._word(self.root + FREE_BYTES) + following - block)
        previous, next_free = 0, self._word(self.root + FREE)
        for _ in self._guard():
            if not next_free or block < next_free:
                break
            previous, next_free = next_free, self._word(next_free + 4)
        self._set(block + 4, next_free)
        self._set(previous + 4 if previous else self.root + FREE, block)
        if next_free and self._word(block) == next_free:
            self._set_block(block, *self._block(next_free))
        if previous and self._word(previous) == block:
            self._set_block(previous, *self._block(block))
        return owner & 0xFFFF

    def taken(self) -> Iterator[tuple[int, int]]:
        """Every block that is taken, with its owner."""
        block = self._word(self.root + FIRST)
        for _ in self._guard():
            if not block:
                return
            following, owner = self._block(block)
            if not following:
                return
            if owner >= TAKEN:
                yield block, owner & 0xFFFF
            block = following

    def size_of(self, address: int) -> int:
        """Bytes of the block given out at `address`."""
        return self._word(address - HEADER) - address

    @property
    def free(self) -> int:
        """Bytes that are free, headers included."""
        return self._word(self.root + FREE_BYTES)

    @property
    def largest(self) -> int:
        """Bytes of the largest block that can be given out."""
        block, best = self._word(self.root + FREE), 0
        for _ in self._guard():
            if not block:
                break
            following, next_free = self._block(block)
            if following:
                best = max(best, following - block - HEADER)
            block = next_free
        return best

    def _guard(self) -> range:
        """As many steps as a heap of this memory can have blocks: a damaged one ends there."""
        return range(self.memory.size // HEADER)

    def _inside(self, address: int) -> int:
        offset = address - self.base
        if not 0 <= offset <= self.memory.size - 4:
            raise ValueError(f"the heap at {self.root:#x} is damaged: it leads to {address:#x}")
        return offset

    def _word(self, address: int) -> int:
        return self.memory.word(self._inside(address))

    def _set(self, address: int, value: int) -> None:
        self.memory.set_word(self._inside(address), value)

    def _block(self, block: int) -> tuple[int, int]:
        return self._word(block), self._word(block + 4)

    def _set_block(self, block: int, following: int, next_free: int) -> None:
        self._set(block, following)
        self._set(block + 4, next_free)
