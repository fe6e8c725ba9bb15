"""Images to look at: MNIST's file format, a set that needs no download, and how pixels become probabilities."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import struct
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.cache import cache_folder
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError, did_you_mean
from neurodeploy.event_files import parse_sensor
from neurodeploy.lsm import recorded

FILES = {
    "training": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Names of the IDX files, images and labels; each may end in ``.gz``."""

PUBLISHED = {
    "mnist": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "fashion-mnist": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}
"""MD5 of the published files once unpacked (packed they differ from mirror to mirror), in the order of :data:`FILES`."""

DATASETS = {
    "digits": "scikit-learn's 1,797 digits of 8 x 8 pixels; needs no file",
    "mnist": "the published MNIST files, in a folder",
    "fashion-mnist": "the published Fashion-MNIST files, in a folder",
    "nmnist-simulated": "the same MNIST files, seen by a simulated event camera in three saccades (not the recordings N-MNIST)",
    "nmnist": "the recordings N-MNIST as published: a folder with Train and Test",
    "events": "recordings of your own: a folder with train and test, in each a folder for every class",
    "idx": "four IDX files of your own, named as MNIST's",
}

SOURCES = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    "fashion-mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
}
"""Where the published files are, as ``.gz``, tried in this order: mirrors of MNIST (those of torchvision), and Fashion-MNIST's
publisher (github.com/zalandoresearch/fashion-mnist).  What comes must have the published checksum."""

TIMEOUT_S = 20.0
"""Without an answer, after which the next source is tried."""

FILES_OF = {"nmnist-simulated": "mnist"}
"""Sets that are made of another one's files."""

RECORDED_DATASETS = ("nmnist", "events")
"""Sets that are recordings of event cameras."""

EVENT_DATASETS = ("nmnist-simulated", *RECORDED_DATASETS)
"""Sets that hit the input neurons by events."""

NMNIST_COUNTS = (60_000, 10_000)
"""Recordings of the published set, for training and test."""

CLASSES = 10

NORMALISATIONS = {
    "separate-maximum": "training and test set are each divided by their own largest value, as the authors do",
    "training-maximum": "both are divided by the largest value of the training set",
}


@dataclass
class Images:
    """Images and what they show.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, pixels); or Recordings
    labels : ndarray of uint8, shape (n,)
    """

    images: Any
    labels: np.ndarray

    def first(self, count: int | None, option: str) -> Images:
        """The first `count` of them; all without one."""
        if count is not None and not 0 < count <= len(self.labels):
            raise RequestError(
                f"{option} {count}: there are {len(self.labels):,}", fix=f"use 1 to {len(self.labels):,}"
            )
        return Images(self.images[:count], self.labels[:count])


@dataclass
class Dataset:
    """A training set, of which the last part validates, and a test set.

    Attributes
    ----------
    name : str
        A key of :data:`DATASETS`.
    training, test : Images
    validation : int
        How many of the last training images validate.
    checksums : dict of str to str
        File name -> SHA-256 of its bytes, unpacked; of recordings: part -> SHA-256 of all events that are kept, and labels.
    changes, notes : list of str
        What reading has changed, and what a user may not expect.
    """

    name: str
    training: Images
    test: Images
    validation: int
    checksums: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def largest(self, normalisation: str) -> dict[str, float]:
        """What the shares of either set are divided by, by a key of :data:`NORMALISATIONS`; of the whole sets."""
        training = largest_share(self.training.images)
        test = training if normalisation == "training-maximum" else largest_share(self.test.images)
        return {"training": training, "test": test}

    def first(self, training: int | None, test: int | None) -> Dataset:
        """The first `training` images, of which the same part validates, and the first `test` images."""
        fewer = self.training.first(training, "--samples"), self.test.first(test, "--test-samples")
        validation = self.validation * len(fewer[0].labels) // len(self.training.labels)
        if not 0 < validation < len(fewer[0].labels):
            raise RequestError(
                f"--samples {training}: none would be left to validate, or none to learn from", fix="use more"
            )
        return replace(self, training=fewer[0], test=fewer[1], validation=validation)


def load(
    name: str = "digits",
    folder: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    sensor: str | None = None,
) -> Dataset:
    """The images called `name`, from `folder` where they are files; published ones without a folder are fetched, once.

    Raises
    ------
    RequestError
        There is no such set; a file is missing, truncated, damaged, not IDX, or not the published one; images and labels differ
        in number; sizes differ.
    RunError
        They cannot be fetched.
    """
    if name not in DATASETS:
        raise RequestError(
            f"There is no dataset '{name}'.{did_you_mean(name, DATASETS)}",
            fix=f"choose one of: {', '.join(DATASETS)}",
        )
    if sensor is not None and name != "events":
        raise RequestError(
            f"--sensor {sensor} has no meaning beside --dataset {name}",
            why="it is the size of the camera of your own recordings",
            fix="leave it out, or use --dataset events",
        )
    if name == "digits":
        if folder is not None:
            raise RequestError(
                f"--data {folder} has no meaning beside --dataset digits",
                why="the digits come with scikit-learn",
                fix="name the files' set, such as --dataset mnist, or leave --data out",
            )
        return digits()
    files_of = FILES_OF.get(name, name)
    if folder is None and files_of in PUBLISHED:
        folder = fetched(
            files_of, dict(zip(sum(FILES.values(), ()), PUBLISHED[files_of], strict=True)), progress
        )
    if folder is None:
        raise RequestError(
            f"--dataset {name} needs --data FOLDER",
            why="it is a folder with Train and Test, in each a folder for every class"
            if name in RECORDED_DATASETS
            else f"it is four files: {', '.join(sum(FILES.values(), ()))}, each plain or .gz",
            fix="put them into a folder, and name it",
        )
    if name in RECORDED_DATASETS:
        return recordings(folder, name, sensor, progress)
    return idx_folder(folder, name)


