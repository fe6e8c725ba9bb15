"""Images of the liquid: what is read, what is refused, and how pixels become probabilities."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from reference_lsm import hits

from neurodeploy.errors import RequestError, RunError
from neurodeploy.lsm import data
from neurodeploy.lsm.data import FILES, encode, largest_share, load


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """18 training and 6 test images of 4 x 5 pixels; two of the files packed."""
    random = np.random.default_rng(1)
    for part, count in (("training", 18), ("test", 6)):
        images, labels = FILES[part]
        (tmp_path / images).write_bytes(idx(random.integers(0, 256, (count, 4, 5), dtype=np.uint8)))
        packed = gzip.compress(idx(np.arange(count, dtype=np.uint8) % 10))
        (tmp_path / f"{labels}.gz").write_bytes(packed)
    return tmp_path


def test_a_folder_of_files(folder: Path) -> None:
    found = load("idx", folder)
    assert found.training.images.shape == (18, 20) and found.test.images.shape == (6, 20)
    assert found.validation == 3
    assert found.training.labels[:3].tolist() == [0, 1, 2]
    raw = (folder / FILES["training"][0]).read_bytes()
    assert found.training.images.tobytes() == raw[16:]
    assert len(found.checksums) == 4


def test_the_digits_need_no_file() -> None:
    found = load()
    assert found.training.images.shape == (1438, 64) and found.test.images.shape == (359, 64)
    assert found.validation == 179
    assert np.all(np.bincount(found.training.labels[-179:], minlength=10) > 5)


def broken(folder: Path, how: str) -> None:
    images, labels = (folder / name for name in FILES["test"])
    raw = images.read_bytes()
    if how == "truncated":
        images.write_bytes(raw[:-1])
    elif how == "header":
        images.write_bytes(raw[:9])
    elif how == "type":
        images.write_bytes(b"\0\0\x0d" + raw[3:])
    elif how == "packed":
        packed = labels.with_name(labels.name + ".gz")
        packed.write_bytes(packed.read_bytes()[:-9])
    elif how == "missing":
        images.unlink()
    elif how == "labels":
        labels.with_name(labels.name + ".gz").unlink()
        labels.write_bytes(idx(np.full(6, 10, np.uint8)))
    elif how == "fewer":
        labels.with_name(labels.name + ".gz").unlink()
        labels.write_bytes(idx(np.zeros(5, np.uint8)))
    elif how == "size":
        images.write_bytes(idx(np.ones((6, 4, 4), np.uint8)))


@pytest.mark.parametrize(
    "how, words",
    [
        ("truncated", "119 bytes of data, its header says 120"),
        ("header", "ends inside its header"),
        ("type", "not an IDX file of bytes"),
        ("packed", "cannot be unpacked"),
        ("missing", "neither t10k-images-idx3-ubyte nor"),
        ("labels", "label 10"),
        ("fewer", r"has shape \(6, 4, 5\)"),
        ("size", "test images 16"),
    ],
)
def test_a_broken_file_is_refused(folder: Path, how: str, words: str) -> None:
    broken(folder, how)
    with pytest.raises(RequestError, match=words):
        load("idx", folder)


def test_files_that_are_not_the_published_ones_are_refused(folder: Path) -> None:
    with pytest.raises(RequestError, match="not the published file of mnist"):
        load("mnist", folder)


@pytest.fixture
def published(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder` as the one place that the published files of mnist come from, all packed; a cache of its own."""
    sums = []
    for name in sum(FILES.values(), ()):
        plain, packed = folder / name, folder / f"{name}.gz"
        if plain.exists():
            packed.write_bytes(gzip.compress(plain.read_bytes()))
        sums.append(hashlib.md5(gzip.decompress(packed.read_bytes())).hexdigest())
    monkeypatch.setattr(data, "PUBLISHED", {"mnist": tuple(sums)})
    monkeypatch.setattr(data, "SOURCES", {"mnist": ("file:///nowhere", folder.as_uri())})
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    return folder


