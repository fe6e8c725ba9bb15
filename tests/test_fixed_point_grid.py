"""A Network on the grid of SpiNNaker's fixed point: its weights are the chip's, and what has no fixed point is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_networks

from neurodeploy.backends.brian2.fixed_session import on_the_grid, refuse
from neurodeploy.chips.catalogue import rules_by_name
from neurodeploy.chips.spinnaker_core import simulate
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Injection

RULES = rules_by_name("spinnaker-fixed")


def network(**settings: object):
    return random_networks(count=2, steps=5, seed=3, cells=("IF_curr_exp",), **settings)


def test_weights_are_those_that_the_core_holds_and_the_rounding_is_told() -> None:
    given = network()
    held, largest, changes = on_the_grid(given)
    stored = simulate(given, 1).weights
    for position, projection in enumerate(held.projections):
        assert np.array_equal(projection.weight, stored[position])
    assert any("rounded to multiples of" in change for change in changes)
    assert set(largest) == {p.post for p in given.projections}
    again, _, nothing = on_the_grid(held)
    assert nothing == [] and again.digest() == held.digest()


def test_what_has_no_fixed_point_is_refused() -> None:
    refuse(network(), RULES)
    cases = {
        "no plasticity under 'spinnaker-fixed'": network(dependence="additive"),
        "time step is 0.5 ms": replace(network(), time_step=0.5),
        "no injected currents": replace(
            network(), injections=[Injection(1, np.array([0]), np.array([0.0]), np.array([1.0]))]
        ),
    }
    flipped = network()
    flipped.projections[0].weight = -flipped.projections[0].weight
    for said, wrong in (cases | {"sign of the other receptor": flipped}).items():
        with pytest.raises(UnsupportedError, match=said) as refused:
            refuse(wrong, RULES)
        assert refused.value.fix


def test_rules_in_whole_numbers_are_not_mixed() -> None:
    with pytest.raises(RequestError, match="spinnaker-fixed cannot be mixed"):
        rules_by_name("ideal+membrane:spinnaker-fixed")
