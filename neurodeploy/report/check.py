"""``neurodeploy check``: does a model fit, and what happens to its numbers; every object of it, before anything runs."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.backends import registry
from neurodeploy.backends.base import Backend, Options
from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.costs import MODELLED, UNKNOWN, Costs, Rates, rates_of_run
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.findings import ERROR, MODEL, POPULATION, PROJECTION, Amount, Examination, Finding, Sheet
from neurodeploy.models.network import Network
from neurodeploy.options import own_options, refuse_arguments, refuse_options_of_a_script

SHOWN = 200
"""Rows of a table for people; all of them are in ``--json``."""


@dataclass
class Subject:
    """A model that is to be checked.

    Attributes
    ----------
    name : str
    network : Network or None
        None where its script could not build one; `findings` say why.
    steps : int
        Time steps of its first run.
    findings : list of Finding
    notes : list of str
    """

    name: str
    network: Network | None
    steps: int
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Check:
    """A checked model, for people and machines."""

    subject: Subject
    backend: str
    hardware: str | None
    rules: str
    examination: Examination
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        return self.subject.findings + self.examination.findings

    @property
    def model_time(self) -> float:
        """ms of its first run."""
        network = self.subject.network
        return 0.0 if network is None else self.subject.steps * network.time_step

    @property
    def fits(self) -> bool:
        return not any(finding.is_error for finding in self.findings)

    @property
    def exit_code(self) -> int:
        return 0 if self.fits else 1

    @property
    def data(self) -> dict[str, Any]:
        found = {
            "model": self.subject.name,
            "backend": self.backend,
            "hardware": self.hardware,
            "rules": self.rules,
            "fits": self.fits,
            "errors": sum(finding.is_error for finding in self.findings),
            "steps": self.subject.steps,
            "seconds": round(self.seconds, 3),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "amounts": [amount.data for amount in self.examination.amounts],
            **{name: sheet.data for name, sheet in inventory(self.subject.network, self.findings).items()},
            "sheets": {name: sheet.data for name, sheet in self.examination.sheets.items()},
            "costs": self.examination.costs.data,
            "notes": self.subject.notes,
        }
        return dict(_plain(found))

    def render(self) -> list[Any]:
        from rich.markup import escape

        found: list[Any] = []
        for sheet in inventory(self.subject.network, self.findings).values():
            found.append(_table(sheet))
        for sheet in self.examination.sheets.values():
            found.append(_table(sheet))
        if self.examination.amounts:
            found.append(_table(_amounts(self.examination.amounts)))
        if self.examination.costs.rows:
            found.append(_table(costs_sheet(self.examination.costs, self.model_time)))
            found += [f"modelled: {escape(note)}" for note in self.examination.costs.notes]
        found += [f"[yellow]note:[/] {escape(note)}" for note in self.subject.notes]
        for finding in sorted(self.findings, key=lambda each: each.is_error):
            word = "[bold red]error:[/]" if finding.is_error else "[yellow]changes:[/]"
            found.append(f"{word} {escape(finding.what)}")
            found += [f"  why: {escape(finding.why)}"] if finding.why else []
            found += [f"  [bold]fix: {escape(finding.fix)}[/]"] if finding.fix else []
        errors = sum(finding.is_error for finding in self.findings)
        where = f"{self.backend}" + (f", {self.hardware}" if self.hardware else "")
        verdict = (
            "[bold green]fits[/]"
            if self.fits
            else f"[bold red]does not fit: {errors} error{'s'[: errors != 1]}[/]"
        )
        found.append(
            f"{escape(self.subject.name)} on {escape(where)} under the {self.rules} rules: {verdict},"
            f" {len(self.findings) - errors} changes; {self.seconds:.1f} s"
        )
        return found


def inventory(network: Network | None, findings: list[Finding]) -> dict[str, Sheet]:
    """Every population, projection and recording of `network`, each with its verdict."""
    if network is None:
        return {}
    errors = {(finding.kind, finding.label) for finding in findings if finding.is_error}
    changes = {(finding.kind, finding.label) for finding in findings}

    def verdict(kind: str, label: str) -> str:
        return "error" if (kind, label) in errors else "changed" if (kind, label) in changes else "ok"

    populations = Sheet(
        "Populations",
        ("population", "cell", "neurons", "parameters", "initial values", "verdict"),
        [
            (p.label, p.cell, p.size, len(p.parameters), len(p.initial_values), verdict(POPULATION, p.label))
            for p in network.populations
        ],
    )
    projections = Sheet(
        "Projections",
        ("projection", "from", "to", "receptor", "synapses", "weights", "delays, ms", "learns", "verdict"),
        [
            (
                p.label,
                network.populations[p.pre].label,
                network.populations[p.post].label,
                p.receptor,
                p.size,
                _span(p.weight),
                _span(p.delay),
                "no" if p.plasticity is None else p.plasticity.weight_dependence,
                verdict(PROJECTION, p.label),
            )
            for p in network.projections
        ],
    )
    recordings = Sheet(
        "Recordings",
        ("population", "variable", "neurons", "every, ms", "verdict"),
        [
            (
                network.populations[r.population].label,
                r.variable,
                len(r.neurons),
                r.sampling_interval,
                verdict(POPULATION, network.populations[r.population].label),
            )
            for r in network.recorded
        ],
    )
    every = {"populations": populations, "projections": projections, "recordings": recordings}
    return {name: sheet for name, sheet in every.items() if sheet.rows}


def _plain(value: Any) -> Any:
    """`value` as JSON has it: what is not finite is None, NumPy's numbers are Python's."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _span(values: np.ndarray) -> str:
    values = np.asarray(values, dtype=float)
    if not values.size:
        return ""
    low, high = np.min(values), np.max(values)
    return f"{low:g}" if low == high else f"{low:g} … {high:g}"


