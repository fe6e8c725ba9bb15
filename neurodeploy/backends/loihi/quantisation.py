"""The quantisation report: what the chip's numbers do to a model, known before it runs.

One row a projection, one a population and one a parameter that is rounded.  ``data`` is the same for machines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.backends.loihi.activity import Activity
from neurodeploy.backends.loihi.bundles import Bundle
from neurodeploy.backends.loihi.discretise import Membrane, time_constant
from neurodeploy.backends.loihi.prediction import VoltageError, voltage_error
from neurodeploy.backends.loihi.program import Compartments, Synapses
from neurodeploy.backends.loihi.scales import Scale
from neurodeploy.chips.loihi import LoihiChip, chip_by_name
from neurodeploy.chips.loihi_arithmetic import bias
from neurodeploy.models.network import Network

if TYPE_CHECKING:
    from rich.table import Table

EXACT = 1e-12
"""Relative errors below this are those of floating point, and not told."""

SMALL = 1e-4
"""Parameters that are off by less than this share are counted, not listed, in the tables for people."""

FILE = "quantisation.json"
"""Name of the report in a run's folder."""


@dataclass
class ProjectionRow:
    """What becomes of a projection's weights.

    Attributes
    ----------
    label, target : str
    synapses : int
    groups : list of tuple (sign mode, exponent, synapses)
        The synapse groups it is loaded as.
    step : float
        Between neighbouring weights of the coarsest group, in the weights' unit (of the neuron where it is largest).
    largest_error, mean_error : float
        Relative, over the weights that are not 0.
    clipped, zeroed : int
        Weights beyond the largest mantissa; weights that are 0 on the chip and not in the model.
    distinct_before, distinct : int
        Different weights in the model; different values on the chip.
    """

    label: str
    target: str
    synapses: int
    groups: list[tuple[str, int, int]]
    step: float
    largest_error: float
    mean_error: float
    clipped: int
    zeroed: int
    distinct_before: int
    distinct: int


@dataclass
class PopulationRow:
    """The scale of a population, and how near its voltage stays to the model's.

    Attributes
    ----------
    label : str
    neurons, currents : int
    per_nA, per_mV : float
        Units of the chip (the smallest of its neurons, for mV).
    reason : str
        What decides the scale.
    limits : dict of str to float
        The largest scale that each demand allows.
    lowest_voltage, deepest_inhibition : float
        mV: below the first a voltage is cut; to the second all inhibition together could press it.
    error : VoltageError
        mV.
    """

    label: str
    neurons: int
    currents: int
    per_nA: float
    per_mV: float
    reason: str
    limits: dict[str, float]
    lowest_voltage: float
    deepest_inhibition: float
    error: VoltageError


@dataclass
class ParameterRow:
    """A parameter of a population: how far the chip's is from it, at most and on average, in its own unit.

    `largest_relative_error` is that of the decay in a step for a time constant, and a share of the way from reset to
    threshold for a voltage.
    """

    population: str
    parameter: str
    unit: str
    largest_error: float
    mean_error: float
    largest_relative_error: float
    distinct_before: int
    distinct: int


@dataclass
class Lowered:
    """What the passes know of one population, for the rows."""

    membrane: Membrane
    cells: Compartments
    scale: Scale
    pairs: list[tuple[Bundle, Synapses]]


