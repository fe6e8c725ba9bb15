"""Images to look at: MNIST's file format, a set that needs no download, and how pixels become probabilities."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError

FILES = {
    "training": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Names of the IDX files, images and labels; each may end in ``.gz``."""

PUBLISHED = {
    "6bbc9ace898e44ae57da46a324031adb": "MNIST",
    "a25bea736e30d166cdddb491f175f624": "MNIST",
    "2646ac647ad5339dbf082846283269ea": "MNIST",
    "27ae3e4e09519cfbb04c329615203637": "MNIST",
    "f4a8712d7a061bf5bd6d2ca38dc4d50a": "Fashion-MNIST",
    "9018921c3c673c538a1fc5bad174d6f9": "Fashion-MNIST",
    "8181f5470baa50b63fa0f6fddb340f0a": "Fashion-MNIST",
    "15d484375f8d13e6eb1aabb0c3f46965": "Fashion-MNIST",
}
"""MD5 of the published files once unpacked (packed they differ from mirror to mirror) -> the set they belong to."""

CLASSES = 10

NORMALISATIONS = {
    "own-maximum": "training and test set are each divided by their own largest value, as the authors do",
    "training-maximum": "both are divided by the largest value of the training set",
}


@dataclass
class Images:
    """Images and what they show.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, pixels)
    labels : ndarray of uint8, shape (n,)
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass
class Dataset:
    """A training set, of which the last part validates, and a test set.

    Attributes
    ----------
    name : str
        ``"MNIST"`` or ``"Fashion-MNIST"`` where the files are the published ones, else what they are called.
    training, test : Images
    validation : int
        How many of the last training images validate.
    checksums : dict of str to str
        File name -> SHA-256 of its bytes, unpacked.
    """

    name: str
    training: Images
    test: Images
    validation: int
    checksums: dict[str, str] = field(default_factory=dict)


def load(folder: Path | None = None) -> Dataset:
    """The images of `folder`, or scikit-learn's 8 x 8 digits without one.

    Raises
    ------
    RequestError
        A file is missing, truncated, damaged or not IDX; images and labels differ in number; sizes differ.
    """
    return digits() if folder is None else idx_folder(folder)


def digits() -> Dataset:
    """1,797 digits of 8 x 8 pixels from 0 to 16 (scikit-learn's copy of the UCI test set), every fifth of them for the test.

    200 of the training images validate.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ToolchainMissingError(
            "scikit-learn is not installed",
            why="the liquid's embedded images and its read-out come from it",
            fix="pip install 'neurodeploy[lsm]'",
        ) from error
    bunch = load_digits()
    images, labels = bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)
    test = np.arange(len(images)) % 5 == 4
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Dataset(
        "digits",
        Images(images[~test], labels[~test]),
        Images(images[test], labels[test]),
        validation=200,
        checksums={"digits": checksum},
    )


def idx_folder(folder: Path) -> Dataset:
    """The four IDX files of `folder`; a sixth of the training images validates (the authors' 50,000 and 10,000)."""
    if not folder.is_dir():
        raise RequestError(
            f"--data {folder}: there is no such folder", fix="name the folder that holds the IDX files"
        )
    checksums: dict[str, str] = {}
    sets: dict[str, Images] = {}
    names: set[str] = set()
    for part, (image_file, label_file) in FILES.items():
        images, labels = (read_idx(find(folder, name), checksums, names) for name in (image_file, label_file))
        if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels) or not len(images):
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
    name = next(iter(names)) if len(names) == 1 else folder.resolve().name
    validation = len(sets["training"].labels) // 6
    if not validation:
        raise RequestError(f"{folder}: {len(sets['training'].labels)} training images", fix="use six or more")
    return Dataset(name, sets["training"], sets["test"], validation, checksums)


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
    path: Path, checksums: dict[str, str] | None = None, names: set[str] | None = None
) -> np.ndarray:
    """An IDX file of bytes: two zeros, type 8, the number of dimensions, big-endian 32-bit sizes, the bytes.

    Parameters
    ----------
    path : Path
        Plain, or gzip where it ends in ``.gz``.
    checksums : dict, optional
        Gets the SHA-256 of the file, unpacked.
    names : set, optional
        Gets the name of the published set the file belongs to, or its own path.

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
    if names is not None:
        names.add(PUBLISHED.get(hashlib.md5(raw, usedforsecurity=False).hexdigest(), str(path)))
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
    return np.frombuffer(raw, dtype=np.uint8, offset=begin).reshape(shape)


def encode(images: np.ndarray, scale: np.ndarray) -> np.ndarray:
    r"""Probabilities of a hit, per step and pixel:

    .. math:: p = \frac{x / \sum x}{\max_{scale}\, (x / \sum x)}

    Every image has the same sum of p; the largest value of the set `scale` is 1.  A blank image stays blank.  A test image may
    exceed the largest training value: p is cut at 1.

    Parameters
    ----------
    images, scale : ndarray, shape (n, pixels)

    Returns
    -------
    ndarray of float32, shape (n, pixels)
    """
    return np.minimum(shares(images) / shares(scale).max(), 1.0).astype(np.float32)


def shares(images: np.ndarray) -> np.ndarray:
    """Each pixel's share of its image's sum; 0 in a blank image."""
    pixels = images.astype(np.float32)
    total = pixels.sum(axis=1, keepdims=True)
    return pixels / np.where(total > 0, total, 1.0)


def cut(images: np.ndarray, scale: np.ndarray) -> int:
    """How many pixels :func:`encode` cuts at 1."""
    return int(np.count_nonzero(shares(images) > shares(scale).max()))


def blank(images: np.ndarray) -> int:
    """How many images have no pixel above 0."""
    return int(np.count_nonzero(~images.any(axis=1)))
