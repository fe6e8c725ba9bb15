"""What a backend is: something that opens a Network and lets it run, piece by piece.

A backend is registered under the entry-point group ``neurodeploy.backends``.  Opening a Network gives a
:class:`Session`, which stays up until :meth:`Session.end`: between two calls of :meth:`Session.run` the
front end reads data and changes the model.  Populations and projections are named by their position in
the Network; time is counted in whole steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.costs import UNKNOWN, Costs, Rates, counted, expected
from neurodeploy.errors import RequestError
from neurodeploy.findings import Examination, Keeps

if TYPE_CHECKING:
    from neurodeploy.models.network import Injection, Network

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``; stage is ``"compile"`` or ``"run"``."""


@dataclass
class Options:
    """How a Network is to be run, apart from what it is.

    Attributes
    ----------
    rules : str
        Tick rules: ``"ideal"``, ``"spinnaker"``, ``"loihi2"``, ...
    engine : str
        Which of the backend's engines (Brian2: ``"cpp"``, compiled, or ``"runtime"``, slower, needs no compiler).
    threads : int
        Threads of the engine; 0 lets the backend choose.
    progress : Progress or None
    hardware : str or None
        The machine, for a backend that has several; None is the backend's default.
    host : str or None
        Address that replaces the one of the hardware's file.
    faults : str or None
        What is to be broken about an emulated machine.
    allow_losses : bool
        Whether a run that was late or lost something is kept.
    folder : Path or None
        Where a backend puts what it leaves beside the results (programs, reports, logs); None keeps nothing.
    """

    rules: str = "ideal"
    engine: str = "cpp"
    threads: int = 0
    progress: Progress | None = None
    hardware: str | None = None
    host: str | None = None
    faults: str | None = None
    allow_losses: bool = False
    folder: Path | None = None


@dataclass
class Report:
    """What the backend did to the model and what it cost.

    Attributes
    ----------
    executed_by : str
        ``silicon``, ``emulated``, ``chip arithmetic`` or ``float``.
    changes : list of str
        Every rounding, clipping, relay and split, one sentence with its count each.
    wall : dict of str to float
        Seconds spent in ``build``, ``compile`` and ``run``.
    facts : dict
        Versions, hashes, counts.
    quantisation : QuantisationReport or None
        What became of every number of a model that was lowered to a chip's whole numbers; has ``data``, ``render()`` and
        ``save(folder)``.
    """

    executed_by: str = "float"
    changes: list[str] = field(default_factory=list)
    wall: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    quantisation: Any = None


class Session(ABC):
    """A Network that is loaded and can run."""

    report: Report

    @abstractmethod
    def run(self, steps: int) -> None:
        """Advance by `steps` time steps."""

    @abstractmethod
    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        """All spikes of the recorded neurons so far: times in ms and neuron numbers, sorted by time, then neuron."""

    @abstractmethod
    def samples(self, population: int, variable: str) -> np.ndarray:
        """All samples of `variable` so far, shape (n_samples, n_recorded_neurons), in the order of ``Recorded.neurons``."""

    @abstractmethod
    def state(self, population: int, variable: str) -> np.ndarray:
        """The present value of a state variable, shape (size,)."""

    @abstractmethod
    def weights(self, projection: int) -> np.ndarray:
        """The present weights of a projection, in the Network's order and with PyNN's sign."""

    @abstractmethod
    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        """Replace the parameters of a population: all of them, as in ``Population.parameters``."""

    @abstractmethod
    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        """Replace a state variable of a whole population."""

    @abstractmethod
    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        """Replace the spike times of a ``SpikeSourceArray``; times before the present have no effect."""

    @abstractmethod
    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        """Replace the weights of a projection."""

    @abstractmethod
    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        """Replace the delays of a projection, ms."""

    @abstractmethod
    def set_injections(self, injections: list[Injection]) -> None:
        """Replace all current injections."""

    @abstractmethod
    def end(self) -> None:
        """Stop, and leave no process behind.  Safe to call twice."""


class Backend(ABC):
    """A way to run Networks.

    Attributes
    ----------
    name : str
        What the user types after ``--backend``.
    description : str
        One line for ``neurodeploy targets``.
    has_hardware : bool
        Whether it runs on a machine that the user may choose.
    only_rules : str or None
        The tick rules of its machine, where there are no others.
    weights_wait : bool
        Whether a synapse learns only when a spike comes in: what has happened since is not yet in the weights it gives.
    """

    name: str
    description: str
    has_hardware: bool = False
    only_rules: str | None = None
    weights_wait: bool = False

    def refuse_machine(self, caller: str = "", **given: str | None) -> None:
        """Raise for the first of the `given` settings of a machine, where this backend has no machine.

        Raises
        ------
        RequestError
            Its name and value, after `caller`.
        """
        for name, value in given.items():
            if value is not None and not self.has_hardware:
                raise RequestError(
                    f"{caller}the {self.name} backend has no use for {name} {value!r}",
                    why="it runs on this machine",
                    fix=f"leave {name} out, or use the spinnaker or the loihi backend",
                )

    def default_rules(self, options: Options) -> str | None:
        """The tick rules where the user names none; None leaves the choice to the model."""
        return None

    def completed(self, options: Options) -> Options:
        """`options` with what they leave open filled in."""
        return options

    def require(self, options: Options) -> None:  # noqa: B027  (most need nothing)
        """Raise where a tool is missing that this backend would look for only after others have run.

        Raises
        ------
        ToolchainMissingError
            Which, and the line that installs it.
        """

    @abstractmethod
    def check(self, network: Network, options: Options) -> None:
        """Raise the first thing that this backend can't do with `network`."""

    def examine(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Examination:
        """All that this backend says of `network`, run for `steps`, before it runs; never raises for the model's sake.

        `rates` is what is known of how often neurons fire: costs rest on it.

        Raises
        ------
        RequestError
            The options are wrong.
        """
        judge = Keeps(network)
        with judge.each():
            self.check(network, options)
        result = Examination(judge.findings)
        result.count(network, steps, rates, judge)
        return result

    def costs(self, network: Network, options: Options, steps: int, rates: Rates = UNKNOWN) -> Costs:
        """What a run of `steps` takes, modelled: time and energy where the chip's constants are published."""
        return counted(network, steps, expected(network, steps, rates))

    @abstractmethod
    def open(self, network: Network, options: Options) -> Session:
        """Lower and load `network`."""