def _amounts(amounts: list[Amount]) -> Sheet:
    sheet = Sheet("What it takes", ("whose", "what", "used", "limit", "headroom", "unit"))
    for each in amounts:
        limit = "" if each.limit is None else each.limit
        left = "" if each.headroom is None else each.headroom
        whose = each.label or "the model"
        sheet.rows.append((whose, each.quantity, each.used, limit, left, each.unit))
    return sheet


def costs_sheet(costs: Costs, model_time: float) -> Sheet:
    """Costs as a table of a run of `model_time` ms."""
    return Sheet(
        f"What {model_time:,.6g} ms of model time take: {MODELLED}, not measured",
        ("what", "at least", "likely", "at most", "unit"),
        [(row.quantity, row.band.low, row.band.likely, row.band.high, row.unit) for row in costs.rows],
    )


def _table(sheet: Sheet) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    numbers = [
        all(isinstance(row[k], int | float) or row[k] == "" for row in sheet.rows)
        for k in range(len(sheet.columns))
    ]
    table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name, number in zip(sheet.columns, numbers, strict=True):
        table.add_column(name, justify="right" if number else "left")
    for row in sheet.rows[:SHOWN]:
        colour = {"error": "red", "changed": "yellow"}.get(str(row[-1]), "")
        table.add_row(*(escape(_written(value)) for value in row), style=colour)
    if len(sheet.rows) > SHOWN:
        table.caption = f"{len(sheet.rows) - SHOWN} more rows are in --json"
    return table


def _written(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:,.0f}" if value == round(value) and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


# --------------------------------------------------------------------------------------- models


def cam(
    target: Backend,
    rules: str,
    experiment: str | None = None,
    cues: int | None = None,
    contents: int | None = None,
    seed: int = 0,
) -> Subject:
    """The memory, with the circuit made for the rules, and an experiment: random where its size is given."""
    from neurodeploy.cam.application import TIME_STEP, choose_experiment, describe

    sized = cues is not None or contents is not None
    chosen = choose_experiment(
        experiment or ("random" if sized else "functional"), None, cues, contents, None, None, seed
    )
    network = describe(chosen, target, rules)
    return Subject("cam", network, round(chosen.duration_ms / TIME_STEP))


FROZEN = "lsm"
"""The variant of the liquid that is checked where the user names none."""


def lsm(
    target: Backend,
    rules: str,
    neurons: int | None = None,
    inputs: int | None = None,
    variant: str | None = None,
    seed: int = 0,
) -> Subject:
    """The liquid for one sample: frozen, as ``run lsm --backend`` gives it to a target; a variant that learns as it is."""
    from neurodeploy.lsm.model import SAMPLE_MS, TIME_STEP_MS, Design, build
    from neurodeploy.lsm.network import densest, freeze
    from neurodeploy.lsm.presentation import describe

    design = Design(
        1000 if neurons is None else neurons, 784 if inputs is None else inputs, variant or FROZEN, seed
    )
    drawn, steps = build(design), round(SAMPLE_MS / TIME_STEP_MS)
    if design.variant != FROZEN:
        return Subject("lsm", drawn, steps)
    network = describe(freeze(drawn), densest(design.inputs, steps), target, rules, seed)
    notes = [
        f"weights are those of a liquid that has not formed, all of magnitude {design.magnitude:g}",
        "the input is as dense as it can be, which a chip makes room for; a run's is sparser, and costs less",
    ]
    return Subject("lsm", network, steps, notes=notes)


