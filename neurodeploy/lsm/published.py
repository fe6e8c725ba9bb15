"""The authors' accuracies, and where a run stands beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.lsm.model import ASTROCYTE_WEIGHT, START_WEIGHT
from neurodeploy.report.page import Section, Table, Words

ACCURACIES = {
    ("mnist", "nalsm", 1000): (95.96, 0.13),
    ("mnist", "nalsm", 8000): (97.49, 0.11),
    ("mnist", "lsm-ap-stdp", 1000): (95.49, 0.09),
    ("mnist", "lsm", 1000): (95.30, 0.10),
    ("mnist", "lsm-stdp", 1000): (89.47, 0.45),
    ("nmnist", "nalsm", 1000): (95.90, 0.16),
    ("nmnist", "nalsm", 8000): (97.42, 0.07),
    ("nmnist", "lsm-ap-stdp", 1000): (95.23, 0.16),
    ("nmnist", "lsm", 1000): (95.02, 0.15),
    ("nmnist", "lsm-stdp", 1000): (86.80, 0.51),
    ("fashion-mnist", "nalsm", 1000): (83.05, 0.21),
    ("fashion-mnist", "nalsm", 8000): (85.61, 0.18),
}
"""By dataset, variant and neurons, in the authors' order of variants: test accuracies on whole sets, %, mean and standard
deviation over their networks (their workbook)."""

IMAGES = (60_000, 10_000)
"""Training images, those that validate among them, and test images of a whole set; of each of the three sets."""

SNAPSHOTS = 50_000
"""That their liquids form by."""

READOUTS = ("soft", "adadelta")
"""Their targets and penalty; the others are not theirs."""


def apart(run: Mapping[str, Any]) -> list[str]:
    """In what a run is not what the authors did: whole sets, one liquid as theirs is, their read-out.  Frozen features and
    another normalisation are told in the `run`, and not counted here.

    Parameters
    ----------
    run : mapping
        As ``metrics.json`` has it.
    """
    variant = run["variant"]
    theirs = {
        "training_samples": (IMAGES[0] - run["validation_samples"],),
        "test_samples": (IMAGES[1],),
        "readout": READOUTS,
        "liquids": (1,),
        "snapshots": (0 if variant == "lsm" else SNAPSHOTS,),
        "start_weight": (run["start_weight"] if variant == "lsm" else START_WEIGHT[variant],),
        "astrocyte_weight": (None, ASTROCYTE_WEIGHT.get(run["neurons"])),
        "astrocyte_density": (None, 1.0),
    }
    return [name for name, values in theirs.items() if run[name] not in values]


def accuracy(run: Mapping[str, Any]) -> tuple[float, float] | None:
    """Mean and standard deviation of the authors' networks, %, where the `run` can be compared with them."""
    return None if apart(run) else ACCURACIES.get((run["dataset"], run["variant"], run["neurons"]))


def beside(run: Mapping[str, Any]) -> Section:
    """A table of the run's accuracies, and of the authors' with every variant of that set and size."""
    one = run["liquids"] == 1
    rows = [
        (
            "this run",
            f"{run['variant']}, {run['features']} features, {run['readout']} read-out",
            f"{run['neurons']:,}" if one else f"{run['liquids']} × {run['neurons']:,}",
            f"{100 * run['accuracy']:.2f}",
            f"{100 * run['validation_accuracy']:.2f}",
        )
    ]
    rows += [
        ("authors, whole set", variant, f"{neurons:,}", f"{mean:.2f} ± {deviation:.2f}", "")
        for (dataset, variant, neurons), (mean, deviation) in ACCURACIES.items()
        if one and (dataset, neurons) == (run["dataset"], run["neurons"])
    ]
    columns = ("by", "liquid", "neurons", "test, %", "validation, %")
    table = Table(columns, rows, numbers=frozenset(columns[2:]))
    differs = ", ".join(name.replace("_", " ") for name in apart(run))
    if len(rows) == 1:
        words = "The authors have no figure of this set and size."
    elif differs:
        words = f"This run is not what the authors did, so that the figures do not compare: other {differs}."
    else:
        words = "The authors: mean and standard deviation over their networks."
    return Section("Accuracy", [table, Words([words])])
