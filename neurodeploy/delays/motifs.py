"""Spike motifs with known kernels, and how many of them a sum of delayed spikes finds.

    logit P[A(a,t) = 1] = k + Σ_{b,d} B(b, t+d) K(b,a,d)          motif b ends at t+d and has neuron a fire d before
    logit P[B(b,t) = 1] = k + Σ_{a,d} A(a, t-d) K(b,a,d)          so its log-odds are a sum of delayed input spikes

Perrinet 2023 (ICANN, arXiv 2307.11555); numbers and protocol are those of its notebook: all trials share their kernels, every
motif is whole, and as many cells (b, t) of all trials together are detected as motifs were drawn, those with the largest
log-odds: how many there are is taken as known.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import readout
from neurodeploy.errors import RequestError
from neurodeploy.recording import default_folder, run_directory
from neurodeploy.report.page import leave_run

REFRACTORY = (1.0, -0.8, -0.2)
"""What kernels are filtered with over time: a spike makes the next ones less likely (the notebook)."""

SLOW, FAST = 0.4, 0.05
"""Time constants of a kernel's envelope, exp(-t/0.4)(1 - exp(-t/0.05)), of its length (the notebook)."""

NAMES = ("true positives", "correlation", "other kernels")
"""What is counted: found by the kernels themselves, by the plain correlation, by kernels that made nothing."""

NUMBERS = (8, 21, 55, 144, 233, 610, 1364)
"""Motifs at the points of the scan."""

PUBLISHED = {8: (92.0, 98.0), 144: (98.8, 98.8), 233: (95.0, 95.0), 1364: (80.0, 100.0)}
"""% of occurrences found, lowest and highest, by the number of motifs: text and notebook."""


@dataclass(frozen=True)
class MotifSettings:
    """The generative model; defaults are the notebook's.

    Attributes
    ----------
    motifs, inputs, delays, steps : int
        M, N, D, T.
    input_rate, motif_rate : float
        p_A and p_B, a bin.
    strength, kept : float
        Kernels are strength × N(0, 1) where that is above its quantile 1 - kept, else 0.
    """

    motifs: int = 233
    inputs: int = 128
    delays: int = 31
    steps: int = 1024
    input_rate: float = 0.001
    motif_rate: float = 0.001
    strength: float = 4.0
    kept: float = 0.05

    def __post_init__(self) -> None:
        if min(self.motifs, self.inputs, self.delays) < 1 or self.delays > self.steps:
            raise RequestError(
                f"{self.motifs} motifs of {self.inputs} inputs and {self.delays} delays in {self.steps} steps.",
                why="there has to be one of each, and a motif has to fit the time",
                fix="leave them out for the published numbers",
            )


def draw_kernels(generator: np.random.Generator, settings: MotifSettings) -> np.ndarray:
    """K(b, a, d), float32."""
    drawn = generator.standard_normal((settings.motifs, settings.inputs, settings.delays), np.float32)
    drawn[drawn <= np.quantile(drawn, 1 - settings.kept)] = 0
    age = np.linspace(0, 1, settings.delays, dtype=np.float32)
    envelope = np.exp(-age / SLOW) * (1 - np.exp(-age / FAST))
    shape = np.array(REFRACTORY, np.float32)
    return signal.lfilter(shape, np.ones(1, np.float32), settings.strength * drawn * envelope, axis=2)


