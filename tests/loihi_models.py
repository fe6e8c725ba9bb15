"""Small models for the tests of Loihi's lowering."""

from __future__ import annotations

import numpy as np

from neurodeploy.models.network import Network, Population, Projection

CELL = {
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "tau_m": 20.0,
    "cm": 1.0,
    "i_offset": 0.0,
    "tau_refrac": 2.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
}


def cells(
    size: int = 1, cell: str = "IF_curr_exp", label: str = "cells", initial: dict | None = None, **given
):
    names = [name for name in CELL if cell != "IF_curr_delta" or not name.startswith("tau_syn")]
    values = {name: np.full(size, given.get(name, CELL[name]), dtype=float) for name in names}
    start = {"v": values["v_rest"].copy()} if initial is None else initial
    return Population(label, cell, size, values, start)


def source(*trains, label: str = "source") -> Population:
    return Population(
        label, "SpikeSourceArray", len(trains), spike_times=[np.array(t, dtype=float) for t in trains]
    )


def connect(pre: int, post: int, weight, delay=1.0, receptor="excitatory", pairs=None, label="wires"):
    weight = np.atleast_1d(np.asarray(weight, dtype=float))
    pairs = np.array(pairs if pairs is not None else [(0, 0)] * len(weight)).reshape(-1, 2)
    delay = np.broadcast_to(np.asarray(delay, dtype=float), len(weight)).copy()
    return Projection(
        label, pre, post, receptor, pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32), weight, delay
    )


def everyone(pre: int, post: int) -> list[tuple[int, int]]:
    """All pairs of two populations of these sizes."""
    return [(i, j) for i in range(pre) for j in range(post)]


def network(populations, projections=(), time_step=1.0, **other) -> Network:
    return Network(time_step, list(populations), list(projections), **other)


def in_millivolts(program, trace, group: int) -> np.ndarray:
    units = program.units[group]
    return units.v_zero + trace.v[group] / units.v_scale
