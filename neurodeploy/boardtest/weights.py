r"""Weights, over all that 16 bits are used for: they come back exactly, act exactly, and their sum stays at its largest.

A stored weight n is :math:`n\,2^{s-15}` nA, with a shift s for each receptor of a population.  The host chooses s so that
the largest weight is below :math:`2^{15}` units, and leaves the 16th bit to sums; a sum beyond :math:`2^{16}-1` stays there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from neurodeploy.boardtest import compare
from neurodeploy.boardtest.networks import TIME_STEP, cells, record, source, synapses
from neurodeploy.boardtest.trial import (
    Check,
    Judgement,
    Measured,
    Result,
    Trial,
    check,
    refusals,
)
from neurodeploy.chips.spinnaker_machine import (
    FRACTION_BITS,
    LARGEST_WEIGHT,
    NEURONS_PER_CORE,
    SMALLEST_VALUE,
)
from neurodeploy.models.network import Network

SHIFTS = (0, 3, 6, 9)
"""One population each: its weights are multiples of 2^(s-15) nA."""

LARGEST_STORED = (1 << FRACTION_BITS) - 1
SENT, STEPS = 3, 30
SILENT = 30000.0
"""mV; no cell reaches it."""

TAU = 0.5
"""ms; a multiple of 2^-15."""

GAIN = TAU * -math.expm1(-TIME_STEP / TAU)
"""Current of a weight in the step of its arrival over that weight, by the equation: the mean of its decay in a step."""

TRUNCATED = 1.5
"""Units of 2^-15 nA that a current may be below the equation's: it is cut off, and the gain is a fraction of 32 bits."""

SUMS = "sums"
ADDED = 16
"""Sources of the sums: in step 10 k the first k spike."""
SPACING = 10
PART = LARGEST_WEIGHT // 10
"""Units; ten of them are just below the largest sum."""


def stored_weights(shift: int) -> np.ndarray:
    """The 256 stored weights of the population with that shift: around the powers of two, and evenly spread."""
    powers = 1 << np.arange(FRACTION_BITS + 1)
    edges = np.unique(np.concatenate([powers - 1, powers, powers + 1]))
    edges = edges[(edges > 0) & (edges <= LARGEST_STORED)]
    spread = np.linspace(100 + 7 * SHIFTS.index(shift), LARGEST_STORED, 2 * NEURONS_PER_CORE).astype(int)
    rest = np.setdiff1d(spread, edges)[::2][: NEURONS_PER_CORE - len(edges)]
    return np.sort(np.concatenate([edges, rest]))


def summed_weights() -> np.ndarray:
    """Stored weights of the sums, shape (ADDED, 3): ten alike, then onto, beyond and below the largest sum, and far beyond."""
    weight = np.full((ADDED, 3), PART)
    left = LARGEST_WEIGHT - 10 * PART
    weight[10:12] = np.array([[left, left + 1, left - 1], [1, 1, 1]])
    return weight


def trials() -> Iterator[Trial]:
    result = Network(TIME_STEP)
    result.populations.append(source("once", [[SENT]]))
    for shift in SHIFTS:
        stored = stored_weights(shift)
        label = f"weights of 2^{shift - FRACTION_BITS} nA"
        result.populations.append(cells(label, len(stored), v_thresh=SILENT, tau_syn_E=TAU))
        unit = 2.0 ** (shift - FRACTION_BITS)
        synapses(result, "once", label, [(0, i, n * unit, 1.0) for i, n in enumerate(stored)])
        record(result, label, "v", "isyn_exc")
    trains = [[SPACING * k for k in range(i + 1, ADDED + 1)] for i in range(ADDED)]
    weight = summed_weights()
    result.populations += [
        source("more and more", trains),
        cells(SUMS, weight.shape[1], v_thresh=SILENT, tau_syn_E=TAU),
    ]
    # One source a step earlier, with a delay a step longer: where all delays are alike the host makes room for all at once.
    result.populations[-2].spike_times[0] = result.populations[-2].spike_times[0] - 1
    unit = 2.0**-FRACTION_BITS
    synapses(
        result,
        "more and more",
        SUMS,
        [(i, j, n * unit, 1.0 if i else 2.0) for (i, j), n in np.ndenumerate(weight)],
    )
    record(result, SUMS, "v", "isyn_exc")
    yield Trial("weights", result, (SPACING * ADDED + STEPS,), weights=True)


def judge(results: Sequence[Result]) -> Judgement:
    measured = [result for result in results if isinstance(result, Measured)]
    checks: list[Check] = []
    series: dict[str, list[float]] = {"asked": [], "found": [], "added": [], "summed": []}
    for result in measured:
        network, said = result.trial.network, compare.model(result)
        for position, projection in enumerate(network.projections):
            label = network.populations[projection.post].label
            found = result.numbers.weights[position]
            checks.append(
                compare.weights(network, found, projection.weight, position).check(
                    f"{label}: read back", "as they were given"
                )
            )
            acting = compare.samples(
                network, result.numbers, said, [(projection.post, name) for name in ("isyn_exc", "v")]
            )
            checks.append(acting.check(f"{label}: current and voltage", compare.MODEL))
            current = result.numbers.samples[projection.post, "isyn_exc"]
            if label == SUMS:
                checks.append(_sums(current, series))
            else:
                series["asked"] += projection.weight.tolist()
                series["found"] += (current[SENT + 1] / GAIN).tolist()
        checks.append(_losses(result))
    return Judgement(checks + refusals(results), series=dict(series))


def _sums(current: np.ndarray, series: dict[str, list[float]]) -> Check:
    """The current is that of the sum, until the sum would be beyond the largest: then that of the largest."""
    totals = np.cumsum(summed_weights(), axis=0)
    found = current[SPACING * np.arange(1, ADDED + 1) + 1] / (GAIN * SMALLEST_VALUE)
    series["added"], series["summed"] = totals[:, 1].tolist(), found[:, 1].tolist()
    off = np.abs(found - np.minimum(totals, LARGEST_WEIGHT))
    return check(
        f"{SUMS}: grow up to {LARGEST_WEIGHT:,} units, and stay there",
        f"within {TRUNCATED / GAIN:.2g} units, as a current is cut off",
        f"{off.max():.2g} units off at most",
        bool(off.max() <= TRUNCATED / GAIN),
    )


def _losses(result: Measured) -> Check:
    """The sums saturate, and say so; nothing else is late, lost or saturated."""
    others = [str(one) for one in result.losses if SUMS not in one.subject or "saturated" not in one.what]
    told = [str(one) for one in result.losses if str(one) not in others]
    return check(
        "saturation is counted, and nothing else is late or lost",
        f"Population '{SUMS}' saturated",
        "; ".join(told + others) or "nothing",
        bool(told) and not others,
    )
