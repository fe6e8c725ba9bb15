"""Movies and events for the motion detectors: acceptance cases 5 and 6 of the model, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from delays_images import texture
from scipy import fft

from neurodeploy.delays import events as event_models
from neurodeploy.delays import images
from neurodeploy.delays.clouds_application import at
from neurodeploy.delays.events import OFF, ON, Events, from_array, from_dense, from_frames
from neurodeploy.delays.images import Image
from neurodeploy.delays.motion_clouds import SCANS, CloudSettings, make_cloud, random_cloud
from neurodeploy.delays.motions import MEAN_BLOCK_MS, Motions, label_sequence
from neurodeploy.delays.movies import MovieSettings, glide, make_movie
from neurodeploy.errors import RequestError

MOTIONS = Motions()


# --- case 5: labels and geometry


def test_case_5_classes_have_the_published_speeds_and_phi_0_moves_down() -> None:
    speeds = np.hypot(*MOTIONS.velocities.T)
    assert np.allclose(speeds[::12], [0.25, 0.3969, 0.63], atol=1e-4)
    assert np.allclose(MOTIONS.velocities[0], [0.25, 0])  # rows grow downwards
    assert np.degrees(MOTIONS.angles[12]) == pytest.approx(15)  # the middle ring is half a step round
    assert MOTIONS.count == 36


@pytest.mark.parametrize("number", range(0, 36, 5))
def test_case_5_content_moves_with_the_velocity_of_its_class(number: int) -> None:
    """Phase correlation of frames 10 ms apart finds 10 v within 0.1 pixel."""
    generator = np.random.default_rng(number)
    v = MOTIONS.velocities[number]
    corners = np.array([120.0, 130.0]) - np.arange(11)[:, None] * v
    before, after = glide(texture(seed=number).pixels, corners + generator.random(2), 96, 96)[[0, 10]]
    window = np.hanning(96)[:, None] * np.hanning(96)[None]
    a, b = fft.fft2(before * window), fft.fft2(after * window)
    fy, fx = np.meshgrid(fft.fftfreq(96), fft.fftfreq(96), indexing="ij")
    low = (np.hypot(fy, fx) < 0.3) & (np.hypot(fy, fx) > 0.02)
    cross = (b * np.conj(a))[low]
    found = minimise_phase(np.angle(cross), np.abs(cross), fy[low], fx[low], 10 * v)
    assert np.abs(found - 10 * v).max() < 0.1


def minimise_phase(phase, weight, fy, fx, near):
    """The displacement whose phase ramp agrees best with `phase`, searched around the whole field of +-2 pixels."""
    steps = np.arange(-2, 2.01, 0.05)
    dy, dx = np.round(near[0]) + steps, np.round(near[1]) + steps
    ramps_y = np.exp(2j * np.pi * fy * dy[:, None])
    ramps_x = np.exp(2j * np.pi * fx * dx[:, None])
    score = ((weight * np.exp(1j * phase)) * ramps_y) @ ramps_x.T
    best = np.unravel_index(score.real.argmax(), score.shape)
    return np.array([dy[best[0]], dx[best[1]]])


def test_sub_pixel_shifts_are_those_of_a_phase_ramp_over_the_whole_image() -> None:
    pixels = texture(128, 140).pixels
    corner = np.array([[20.37, 30.81]])
    fy, fx = fft.fftfreq(128)[:, None], fft.fftfreq(140)[None]
    ramp = np.exp(2j * np.pi * (fy * corner[0, 0] + fx * corner[0, 1]))
    whole = fft.ifft2(fft.fft2(pixels) * ramp).real[:48, :48]
    error = glide(pixels, corner, 48, 48)[0] - whole
    assert error.std() < 0.025  # of a standard deviation of 1


def test_case_5_blocks_last_24_ms_where_a_label_may_be_drawn_again() -> None:
    labels = label_sequence(np.random.default_rng(1), MOTIONS, 400_000)
    blocks = 1 + np.count_nonzero(np.diff(labels))
    assert len(labels) / blocks == pytest.approx(MEAN_BLOCK_MS * 36 / 35, abs=1.0)
    assert set(np.unique(label_sequence(np.random.default_rng(1), MOTIONS, 50, None))) == {labels[0]}


def test_symmetries_of_the_grid_turn_a_movie_of_a_class_into_one_of_another() -> None:
    assert len(MOTIONS.symmetries()) == 8
    assert len(Motions(12, (0.3,)).symmetries()) == 8
    assert len(Motions(5, (0.3,)).symmetries()) == 2  # mirrored left to right, at most
    pixels = texture().pixels
    for permutation, turns, mirrored in MOTIONS.symmetries():
        assert sorted(permutation) == list(range(36))
        for number in (0, 7, 14, 35):
            frames = np.stack(
                [
                    np.roll(pixels, (round(10 * v[0]), round(10 * v[1])), (0, 1))
                    for v in (np.zeros(2), MOTIONS.velocities[number])
                ]
            )
            frames = frames[..., ::-1] if mirrored else frames
            frames = np.rot90(frames, turns, axes=(1, 2))
            correlation = fft.ifft2(fft.fft2(frames[1]) * np.conj(fft.fft2(frames[0]))).real
            peak = np.array(np.unravel_index(correlation.argmax(), correlation.shape))
            peak = (peak + 100) % correlation.shape - 100
            assert np.abs(peak - 10 * MOTIONS.velocities[permutation[number]]).max() <= 0.5 + 1e-6


def test_embedded_images_are_split_and_wide_enough_for_test_movies() -> None:
    pytest.importorskip("skimage", reason="the extra 'delays' is not installed")
    pytest.importorskip("sklearn", reason="the extra 'delays' is not installed")
    assert not set(images.TRAINING) & set(images.TEST)
    held_out = images.embedded(test=True)
    assert [image.name for image in held_out] == list(images.TEST)
    assert all(min(image.pixels.shape) >= 264 and abs(image.pixels.std() - 1) < 1e-3 for image in held_out)


def test_every_movie_has_an_image_of_its_own() -> None:
    pool = [Image(str(k), texture(120, 120, k).pixels) for k in range(4)]
    generator = np.random.default_rng(0)
    movies = [make_movie(generator, pool, MOTIONS, MovieSettings(40, 40, 5)) for _ in range(40)]
    assert {movie.image for movie in movies} == {"0", "1", "2", "3"}


def test_a_folder_of_images_is_split_without_overlap(tmp_path) -> None:
    for name in "abcdef":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(ord(name)).random((50, 60, 3)))
    training, test = images.split(images.from_folder(tmp_path))
    assert {i.name for i in training} & {i.name for i in test} == set()
    assert len(training) + len(test) == 6 and test and training


# --- case 6: events


def test_case_6_events_of_a_ramp_by_hand() -> None:
    """A pixel that rises by 1 a ms among still ones: over θ each ms, if the last event's θ is taken off D alone."""
    frames = np.zeros((5, 1, 4), np.float32)
    frames[:, 0, 0] = np.arange(5)
    difference = np.diff(frames, axis=0)
    theta = difference.std()  # sqrt(3)/4 = 0.433: 1 > θ, 1 - θ = 0.567 > θ
    assert theta == pytest.approx(np.sqrt(3) / 4)
    found = from_frames(frames)
    assert found.t.tolist() == [1, 2, 3, 4] and set(found.x) == {0} and set(found.p) == {ON}
    # at 1.5 sd: θ = 0.650: 1 > θ, then 1 - θ = 0.350 < θ and no event, then again
    assert from_frames(frames, 1.5).t.tolist() == [1, 3]
    # the camera gathers: residuals 1, 1.350, 1.700, 2.051, always over θ
    assert from_frames(frames, 1.5, accumulate=True).t.tolist() == [1, 2, 3, 4]


