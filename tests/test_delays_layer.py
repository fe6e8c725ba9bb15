"""The layer of detectors: acceptance cases 1, 2 and 7 of the model, the mask and the model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from neurodeploy.delays.events import OFF, ON, Events, from_dense
from neurodeploy.delays.layer import (
    Layer,
    evidence,
    evidence_everywhere,
    from_flat,
    load,
    mask,
    patches,
    to_flat,
    valid_box,
)
from neurodeploy.delays.motions import Motions
from neurodeploy.errors import RequestError


def random_layer(generator, classes=3, delays=5, side=5, share=0.3) -> Layer:
    shape = (classes, 2, delays, side, side)
    weights = generator.standard_normal(shape) * (generator.random(shape) < share)
    return Layer(
        weights.astype(np.float32),
        generator.standard_normal(classes).astype(np.float32),
        Motions(classes, (0.5,)),
    )


def random_events(generator, shape=(2, 18, 14, 15), density=0.06) -> Events:
    return from_dense(generator.random(shape) < density)


def everywhere(layer: Layer, events: Events) -> np.ndarray:
    """L by patches at every valid place, (classes, bins, rows, columns)."""
    box = valid_box(events, layer.delays, layer.side)
    t, y, x = (a.ravel() for a in np.meshgrid(*box, indexing="ij"))
    seen = patches(events.dense(), t, y, x, layer.delays, layer.side)
    larger = evidence(seen, layer.flat(), layer.bias).max(axis=1)
    return larger.T.reshape(-1, *(len(r) for r in box))


# --- case 1: alignment


def coincidences(offsets: dict[int, int]) -> np.ndarray:
    """Evidence over 80 ms of one detector with inputs at four pixels, motif (0, 7, 12, 20) ms, started at 30 ms."""
    weights = np.zeros((1, 2, 21, 5, 5), np.float32)
    for pixel, offset in enumerate((0, 7, 12, 20)):
        weights[0, ON, 20 - offset, 2, pixel] = 1
    dense = np.zeros((2, 80, 5, 5), np.float32)
    for pixel, offset in offsets.items():
        dense[ON, 30 + offset, 2, 4 - pixel] = 1  # dx = pixel - 2 reads column 2 - dx
    layer = Layer(weights, np.zeros(1, np.float32), Motions(1, (0.5,)))
    return everywhere(layer, from_dense(dense))[0, :, 0, 0]


def test_case_1_a_motif_arrives_in_one_instant() -> None:
    motif = {0: 0, 1: 7, 2: 12, 3: 20}
    assert np.flatnonzero(coincidences(motif) > 3.5).tolist() == [30 + 20 - 21]  # bins from 21 on
    assert not np.any(coincidences({pixel: 20 - offset for pixel, offset in motif.items()}) > 3.5)
    for missing in motif:
        assert not np.any(coincidences({p: o for p, o in motif.items() if p != missing}) > 3.5)
        assert not np.any(coincidences({**motif, missing: motif[missing] + 1}) > 3.5)


# --- case 2: dense and events


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_case_2_event_by_event_is_the_causal_convolution(seed: int) -> None:
    generator = np.random.default_rng(seed)
    layer, events = random_layer(generator), random_events(generator)
    one_by_one = evidence_everywhere(layer, events)
    branches = []
    for seen in (events, events.swapped()):
        dense = seen.dense(np.float64)
        full = np.stack([
            sum(signal.convolve(dense[p], layer.weights[c, p].astype(np.float64), "full") for p in (OFF, ON))
            for c in range(3)
        ])  # fmt: skip
        # "full" has rows shifted by the radius: dy, dx run from -2
        branches.append(full[:, 5:18, 4:-4, 4:-4] + layer.bias[:, None, None, None])
    bound = 1e-5 * np.abs(layer.weights).sum()
    assert np.abs(one_by_one - np.maximum(*branches)).max() < bound
    assert np.abs(one_by_one - everywhere(layer, events)).max() < bound


# --- case 7: invariance


def test_case_7_swapping_contrast_changes_nothing_bit_for_bit() -> None:
    generator = np.random.default_rng(0)
    layer, events = random_layer(generator), random_events(generator)
    assert np.array_equal(evidence_everywhere(layer, events), evidence_everywhere(layer, events.swapped()))


def test_case_7_a_shift_of_the_events_shifts_the_evidence() -> None:
    generator = np.random.default_rng(1)
    layer = random_layer(generator)
    dense = (generator.random((2, 18, 14, 15)) < 0.06).astype(np.float32)
    before = everywhere(layer, from_dense(dense))
    after = everywhere(layer, from_dense(np.roll(dense, (2, 1, -3), axis=(1, 2, 3))))
    assert np.allclose(before[:, :-2, :-1, 3:], after[:, 2:, 1:, :-3], atol=1e-5)


# --- the mask, the order of weights, and the file


def test_the_mask_is_round_and_narrow_at_short_delays() -> None:
    m = mask()
    assert m.shape == (21, 17, 17) and m[:, 8, 8].min() == 1
    assert m[:, 0, 0].max() == 0 and m[20, 8, 0] > 0.2  # outside the circle; on its edge at long delays
    assert m[0, 8, 9] < 0.1 < 0.9 < m[20, 8, 9]  # one pixel off the middle
    u = 3 / 9  # by hand: dx = 3 at delay 20: τ = 0
    expected = ((1 + np.cos(np.pi * u)) / 2) ** 0.25 * np.exp(-(u**2) / (2 * 2.55**2))
    assert m[20, 8, 11] == pytest.approx(expected, rel=1e-6)
    assert np.all(np.diff(m[:, 8, 12]) > 0)


def test_flat_weights_are_the_same_weights() -> None:
    layer = random_layer(np.random.default_rng(2))
    assert np.array_equal(from_flat(to_flat(layer.weights), 5, 5), layer.weights)


def test_a_model_file_comes_back_as_it_was(tmp_path) -> None:
    layer = replace(random_layer(np.random.default_rng(3)), made_by={"seed": 3})
    layer.save(tmp_path / "model.npz")
    back = load(tmp_path / "model.npz")
    assert np.array_equal(back.weights, layer.weights) and np.array_equal(back.bias, layer.bias)
    assert back.motions == layer.motions and back.made_by == {"seed": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def test_bad_model_files_and_small_frames_are_refused_in_words(tmp_path) -> None:
    layer = random_layer(np.random.default_rng(4))
    with pytest.raises(RequestError, match="not there"):
        load(tmp_path / "nowhere.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(RequestError, match="is not a model"):
        load(tmp_path / "bad.npz")
    replace(layer, weights=layer.weights * np.nan).save(tmp_path / "nan.npz")
    with pytest.raises(RequestError, match="not finite"):
        load(tmp_path / "nan.npz")
    replace(layer, motions=Motions()).save(tmp_path / "other.npz")
    with pytest.raises(RequestError, match="36 classes"):
        load(tmp_path / "other.npz")
    with pytest.raises(RequestError, match="too few"):
        valid_box(random_events(np.random.default_rng(0), (2, 5, 14, 15)), 5, 5)
