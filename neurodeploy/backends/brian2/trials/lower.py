"""From a Network to the program and arrays of its trials.

All neurons share one group, population after population.  Projections with the same plasticity, modulation and gate share a
class of synapses, sorted by source, then by target, with an index by target beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.brian2.trials.structure import CELLS, TrialStructure
from neurodeploy.backends.lowering import first_bad
from neurodeploy.chips import nalsm
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Network, Population, Projection

CELL_TYPE = "IF_curr_exp"

LARGEST_INDEX = 2**31 - 1

RATE_WIDTH, MODULATOR_WIDTH = 5, 4
"""Numbers a row of the engine's tables (``trials.cpp.jinja``)."""


@dataclass
class Lowered:
    """A program and its data.

    Attributes
    ----------
    structure : TrialStructure
    arrays : dict of str to ndarray
        Everything to load, by the engine's names.
    starts : ndarray, shape (n_populations + 1,)
        Neurons ``starts[k]`` to ``starts[k + 1]`` of the group are population k.
    places : list of (str, ndarray)
        For each projection its class, and where its synapses went there.
    """

    structure: TrialStructure
    arrays: dict[str, np.ndarray]
    starts: np.ndarray
    places: list[tuple[str, np.ndarray]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return int(self.starts[-1])


def lower(network: Network, plastic: bool) -> Lowered:
    """Lower `network`; without `plastic` its weights are frozen and nothing of learning is in the program.

    Raises
    ------
    RequestError
        A weight or parameter that is not finite, a synapse of a neuron that is not there.
    UnsupportedError
        A cell type, delay, time constant or plasticity that trials do not know.
    """
    starts = np.concatenate([[0], np.cumsum([population.size for population in network.populations])])
    arrays = _cells(network.populations, network.time_step)
    for projection in network.projections:
        _check(network, projection)
    traced = [p for p in network.projections if p.plasticity] if plastic else []
    arrays |= _learning(network, traced, int(starts[-1]), starts)
    members: dict[str, list[int]] = {}
    for position, projection in enumerate(network.projections):
        learning = (projection.plasticity, projection.modulation, projection.gate)
        members.setdefault(repr(learning) if plastic else "", []).append(position)
    kinds, rates = [], []
    places: list[tuple[str, np.ndarray]] = [("", np.empty(0))] * len(network.projections)
    for number, positions in enumerate(members.values()):
        name = f"class{number}"
        group = [network.projections[position] for position in positions]
        kind = kind_of(group[0]) if plastic else "static"
        kinds.append(kind)
        order = _rows(name, group, starts, kind != "static", arrays)
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        ends = np.cumsum([0, *(projection.size for projection in group)])
        for position, begin, end in zip(positions, ends[:-1], ends[1:], strict=True):
            places[position] = (name, back[begin:end])
        if kind != "static":
            rule = group[0].plasticity
            assert rule is not None
            arrays[f"{name}.w_min"] = np.array([rule.w_min], dtype=float)
            arrays[f"{name}.w_max"] = np.array([rule.w_max], dtype=float)
        rates.append(rate_row(group[0]) if kind != "static" else np.zeros(RATE_WIDTH))
    arrays["rates"] = np.concatenate(rates) if rates else np.zeros(0)
    return Lowered(TrialStructure(tuple(kinds)), arrays, starts, places)


def _cells(populations: list[Population], time_step: float) -> dict[str, np.ndarray]:
    rows: dict[str, list[np.ndarray]] = {}
    syn = set()
    for population in populations:
        if population.cell != CELL_TYPE:
            raise UnsupportedError(
                f"Population '{population.label}': trials have no rules for cell type {population.cell}",
                fix=f"use {CELL_TYPE}",
            )
        for name, value in population.parameters.items():
            if not np.all(np.isfinite(value)):
                raise RequestError(
                    f"Population '{population.label}': parameter {name} is {first_bad(value)}",
                    fix=f"give {name} a finite value",
                )
            if name.startswith("tau_syn"):
                syn |= set(np.asarray(value, dtype=float).tolist())
        for name, value in nalsm.coefficients(population.parameters, time_step).items():
            rows.setdefault(name, []).append(np.broadcast_to(value, population.size))
    if len(syn) > 1:
        raise UnsupportedError(
            f"The populations have synaptic time constants of {', '.join(f'{tau:g}' for tau in sorted(syn))} ms",
            why="in trials a source's kernel is the same for all of its targets",
            fix="use one tau_syn for all",
        )
    return {f"{CELLS}.{name}": np.concatenate(parts).astype(float) for name, parts in rows.items()}


def _check(network: Network, projection: Projection) -> None:
    if not np.all(np.isfinite(projection.weight)):
        raise RequestError(
            f"Projection '{projection.label}': weight {first_bad(projection.weight).replace('neuron', 'synapse')}",
            fix="give every synapse a finite weight",
        )
    if not np.allclose(projection.delay, network.time_step):
        raise UnsupportedError(
            f"Projection '{projection.label}': delays of {projection.delay.min():g} to {projection.delay.max():g} ms",
            why="in trials every synapse takes one time step",
            fix=f"use delays of {network.time_step:g} ms",
        )
    rule = projection.plasticity
    if rule is None and (projection.modulation or projection.gate):
        raise RequestError(
            f"Projection '{projection.label}': a modulation or gate without plasticity",
            fix="give it a plasticity, or leave them out",
        )
    if rule is not None and (rule.weight_dependence != "additive" or rule.tau_plus != rule.tau_minus):
        raise UnsupportedError(
            f"Projection '{projection.label}': {rule.weight_dependence} plasticity with time constants of"
            f" {rule.tau_plus:g} and {rule.tau_minus:g} ms",
            why="in trials a neuron has one trace, for both of its roles",
            fix="use additive plasticity with tau_plus equal to tau_minus",
        )


def _learning(network: Network, traced: list[Projection], size: int, starts: np.ndarray) -> dict:
    """What learning needs beside the synapses: traces, gates, modulators."""
    arrays: dict[str, np.ndarray] = {}
    taus = {projection.plasticity.tau_plus for projection in traced if projection.plasticity}
    gates = {projection.gate for projection in traced if projection.gate}
    if len(taus) > 1 or len(gates) > 1:
        raise UnsupportedError(
            "The projections learn with different time constants or gates",
            why="in trials a neuron has one trace and one activity",
            fix="use the same ones everywhere",
        )
    for tau in taus:
        arrays[f"{CELLS}.trace_decay"] = np.full(size, np.exp(-network.time_step / tau))
    for gate in gates:
        arrays[f"{CELLS}.activity_leak"] = np.full(size, network.time_step / gate.tau)
        arrays[f"{CELLS}.threshold"] = np.full(size, float(gate.threshold))
        arrays[f"{CELLS}.width"] = np.full(size, float(gate.width))
    table = np.zeros((len(network.modulators), MODULATOR_WIDTH))
    gains = np.zeros((len(network.modulators), size))
    for number, modulator in enumerate(network.modulators):
        table[number, :3] = modulator.tau / network.time_step, modulator.resting, modulator.initial
        for population, gain in modulator.gains:
            gains[number, starts[population] : starts[population + 1]] = gain
    return arrays | {"modulators": table.ravel(), "gains": gains.ravel()}


def kind_of(projection: Projection) -> str:
    """Which kind of synapse a projection's class is made of: ``"static"`` or a key of ``GATES``."""
    if projection.plasticity is None:
        return "static"
    if projection.gate is None:
        return "plastic"
    return "gated-mirrored" if mirrored(projection) else "gated"


def mirrored(projection: Projection) -> bool:
    """Whether weights are negative, so that potentiation lowers them."""
    return projection.receptor == "inhibitory"


def rate_row(projection: Projection) -> np.ndarray:
    """One row of the engine's table of rates, for signed weights: what a presynaptic (early) and a postsynaptic (late) spike
    do for each unit of the other neuron's trace, as a constant and as a multiple of the modulator."""
    rule, modulation = projection.plasticity, projection.modulation
    assert rule is not None
    sign = -1.0 if mirrored(projection) else 1.0
    amplitudes = {"A_minus": -sign * rule.A_minus, "A_plus": sign * rule.A_plus}
    row = np.zeros(RATE_WIDTH)
    row[4] = -1 if modulation is None else modulation.modulator
    for column, (name, amplitude) in enumerate(amplitudes.items()):
        scaled = modulation is not None and modulation.scales == name
        row[2 * column + scaled] = amplitude
    return row


def _rows(name: str, group: list[Projection], starts: np.ndarray, learns: bool, arrays: dict) -> np.ndarray:
    """Sort the synapses of one class into `arrays`; give the order in which they were taken."""
    pre = np.concatenate([projection.pre_index + starts[projection.pre] for projection in group])
    post = np.concatenate([projection.post_index + starts[projection.post] for projection in group])
    if len(pre) > LARGEST_INDEX:
        raise RequestError(
            f"{len(pre):,} synapses that learn alike, at most {LARGEST_INDEX:,} are possible",
            why="the generated program counts with 32 bits",
            fix="use fewer synapses",
        )
    order = np.lexsort((post, pre))
    pre, post = pre[order], post[order]
    size = int(starts[-1])
    if len(pre) and np.any((np.diff(pre) == 0) & (np.diff(post) == 0)):
        raise UnsupportedError(
            f"Projection '{group[0].label}': two synapses between the same two neurons",
            why="in trials there is one synapse of a class a pair",
            fix="add their weights into one",
        )
    arrays[f"{name}._synaptic_pre"] = pre.astype(np.int32)
    arrays[f"{name}._synaptic_post"] = post.astype(np.int32)
    arrays[f"{name}.N"] = np.array([len(pre)], dtype=np.int32)
    arrays[f"{name}.w"] = np.concatenate([projection.weight for projection in group]).astype(float)[order]
    arrays[f"{name}.pre.start"] = np.searchsorted(pre, np.arange(size + 1)).astype(np.int32)
    if learns:
        by_target = np.argsort(post, kind="stable")
        arrays[f"{name}.post.synapse"] = by_target.astype(np.int32)
        arrays[f"{name}.post.source"] = pre[by_target].astype(np.int32)
        arrays[f"{name}.post.start"] = np.searchsorted(post[by_target], np.arange(size + 1)).astype(np.int32)
    return order
