"""The vectored interrupt controller of a core (PL190).

While a vectored interrupt is in service only higher slots interrupt, until the vector register is written: handlers
that let interrupts in early rely on it.
"""

from __future__ import annotations

from neurodeploy.chips.spinnaker_map import (
    VIC_CONTROLS,
    VIC_CURRENT,
    VIC_DEFAULT,
    VIC_DISABLE,
    VIC_ENABLE,
    VIC_FIQ_STATUS,
    VIC_IRQ_STATUS,
    VIC_RAW,
    VIC_SELECT,
    VIC_SLOT_ON,
    VIC_SLOT_SOURCE,
    VIC_SLOTS,
    VIC_SOFT_CLEAR,
    VIC_SOFT_SET,
    VIC_VECTORS,
)

IRQ, FIQ = 1, 2
DEFAULT_SLOT = VIC_SLOTS
NOTHING_SERVED = VIC_SLOTS + 1
DEEPEST = 32


class Vic:
    """Registers and priorities; the lines themselves are the devices' and are given with every question."""

    def __init__(self) -> None:
        self.enabled = self.fast = self.soft = self.default = 0
        self.vectors = [0] * VIC_SLOTS
        self.controls = [0] * VIC_SLOTS
        self.served = [NOTHING_SERVED]

    def pending(self, lines: int) -> int:
        """`IRQ` and `FIQ`, or neither: what the core would be signalled."""
        lines &= self.enabled
        if not lines:
            return 0
        result = FIQ if lines & self.fast else 0
        slow = lines & ~self.fast
        if slow and self._slot(slow) < self.served[-1]:
            result |= IRQ
        return result

    def _slot(self, lines: int) -> int:
        for slot, control in enumerate(self.controls):
            if control & VIC_SLOT_ON and lines >> (control & VIC_SLOT_SOURCE) & 1:
                return slot
        return DEFAULT_SLOT

    def begin(self, lines: int) -> int:
        """Take the most urgent interrupt into service; gives its vector."""
        slow = lines & self.enabled & ~self.fast
        slot = self._slot(slow) if slow else DEFAULT_SLOT
        if len(self.served) < DEEPEST:
            self.served.append(slot)
        return self.default if slot == DEFAULT_SLOT else self.vectors[slot]

    def read(self, offset: int, lines: int) -> int:
        if offset == VIC_CURRENT:
            return self.begin(lines)
        if VIC_VECTORS <= offset < VIC_VECTORS + 4 * VIC_SLOTS:
            return self.vectors[(offset - VIC_VECTORS) // 4]
        if VIC_CONTROLS <= offset < VIC_CONTROLS + 4 * VIC_SLOTS:
            return self.controls[(offset - VIC_CONTROLS) // 4]
        return {
            VIC_IRQ_STATUS: lines & self.enabled & ~self.fast,
            VIC_FIQ_STATUS: lines & self.enabled & self.fast,
            VIC_RAW: lines,
            VIC_SELECT: self.fast,
            VIC_ENABLE: self.enabled,
            VIC_DEFAULT: self.default,
        }.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == VIC_ENABLE:
            self.enabled |= value
        elif offset == VIC_DISABLE:
            self.enabled &= ~value
        elif offset == VIC_SELECT:
            self.fast = value
        elif offset == VIC_SOFT_SET:
            self.soft |= value
        elif offset == VIC_SOFT_CLEAR:
            self.soft &= ~value
        elif offset == VIC_DEFAULT:
            self.default = value
        elif offset == VIC_CURRENT:
            if len(self.served) > 1:
                self.served.pop()
        elif VIC_VECTORS <= offset < VIC_VECTORS + 4 * VIC_SLOTS:
            self.vectors[(offset - VIC_VECTORS) // 4] = value
        elif VIC_CONTROLS <= offset < VIC_CONTROLS + 4 * VIC_SLOTS:
            self.controls[(offset - VIC_CONTROLS) // 4] = value
