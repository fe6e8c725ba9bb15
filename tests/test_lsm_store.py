"""Pieces of work on disk: whole or not there, for one process at a time, and a full disk is told."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

import neurodeploy.lsm.store
from neurodeploy.errors import RunError
from neurodeploy.lsm.store import Store, digest


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    return Store("counts", network="abc", seed=1)


def test_a_piece_comes_back_as_it_was(store: Store) -> None:
    assert store.load("one") is None
    store.save("one", counts=np.arange(6, dtype=np.uint16).reshape(2, 3), inputs=np.array([1, 2]))
    found = store.load("one")
    assert found is not None and sorted(found) == ["counts", "inputs"]
    assert found["counts"].dtype == np.uint16 and found["counts"].tolist() == [[0, 1, 2], [3, 4, 5]]
    store.save("one", counts=np.zeros(1))
    assert list(store.load("one") or {}) == ["counts"]
    store.drop("one")
    assert store.load("one") is None


def test_other_facts_are_another_store(store: Store) -> None:
    assert Store("counts", network="abc", seed=1).folder == store.folder
    others = {Store("counts", network="abc", seed=2).folder, Store("liquid", network="abc", seed=1).folder}
    assert len(others | {store.folder}) == 3
    assert digest(a=1, b=2) == digest(b=2, a=1) != digest(a=1, b=3)


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_a_damaged_piece_is_not_there(store: Store, how: str) -> None:
    store.save("one", counts=np.arange(500))
    path = store.folder / "one.npz"
    raw = bytearray(path.read_bytes())
    if how == "flipped":
        raw[len(raw) // 2] ^= 0xFF
    path.write_bytes({"truncated": raw[:-40], "flipped": raw, "empty": b""}[how])
    assert store.load("one") is None


def test_a_full_disk_is_told_and_leaves_the_older_piece(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save("one", counts=np.arange(3))

    def full(file, arrays) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(neurodeploy.lsm.store, "write", full)
    with pytest.raises(RunError, match="No space left on device") as told:
        store.save("one", counts=np.arange(4))
    assert "same command" in str(told.value) and "free some space" in told.value.fix
    assert [path.name for path in store.folder.iterdir()] == ["one.npz"]
    found = store.load("one")
    assert found is not None and len(found["counts"]) == 3


def test_one_process_at_a_time(store: Store) -> None:
    with (
        store.held(),
        pytest.raises(RunError, match="Another process"),
        Store("counts", network="abc", seed=1).held(),
    ):
        pass
    with store.held():
        pass


@pytest.mark.parametrize("how", ["a folder", "not permitted"])
def test_a_lock_that_cannot_be_written_is_told_with_the_cache_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:

    def not_permitted(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = store.folder / "lock"
    if how == "a folder":
        path.mkdir()
    else:
        monkeypatch.setattr(Path, "open", not_permitted)
    with pytest.raises(RunError, match=f"Cannot write to {path}") as told, store.held():
        pass
    assert "NEURODEPLOY_CACHE" in told.value.fix and "remove it" in told.value.fix
    assert "space" not in told.value.fix and told.value.exit_code == 1


def test_an_error_of_the_work_itself_is_not_taken_for_the_locks(store: Store) -> None:
    with pytest.raises(OSError, match="of the work"), store.held():
        raise OSError(errno.EIO, "of the work")
    with store.held():
        pass