def delays(
    target: Backend,
    rules: str,
    synapses: int | None = None,
    bits: int | None = None,
    size: str | None = None,
    neuron: str | None = None,
    inhibition: int | None = None,
    seed: int = 0,
) -> Subject:
    """The motion detectors that come along, for one movie without events, with thresholds in the middle of their range."""
    from neurodeploy.delays import layer, network
    from neurodeploy.delays.run_application import choose_size
    from neurodeploy.delays.synapses import prune, quantise
    from neurodeploy.delays.target_application import (
        DEFAULT_BITS,
        DEFAULT_SIZE,
        DEFAULT_SYNAPSES,
        choose_neuron,
        describe,
    )

    neuron, inhibition = choose_neuron(neuron, inhibition)
    height, width, steps, stride = choose_size(size or DEFAULT_SIZE)
    quantised = quantise(
        prune(layer.shipped(), DEFAULT_SYNAPSES if synapses is None else synapses),
        DEFAULT_BITS if bits is None else bits,
    )
    reach = np.abs(quantised.layer.weights).sum(axis=(1, 2, 3, 4)) / 2.0
    middle = quantised.layer.bias + reach
    made = network.detectors(
        quantised, middle, height, width, stride[1], neuron=neuron, inhibition=inhibition
    )
    noise = network.draw_noise(made, steps, seed)
    model = describe(made, [np.empty(0)] * made.synapses.inputs, target, rules, seed, noise)
    note = "one movie, without events, and thresholds in the middle of their range: a run calibrates and shows them"
    return Subject("delays", model, steps, notes=[note])


MODELS: dict[str, Callable[..., Subject]] = {"cam": cam, "lsm": lsm, "delays": delays}
"""The models that come with neurodeploy, as a Network."""


def model(name: str, target: Backend, rules: str, given: dict[str, Any]) -> Subject:
    """One of :data:`MODELS`; options that it has no use for are refused."""
    if name not in MODELS:
        raise RequestError(
            f"There is no model and no script called '{name}'.{did_you_mean(name, MODELS)}",
            fix=f"choose one of: {', '.join(MODELS)}; or give the path of a PyNN script",
        )
    own = own_options(name, MODELS[name], given, others=("target", "rules"))
    return MODELS[name](target, rules, **own)


def script(path: Path, arguments: list[str]) -> tuple[Subject, str | None]:
    """A PyNN script until its first run, and the rules that its ``setup`` names."""
    from neurodeploy.models.pynn.scripts import capture

    captured = capture(path, arguments)
    findings = []
    if captured.failure is not None:
        failure = captured.failure
        what = f"{path}, line {failure.line}: {failure.what}"
        findings.append(Finding(ERROR, MODEL, f"line {failure.line}", what, failure.why, failure.fix))
    subject = Subject(str(path), captured.network, captured.steps, findings, captured.notes)
    if captured.network is not None:
        subject.notes.append("a script is checked as it is at its first run")
    return subject, captured.rules


def check(
    name: str,
    backend: str,
    hardware: str | None = None,
    rules: str | None = None,
    allow_losses: bool = False,
    arguments: list[str] | None = None,
    rate: float | None = None,
    like: Path | None = None,
    **given: Any,
) -> Check:
    """Examine the model or script `name` for a backend; `rate` in Hz, or the run `like` it, says how often neurons fire.

    Raises
    ------
    RequestError
        There is no such model, script, backend, machine or rule; an option has no meaning; a script has a fault of its own.
    """
    started = time.perf_counter()
    target = registry.load(backend)
    target.refuse_machine(hardware=hardware)
    options = Options(hardware=hardware, allow_losses=allow_losses)
    keep_matplotlib_files()
    own = None
    if name.endswith(".py") or "/" in name:
        refuse_options_of_a_script(given)
        subject, own = script(Path(name), arguments or [])
        options.rules = _rules(target, options, rules or own, "ideal")
    else:
        refuse_arguments(name, arguments or [])
        options.rules = _rules(target, options, rules, "spinnaker")
        subject = model(name, target, options.rules, given)
    rules_by_name(options.rules)
    examination = Examination()
    if subject.network is not None:
        rates = UNKNOWN if rate is None else Rates(rate)
        if like is not None:
            rates = rates_of_run(like, subject.network, rate)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            examination = target.examine(subject.network, options, subject.steps, rates)
    machine = getattr(target.completed(options), "hardware", None) if target.has_hardware else None
    return Check(subject, backend, machine, options.rules, examination, time.perf_counter() - started)


def _rules(target: Backend, options: Options, rules: str | None, usual: str) -> str:
    """The rules that the user or the model names, else those of the machine, else the usual ones."""
    return rules or target.only_rules or target.default_rules(options) or usual
