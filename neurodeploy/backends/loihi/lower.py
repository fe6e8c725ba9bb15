"""From a Network to a Loihi Program: a fixed order of passes, each of which hands back what it did.

1. place inputs (``inputs.py``), 2. discretise (``discretise.py``), 3. choose scales (``scales.py``), 4. quantise
(``quantise.py``), 5. map delays (``delays.py``), 6. map plasticity, 7. split over cores (``cores.py``).

A pure function: it starts nothing and writes nothing, so it is also the check before a run.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.loihi.activity import Firing, expected, firing
from neurodeploy.backends.loihi.bundles import Bundle, bundles
from neurodeploy.backends.loihi.cores import split_over_cores
from neurodeploy.backends.loihi.delays import map_delays
from neurodeploy.backends.loihi.discretise import Membrane, discretise
from neurodeploy.backends.loihi.inputs import array_source, constant_currents, say_coinciding
from neurodeploy.backends.loihi.plasticity import map_plasticity, refuse_rules
from neurodeploy.backends.loihi.program import LoihiProgram, Source, Synapses
from neurodeploy.backends.loihi.quantisation import Lowered, report
from neurodeploy.backends.loihi.quantise import Quantised, lost_levels, quantise_cells, quantise_synapses
from neurodeploy.backends.loihi.scales import Currents, Scale, choose_scale, worst_input
from neurodeploy.backends.lowering import refuse
from neurodeploy.chips.loihi import SIGN_MODES, LoihiChip, chip_by_name
from neurodeploy.chips.loihi_arithmetic import weight
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.findings import RAISES, Judge
from neurodeploy.models.network import Network, Population

RECORDABLE = {"IF_curr_exp": ("spikes", "v", "isyn_exc", "isyn_inh"), "IF_curr_delta": ("spikes", "v")}
"""What can be recorded of a cell; of a source, its spikes."""

STEP_DOWN = 0.995
"""Factor by which a scale is lowered where rounding up made the worst input overflow after all."""


def lower(
    network: Network,
    chip: str = "loihi2",
    allow_losses: bool = False,
    chips: int | None = None,
    judge: Judge = RAISES,
) -> LoihiProgram:
    """Lower `network` for `chip`; what its numbers make 0 or infinite is an error unless `allow_losses`.

    `chips` is how many the machine has; None places the model on as many as it takes.  A `judge` that keeps errors gets all of
    them; what comes back is then the Program of what is sound in the model.

    Poisson sources become empty :class:`Source` groups; ``inputs.poisson_source`` draws their spikes for the steps
    that are run.

    Raises
    ------
    RequestError
        A value that is not finite or means nothing; one that the chip's numbers lose.
    UnsupportedError
        Something the chip does not have, by the user's label.
    """
    kind = chip_by_name(chip)
    refuse(network, judge)
    program = LoihiProgram(chip=kind.name, time_step=network.time_step)
    discrete = discretise(
        network, kind, lambda position: constant_currents(network, position, network.injections), judge
    )
    program.changes += discrete.changes
    losses = list(discrete.losses)
    _recordable(network, judge)
    network = judge.sound(network)
    synapses = bundles(network, discrete.membranes, program.changes, judge)
    refuse_rules(network, synapses, judge)

    lowered: dict[int, Lowered] = {}

    refractory = [None if membrane is None else membrane.refractory for membrane in discrete.membranes]
    fires = firing(network, refractory)
    for position, membrane in enumerate(discrete.membranes):
        program.units.append(None)
        if membrane is None:
            program.groups.append(_source(network, position, program.changes))
            continue
        program.groups.append(silent(network.populations[position]))
        incoming = [bundle for bundle in synapses if bundle.post == position]
        with judge.each(network.populations[position]):
            currents = share_currents(network, position, membrane, incoming, program.changes)
            scale, quantised = scale_and_quantise(membrane, currents, incoming, fires, kind)
            cells, units = quantise_cells(membrane, scale, currents)
            map_plasticity(network, quantised, membrane, program.changes, judge)
            program.groups[position], program.units[position] = cells, units
            program.synapses += [part for _, part in quantised.pairs]
            lowered[position] = Lowered(membrane, cells, scale, quantised.pairs)
            program.changes += quantised.changes
            losses += lost_levels(membrane, cells, scale) + quantised.losses
    _settle_losses(losses, program.changes, allow_losses, judge)
    program.synapses.sort(key=lambda s: s.projection)
    program.report = report(network, lowered, expected(network), kind)
    delayed = map_delays(program.groups, program.synapses, kind, network.time_step)
    program.groups += delayed.relays
    program.units += [None] * len(delayed.relays)
    program.synapses = delayed.synapses
    program.changes += delayed.changes
    placed = split_over_cores(program, kind, chips, judge)
    program.cores = placed.cores
    program.changes += placed.changes
    program.recorded = [
        (recorded.population, recorded.variable, np.asarray(recorded.neurons, dtype=np.int64))
        for recorded in network.recorded
    ]
    program.changes += program.report.summary
    program.report.changes = program.changes
    return program


def _source(network: Network, position: int, changes: list[str]) -> Source:
    population = network.populations[position]
    if population.cell == "SpikeSourceArray":
        return array_source(network, position, changes)
    say_coinciding(network, position, changes)
    return silent(population)


def silent(population: Population) -> Source:
    """A Source in the place of `population`: of one whose spikes are drawn later, or of one that can't be lowered."""
    nothing = np.empty(0, dtype=np.int64)
    return Source(population.label, population.size, nothing, nothing)


