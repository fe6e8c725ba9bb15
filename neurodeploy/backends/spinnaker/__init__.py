"""SpiNNaker: a Network becomes a Program that sPyNNaker maps, loads and runs, on a board or on an emulated one.

The core never imports sPyNNaker: a runner does, in a process of its own.
"""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.costs import UNKNOWN, Costs, Rates, counted, expected
from neurodeploy.errors import ToolchainMissingError
from neurodeploy.findings import RAISES, Examination
from neurodeploy.models.network import Network

DEFAULT_HARDWARE = "spinnaker-emulated"


class SpinnakerBackend(Backend):
    """See :class:`neurodeploy.backends.base.Backend`.

    Parameters
    ----------
    hardware : str
        What to run on where the options name nothing: a packaged machine or the path of a YAML file.
    host : str, optional
        Address that replaces the one of the file.
    allow_losses : bool
        Whether a run that was late or lost something is kept, with the findings in its report.
    """

    name = "spinnaker"
    has_hardware = True
    only_rules = "spinnaker"
    weights_wait = True
    description = "sPyNNaker on a SpiNNaker board, real or emulated (the chip's own programs), or mapped only"

    def __init__(
        self, hardware: str = DEFAULT_HARDWARE, host: str | None = None, allow_losses: bool = False
    ) -> None:
        self.hardware, self.host, self.allow_losses = hardware, host, allow_losses

    def completed(self, options: Options) -> Options:
        """`options` with what they leave open filled in."""
        return replace(
            options,
            hardware=options.hardware or self.hardware,
            host=options.host or self.host,
            allow_losses=options.allow_losses or self.allow_losses,
        )

    def require(self, options: Options) -> None:
        from importlib.util import find_spec

        from neurodeploy.backends.spinnaker.session import INSTALL

        if find_spec("spynnaker") is None:
            raise ToolchainMissingError("sPyNNaker is not installed", fix=INSTALL)

    def check(self, network: Network, options: Options) -> None:
        from neurodeploy.backends.spinnaker.examine import weights
        from neurodeploy.backends.spinnaker.lower import lower
        from neurodeploy.hardware import SpinnakerHardware, load_as

        options = self.completed(options)
        hardware = load_as(SpinnakerHardware, str(options.hardware), options.host, options.faults)
        lower(network, options.rules, hardware, options.allow_losses)
        weights(network, hardware, options.allow_losses, [], RAISES)

    def examine(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Examination:
        from neurodeploy.backends.spinnaker.examine import examine
        from neurodeploy.hardware import SpinnakerHardware, load_as

        options = self.completed(options)
        chosen = str(options.hardware)
        hardware = load_as(SpinnakerHardware, chosen, options.host, options.faults, to_run=False)
        return examine(network, options, steps, hardware, rates)

    def costs(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Costs:
        from neurodeploy.backends.spinnaker.cost import cost
        from neurodeploy.backends.spinnaker.lower import slowed
        from neurodeploy.backends.spinnaker.resources import estimate
        from neurodeploy.hardware import SpinnakerHardware, load_as

        options = self.completed(options)
        chosen = str(options.hardware)
        hardware = load_as(SpinnakerHardware, chosen, options.host, options.faults, to_run=False)
        factor, activity = slowed(network, hardware), expected(network, steps, rates)
        taken, counts = estimate(network, hardware, steps, factor), counted(network, steps, activity)
        return cost(taken, hardware, steps, network.time_step * factor, activity, counts)

    def open(self, network: Network, options: Options) -> Session:
        from neurodeploy.backends.spinnaker.session import SpinnakerSession

        return SpinnakerSession(network, self.completed(options))
