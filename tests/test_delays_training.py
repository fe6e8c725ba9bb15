"""Training by hand-written gradients: against differences, sampling, resuming, and a task that learns (cases 7 and 8)."""

from __future__ import annotations

import errno
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from delays_images import texture

from neurodeploy.delays import devices, training
from neurodeploy.delays import layer as layers
from neurodeploy.delays.evaluation import TestSet, evaluate
from neurodeploy.delays.events import from_frames
from neurodeploy.delays.images import embedded
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import MovieSettings, make_movie
from neurodeploy.delays.synapses import prune, shorten
from neurodeploy.delays.train_application import TASKS, choose_settings, train_delays
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError

TINY = replace(TASKS["small"], movies=2, voxels=32, steps=12, height=24, width=24, start_sd=0.01, side=5)
IMAGES = [texture(90, 100, seed) for seed in range(2)]


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_gradients_are_the_slopes_of_the_loss(loss: str) -> None:
    generator = np.random.default_rng(0)
    flat, bias = generator.standard_normal((4, 20)), generator.standard_normal(4)
    seen, labels = generator.standard_normal((50, 20)), generator.integers(4, size=50)
    _, gradient, bias_gradient, _ = training.loss_and_gradient(flat, bias, seen, labels, loss)

    def slope(values: np.ndarray, place: tuple[int, ...]) -> float:
        ends = []
        for step in (1e-6, -1e-6):
            values[place] += step
            ends.append(training.loss_and_gradient(flat, bias, seen, labels, loss)[0])
            values[place] -= step
        return (ends[0] - ends[1]) / 2e-6

    for place in np.ndindex(flat.shape):
        assert slope(flat, place) == pytest.approx(gradient[place], abs=1e-7)
    for place in np.ndindex(bias.shape):
        assert slope(bias, place) == pytest.approx(bias_gradient[place], abs=1e-7)


def test_gradients_are_those_of_torch() -> None:
    torch = pytest.importorskip(
        "torch", reason="torch is not needed, and is the peer here where it is installed"
    )
    generator = np.random.default_rng(1)
    flat, bias = generator.standard_normal((4, 20)), generator.standard_normal(4)
    seen, labels = generator.standard_normal((50, 20)), generator.integers(4, size=50)
    w, b, x = torch.tensor(flat, requires_grad=True), torch.tensor(bias), torch.tensor(seen)
    swapped = torch.cat([w[:, 10:], w[:, :10]], dim=1)
    evidence = torch.maximum(x @ w.T + b, x @ swapped.T + b)
    loss = torch.nn.functional.cross_entropy(evidence, torch.tensor(labels))
    loss.backward()
    value, gradient, _, _ = training.loss_and_gradient(flat, bias, seen, labels)
    assert value == pytest.approx(loss.item()) and np.allclose(gradient, w.grad.numpy())


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_torch_takes_the_same_steps_and_goes_on_from_numpys_checkpoint(tmp_path, loss: str) -> None:
    """Gradients equal but for float32; after 12 steps, losses to a thousandth of their fall."""
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    pytest.importorskip("array_api_compat", reason="the extra 'torch' is not installed")
    settings, torch = replace(TINY, loss=loss, sparsity=0.1), devices.choose("cpu")
    state = training.start(settings)
    seen, labels = training.make_batch(settings, IMAGES, 0)
    results = []
    for device in (devices.NUMPY, torch):
        there = state.moved(device.put)
        result = training.loss_and_gradient(there.flat, there.bias, device.put(seen), labels, loss, device)
        whole = training.symmetrise(result[1], settings, device)
        results.append([np.asarray(result[0]), *(device.get(array) for array in (*result[1:], whole))])
    for ours, theirs in zip(*results, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.abs(ours).max())

    file, left = tmp_path / "half.npz", iter([True] * 6)
    whole = training.train(settings, IMAGES, every=4)
    training.train(settings, IMAGES, checkpoint=file, every=4, keep_going=lambda: next(left, False))
    resumed = training.train(settings, IMAGES, training.resume(file, settings), every=4, device=torch)
    assert isinstance(resumed.flat, np.ndarray) and resumed.step == 12
    fall = whole.curve[0]["held_loss"] - whole.curve[-1]["held_loss"]
    assert fall > 0
    assert resumed.curve[-1]["held_loss"] == pytest.approx(whole.curve[-1]["held_loss"], abs=1e-3 * fall)