def digits() -> Dataset:
    """1,797 digits of 8 x 8 pixels from 0 to 16 (scikit-learn's copy of the UCI test set).

    They are ordered by writer, so that every fifth is for the test, and every tenth validates.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ToolchainMissingError(
            "scikit-learn is not installed",
            why="the digits come with it",
            fix="pip install 'neurodeploy[lsm]', or name a folder of images: --dataset mnist --data FOLDER",
        ) from error
    bunch = load_digits()
    images, labels = bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)
    place = np.arange(len(images)) % 10
    learned, validates, test = (np.flatnonzero(np.isin(place, p)) for p in ((0, 1, 2, 3, 5, 6, 7), 8, (4, 9)))
    training = np.concatenate([learned, validates])
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Dataset(
        "digits",
        Images(images[training], labels[training]),
        Images(images[test], labels[test]),
        validation=len(validates),
        checksums={"digits": checksum},
    )


def recordings(
    folder: Path,
    name: str,
    sensor: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Dataset:
    """The recordings of `folder` (:mod:`neurodeploy.lsm.recorded`)."""
    nmnist = name == "nmnist"
    size = recorded.NMNIST_SENSOR if nmnist else parse_sensor(sensor) if sensor else None
    files = recorded.find_nmnist(folder) if nmnist else recorded.find_classes(folder, CLASSES)
    parts = recorded.load(files, size, nmnist, progress)
    found = Dataset(
        name,
        Images(parts["training"].recordings, parts["training"].labels),
        Images(parts["test"].recordings, parts["test"].labels),
        files.validation,
    )
    for part, one in parts.items():
        sha = hashlib.sha256(one.recordings.tobytes() + one.labels.tobytes())
        found.checksums[part] = sha.hexdigest()
        for count, why in (
            (one.merged, "come twice from a pixel in a ms and count once"),
            (one.late, "come too late in their recording and are left out"),
        ):
            if count:
                found.changes.append(f"{part}: {count:,} of {one.given:,} events {why}")
    counts = tuple(len(one.labels) for one in parts.values())
    if nmnist and counts != NMNIST_COUNTS:
        found.notes.append(
            f"{counts[0]:,} training and {counts[1]:,} test recordings: not the whole of N-MNIST"
            f" ({' and '.join(f'{count:,}' for count in NMNIST_COUNTS)})"
        )
    return found


def idx_folder(folder: Path, name: str) -> Dataset:
    """The four IDX files of `folder`; a sixth of the training images validates (the authors' 50,000 and 10,000)."""
    if not folder.is_dir():
        raise RequestError(
            f"--data {folder}: there is no such folder", fix="name the folder that holds the IDX files"
        )
    checksums: dict[str, str] = {}
    sets: dict[str, Images] = {}
    name_of_files = FILES_OF.get(name, name)
    published = iter(PUBLISHED.get(name_of_files, (None,) * 4))
    for part, (image_file, label_file) in FILES.items():
        images, labels = (
            read_idx(find(folder, file), next(published), name_of_files, checksums)
            for file in (image_file, label_file)
        )
        if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels) or not images.size:
            raise RequestError(
                f"{folder}: {image_file} has shape {images.shape}, {label_file} has {labels.shape}",
                why="every image needs one label",
                fix="fetch the files again, from one source",
            )
        if labels.max() >= CLASSES:
            raise RequestError(
                f"{folder}/{label_file}: label {labels.max()}", why=f"labels go from 0 to {CLASSES - 1}"
            )
        sets[part] = Images(images.reshape(len(images), -1), labels)
    shapes = {part: images.images.shape[1] for part, images in sets.items()}
    if len(set(shapes.values())) > 1:
        raise RequestError(
            f"{folder}: training images have {shapes['training']} pixels, test images {shapes['test']}",
            fix="fetch the files again, from one source",
        )
    validation = len(sets["training"].labels) // 6
    if not validation:
        raise RequestError(f"{folder}: {len(sets['training'].labels)} training images", fix="use six or more")
    return Dataset(name, sets["training"], sets["test"], validation, checksums)


