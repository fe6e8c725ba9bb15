"""Changes while a model runs, at the scale it began with: a scale can't move under the spikes and currents that are under way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.backends.loihi.bundles import bundles
from neurodeploy.backends.loihi.discretise import Discretised, Membrane, discretise
from neurodeploy.backends.loihi.inputs import constant_currents
from neurodeploy.backends.loihi.lower import share_currents
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Synapses, Units
from neurodeploy.backends.loihi.quantisation import EXACT
from neurodeploy.backends.loihi.quantise import lost_levels, quantise_cells
from neurodeploy.backends.loihi.scales import Scale
from neurodeploy.chips.loihi import LoihiChip, chip_by_name
from neurodeploy.chips.loihi_arithmetic import representable
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import RECEPTORS, Network

REGISTERS = ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")
"""What of a population the parameters decide."""

AGAIN = "call reset() first, so that the scale is chosen anew, or begin the first run with the largest values"


@dataclass
class Registers:
    """A population for its present parameters.

    Attributes
    ----------
    values : dict of str to ndarray
        By the names of :data:`REGISTERS`.
    units : Units
        How its v and u are read from now on.
    mantissas : list of (position in ``program.synapses``, ndarray)
        Of the synapses onto it, whose gain the parameters decide.
    changes : list of str
        What of the parameters is rounded.
    """

    values: dict[str, np.ndarray]
    units: Units
    mantissas: list[tuple[int, np.ndarray]]
    changes: list[str]


def membranes(network: Network, chip: LoihiChip) -> list[Membrane | None]:
    """All populations in real numbers, with the currents that are injected into them all the time."""
    return discretise(
        network, chip, lambda position: constant_currents(network, position, network.injections)
    ).membranes


def _discretised(network: Network, chip: LoihiChip, label: str, allowed: list[str]) -> Discretised:
    """The same, with what is rounded; raises where a parameter of `label` is lost, unless that was `allowed` before."""
    found = discretise(
        network, chip, lambda position: constant_currents(network, position, network.injections)
    )
    _refuse_losses(found.losses, label, allowed)
    return found


def _refuse_losses(losses: list[RequestError], label: str, allowed: list[str]) -> None:
    for loss in losses:
        if loss.what.startswith(f"Population '{label}'") and f"lost: {loss.what}" not in allowed:
            raise loss


def registers(network: Network, position: int, program: LoihiProgram) -> Registers:
    """What a population is on the chip with its present parameters, at the scale of `program`.

    Raises
    ------
    RequestError
        A value does not fit its register at that scale.
    UnsupportedError
        The parameters need another number of synaptic currents.
    """
    chip = chip_by_name(program.chip)
    label = network.populations[position].label
    discrete = _discretised(network, chip, label, program.changes)
    membrane, present, units = discrete.membranes[position], program.groups[position], program.units[position]
    assert membrane is not None and units is not None and isinstance(present, Compartments)
    incoming = [bundle for bundle in bundles(network, discrete.membranes, []) if bundle.post == position]
    currents = share_currents(network, position, membrane, incoming, [])
    if len(currents.receptor) != len(present.du):
        raise UnsupportedError(
            f"Population '{label}': with these parameters its neurons need {len(currents.receptor)} synaptic currents,"
            f" and they were loaded with {len(present.du)}",
            why="compartments are given to a neuron when a model is loaded",
            fix="set the parameters before the first run, or call reset() first",
        )
    per_nA = float(units.i_scale[0])
    scale = Scale(per_nA, per_nA / membrane.per_current, reason="strongest value when the run began")
    cells, new_units = quantise_cells(membrane, scale, currents)
    _fits(
        label, "threshold", membrane.threshold * scale.v_scale, chip.largest_threshold << chip.threshold_shift
    )
    _refuse_losses(lost_levels(membrane, cells, scale), label, program.changes)
    drive = membrane.drive * scale.v_scale
    _fits(label, "drive", drive, chip.largest_bias_mantissa << chip.largest_bias_exponent)
    return Registers(
        {name: getattr(cells, name) for name in REGISTERS},
        new_units,
        [
            (k, _mantissa(network, part, membrane, per_nA))
            for k, part in enumerate(program.synapses)
            if part.projection >= 0 and part.post == position and part.learning is None
        ],
        [change for change in discrete.changes if change.startswith(f"Population '{label}'")],
    )


def mantissas(network: Network, projection: int, program: LoihiProgram) -> list[tuple[int, np.ndarray]]:
    """The present weights of a projection as mantissas, at the scale and exponents of `program`.

    Raises
    ------
    RequestError
        A weight is too large, has another sign than its group, or is 0 on the chip.
    """
    discrete = membranes(network, chip_by_name(program.chip))
    membrane = discrete[network.projections[projection].post]
    units = program.units[network.projections[projection].post]
    assert membrane is not None and units is not None
    return [
        (k, _mantissa(network, part, membrane, float(units.i_scale[0])))
        for k, part in enumerate(program.synapses)
        if part.projection == projection
    ]


def rounding(
    network: Network, projection: int, program: LoihiProgram, found: list[tuple[int, np.ndarray]]
) -> str:
    """How far the mantissas that :func:`mantissas` `found` are from the weights, as a sentence; empty where they are exact."""
    mine = network.projections[projection]
    membrane, units = membranes(network, chip_by_name(program.chip))[mine.post], program.units[mine.post]
    assert membrane is not None and units is not None
    largest = 0.0
    for k, mantissa in found:
        part = program.synapses[k]
        weight = np.asarray(mine.weight, dtype=float)[part.members]
        there = weight != 0
        got = mantissa * units_per_mantissa(network, part, membrane, float(units.i_scale[0]))
        largest = max(largest, float(np.abs(got[there] / weight[there] - 1).max(initial=0.0)))
    if largest <= EXACT:
        return ""
    return f"Projection '{mine.label}': weights that were set while the model ran are off by {100 * largest:.2g} % at most"


def units_per_mantissa(network: Network, part: Synapses, membrane: Membrane, per_nA: float) -> np.ndarray:
    """PyNN's weight of one step of the mantissa, a synapse."""
    receptor = RECEPTORS.index(network.projections[part.projection].receptor)
    return (1 << (6 + part.exponent)) / (per_nA * membrane.gain[receptor][part.post_index])


