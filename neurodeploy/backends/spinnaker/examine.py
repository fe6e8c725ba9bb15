"""What is said of a model on SpiNNaker before it runs: the lowering's own rules, all of them, and the grid of its weights."""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.spinnaker.lower import check_rules, lower
from neurodeploy.backends.spinnaker.weights import weights_on_grid
from neurodeploy.chips.spinnaker_machine import LARGEST_WEIGHT
from neurodeploy.chips.spinnaker_weights import input_scale, pattern, receptor_shifts, weight_scale
from neurodeploy.findings import VANISHED, Examination, Judge, Keeps, Sheet, changed
from neurodeploy.hardware import SpinnakerHardware
from neurodeploy.models.network import Network


def examine(network: Network, options: Options, steps: int, hardware: SpinnakerHardware) -> Examination:
    """See :meth:`neurodeploy.backends.base.Backend.examine`."""
    check_rules(options.rules)
    judge = Keeps(network)
    result, changes = Examination(), []
    with judge.each():
        changes = lower(network, options.rules, hardware, options.allow_losses, judge).changes
    network = judge.sound(network)
    with judge.each():
        result.sheets["weights"] = weights(network, hardware, options.allow_losses, changes, judge)
    result.findings = judge.findings + changed(network, changes)
    return result


def weight_steps(network: Network, hardware: SpinnakerHardware) -> dict[int, float]:
    """The step that the weights of each projection are multiples of, by its position."""
    sizes = [population.size for population in network.populations]
    dt = network.time_step
    kinds = [pattern(p, sizes[p.pre], sizes[p.post], dt) if p.size else "" for p in network.projections]
    delays = [np.rint(np.asarray(p.delay, dtype=float) / dt) for p in network.projections]
    settings = (hardware.spikes_per_second, hardware.ring_buffer_sigma)
    shifts = receptor_shifts(network, kinds, delays, settings)
    return {
        position: 1.0
        / weight_scale(shifts[p.post, p.receptor], input_scale(network.populations[p.post].cell))
        for position, p in enumerate(network.projections)
        if p.size
    }


def weights(
    network: Network, hardware: SpinnakerHardware, allow_losses: bool, changes: list[str], judge: Judge
) -> Sheet:
    """What the grid does to every projection's weights; what vanishes or is cut goes to `judge`."""
    sheet = Sheet(
        "Weights on the chip",
        (
            "projection",
            "target",
            "receptor",
            "synapses",
            "step",
            "largest",
            "largest possible",
            "to 0",
            "cut",
        ),
    )
    for position, step in weight_steps(network, hardware).items():
        projection = network.projections[position]
        post = network.populations[projection.post]
        target = post.label
        found = weights_on_grid(projection, target, step, hardware, post.largest_sums)
        changes += found.changes
        if found.error is not None and allow_losses:
            changes.append(f"{VANISHED}{found.error.what}")
        elif found.error is not None:
            with judge.each(projection):
                raise found.error
        magnitude = np.abs(np.asarray(projection.weight, dtype=float))
        ticks = np.rint(magnitude / step)
        row = (float(magnitude.max()), step * LARGEST_WEIGHT)
        lost = (
            int(np.count_nonzero((magnitude > 0) & (ticks == 0))),
            int(np.count_nonzero(ticks > LARGEST_WEIGHT)),
        )
        sheet.rows.append((projection.label, target, projection.receptor, projection.size, step, *row, *lost))
    return sheet
