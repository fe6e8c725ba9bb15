"""When a spike lands: one spike, every cell type, from a source and from a neuron, several delays."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from conftest import TARGETS
from drive import PARAMETERS, WEIGHTS, cells, opened, record, source, synapses

from neurodeploy.models.network import Injection, Network

DELAYS = (1, 2, 7)
SENT = 5
CELLS = sorted(PARAMETERS)
SENDERS = ("source", "neuron", "nobody")


STRONG = {"IF_cond_exp": 1.8}
"""Enough to fire at once, where a thousand times the usual weight would be too stiff for the step."""


def network(rules: str, strong: bool = False) -> Network:
    """A source and a neuron that spike in step 5 alone; a target of each cell type, delay and sender.

    A current of one step makes the neuron spike; under ``ideal`` it does so at the end of that step.
    """
    quiet = {"i_offset": 0.0, "tau_refrac": 0.0}
    made = Network(1.0, [source([float(SENT)]), cells("IF_curr_exp", label="sender", v_thresh=1e3, **quiet)])
    early = 1.0 if rules == "ideal" else 0.0
    made.injections.append(
        Injection(1, np.array([0]), np.array([SENT - early, SENT - early + 1]), np.array([1e6, 0.0]))
    )
    record(made, 0, "spikes")
    record(made, 1, "spikes")
    for cell in CELLS:
        changes = {"i_offset": -0.003} if cell == "Izhikevich" else quiet
        made.populations.append(cells(cell, len(DELAYS) * len(SENDERS), cell, **changes))
        position = len(made.populations) - 1
        weight = STRONG.get(cell, 1e3 * WEIGHTS[cell][0]) if strong else WEIGHTS[cell][0]
        for k in (0, 1):
            rows = [(0, k * len(DELAYS) + n, weight, d) for n, d in enumerate(DELAYS)]
            made.projections.append(synapses(k, position, rows))
        record(made, position, "spikes", "v", *synaptic(cell, rules))
    return made


def synaptic(cell: str, rules: str) -> list[str]:
    if cell == "IF_cond_exp":
        return ["gsyn_exc"]
    there = cell in ("IF_curr_exp", "IF_curr_alpha") or (cell == "Izhikevich" and rules == "spinnaker")
    return ["isyn_exc"] if there else []


@cache
def outcome(rules: str, strong: bool = False) -> dict:
    session = opened(network(rules, strong), TARGETS["cpp"], rules)
    session.run(25)
    assert session.spikes(0)[0].tolist() == session.spikes(1)[0].tolist() == [SENT]
    found = {}
    for k, cell in enumerate(CELLS, start=2):
        found[cell] = {name: session.samples(k, name) for name in ("v", *synaptic(cell, rules))}
        found[cell]["spikes"] = session.spikes(k)
    session.end()
    return found


def first_change(values: np.ndarray, sender: str, delay: int) -> int:
    """The first sample in which a target differs from the one that nobody sends to."""
    target = SENDERS.index(sender) * len(DELAYS) + DELAYS.index(delay)
    return int(np.flatnonzero(np.abs(values[:, target] - values[:, -1]) > 1e-9)[0])


LATER = {  # (rules, cell) -> samples after the arrival time in which (synaptic state, v) first show it
    ("ideal", "IF_curr_exp"): (0, 1),
    ("ideal", "IF_curr_alpha"): (1, 1),  # the alpha function starts at zero
    ("ideal", "IF_curr_delta"): (None, 0),
    ("ideal", "IF_cond_exp"): (0, 1),
    ("ideal", "Izhikevich"): (None, 0),
    ("spinnaker", "IF_curr_exp"): (0, 1),  # v is sampled before the tick's update
    ("spinnaker", "IF_curr_alpha"): (1, 2),
    ("spinnaker", "IF_curr_delta"): (None, 1),
    ("spinnaker", "IF_cond_exp"): (0, 1),
    ("spinnaker", "Izhikevich"): (0, 1),
}


@pytest.mark.parametrize("sender", ["source", "neuron"])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_a_spike_lands_after_exactly_its_delay(rules: str, cell: str, delay: int, sender: str) -> None:
    of_synapse, of_membrane = LATER[rules, cell]
    found = outcome(rules)[cell]
    assert first_change(found["v"], sender, delay) == SENT + delay + of_membrane
    for name in synaptic(cell, rules):
        assert first_change(found[name], sender, delay) == SENT + delay + of_synapse


@pytest.mark.parametrize("sender", ["source", "neuron"])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_the_first_spike_that_a_strong_one_can_cause(rules: str, cell: str, delay: int, sender: str) -> None:
    """On the chip in the tick of arrival; in ideal time at the arrival where the weight moves v itself, else one
    step later."""
    times, neurons = outcome(rules, True)[cell]["spikes"]
    target = SENDERS.index(sender) * len(DELAYS) + DELAYS.index(delay)
    later = 1 if rules == "ideal" and cell not in ("IF_curr_delta", "Izhikevich") else 0
    later += rules == "spinnaker" and cell == "IF_curr_alpha"
    assert times[neurons == target][0] == SENT + delay + later
    assert not np.any(neurons == len(DELAYS) * len(SENDERS) - 1), "nobody sends to this one"


@pytest.mark.parametrize("rules", ["ideal", "spinnaker"])
def test_both_engines_agree_on_every_cell_type(rules: str) -> None:
    session = opened(network(rules), TARGETS["runtime"], rules)
    session.run(25)
    for k, cell in enumerate(CELLS, start=2):
        expected = outcome(rules)[cell]
        for name in ("v", *synaptic(cell, rules)):
            np.testing.assert_allclose(session.samples(k, name), expected[name], rtol=0, atol=1e-12)
        for one, other in zip(session.spikes(k), expected["spikes"], strict=True):
            np.testing.assert_array_equal(one, other)
    session.end()
