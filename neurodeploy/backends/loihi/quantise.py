"""Pass 4, quantise: weights as mantissas, thresholds, biases and initial state as registers; every loss is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.backends.loihi.program import Compartments, Synapses, Units
from neurodeploy.backends.loihi.scales import Currents, Scale, exponent_for
from neurodeploy.chips.loihi import LOIHI2, LoihiChip
from neurodeploy.chips.loihi_arithmetic import bias, nearest_bias, threshold_at_or_below
from neurodeploy.errors import RequestError

LOST = 0.5
"""Share of the way from reset to threshold by which a level may be off before it counts as lost."""

COARSE = 4
"""A weight of fewer mantissa steps than this goes into a group with a lower exponent, where there is one."""


@dataclass
class Quantised:
    """The synapses of one population on the chip, each with the bundle it comes from."""

    pairs: list[tuple[Bundle, Synapses]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    losses: list[RequestError] = field(default_factory=list)


def split_by_size(bundle: Bundle, per_nA: float, chip: LoihiChip) -> list[Bundle]:
    """A bundle whose smallest weights would be coarse, in parts with exponents of their own; else the bundle alone."""
    exponent = int(exponent_for(bundle.reach, per_nA, chip))
    magnitude = np.abs(bundle.weight)
    if exponent == 0 or bundle.learns:
        return [bundle]
    mantissa = magnitude * per_nA / (1 << (chip.weight_shift + exponent))
    small = (magnitude > 0) & (mantissa < COARSE)
    if not small.any():
        return [bundle]
    rest = bundle.part(np.flatnonzero(~small))
    return [rest, *split_by_size(bundle.part(np.flatnonzero(small)), per_nA, chip)]


def quantise_synapses(
    membrane: Membrane, incoming: list[Bundle], scale: Scale, currents: Currents, chip: LoihiChip
) -> Quantised:
    """Round every weight to the nearest mantissa."""
    result = Quantised()
    for bundle in incoming:
        parts = split_by_size(bundle, scale.per_nA, chip)
        if len(parts) > 1:
            counts = " and ".join(str(part.weight.size) for part in parts)
            result.changes.append(
                f"Projection '{bundle.label}': split by size, {counts} synapses, so that small weights keep"
                " their bits beside large ones"
            )
        for part in parts:
            result.pairs.append((part, _one(part, scale, currents, chip)))
            loss = _vanished(membrane, *result.pairs[-1], scale, chip)
            if loss is not None:
                result.losses.append(loss)
    return result


def _one(bundle: Bundle, scale: Scale, currents: Currents, chip: LoihiChip) -> Synapses:
    exponent = int(exponent_for(bundle.reach, scale.per_nA, chip))
    mantissa = np.rint(bundle.weight * scale.per_nA / (1 << (chip.weight_shift + exponent))).astype(np.int64)
    return Synapses(
        label=bundle.label,
        projection=bundle.projection,
        members=bundle.members,
        pre=bundle.pre,
        post=bundle.post,
        current=currents.row[bundle.receptor],
        pre_index=bundle.pre_index,
        post_index=bundle.post_index,
        mantissa=np.clip(mantissa, -chip.largest_mantissa, chip.largest_mantissa),
        delay=bundle.delay,
        exponent=exponent,
        sign_mode=bundle.sign_mode,
        weight_bits=chip.weight_bits,
    )


def _vanished(
    membrane: Membrane, bundle: Bundle, synapses: Synapses, scale: Scale, chip: LoihiChip
) -> RequestError | None:
    gone = np.flatnonzero((bundle.weight != 0) & (synapses.mantissa == 0))
    if not gone.size:
        return None
    step = (1 << (chip.weight_shift + synapses.exponent)) / scale.per_nA
    gain = membrane.gain[bundle.receptor][bundle.post_index[gone]]
    weights = bundle.weight[gone] / gain
    least = int(np.argmin(np.abs(weights)))
    smallest = step / 2 / float(gain[least])
    return RequestError(
        f"Projection '{bundle.label}': {gone.size} of {bundle.total} weights are 0 on the chip, the smallest"
        f" {weights[least]:g} of synapse {bundle.members[gone[least]]}; the smallest that is not is {smallest:.3g}",
        why=f"weights onto '{membrane.label}' are multiples of {smallest * 2:.3g} or more there: eight bits and an exponent,"
        f" at a scale that its {scale.reason} sets",
        fix="raise these weights or lower the largest, put several synapses in place of a large one, or keep such a run with"
        " --allow-losses (allow_losses=True)",
    )


def quantise_cells(membrane: Membrane, scale: Scale, currents: Currents) -> tuple[Compartments, Units]:
    """Registers of a population."""
    mantissa, exponent = nearest_bias(membrane.drive * scale.v_scale)
    compartments = Compartments(
        label=membrane.label,
        size=membrane.size,
        du=membrane.du[list(currents.receptor)],
        dv=membrane.dv,
        vth=np.maximum(threshold_at_or_below(membrane.threshold * scale.v_scale), 0),
        bias_mant=mantissa,
        bias_exp=exponent,
        refractory=membrane.refractory,
        u=np.rint(currents.initial * scale.per_nA).astype(np.int64),
        v=np.rint(membrane.v * scale.v_scale).astype(np.int64),
    )
    return compartments, Units(membrane.v_reset, scale.v_scale, np.full(membrane.size, scale.per_nA))


def lost_levels(membrane: Membrane, cells: Compartments, scale: Scale) -> list[RequestError]:
    """Thresholds and resting voltages that are nowhere near the model's: few units are left of a small one at a coarse scale."""
    fires = ((cells.vth << LOIHI2.threshold_shift) + 1) / scale.v_scale
    decays = cells.dv > 0
    rests = np.divide(
        bias(cells.bias_mant, cells.bias_exp) * LOIHI2.decay_unity / scale.v_scale,
        cells.dv,
        out=membrane.rest.copy(),
        where=decays,
    )
    found = []
    for name, wanted, got in (
        ("v_thresh", membrane.threshold, fires),
        ("resting voltage", membrane.rest, rests),
    ):
        lost = np.flatnonzero(np.abs(got - wanted) >= LOST * membrane.threshold)
        if lost.size:
            n = lost[0]
            found.append(
                RequestError(
                    f"Population '{membrane.label}': the {name} of neuron {n} is {got[n]:.4g} mV above its reset on the chip and"
                    f" {wanted[n]:.4g} mV in the model ({lost.size} of {membrane.size} neurons)",
                    why=f"a mV is {scale.v_scale[n]:.3g} units there, at a scale that its {scale.reason} sets",
                    fix="lower what sets the scale, or keep such a run with --allow-losses (allow_losses=True)",
                )
            )
    return found
