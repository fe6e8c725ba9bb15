"""The board's place in the network: two UDP ports at an address of this machine, and time that passes between datagrams."""

from __future__ import annotations

import contextlib
import heapq
import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator

from neurodeploy.backends.spinnaker.board import SO_FAR
from neurodeploy.backends.spinnaker.board.faults import DELAY_SECONDS
from neurodeploy.backends.spinnaker.board.machine import Board
from neurodeploy.backends.spinnaker.board.scp import Address, Monitor
from neurodeploy.chips.spinnaker_map import CLOCK_MHZ, SCP_PORT
from neurodeploy.errors import RunError

BOOT_PORT = 54321
"""Fixed in the tools: several boards on one machine need an address each."""

PLAIN_ADDRESS = "127.0.0.1"
TRIES = 32
RECEIVE_BUFFER = 1 << 22
LARGEST_DATAGRAM = 2048
PATIENCE = 0.2
"""Seconds between two looks at whether the board is still wanted."""

WORD_EVERY = 1.0
"""Seconds between two words about how far the chip's time has come."""


def addresses() -> Iterator[str]:
    """Loopback addresses to try; a system that has but one, as macOS, ends up with that."""
    draw = random.Random(os.urandom(8))
    for _ in range(TRIES):
        yield f"127.{draw.randint(1, 254)}.{draw.randint(1, 254)}.{draw.randint(2, 254)}"
    yield PLAIN_ADDRESS


def bind(address: str | None) -> tuple[str, socket.socket, socket.socket]:
    """The address, and sockets for SCP and for the boot protocol there.

    Raises
    ------
    RunError
        The address is not this machine's, or is in use.
    """
    reason = ""
    for candidate in [address] if address else addresses():
        pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            for port, each in zip((SCP_PORT, BOOT_PORT), pair, strict=True):
                each.bind((candidate, port))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            for each in pair:
                each.close()
            continue
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return candidate, pair[0], pair[1]
    raise RunError(
        f"The emulated board can't be reached at {address or 'any loopback address'}: {reason}",
        why=f"UDP ports {SCP_PORT} and {BOOT_PORT} of the address are fixed by sPyNNaker",
        fix="leave the address out, or end what else listens there",
    )


def gone(host: Address) -> bool:
    """Whether a socket of this machine is closed; of another machine's nothing can be said."""
    if not host[0].startswith("127."):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(host)
        except OSError:
            return False
    return True


class Server:
    """Lets a board answer what comes in, and run in between.

    Parameters
    ----------
    wanted : callable
        False ends it.
    """

    def __init__(
        self, board: Board, scp: socket.socket, boot: socket.socket, wanted: Callable[[], bool]
    ) -> None:
        self.board, self.scp, self.boot, self.wanted = board, scp, boot, wanted
        self.monitor = Monitor(board)
        self.faults = board.faults
        self._draw = random.Random(self.faults.seed)
        self._received = 0
        self._hosts: set[Address] = set()
        self._late: list[tuple[float, int, bool, bytes, Address]] = []
        self._reverse: dict[int, socket.socket] = {}

    def run(self) -> None:
        """Serve until the board is no longer wanted."""
        busy, next_look, next_word = True, 0.0, 0.0
        began: tuple[float, int, dict[str, int]] | None = None
        while True:
            now = time.monotonic()
            if now >= next_look:
                next_look = now + PATIENCE
                if not self.wanted():
                    return
            wait = 0.0 if busy else PATIENCE
            if self._late:
                wait = max(0.0, min(wait, self._late[0][0] - now))
            self._receive(wait)
            self._take_late()
            started = self.board.engine.now
            busy = self.board.advance()
            self._send_outgoing()
            if busy and self.board.engine.now != started and began is None:
                began = (now, started, self.board.engine.totals())
                next_word = now + WORD_EVERY
            elif busy and began is not None and now >= next_word:
                self.board.say(f"{self._passed(began[1]):.0f}{SO_FAR}")
                next_word = now + WORD_EVERY
            elif not busy and began is not None:
                self._say_speed(*began)
                began = None

    def _passed(self, instant: int) -> float:
        """ms of the chip's time since `instant`."""
        return (self.board.engine.now - instant) / CLOCK_MHZ / 1000

    def _say_speed(self, since: float, instant: int, totals: dict[str, int]) -> None:
        passed = self._passed(instant)
        now = self.board.engine.totals()
        counts = ", ".join(f"{now[name] - totals[name]:,} {name}" for name in now)
        self.board.say(f"{passed:.1f} ms of the chip's time in {time.monotonic() - since:.3f} s: {counts}")

    # ------------------------------------------------------------------------------- datagrams

    def _receive(self, wait: float) -> None:
        sockets = {self.scp: 0, self.boot: 0} | {each: port for port, each in self._reverse.items()}
        ready, _, _ = select.select(list(sockets), [], [], wait)
        for each in ready:
            with contextlib.suppress(ConnectionError, BlockingIOError):
                datagram, sender = each.recvfrom(LARGEST_DATAGRAM)
                if each is self.scp:
                    for _ in range(self._copies()):
                        self._pass_on(True, datagram, sender)
                elif each is not self.boot:
                    self.monitor.incoming(sockets[each], datagram)

    def _copies(self) -> int:
        """How often a datagram arrives: not at all, once or twice."""
        if self._draw.random() < self.faults.lose:
            return 0
        return 2 if self._draw.random() < self.faults.duplicate else 1

    def _pass_on(self, inward: bool, datagram: bytes, address: Address) -> None:
        """Act on a datagram now, or later where it is to be late."""
        if self.faults.delay and self._draw.random() < self.faults.delay:
            due = time.monotonic() + DELAY_SECONDS
            heapq.heappush(self._late, (due, len(self._late), inward, datagram, address))
        else:
            self._act(inward, datagram, address)

    def _take_late(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, inward, datagram, address = heapq.heappop(self._late)
            self._act(inward, datagram, address)

    def _act(self, inward: bool, datagram: bytes, address: Address) -> None:
        if not inward:
            with contextlib.suppress(OSError):
                self.scp.sendto(datagram, address)
            return
        self._received += 1
        if address not in self._hosts:
            self._welcome(address)
        if self.faults.silent_after is not None and self._received > self.faults.silent_after:
            return
        reply = self.monitor.answer(datagram, address)
        if reply is not None:
            self._send(reply, address)
        if self.monitor.reverse or self._reverse:
            self._open_reverse()

    def _welcome(self, address: Address) -> None:
        """A new host: where those before are gone, end what they have left running, as a reset would."""
        if self._hosts and all(gone(host) for host in self._hosts):
            self._hosts.clear()
            if any(chip.running for chip in self.board.by_number):
                self.board.say("the host that used the board is gone; what it left running is stopped")
                self.board.stop_everything()
        self._hosts.add(address)

    def _send(self, datagram: bytes, address: Address) -> None:
        for _ in range(self._copies()):
            self._pass_on(False, datagram, address)

    def _send_outgoing(self) -> None:
        for datagram, address in self.monitor.outgoing():
            self._send(datagram, address)

    def _open_reverse(self) -> None:
        """Listen on the ports of the reverse tags, and on no other."""
        wanted = {tag.port for tag in self.monitor.reverse.values()}
        for port in set(self._reverse) - wanted:
            self._reverse.pop(port).close()
        for port in wanted - set(self._reverse):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                each.bind((self.scp.getsockname()[0], port))
            except OSError as error:
                each.close()
                self.board.say(f"port {port} of a reverse tag can't be opened: {error.strerror}")
            else:
                self._reverse[port] = each
