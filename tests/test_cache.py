"""The cache folder with builders that take no time: what is trusted, what is built anew, who builds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurodeploy import cache
from neurodeploy.backends.brian2 import compiler
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError
from neurodeploy.report import cache as contents

KEY = "0123abcd"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(empty: Path, text: str = "whole") -> list[str]:
    assert list(empty.iterdir()) == []
    (empty / "program").write_text(text)
    (empty / "by-product").write_text("does not count")
    return ["program"]


def ask(key: str = KEY) -> bool:
    """Ask for the entry, check that it is right, and tell whether it was built."""
    found, built = cache.entry("kind", key, build)
    assert (found / "program").read_text() == "whole" and found.name == key
    assert not list(found.parent.glob("building-*"))
    return built


def test_an_entry_is_built_once(folder: Path) -> None:
    assert [ask(), ask(), ask("another"), ask()] == [True, False, True, False]


def spoil_program(entry: Path) -> None:
    (entry / "program").write_text("whOle")


def spoil_length(entry: Path) -> None:
    (entry / "program").write_text("who")


def spoil_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text("{")


def lose_program(entry: Path) -> None:
    (entry / "program").unlink()


def lose_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).unlink()


def replace_by_list(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text("[]")


def bytes_that_are_no_text(entry: Path) -> None:
    (entry / cache.MANIFEST).write_bytes(b"\xff\xfe\x00")


def claim_other_files(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text(json.dumps({"key": KEY, "files": ["program"]}))


def program_is_a_folder(entry: Path) -> None:
    (entry / "program").unlink()
    (entry / "program").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_program,
        spoil_length,
        spoil_manifest,
        lose_program,
        lose_manifest,
        replace_by_list,
        bytes_that_are_no_text,
        claim_other_files,
        program_is_a_folder,
    ],
)
def test_a_damaged_entry_is_built_anew(folder: Path, spoil) -> None:
    ask()
    spoil(folder / "kind" / KEY)
    assert [ask(), ask()] == [True, False]


def test_by_products_do_not_count(folder: Path) -> None:
    ask()
    (folder / "kind" / KEY / "by-product").unlink()
    assert not ask()


def test_an_entry_of_another_key_is_not_taken_for_this_one(folder: Path) -> None:
    ask("foreign")
    (folder / "kind" / "foreign").rename(folder / "kind" / KEY)
    assert [ask(), ask()] == [True, False]


def test_a_file_where_the_entry_should_be_is_replaced_or_told(folder: Path) -> None:
    (folder / "kind").mkdir(parents=True)
    (folder / "kind" / KEY).write_text("not a folder")
    try:
        assert ask()
    except RunError as told:
        assert str(folder) in str(told)


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), RunError("told")])
def test_a_builder_that_fails_leaves_nothing(folder: Path, error: BaseException) -> None:
    def fail(empty: Path) -> list[str]:
        build(empty)
        raise error

    with pytest.raises(type(error)):
        cache.entry("kind", KEY, fail)
    assert [path.name for path in (folder / "kind").iterdir()] == [f"{KEY}.lock"]
    assert ask()


def test_a_builder_that_forgets_a_file_is_told_and_leaves_nothing(folder: Path) -> None:
    with pytest.raises(RunError, match="cache"):
        cache.entry("kind", KEY, lambda empty: [*build(empty), "forgotten"])
    assert ask()


# ------------------------------------------------------------------------------------- several processes

SLOW = """
import sys, time
from pathlib import Path
from neurodeploy import cache
def build(empty):
    (empty / "program").write_text("wh")
    Path(sys.argv[1]).touch()
    time.sleep(float(sys.argv[2]))
    (empty / "program").write_text("whole")
    return ["program"]
