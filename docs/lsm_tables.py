"""Tables and the picture of docs/lsm.md, made of the committed runs: ``python docs/lsm_tables.py`` writes them anew.

Every table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; no figure in it is written by hand.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.lsm.data import NORMALISATIONS
from neurodeploy.lsm.published import ACCURACIES, READOUTS

DOCS = Path(__file__).parent
PAGE = DOCS / "lsm.md"
PICTURE = DOCS / "pictures" / "lsm-accuracy.png"

SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
SEEDS = (0, 1, 2)
"""Of which a bar asks the mean."""

REPRODUCTION = {
    ("mnist", 1000): 95.9,
    ("fashion-mnist", 1000): 83.0,
    ("mnist", 8000): 97.5,
    ("fashion-mnist", 8000): 85.6,
}
PAST = {
    ("mnist", 1000): 96.4,
    ("fashion-mnist", 1000): 84.0,
    ("mnist", 8000): 98.0,
    ("fashion-mnist", 8000): 87.0,
}
"""Bars, %, by set and neurons in all liquids together."""

VARIANTS = tuple(dict.fromkeys(variant for _, variant, _ in ACCURACIES))
"""In the authors' order."""

Run = dict[str, Any]
Group = tuple[Any, ...]


@functools.cache
def runs() -> list[Run]:
    """Metrics of all committed runs of whole sets in floating point."""
    found = [
        json.loads(file.read_text())["metrics"] for file in sorted((DOCS / "results").glob("lsm-*.json"))
    ]
    whole = {
        "training_samples": 50_000,
        "test_samples": 10_000,
        "executed_by": "float",
    }
    found = [one for one in found if one.get("astrocyte_density") in (1.0, None)]
    kept = [{"liquids": 1, **one} for one in found if all(one.get(k) == v for k, v in whole.items())]
    return sorted(kept, key=lambda one: one["seed"])


def grouped(chosen: list[Run], *by: str) -> dict[Group, list[Run]]:
    """Runs that are alike in `by`, in the order of what they have in common."""
    groups: dict[Group, list[Run]] = {}
    for one in chosen:
        groups.setdefault(tuple(one[name] for name in by), []).append(one)
    return groups


def accuracies(group: list[Run], *seeds: int) -> list[float]:
    """In %, of these seeds alone where any are named."""
    return [100 * one["accuracy"] for one in group if not seeds or one["seed"] in seeds]


def said_seeds(group: list[Run]) -> str:
    """Accuracies of the seeds that bars ask for."""
    by_seed = {one["seed"]: f"{100 * one['accuracy']:.2f}" for one in group}
    return ", ".join(by_seed.get(seed, "-") for seed in SEEDS)


def said_mean(group: list[Run], bar: float | None) -> str:
    """Of the seeds that bars ask for, bold where the bar is met, and how far below where it is not."""
    values = accuracies(group, *SEEDS)
    mean = f"{np.mean(values):.2f}"
    if len(values) < len(SEEDS):
        return f"{mean} ({len(values)} of {len(SEEDS)})"
    if bar is None:
        return mean
    return f"**{mean}**" if np.mean(values) >= bar else f"{mean} ({bar - np.mean(values):.2f} below)"


def said_all(group: list[Run]) -> str:
    """Mean and standard deviation of more networks than bars ask for."""
    values = accuracies(group)
    return (
        ""
        if len(values) <= len(SEEDS)
        else f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f} ({len(values)})"
    )


def said_size(neurons: int, liquids: int) -> str:
    return f"{liquids} × {neurons:,}" if liquids > 1 else f"{neurons:,}"


def said_recipe(features: str, readout: str, normalisation: str) -> str:
    other = normalisation != next(iter(NORMALISATIONS))
    return f"{features}, `{readout}`" + (f", `--normalisation {normalisation}`" if other else "")


def table(columns: list[str], rows: list[list[str]]) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


LIKE = ("neurons", "liquids", "dataset", "features", "readout", "normalisation")


def ordered(group: tuple[Group, list[Run]]) -> tuple[Any, ...]:
    neurons, liquids, dataset, features, readout, normalisation = group[0]
    return list(SETS).index(dataset), neurons * liquids, liquids, readout, features, normalisation


def nalsm(authors: bool) -> list[tuple[Group, list[Run]]]:
    """Runs of the liquid with the astrocyte, by the authors' read-out or by others."""
    chosen = [one for one in runs() if one["variant"] == "nalsm" and (one["readout"] in READOUTS) is authors]
    return sorted(grouped(chosen, *LIKE).items(), key=ordered)