def _mantissa(network: Network, part: Synapses, membrane: Membrane, per_nA: float) -> np.ndarray:
    weight = np.asarray(network.projections[part.projection].weight, dtype=float)[part.members]
    step = units_per_mantissa(network, part, membrane, per_nA)
    mantissa = np.rint(weight / step)
    outside = np.flatnonzero(~representable(mantissa, part.sign_mode))
    vanished = np.flatnonzero((weight != 0) & (mantissa == 0))
    for found, what, why in (
        (
            outside,
            "does not fit",
            f"its group of synapses is {part.sign_mode}, of eight bits, with one scale",
        ),
        (vanished, "is 0 on the chip", "weights are multiples of a step that was chosen when the run began"),
    ):
        if found.size:
            k = found[0]
            raise RequestError(
                f"Projection '{part.label}': weight {weight[k]:g} of synapse {part.members[k]} {what}, at a step of"
                f" {step[k]:.3g}",
                why=why,
                fix=AGAIN,
            )
    return mantissa.astype(np.int64)


def _fits(label: str, what: str, wanted: np.ndarray, largest: int) -> None:
    over = np.flatnonzero(np.abs(wanted) > largest)
    if over.size:
        raise RequestError(
            f"Population '{label}': the {what} of neuron {over[0]} is {wanted[over[0]]:,.0f} of the chip's units; its register"
            f" ends at {largest:,}",
            why="that is at the scale that was chosen when the run began",
            fix=AGAIN,
        )
