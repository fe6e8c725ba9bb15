"""A Network under the rules of a Loihi, in the compiled engine: lowered for the chip, executed in its whole numbers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.brian2.loihi import LoihiEngine
from neurodeploy.backends.loihi.changing import membranes
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program_session import ProgramSession
from neurodeploy.chips.loihi import chip_by_name
from neurodeploy.models.network import Network


class LoihiEngineSession(ProgramSession):
    """The Program that the loihi backend would run in Lava, in the engine; see :class:`neurodeploy.backends.base.Session`."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network, self.options = network, options
        self.chip = chip_by_name(options.rules)
        self.report = Report(executed_by="chip arithmetic")
        started = time.perf_counter()
        self.program = lower(network, self.chip.name, options.allow_losses)
        self._membranes = membranes(network, self.chip)
        self.report.changes += self.program.changes
        self.report.quantisation = self.program.report
        self.report.wall["build"] = time.perf_counter() - started
        self.engine = LoihiEngine(self.program, options, self.report)
        self.report.wall["run"] = 0.0
        self.report.facts |= {
            "rules": self.chip.name,
            "network": network.digest(),
            "neurons": network.neuron_count,
            "synapses": network.synapse_count,
        }

    @property
    def step(self) -> int:  # type: ignore[override]
        return self.engine.step

    def run(self, steps: int) -> None:
        self.engine.running.running()
        started, end = time.perf_counter(), self.step + steps
        self._draw(self.step, end)

        def at(step: int) -> None:
            if self.options.progress:
                self.options.progress("run", step, end)

        self.engine.run(steps, at)
        at(end)
        self.report.wall["run"] += time.perf_counter() - started

    def _spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        return self.engine.spikes(group)

    def _samples(self, recorded: int) -> np.ndarray:
        return self.engine.samples(recorded)

    def _state(self, group: int, name: str) -> np.ndarray:
        return self.engine.state(group, name)

    def _mantissa(self, synapses: int) -> np.ndarray:
        return self.engine.mantissa(synapses)

    def _change(self, kind: str, position: int, name: str, value: Any) -> None:
        if kind == "values":
            self.engine.set_values(position, **{name: value})
        elif kind == "spikes":
            self.engine.set_spikes(position, *value)
        else:
            self.engine.set_mantissa(position, value)

    def end(self) -> None:
        self.engine.end()
        if self.options.folder is not None:
            self.options.folder.mkdir(parents=True, exist_ok=True)
            self.program.write(self.options.folder)
            self.program.report.save(self.options.folder)