def draw_raster(
    generator: np.random.Generator, kernels: np.ndarray, settings: MotifSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(A, B): input spikes (inputs, steps) and ends of motifs (motifs, steps), bool."""
    ends = generator.random((settings.motifs, settings.steps)) < settings.motif_rate
    ends[:, : settings.delays - 1] = False
    drive = np.full((settings.inputs, settings.steps), logit(settings.input_rate))
    age = np.arange(settings.delays)
    for motif, end in zip(*np.nonzero(ends), strict=True):
        drive[:, end - age] += kernels[motif]
    return generator.random(drive.shape) < 1 / (1 + np.exp(-drive)), ends


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def evidence(kernels: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Σ_{a,d} A(a, t-d) K(b,a,d), shape (motifs, steps)."""
    seen = spikes.astype(np.float32)
    total = np.zeros((len(kernels), spikes.shape[1]), np.float32)
    for age in range(kernels.shape[2]):
        total[:, age:] += kernels[:, :, age] @ seen[:, : seen.shape[1] - age]
    return total


def detect(kernels: np.ndarray, rasters: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The cells with the largest log-odds, as many as there are `ends`; bool, (trials, motifs, steps)."""
    strength = np.stack([evidence(kernels, spikes) for spikes in rasters])
    return strength > np.quantile(strength, 1 - ends.mean())


def run_trials(
    settings: MotifSettings, seed: int, count: int, progress: Callable[[int], None] = lambda done: None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is found by the kernels themselves, by the plain correlation, and by kernels that made nothing.

    Returns
    -------
    dict
        Shares over all trials, with the 5 % and 95 % quantiles of the binomial law for ``true positives``.
    list of dict
        Every trial's.
    """
    generator = np.random.default_rng([seed, settings.motifs])
    kernels = draw_kernels(generator, settings)
    drawn = [draw_raster(generator, kernels, settings) for _ in range(count)]
    rasters, ends = (np.stack([one[k] for one in drawn]) for k in range(2))
    named = {
        "true positives": kernels,
        "correlation": 1 / (1 + np.exp(-(logit(settings.input_rate) + kernels))),
        "other kernels": draw_kernels(generator, settings),
    }
    detected = {}
    for number, (name, one) in enumerate(named.items(), start=1):
        detected[name] = detect(one, rasters, ends)
        progress(number)

    def shares(which: int | slice) -> dict[str, Any]:
        mine = ends[which]
        hits = {name: int(one[which][mine].sum()) for name, one in detected.items()}
        total = int(mine.sum())
        return {
            "occurrences": total,
            **{name: count / total if total else None for name, count in hits.items()},
            "true negatives": 1 - float(detected["true positives"][which][~mine].mean()),
            "rate": float(rasters[which].mean()),
        }

    whole = shares(slice(None))
    if whole["occurrences"]:
        hits = round(whole["true positives"] * whole["occurrences"])
        whole["low_5"], whole["high_95"] = readout.interval(hits, whole["occurrences"])
    return whole, [shares(number) for number in range(count)]


@dataclass
class MotifResult:
    """What the command line shows."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(
            "motifs",
            "found",
            "by correlation",
            "by other kernels",
            "published",
            box=box.SIMPLE,
            pad_edge=False,
        )
        for one in self.data["scan"]:
            shares = ("–" if one[n] is None else f"{100 * one[n]:.1f} %" for n in NAMES)
            low, high = PUBLISHED.get(one["motifs"], (None, None))
            published = "" if low is None else f"{low:g} %" if low == high else f"{low:g} to {high:g} %"
            table.add_row(str(one["motifs"]), *shares, published)
        return [
            table,
            f"{self.data['trials']} trials each; executed by: [bold]float[/]; {self.data['wall_seconds']['all']:.0f} s",
            f"results in {escape(str(self.folder))}",
        ]


def run_motifs(
    seed: int = 0,
    trials: int = 10,
    numbers: tuple[int, ...] = NUMBERS,
    settings: MotifSettings | None = None,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> MotifResult:
    """The scan over the number of motifs, and its run directory."""
    began = time.perf_counter()
    keep_matplotlib_files()
    base = settings or MotifSettings()
    wanted = out or default_folder("delays-motifs")
    with run_directory(wanted) as folder:
        rows, scan = [], []
        for point, motifs in enumerate(numbers):

            def told(done: int, point: int = point) -> None:
                if progress is not None:
                    progress("trials", 3 * point + done, 3 * len(numbers))

            whole, each = run_trials(replace(base, motifs=motifs), seed, trials, told)
            scan.append({"motifs": motifs, **whole})
            rows += [{"motifs": motifs, "trial": number, **one} for number, one in enumerate(each)]
        with open(folder / "trials.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        data = {
            "model": "delays",
            "experiment": "motifs",
            "executed_by": "float",
            "trials": trials,
            "scan": scan,
            "wall_seconds": {"all": time.perf_counter() - began},
        }
        leave_run(
            folder,
            "Motion detectors, motifs",
            "",
            data,
            executed_by="float",
            seed=seed,
            settings=asdict(base),
        )
    return MotifResult(data, wanted)
