"""A network that is shown one sample after another: a *trial* starts at rest, lasts some steps, and leaves spike counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodeploy.backends.base import Options, Report
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.running import RunningProgram
from neurodeploy.backends.brian2.trials.lower import lower
from neurodeploy.backends.brian2.trials.structure import CELLS
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network


@dataclass(frozen=True)
class Protocol:
    """How trials are run.

    Attributes
    ----------
    steps : int
        Length of a trial, in time steps.
    kick : float
        mV that a hit adds to a neuron of the driven population.
    stream : int
        Draws of two phases with different streams are independent.
    fade : float
        Factor on learning rates, and on value, gains and resting value of modulators, after every step.
    restore : bool
        Whether every trial starts from the network's weights and without traces, so that its result depends on nothing but
        itself; otherwise weights, traces and activities go on from trial to trial.
    """

    steps: int
    kick: float
    stream: int = 0
    fade: float = 1.0
    restore: bool = False


@dataclass
class Trialled:
    """What trials leave.

    Attributes
    ----------
    counts : ndarray of uint16, shape (n_trials, n_neurons)
        Spikes of every neuron, population after population.
    modulators : ndarray, shape (n_trials, n_modulators)
        Values at the end of each trial.
    raster : ndarray of int32, shape (n_spikes, 3)
        Trial, step, neuron; empty unless asked for.
    """

    counts: np.ndarray
    modulators: np.ndarray
    raster: np.ndarray


class Trials:
    r"""A Network loaded for trials; the first population is driven.

    In every step a driven neuron :math:`k` of trial number :math:`n` is hit with probability :math:`p_{nk}`.  The draw is a
    function of (seed, stream, :math:`n`, step, :math:`k`) alone (Philox 4x64-10), so that results do not depend on how trials are
    shared out.

    Parameters
    ----------
    network : Network
        Its ``seed`` is the seed of the draws.
    plastic : bool
        False freezes all weights.
    progress : function, optional
        Called with ``("compile", done, total)``.

    Raises
    ------
    RequestError, UnsupportedError
        See :func:`neurodeploy.backends.brian2.trials.lower.lower`.
    """

    def __init__(
        self, network: Network, plastic: bool, progress: Callable[[str, int, int], None] | None = None
    ) -> None:
        self.network = network
        self.report = Report(executed_by="float")
        self.lowered = lower(network, plastic)
        options = Options("nalsm", progress=progress)
        self.driven = network.populations[0].size
        self.program = RunningProgram(
            self.lowered.structure,
            {CELLS: self.lowered.size},
            {},
            self.lowered.arrays,
            options,
            1,
            self.report,
        )
        self.program.ask("remember")
        self._set({"seed": network.seed, "driven": self.driven})
        self.report.facts |= {
            "brian2": compiler.brian2_version(),
            "program": compiler.program_key(self.lowered.structure),
        }

    def _set(self, settings: dict[str, float]) -> None:
        for name, value in settings.items():
            self.program.ask(f"set {name} {value!r}")

    def run(
        self,
        probabilities: np.ndarray,
        numbers: np.ndarray,
        protocol: Protocol,
        raster: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Trialled:
        """Run one trial for each row of `probabilities`.

        Parameters
        ----------
        probabilities : ndarray of float32, shape (n_trials, n_driven)
            Of a hit in each step, 0 to 1.
        numbers : ndarray of int64, shape (n_trials,)
            What tells the draws of one trial from those of another.
        protocol : Protocol
        raster : bool
            Whether every spike is kept.
        progress : function of the trials done so far, optional
        """
        p = np.ascontiguousarray(probabilities, dtype=np.float32)
        if p.shape != (len(numbers), self.driven) or not np.all((p >= 0) & (p <= 1)):
            raise RequestError(
                f"Probabilities of shape {p.shape} for {len(numbers)} trials of {self.driven} driven neurons,"
                f" from {p.min(initial=0):g} to {p.max(initial=0):g}",
                fix="give a row a trial, of probabilities from 0 to 1",
            )
        self._follow(protocol)
        files = f"{self.program._write(p)} {self.program._write(np.asarray(numbers, dtype=np.int64))}"
        return self._trials(f"trials {files}", len(numbers), raster, progress)

    def replay(
        self,
        events: np.ndarray,
        count: int,
        protocol: Protocol,
        raster: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Trialled:
        """Run `count` trials whose hits are given; nothing is drawn.

        Parameters
        ----------
        events : ndarray of int32, shape (n_events, 3)
            Trial, step, driven neuron of every hit, in order of trials, then steps.  A hit at a step can make its neuron spike at
            the next.
        count : int
        protocol : Protocol
        raster, progress
            See :meth:`run`.
        """
        e = np.ascontiguousarray(events, dtype=np.int32).reshape(-1, 3)
        limits = (count, protocol.steps, self.driven)
        moments = e[:, 0].astype(np.int64) * protocol.steps + e[:, 1]
        if np.any(e < 0) or np.any(e >= limits) or np.any(np.diff(moments) < 0):
            raise RequestError(
                f"Events of {count} trials with values up to {', '.join(str(n) for n in e.max(axis=0, initial=0))}",
                why=f"trials, steps and driven neurons go up to {', '.join(str(n - 1) for n in limits)}, in order of time",
                fix="sort them by trial and step, and leave out what is outside",
            )
        self._follow(protocol)
        return self._trials(f"replay {self.program._write(e)} {count}", count, raster, progress)

    def _follow(self, protocol: Protocol) -> None:
        settings = {name: getattr(protocol, name) for name in ("steps", "kick", "stream", "fade")}
        self._set(settings | {"restore": int(protocol.restore)})

    def _trials(
        self, instruction: str, count: int, raster: bool, progress: Callable[[int], None] | None
    ) -> Trialled:
        self.program.ask(f"{instruction} counts.bin {'raster.bin' if raster else ''}", progress)
        read = lambda name, dtype: np.fromfile(self.program.folder / name, dtype=dtype)  # noqa: E731
        return Trialled(
            read("counts.bin", np.uint16).reshape(count, -1),
            read("counts.bin.modulators", np.float64).reshape(count, -1),
            read("raster.bin", np.int32).reshape(-1, 3) if raster else np.empty((0, 3), dtype=np.int32),
        )

    def weights(self, projection: int) -> np.ndarray:
        """The present weights of a projection, in the Network's order."""
        name, places = self.lowered.places[projection]
        return self.program.save(f"{name}.w")[places]

    def state(self) -> dict[str, np.ndarray]:
        """What goes on from trial to trial: weights, traces, activities, by the engine's names."""
        structure = self.lowered.structure
        names = [f"class{number}.w" for number in range(len(structure.kinds))]
        names += [f"{CELLS}.trace"] if structure.learns else []
        names += [f"{CELLS}.{name}" for name in ("activity", "rises", "falls")] if structure.gated else []
        return {name: self.program.save(name) for name in names}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state of :meth:`state`."""
        for name, array in state.items():
            self.program.load(name, array)

    def end(self) -> None:
        """Stop the process and remove its folder.  Safe to call twice."""
        self.program.end()