def fetched(
    name: str, files: dict[str, str], progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """The folder of the cache that holds the `files` (name -> MD5) of a published set; what is not there yet is fetched.

    Raises
    ------
    RunError
        No source gives a file whole.
    """
    folder = cache_folder() / "datasets" / name
    folder.mkdir(parents=True, exist_ok=True)
    for done, (file, published) in enumerate(files.items()):
        if progress is not None:
            progress("fetch", done, len(files))
        path, unfinished = folder / f"{file}.gz", folder / f"unfinished-{file}.gz"
        failures: list[str] = []
        for source in () if path.exists() else SOURCES[name]:
            address = f"{source}/{path.name}"
            try:
                with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
                    unfinished.write_bytes(answer.read())
                read_idx(unfinished, published, name)
                unfinished.replace(path)
                break
            except (OSError, http.client.HTTPException, RequestError) as error:
                failures.append(f"{address}: {getattr(error, 'reason', error)}")
        if not path.exists():
            unfinished.unlink(missing_ok=True)
            raise RunError(
                f"Cannot fetch {path.name} of {name}",
                why="\n       ".join(failures),
                fix="fetch the four files where there is a network, and name their folder: --data FOLDER",
            )
    return folder


def find(folder: Path, name: str) -> Path:
    """The file `name`, or `name`.gz."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    raise RequestError(
        f"--data {folder}: neither {name} nor {name}.gz is there",
        why="MNIST and sets like it are four files: images and labels, for training and test",
        fix="fetch the missing file into the folder",
    )


def read_idx(
    path: Path, published: str | None = None, name: str = "", checksums: dict[str, str] | None = None
) -> np.ndarray:
    """An IDX file of bytes: two zeros, type 8, the number of dimensions, big-endian 32-bit sizes, the bytes.

    Parameters
    ----------
    path : Path
        Plain, or gzip where it ends in ``.gz``.
    published : str, optional
        MD5 that it must have, unpacked, to be a file of the set `name`.
    checksums : dict, optional
        Gets the SHA-256 of the file, unpacked.

    Raises
    ------
    RequestError
        The file is not such a file, whole.
    """
    data = path.read_bytes()
    try:
        raw = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(
            f"{path}: cannot be unpacked ({error})",
            why="the file is truncated or damaged",
            fix="fetch it again",
        ) from error
    if checksums is not None:
        checksums[path.name.removesuffix(".gz")] = hashlib.sha256(raw).hexdigest()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or not raw[3]:
        raise RequestError(
            f"{path}: not an IDX file of bytes (it starts with {raw[:4].hex(' ') or 'nothing'})",
            why="such a file starts with 00 00 08 and the number of dimensions",
            fix="fetch the original file",
        )
    begin = 4 + 4 * raw[3]
    if len(raw) < begin:
        raise RequestError(f"{path}: ends inside its header", fix="fetch it again")
    shape = struct.unpack(f">{raw[3]}I", raw[4:begin])
    expected = int(np.prod(shape, dtype=object))
    if len(raw) - begin != expected:
        raise RequestError(
            f"{path}: {len(raw) - begin:,} bytes of data, its header says {expected:,}"
            f" ({' x '.join(str(n) for n in shape)})",
            why="the file is truncated or damaged",
            fix="fetch it again",
        )
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if published not in (None, digest):
        raise RequestError(
            f"{path}: not the published file of {name} (MD5 {digest}, published: {published})",
            why="results are compared with published ones, on the same images",
            fix="fetch the original file, or call your own images by --dataset idx",
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=begin).reshape(shape)


def encode(images: np.ndarray, largest: float) -> np.ndarray:
    r"""Probabilities of a hit, per step and pixel:

    .. math:: p = \min\left(1, \frac{x / \sum x}{largest}\right)

    With the largest share of a set (:func:`largest_share`) every image has the same sum of p, and the largest p of the set is
    1.  A blank image stays blank.  A test image may exceed the largest training value: p is cut at 1.

    Parameters
    ----------
    images : ndarray, shape (n, pixels)
    largest : float

    Returns
    -------
    ndarray of float32, shape (n, pixels)
    """
    return np.minimum(shares(images) / np.float32(largest), np.float32(1.0))


def shares(images: np.ndarray) -> np.ndarray:
    """Each pixel's share of its image's sum; 0 in a blank image."""
    pixels = images.astype(np.float32)
    total = pixels.sum(axis=1, keepdims=True)
    return pixels / np.where(total > 0, total, np.float32(1.0))


def largest_share(images: np.ndarray) -> float:
    """The largest share of a pixel in its image, over all images.

    Raises
    ------
    RequestError
        All images are blank.
    """
    peak = images.max(axis=1).astype(np.float32) / np.maximum(images.sum(axis=1, dtype=np.float32), 1)
    if not peak.max(initial=0) > 0:
        raise RequestError(
            f"All {len(images)} images of a set are blank",
            why="there is nothing to see",
            fix="use other images",
        )
    return float(peak.max())


def cut(images: np.ndarray, largest: float) -> int:
    """How many pixels :func:`encode` cuts at 1."""
    return int(np.count_nonzero(shares(images) > np.float32(largest)))


def blank(images: np.ndarray | recorded.Recordings) -> int:
    """How many images have no pixel above 0; every recording has an event."""
    return 0 if isinstance(images, recorded.Recordings) else int(np.count_nonzero(~images.any(axis=1)))