def test_published_files_are_fetched_once_from_the_first_source_that_has_them(published: Path) -> None:
    found = load("mnist")
    assert found.training.images.shape == (18, 20)
    for file in published.glob("*.gz"):
        file.unlink()
    np.testing.assert_array_equal(load("mnist").test.images, found.test.images)


def test_without_a_network_or_with_another_file_nothing_is_kept(published: Path, tmp_path: Path) -> None:
    wrong = published / f"{FILES['test'][0]}.gz"
    wrong.write_bytes(gzip.compress(idx(np.ones((6, 4, 5), np.uint8))))
    with pytest.raises(RunError, match=r"(?s)t10k-images.*/nowhere.*not the published file.*--data FOLDER"):
        load("mnist")
    kept = {path.name for path in (tmp_path / "cache/datasets/mnist").iterdir()}
    assert kept == {f"{name}.gz" for name in FILES["training"]}


@pytest.mark.parametrize(
    "name, where, words",
    [
        ("mnits", None, "Did you mean 'mnist'"),
        ("idx", None, "needs --data FOLDER"),
        ("mnist", Path("/nowhere"), "no such folder"),
        ("digits", Path("/nowhere"), "no meaning beside --dataset digits"),
    ],
)
def test_a_wrong_request_is_refused(name: str, where: Path | None, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        load(name, where)


def test_the_first_images_keep_the_share_that_validates() -> None:
    few = load().first(160, 10)
    assert len(few.training.labels) == 160 and few.validation == 19 and len(few.test.labels) == 10
    for samples in (0, 5, 1439):
        with pytest.raises(RequestError, match=f"--samples {samples}"):
            load().first(samples, None)


def test_6_every_image_has_the_same_sum_and_the_largest_is_1() -> None:
    images = load().training.images
    p = encode(images, largest_share(images))
    np.testing.assert_allclose(p.sum(axis=1), p[0].sum(), rtol=1e-5)
    assert p.max() == 1.0 and p.min() == 0.0


def test_a_blank_image_stays_blank() -> None:
    images = np.array([[0, 0], [3, 1]], np.uint8)
    np.testing.assert_allclose(encode(images, largest_share(images)), [[0, 0], [1, 1 / 3]], rtol=1e-6)
    with pytest.raises(RequestError, match="blank"):
        largest_share(images[:1])


def test_either_normalisation() -> None:
    """With the training set's maximum, what exceeds it in the test set is cut at 1, and counted."""
    training = data.Images(np.array([[1, 1], [3, 1]], np.uint8), np.zeros(2, np.uint8))
    test = data.Images(np.array([[7, 1], [1, 1]], np.uint8), np.zeros(2, np.uint8))
    both = data.Dataset("idx", training, test, 1)
    assert both.largest("separate-maximum") == {"training": 0.75, "test": 0.875}
    largest = both.largest("training-maximum")
    assert largest == {"training": 0.75, "test": 0.75}
    np.testing.assert_allclose(encode(test.images, largest["test"]), [[1, 1 / 6], [2 / 3, 2 / 3]], rtol=1e-6)
    assert data.cut(test.images, largest["test"]) == 1 and data.cut(test.images, 0.875) == 0


def test_6_hits_come_as_often_as_p_says() -> None:
    """The reference's draws, which the engine equals spike for spike (``test_lsm_engine.py``)."""
    p = np.array([0.0, 0.01, 0.2, 0.5, 1.0, 0.9, 0.3, 0.05, 0.7], np.float32)
    draws = np.mean([hits(p, 1, 0, trial, step) for trial in range(20) for step in range(100)], axis=0)
    assert draws[0] == 0.0 and draws[4] == 1.0
    np.testing.assert_allclose(draws, p, atol=0.05)
    np.testing.assert_array_less(np.abs(draws - p), 4 * np.sqrt(p * (1 - p) / 2000) + 1e-6)
