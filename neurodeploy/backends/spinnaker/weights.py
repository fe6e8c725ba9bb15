"""What becomes of weights on the chip: multiples of a step that sPyNNaker derives from the input that it expects."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.chips.spinnaker_machine import LARGEST_WEIGHT
from neurodeploy.errors import RequestError
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.models.network import RECEPTORS, Projection

UNMOVED = 1e-12
"""A weight that moves by no more than this is not rounded."""


@dataclass
class OnGrid:
    """What the grid does to the weights of a projection.

    Attributes
    ----------
    error : RequestError or None
        Something vanishes or is cut.
    changes : list of str
    """

    error: RequestError | None = None
    changes: list[str] = field(default_factory=list)


def weights_on_grid(
    projection: Projection,
    target: str,
    step: float,
    hardware: SpinnakerHardware,
    said: tuple[float, float] | None = None,
) -> OnGrid:
    """Judge the weights of `projection` onto the population `target`, multiples of `step` on the chip.

    `said` are the target's ``largest_sums``.
    """
    result = OnGrid()
    magnitude = np.abs(np.asarray(projection.weight, dtype=float))
    ticks = np.rint(magnitude / step)
    gone = np.flatnonzero((magnitude > 0) & (ticks == 0))
    cut = np.flatnonzero(ticks > LARGEST_WEIGHT)
    if said is None:
        room = (
            f"the most {projection.receptor} input that sPyNNaker expects in a step, from"
            f" all projections, {hardware.spikes_per_second:g} Hz of each neuron and {hardware.ring_buffer_sigma:g} standard"
            " deviations"
        )
    else:
        room = (
            f"{said[RECEPTORS.index(projection.receptor)]:g} of {projection.receptor} input in a step, which is its"
            " max_expected_summed_weight"
        )
    why = (
        f"'{target}' must be able to hold {room}: that leaves weights the multiples of {step:.4g},"
        f" up to {step * LARGEST_WEIGHT:.4g}"
    )
    losses = "or keep such a run with --allow-losses (allow_losses=True)"
    lower = (
        "lower that"
        if said is not None
        else (
            "lower ring_buffer_sigma or spikes_per_second in a hardware file of your own"
            " (input beyond it saturates, and is told)"
        )
    )
    if gone.size:
        result.error = RequestError(
            f"Projection '{projection.label}': {gone.size} of {projection.size} weights are 0 on the chip,"
            f" the first {projection.weight[gone[0]]:g} of synapse {gone[0]}; the smallest that is not is {step / 2:.3g}",
            why=why,
            fix=f"use weights of at least {step:.3g}, or {lower}, or make the largest weights onto '{target}' smaller, {losses}",
        )
    elif cut.size:
        result.error = RequestError(
            f"Projection '{projection.label}': {cut.size} of {projection.size} weights are cut to {step * LARGEST_WEIGHT:.4g}"
            f" on the chip, the first {projection.weight[cut[0]]:g} of synapse {cut[0]}",
            why=why,
            fix=f"use smaller weights, or raise ring_buffer_sigma or spikes_per_second in a hardware file of your own, {losses}",
        )
    elif (small := _still(projection, step)) is not None:
        name, most = small
        result.error = RequestError(
            f"Projection '{projection.label}': {name} moves a weight by {most:.3g} at most, and less than {step:.4g}"
            " is nothing on the chip",
            why=f"a weight is truncated to its multiple after every change; {why}",
            fix=f"use an {name} that moves a weight by at least {step:.3g}, or a smaller w_max, {losses}",
        )
    shift = np.abs(ticks * step - magnitude)
    moved = int(np.count_nonzero(shift > UNMOVED))
    if moved:
        result.changes.append(
            f"Projection '{projection.label}': {moved} of {projection.size} weights rounded to multiples of"
            f" {step:.4g}, by {shift.max():.2g} at most"
        )
    return result


def _still(projection: Projection, step: float) -> tuple[str, float] | None:
    """The amplitude that can never raise a weight, and by how much a pair of spikes moves one with it at most.

    A depression smaller than the step isn't lost: truncation makes it a whole one.
    """
    rule = projection.plasticity
    if rule is None or not rule.A_plus:
        return None
    low, high = sorted((abs(rule.w_min), abs(rule.w_max)))
    most = rule.A_plus if rule.weight_dependence == "additive" else rule.A_plus * (high - low)
    return ("A_plus", most) if most < step else None
