"""A booted board without a program on it: geometry, the ways of packets, and what it answers to datagrams."""

import socket
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.backends.spinnaker.board import faults, scp
from neurodeploy.backends.spinnaker.board.chip import IMAGE_PLACE
from neurodeploy.backends.spinnaker.board.engine import Failure, core_number
from neurodeploy.backends.spinnaker.board.machine import Board
from neurodeploy.backends.spinnaker.board.server import Server, bind
from neurodeploy.chips.spinnaker_map import (
    COUNT_DROPPED,
    COUNT_EXTERNAL,
    COUNT_LOCAL,
    ROUTER_COUNTERS,
    SDRAM_BASE,
)
from neurodeploy.errors import RequestError

SENDER = ("127.0.0.1", 5000)


class NoCores:
    """An engine that executes nothing and notes what it is asked."""

    name, now = "none", 0

    def __init__(self):
        self.running, self.interrupted = {}, []

    def start(self, core, physical, image, register0):
        self.running[core] = register0

    def stop(self, core):
        self.running.pop(core, None)

    def interrupt(self, core):
        self.interrupted.append(core)

    def forget_paths(self):
        pass

    def advance(self, whole_piece=True):
        return False

    def ticks(self, core):
        return 0

    def totals(self):
        return {}

    def close(self):
        pass


def new_board(version=3, text=""):
    return Board(version, "127.1.2.3", lambda chips, services: NoCores(), faults.parse(text, version))


@pytest.fixture
def board():
    return new_board()


@pytest.fixture
def monitor(board):
    return scp.Monitor(board)


def ask(monitor, command, *words, data=b"", chip=(0, 0), sequence=7):
    """Code and content of the reply to a command."""
    x, y = chip
    words = [*words, 0, 0, 0][:3]
    header = bytes([0x87, 0xFF, 0, 0xFF, y, x, 0, 0])
    reply = monitor.answer(b"\0\0" + header + struct.pack("<HH3I", command, sequence, *words) + data, SENDER)
    code, answered = struct.unpack_from("<HH", reply, 10)
    assert answered == sequence and reply[2] == 0x07
    return code, reply[14:]


# -------------------------------------------------------------------------------------- geometry


def test_a_48_chip_board_is_what_the_tools_expect_of_one():
    board = new_board(5)
    assert len(board.chips) == 48
    assert sum(len(chip.physical) for chip in board.by_number) == 864
    assert sum(board.links(chip).bit_count() for chip in board.by_number) // 2 == 120
    assert board.chips[0, 0].sdram_heap.largest == 123_469_792
    assert (0, 4) not in board.chips and (7, 7) in board.chips


def test_a_4_chip_board_is_wrapped_round(board):
    assert len(board.chips) == 4
    assert all(board.links(chip) == 0b111111 for chip in board.by_number)


def test_dead_parts_are_not_there():
    board = new_board(5, "dead-chip=1,1; dead-core=2,2,5; dead-core=2,2,9; dead-link=0,0,0")
    assert (1, 1) not in board.chips
    assert len(board.chips[2, 2].physical) == 16 and 5 not in board.chips[2, 2].physical
    assert not board.links(board.chips[0, 0]) & 0b000011  # east is cut, north-east leads to the dead chip
    assert not board.links(board.chips[1, 0]) & 0b001000  # the same link from its other end


def test_first_links_lead_everywhere_by_shortest_ways():
    board = new_board(5, "dead-chip=1,1")
    for start in board.chips:
        for end in board.chips:
            chip, hops = board.chips[start], 0
            while (chip.x, chip.y) != end:
                chip, hops = board.neighbour(chip, board.link_to(chip, *end)), hops + 1
            assert hops == board._distances(end)[start]


# --------------------------------------------------------------------------------------- packets


def set_route(board, place, key, mask, route):
    router = board.chips[place].router
    index = len(router.table) + 1
    assert router.load(struct.pack("<HHIII", 0, 0, route, key, mask), 1, index)


