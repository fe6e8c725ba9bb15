"""Recordings of event cameras: the files that are read, those that are refused, and the field of motions detected in them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from neurodeploy.delays import detections
from neurodeploy.delays.detections import Detections, detect, winners
from neurodeploy.delays.events import from_dense, from_file
from neurodeploy.delays.layer import Layer, evidence_everywhere
from neurodeploy.delays.motions import Motions
from neurodeploy.errors import RequestError
from neurodeploy.event_files import parse_sensor

FIELDS = {"x": [0, 3, 3, 1], "y": [2, 1, 1, 0], "t": [10, 500, 900, 2300], "p": [1, 0, 0, 1]}


def structured() -> np.ndarray:
    made = np.zeros(4, dtype=[("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    for name, values in FIELDS.items():
        made[name] = values
    return made


def write_csv(path, text: str):
    path.write_text(text)
    return path


def test_simple_files_have_the_same_events(tmp_path) -> None:
    np.save(tmp_path / "a.npy", structured())
    np.savez(tmp_path / "b.npz", **FIELDS)
    np.savez(tmp_path / "c.npz", structured())
    rows = "\n".join(",".join(map(str, row)) for row in zip(*FIELDS.values(), strict=True))
    write_csv(tmp_path / "d.csv", f"x,y,t,p\n{rows}\n")
    for name in ("a.npy", "b.npz", "c.npz", "d.csv"):
        events, given = from_file(tmp_path / name)
        assert given == 4 and (events.steps, events.height, events.width) == (3, 3, 4)
        assert list(zip(events.t, events.y, events.x, events.p, strict=True)) == [
            (0, 1, 3, 0),
            (0, 2, 0, 1),
            (2, 0, 1, 1),
        ]
    assert from_file(tmp_path / "a.npy", (5, 6))[0].width == 6


BAD = {
    "is not there": ("nowhere.npy", None),
    "is of no format that is read": ("a.txt", "x"),
    r"a\.npy cannot be read": ("a.npy", "no array"),
    r"a\.npz cannot be read": ("a.npz", "PK no archive"),
    "has no field 'x'": ("a.csv", "1,2,3,4\n5,6,7,8\n"),
    r"a\.csv cannot be read": ("a.csv", "x,y,t,p\n1,2,3\n"),
    "has no event": ("a.csv", "x,y,t,p\n"),
    "Empty input file": ("a.csv", ""),
    "'t' of event 1 is not finite": ("a.csv", "x,y,t,p\n1,2,3,0\n1,2,soon,0\n"),
    "'x' of event 0 is not a whole number": ("a.csv", "x,y,t,p\n1.5,2,3,0\n"),
    "comes before": ("a.csv", "x,y,t,p\n1,2,3,0\n1,2,2,0\n"),
    "outside the sensor of 4 x 4": ("a.csv", "x,y,t,p\n1,2,3,0\n4,2,3,0\n"),
    "outside": ("a.csv", "x,y,t,p\n-1,2,3,0\n"),
    "goes on for 11.11 hours": ("a.csv", "x,y,t,p\n1,2,3,0\n1,2,4e10,0\n"),
    "polarities are": ("a.csv", "x,y,t,p\n1,2,3,0\n1,2,3,7\n"),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_files_are_refused_in_words(words: str, tmp_path) -> None:
    name, text = BAD[words]
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(RequestError, match=words):
        from_file(tmp_path / name, (4, 4))


def test_a_place_that_no_sensor_has_is_refused_before_it_is_laid_out(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x,y,t,p\n1,2,3,0\n1000000000,2,3,0\n")
    with pytest.raises(RequestError, match=r"1,000,000,001 pixels.*event 1 is"):
        from_file(tmp_path / "a.csv")


def test_sizes_of_sensors_are_rows_and_columns() -> None:
    assert parse_sensor("260x346") == (260, 346)
    for text in ("260", "0x3", "ax3", "-1x3", "3x4x5"):
        with pytest.raises(RequestError, match="is no size"):
            parse_sensor(text)


def test_camera_formats_are_read_by_tonic(tmp_path) -> None:
    pytest.importorskip("tonic", reason="the extra 'recordings' is not installed")
    mnist = b"".join(
        struct.pack(">BBBH", x, y, p << 7 | t >> 16, t & 0xFFFF)
        for x, y, t, p in zip(*FIELDS.values(), strict=True)
    )
    (tmp_path / "a.bin").write_bytes(mnist)
    header = struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, 4, 4, 4)
    aedat = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + header
    for x, y, t, p in zip(*FIELDS.values(), strict=True):
        aedat += struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t)
    (tmp_path / "b.aedat").write_bytes(aedat)
    np.save(tmp_path / "c.npy", structured())
    expected, _ = from_file(tmp_path / "c.npy")
    for name in ("a.bin", "b.aedat"):
        events, given = from_file(tmp_path / name)
        assert given == 4 and all(np.array_equal(getattr(events, k), getattr(expected, k)) for k in "tyxp")
    (tmp_path / "d.aedat").write_bytes(b"no header")
    with pytest.raises(RequestError, match=r"d\.aedat cannot be read"):
        from_file(tmp_path / "d.aedat")


@pytest.mark.parametrize("cells", [1, 2 * 12 * 14 * 13, 2**25])
def test_detections_are_the_kept_voxels_however_much_is_laid_out_at_once(cells: int, monkeypatch) -> None:
    """15 % of the voxels with the largest evidence, each for its largest class, against the reference."""
    monkeypatch.setattr(detections, "MOST_CELLS", cells)
    generator = np.random.default_rng(0)
    layer = Layer(
        generator.standard_normal((3, 2, 5, 5, 5)).astype(np.float32),
        np.zeros(3, np.float32),
        Motions(3, (0.5,)),
    )
    events = from_dense(generator.random((2, 40, 12, 14)) < 0.05)
    found = detect(layer, events, (3, 2, 4))
    whole = evidence_everywhere(layer, events)[:, ::3, ::2, ::4]
    best = whole.max(axis=0)
    kept = best >= np.sort(best.ravel())[-round(0.15 * best.size)]
    t, row, column = np.nonzero(kept)
    assert np.array_equal(found.t, 5 + 3 * t) and np.array_equal(found.motion, whole.argmax(axis=0)[kept])
    assert np.array_equal(found.row[found.place], 2 + 2 * row)
    assert np.array_equal(found.column[found.place], 2 + 4 * column)
    counts = found.counts(np.arange(0, 50, 10))
    assert counts.sum() == len(found.t) == found.field.sum()
    assert np.array_equal(counts[1], found.between(10, 20).field.sum(axis=1))


def test_where_nothing_moves_nothing_is_detected() -> None:
    layer = Layer(np.ones((2, 2, 3, 3, 3), np.float32), np.array([-1, 2], np.float32), Motions(2, (0.5,)))
    dense = np.zeros((2, 20, 9, 9))
    assert len(detect(layer, from_dense(dense), (1, 1, 1), kept=1.0).t) == 0
    dense[1, 10, 4, 4] = 1
    found = detect(layer, from_dense(dense), (1, 1, 1), kept=1.0)
    assert (
        set(found.t) == {10, 11, 12} and set(found.row[found.place]) == {3, 4, 5} and set(found.motion) == {1}
    )


def test_the_winner_has_more_than_every_other() -> None:
    made = Detections(
        *np.array([[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 0, 1, 0]]), np.arange(3), np.arange(3), 2
    )
    winner, fired = winners(made.field)
    assert winner[:2].tolist() == [1, 0] and fired.tolist() == [True, True, False]
    winner, fired = winners(made.between(0, 1).field)
    assert fired.tolist() == [True, False, False]
