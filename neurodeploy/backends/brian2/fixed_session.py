"""A Network under SpiNNaker's tick rules in the chip's fixed point: weights and state put on its grid, then the engine.

The engine's reals hold the chip's numbers exactly (see :mod:`neurodeploy.chips.spinnaker_fixed`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2.session import Brian2Session
from neurodeploy.chips.rules import TickRules
from neurodeploy.chips.spinnaker_arithmetic import ONE, accum
from neurodeploy.chips.spinnaker_fixed import BEGINNINGS
from neurodeploy.chips.spinnaker_machine import LARGEST_WEIGHT, REAL_TIME_STEP
from neurodeploy.chips.spinnaker_weights import (
    pattern,
    quantise_weights,
    receptor_shifts,
    weight_scale,
    whole_steps,
)
from neurodeploy.errors import UnsupportedError
from neurodeploy.findings import VANISHED
from neurodeploy.models.network import RECEPTORS, Injection, Network, weight_sign

SETTINGS = (30.0, 5.0)
"""``spikes_per_second`` (Hz) and ``ring_buffer_sigma``: sPyNNaker's own, by which it chooses the grid of weights."""


def refuse(network: Network, rules: TickRules) -> None:
    """Raise the first thing of `network` that there is no fixed point of.

    Raises
    ------
    UnsupportedError
        Plasticity, injected currents, a short time step, or a weight of the other receptor's sign.
    """
    if network.time_step < REAL_TIME_STEP:
        raise UnsupportedError(
            f"The time step is {network.time_step:g} ms; under '{rules.name}' it is {REAL_TIME_STEP:g} ms at least",
            why="below it, sPyNNaker divides a population's synapses and neurons between several cores",
            fix=f"use setup(timestep={REAL_TIME_STEP:g}), or the 'spinnaker' rules",
        )
    if network.injections:
        raise UnsupportedError(
            f"There are no injected currents under '{rules.name}'", fix="use i_offset instead"
        )
    for projection in network.projections:
        who = f"Projection '{projection.label}'"
        if projection.plasticity is not None:
            raise UnsupportedError(
                f"{who}: there is no plasticity under '{rules.name}'",
                why="the engine has the chip's fixed point of static synapses alone",
                fix="use the 'spinnaker' rules, or the spinnaker backend",
            )
        if np.any(np.asarray(projection.weight) * weight_sign(network, projection) < 0):
            raise UnsupportedError(
                f"{who}: a weight has the sign of the other receptor",
                why="weights have no sign on the chip: the receptor decides it",
                fix="give synapses of either sign a projection of their own",
            )


def on_the_grid(network: Network) -> tuple[Network, dict[int, np.ndarray], list[str]]:
    """`network` with the weights and the initial state that the chip has for it.

    Returns
    -------
    network : Network
    largest : dict of int to ndarray, shape (2,)
        By population with synapses: what a ring-buffer entry of either receptor holds, in units of :math:`2^{-15}`.
    changes : list of str
    """
    sizes = [population.size for population in network.populations]
    delays = [
        whole_steps(p.delay, network.time_step, f"Projection '{p.label}': delay") for p in network.projections
    ]
    kinds = [
        pattern(p, sizes[p.pre], sizes[p.post], network.time_step) if p.size else ""
        for p in network.projections
    ]
    shifts = receptor_shifts(network, kinds, delays, SETTINGS)
    projections, changes = [], []
    largest: dict[int, np.ndarray] = {}
    for projection, kind in zip(network.projections, kinds, strict=True):
        if not projection.size:
            projections.append(projection)
            continue
        shift = shifts[projection.post, projection.receptor]
        scale = weight_scale(shift, 1.0)
        stored = quantise_weights(projection.weight, scale, kind != "list", projection.label)
        weight = weight_sign(network, projection) * stored / scale
        projections.append(replace(projection, weight=weight))
        changes += _moved(projection.label, np.asarray(projection.weight, dtype=float), weight, 1.0 / scale)
        entry = largest.setdefault(projection.post, np.full(2, np.inf))
        entry[RECEPTORS.index(projection.receptor)] = LARGEST_WEIGHT << shift
    populations = [
        replace(
            p,
            initial_values={name: _held(np.broadcast_to(v, p.size)) for name, v in p.initial_values.items()},
        )
        for p in network.populations
    ]
    return replace(network, populations=populations, projections=projections), largest, changes


def _held(values: np.ndarray) -> np.ndarray:
    """`values` as the chip has them; each different one is rounded once."""
    different, which = np.unique(values, return_inverse=True)
    return (accum(different) / ONE)[which]


def _moved(label: str, weight: np.ndarray, held: np.ndarray, step: float) -> list[str]:
    apart = np.abs(held - weight)
    moved, gone = np.count_nonzero(apart > 0), np.count_nonzero((weight != 0) & (held == 0))
    told = []
    if gone:
        told.append(f"{VANISHED}Projection '{label}': {gone} of {len(weight)} weights are 0 on the chip")
    if moved:
        told.append(
            f"Projection '{label}': {moved} of {len(weight)} weights rounded to multiples of {step:.4g}, by"
            f" {apart.max():.2g} at most"
        )
    return told


class FixedPointSession(Brian2Session):
    """See :class:`neurodeploy.backends.base.Session`; its numbers are the chip's."""

    def __init__(self, network: Network, options: Options) -> None:
        from neurodeploy.chips.catalogue import rules_by_name

        refuse(network, rules_by_name(options.rules))
        held, largest, changes = on_the_grid(network)
        super().__init__(held, options)
        self.report.executed_by = "chip arithmetic"
        self.report.changes += changes
        self.report.facts["network"] = network.digest()
        for position, most in largest.items():
            place = self.lowered.placements[position]
            for name, value in zip(("most_exc", "most_inh"), most, strict=True):
                where = slice(place.start, place.stop)
                self.program.replace(f"{place.group}.{name}", where, np.full(place.stop - place.start, value))
        for position, population in enumerate(held.populations):
            for variable in BEGINNINGS.keys() & population.initial_values.keys():
                self.set_state(position, variable, population.initial_values[variable])

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        held = _held(np.asarray(values, dtype=float))
        super().set_state(population, variable, held)
        if variable in BEGINNINGS:
            place = self.lowered.placements[population]
            self.program.replace(
                f"{place.group}.{BEGINNINGS[variable]}", slice(place.start, place.stop), held
            )

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        raise UnsupportedError(
            f"Projection '{self.network.projections[projection].label}': its weights can't be changed under"
            f" '{self.rules.name}' once a run has begun",
            why="the grid they lie on is chosen for all weights of a receptor",
            fix="set the weights before the first run, or call reset() first",
        )

    def set_injections(self, injections: list[Injection]) -> None:
        if injections:
            raise UnsupportedError(
                f"There are no injected currents under '{self.rules.name}'", fix="use i_offset instead"
            )
        super().set_injections(injections)
