"""The simulated event camera over images whose events are known."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import RequestError
from neurodeploy.lsm import saccades
from neurodeploy.lsm.application import Request, choose_drives
from neurodeploy.lsm.data import EVENT_DATASETS, Dataset, Images


def test_a_blank_image_has_no_event() -> None:
    assert len(saccades.events(np.zeros((3, 64), np.uint8))) == 0


def test_the_triangle() -> None:
    assert [saccades.corner(t) for t in (0, 50, 100, 200, 300)] == [(0, 0), (3, 1.5), (6, 3), (0, 6), (0, 0)]


def test_between_pixels_brightness_is_shared_and_kept() -> None:
    image = np.zeros((1, 4, 4), np.float32)
    image[0, 1, 2] = 1.0
    seen = saccades.placed(image, 2.25, 0.5)[0]
    assert seen.shape == (10, 10)
    np.testing.assert_allclose(seen[3:5, 2:4], [[0.375, 0.375], [0.125, 0.125]])
    assert seen.sum() == pytest.approx(1.0)


def test_a_moving_dot_turns_cells_on_before_it_and_off_behind() -> None:
    """One bright pixel: what it leaves goes OFF, what it comes to goes ON, one for each fifth of the whole range."""
    image = np.zeros((1, 64), np.uint8)
    image[0, 8 * 3 + 3] = 255
    found = saccades.events(image)
    cells, side = 14 * 14, 14
    begins = found[found[:, 1] < 15]
    off, on = begins[begins[:, 2] < cells, 2], begins[begins[:, 2] >= cells, 2] - cells
    assert set(off) == {3 * side + 3}
    assert 4 * side + 3 in set(on)
    # when it is back where it began, as many rose as fell there
    there = found[found[:, 2] % cells == 3 * side + 3]
    assert abs(np.sum(there[:, 2] >= cells) - np.sum(there[:, 2] < cells)) <= 1


def test_events_are_in_order_and_once_a_millisecond() -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 64)).astype(np.uint8)
    found = saccades.events(images)
    assert np.all(np.diff(found[:, 0] * 1000 + found[:, 1]) >= 0)
    assert len(np.unique(found, axis=0)) == len(found)
    assert found[:, 1].min() >= 1 and found[:, 1].max() < 300
    assert found[:, 2].max() < saccades.input_count(64) == 392
    alone = saccades.events(images[2:3])
    np.testing.assert_array_equal(found[found[:, 0] == 2, 1:], alone[:, 1:])


def test_6_windows_start_from_1_to_278() -> None:
    starts = [saccades.window_start(5, number) for number in range(5000)]
    assert min(starts) == 1 and max(starts) == 278
    assert np.mean(starts) == pytest.approx(139.5, abs=4)


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_a_normalisation_of_pixels_is_refused_for_events(dataset: str) -> None:
    none = Images(np.zeros((1, 4), np.uint8), np.zeros(1, np.uint8))
    whole = Dataset(dataset, none, none, 0)
    assert len(choose_drives(Request(dataset=dataset), whole)) == 2
    with pytest.raises(RequestError, match=f"training-maximum has no meaning beside --dataset {dataset}"):
        choose_drives(Request(dataset=dataset, normalisation="training-maximum"), whole)