def counted(path, board, place):
    router = board.chips[place].router.registers
    return sorted((offset - ROUTER_COUNTERS) // 4 for memory, offset in path.counters if memory is router)


def test_a_packet_follows_its_entries_and_goes_straight_on_without_one():
    board = new_board(5)
    set_route(board, (0, 0), 0x100, 0xFF00, 1 << 0 | 1 << 6 + 3)
    set_route(board, (3, 0), 0x100, 0xFF00, 1 << 6 + 1 | 1 << 6 + 17)
    path = board._path(board.chips[0, 0].number, 0x1AB, False)
    assert set(path.cores) == {
        core_number(board.chips[0, 0].number, 3),
        core_number(board.chips[3, 0].number, 1),
        core_number(board.chips[3, 0].number, 17),
    }
    assert counted(path, board, (0, 0)) == [COUNT_LOCAL]
    assert counted(path, board, (1, 0)) == counted(path, board, (3, 0)) == [COUNT_EXTERNAL]


def test_the_first_matching_entry_wins(board):
    set_route(board, (0, 0), 0x100, 0xFF00, 1 << 6 + 1)
    set_route(board, (0, 0), 0x180, 0xFF80, 1 << 6 + 2)
    assert board._path(0, 0x181, False).cores == (core_number(0, 1),)


def test_a_packet_without_a_way_is_dropped_and_counted(board):
    path = board._path(0, 0xDEAD, False)
    assert path.cores == () and counted(path, board, (0, 0)) == [COUNT_LOCAL, COUNT_DROPPED]


def test_a_packet_that_would_go_round_for_ever_is_dropped(board):
    for place in board.chips:
        set_route(board, place, 0, 0, 1 << 0)
    path = board._path(0, 1, False)
    assert COUNT_DROPPED in {(offset - ROUTER_COUNTERS) // 4 for _, offset in path.counters}


def test_a_packet_onto_a_dead_link_is_dropped():
    board = new_board(5, "dead-link=0,0,0")
    set_route(board, (0, 0), 0, 0, 1 << 0)
    assert counted(board._path(0, 1, False), board, (0, 0)) == [COUNT_LOCAL, COUNT_DROPPED]


def test_a_packet_onto_a_lossy_link_is_dropped_and_the_tools_know_of_nothing():
    board = new_board(5, "lossy-link=0,0,0; lossy-link=2,0,3")
    set_route(board, (0, 0), 0, 0, 1 << 0 | 1 << 2)
    path = board._path(0, 1, False)
    assert counted(path, board, (0, 0)) == [COUNT_LOCAL, COUNT_DROPPED]
    assert counted(path, board, (0, 1)) == [COUNT_EXTERNAL] and counted(path, board, (1, 0)) == []
    assert board.links(board.chips[0, 0]) == new_board(5).links(new_board(5).chips[0, 0])
    assert board.link_to(board.chips[0, 0], 1, 0) == 0


# -------------------------------------------------------------------------------------- commands


def test_the_version_names_the_chip_that_was_asked(monitor):
    code, content = ask(monitor, 0, chip=(1, 0))
    assert code == scp.OK and struct.unpack_from("<I", content)[0] == 1 << 24
    assert content.endswith(b"SC&MP/emulated SpiNNaker\0004.0.0\0")
    assert struct.unpack_from("<I", ask(monitor, 0, chip=(255, 255))[1])[0] == 0


def test_memory_is_written_filled_and_read(monitor):
    assert ask(monitor, 3, SDRAM_BASE + 4096, 5, 0, data=b"hello")[0] == scp.OK
    assert ask(monitor, 2, SDRAM_BASE + 4096, 5) == (scp.OK, b"hello")
    assert ask(monitor, 5, SDRAM_BASE + 4096, 0x01020304, 8)[0] == scp.OK
    assert ask(monitor, 2, SDRAM_BASE + 4096, 9)[1] == b"\x04\x03\x02\x01" * 2 + b"\0"
    assert ask(monitor, 2, SDRAM_BASE + 4096, 5, chip=(1, 1))[1] == bytes(5)


@pytest.mark.parametrize(
    ("command", "words", "code"),
    [
        (2, (SDRAM_BASE, 257), scp.BAD_LENGTH),
        (2, (0x10000000, 4), scp.BAD_ARGUMENT),
        (2, (SDRAM_BASE + (128 << 20) - 2, 4), scp.BAD_ARGUMENT),
        (3, (SDRAM_BASE, 200), scp.BAD_LENGTH),
        (5, (SDRAM_BASE, 1, 0xFFFFFFFF), scp.BAD_ARGUMENT),
        (19, (0x0200_0002,), scp.BAD_ARGUMENT),
        (28, (99,), scp.BAD_ARGUMENT),
        (29, (2 | 2000 << 16, SDRAM_BASE, 1), scp.BAD_ARGUMENT),
        (77, (), scp.BAD_COMMAND),
    ],
)
def test_what_can_not_be_is_answered_with_a_code(monitor, command, words, code):
    assert ask(monitor, command, *words)[0] == code


def test_a_chip_that_is_not_there_has_no_route(monitor):
    assert ask(monitor, 0, chip=(9, 9))[0] == scp.NO_ROUTE


def test_memory_under_a_tag_is_given_once_and_again_only_to_a_repeated_request(monitor):
    first = struct.unpack("<I", ask(monitor, 28, 30 << 8, 100, 5)[1])[0]
    assert first
    assert struct.unpack("<I", ask(monitor, 28, 30 << 8, 100, 5)[1]) == (0,)
    assert struct.unpack("<I", ask(monitor, 28, 4 << 16 | 30 << 8, 100, 5)[1]) == (first,)
    assert struct.unpack("<I", ask(monitor, 28, 4 << 16 | 30 << 8, 104, 5)[1]) == (0,)
    assert struct.unpack("<I", ask(monitor, 28, 7 | 30 << 8, 5)[1]) == (first,)
    assert struct.unpack("<I", ask(monitor, 28, 2 | 30 << 8)[1]) == (1,)
    assert struct.unpack("<I", ask(monitor, 28, 7 | 30 << 8, 5)[1]) == (0,)


def test_tags_are_set_read_and_cleared(monitor):
    host = struct.unpack("<I", socket.inet_aton("10.0.0.7"))[0]
    assert ask(monitor, 26, 1 << 16 | 1 << 28 | 3, 4444, host)[0] == scp.OK
    assert monitor.tags[3] == scp.Tag(("10.0.0.7", 4444), strip=True)
    record = ask(monitor, 26, 2 << 16 | 3)[1]
    assert socket.inet_ntoa(record[:4]) == "10.0.0.7" and struct.unpack_from("<H", record, 10) == (4444,)
    ask(monitor, 26, 3 << 16 | 3)
    assert 3 not in monitor.tags


def start_something(monitor, cores, application=30, flags=1):
    image = struct.pack("<4I", 4, 0, 0, 0)
    ask(monitor, 3, IMAGE_PLACE, len(image), data=image)
    return ask(monitor, 19, application << 24 | flags << 18 | cores)[0]


def test_a_program_is_started_counted_and_stopped_with_all_it_has(board, monitor):
    assert start_something(monitor, 0b110) == scp.OK
    assert board.engine.running == {1: 1 << 8 | 30, 2: 1 << 8 | 30}
    assert struct.unpack("<I", ask(monitor, 15, 30, 4)[1]) == (2,)
    ask(monitor, 28, 30 << 8, 1000, 1)
    ask(monitor, 28, 3 | 30 << 8, 20)
    ask(monitor, 22, 0, 2 << 16 | 0xFF << 8 | 30)
    assert not board.engine.running
    assert struct.unpack("<I", ask(monitor, 15, 0, 15)[1])[0] == 4 * 17
    chip = board.chips[0, 0]
    assert chip.sdram_heap.largest == 123_469_792 and chip.router.largest == 1023


def test_an_image_is_copied_from_the_neighbour_and_started(board, monitor):
    image = struct.pack("<4I", 4, 0, 0, 0)
    ask(monitor, 3, IMAGE_PLACE, len(image), data=image)
    assert ask(monitor, 21, 3, len(image), 31 << 24 | 0b10, chip=(1, 0))[0] == scp.OK
    assert list(board.engine.running) == [core_number(board.chips[1, 0].number, 1)]


def test_a_failed_core_shows_its_registers_to_the_host(board, monitor):
    start_something(monitor, 0b100)
    board._failed(Failure(2, 5, tuple(range(8)), 0x1F, 0x40F000, 0x1234, 0x88))
    assert struct.unpack("<I", ask(monitor, 15, 30, 2)[1]) == (1,)
    block = ask(monitor, 2, 0xE5007000 + 128 * 2, 128)[1]
    assert struct.unpack_from("<11I", block) == (*range(8), 0x1F, 0x40F000, 0x1234) and block[0x2C] == 5


def test_a_message_waits_until_the_mailbox_is_free_and_reaches_the_core(board, monitor):
    start_something(monitor, 0b10)
    chip = board.chips[0, 0]
    message = bytes([0x87, 0xFF, 1 << 5 | 1, 0xFF, 0, 0, 0, 0]) + b"first"
    for _ in range(2):
        monitor.answer(b"\0\0" + message, SENDER)
    assert chip.ram.status(1, "command_in") == 1 and len(chip.mail[1]) == 1
    buffer = chip.ram.status(1, "message_in") - 0xE5000000
    length = struct.unpack_from("<H", chip.ram.view, buffer + 4)[0]
    assert chip.ram.read(buffer + 8, length)[8:] == b"first"
    chip.ram.set_status(1, command_in=0)
    chip.pump()
    assert not chip.mail and chip.ram.status(1, "command_in") == 1


def test_a_message_of_a_core_goes_out_by_its_tag(board, monitor):
    start_something(monitor, 0b10)
    ask(monitor, 26, 1 << 16 | 3, 4444, struct.unpack("<I", socket.inet_aton("10.0.0.7"))[0])
    chip = board.chips[0, 0]
    buffer = chip._take_buffer()
    content = bytes([0x07, 3, 0xFF, 1, 0, 0, 0, 0]) + b"spikes"
    chip.ram.write(buffer - 0xE5000000 + 4, struct.pack("<HH", len(content), 0) + content)
    chip.ram.set_status(1, message_out=buffer, command_out=1)
    chip.ram.set(mailbox_flags=0b10)
    board._monitor(chip.number)
    assert monitor.outgoing() == [(b"\0\0" + content, ("10.0.0.7", 4444))]
    assert chip.ram.get("free_messages") == buffer and chip.ram.status(1, "command_out") == 0


# ----------------------------------------------------------------------------------- robustness

COMMON = [*list(scp.COMMANDS), scp.TAGS]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(datagram=st.binary(max_size=400))
def test_any_datagram_is_survived(monitor, datagram):
    monitor.answer(datagram, SENDER)
    assert ask(monitor, 0)[0] == scp.OK


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.sampled_from(COMMON),
    words=st.tuples(*[st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 64), st.just(SDRAM_BASE))] * 3),
    data=st.binary(max_size=64),
    to=st.integers(0, 255),
    place=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    length=st.integers(0, 80),
)
def test_any_command_with_any_words_is_survived(monitor, command, words, data, to, place, length):
    header = bytes([0x87, 0xFF, to, 0xFF, *place, 0, 0])
    message = struct.pack("<HH3I", command, 1, *words) + data
    reply = monitor.answer(b"\0\0" + header + message[:length], SENDER)
    if to & 31 or length < 4:
        assert reply is None
    else:
        assert len(reply) >= 14


