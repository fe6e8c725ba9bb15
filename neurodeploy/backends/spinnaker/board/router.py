"""A chip's router: registers, counters, point-to-point table, and the multicast table with its allocation.

The allocation lies in a copy of the table in SDRAM that cores can read: 1025 entries of 16 bytes, of which each run's
first holds where the next run begins and either the next free run or, with the top bit set, the application that owns it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.system_ram import SystemRam
from neurodeploy.chips.spinnaker_map import (
    ROUTER_CONTROL,
    ROUTER_CONTROL_VALUE,
    ROUTER_COUNTER_NUMBER,
    ROUTER_COUNTER_RESET,
    ROUTER_COUNTERS,
    ROUTER_ENTRIES,
    ROUTER_P2P,
    ROUTER_P2P_SIZE,
    ROUTER_SIZE,
    SDRAM_BASE,
)

ENTRY = struct.Struct("<HHIII")
LOADED = struct.Struct("<HHIII")
"""An entry as the host sends it: index in the run, unused, route, key, mask."""

UNUSED = (0xFF000000, 0xFFFFFFFF, 0)
"""Route, key and mask of an entry that matches nothing."""

ROUTE = 0x00FFFFFF
OWNED, OWNER = 0x8000, 0x00FF


class Router:
    """See the module.

    Attributes
    ----------
    registers : Memory
        Everything that a core or the host can read of it.
    table : dict of int to (key, mask, route)
        The multicast entries in use, by index.
    fixed : int
        Route of fixed-route packets.
    changed : bool
        Whether the table or the fixed route has changed since this was last cleared.
    """

    def __init__(self, system_ram: SystemRam, sdram: Memory) -> None:
        self.registers = Memory(ROUTER_SIZE)
        self.registers.set_word(ROUTER_CONTROL, ROUTER_CONTROL_VALUE)
        self.system_ram, self.sdram = system_ram, sdram
        self.table: dict[int, tuple[int, int, int]] = {}
        self.fixed = 0
        self.changed = True

    # ------------------------------------------------------------------------------ registers

    def set_point_to_point(self, hops: dict[tuple[int, int], int], default: int) -> None:
        """Fill the table of first links by chip; other chips get `default`."""
        everywhere = sum(default << 3 * place for place in range(8))
        self.registers.write(ROUTER_P2P, struct.pack("<I", everywhere) * (ROUTER_P2P_SIZE // 4))
        for (x, y), hop in hops.items():
            word, place = divmod(x * 256 + y, 8)
            offset = ROUTER_P2P + 4 * word
            kept = self.registers.word(offset) & ~(7 << 3 * place)
            self.registers.set_word(offset, kept | hop << 3 * place)

    def write_register(self, offset: int, value: int) -> None:
        """A write of the host or a core; the control and the counters behave as such, the rest is memory."""
        if offset == ROUTER_COUNTER_RESET:
            self.clear_counters()
        elif offset != ROUTER_CONTROL and offset < ROUTER_P2P:
            self.registers.set_word(offset, value)

    def clear_counters(self) -> None:
        self.registers.write(ROUTER_COUNTERS, bytes(4 * ROUTER_COUNTER_NUMBER))

    # ---------------------------------------------------------------------------------- table

    def reset(self) -> None:
        """Forget every entry and every allocation."""
        self.clear(0, ROUTER_ENTRIES)
        self.system_ram.set(router_free=1)
        self._set_run(1, ROUTER_ENTRIES, 0)
        self._set_run(ROUTER_ENTRIES, 0, 0)
        self.sdram.set_word(self._place(ROUTER_ENTRIES) + 4, UNUSED[0])

    def load(self, entries: bytes, count: int, first: int) -> bool:
        """Load `count` entries behind each other in `entries`, at `first` and their own index; False: beyond the table."""
        wanted = [LOADED.unpack_from(entries, LOADED.size * number) for number in range(count)]
        if any(not 0 < first + index < ROUTER_ENTRIES for index, *_ in wanted):
            return False
        for index, _, route, key, mask in wanted:
            self._set(first + index, route & ROUTE, key, mask)
        return True

    def clear(self, first: int, count: int) -> None:
        for index in range(max(first, 0), min(first + count, ROUTER_ENTRIES)):
            self.table.pop(index, None)
            place = self._place(index)
            for number, value in enumerate(UNUSED):
                self.sdram.set_word(place + 4 + 4 * number, value)
        self.changed = True

    def _set(self, index: int, route: int, key: int, mask: int) -> None:
        self.table[index] = (key, mask, route)
        self.sdram.write(self._place(index) + 4, struct.pack("<3I", route, key, mask))
        self.changed = True

    # ----------------------------------------------------------------------------- allocation

    def allocate(self, size: int, owner: int) -> int:
        """First index of a run of `size` entries for application `owner`, or 0."""
        if not 0 < size < ROUTER_ENTRIES:
            return 0
        previous = 0
        for run, following, next_free in self._free_runs():
            if run + size > following:
                previous = run
                continue
            if run + size < following:
                self._set_run(run + size, following, next_free)
                following = next_free = run + size
            self._set_next_free(previous, next_free)
            self._set_run(run, following, OWNED | owner)
            return run
        return 0

    def release(self, run: int, clear: bool) -> None:
        """Give the run that begins at `run` back, merged with free neighbours."""
        if run not in (taken for taken, _, _ in self._taken_runs()):
            return
        following, _ = self._run(run)
        if clear:
            self.clear(run, following - run)
        before = [(free, after) for free, after, _ in self._free_runs() if free < run]
        previous, previous_end = before[-1] if before else (0, 0)
        next_free = self._run(previous)[1] if previous else self.system_ram.get("router_free")
        if next_free and following == next_free:
            following, next_free = self._run(next_free)
        if previous and previous_end == run:
            self._set_run(previous, following, next_free)
        else:
            self._set_run(run, following, next_free)
            self._set_next_free(previous, run)

    def release_all(self, owner: int, clear: bool) -> int:
        """Release every run of an application; gives how many."""
        runs = [run for run, _, whose in self._taken_runs() if whose & OWNER == owner]
        for run in runs:
            self.release(run, clear)
        return len(runs)

    @property
    def largest(self) -> int:
        """Entries of the largest free run."""
        return max((following - run for run, following, _ in self._free_runs()), default=0)

    def _free_runs(self) -> Iterator[tuple[int, int, int]]:
        run = self.system_ram.get("router_free")
        for _ in range(ROUTER_ENTRIES):
            if not 0 < run < ROUTER_ENTRIES:
                return
            following, next_free = self._run(run)
            yield run, following, next_free
            run = next_free

    def _taken_runs(self) -> Iterator[tuple[int, int, int]]:
        run = 1
        for _ in range(ROUTER_ENTRIES):
            following, owner = self._run(run)
            if not run < following <= ROUTER_ENTRIES:
                return
            if owner & OWNED:
                yield run, following, owner
            run = following
            if run >= ROUTER_ENTRIES:
                return

    def _place(self, index: int) -> int:
        place: int = self.system_ram.get("router_copy") - SDRAM_BASE + ENTRY.size * index
        return place

    def _run(self, index: int) -> tuple[int, int]:
        following, other = struct.unpack_from("<HH", self.sdram.view, self._place(index))
        return following, other

    def _set_run(self, index: int, following: int, other: int) -> None:
        struct.pack_into("<HH", self.sdram.view, self._place(index), following, other)

    def _set_next_free(self, previous: int, run: int) -> None:
        if previous:
            self._set_run(previous, self._run(previous)[0], run)
        else:
            self.system_ram.set(router_free=run)