def test_a_device_that_is_not_there_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "array_api_compat.torch", None)
    assert devices.choose() is devices.NUMPY and devices.choose("auto") is devices.NUMPY
    with pytest.raises(
        ToolchainMissingError, match=r"(?s)--device cuda needs torch.*pip install 'neurodeploy\[torch\]'"
    ) as told:
        devices.choose("cuda")
    assert "Traceback" not in str(told.value)


def test_a_device_that_torch_does_not_find_is_refused() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    pytest.importorskip("array_api_compat", reason="the extra 'torch' is not installed")
    for name in ("quantum", *(() if torch.cuda.is_available() else ("cuda",))):
        with pytest.raises(RequestError, match=f"cannot use the device '{name}'"):
            devices.choose(name)


def test_case_7_sampled_voxels_have_the_expectation_of_the_whole_loss() -> None:
    settings = replace(TINY, voxels=5000, sampling="uniform")
    state = training.start(settings)
    movie = make_movie(np.random.default_rng(0), IMAGES, settings.motions, MovieSettings(24, 24, 32))
    events = from_frames(movie.frames)

    def losses(t, y, x):
        seen = layers.patches(events.dense(), t, y, x, settings.delays, settings.side)
        larger = layers.evidence(seen, state.flat, state.bias).max(axis=1)
        log_sum = np.log(np.exp(larger).sum(axis=1))
        return log_sum - larger[np.arange(len(t)), movie.labels[t]]

    whole = losses(*(a.ravel() for a in np.meshgrid(*layers.valid_box(events, 11, 5), indexing="ij")))
    sampled = losses(*training.sample_voxels(np.random.default_rng(1), events, settings))
    assert len(sampled) == 5000
    assert abs(sampled.mean() - whole.mean()) < 2 * whole.std() / np.sqrt(5000)


def test_event_sampling_reads_where_events_are_and_mixed_half_of_the_time() -> None:
    movie = make_movie(np.random.default_rng(0), IMAGES, TINY.motions, MovieSettings(24, 24, 32))
    events = from_frames(movie.frames)
    there = events.dense().max(axis=0)
    shares = {}
    for sampling in training.SAMPLINGS:
        places = training.sample_voxels(
            np.random.default_rng(1), events, replace(TINY, sampling=sampling, voxels=200)
        )
        shares[sampling] = there[places].mean()
    assert shares["events"] == 1 and shares["uniform"] < 0.3
    assert 0.5 <= shares["mixed"] < 0.65


def test_the_start_is_the_central_pair_and_masked_noise() -> None:
    weights = training.to_layer(training.start(replace(TINY, symmetric=False)), TINY).weights
    assert np.allclose(weights[:, 1, 0, 2, 2], 4, atol=0.05) and np.allclose(
        weights[:, 0, 0, 2, 2], -4, atol=0.05
    )
    rest = weights[:, :, -1, 2, 2]
    assert 0.005 < rest.std() < 0.015
    assert training.to_layer(training.start(replace(TINY, start_sd=0)), TINY).synapses == 24


def test_symmetric_gradients_are_those_of_turned_and_mirrored_movies() -> None:
    """The mean gradient over the eight versions of a batch equals the symmetrised gradient of the batch."""
    settings = replace(TINY, motions=Motions(12, (0.63,)))
    state = training.start(settings)
    seen, labels = training.make_batch(settings, IMAGES, 0)
    once = training.loss_and_gradient(state.flat, state.bias, seen, labels)[1]
    grid = seen.reshape(len(seen), 2, settings.delays, settings.side, settings.side)
    total = np.zeros_like(once)
    for permutation, turns, mirrored in settings.motions.symmetries():
        turned = np.rot90(grid[..., ::-1] if mirrored else grid, turns, axes=(-2, -1)).reshape(seen.shape)
        total += training.loss_and_gradient(state.flat, state.bias, turned, permutation[labels])[1]
    assert np.allclose(total / 8, training.symmetrise(once, settings), atol=1e-6)
    assert np.allclose(training.symmetrise(state.flat, settings), state.flat, atol=1e-6)


@pytest.mark.parametrize("ahead", [0, 3])
def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path, ahead: int) -> None:
    whole = training.train(TINY, IMAGES, every=4)
    left = iter([True] * 7)
    file = tmp_path / "half.npz"
    stopped = training.train(
        TINY, IMAGES, checkpoint=file, every=4, keep_going=lambda: next(left, False), ahead=ahead
    )
    assert stopped.step == 7
    resumed = training.train(TINY, IMAGES, training.resume(file, TINY), every=4, ahead=ahead)
    for name in training.State.ARRAYS:
        assert np.array_equal(getattr(whole, name), getattr(resumed, name)), name
    assert [point["step"] for point in resumed.curve] == [4, 7, 8, 12]


