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

from neurodeploy.backends.loihi.program import Compartments, LoihiProgram
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
    result = Placed()
    for number, group in enumerate(program.groups):
        if not isinstance(group, Compartments):
            continue
        first = len(result.cores)
        with judge.each():
            _place(number, placeable(program, number), chip, result.cores)
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


@dataclass
class Arriving:
    """One group of synapses onto a group of neurons.

    Attributes
    ----------
    pre_index, post_index : ndarray
        Sorted by postsynaptic neuron.
    delays : bool
        Whether an entry of its lists holds a delay.
    """

    pre_index: np.ndarray
    post_index: np.ndarray
    delays: bool


@dataclass
class Placeable:
    """What is counted of a group of neurons, made once for all the runs that it may be cut into.

    Attributes
    ----------
    label : str
    size, currents : int
    membranes, thresholds : ndarray
        Which of the group's different ones each neuron has.
    arriving : list of Arriving
    """

    label: str
    size: int
    currents: int
    membranes: np.ndarray
    thresholds: np.ndarray
    arriving: list[Arriving]


def placeable(program: LoihiProgram, number: int) -> Placeable:
    """Group `number` of `program`, with the synapses onto it."""
    group = program.groups[number]
    assert isinstance(group, Compartments)
    kinds = np.vstack([group.du, group.dv[None], group.refractory[None]])
    membranes = np.unique(kinds, axis=1, return_inverse=True)[1].reshape(-1)
    thresholds = np.unique(group.vth, return_inverse=True)[1].reshape(-1)
    arriving = []
    for synapses in program.synapses:
        if synapses.post == number:
            order = np.argsort(synapses.post_index, kind="stable")
            ends = (synapses.pre_index[order], synapses.post_index[order])
            arriving.append(Arriving(*ends, bool(np.any(synapses.delay > 1))))
    return Placeable(group.label, group.size, len(group.du), membranes, thresholds, arriving)


def _place(number: int, group: Placeable, chip: LoihiChip, cores: list[Core]) -> None:
    whole = use_of(group, 0, group.size, chip)
    if cores and fits(_together(cores[-1].use, whole), chip) and not cores[-1].shares_axons:
        cores[-1].use = _together(cores[-1].use, whole)
        cores[-1].runs.append(Run(number, 0, group.size))
        return
    start = 0
    while start < group.size:
        stop = _longest(group, start, chip)
        shares = stop == start
        if shares:
            stop = start + 1
        use = use_of(group, start, stop, chip, shares)
        if shares and not fits(use, chip):
            _refuse_neuron(group, start, use, chip)
        cores.append(Core(0, 0, [Run(number, start, stop)], use, shares))
        start = stop


def _longest(group: Placeable, start: int, chip: LoihiChip) -> int:
    """The end of the longest run from `start` that a core holds; `start` where it holds not even one neuron."""
    low, high = start, min(start + chip.neurons_per_core, group.size)
    if fits(use_of(group, start, high, chip), chip):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(use_of(group, start, middle, chip), chip):
            low = middle
        else:
            high = middle
    return low


def use_of(group: Placeable, start: int, stop: int, chip: LoihiChip, shares: bool = False) -> Use:
    """What neurons `start` to before `stop` take, but for outgoing axons."""
    here = slice(start, stop)
    use = Use(
        compartments=(stop - start) * group.currents,
        memory_bits=(stop - start) * chip.neuron_bits,
        membranes=_different(group.membranes[here]),
        thresholds=_different(group.thresholds[here]),
    )
    for synapses in group.arriving:
        low, high = np.searchsorted(synapses.post_index, (start, stop))
        sending = synapses.pre_index[low:high]
        lists = np.bincount(sending)
        use.memory_bits += _list_bits(lists[lists > 0], synapses.delays, chip)
        use.input_axons += _different(sending // chip.neurons_per_axon if shares else sending)
    return use


def _different(numbers: np.ndarray) -> int:
    """How many different ones there are among small whole numbers."""
    return int(np.count_nonzero(np.bincount(numbers)))


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
        homes = where[synapses.post][synapses.post_index]
        reached = np.unique(synapses.pre_index.astype(np.int64) * len(cores) + homes)
        sent += np.bincount(where[synapses.pre][reached // len(cores)], minlength=len(cores))
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


def _refuse_neuron(group: Placeable, neuron: int, use: Use, chip: LoihiChip) -> None:
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
