"""A board: its chips, the links between them, the way of a packet, and the messages to and from its cores."""

from __future__ import annotations

import socket
from collections.abc import Callable

from neurodeploy.backends.spinnaker.board import system_ram as ram
from neurodeploy.backends.spinnaker.board.chip import COMMAND_MESSAGE, STOP, Chip
from neurodeploy.backends.spinnaker.board.engine import Engine, Failure, Path, Services, core_number
from neurodeploy.backends.spinnaker.board.faults import Faults
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.chips.spinnaker_map import (
    BOARD_SIDES,
    CORES_PER_CHIP,
    COUNT_DROPPED,
    COUNT_DROPPED_FIXED,
    COUNT_EXTERNAL,
    COUNT_EXTERNAL_FIXED,
    COUNT_LOCAL,
    COUNT_LOCAL_FIXED,
    LINKS,
    P2P_NONE,
    P2P_THIS_CHIP,
    ROUTE_CORES_SHIFT,
    ROUTER_COUNTERS,
    board_chips,
    neighbour,
)

MOST_HOPS = 512
"""Chips that a packet may visit: one that goes round in circles is dropped, as its time phase would have it."""

EngineOf = Callable[[list[Chip], Services], Engine]


class Board:
    """A booted board.

    Parameters
    ----------
    version : int
        3 (2 x 2 chips) or 5 (48 chips).
    address : str
        What it calls its own IP address.
    engine_of : callable(chips, services)
        Makes the engine that executes the cores.
    faults : Faults
    say : callable(str)
        Gets a line for whatever a log should have.

    Attributes
    ----------
    outbox : list of bytes
        SDP messages that cores have sent to the world outside.
    """

    def __init__(
        self,
        version: int,
        address: str,
        engine_of: EngineOf,
        faults: Faults | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.version, self.faults, self.say = version, faults or Faults(), say
        self.sides = BOARD_SIDES[version]
        alive = [place for place in board_chips(version) if place not in self.faults.dead_chips]
        self.chips = {
            (x, y): Chip(number, x, y, self._working_cores(x, y)) for number, (x, y) in enumerate(alive)
        }
        self.by_number = list(self.chips.values())
        self._dead_links = self._both_directions()
        self.outbox: list[bytes] = []
        self._to_stop = set(self.faults.stopped_cores)
        ip = socket.inet_aton(address)
        distances = {place: self._distances(place) for place in self.chips}
        for place, chip in self.chips.items():
            chip.said = say
            chip.boot(
                version, self.sides, self.links(chip), ip if place == (0, 0) else None, self.faults.sdram
            )
            hops = {other: self._first_link(chip, distances[other]) for other in self.chips}
            chip.router.set_point_to_point(hops, P2P_NONE)
        self.engine = engine_of(
            self.by_number, Services(self._monitor, self._path, self._failed, self._router_written)
        )
        for chip in self.by_number:
            chip.engine = self.engine

    def _working_cores(self, x: int, y: int) -> list[int]:
        return [core for core in range(CORES_PER_CHIP) if (x, y, core) not in self.faults.dead_cores]

    # ----------------------------------------------------------------------------------- links

    def _both_directions(self) -> set[tuple[int, int, int]]:
        dead = set(self.faults.dead_links)
        for x, y, link in self.faults.dead_links:
            dead.add((*neighbour(self.version, x, y, link), (link + 3) % len(LINKS)))
        return dead

    def neighbour(self, chip: Chip, link: int) -> Chip | None:
        """The chip that a link leads to, where both work."""
        if (chip.x, chip.y, link) in self._dead_links:
            return None
        return self.chips.get(neighbour(self.version, chip.x, chip.y, link))

    def links(self, chip: Chip) -> int:
        """Mask of the links of a chip that work."""
        return sum(1 << link for link in range(len(LINKS)) if self.neighbour(chip, link))

    def _distances(self, place: tuple[int, int]) -> dict[tuple[int, int], int]:
        """Links between a chip and every other that it can reach."""
        distances, front = {place: 0}, [self.chips[place]]
        while front:
            reached = []
            for chip in front:
                for link in range(len(LINKS)):
                    other = self.neighbour(chip, link)
                    if other and (other.x, other.y) not in distances:
                        distances[other.x, other.y] = distances[chip.x, chip.y] + 1
                        reached.append(other)
            front = reached
        return distances

    def _first_link(self, chip: Chip, distances: dict[tuple[int, int], int]) -> int:
        """The link on a shortest way from `chip` to where `distances` are measured from."""
        mine = distances.get((chip.x, chip.y))
        if not mine:
            return P2P_THIS_CHIP if mine == 0 else P2P_NONE
        for link in range(len(LINKS)):
            other = self.neighbour(chip, link)
            if other and distances.get((other.x, other.y)) == mine - 1:
                return link
        return P2P_NONE

    def link_to(self, chip: Chip, x: int, y: int) -> int:
        """The link on a shortest way from `chip` to chip (`x`, `y`)."""
        return self._first_link(chip, self._distances((x, y)))

    # --------------------------------------------------------------------------------- packets

    def _path(self, number: int, key: int, fixed: bool) -> Path:
        """Where a packet of a core of chip `number` goes: entries, default routes, links."""
        local, external, dropped = (
            (COUNT_LOCAL_FIXED, COUNT_EXTERNAL_FIXED, COUNT_DROPPED_FIXED)
            if fixed
            else (COUNT_LOCAL, COUNT_EXTERNAL, COUNT_DROPPED)
        )
        cores: list[int] = []
        counters: list[tuple[Memory, int]] = []

        def count(chip: Chip, counter: int) -> None:
            counters.append((chip.router.registers, ROUTER_COUNTERS + 4 * counter))

        front: list[tuple[Chip, int | None]] = [(self.by_number[number], None)]
        count(front[0][0], local)
        visited = 0
        while front:
            chip, came = front.pop()
            visited += 1
            route = chip.router.fixed if fixed else self._route(chip, key)
            if route is None:
                if came is None:
                    count(chip, dropped)
                    continue
                route = 1 << (came + 3) % len(LINKS)
            for link in range(len(LINKS)):
                if route >> link & 1:
                    other = self.neighbour(chip, link)
                    lossy = (chip.x, chip.y, link) in self.faults.lossy_links
                    if other is None or lossy or visited >= MOST_HOPS:
                        count(chip, dropped)
                        continue
                    count(other, external)
                    front.append((other, (link + 3) % len(LINKS)))
            cores += [
                core_number(chip.number, core) for core in chip.cores if route >> ROUTE_CORES_SHIFT + core & 1
            ]
        return Path(tuple(cores), tuple(counters))

    def _route(self, chip: Chip, key: int) -> int | None:
        for index in sorted(chip.router.table):
            wanted, mask, route = chip.router.table[index]
            if key & mask == wanted:
                return route
        return None

    # -------------------------------------------------------------------------------- services

    def _router_written(self, number: int, offset: int, value: int) -> None:
        self.by_number[number].router.write_register(offset, value)

    def _failed(self, failure: Failure) -> None:
        self.by_number[failure.core // CORES_PER_CHIP].fail(failure)

    def _monitor(self, number: int) -> None:
        for message in self.by_number[number].collect():
            self.send(message)

    def send(self, message: bytes) -> None:
        """Route an SDP message of a core: to another core, or out."""
        if len(message) < 8:
            return
        port, y, x = message[2], message[4], message[5]
        if port == 0xFF:
            self.outbox.append(message)
        elif (x, y) in self.chips and port & 31:
            self.chips[x, y].post(port & 31, COMMAND_MESSAGE, message)

    def advance(self) -> bool:
        """Run some of what is to be done; False where nothing is."""
        if any(chip.router.changed for chip in self.by_number):
            for chip in self.by_number:
                chip.router.changed = False
            self.engine.forget_paths()
        alone = not self._to_stop and not any(chip.mail for chip in self.by_number)
        busy = self.engine.advance(whole_piece=alone)
        for chip in self.by_number:
            if chip.mail:
                chip.pump()
        self._stop_cores()
        return busy

    def _stop_cores(self) -> None:
        """Bring about the run-time errors that were asked for."""
        for x, y, core, tick in list(self._to_stop):
            chip = self.chips.get((x, y))
            if chip and core in chip.running and self.engine.ticks(chip.core_number(core)) >= max(tick, 1):
                self._to_stop.discard((x, y, core, tick))
                self.engine.stop(chip.core_number(core))
                chip.fail(Failure(chip.core_number(core), ram.ERROR_SOFTWARE))

    def stop_everything(self) -> None:
        """Stop every application, and free what they had."""
        for chip in self.by_number:
            chip.signal(STOP, 0, 0)

    def close(self) -> None:
        self.engine.close()
