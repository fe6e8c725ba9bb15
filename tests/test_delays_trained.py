"""The layer that comes along: who made it, and that its kernels are detectors of their motions (acceptance case 11)."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.delays.events import OFF, ON
from neurodeploy.delays.layer import Layer, shipped
from neurodeploy.delays.synapses import prune, to_synapses


@pytest.fixture(scope="module")
def layer() -> Layer:
    return shipped()


def without_central_pair(layer: Layer) -> np.ndarray:
    weights = layer.weights.copy()
    weights[:, :, 0, layer.radius, layer.radius] = 0
    return weights


def test_it_says_what_made_it(layer: Layer) -> None:
    assert layer.weights.shape == (36, 2, 21, 17, 17)
    assert layer.made_by["command"][:3] == ["neurodeploy", "train", "delays"]
    assert (
        layer.made_by["settings"]["seed"] == 0 and layer.made_by["steps"] > 0 and layer.made_by["seconds"] > 0
    )


def test_case_11_on_and_off_are_of_opposite_sign(layer: Layer) -> None:
    weights = without_central_pair(layer)
    assert np.corrcoef(weights[:, ON].ravel(), weights[:, OFF].ravel())[0, 1] < -0.3


def test_case_11_kernels_follow_their_motions_back_in_time(layer: Layer) -> None:
    """The centroid of |Q|³ against the delay; the slow ring goes beyond the specified slope, 0.6 to 1.1 of the speed."""
    weights = without_central_pair(layer)
    q = np.abs(weights[:, ON] - weights[:, OFF])
    strength = np.abs(q - q.mean(axis=0)) ** 3
    offset = np.arange(layer.side) - layer.radius
    total = strength.sum(axis=(2, 3))
    centre = np.stack(
        [(strength * offset[:, None]).sum(axis=(2, 3)), (strength * offset).sum(axis=(2, 3))], axis=2
    )
    delays = np.arange(13)
    slopes = np.array([np.polyfit(delays, one[:13], 1)[0] for one in centre / total[:, :, None]])
    found, wanted = (v[:, 0] + 1j * v[:, 1] for v in (slopes, layer.motions.velocities))
    error = np.abs(np.degrees(np.angle(found / wanted)))
    assert np.median(error) < 6 and error.max() < 25
    shares = np.abs(found / wanted).reshape(3, 12).mean(axis=1)
    assert (shares > 0.6).all() and (shares < (1.4, 1.1, 1.1)).all()


def test_case_11_what_is_older_weighs_less_and_pixels_have_several_delays(layer: Layer) -> None:
    size = np.abs(without_central_pair(layer)).mean(axis=(0, 1, 3, 4))
    assert size[15] < 0.7 * size[2]
    _, copies = np.unique(to_synapses(prune(layer, 652), branches=1).pairs, return_counts=True)
    assert (copies > 1).sum() > 0.1 * len(copies)
