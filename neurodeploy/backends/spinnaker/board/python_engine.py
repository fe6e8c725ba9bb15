"""The engine in Python: slower than the native one, needs no compiler, and computes the same."""

from __future__ import annotations

import threading
import time
from collections import Counter

from neurodeploy.backends.spinnaker.board.aplx import Image
from neurodeploy.backends.spinnaker.board.core import Core
from neurodeploy.backends.spinnaker.board.engine import (
    SLICE_SECONDS,
    ChipMemories,
    Failure,
    Path,
    Services,
    core_number,
)
from neurodeploy.backends.spinnaker.board.timers import NEVER
from neurodeploy.chips.spinnaker_map import CORES_PER_CHIP


class PythonEngine:
    """See :class:`neurodeploy.backends.spinnaker.board.engine.Engine`."""

    name = "python"

    def __init__(
        self, chips: list[ChipMemories], services: Services, slice_seconds: float = SLICE_SECONDS
    ) -> None:
        self.chips, self.services = chips, services
        self.now = 0
        self.cores: dict[int, Core] = {}
        self._ready: set[int] = set()
        self._round: tuple[int, ...] = ()
        self._paths: dict[tuple[int, int, bool], Path] = {}
        self._count: Counter[str] = Counter()
        self._watchdog = Watchdog(slice_seconds)

    def start(self, core: int, physical: int, image: Image, register0: int) -> None:
        self.stop(core)
        self.cores[core] = Core(self, core, physical, self.chips[core // CORES_PER_CHIP], image, register0)
        self._ready.add(core)

    def stop(self, core: int) -> None:
        stopped = self.cores.pop(core, None)
        if stopped is not None:
            stopped.alive = False
        self._ready.discard(core)

    def interrupt(self, core: int) -> None:
        if core in self.cores:
            self.cores[core].cpu_interrupt = True
            self._ready.add(core)

    def interrupt_physical(self, chip: int, physical: int, on: bool) -> None:
        """Drive the line of a core, as another core of its chip does."""
        if physical == 0:
            if on:
                self.services.monitor(chip)
            return
        for virtual in range(1, CORES_PER_CHIP):
            core = self.cores.get(core_number(chip, virtual))
            if core is not None and core.physical == physical:
                core.cpu_interrupt = on
                if on:
                    self._ready.add(core.number)

    def forget_paths(self) -> None:
        self._paths.clear()

    def others_before(self, core: Core) -> bool:
        """Whether `core` has run past something that comes first."""
        if len(self._round) > 1 or core.comms.sent:
            return True
        return min(other.next for other in self.cores.values()) < core.local

    def advance(self, whole_piece: bool = True) -> bool:
        if not self._ready:
            upcoming = min((core.next for core in self.cores.values()), default=NEVER)
            if upcoming == NEVER:
                return False
            self.now = max(self.now, upcoming)
            for core in self.cores.values():
                if core.next <= self.now:
                    core.expire(self.now)
                    self._ready.add(core.number)
        self._round = tuple(sorted(self._ready))
        self._ready.clear()
        self._count["rounds"] += 1
        for number in self._round:
            if number in self.cores:
                with self._watchdog.watching(self.cores[number]):
                    self.cores[number].run()
        for number in self._round:
            if number in self.cores:
                self._deliver(self.cores[number])
        return True

    def _deliver(self, core: Core) -> None:
        sent, core.comms.sent = core.comms.sent, []
        self._count["packets"] += len(sent)
        for packet in sent:
            key = (core.chip, packet.key, packet.fixed)
            path = self._paths.get(key)
            if path is None:
                path = self._paths[key] = self.services.path(*key)
            for memory, offset in path.counters:
                memory.set_word(offset, memory.word(offset) + 1)
            for number in path.cores:
                target = self.cores.get(number)
                if target is not None:
                    target.comms.received.append(packet)
                    self._ready.add(number)

    def failed(self, failure: Failure) -> None:
        self.cores.pop(failure.core, None)
        self._ready.discard(failure.core)
        self.services.failed(failure)

    def ticks(self, core: int) -> int:
        return self.cores[core].ticks if core in self.cores else 0

    def totals(self) -> dict[str, int]:
        return {"rounds": self._count["rounds"], "packets": self._count["packets"]}

    def close(self) -> None:
        self._watchdog.close()
        for core in list(self.cores):
            self.stop(core)


class Watchdog:
    """Stops a core that has run for too long without a sleep."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._core: Core | None = None
        self._since = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def watching(self, core: Core) -> Watchdog:
        self._since, self._core = time.monotonic(), core
        return self

    def __enter__(self) -> None:
        """Begun by :meth:`watching`."""

    def __exit__(self, *_: object) -> None:
        self._core = None

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, self.seconds / 4)):
            core = self._core
            if core is not None and time.monotonic() - self._since > self.seconds:
                core.hung = True
                core.uc.emu_stop()

    def close(self) -> None:
        self._closed.set()
