"""Third factors of plasticity: what scales or gates learning beside the spikes of the two neurons.

A :class:`Modulator` is global: it listens to whole populations and scales one side of the pair rule wherever a
:class:`Modulation` names it.  An :class:`ActivityGate` is local: it allows a synapse to change by what its
postsynaptic neuron has done lately.  Both are plain data of a Network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import RequestError

SIDES = ("A_plus", "A_minus")
"""Amplitudes of :class:`neurodeploy.models.network.Plasticity` that a modulator may scale."""


@dataclass(frozen=True)
class Modulator:
    r"""A scalar :math:`M` that integrates spikes and leaks towards its resting value.

    .. math:: \tau\,\dot M = \sum_p \sum_i g_{p,i}\, n_i(t) + M_{rest} - M

    with :math:`n_i(t)` the spikes of neuron :math:`i` in a time step.  :math:`M` is not bounded.

    Attributes
    ----------
    label : str
    tau : float
        ms.
    resting, initial : float
        Value without spikes, and value at the start of a run or trial.
    gains : tuple of (int, ndarray)
        Positions of the populations that count, and what a spike of each of their neurons adds to the drive.
        A neuron of gain 0 is not listened to.

    Raises
    ------
    RequestError
        `tau` is not positive, or a number is not finite.
    """

    label: str
    tau: float
    resting: float
    initial: float
    gains: tuple[tuple[int, np.ndarray], ...] = field(default=())

    def __post_init__(self) -> None:
        numbers = [self.tau, self.resting, self.initial, *(np.sum(gain) for _, gain in self.gains)]
        if not np.all(np.isfinite(numbers)) or self.tau <= 0:
            raise RequestError(
                f"Modulator '{self.label}': tau is {self.tau:g} ms, resting {self.resting:g}, initial {self.initial:g}",
                why="tau must be positive, and every value and gain finite",
                fix="give finite values",
            )


@dataclass(frozen=True)
class Modulation:
    """One amplitude of a projection's pair rule, multiplied by the value of a modulator.

    The value is that of the step before: a spike acts on learning from the next step on.

    Attributes
    ----------
    modulator : int
        Position in ``Network.modulators``.
    scales : str
        ``"A_plus"`` or ``"A_minus"``.
    """

    modulator: int
    scales: str

    def __post_init__(self) -> None:
        if self.scales not in SIDES:
            raise RequestError(
                f"A modulation scales '{self.scales}'", fix=f"choose one of: {', '.join(SIDES)}"
            )


@dataclass(frozen=True)
class ActivityGate:
    r"""Learning in a window of the postsynaptic neuron's activity :math:`C`.

    .. math:: \tau\,\dot C = \tau\, n(t) - C

    Signed weights only rise where :math:`\theta < C < \theta + \delta`, only fall where
    :math:`\theta - \delta < C < \theta`, and stay elsewhere.

    Attributes
    ----------
    tau : float
        ms.
    threshold, width : float
        :math:`\theta` and :math:`\delta`, in spikes per `tau` (with 1,000 ms: Hz).
    """

    tau: float
    threshold: float
    width: float