def reproduction() -> str:
    rows = []
    for (neurons, liquids, dataset, *recipe), group in nalsm(authors=True):
        mean, deviation = ACCURACIES[dataset, "nalsm", neurons]
        bar = REPRODUCTION[dataset, neurons]
        rows.append(
            [
                SETS[dataset],
                said_size(neurons, liquids),
                said_recipe(*recipe),
                said_seeds(group),
                said_mean(group, bar),
                f"{bar}",
                said_all(group),
                f"{mean} ± {deviation}",
            ]
        )
    columns = [
        "set",
        "neurons",
        "features, read-out",
        "seeds 0, 1, 2",
        "mean",
        "bar",
        "all networks",
        "authors",
    ]
    return table(columns, rows)


def past() -> str:
    rows = []
    for (neurons, liquids, dataset, *recipe), group in nalsm(authors=False):
        bar = PAST[dataset, neurons * liquids]
        cells = [said_recipe(*recipe), said_seeds(group), said_mean(group, bar), f"{bar}"]
        rows.append([SETS[dataset], said_size(neurons, liquids), *cells])
    return table(["set", "neurons", "features, read-out", "seeds 0, 1, 2", "mean", "bar"], rows)


def baselines() -> str:
    """Of the seeds that bars ask for: frozen features, the authors' targets."""
    like = {
        "readout": "soft",
        "features": "frozen",
        "normalisation": next(iter(NORMALISATIONS)),
        "neurons": 1000,
    }
    chosen = [one for one in runs() if one["seed"] in SEEDS and all(one[k] == v for k, v in like.items())]
    rows = []
    for (dataset, variant), group in sorted(
        grouped(chosen, "dataset", "variant").items(),
        key=lambda item: (list(SETS).index(item[0][0]), VARIANTS.index(item[0][1])),
    ):

        def mean(name: str, digits: int, group: list[Run] = group) -> str:
            return f"{np.mean([one[name] for one in group]):.{digits}f}"

        weights = sorted({f"{one['start_weight']:g}" for one in group}) if variant == "lsm" else []
        published = ACCURACIES.get((dataset, variant, 1000))
        rows.append(
            [
                SETS[dataset],
                f"`{variant}`" + (f", tuned: {', '.join(weights)}" if weights else ""),
                said_seeds(group),
                said_mean(group, None),
                mean("branching_factor", 3),
                mean("liquid_hz", 0),
                f"{published[0]:.2f} ± {published[1]:.2f}" if published else "",
            ]
        )
    columns = ["set", "variant", "seeds 0, 1, 2", "mean", "branching factor", "Hz", "authors"]
    return table(columns, rows)


TABLES: dict[str, Callable[[], str]] = {"reproduction": reproduction, "past": past, "baselines": baselines}


def written(page: str) -> str:
    """`page` with every table made anew."""

    def made(found: re.Match[str]) -> str:
        return f"<!-- table {found[1]} -->\n{TABLES[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", made, page, flags=re.DOTALL)


def draw(path: Path) -> None:
    """A dot for each network, beside the bars and the authors' means and standard deviations."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    for axes, (dataset, title) in zip(figure.subplots(1, len(SETS)), SETS.items(), strict=True):
        labels: list[str] = []
        for authors, bars in ((True, REPRODUCTION), (False, PAST)):
            for (neurons, liquids, of, *recipe), group in nalsm(authors):
                if of != dataset or len(group) < len(SEEDS):
                    continue
                at = len(labels)
                labels.append(
                    f"{said_size(neurons, liquids)}: {said_recipe(*recipe).replace('`', '')}".replace(
                        "--normalisation ", "\n"
                    )
                )
                if authors:
                    mean, deviation = ACCURACIES[dataset, "nalsm", neurons]
                    axes.barh(at, 2 * deviation, 0.7, mean - deviation, color="#d0d0d0")
                    axes.plot([mean, mean], [at - 0.35, at + 0.35], color="#808080", linewidth=1)
                bar = bars[dataset, neurons * liquids]
                axes.plot([bar, bar], [at - 0.35, at + 0.35], color="#b35900", linewidth=2)
                axes.plot(accuracies(group), [at] * len(group), "o", color="#1f4e79", markersize=4, alpha=0.6)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("test images right, %")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    marks = [
        Line2D(
            [], [], color="#1f4e79", marker="o", markersize=4, alpha=0.6, linestyle="none", label="a network"
        ),
        Line2D([], [], color="#b35900", linewidth=2, label="bar for the mean of three"),
        Patch(color="#d0d0d0", label="authors, mean ± standard deviation"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=8)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw(PICTURE)