def test_a_checkpoint_of_another_training_is_refused(tmp_path) -> None:
    training.save_checkpoint(tmp_path / "c.npz", training.start(TINY), TINY)
    with pytest.raises(RequestError, match=r"rate: 0.001 there, 0.002 here"):
        training.resume(tmp_path / "c.npz", replace(TINY, rate=0.002))
    assert training.resume(tmp_path / "c.npz", replace(TINY, steps=99)).step == 0
    (tmp_path / "c.npz").write_bytes(b"torn")
    with pytest.raises(RequestError, match="is not a checkpoint"):
        training.resume(tmp_path / "c.npz", TINY)
    with pytest.raises(RequestError, match="needs --checkpoint"):
        train_delays(TINY, minutes=1.0)
    with pytest.raises(RequestError, match=r"'papper'\. Did you mean 'paper'"):
        choose_settings("papper")
    with pytest.raises(RequestError, match="no loss 'sofmax'"):
        choose_settings("small", loss="sofmax")


def given_folder(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    folder.mkdir()
    for number, size in enumerate(sizes):
        np.save(folder / f"{number}.npy", texture(*size, number).pixels)
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_a_step_end_and_the_checkpoint_goes_on_bit_for_bit(
    tmp_path, monkeypatch, number
) -> None:
    folder = given_folder(tmp_path / "images", [(90, 100), (100, 90)])
    whole = train_delays(TINY, folder, tmp_path / "whole", every=5)
    file, advance = tmp_path / "half.npz", training.advance

    def interrupted(state, *rest):
        if state.step == 6:
            signal.raise_signal(number)
        return advance(state, *rest)

    monkeypatch.setattr(training, "advance", interrupted)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_delays(TINY, folder, tmp_path / "half", file, every=5)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    assert training.resume(file, TINY).step == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.npz", "images", "whole"]
    resumed = train_delays(TINY, folder, tmp_path / "resumed", file, every=5)
    assert "data:image/png" in (whole.folder / "report.html").read_text()
    models = [layers.load(run.folder / "model.npz") for run in (whole, resumed)]
    assert np.array_equal(models[0].weights, models[1].weights)
    assert np.array_equal(models[0].bias, models[1].bias)


def test_a_checkpoint_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path, monkeypatch) -> None:
    file = tmp_path / "c.npz"
    training.save_checkpoint(file, training.start(TINY), TINY)
    with pytest.raises(RequestError, match=r"--checkpoint .*nowhere/c.npz: its folder is not there"):
        train_delays(TINY, checkpoint=tmp_path / "nowhere" / "c.npz")

    def full(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"c\.npz cannot be written \(No space left"):
        training.train(TINY, IMAGES, checkpoint=file, every=4)
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"] and training.resume(file, TINY).step == 0


def test_an_image_that_some_path_would_leave_is_refused_before_training(tmp_path) -> None:
    sizes = [(90, 100), (60, 53), (100, 90), (54, 60)]
    folder = given_folder(tmp_path / "images", sizes)  # the last is held out
    with pytest.raises(RequestError, match=r"'1\.npy' has 60 x 53 pixels; .* need 55 in each direction\."):
        train_delays(TINY, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sparsity_leaves_fewer_weights() -> None:
    counts = [np.count_nonzero(training.train(replace(TINY, sparsity=s), IMAGES).flat) for s in (0.0, 0.5)]
    assert counts[1] < 0.8 * counts[0]


def test_case_8_the_small_task_is_learned_and_delays_carry_it() -> None:
    """12 directions on held-out images: 85 % at the best pruning level, at most 30 % with delay 0 alone, chance 8.3 %."""
    pytest.importorskip("skimage", reason="the extra 'delays' is not installed")
    pytest.importorskip("sklearn", reason="the extra 'delays' is not installed")
    settings = TASKS["small"]
    trained = training.to_layer(training.train(settings, embedded()), settings)
    variants = {str(n): prune(trained, n) for n in (200, 650, 2000)} | {
        "all": trained,
        "delay 0": shorten(trained, 1),
    }
    test = TestSet(
        embedded(test=True), settings.motions, MovieSettings(40, 40, 32, None), count=60, stride=(2, 2, 2)
    )
    scores = {name: score.accuracy for name, score in evaluate(variants, test).items()}
    assert max(scores.values()) >= 0.85, scores
    assert scores["delay 0"] <= 0.30, scores
