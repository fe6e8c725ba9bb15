"""SCP: the datagrams of the host, each a command to a chip's monitor or a message to a core (``sc&mp`` 4.0)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from neurodeploy.backends.spinnaker.board import NAME
from neurodeploy.backends.spinnaker.board.chip import COMMAND_MESSAGE, Chip
from neurodeploy.backends.spinnaker.board.machine import Board
from neurodeploy.chips.spinnaker_map import LINKS, ROUTER_ENTRIES

OK, BAD_LENGTH, BAD_COMMAND, BAD_ARGUMENT, NO_ROUTE = 0x80, 0x81, 0x83, 0x84, 0x87

PADDING = b"\0\0"
HEADER, COMMAND, ARGUMENTS = 8, 4, 12
REPLY_WANTED = 0x80
MOST_BYTES = 256
VERSION_NUMBER, VERSION_TEXT = 0xFFFF0000 | MOST_BYTES, f"SC&MP/{NAME}\0004.0.0\0".encode()

TRANSIENT_FIRST, TRANSIENT_NUMBER, FIXED_TAGS = 128, 120, 8
TAG_INFORMATION = struct.pack("<4B", 9, 32, 8, 8)
TAG_IN_USE, TAG_STRIP, TAG_REVERSE = 0x8000, 0x0100, 0x0200

Address = tuple[str, int]
Words = tuple[int, int, int]
Answer = tuple[int, bytes]


@dataclass(frozen=True)
class Tag:
    """Where messages with a tag go.

    Attributes
    ----------
    address : (str, int)
    strip : bool
        Whether they go without their header.
    transient : bool
        Whether it was made for the reply to one request.
    """

    address: Address
    strip: bool = False
    transient: bool = False


@dataclass(frozen=True)
class ReverseTag:
    """A port of the board whose datagrams go to a core, without a header of their own."""

    port: int
    x: int
    y: int
    core_and_port: int


class Monitor:
    """Answers datagrams on behalf of every chip's monitor.

    Attributes
    ----------
    tags : dict of int to Tag
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.tags: dict[int, Tag] = {}
        self.reverse: dict[int, ReverseTag] = {}
        self._transient = 0

    def answer(self, datagram: bytes, sender: Address) -> bytes | None:
        """The reply to a datagram, None where there is none; nothing that comes in can do harm here."""
        message = datagram[len(PADDING) :]
        if len(message) < HEADER + COMMAND:
            return None
        flags, tag, to, came_from, y, x, source_y, source_x = message[:HEADER]
        if (x, y) == (255, 255):
            x, y = 0, 0
        chip = self.board.chips.get((x, y))
        wanted = flags & REPLY_WANTED
        if to & 31:
            if chip and (to & 31) in chip.running:
                back = self._transient_tag(sender) if wanted and tag == 0xFF else tag
                chip.post(to & 31, COMMAND_MESSAGE, bytes([flags, back, to, came_from, y, x]) + message[6:])
            return None
        command, sequence = struct.unpack_from("<HH", message, HEADER)
        arguments = message[HEADER + COMMAND :]
        words = struct.unpack_from("<3I", arguments.ljust(ARGUMENTS, b"\0"))
        code, content = NO_ROUTE, b""
        if chip:
            try:
                code, content = self._command(chip, command, words, arguments[ARGUMENTS:], sender)
            except (ValueError, IndexError, struct.error, OSError) as error:
                self.board.say(f"command {command} on chip {x}, {y}: {error}")
                code, content = BAD_ARGUMENT, b""
        if not wanted:
            return None
        header = bytes([0x07, tag, came_from, to, source_y, source_x, y, x])
        return PADDING + header + struct.pack("<HH", code, sequence) + content

    def outgoing(self) -> list[tuple[bytes, Address]]:
        """The datagrams that cores have sent out, by their tags."""
        messages, self.board.outbox = self.board.outbox, []
        found = []
        for message in messages:
            tag = self.tags.get(message[1])
            if tag is None:
                self.board.say(f"a core's message has tag {message[1]}, which is not set")
            else:
                found.append((message[HEADER:] if tag.strip else PADDING + message, tag.address))
        return found

    def incoming(self, port: int, datagram: bytes) -> None:
        """A datagram that came in on the port of a reverse tag."""
        for tag in self.reverse.values():
            chip = self.board.chips.get((tag.x, tag.y))
            if tag.port == port and chip:
                header = bytes([0x07, 0xFF, tag.core_and_port, 0xFF, tag.y, tag.x, 0, 0])
                chip.post(tag.core_and_port & 31, COMMAND_MESSAGE, header + datagram[:MOST_BYTES])

    def _transient_tag(self, sender: Address) -> int:
        for number, tag in self.tags.items():
            if tag.transient and tag.address == sender:
                return number
        number = TRANSIENT_FIRST + self._transient % TRANSIENT_NUMBER
        self._transient += 1
        self.tags[number] = Tag(sender, transient=True)
        return number

    # -------------------------------------------------------------------------------- commands

    def _command(self, chip: Chip, command: int, words: Words, data: bytes, sender: Address) -> Answer:
        if command == TAGS:
            return self._tags(words, sender)
        handler = COMMANDS.get(command)
        if handler is None:
            self.board.say(f"command {command} is not known")
            return BAD_COMMAND, b""
        return handler(self.board, chip, words, data)

    def _tags(self, words: Words, sender: Address) -> Answer:
        """IP tags: set, read, clear, and how they time out."""
        operation, number = words[0] >> 16 & 0xFF, words[0] & 0xFF
        if operation in (0, 1):
            port, host = words[1] & 0xFFFF, socket.inet_ntoa(struct.pack("<I", words[2]))
            if words[0] >> 29 & 1:
                place = (words[1] >> 24, words[1] >> 16 & 0xFF)
                self.reverse[number] = ReverseTag(port, *place, words[0] >> 8 & 0xFF)
            else:
                address = sender if words[0] >> 30 & 1 else (host, port)
                self.tags[number] = Tag(address, strip=bool(words[0] >> 28 & 1))
            return OK, struct.pack("<I", number)
        if operation == 2:
            return OK, self._tag_record(number)
        if operation == 3:
            self.tags.pop(number, None)
            self.reverse.pop(number, None)
            return OK, b""
        return OK, TAG_INFORMATION

    def _tag_record(self, number: int) -> bytes:
        layout = "<4s6sHHHIHBBB7x"
        if number in self.reverse:
            tag = self.reverse[number]
            flags = TAG_IN_USE | TAG_STRIP | TAG_REVERSE
            return struct.pack(
                layout, bytes(4), bytes(6), tag.port, 0, flags, 0, tag.port, tag.y, tag.x, tag.core_and_port
            )
        if number in self.tags:
            tag_out = self.tags[number]
            flags = TAG_IN_USE | (TAG_STRIP if tag_out.strip else 0)
            ip = socket.inet_aton(tag_out.address[0])
            return struct.pack(layout, ip, bytes(6), tag_out.address[1], 0, flags, 0, 0, 0, 0, 0)
        return bytes(struct.calcsize(layout))