@dataclass
class QuantisationReport:
    """All rows of a lowering.

    Attributes
    ----------
    chip : str
    projections, populations, parameters
    changes : list of str
        What was rounded, split and relayed, one sentence each.
    lowered : dict of int to Lowered
        What the rows were made from; not part of ``data``.
    """

    chip: str
    projections: list[ProjectionRow] = field(default_factory=list)
    populations: list[PopulationRow] = field(default_factory=list)
    parameters: list[ParameterRow] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    lowered: dict[int, Lowered] = field(default_factory=dict, repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """The report as plain data; what is infinite is None."""
        parts = ("projections", "populations", "parameters")
        rows = {name: [asdict(row) for row in getattr(self, name)] for name in parts}
        return dict(_plain({"chip": self.chip, **rows, "changes": self.changes}))

    @property
    def summary(self) -> list[str]:
        """The largest error of a weight, the largest of a voltage, and where voltages may be cut: a sentence each."""
        found = []
        if self.projections:
            worst = max(self.projections, key=lambda row: row.largest_error)
            count = sum(row.synapses for row in self.projections)
            found.append(
                f"{count:,} weights in the chip's numbers: off by {two_digits(100 * worst.largest_error)} % at most"
                + (f" (projection '{worst.label}')" if worst.largest_error else "")
                + f", {sum(row.clipped for row in self.projections)} clipped"
                + f", {sum(row.zeroed for row in self.projections)} zeroed"
            )
        if self.populations:
            row = max(self.populations, key=lambda row: row.error.total)
            found.append(
                f"Voltages with the same spikes: off by {two_digits(row.error.typical)} mV mostly and"
                f" {two_digits(row.error.total)} mV at most in '{row.label}', because of its {row.error.largest_part}"
                + (", less in others" if len(self.populations) > 1 else "")
                + f"; all of it is in {FILE} in the backend's folder of a run, in a script in get_report().quantisation"
            )
        cut = [row for row in self.populations if row.deepest_inhibition < row.lowest_voltage]
        if cut:
            row = max(cut, key=lambda row: row.lowest_voltage)
            found.append(
                f"Voltages of '{row.label}' are cut below {row.lowest_voltage:,.0f} mV; all its inhibition together, as often"
                f" as it can fire, could press them to {row.deepest_inhibition:,.0f} mV"
                + (f"; {len(cut) - 1} more populations are cut deeper" if len(cut) > 1 else "")
            )
        return found

    def with_activity(self, activity: Activity) -> list[PopulationRow]:
        """The populations' rows for another activity than was assumed, such as that of a run."""
        return [_population_row(each, activity, chip_by_name(self.chip)) for each in self.lowered.values()]

    def weight_errors(self) -> np.ndarray:
        """Relative error of every weight that is not 0 in the model, in no order; 1 where it is 0 on the chip."""
        found = [
            _weight_errors(each, bundle, synapses)
            for each in self.lowered.values()
            for bundle, synapses in each.pairs
        ]
        return np.concatenate(found) if found else np.empty(0)

    def save(self, folder: Path) -> Path:
        """Write ``quantisation.json`` into `folder`."""
        path = folder / FILE
        path.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        return path

    def render(self) -> list[Any]:
        """Tables for a terminal."""
        from rich.markup import escape

        weights = _table(
            f"Weights on {self.chip}",
            ("projection", "target"),
            ("synapses", "groups", "step", "largest error", "mean error", "clipped", "to 0", "values"),
        )
        for row in self.projections:
            weights.add_row(
                escape(row.label),
                escape(row.target),
                f"{row.synapses:,}",
                " ".join(f"{sign[:3]}·2^{6 + exponent}" for sign, exponent, _ in row.groups),
                f"{row.step:.3g}",
                f"{two_digits(100 * row.largest_error)} %",
                f"{two_digits(100 * row.mean_error)} %",
                f"{row.clipped:,}",
                f"{row.zeroed:,}",
                f"{row.distinct:,} of {row.distinct_before:,}",
            )
        cells = _table(
            "Scales, and v against the model's own",
            ("population", "decided by", "largest part"),
            ("units/mV", "units/nA", "cut below", "error at most", "mostly"),
        )
        for each in self.populations:
            cells.add_row(
                escape(each.label),
                each.reason,
                each.error.largest_part,
                f"{each.per_mV:,.4g}",
                f"{each.per_nA:,.4g}",
                f"{each.lowest_voltage:.1f} mV",
                f"{two_digits(each.error.total)} mV",
                f"{two_digits(each.error.typical)} mV",
            )
        rounded = _table(
            "Parameters that are rounded",
            ("population", "parameter"),
            ("largest error", "relative", "mean error", "values"),
        )
        told = [line for line in self.parameters if line.largest_relative_error > SMALL]
        if len(told) < len(self.parameters):
            rounded.caption = (
                f"{len(self.parameters) - len(told)} more are off by less than {100 * SMALL:g} %"
            )
        for line in told:
            rounded.add_row(
                escape(line.population),
                line.parameter,
                f"{two_digits(line.largest_error)} {line.unit}",
                f"{two_digits(100 * line.largest_relative_error)} %",
                f"{two_digits(line.mean_error)} {line.unit}",
                f"{line.distinct:,} of {line.distinct_before:,}",
            )
        return [table for table in (weights, cells, rounded) if table.row_count]


def two_digits(value: float) -> str:
    """`value` with two digits that count, or all that are before the point."""
    return f"{value:.2g}" if abs(value) < 99.5 else f"{value:,.0f}"


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(*words, title=title, box=box.SIMPLE, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def report(
    network: Network, lowered: dict[int, Lowered], activity: Activity, chip: LoihiChip
) -> QuantisationReport:
    """The rows of a lowering.

    Parameters
    ----------
    lowered : dict of int to Lowered
        By the population's position.
    activity : Activity
        Of the neurons of every population.
    """
    result = QuantisationReport(chip.name, lowered=lowered)
    for position, each in lowered.items():
        result.populations.append(_population_row(each, activity, chip))
        result.parameters += _parameter_rows(network, position, each, chip)
    parts: dict[int, list[tuple[Lowered, Bundle, Synapses]]] = {}
    for each in lowered.values():
        for bundle, synapses in each.pairs:
            parts.setdefault(bundle.projection, []).append((each, bundle, synapses))
    for _, mine in sorted(parts.items()):
        result.projections.append(_projection_row(network, mine, chip))
    return result


def _projection_row(
    network: Network, parts: list[tuple[Lowered, Bundle, Synapses]], chip: LoihiChip
) -> ProjectionRow:
    each = parts[0][0]
    projection = network.projections[parts[0][1].projection]
    relative, values, exact, clipped, zeroed, step = [], [], [], 0, 0, 0.0
    for _, bundle, synapses in parts:
        relative.append(_weight_errors(each, bundle, synapses))
        values.append(synapses.weight)
        exact.append(bundle.weight)
        unit = 1 << (chip.weight_shift + synapses.exponent)
        clipped += int(
            np.count_nonzero(
                np.rint(np.abs(bundle.weight) * each.scale.per_nA / unit) > chip.largest_mantissa
            )
        )
        zeroed += int(np.count_nonzero((bundle.weight != 0) & (synapses.mantissa == 0)))
        gain = each.membrane.gain[bundle.receptor][bundle.post_index]
        step = max(step, unit / each.scale.per_nA / float(gain.min()))
    errors = np.concatenate(relative) if relative else np.empty(0)
    return ProjectionRow(
        label=projection.label,
        target=network.populations[projection.post].label,
        synapses=projection.size,
        groups=[(s.sign_mode, s.exponent, len(s.mantissa)) for _, _, s in parts],
        step=step,
        largest_error=float(errors.max(initial=0.0)),
        mean_error=float(errors.mean()) if errors.size else 0.0,
        clipped=clipped,
        zeroed=zeroed,
        distinct_before=_different(np.concatenate(exact)),
        distinct=len(np.unique(np.concatenate(values))),
    )


def _weight_errors(each: Lowered, bundle: Bundle, synapses: Synapses) -> np.ndarray:
    weight, there = synapses.weight / each.scale.per_nA, bundle.weight != 0
    error = np.abs(weight[there] / bundle.weight[there] - 1)
    return np.where(error > EXACT, error, 0.0)


def _different(weight: np.ndarray) -> int:
    """How many different weights there are; what differs by less than 1e-12 of the largest is the same, but for rounding."""
    largest = float(np.abs(weight).max(initial=0.0))
    return len(np.unique(np.round(weight / largest, 12))) if largest else min(weight.size, 1)


def _population_row(each: Lowered, activity: Activity, chip: LoihiChip) -> PopulationRow:
    membrane, scale = each.membrane, each.scale
    reset = float(membrane.v_reset.max())
    return PopulationRow(
        label=membrane.label,
        neurons=membrane.size,
        currents=len(each.cells.du),
        per_nA=scale.per_nA,
        per_mV=float(scale.v_scale.min()),
        reason=scale.reason,
        limits=scale.limits,
        lowest_voltage=reset + scale.floor,
        deepest_inhibition=reset + scale.deepest,
        error=voltage_error(membrane, each.cells, scale, each.pairs, activity, chip),
    )


def _parameter_rows(network: Network, position: int, each: Lowered, chip: LoihiChip) -> list[ParameterRow]:
    """Rows of the parameters that are not exactly what the user gave."""
    membrane, cells, scale = each.membrane, each.cells, each.scale
    p, dt, unity = network.populations[position].parameters, network.time_step, chip.decay_unity
    steps_at = (cells.vth << chip.threshold_shift) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(
            cells.dv > 0, bias(cells.bias_mant, cells.bias_exp) * unity / cells.dv / scale.v_scale, 0.0
        )
    tau = time_constant(membrane.dv / unity, dt)
    fire, ends = p["v_reset"] + steps_at / scale.v_scale, p["v_reset"] + rest
    found: list[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]] = [
        ("tau_m", "ms", p["tau_m"], tau, membrane.dv / unity / membrane.exact_dv - 1),
        ("v_thresh", "mV", p["v_thresh"], fire, (fire - p["v_thresh"]) / membrane.threshold),
        (
            "tau_refrac",
            "ms",
            p["tau_refrac"],
            membrane.refractory * dt,
            _share(membrane, p["tau_refrac"], dt),
        ),
        (
            "resting voltage",
            "mV",
            p["v_reset"] + membrane.rest,
            ends,
            (rest - membrane.rest) / membrane.threshold,
        ),
    ]
    for row, name in enumerate(("tau_syn_E", "tau_syn_I") if "tau_syn_E" in p else ()):
        decay = membrane.effective_du[row] / unity
        found.append((name, "ms", p[name], time_constant(decay, dt), decay / membrane.exact_du[row] - 1))
    result = []
    for name, unit, exact, chips, relative in found:
        off = np.abs(chips - exact)
        if not off.max(initial=0.0) > EXACT * np.abs(exact).max():
            continue
        result.append(
            ParameterRow(
                population=membrane.label,
                parameter=name,
                unit=unit,
                largest_error=float(off.max()),
                mean_error=float(off.mean()),
                largest_relative_error=float(np.abs(relative).max()),
                distinct_before=len(np.unique(exact)),
                distinct=len(np.unique(chips)),
            )
        )
    return result


def _share(membrane: Membrane, tau: np.ndarray, dt: float) -> np.ndarray:
    """By how much a refractory period is longer, as a share of it; of a step where there is none."""
    return np.asarray((membrane.refractory * dt - tau) / np.where(tau > 0, tau, dt))