def share_currents(
    network: Network, position: int, membrane: Membrane, incoming: list[Bundle], changes: list[str]
) -> Currents:
    """One current for both receptors where nothing tells them apart, else two."""
    recorded = sorted(
        {r.variable for r in network.recorded if r.population == position and r.variable.startswith("isyn")}
    )
    used = [
        any(b.receptor == receptor for b in incoming) or bool(np.any(membrane.current[receptor]))
        for receptor in (0, 1)
    ]
    differ = bool(np.any(membrane.effective_du[0] != membrane.effective_du[1])) and all(used)
    if recorded or differ:
        reason = f"{' and '.join(recorded)} recorded" if recorded else "tau_syn_E and tau_syn_I differ"
        changes.append(
            f"Population '{membrane.label}': {membrane.size} neurons with two currents, {reason}; a neuron takes two"
            " compartments for that"
        )
        return Currents((0, 1), (0, 1), membrane.current)
    only = 1 if used == [False, True] else 0
    return Currents((0, 0), (only,), membrane.current.sum(axis=0, keepdims=True))


def scale_and_quantise(
    membrane: Membrane,
    currents: Currents,
    incoming: list[Bundle],
    fires: list[Firing],
    chip: LoihiChip,
) -> tuple[Scale, Quantised]:
    """Scale and synapses of a population such that the integers themselves can't overflow."""
    first = np.abs(currents.initial)
    bound = worst_input(membrane, currents, incoming, [b.most for b in incoming], fires, chip) + first
    below = np.inf
    while True:
        scale = choose_scale(membrane, incoming, bound, fires, chip, below)
        quantised = quantise_synapses(membrane, incoming, scale, currents, chip)
        parts = [bundle for bundle, _ in quantised.pairs]
        most = [_most_units(bundle, part) for bundle, part in quantised.pairs]
        whole = worst_input(membrane, currents, parts, most, fires, chip)
        if (whole + first * scale.per_nA).max(initial=0.0) <= chip.largest_state:
            return scale, quantised
        below = scale.per_nA * STEP_DOWN


def _most_units(bundle: Bundle, synapses: Synapses) -> np.ndarray:
    """What the synapses add to their current at most, now or after learning."""
    if not bundle.learns:
        return np.abs(synapses.weight)
    largest = SIGN_MODES[synapses.sign_mode]
    return np.full(len(synapses.mantissa), int(weight(max(-largest.low, largest.high), synapses.exponent)))


def _settle_losses(losses: list[RequestError], changes: list[str], allow_losses: bool, judge: Judge) -> None:
    """Raise the losses, or tell all of them where they are allowed."""
    if allow_losses:
        changes += [f"lost: {loss.what}" for loss in losses]
    else:
        judge.all(losses)


def _recordable(network: Network, judge: Judge) -> None:
    """Raise where something is to be recorded that the chip's neuron has not."""
    for recorded in network.recorded:
        population = network.populations[recorded.population]
        allowed = ("spikes",) if population.is_source else RECORDABLE.get(population.cell)
        with judge.each(population):
            if allowed is not None and recorded.variable not in allowed:
                raise UnsupportedError(
                    f"Population '{population.label}': '{recorded.variable}' of {population.cell} can't be recorded on Loihi",
                    why=f"what can be is {', '.join(allowed)}",
                    fix="record one of these",
                )