def _version(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    place = chip.x << 24 | chip.y << 16
    return OK, struct.pack("<3I", place, VERSION_NUMBER, int(time.time())) + VERSION_TEXT


def _read(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    if words[1] > MOST_BYTES:
        return BAD_LENGTH, b""
    found = chip.read(words[0], words[1])
    return (BAD_ARGUMENT, b"") if found is None else (OK, found)


def _write(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    if words[1] > len(data):
        return BAD_LENGTH, b""
    return (OK if chip.write(words[0], data[: words[1]]) else BAD_ARGUMENT), b""


def _fill(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    address, value, length = words
    if chip.place(address, length) is None:
        return BAD_ARGUMENT, b""
    return (OK if chip.write(address, struct.pack("<I", value) * (length // 4)) else BAD_ARGUMENT), b""


def _count(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    return OK, struct.pack("<I", sum(each.count(words[0], words[1]) for each in board.by_number))


def _start(board: Board, chip: Chip, words: Words, data: bytes, selection: int = 0) -> Answer:
    mask, flags, application = _selection(words[selection])
    started = chip.start(chip.ram.get("system_sdram"), mask, application, flags)
    return (OK if started else BAD_ARGUMENT), b""


def _selection(word: int) -> tuple[int, int, int]:
    """Cores, flags and application of a word that selects what to start."""
    return word & 0x3FFFF, word >> 18 & 0x3F, word >> 24


def _copy_and_start(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    link, length = words[0] & 7, words[1]
    source = board.neighbour(chip, link) if link < len(LINKS) else None
    place = chip.ram.get("system_sdram")
    image = source.read(place, length) if source else None
    if image is None or not chip.write(place, image):
        return BAD_ARGUMENT, b""
    return _start(board, chip, words, data, selection=2)


def _broadcast(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    if words[0] >> 24 == 0:
        _signal_all(board, words[1] & 0x0FFFFFFF)
    return OK, b""


def _signal(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    _signal_all(board, words[1])
    return OK, b""


def _signal_all(board: Board, word: int) -> None:
    for chip in board.by_number:
        chip.signal(word >> 16 & 0xF, word & 0xFF, word >> 8 & 0xFF)


def _nothing(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    return OK, b""


def _allocation(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    operation, application, flags = words[0] & 0xFF, words[0] >> 8 & 0xFF, words[0] >> 16 & 0xFF
    heap = chip.sdram_heap
    if operation == 0:
        return OK, struct.pack("<I", chip.allocate(words[1], words[2], application, bool(flags & 4)))
    if operation == 1:
        chip.release(heap, words[1])
        return OK, b""
    if operation == 2:
        return OK, struct.pack("<I", chip.release_all(heap, application))
    if operation == 3:
        return OK, struct.pack("<I", chip.router.allocate(words[1], application))
    if operation == 4:
        chip.router.release(words[1], bool(words[2]))
        return OK, b""
    if operation == 5:
        return OK, struct.pack("<I", chip.router.release_all(application, bool(words[1])))
    if operation == 6:
        return OK, struct.pack("<2I", heap.free, heap.largest)
    if operation == 7:
        entry = chip.ram.get("tag_table") + 4 * (application << 8 | words[1] & 0xFF)
        return OK, chip.read(entry, 4) or bytes(4)
    return BAD_ARGUMENT, b""


def _router(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    operation, count = words[0] & 0xFF, words[0] >> 16
    if operation == 0:
        chip.router.reset()
    elif operation == 1:
        chip.router.clear(words[1], count)
    elif operation == 2:
        entries = chip.read(words[1], 16 * count) if count < ROUTER_ENTRIES else None
        if entries is None or not chip.router.load(entries, count, words[2]):
            return BAD_ARGUMENT, b""
    elif operation == 3:
        if words[1] >> 31:
            return OK, struct.pack("<I", chip.router.fixed)
        chip.router.fixed = words[1] & 0xFFFFFF
        chip.ram.set(fixed_route=chip.router.fixed)
        chip.router.changed = True
    else:
        return BAD_ARGUMENT, b""
    return OK, b""


def _information(board: Board, chip: Chip, words: Words, data: bytes) -> Answer:
    ethernet = (chip.x, chip.y) == (0, 0)
    summary = len(chip.physical) | board.links(chip) << 8 | chip.router.largest << 14 | int(ethernet) << 25
    states = bytes(chip.ram.status(core, "state") for core in range(len(chip.physical))).ljust(18, b"\0")
    ip = struct.pack("<I", chip.ram.get("ip_address"))
    sizes = struct.pack("<3I", summary, chip.sdram_heap.largest, chip.system_heap.largest)
    return OK, sizes + states + PADDING + ip + bytes([board.link_to(chip, 0, 0), 0])


TAGS = 26

COMMANDS: dict[int, Callable[[Board, Chip, Words, bytes], Answer]] = {
    0: _version,
    2: _read,
    3: _write,
    5: _fill,
    15: _count,
    19: _start,
    20: _broadcast,
    21: _copy_and_start,
    22: _signal,
    25: _nothing,  # LEDs
    28: _allocation,
    29: _router,
    31: _information,
    32: _nothing,  # clock synchronisation between chips, which share one clock here
}
"""Commands but those to tags, by number."""
