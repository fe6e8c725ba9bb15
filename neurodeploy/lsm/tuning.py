"""The start weight of a liquid that does not learn (``lsm``): the one at which a read-out of few images is best.

The authors try magnitudes from 0.4 to 1.4 on MNIST and keep the best for each network (their workbook).  Here every second
one of them is tried, on the first training images alone: one half is learned from, the other decides, and the images that
validate the run stay unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from neurodeploy.errors import RequestError
from neurodeploy.lsm import phases, readout
from neurodeploy.lsm.data import Dataset
from neurodeploy.lsm.drive import Drive
from neurodeploy.lsm.model import Design, build, wire

WEIGHTS = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)

IMAGES = 10_000
"""Of the training images, at most.  The share of 5,000 has a standard error of 0.3 points, and the authors' curve is flat
within as much from 0.4 to 1.0: which weight is chosen there is a draw, and matters as little."""


def tune(
    design: Design,
    dataset: Dataset,
    drive: Drive,
    recipe: readout.Recipe | readout.KernelRecipe,
    processes: int,
    scheduler: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[float, float]:
    """Share of the deciding images that is right, by start weight; the same wiring for all of them."""
    images = dataset.training.first(
        min(IMAGES, len(dataset.training.labels) - dataset.validation), "--samples"
    )
    wiring, right = wire(design), {}
    for done, weight in enumerate(WEIGHTS):
        if progress is not None:
            progress("start weights", done, len(WEIGHTS))
        network = build(replace(design, start_weight=weight), wiring)
        found = phases.features(network, False, {"training": (images, drive)}, processes, scheduler, progress)
        x = readout.features(found.counts["training"])
        right[weight] = readout.train(x, images.labels, len(images.labels) // 2, recipe).validation
    return right


def best(right: dict[float, float]) -> float:
    """The start weight that was right most often; of equals the smallest, whose liquid spikes least."""
    return max(sorted(right), key=lambda weight: right[weight])


def refuse(variant: str, start_weight: float | None, liquids: int) -> None:
    """Raise where there is nothing to tune, or more than one liquid."""
    what = "it chooses the one weight of a liquid that does not learn (--variant lsm)"
    reasons = {
        f"--variant {variant}": (variant != "lsm", what, "leave one of them out"),
        "--start-weight": (start_weight is not None, what, "leave one of them out"),
        f"--liquids {liquids}": (
            liquids > 1,
            "it chooses a weight for one liquid's wiring",
            "tune one liquid, and give the weight that it finds as --start-weight",
        ),
    }
    for option, (given, why, fix) in reasons.items():
        if given:
            raise RequestError(f"--tune-start-weight has no meaning beside {option}", why=why, fix=fix)
