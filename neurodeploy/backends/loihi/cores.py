"""Pass 7, split over cores: who lives where, and whether the chip holds it.  The arithmetic does not depend on it.

A population that fits is put beside the one before it; one that does not is cut into runs of neurons, each as long as a core
of its own can hold.  Counted on every core are compartments, axons in and out, memory for synapse lists (and neurons, on
Loihi 2) and, on Loihi 1, different membranes and thresholds.  Sources take no core: their spikes come in from the host.

A synapse list belongs to one presynaptic neuron, one group of synapses and one core, and is reached by an axon.  A core that
would need more axons than it has, with a single neuron on it, is reached by population axons, which several presynaptic
neurons share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Synapses
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.errors import UnsupportedError
from neurodeploy.findings import RAISES, Judge


@dataclass
class Use:
    """What is taken of a core."""

    compartments: int = 0
    input_axons: int = 0
    output_axons: int = 0
    memory_bits: int = 0
    membranes: int = 0
    thresholds: int = 0


@dataclass
class Run:
    """Neurons `start` to before `stop` of group number `group`."""

    group: int
    start: int
    stop: int


@dataclass
class Core:
    """A core and who is on it.

    Attributes
    ----------
    chip, number : int
        Counted from 0.
    runs : list of Run
    use : Use
    shares_axons : bool
        Whether presynaptic neurons share its axons.
    """

    chip: int
    number: int
    runs: list[Run] = field(default_factory=list)
    use: Use = field(default_factory=Use)
    shares_axons: bool = False


@dataclass
class Placed:
    """Cores in order, and what had to be cut."""

    cores: list[Core] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)


LIMITS = {
    "compartments": "neurons_per_core",
    "input_axons": "input_axons_per_core",
    "output_axons": "output_axons_per_core",
    "memory_bits": "core_memory_bits",
    "membranes": "membranes_per_core",
    "thresholds": "thresholds_per_core",
}
"""What of a core must not be above which number of the chip."""


def split_over_cores(
    program: LoihiProgram, chip: LoihiChip, chips: int | None = None, judge: Judge = RAISES
) -> Placed:
    """Place the groups of `program`; `chips` is how many the machine has, None that it has enough.

    Raises
    ------
    UnsupportedError
        A single neuron that no core holds; more cores than there are.
    """
    incoming = _by_target(program)
    result = Placed()
    for number, group in enumerate(program.groups):
        if not isinstance(group, Compartments):
            continue
        first = len(result.cores)
        with judge.each():
            _place(number, group, incoming[number], chip, result.cores)
        taken = result.cores[first:]
        if len(taken) > 1:
            result.changes.append(
                f"Population '{group.label}': {group.size} neurons over {len(taken)} cores, because of its"
                f" {_reason(taken[0].use, chip)}"
            )
        shared = sum(core.shares_axons for core in taken)
        if shared:
            result.changes.append(
                f"Population '{group.label}': up to {chip.neurons_per_axon} presynaptic neurons share an axon onto {shared}"
                " of its cores"
            )
    with judge.each():
        _count_outgoing(program, result.cores, chip)
    for position, core in enumerate(result.cores):
        core.chip, core.number = divmod(position, chip.cores_per_chip)
    with judge.each():
        _refuse_too_many(program, result.cores, chip, chips)
    return result


def _by_target(program: LoihiProgram) -> list[list[Synapses]]:
    """Synapses onto each group, each sorted by postsynaptic neuron."""
    result: list[list[Synapses]] = [[] for _ in program.groups]
    for synapses in program.synapses:
        order = np.argsort(synapses.post_index, kind="stable")
        view = Synapses(
            **{**vars(synapses)}
            | {
                name: getattr(synapses, name)[order]
                for name in ("members", "pre_index", "post_index", "mantissa", "delay")
            }
        )
        result[synapses.post].append(view)
    return result


def _place(
    number: int, group: Compartments, incoming: list[Synapses], chip: LoihiChip, cores: list[Core]
) -> None:
    whole = use_of(group, incoming, 0, group.size, chip)
    if cores and fits(_together(cores[-1].use, whole), chip) and not cores[-1].shares_axons:
        cores[-1].use = _together(cores[-1].use, whole)
        cores[-1].runs.append(Run(number, 0, group.size))
        return
    start = 0
    while start < group.size:
        stop = _longest(group, incoming, start, chip)
        shares = stop == start
        if shares:
            stop = start + 1
        use = use_of(group, incoming, start, stop, chip, shares)
        if shares and not fits(use, chip):
            _refuse_neuron(group, start, use, chip)
        cores.append(Core(0, 0, [Run(number, start, stop)], use, shares))
        start = stop


def _longest(group: Compartments, incoming: list[Synapses], start: int, chip: LoihiChip) -> int:
    """The end of the longest run from `start` that a core holds; `start` where it holds not even one neuron."""
    low, high = start, min(start + chip.neurons_per_core, group.size)
    if fits(use_of(group, incoming, start, high, chip), chip):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(use_of(group, incoming, start, middle, chip), chip):
            low = middle
        else:
            high = middle
    return low


def use_of(
    group: Compartments,
    incoming: list[Synapses],
    start: int,
    stop: int,
    chip: LoihiChip,
    shares: bool = False,
) -> Use:
    """What neurons `start` to before `stop` take, but for outgoing axons; `incoming` is sorted by postsynaptic neuron."""
    currents = len(group.du)
    here = slice(start, stop)
    kinds = np.vstack([group.du[:, here], group.dv[None, here], group.refractory[None, here]])
    use = Use(
        compartments=(stop - start) * currents,
        memory_bits=(stop - start) * chip.neuron_bits,
        membranes=len(np.unique(kinds, axis=1).T),
        thresholds=len(np.unique(group.vth[here])),
    )
    for synapses in incoming:
        low, high = np.searchsorted(synapses.post_index, (start, stop))
        lists = np.bincount(synapses.pre_index[low:high])
        lists = lists[lists > 0]
        use.memory_bits += _list_bits(lists, bool(np.any(synapses.delay > 1)), chip)
        sending = np.unique(synapses.pre_index[low:high] // (chip.neurons_per_axon if shares else 1))
        use.input_axons += len(sending)
    return use


def _list_bits(lists: np.ndarray, delays: bool, chip: LoihiChip) -> int:
    """Memory of synapse lists with so many entries each."""
    index_bits = (chip.neurons_per_core - 1).bit_length()
    entry = chip.weight_bits + index_bits + (chip.delay_bits if delays else 0)
    full, rest = np.divmod(lists, chip.synapses_per_list)

    def words(entries: np.ndarray | int) -> np.ndarray:
        return np.asarray(-(-(np.asarray(entries) * entry + chip.list_header_bits) // chip.memory_word_bits))

    total = full * words(chip.synapses_per_list) + np.where(rest > 0, words(rest), 0)
    return int(total.sum()) * chip.memory_word_bits


def _together(one: Use, other: Use) -> Use:
    return Use(**{name: value + getattr(other, name) for name, value in vars(one).items()})


def fits(use: Use, chip: LoihiChip) -> bool:
    """Whether a core holds that."""
    return all(getattr(use, name) <= getattr(chip, limit) for name, limit in LIMITS.items())


def _reason(use: Use, chip: LoihiChip) -> str:
    """The part of a core that is most nearly full, in words."""
    share = {name: getattr(use, name) / getattr(chip, limit) for name, limit in LIMITS.items()}
    name = max(share, key=lambda each: share[each])
    return name.replace("_", " ").replace("memory bits", "memory")


def _count_outgoing(program: LoihiProgram, cores: list[Core], chip: LoihiChip) -> None:
    """Outgoing axons: one for each neuron, group of synapses and core that it reaches."""
    where: dict[int, np.ndarray] = {}
    for position, core in enumerate(cores):
        for run in core.runs:
            places = where.setdefault(run.group, np.zeros(program.groups[run.group].size, dtype=np.int64))
            places[run.start : run.stop] = position
    sent = np.zeros(len(cores), dtype=np.int64)
    for synapses in program.synapses:
        if synapses.pre not in where or not len(synapses.pre_index):
            continue
        reached = np.unique(np.stack([synapses.pre_index, where[synapses.post][synapses.post_index]]), axis=1)
        np.add.at(sent, where[synapses.pre][reached[0]], 1)
    for position, core in enumerate(cores):
        core.use.output_axons = int(sent[position])
    worst = int(np.argmax(sent)) if len(sent) else 0
    if len(sent) and sent[worst] > chip.output_axons_per_core:
        groups = ", ".join(f"'{program.groups[run.group].label}'" for run in cores[worst].runs)
        raise UnsupportedError(
            f"The core of {groups} needs {sent[worst]:,} outgoing axons; on {chip.title} it has {chip.output_axons_per_core:,}",
            why="each of its neurons takes one for every core and every group of synapses that it reaches",
            fix="connect it to fewer populations, or make it several populations",
        )


def _refuse_neuron(group: Compartments, neuron: int, use: Use, chip: LoihiChip) -> None:
    over = next(name for name, limit in LIMITS.items() if getattr(use, name) > getattr(chip, limit))
    raise UnsupportedError(
        f"Population '{group.label}': neuron {neuron} alone takes {getattr(use, over):,} {over.replace('_', ' ')}; a core of"
        f" {chip.title} has {getattr(chip, LIMITS[over]):,}",
        why="a neuron and its synapses live on one core",
        fix="give it fewer synapses",
    )


def _refuse_too_many(program: LoihiProgram, cores: list[Core], chip: LoihiChip, chips: int | None) -> None:
    if chips is None or len(cores) <= chips * chip.cores_per_chip:
        return
    taken: dict[int, int] = {}
    for core in cores:
        for run in core.runs:
            taken[run.group] = taken.get(run.group, 0) + 1
    largest = max(taken, key=lambda group: taken[group])
    needed = -(-len(cores) // chip.cores_per_chip)
    raise UnsupportedError(
        f"The model takes {len(cores):,} cores, {taken[largest]:,} of them population '{program.groups[largest].label}'; the"
        f" machine has {chips * chip.cores_per_chip:,} ({chips} {chip.title} with {chip.cores_per_chip} each)",
        why=f"'{program.groups[largest].label}' is cut by its {_reason(_first(cores, largest).use, chip)}",
        fix=f"use a machine with {needed} chips or more, or fewer neurons and synapses",
    )


def _first(cores: list[Core], group: int) -> Core:
    return next(core for core in cores if any(run.group == group for run in core.runs))
