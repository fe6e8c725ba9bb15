"""Loihi: a Network becomes a Program in the chip's own numbers, executed by Lava or by our own engine.

The core never imports Lava: a runner does, in an interpreter of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.costs import UNKNOWN, Costs, Rates, counted, expected
from neurodeploy.errors import RequestError
from neurodeploy.findings import Examination
from neurodeploy.models.network import Network

if TYPE_CHECKING:
    from neurodeploy.hardware import LoihiHardware

MACHINES = {"loihi2": "loihi2-sim", "loihi1": "loihi1-sim", "spinnaker": "lava-float"}
"""The rules that the backend runs, and a machine for each: this one, in Lava."""

FLOAT = "spinnaker"
"""SpiNNaker's ticks in Lava's floating point: a reference on the CPU, which no Loihi runs."""


class LoihiBackend(Backend):
    """See :class:`neurodeploy.backends.base.Backend`.

    Parameters
    ----------
    hardware : str, optional
        What to run on where the options name nothing: a packaged machine or the path of a YAML file; without it, Lava on this
        machine, for the chip that the rules name.
    host : str, optional
        Address that replaces the one of the file.
    """

    name = "loihi"
    has_hardware = True
    description = (
        "Lava in the chip's whole numbers, on this machine, or on a Loihi where Intel's extension is installed;"
        " SpiNNaker's ticks in floating point, as a reference"
    )

    def __init__(self, hardware: str | None = None, host: str | None = None) -> None:
        self.hardware, self.host = hardware, host

    def default_rules(self, options: Options) -> str | None:
        """Those of the machine."""
        if options.hardware is None and self.hardware is None:
            return next(iter(MACHINES))
        return self._machine(options, to_run=False).rules

    def _machine(self, options: Options, to_run: bool = True) -> LoihiHardware:
        from neurodeploy.hardware import LoihiHardware, load_as

        chosen = options.hardware or self.hardware
        return load_as(LoihiHardware, str(chosen), options.host or self.host, options.faults, to_run=to_run)

    def completed(self, options: Options) -> Options:
        """`options` with what they leave open filled in.

        Raises
        ------
        RequestError
            The rules are not those of a Loihi, or not those of the machine.
        """
        if options.rules not in MACHINES:
            raise RequestError(
                f"The loihi backend can't run the '{options.rules}' rules",
                why=f"Lava computes as the chips do, or has a reference in floating point: {', '.join(MACHINES)}",
                fix=f"leave the rules out, or use the brian2 backend with the '{options.rules}' rules",
            )
        options = replace(
            options,
            hardware=options.hardware or self.hardware or MACHINES[options.rules],
            host=options.host or self.host,
        )
        own = self.default_rules(options)
        if own != options.rules:
            raise RequestError(
                f"Hardware '{options.hardware}' has the rules of {own}, and those of {options.rules} are asked for",
                fix=f"leave the rules out, or use --hardware {MACHINES[options.rules]}",
            )
        return options

    def require(self, options: Options) -> None:
        from neurodeploy.backends.loihi.session import interpreter

        interpreter(self._machine(self.completed(options)))

    def check(self, network: Network, options: Options) -> None:
        from neurodeploy.backends.loihi.float_lower import lower
        from neurodeploy.backends.loihi.session import lower_for

        options = self.completed(options)
        if options.rules == FLOAT:
            lower(network)
        else:
            lower_for(self._machine(options), network, options)

    def examine(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Examination:
        from neurodeploy.backends.loihi.examine import examine

        options = self.completed(options)
        if options.rules == FLOAT:
            return super().examine(network, options, steps, rates)
        return examine(network, options, steps, self._machine(options, to_run=False), rates)

    def costs(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Costs:
        from neurodeploy.backends.loihi.cost import cost
        from neurodeploy.backends.loihi.session import lower_for
        from neurodeploy.chips.loihi import chip_by_name

        options = self.completed(options)
        if options.rules == FLOAT:
            return super().costs(network, options, steps, rates)
        program, _ = lower_for(self._machine(options, to_run=False), network, options)
        activity = expected(network, steps, rates)
        return cost(program, chip_by_name(options.rules), steps, activity, counted(network, steps, activity))

    def open(self, network: Network, options: Options) -> Session:
        from neurodeploy.backends.loihi.float_session import FloatSession
        from neurodeploy.backends.loihi.session import LoihiSession

        options = self.completed(options)
        return (FloatSession if options.rules == FLOAT else LoihiSession)(network, options)
