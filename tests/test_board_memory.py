"""The emulated board's heap, router table and image loader, each alone."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.backends.spinnaker.board import aplx
from neurodeploy.backends.spinnaker.board.heap import HEADER, Heap
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.router import LOADED, Router
from neurodeploy.backends.spinnaker.board.system_ram import SystemRam
from neurodeploy.chips.spinnaker_map import (
    DTCM_BASE,
    ITCM_BASE,
    ROUTER_COUNTER_RESET,
    ROUTER_COUNTERS,
    ROUTER_ENTRIES,
    ROUTER_P2P,
    SDRAM_BASE,
    SDRAM_SIZE,
)

SIZE = 4096
BASE = 0x1000


def new_heap() -> Heap:
    return Heap(Memory(SIZE), BASE, BASE + 64).create(BASE + SIZE)


# ------------------------------------------------------------------------------------------ heap


@given(st.lists(st.one_of(st.integers(1, 600), st.integers(0, 9).map(lambda which: -1 - which)), max_size=60))
def test_blocks_never_overlap_and_all_of_a_heap_comes_back(actions):
    heap = new_heap()
    whole, held = heap.free, {}
    for action in actions:
        if action > 0:
            address = heap.allocate(action, owner=0x1234)
            if address:
                assert address % 4 == 0
                assert address >= BASE + 64 and address + action <= BASE + SIZE
                for other, size in held.items():
                    assert address + action <= other - HEADER or other + size <= address - HEADER
                held[address] = action
        elif held:
            address = sorted(held)[-action % len(held)]
            assert heap.release(address) == 0x1234
            del held[address]
    for address in held:
        heap.release(address)
    assert heap.free == whole == heap.largest
    assert not list(heap.taken())


def test_a_heap_that_is_full_gives_nothing_and_stays_whole():
    heap = new_heap()
    largest = heap.largest
    assert heap.allocate(largest + 4) == 0
    address = heap.allocate(largest)
    assert address and heap.largest == 0 and heap.allocate(4) == 0
    heap.release(address)
    assert heap.largest == largest


def test_what_was_never_given_out_is_not_released():
    heap = new_heap()
    address = heap.allocate(100)
    before = heap.free
    assert heap.release(address + 4) == -1
    assert heap.release(0) == -1
    assert heap.free == before


def test_a_block_says_where_the_next_is_and_whose_it_is():
    heap = new_heap()
    address = heap.allocate(20, owner=17 << 8 | 3)
    following, owner = struct.unpack_from("<2I", heap.memory.view, address - HEADER - BASE)
    assert following == address + 20
    assert owner == 0xFFFF0000 | 17 << 8 | 3


def test_a_damaged_heap_is_noticed():
    heap = new_heap()
    heap.memory.set_word(64, 0x70000000)
    with pytest.raises(ValueError, match="damaged"):
        heap.allocate(4)


# ---------------------------------------------------------------------------------------- router


@pytest.fixture
def router():
    ram = SystemRam()
    ram.set(router_copy=SDRAM_BASE)
    made = Router(ram, Memory(SDRAM_SIZE))
    made.reset()
    return made


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=12))
def test_router_entries_are_given_out_once_and_come_back(requests):
    ram = SystemRam()
    ram.set(router_copy=SDRAM_BASE)
    router = Router(ram, Memory(1 << 20))
    router.reset()
    held = {}
    for size, give_back in requests:
        run = router.allocate(size, owner=30)
        if run:
            assert all(run + size <= other or other + length <= run for other, length in held.items())
            assert run >= 1 and run + size <= ROUTER_ENTRIES
            held[run] = size
        if give_back and held:
            first = min(held)
            router.release(first, clear=True)
            del held[first]
    assert router.release_all(30, clear=True) == len(held)
    assert router.largest == ROUTER_ENTRIES - 1


def test_1023_entries_can_be_had(router):
    assert router.largest == 1023
    assert router.allocate(1023, 1) == 1
    assert router.largest == 0 and router.allocate(1, 1) == 0


def test_entries_beyond_the_table_are_refused_whole(router):
    entries = b"".join(LOADED.pack(number, 0, 1 << 7, number << 8, 0xFFFFFF00) for number in range(4))
    assert not router.load(entries, 4, ROUTER_ENTRIES - 2)
    assert not router.table
    assert router.load(entries, 4, 1)
    assert router.table[3] == (2 << 8, 0xFFFFFF00, 1 << 7)


def test_counters_are_cleared_by_a_write_and_first_links_can_be_read(router):
    router.registers.set_word(ROUTER_COUNTERS + 4, 7)
    router.write_register(ROUTER_COUNTER_RESET, 1)
    assert router.registers.word(ROUTER_COUNTERS + 4) == 0
    router.set_point_to_point({(1, 2): 4, (1, 3): 7}, 6)
    word = router.registers.word(ROUTER_P2P + 4 * (258 // 8))
    assert [word >> 3 * place & 7 for place in range(8)] == [6, 6, 4, 7, 6, 6, 6, 6]


# ----------------------------------------------------------------------------------------- images


def image(*records, data=b""):
    return b"".join(struct.pack("<4I", *record) for record in records) + data


def reader(content):
    padded = content + bytes(256)
    return lambda address, length: padded[address : address + length]


def test_an_image_copies_fills_and_jumps():
    code = struct.pack("<8I", *range(1, 9))
    content = image(
        (2, ITCM_BASE, 64, 32),
        (1, DTCM_BASE, 64, 30),
        (3, DTCM_BASE + 64, 40, 0xAB),
        (4, 0x20, 0, 0),
        data=code,
    )
    loaded = aplx.load(reader(content), 0)
    assert loaded.itcm[:32] == code and not any(loaded.itcm[32:])
    assert loaded.dtcm[:32] == code  # 30 bytes are rounded up to 32
    assert struct.unpack("<17I", loaded.dtcm[64:132]) == (0xAB,) * 16 + (0,)  # 40 bytes to 64
    assert loaded.entry == 0x20


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (image((3, 0x60000000, 4, 0)), "outside"),
        (image((9, 0, 0, 0)), "unknown"),
        (image(*[(3, 0, 4, 0)] * 80), "no end"),
    ],
)
def test_what_is_no_image_is_refused(content, what):
    with pytest.raises(aplx.ImageError, match=what):
        aplx.load(reader(content), 0)