def test_case_6_negated_movies_swap_on_and_off_and_neither_coincides() -> None:
    movie = make_movie(np.random.default_rng(3), [texture()], MOTIONS, MovieSettings(40, 40, 30))
    for accumulate in (False, True):
        events = from_frames(movie.frames, accumulate=accumulate)
        negated = from_frames(-movie.frames, accumulate=accumulate)
        assert all(np.array_equal(getattr(events.swapped(), k), getattr(negated, k)) for k in "tyxp")
        assert events.dense().sum(axis=0).max() == 1


def test_case_6_density_is_that_of_the_authors_and_falls_with_selectivity() -> None:
    movies = [
        make_movie(np.random.default_rng(k), [texture()], MOTIONS, MovieSettings(64, 64, 60))
        for k in range(3)
    ]
    densities = [
        np.mean([from_frames(m.frames, s).density for m in movies])
        for s in (0.1, 0.25, 0.63, 1.0, 1.58, 3.98)
    ]
    assert 0.04 < densities[3] < 0.12
    assert np.all(np.diff(densities) < 0)


def test_case_6_a_still_movie_gives_noise_alone() -> None:
    generator = np.random.default_rng(0)
    still = Motions(1, (0.0,))
    movie = make_movie(generator, [texture()], still, MovieSettings(32, 32, 40))
    events = from_frames(movie.frames)
    on = np.bincount(events.y * 32 + events.x, minlength=1024)
    assert on.std() == pytest.approx(np.sqrt(on.mean()), rel=0.35)  # no pixel has more than chance gives it


