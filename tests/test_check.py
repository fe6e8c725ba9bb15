"""A check says everything that is wrong, of whom, and how to mend it; it never raises, and a run raises the same."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import numpy as np
import pytest
from check_faults import FAULTS, Fault, sound
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.backends import registry
from neurodeploy.backends.base import Options
from neurodeploy.errors import NeurodeployError
from neurodeploy.findings import Examination
from neurodeploy.models.network import Network

RULES = {"brian2": "ideal", "spinnaker": "spinnaker", "loihi": "loihi2"}
STEPS = 100


def examine(network: Network, backend: str) -> Examination:
    with np.errstate(all="ignore"):
        return registry.load(backend).examine(network, Options(RULES[backend]), STEPS)


def errors(network: Network, backend: str):
    return [finding for finding in examine(network, backend).findings if finding.is_error]


CASES = [(fault, backend) for fault in FAULTS for backend in fault.backends]
NAMES = [f"{fault.name}-{backend}" for fault, backend in CASES]


@pytest.mark.parametrize("backend", RULES)
def test_the_sound_model_fits(backend: str) -> None:
    assert errors(sound(), backend) == []


@pytest.mark.parametrize(("fault", "backend"), CASES, ids=NAMES)
@pytest.mark.filterwarnings("ignore")
def test_a_fault_is_found_and_mended(fault: Fault, backend: str) -> None:
    """It is told of the right object with a way out; that applied, the model fits; and a run would have raised the same."""
    found = errors(fault.broken(), backend)
    mine = [finding for finding in found if fault.says in finding.what]
    assert mine, [finding.what for finding in found]
    assert {finding.label for finding in mine} == {fault.label}
    assert all(finding.level == "error" and finding.fix for finding in found)
    assert errors(fault.mended(), backend) == []


@pytest.mark.parametrize(("fault", "backend"), CASES, ids=NAMES)
@pytest.mark.filterwarnings("ignore")
def test_a_run_raises_the_first_of_the_same_rules(fault: Fault, backend: str) -> None:
    found = [finding.what for finding in errors(fault.broken(), backend)]
    with pytest.raises(NeurodeployError) as caught, np.errstate(all="ignore"):
        registry.load(backend).check(fault.broken(), Options(RULES[backend]))
    assert caught.value.what in found


def test_every_fault_has_its_own_name_and_there_are_many() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("backend", RULES)
@pytest.mark.filterwarnings("ignore")
def test_all_faults_of_a_model_are_told_at_once(backend: str) -> None:
    network = sound()
    for name in ("tau_m", "cm", "i_offset"):
        network.populations[1].parameters[name][4] = np.nan
    network.populations[0].spike_times[1] = np.array([np.inf])
    network.projections[0].plasticity = None
    network.projections[0].pre_index[0] = 77
    told = "\n".join(finding.what for finding in errors(network, backend))
    for piece in ("tau_m is nan", "cm is nan", "i_offset is nan", "neuron 1 is inf", "neuron 77"):
        assert piece in told


@given(st.data())
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_a_check_never_raises(data) -> None:
    """Several faults at once, and numbers from anywhere, in any place of the model."""
    network = sound()
    for fault in data.draw(st.lists(st.sampled_from(FAULTS), max_size=4)):
        try:
            fault.breaks(network)
        except (IndexError, AttributeError, TypeError):  # what it would break is no longer there
            continue
    anything = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300, 1e18, 0.37])
    for population in network.populations:
        for values in (population.parameters, population.initial_values):
            for name in values:
                if data.draw(st.booleans()):
                    values[name] = np.full(population.size, data.draw(anything))
    for projection in network.projections:
        for name in ("weight", "delay"):
            if data.draw(st.booleans()):
                getattr(projection, name)[:] = data.draw(anything)
    for backend in RULES:
        result = examine(network, backend)
        json.dumps([finding.what for finding in result.findings])


def test_an_examination_says_all_that_was_lowered() -> None:
    """Every projection has its row of the weights' sheet, on both chips."""
    for backend in ("spinnaker", "loihi"):
        result = examine(sound(), backend)
        assert [row[0] for row in result.sheets["weights"].rows] == ["wires"]


def test_amounts_have_headroom() -> None:
    for amount in examine(sound(), "loihi").amounts:
        assert amount.limit is None or amount.headroom == amount.limit - amount.used >= 0
        assert set(amount.data) == {each.name for each in fields(amount)} | {"headroom"}


def test_fixes_are_instructions() -> None:
    """A fix begins with a verb, as something to do."""
    for fault in FAULTS:
        for finding in errors(fault.broken(), fault.backends[0]):
            assert re.match(r"[a-z]+ ", finding.fix), finding.fix
