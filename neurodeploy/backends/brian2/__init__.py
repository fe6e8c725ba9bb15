"""Plain C++ where there is no chip: a Network becomes a program that Brian2 generates and this machine compiles.

The program is compiled once for each structure and kept; without a C++ compiler the same model runs, slower, in
Brian2's Python runtime (``engine="runtime"``).  Under the rules of a Loihi the Network is lowered for that chip, and its
Program is executed in the chip's whole numbers.
"""

from __future__ import annotations

from neurodeploy.backends.base import Backend, Options, Session
from neurodeploy.costs import UNKNOWN, Rates
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.findings import Examination, Keeps, changed
from neurodeploy.models.network import Network

ENGINES = ("cpp", "runtime")


class Brian2Backend(Backend):
    """See :class:`neurodeploy.backends.base.Backend`."""

    name = "brian2"
    description = "Brian2 C++ on this machine, under any tick rules; no chip needed"

    def check(self, network: Network, options: Options) -> None:
        from neurodeploy.backends.brian2.fixed_session import on_the_grid, refuse
        from neurodeploy.backends.brian2.lower import lower
        from neurodeploy.chips.catalogue import rules_by_name

        refuse_engine(options)
        rules = rules_by_name(options.rules)
        if not rules.chip:
            if rules.whole_numbers:
                refuse(network, rules)
                network = on_the_grid(network)[0]
            lower(network, rules)
            return
        from neurodeploy.backends.brian2.loihi import lower_program
        from neurodeploy.backends.loihi.lower import lower as lower_for_chip

        lower_program(lower_for_chip(network, rules.chip, options.allow_losses), options)

    def examine(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Examination:
        from neurodeploy.backends.brian2.fixed_session import on_the_grid, refuse
        from neurodeploy.backends.brian2.lower import lower
        from neurodeploy.chips.catalogue import rules_by_name

        refuse_engine(options)
        rules = rules_by_name(options.rules)
        if rules.chip:
            from neurodeploy.backends.loihi.examine import examine

            return examine(network, options, steps, None, rates)
        judge = Keeps(network)
        changes: list[str] = []
        with judge.each():
            if rules.whole_numbers:
                refuse(network, rules)
                network, _, changes = on_the_grid(network)
            changes = changes + lower(network, rules, judge=judge).changes
        result = Examination(judge.findings + changed(network, changes))
        result.count(network, steps, rates, judge)
        return result

    def open(self, network: Network, options: Options) -> Session:
        from neurodeploy.chips.catalogue import rules_by_name

        refuse_engine(options)
        rules = rules_by_name(options.rules)
        if rules.chip:
            from neurodeploy.backends.brian2.loihi_session import LoihiEngineSession

            return LoihiEngineSession(network, options)
        if rules.whole_numbers:
            from neurodeploy.backends.brian2.fixed_session import FixedPointSession

            return FixedPointSession(network, options)
        from neurodeploy.backends.brian2.session import Brian2Session

        return Brian2Session(network, options)


def refuse_engine(options: Options) -> None:
    """Raise for an engine that is not there.

    Raises
    ------
    RequestError
        With the engines that are.
    """
    if options.engine not in ENGINES:
        raise RequestError(
            f"The brian2 backend has no engine '{options.engine}'.{did_you_mean(options.engine, ENGINES)}",
            fix=f"choose one of: {', '.join(ENGINES)}",
        )