def test_altered_events_stay_on_the_grid_in_order() -> None:
    generator = np.random.default_rng(0)
    events = from_dense(generator.random((2, 30, 16, 16)) < 0.06)
    assert len(events.dropped(0.5, generator)) == pytest.approx(len(events) / 2, rel=0.15)
    assert len(events.added(1.0, generator)) == pytest.approx(2 * len(events), rel=0.1)
    for altered in (events.jittered(2, generator), events.added(0.25, generator)):
        assert np.all(np.diff(altered.t) >= 0) and altered.t.min() >= 0 and altered.t.max() < 30
        assert len(altered) == altered.dense().sum()
    assert np.array_equal(events.jittered(0, generator).t, events.t)


# --- recordings, as tonic gives them


def recording(**changes) -> np.ndarray:
    made = np.zeros(4, dtype=[("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    made["x"], made["y"], made["t"], made["p"] = (
        [0, 3, 3, 1],
        [2, 1, 1, 0],
        [10, 500, 900, 2300],
        [1, 0, 0, 1],
    )
    for name, value in changes.items():
        made[name] = value
    return made


def test_a_recording_is_binned_from_its_first_event() -> None:
    events = from_array(recording(), height=4, width=5)
    assert (events.steps, events.height, events.width) == (3, 4, 5)
    assert list(zip(events.t, events.y, events.x, events.p, strict=True)) == [
        (0, 1, 3, OFF),
        (0, 2, 0, ON),
        (2, 0, 1, ON),
    ]
    signed = {"x": [0, 1], "y": [0, 0], "t": [0, 1], "p": [-1, 1]}
    assert from_array(signed).p.tolist() == [OFF, ON]


BAD_RECORDINGS = {
    "no field 'p'": {"x": [0], "y": [0], "t": [0]},
    "differ in length": {"x": [0], "y": [0, 1], "t": [0], "p": [0]},
    "no event": {"x": [], "y": [], "t": [], "p": []},
    "event 1 is not finite": {"x": [0, 1], "y": [0, 0], "t": [0.0, np.nan], "p": [0, 1]},
    "comes before": {"x": [0, 1], "y": [0, 0], "t": [5, 1], "p": [0, 1]},
    "outside the sensor": {"x": [0, 9], "y": [0, 0], "t": [0, 1], "p": [0, 1]},
    "polarities": {"x": [0, 1], "y": [0, 0], "t": [0, 1], "p": [0, 2]},
}


@pytest.mark.parametrize("words", BAD_RECORDINGS)
def test_a_bad_recording_is_refused_in_words(words: str) -> None:
    with pytest.raises(RequestError, match=words):
        from_array(BAD_RECORDINGS[words], height=4, width=4)


def test_bad_movies_and_images_are_refused_in_words(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"needs \d+ x \d+"):
        make_movie(np.random.default_rng(0), [texture(60, 60)], MOTIONS, MovieSettings(64, 64, 60))
    frames = np.random.default_rng(0).random((3, 4, 4))
    with pytest.raises(RequestError, match="selectivity is 0"):
        from_frames(frames, 0)
    with pytest.raises(RequestError, match="not finite"):
        from_frames(np.where(frames > 0.9, np.nan, frames))
    with pytest.raises(RequestError, match="no event"):
        from_frames(np.zeros((3, 4, 4)))
    with pytest.raises(RequestError, match="not there"):
        images.from_folder(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="no image"):
        images.from_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(RequestError, match=r"a\.png cannot be read"):
        images.from_folder(tmp_path)
    (tmp_path / "a.png").unlink()
    np.save(tmp_path / "b.npy", np.ones((40, 40)))
    with pytest.raises(RequestError, match="no contrast"):
        images.from_folder(tmp_path)
    with pytest.raises(RequestError, match="speeds"):
        Motions(12, (-0.1,))


def test_events_are_kept_sparse() -> None:
    assert not any(
        array.ndim > 1
        for array in vars(from_dense(np.ones((2, 3, 4, 5)))).values()
        if isinstance(array, np.ndarray)
    )
    assert isinstance(from_dense(np.zeros((2, 3, 4, 5))), Events) and event_models.SELECTIVITY == 1


# --- Motion Clouds


@pytest.mark.parametrize("condition", ["perpendicular", "aperture"])
def test_clouds_move_with_the_velocity_of_their_class_and_leave_the_global_random_state(
    condition: str,
) -> None:
    pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    settings = CloudSettings(condition=condition, height=64, width=64, steps=32, orientation_width=2.0)
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    for seed in range(3):
        movie = make_cloud(np.random.default_rng(seed), MOTIONS, settings)
        assert movie.frames.shape == (32, 64, 64) and np.abs(movie.frames).max() <= 1
        v = MOTIONS.velocities[movie.labels[0]]
        cross = sum(
            fft.fft2(b) * np.conj(fft.fft2(a))
            for a, b in zip(movie.frames[:-4], movie.frames[4:], strict=True)
        )
        fy, fx = np.meshgrid(fft.fftfreq(64), fft.fftfreq(64), indexing="ij")
        low = np.hypot(fy, fx) < 0.3
        found = minimise_phase(np.angle(cross[low]), np.abs(cross[low]), fy[low], fx[low], 4 * v)
        assert np.abs(found - 4 * v).max() < 0.3
    assert np.random.random() == expected


def test_clouds_are_those_of_the_package() -> None:
    package = pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    envelope = package.envelope_gabor(*package.get_grids(24, 20, 16), V_X=0.2, V_Y=-0.3, B_V=0.1)
    theirs, ours = package.random_cloud(envelope, seed=7), random_cloud(envelope, 7)
    assert np.abs(ours - theirs).max() < 1e-5 * theirs.std()


@pytest.mark.parametrize("name", SCANS)
def test_both_ends_of_a_scan_are_finite_clouds(name: str) -> None:
    pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    for value in (SCANS[name][0], SCANS[name][-1]):
        texture = at(name, value, CloudSettings(height=32, width=32, steps=24))
        movie = make_cloud(np.random.default_rng(0), MOTIONS, texture)
        assert 0.3 < movie.frames.std() < 1


def test_bad_clouds_are_refused_in_words() -> None:
    with pytest.raises(RequestError, match="no condition"):
        CloudSettings(condition="parallel")
    with pytest.raises(RequestError, match="cannot be made"):
        CloudSettings(steps=31)
