"""Recordings of event cameras as samples of the liquid: what is read, in which order, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import RequestError
from neurodeploy.lsm import data, recorded
from neurodeploy.lsm.application import Request, choose_drives, input_count
from neurodeploy.lsm.drive import Recorded

Event = tuple[int, int, int, int]
"""x, y, µs, polarity."""


def nmnist_bytes(events: list[Event]) -> bytes:
    return b"".join(struct.pack(">BBBH", x, y, p << 7 | t >> 16, t & 0xFFFF) for x, y, t, p in events)


def write_nmnist(folder: Path, training: int = 12) -> Path:
    """Every digit in turn; the recording of number n has one event, in column n."""
    for part, count in (("Train", training), ("Test", 3)):
        for n in range(count):
            file = folder / part / str(n % 2) / f"{n + 1:05}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(nmnist_bytes([(n, 2, 70_000, 1)]))
    return folder


def write_classes(folder: Path, counts: dict[str, int]) -> Path:
    for part in ("train", "test"):
        for name, count in counts.items():
            (folder / part / name).mkdir(parents=True)
            for n in range(count):
                rows = f"x,y,t,p\n{n},0,5000000,0\n{n},1,5001600,1\n{n},1,5002400,1\n"
                (folder / part / name / f"{n}.csv").write_text(rows)
    return folder


def test_6_the_decoder_reproduces_a_file_made_by_hand(tmp_path: Path) -> None:
    """Bit for bit: column, row, a bit of polarity, 23 bits of µs, rounded to ms; 300 ms are too late."""
    pytest.importorskip("tonic", reason="the extra 'recordings' is not installed")
    folder = write_nmnist(tmp_path)
    first = bytes.fromhex("0102 8001f3 0102 8001f5 2100 000bb8 0021 8110ab 0005 04936b".replace(" ", ""))
    # (1, 2) ON 499 µs and ON 501 µs; (33, 0) OFF 3,000 µs; (0, 33) ON 69,803 µs; (0, 5) OFF 299,883 µs
    (folder / "Train" / "0" / "00001.bin").write_bytes(first)
    found = data.load("nmnist", folder)
    cells = 34 * 34
    assert found.training.images[:1].events().tolist() == [
        [0, 0, cells + 2 * 34 + 1],
        [0, 1, cells + 2 * 34 + 1],
        [0, 3, 33],
        [0, 70, cells + 33 * 34],
    ]
    assert input_count(found) == 2312
    assert found.changes == ["training: 1 of 16 events come too late in their recording and are left out"]
    assert "not the whole of N-MNIST" in found.notes[0]


def test_nmnist_is_ordered_by_number_and_its_last_sixth_validates(tmp_path: Path) -> None:
    pytest.importorskip("tonic", reason="the extra 'recordings' is not installed")
    found = data.load("nmnist", write_nmnist(tmp_path))
    assert found.training.labels.tolist() == [0, 1] * 6 and found.test.labels.tolist() == [0, 1, 0]
    assert (found.training.images.events()[:, 2] % 34).tolist() == list(range(12))
    assert found.validation == 2
    again = data.load("nmnist", tmp_path)
    assert again.checksums == found.checksums and len(set(found.checksums.values())) == 2


def test_other_recordings_begin_with_their_first_event_and_every_class_validates(tmp_path: Path) -> None:
    found = data.load("events", write_classes(tmp_path, {"left": 2, "right": 12}))
    assert found.validation == 1 + 2 and len(found.training.labels) == 14
    assert sorted(found.training.labels[-3:]) == [0, 1, 1] and found.training.labels[0] == 0
    assert found.training.images.shape == (14, 2 * 2 * 12)  # the largest column that occurs is 11
    assert found.training.images[:1].events().tolist() == [[0, 0, 0], [0, 2, 24 + 12]]
    assert found.changes[0] == "training: 14 of 42 events come twice from a pixel in a ms and count once"
    assert data.load("events", tmp_path, sensor="4x16").training.images.shape == (14, 2 * 4 * 16)


def test_some_recordings_are_taken_as_from_an_array() -> None:
    whole = recorded.Recordings(
        np.array([0, 2, 3, 6]), np.arange(6, dtype=np.uint16), np.arange(6, dtype=np.uint8), 9
    )
    assert whole[np.array([2, 0])].events().tolist() == [
        [0, 3, 3],
        [0, 4, 4],
        [0, 5, 5],
        [1, 0, 0],
        [1, 1, 1],
    ]
    assert whole[1:].shape == (2, 9) and whole[1:].last().tolist() == [2, 5]
    assert whole[1:2].tobytes() == whole[1:][:1].tobytes() != whole[:1].tobytes()


class Replayed:
    """In place of the engine: keeps what it is shown."""

    def replay(self, events: np.ndarray, count: int, protocol: object, raster: bool) -> np.ndarray:
        return events


def test_6_a_window_of_20_ms_and_the_first_250(tmp_path: Path) -> None:
    from neurodeploy.lsm.phases import FEATURES, FORMING

    steps = np.arange(0, 300, dtype=np.uint16)
    one = recorded.Recordings(np.array([0, 300]), steps, (steps % 7).astype(np.uint8), 7)
    both = one[np.zeros(2000, int)]
    drive = Recorded(3, 300)
    shown = drive.show(Replayed(), both, np.arange(2000), FORMING)  # type: ignore[arg-type]
    assert len(shown) == 2000 * 20
    starts = (shown[shown[:, 1] == 0, 2] % 7).tolist()
    assert len(starts) == 2000 and set(starts) == set(range(7))
    short = Recorded(3, None).show(Replayed(), one[:1], np.arange(1), FORMING)  # type: ignore[arg-type]
    assert short.tolist() == shown[shown[:, 0] == 0].tolist()  # its last event is at 299 ms
    whole = drive.show(Replayed(), one, np.arange(1), FEATURES[False])  # type: ignore[arg-type]
    assert whole[:, 1].tolist() == list(range(250))


def truncate(folder: Path) -> None:
    file = folder / "Train" / "1" / "00004.bin"
    file.write_bytes(file.read_bytes() + b"\1")


def outside(folder: Path) -> None:
    (folder / "Train" / "1" / "00004.bin").write_bytes(nmnist_bytes([(34, 0, 5, 1)]))


def empty(folder: Path) -> None:
    (folder / "Train" / "1" / "00004.bin").write_bytes(b"")


def late(folder: Path) -> None:
    (folder / "Train" / "1" / "00004.bin").write_bytes(nmnist_bytes([(3, 0, 400_000, 1)]))


def alone(folder: Path) -> None:
    (folder / "Train" / "7").mkdir()
    (folder / "Train" / "7" / "00099.bin").write_bytes(nmnist_bytes([(3, 0, 4, 1)]))


def strange(folder: Path) -> None:
    (folder / "Train" / "cat").mkdir()
    (folder / "Train" / "cat" / "1.bin").write_bytes(b"")


def no_test(folder: Path) -> None:
    (folder / "Test").rename(folder / "Tests")


def no_file(folder: Path) -> None:
    (folder / "Test" / "5").mkdir()


def few(folder: Path) -> None:
    write_nmnist(folder / "few", training=5)
    (folder / "Train").rename(folder / "whole")
    (folder / "few" / "Train").rename(folder / "Train")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, r"00004\.bin cannot be read \(6 bytes are no whole number of events of 5"),
        (outside, r"00004\.bin: Event 0 is at row 0, column 34, outside the sensor of 34 x 34"),
        (empty, r"00004\.bin"),
        (late, r"00004\.bin: its first event comes after 300 ms"),
        (alone, "no recording of digit 7 is among those that are learned"),
        (few, "5 training recordings"),
        (strange, "'cat' is no digit"),
        (no_test, "no folder 'test'"),
        (no_file, "5 has no recording"),
    ],
)
def test_bad_nmnist_is_refused_in_words(spoil, words: str, tmp_path: Path) -> None:
    pytest.importorskip("tonic", reason="the extra 'recordings' is not installed")
    spoil(write_nmnist(tmp_path))
    with pytest.raises(RequestError, match=words):
        data.load("nmnist", tmp_path)


def test_bad_classes_and_options_are_refused_in_words(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "one", {"left": 1, "right": 3})
    with pytest.raises(RequestError, match="class 'left' has one training recording"):
        data.load("events", folder)
    with pytest.raises(RequestError, match="11 classes"):
        data.load("events", write_classes(tmp_path / "many", {f"class {k}": 2 for k in range(11)}))
    with pytest.raises(RequestError, match=r"outside the sensor of 1 x 1"):
        data.load("events", write_classes(tmp_path / "two", {"left": 2, "right": 3}), sensor="1x1")
    with pytest.raises(RequestError, match="needs --data FOLDER"):
        data.load("nmnist")
    with pytest.raises(RequestError, match="--sensor 3x3 has no meaning beside --dataset digits"):
        data.load(sensor="3x3")
    with pytest.raises(RequestError, match="--kernel-quality has no meaning"):
        choose_drives(Request(dataset="nmnist", kernel_quality=2), data.load("events", tmp_path / "two"))


def test_without_tonic_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from neurodeploy.errors import ToolchainMissingError

    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(ToolchainMissingError, match="neurodeploy\\[recordings\\]"):
        data.load("nmnist", write_nmnist(tmp_path))