@pytest.mark.parametrize(
    "text",
    [
        "dead-chip=0,0",
        "dead-chip=5,5",
        "dead-core=0,0,0",
        "dead-core=0,0",
        "lose=2",
        "lose=x",
        "sdram=1GB",
        "fire=1",
    ],
)
def test_a_fault_without_a_meaning_is_refused_with_how_it_is_written(text):
    with pytest.raises(RequestError, match=text.split("=")[0]) as error:
        faults.parse(text)
    assert error.value.fix


def test_faults_are_read_as_written():
    read = faults.parse("dead-core=0,0,5; dead-core=1,1,6; stop-core=0,1,2@30; lose=0.25; sdram=2MiB; seed=3")
    assert read.dead_cores == {(0, 0, 5), (1, 1, 6)} and read.stopped_cores == {(0, 1, 2, 30)}
    assert (read.lose, read.sdram, read.seed) == (0.25, 2 << 20, 3)


# ---------------------------------------------------------------------------------- reverse tags


def test_what_comes_in_on_the_port_of_a_reverse_tag_reaches_its_core(board, monitor):
    start_something(monitor, 0b10)
    port = 42_001
    set_reverse = 1 << 16 | 1 << 29 | (2 << 5 | 1) << 8 | 5
    assert ask(monitor, 26, set_reverse, port, 0)[0] == scp.OK
    assert struct.unpack_from("<H", ask(monitor, 26, 2 << 16 | 5)[1], 10) == (port,)
    monitor.incoming(port + 1, b"not for it")
    chip = board.chips[0, 0]
    assert chip.ram.status(1, "command_in") == 0
    monitor.incoming(port, b"spikes")
    buffer = chip.ram.status(1, "message_in") - 0xE5000000
    length = struct.unpack_from("<H", chip.ram.view, buffer + 4)[0]
    message = chip.ram.read(buffer + 8, length)
    assert (message[2], message[8:]) == (2 << 5 | 1, b"spikes")


def test_the_server_listens_on_the_ports_of_reverse_tags_and_on_no_others(board):
    address, scp_socket, boot_socket = bind(None)
    serving = Server(board, scp_socket, boot_socket, lambda: True)
    start_something(serving.monitor, 0b10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind((address, 0))
        port = spare.getsockname()[1]

    def tag(word):
        header = bytes([0x87, 0xFF, 0, 0xFF, 0, 0, 0, 0])
        serving._act(True, b"\0\0" + header + struct.pack("<HH3I", 26, 1, word | 5, port, 0), SENDER)

    try:
        tag(1 << 16 | 1 << 29 | (2 << 5 | 1) << 8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
            outside.sendto(b"spikes", (address, port))
            serving._receive(2.0)
        assert board.chips[0, 0].ram.status(1, "command_in") == 1
        tag(3 << 16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind((address, port))  # it is free
    finally:
        for each in (scp_socket, boot_socket):
            each.close()
