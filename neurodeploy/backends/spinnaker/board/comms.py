"""A core's communications controller: one packet out by a write of its key, packets in from a queue."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from neurodeploy.chips.spinnaker_map import (
    COMMS_CONTROL_SHIFT,
    COMMS_RX_DATA,
    COMMS_RX_KEY,
    COMMS_RX_RECEIVED,
    COMMS_RX_STATUS,
    COMMS_TX_CONTROL,
    COMMS_TX_DATA,
    COMMS_TX_IDLE,
    COMMS_TX_KEY,
    PACKET_FIXED_ROUTE,
    PACKET_PAYLOAD,
    PACKET_TYPE,
    SOURCE_FIXED_ROUTE,
    SOURCE_MULTICAST,
    SOURCE_PACKET_READY,
)


class Packet(NamedTuple):
    control: int
    key: int
    payload: int

    @property
    def fixed(self) -> bool:
        """Whether it takes the fixed route."""
        return self.control & PACKET_TYPE == PACKET_FIXED_ROUTE


class Comms:
    """See the module.

    Attributes
    ----------
    received, sent : deque of Packet
        What waits for the core, and what it has sent in this round.
    """

    def __init__(self) -> None:
        self.control = self.data = 0
        self.received: deque[Packet] = deque()
        self.sent: list[Packet] = []

    @property
    def lines(self) -> int:
        if not self.received:
            return 0
        kind = SOURCE_FIXED_ROUTE if self.received[0].fixed else SOURCE_MULTICAST
        return 1 << SOURCE_PACKET_READY | 1 << kind

    def read(self, offset: int) -> int:
        if offset == COMMS_TX_CONTROL:
            return self.control & ~0xF0000000 | COMMS_TX_IDLE
        if not self.received:
            return 0
        first = self.received[0]
        if offset == COMMS_RX_STATUS:
            return COMMS_RX_RECEIVED | first.control << COMMS_CONTROL_SHIFT
        if offset == COMMS_RX_DATA:
            return first.payload
        if offset == COMMS_RX_KEY:
            return self.received.popleft().key
        return 0

    def write(self, offset: int, value: int) -> None:
        if offset == COMMS_TX_CONTROL:
            self.control = value
        elif offset == COMMS_TX_DATA:
            self.data = value
        elif offset == COMMS_TX_KEY:
            control = self.control >> COMMS_CONTROL_SHIFT & 0xFF
            self.sent.append(Packet(control, value, self.data if control & PACKET_PAYLOAD else 0))
