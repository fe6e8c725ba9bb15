"""Plain C++ where there is no chip: a Network becomes a program that Brian2 generates and this machine compiles.

The program is compiled once for each structure and kept; without a C++ compiler the same model runs, slower, in
Brian2's Python runtime (``engine="runtime"``).
"""

from __future__ import annotations

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.network import Network

ENGINES = ("cpp", "runtime")


class Brian2Backend(Backend):
    """See :class:`neurodeploy.backends.base.Backend`."""

    name = "brian2"
    description = "Brian2 C++ on this machine, under any tick rules; no chip needed"

    def check(self, network: Network, options: Options) -> None:
        from neurodeploy.backends.brian2.lower import lower
        from neurodeploy.chips.rules import rules_by_name

        if options.engine not in ENGINES:
            raise RequestError(
                f"The brian2 backend has no engine '{options.engine}'.{did_you_mean(options.engine, ENGINES)}",
                fix=f"choose one of: {', '.join(ENGINES)}",
            )
        lower(network, rules_by_name(options.rules))

    def open(self, network: Network, options: Options) -> Session:
        from neurodeploy.backends.brian2.session import Brian2Session

        if options.engine not in ENGINES:
            raise RequestError(
                f"The brian2 backend has no engine '{options.engine}'.{did_you_mean(options.engine, ENGINES)}",
                fix=f"choose one of: {', '.join(ENGINES)}",
            )
        return Brian2Session(network, options)
