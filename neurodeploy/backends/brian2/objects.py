"""The Brian2 objects of a Structure.  This is the one place where the model meets Brian2.

Brian2's clock counts steps (its dt is 1 s), all quantities are plain numbers in PyNN's units, and synaptic input
travels through ring buffers: ``send`` puts a weight into the slot of the step in which it arrives, and the engine
copies the present slot to ``arriving_exc`` and ``arriving_inh`` before the update.
Plastic synapses use Brian2's queues for the axonal and dendritic parts of the delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.backends.brian2.structure import (
    PLASTIC,
    SOURCES,
    STATIC,
    Structure,
    event_step,
    statements,
    synapses_name,
)
from neurodeploy.backends.brian2.without_pictures import brian2
from neurodeploy.chips.catalogue import rules_by_name

INPUTS = ("arriving_exc", "arriving_inh", "injected")
"""What the update statements read beside the cell's own state and coefficients; the engine sets them."""

STATIC_VARIABLES = "w : 1\nrow : integer (constant)\nsend_steps : integer (constant)"
PLASTIC_VARIABLES = (
    STATIC_VARIABLES
    + "\nrule_row : integer (constant)\npre_trace : 1\npost_trace : 1\npre_at : integer\npost_at : integer"
)


@dataclass
class Callbacks:
    """What ``send`` and ``rule`` do when Brian2 runs in Python; unused when it generates C++."""

    send: Callable[..., np.ndarray] = lambda *arguments: np.zeros(1)
    rule: Callable[..., np.ndarray] = lambda *arguments: np.zeros(1)


@dataclass
class Objects:
    """All Brian2 objects of a program, by name."""

    groups: dict[str, brian2.NeuronGroup | brian2.SpikeGeneratorGroup] = field(default_factory=dict)
    synapses: dict[str, brian2.Synapses] = field(default_factory=dict)


def _function(name: str, types: list[str], python: Callable[..., np.ndarray], cpp: str) -> brian2.Function:
    function = brian2.Function(
        python,
        arg_units=[1] * len(types),
        return_unit=1,
        arg_types=types,
        return_type="float",
        stateless=True,
    )
    function.implementations.add_implementation(
        "cpp", cpp, name=name, compiler_kwds={"headers": ['"engine.h"']}
    )
    function.implementations.add_numpy_implementation(python, discard_units=False)
    return function


def build_objects(structure: Structure, sizes: dict[str, int], callbacks: dict[str, Callbacks]) -> Objects:
    """Build every group and every Synapses object of `structure`.

    Parameters
    ----------
    structure : Structure
    sizes : dict
        Number of neurons in each group.
    callbacks : dict
        By target group, and under ``""`` the table of rules.
    """
    brian2.defaultclock.dt = 1 * brian2.second
    objects = Objects()
    functions: dict[str, brian2.Function] = {
        "rule": _function(
            "rule",
            ["integer", "integer"],
            callbacks[""].rule,
            "inline double rule(long row, long column) { return neurodeploy::rule(row, column); }",
        ),
        "trunc": _function("trunc", ["float"], np.trunc, "using std::trunc;"),
    }
    for g, cell in enumerate(structure.cells):
        functions[f"send_{cell}"] = _function(
            f"send_{cell}",
            ["integer", "integer", "float"],
            callbacks[cell].send,
            f"inline double send_{cell}(long row, long slot, double weight)"
            f" {{ return neurodeploy::send({g}, row, slot, weight); }}",
        )
        objects.groups[cell] = _cells(structure, cell, sizes[cell], functions)
    if structure.sources:
        objects.groups[SOURCES] = brian2.SpikeGeneratorGroup(
            sizes[SOURCES], [], [] * brian2.second, name=SOURCES
        )
    for kind, pairs in (("static", structure.static), ("plastic", structure.plastic)):
        for source, target in pairs:
            name = synapses_name(kind, source, target)
            build = _static if kind == "static" else _plastic
            objects.synapses[name] = build(structure, objects, name, source, target, functions)
    return objects


def _cells(structure: Structure, cell: str, size: int, functions: dict) -> brian2.NeuronGroup:
    update = structure.update(cell)
    variables = [f"{name} : 1" for name in (*update.state, *INPUTS)]
    variables += [f"{name} : 1 (constant)" for name in update.coefficients]
    if update.refractory:
        variables += ["refractory_left : 1", "refractory_steps : 1 (constant)"]
    group = brian2.NeuronGroup(
        size,
        "\n".join(variables),
        threshold=update.spike,
        reset=update.reset,
        namespace=functions,
        name=cell,
    )
    group.run_regularly(update.update, when="groups", name=f"{cell}_update")
    return group


def _static(structure, objects, name, source, target, functions) -> brian2.Synapses:
    return brian2.Synapses(
        objects.groups[source],
        objects.groups[target],
        STATIC_VARIABLES,
        on_pre=statements(STATIC.on_pre, target, event_step(structure, source)),
        delay=0 * brian2.second,
        namespace=functions,
        name=name,
        order=1,
    )


def _plastic(structure, objects, name, source, target, functions) -> brian2.Synapses:
    synapses = brian2.Synapses(
        objects.groups[source],
        objects.groups[target],
        PLASTIC_VARIABLES,
        on_pre=statements(PLASTIC.on_pre, target, event_step(structure, source)),
        on_post=statements(PLASTIC.on_post, target, event_step(structure, target)),
        delay={"pre": 0 * brian2.second}
        if rules_by_name(structure.rules).pair_rule.delay_is_dendritic
        else None,
        namespace=functions,
        name=name,
        order=1,
    )
    synapses.post.order = 0
    return synapses
