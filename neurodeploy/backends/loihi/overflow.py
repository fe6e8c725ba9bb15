"""Whether a current could leave its 24 bits: checked again whenever a model changes while it runs, at the scale it began with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.backends.loihi.activity import Firing, firing
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram
from neurodeploy.chips.loihi import SIGN_MODES, LoihiChip, chip_by_name
from neurodeploy.chips.loihi_arithmetic import CURRENT_DECAY_OFFSET, weight
from neurodeploy.errors import RequestError
from neurodeploy.models.network import Network


def refuse_overflow(network: Network, program: LoihiProgram) -> None:
    """Raise for the first population of which a current could overflow with the present weights, spikes and parameters.

    Raises
    ------
    RequestError
    """
    chip = chip_by_name(program.chip)
    refractory = [
        group.refractory if isinstance(group, Compartments) else None
        for group in program.groups[: len(network.populations)]
    ]
    fires = firing(network, refractory)
    for position, population in enumerate(network.populations):
        group = program.groups[position]
        if not isinstance(group, Compartments):
            continue
        worst = worst_currents(network, program, position, fires, chip)
        over = np.argwhere(worst > chip.largest_state)
        if over.size:
            sign, current, neuron = over[0]
            raise RequestError(
                f"Population '{population.label}': a current of neuron {neuron} could reach"
                f" {worst[sign, current, neuron]:,.0f} of the chip's units; it has {chip.largest_state:,}",
                why="a current that overflows changes its sign, and the scale was chosen when the run began, for the weights,"
                " spikes and time constants that there were",
                fix="call reset() first, so that the scale is chosen anew, or begin the first run with the strongest input",
            )


def changed_program(
    program: LoihiProgram,
    mantissas: list[tuple[int, np.ndarray]],
    registers: dict[int, dict[str, np.ndarray]] | None = None,
) -> LoihiProgram:
    """A copy of `program` with other mantissas of some synapses and other registers of some groups."""
    groups, synapses = list(program.groups), list(program.synapses)
    for k, mantissa in mantissas:
        synapses[k] = replace(synapses[k], mantissa=mantissa)
    for position, values in (registers or {}).items():
        cells = groups[position]
        assert isinstance(cells, Compartments)
        groups[position] = Compartments(**{**vars(cells), **values})
    return replace(program, groups=groups, synapses=synapses)


def worst_currents(
    network: Network, program: LoihiProgram, position: int, fires: list[Firing], chip: LoihiChip
) -> np.ndarray:
    """Bounds of the currents of a population, in units, shape (2 signs, currents, size).

    All presynaptic neurons fire together and as often as they can, relays or not.
    """
    group = program.groups[position]
    assert isinstance(group, Compartments)
    bound = np.zeros((2, len(group.du), group.size))
    for part in program.synapses:
        if part.post != position or part.projection < 0:
            continue
        projection = network.projections[part.projection]
        slowest = int(group.du[part.current].min()) + CURRENT_DECAY_OFFSET
        often = fires[projection.pre].pile_up(1.0 - slowest / chip.decay_unity)
        most = np.abs(part.weight)
        if part.learning is not None:
            mode = SIGN_MODES[part.sign_mode]
            most = np.full(len(most), int(weight(max(-mode.low, mode.high), part.exponent)))
        bound[int(part.sign_mode == "inhibitory"), part.current] += np.bincount(
            part.post_index, most * often[projection.pre_index[part.members]], minlength=group.size
        )
    return bound
