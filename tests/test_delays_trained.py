"""The layer that comes along: who made it, and that its kernels are detectors of their motions (acceptance case 11)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodeploy.delays.kernels_application import measure, run_kernels, without_central_pair
from neurodeploy.delays.layer import Layer, shipped
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.synapses import prune, to_synapses
from neurodeploy.errors import RequestError


@pytest.fixture(scope="module")
def layer() -> Layer:
    return shipped()


def test_it_says_what_made_it(layer: Layer) -> None:
    assert layer.weights.shape == (36, 2, 21, 17, 17)
    assert layer.made_by["command"][:3] == ["neurodeploy", "train", "delays"]
    assert (
        layer.made_by["settings"]["seed"] == 0 and layer.made_by["steps"] > 0 and layer.made_by["seconds"] > 0
    )


def test_case_11_kernels_are_of_opposite_sign_and_follow_their_motions_back_in_time(layer: Layer) -> None:
    """The slow ring goes beyond the specified slope, 0.6 to 1.1 of the speed, by its first delays alone."""
    found = measure(layer)
    assert found["on_off_correlation"] < -0.3
    assert found["direction_error_median"] < 6 and found["direction_error_largest"] < 25
    assert [one["as_specified"] for one in found["speeds"]] == [False, True, True]
    assert found["speeds"][0]["share_of_speed"] < 1.4
    assert all(0.6 < one["share_of_speed_from_4_ms"] < 1.1 for one in found["speeds"])


def test_blobs_that_move_back_by_their_velocity_are_measured_so() -> None:
    motions = Motions(12, (0.3, 0.5))
    offset = np.arange(17) - 8
    behind = motions.velocities[:, None, :] * np.arange(14)[:, None]
    row, column = (offset - behind[..., axis, None] for axis in range(2))
    blob = np.exp(-(row[..., :, None] ** 2 + column[..., None, :] ** 2) / 2)
    found = measure(Layer(np.stack([-blob, blob], axis=1).astype(np.float32), np.zeros(24), motions))
    assert found["direction_error_largest"] < 3
    np.testing.assert_allclose([one["share_of_speed"] for one in found["speeds"]], 1, atol=0.06)
    assert found["on_off_correlation"] == pytest.approx(-1)


def test_the_experiment_leaves_what_it_measured_and_refuses_a_layer_of_too_few_delays(
    layer: Layer, tmp_path: Path
) -> None:
    result = run_kernels(out=tmp_path / "run")
    left = {path.name for path in result.folder.iterdir()}
    assert {"metrics.json", "run.json", "kernels.csv", "kernels.png", "centroids.png", "report.html"} <= left
    assert len((result.folder / "kernels.csv").read_text().splitlines()) == 1 + 36
    assert result.data["speeds"][0]["as_specified"] is False and len(result.render()) == 4
    short = Layer(layer.weights[:, :, :9], layer.bias, layer.motions, layer.made_by)
    short.save(tmp_path / "short.npz")
    with pytest.raises(RequestError, match="has 9 delays; 13 are fitted"):
        run_kernels(tmp_path / "short.npz", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_case_11_what_is_older_weighs_less_and_pixels_have_several_delays(layer: Layer) -> None:
    size = np.abs(without_central_pair(layer)).mean(axis=(0, 1, 3, 4))
    assert size[15] < 0.7 * size[2]
    _, copies = np.unique(to_synapses(prune(layer, 652), branches=1).pairs, return_counts=True)
    assert (copies > 1).sum() > 0.1 * len(copies)
