"""What is said of a model on Loihi before it runs: the lowering's own rules, all of them, and what it takes of each core."""

from __future__ import annotations

import numpy as np

from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi.cores import LIMITS, Core
from neurodeploy.backends.loihi.cost import cost
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import LoihiProgram
from neurodeploy.backends.loihi.session import lower_for
from neurodeploy.chips.loihi import LoihiChip, chip_by_name
from neurodeploy.costs import UNKNOWN, Rates
from neurodeploy.findings import MODEL, POPULATION, PROJECTION, Amount, Examination, Keeps, Sheet, changed
from neurodeploy.hardware import LoihiHardware
from neurodeploy.models.network import Network

WORDS = {
    "compartments": "compartments of a core",
    "input_axons": "axons into a core",
    "output_axons": "axons out of a core",
    "memory_bits": "memory of a core",
    "membranes": "different membranes on a core",
    "thresholds": "different thresholds on a core",
}
"""Names of :data:`~neurodeploy.backends.loihi.cores.LIMITS`, for a user."""


NAMED = 3
"""Populations of a core that are named."""


def examine(
    network: Network,
    options: Options,
    steps: int,
    hardware: LoihiHardware | None,
    rates: Rates = UNKNOWN,
) -> Examination:
    """See :meth:`neurodeploy.backends.base.Backend.examine`; `hardware` None is this machine, with the rules' numbers."""
    judge, chip = Keeps(network), chip_by_name(options.rules)
    result = Examination()
    changes: list[str] = []
    with judge.each():
        if hardware is None:
            program = lower(network, chip.name, options.allow_losses, judge=judge)
        else:
            program, _ = lower_for(hardware, network, options, judge)
        changes = program.changes
        result.amounts = amounts(program, chip, None if hardware is None else hardware.chips)
        result.sheets = sheets(program)
    activity = result.count(network, steps, rates, judge)
    if activity is not None and hardware is not None:
        with judge.each():
            result.costs = cost(program, chip, steps, activity, result.costs)
    result.findings = judge.findings + changed(network, changes)
    return result


def amounts(program: LoihiProgram, chip: LoihiChip, there: int | None) -> list[Amount]:
    """What the model takes of the chip: cores, of the fullest core each part, and the longest delay; `there` are chips."""
    taken = max(-(-len(program.cores) // chip.cores_per_chip), 1)
    chips = there or taken
    result = [
        Amount(MODEL, "", f"chips ({chip.title})", taken, there),
        Amount(
            MODEL,
            "",
            f"cores of {chips} chip{'s'[: chips != 1]}",
            len(program.cores),
            chips * chip.cores_per_chip,
        ),
    ]
    for name, words in WORDS.items():
        if program.cores:
            fullest = max(program.cores, key=lambda core: getattr(core.use, name))
            used, limit = amount(fullest, name, chip)
            unit = "bytes" if name == "memory_bits" else ""
            result.append(Amount(POPULATION, residents(program, fullest), words, used, limit, unit))
    if program.synapses:
        longest = max(program.synapses, key=lambda part: int(np.max(part.delay, initial=0)))
        steps = int(np.max(longest.delay, initial=0))
        words = "longest delay of a synapse"
        result.append(Amount(PROJECTION, longest.label, words, steps, chip.longest_delay, "steps"))
    return result


def amount(core: Core, name: str, chip: LoihiChip) -> tuple[int, int]:
    """What is taken of a part of a core, and what there is of it; memory in bytes."""
    used, limit = getattr(core.use, name), getattr(chip, LIMITS[name])
    return (-(-used // 8), limit // 8) if name == "memory_bits" else (used, limit)


def residents(program: LoihiProgram, core: Core) -> str:
    """The labels of who is on `core`."""
    labels = list(dict.fromkeys(program.groups[run.group].label for run in core.runs))
    return ", ".join(labels[:NAMED]) + (f" and {len(labels) - NAMED} more" if len(labels) > NAMED else "")


def sheets(program: LoihiProgram) -> dict[str, Sheet]:
    """The quantisation report's rows."""
    report = program.report
    weights = Sheet(
        f"Weights on {report.chip}",
        (
            "projection",
            "target",
            "synapses",
            "step",
            "largest error",
            "mean error",
            "clipped",
            "to 0",
            "values",
            "of",
        ),
        [
            (
                row.label,
                row.target,
                row.synapses,
                row.step,
                row.largest_error,
                row.mean_error,
                row.clipped,
                row.zeroed,
                row.distinct,
                row.distinct_before,
            )
            for row in report.projections
        ],
    )
    scales = Sheet(
        "Scales, and voltages against the model's own",
        (
            "population",
            "decided by",
            "units/mV",
            "units/nA",
            "cut below, mV",
            "error at most, mV",
            "mostly, mV",
        ),
        [
            (
                row.label,
                row.reason,
                row.per_mV,
                row.per_nA,
                row.lowest_voltage,
                row.error.total,
                row.error.typical,
            )
            for row in report.populations
        ],
    )
    rounded = Sheet(
        "Parameters that are rounded",
        ("population", "parameter", "largest error", "unit", "share", "values", "of"),
        [
            (
                row.population,
                row.parameter,
                row.largest_error,
                row.unit,
                row.largest_relative_error,
                row.distinct,
                row.distinct_before,
            )
            for row in report.parameters
        ],
    )
    chip = chip_by_name(program.chip)
    limits = ", ".join(f"{getattr(chip, LIMITS[name]):,} {name.replace('_', ' ')}" for name in WORDS)
    cores = Sheet(
        f"Cores; each has {limits}",
        ("chip", "core", "population", *(name.replace("_", " ") for name in WORDS)),
        [
            (core.chip, core.number, residents(program, core), *(getattr(core.use, name) for name in WORDS))
            for core in program.cores
        ],
    )
    every = {"weights": weights, "scales": scales, "parameters": rounded, "cores": cores}
    return {name: sheet for name, sheet in every.items() if sheet.rows}
