"""What a run of the liquid holds in memory at least; what does not fit is refused before anything is drawn or counted."""

from __future__ import annotations

from neurodeploy.errors import RequestError
from neurodeploy.lsm.data import Dataset
from neurodeploy.lsm.kernel import KernelRecipe
from neurodeploy.lsm.model import Design, expected_synapses, said_size
from neurodeploy.lsm.readout import Recipe

BYTES_A_SYNAPSE = 74
"""Of the Network and of what is made of it for a program, at their peak: measured with ``tracemalloc`` on 8,000 neurons and 784
inputs where weights are frozen (where they learn it is 80)."""

BYTES_A_PAIR_ON_LOIHI = 17
"""Of the matrices of :mod:`neurodeploy.backends.loihi.trials`: a weight (8), whether there is one (1), and the weights that
trials leave (8)."""


def refuse(design: Design, dataset: Dataset, recipe: Recipe | KernelRecipe, liquids: int = 1) -> None:
    """Raise where the synapses of a liquid, or all spike counts, do not fit.

    Raises
    ------
    RequestError
        With what would.
    """
    training, test = len(dataset.training.labels), len(dataset.test.labels)
    likeness = recipe if isinstance(recipe, KernelRecipe) else None
    synapses = expected_synapses(design)

    def counted(liquids: int) -> int:
        """Bytes: of several liquids twice (:func:`phases.side_by_side`), and later what the read-out has beside them."""
        neurons = liquids * design.neurons
        counts = neurons * (training + test)
        own = likeness.memory(training - dataset.validation, neurons) if likeness else 0
        return max(2 * counts if liquids > 1 else counts, counts + own)

    there, wired = machine_memory(), BYTES_A_SYNAPSE * synapses
    needed = max(counted(liquids), wired)
    if there is None or needed <= there:
        return
    what = f"{said_size(liquids, design.neurons)} and {training + test:,} images"
    if wired > there:
        raise too_much(
            what,
            needed,
            there,
            why=f"a liquid has some {synapses:,} synapses, of {BYTES_A_SYNAPSE} bytes each until it is loaded",
            fix="use fewer neurons (--neurons)",
        )
    fewer = next((k for k in range(liquids - 1, 0, -1) if counted(k) <= there), None)
    raise too_much(
        what,
        needed,
        there,
        why="all spike counts are held in memory, a byte for each neuron and image"
        + ("; those of several liquids twice, while they are put side by side" if liquids > 1 else "")
        + ("; --readout kernel has centres and likenesses beside them" if likeness else ""),
        fix=f"use --liquids {fewer}, or fewer images (--samples)"
        if fewer
        else f"use {'another read-out, ' if likeness else ''}fewer images (--samples) or neurons (--neurons)",
    )


def refuse_on_loihi(design: Design) -> None:
    """Raise where a liquid that forms on Loihi does not fit.

    Raises
    ------
    RequestError
        With why.
    """
    needed = BYTES_A_PAIR_ON_LOIHI * design.neurons * (design.neurons + design.inputs)
    there = machine_memory()
    if there is not None and needed > there:
        raise too_much(
            f"{said_size(1, design.neurons)} and {design.inputs:,} inputs that form on Loihi",
            needed,
            there,
            why=f"their weights are held as whole matrices there, {BYTES_A_PAIR_ON_LOIHI} bytes for each pair of neurons",
            fix="use fewer neurons (--neurons)",
        )


def too_much(what: str, needed: int, there: int, why: str, fix: str) -> RequestError:
    return RequestError(
        f"{what} take {needed / 1e9:.3g} GB of memory at least; this machine, or its container, has {there / 1e9:.3g} GB",
        why=why,
        fix=fix,
    )


def machine_memory() -> int | None:
    """Bytes, of a container its limit; None where the library that tells is not installed."""
    try:
        from distributed.system import memory_limit
    except ImportError:
        return None
    return memory_limit()
