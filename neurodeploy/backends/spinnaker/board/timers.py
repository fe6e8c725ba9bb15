"""A core's two timers (SP804): they count down in cycles of the clock, and interrupt at zero."""

from __future__ import annotations

from neurodeploy.chips.spinnaker_map import (
    TIMER_BACKGROUND,
    TIMER_CLEAR,
    TIMER_CONTROL,
    TIMER_COUNT,
    TIMER_ENABLED,
    TIMER_INTERRUPTS,
    TIMER_LOAD,
    TIMER_MASKED,
    TIMER_ONE_SHOT,
    TIMER_PERIODIC,
    TIMER_PRESCALE_SHIFT,
    TIMER_RAW,
)

NEVER = 1 << 62
PRESCALE = (1, 16, 256, 1)


class Timer:
    """One timer.

    Attributes
    ----------
    fire : int or None
        When it reaches zero; None where it does not count.
    spent : bool
        It has reached zero, and stays there until it is set again.
    raised : bool
        Whether its interrupt waits to be cleared.
    """

    def __init__(self) -> None:
        self.load = self.background = self.control = 0
        self.fire: int | None = None
        self.raised = self.spent = False

    @property
    def prescale(self) -> int:
        return PRESCALE[self.control >> TIMER_PRESCALE_SHIFT & 3]

    @property
    def line(self) -> bool:
        """Its interrupt line."""
        return self.raised and bool(self.control & TIMER_INTERRUPTS)

    @property
    def next(self) -> int:
        """When it will interrupt; `NEVER` where it won't."""
        if self.fire is None or self.spent or not self.control & TIMER_INTERRUPTS:
            return NEVER
        return self.fire

    def expire(self, now: int) -> bool:
        """Let it interrupt where it is due."""
        if self.next > now:
            return False
        assert self.fire is not None
        self.raised = True
        again = self.control & TIMER_PERIODIC and not self.control & TIMER_ONE_SHOT and self.background
        self.spent = not again
        if again:
            self.fire += self.background * self.prescale
        return True

    def read(self, offset: int, now: int) -> int:
        if offset == TIMER_COUNT:
            if self.fire is None:
                return self.load
            left = self.fire - now
            if left < 0 and self.control & (TIMER_PERIODIC | TIMER_ONE_SHOT):
                return 0
            return left // self.prescale & 0xFFFFFFFF
        return {
            TIMER_LOAD: self.load,
            TIMER_CONTROL: self.control,
            TIMER_RAW: int(self.raised),
            TIMER_MASKED: int(self.line),
            TIMER_BACKGROUND: self.background,
        }.get(offset, 0)

    def write(self, offset: int, value: int, now: int) -> None:
        if offset == TIMER_LOAD:
            self.load = self.background = value
            if self.control & TIMER_ENABLED:
                self._begin(now)
        elif offset == TIMER_CONTROL:
            counted = self.control & TIMER_ENABLED
            self.control = value
            if not value & TIMER_ENABLED:
                self.fire = None
            elif not counted:
                self._begin(now)
        elif offset == TIMER_CLEAR:
            self.raised = False
        elif offset == TIMER_BACKGROUND:
            self.background = value

    def _begin(self, now: int) -> None:
        self.fire, self.spent = now + self.load * self.prescale, False