found, built = cache.entry("kind", sys.argv[3], build)
assert (found / "program").read_text() == "whole"
print(int(built))
"""


def asking(started: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", SLOW, str(started), str(seconds), KEY]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, "the builder did not start"
        time.sleep(0.01)


def test_processes_that_ask_at_once_build_once_and_all_get_it(folder: Path, tmp_path: Path) -> None:
    processes = [asking(tmp_path / f"started {k}", 0.5) for k in range(3)]
    answers = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert sorted(answers) == ["0", "0", "1"]


def test_a_killed_builder_leaves_nothing_that_looks_whole_and_no_lock(folder: Path, tmp_path: Path) -> None:
    process = asking(tmp_path / "started", 60)
    wait_for(tmp_path / "started")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "kind" / KEY).exists()
    found, built = cache.entry("kind", KEY, build)
    assert built and cache.is_whole(found, KEY)


def test_what_a_killed_builder_left_is_swept_away(folder: Path, tmp_path: Path) -> None:
    process = asking(tmp_path / "started", 60)
    wait_for(tmp_path / "started")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list((folder / "kind").glob("building-*")), "the kill came too late"
    cache.entry("kind", KEY, build)
    assert not list((folder / "kind").glob("building-*"))


# ------------------------------------------------------------------------------------------ the folder itself


def test_the_cache_is_where_the_variable_says(folder: Path, monkeypatch) -> None:
    assert cache.cache_folder() == folder and folder.is_dir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("NEURODEPLOY_CACHE", "~/below")
    assert cache.cache_folder() == folder / "below"


def test_a_relative_cache_stays_where_it_was_named(tmp_path: Path, monkeypatch) -> None:
    """Programs run in folders of their own, so that a relative name has to be made absolute at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODEPLOY_CACHE", "mine")
    assert cache.cache_folder().is_absolute() and cache.cache_folder() == tmp_path / "mine"


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch) -> None:
    """A file lies where a folder is needed: at the cache itself, and at each of its subfolders."""
    for blocked in ("", "kind", "sessions"):
        root = tmp_path / f"cache-{blocked}"
        (root / blocked).parent.mkdir(parents=True, exist_ok=True)
        (root / blocked).write_text("")
        monkeypatch.setenv("NEURODEPLOY_CACHE", str(root))
        with pytest.raises(RunError) as told:
            cache.session_folder() if blocked == "sessions" else cache.entry("kind", KEY, build)
        assert "NEURODEPLOY_CACHE" in told.value.fix and str(root) in str(told.value)


def test_session_folders_of_the_living_stay(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = folder / "sessions" / f"{process.pid}-theirs"
    theirs.mkdir(parents=True)
    foreign = folder / "sessions" / "not-a-number"
    foreign.mkdir()
    mine = cache.session_folder()
    also_mine = cache.session_folder()
    assert theirs.exists() and mine.exists() and foreign.exists()
    assert mine != also_mine and mine.name.startswith(f"{os.getpid()}-")
    process.communicate(b"\n")
    cache.session_folder()
    assert not theirs.exists() and mine.exists() and also_mine.exists()


# --------------------------------------------------------------------------------------------- the compiler


@pytest.mark.parametrize("named", [None, "no-such-compiler", "/no/such/compiler"])
def test_without_a_compiler_the_user_is_told_what_to_do(
    monkeypatch, tmp_path: Path, named: str | None
) -> None:
    if named:
        monkeypatch.setenv("CXX", named)
    else:
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainMissingError) as told:
        compiler.compiler()
    assert (named or "g++") in told.value.what
    for word in ("apt install g++", "--engine runtime"):
        assert word in told.value.fix
    assert told.value.exit_code == 1


def test_the_named_compiler_is_used_and_is_part_of_the_key(monkeypatch, tmp_path: Path) -> None:
    from neurodeploy.backends.brian2.structure import Structure

    structure = Structure("ideal", ("IF_curr_delta",), False, (), ())
    keys = set()
    for version in ("1", "2"):
        mine = tmp_path / f"compiler {version}"
        mine.write_text(f"#!/bin/sh\necho version {version}\n")
        mine.chmod(0o755)
        monkeypatch.setenv("CXX", str(mine))
        assert compiler.compiler() == str(mine)
        keys.add(compiler.program_key(structure))
    assert len(keys) == 2


def test_the_newest_failures_are_kept(folder: Path) -> None:
    made = [cache.failure_folder("tool") for _ in range(cache.FAILURES_KEPT + 5)]
    left = set((folder / "tool-failures").iterdir())
    assert len(left) == cache.FAILURES_KEPT and made[-1] in left
    old = folder / "tool-failures" / "20010101-000000-old"
    old.mkdir()
    newest = cache.failure_folder("tool")
    assert newest.exists() and not old.exists()


def test_the_cache_is_looked_at_and_cleared_part_by_part(folder: Path) -> None:
    cache.entry("brian2", KEY, build)
    cache.failure_folder("loihi").joinpath("log.txt").write_text("1234")
    parts = contents.survey().data["parts"]
    assert (parts["programs"]["entries"], parts["failures"]["entries"]) == (1, 1)
    assert parts["failures"]["bytes"] == 4
    assert contents.survey().render()
    assert contents.clear("failures") == 4
    assert (folder / "brian2" / KEY).is_dir() and not (folder / "loihi-failures").exists()
    session = cache.session_folder()
    assert contents.clear("all") == parts["programs"]["bytes"]
    assert session.is_dir()  # a running session keeps its files
    with pytest.raises(RequestError, match="no part 'program'"):
        contents.clear("program")
