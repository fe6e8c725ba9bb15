"""Operations: input spikes, the ideal store, the file and its teaching errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.cam.experiments import functional, learn, random, recall_content, recall_cue, stress
from neurodeploy.cam.operations import (
    BUSY_MS,
    Answer,
    Operation,
    Store,
    check_operations,
    read_operations,
    set_words,
    spacing_warnings,
    spike_times,
    write_operations,
)
from neurodeploy.errors import RequestError

HEADER = "time_ms,operation,cue,content\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "ops.csv"
    path.write_bytes(text.encode())
    return path


def test_learn_holds_three_ms_and_recall_one() -> None:
    cue_spikes, content_spikes = spike_times(
        [learn(0, 1, 0, 2), recall_cue(20, 0), recall_content(40, 1, 2)], 2, 3
    )
    assert cue_spikes == [[20], [0, 1, 2]]
    assert content_spikes == [[0, 1, 2], [40], [0, 1, 2, 40]]


def test_spike_times_refuse_neurons_that_are_not_there() -> None:
    for operation in (learn(0, 2, 0), learn(0, -1, 0), recall_content(0, 3), recall_content(0, -1)):
        with pytest.raises(RequestError, match="is outside 0 to"):
            spike_times([operation], 2, 3)


def test_store_answers_as_a_dictionary() -> None:
    store = Store()
    assert store.apply(recall_cue(0, 3)) == Answer("cue recall", frozenset({3}), frozenset())
    assert store.apply(learn(0, 3, 4, 5)) == Answer("learn", frozenset({3}), frozenset({4, 5}))
    assert store.apply(learn(0, 1, 5)) == Answer("learn", frozenset({1}), frozenset({5}))
    assert store.apply(recall_content(0, 4, 9)) == Answer("content recall", frozenset({3}), frozenset({4, 9}))
    assert store.apply(recall_content(0, 5)).cues == {1, 3}
    again = store.apply(learn(0, 3, 4, 6))
    assert again == Answer("re-learn", frozenset({3}), frozenset({4, 6}), frozenset({5}))
    assert store.apply(recall_cue(0, 3)).contents == {4, 6}
    assert store.apply(recall_content(0, 5)).cues == {1}


def test_answers_come_at_the_times_of_the_published_rasters() -> None:
    learned = Answer("re-learn", frozenset({3}), frozenset({4}), frozenset({5})).spikes
    assert learned.cue == {(5, 3), (7, 3)}
    assert learned.content == {(5, 4), (7, 4), (6, 5)}
    by_cue = Answer("cue recall", frozenset({3}), frozenset({4})).spikes
    assert (by_cue.cue, by_cue.content) == ({(5, 3)}, {(6, 4)})
    by_content = Answer("content recall", frozenset({3}), frozenset({4})).spikes
    assert (by_content.cue, by_content.content) == ({(6, 3)}, {(5, 4)})


def test_words() -> None:
    assert learn(0, 3, 6, 4, 5).words == "learn 3 = {4–6}"
    assert recall_cue(0, 0).words == "cue 0 ?"
    assert recall_content(0, 6).words == "content {6} ?"
    assert set_words([]) == "{}"
    assert set_words([0, 1, 3, 4, 5, 9]) == "{0,1,3–5,9}"
    assert set_words(range(0, 40, 2), most=3) == "{0,2,4,… 17 more}"
    assert set_words([0, 2, 4, 6, 7, 8, 9], most=3) == "{0,2,4,… 4 more}"


def test_reads_the_documented_file(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0,learn,0,0 1 8 9\n20,recall,0,\n40,recall,,6\n")
    assert read_operations(path, 5, 10) == [learn(0, 0, 0, 1, 8, 9), recall_cue(20, 0), recall_content(40, 6)]


def test_reads_what_spreadsheets_write(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + "0, learn ,0, 1  2 \r\n\r\n,,,\r\n20,recall,,1\r\n"
    path = write(tmp_path, text.replace("\n", "\r\n").replace("\r\r", "\r"))
    assert read_operations(path, 5, 10) == [learn(0, 0, 1, 2), recall_content(20, 1)]


BAD_FILES = {
    "empty": ("", "the file is empty"),
    "blank": ("\n\n", "the file is empty"),
    "no operation": (HEADER, "no operation"),
    "no header": ("0,learn,0,1\n", "line 1: the header is missing"),
    "header misspelt": ("time_ms,opration,cue,content\n", "line 1: .*Did you mean 'operation'"),
    "header column missing": ("time_ms,operation,cue\n", "line 1: column 4 is named '', not 'content'"),
    "header too long": (HEADER.strip() + ",x\n", "there are 5 columns, not 4"),
    "semicolons": (HEADER.replace(",", ";") + "0;learn;0;1\n", "not separated by commas"),
    "too many columns": (HEADER + "0,learn,0,1,2\n", "line 2: 5 columns, not 4(.|\n)*spaces, not commas"),
    "too few columns": (HEADER + "0,learn,0\n", "line 2: 3 columns"),
    "operation misspelt": (HEADER + "0,lern,0,1\n", "line 2, column 'operation'.*Did you mean 'learn'"),
    "operation unknown": (HEADER + "0,forget,0,1\n", "line 2, column 'operation': 'forget'"),
    "cue a word": (HEADER + "0,learn,first,1\n", "line 2, column 'cue': 'first' is not a whole number"),
    "cue a fraction": (HEADER + "0,learn,1.5,1\n", "line 2, column 'cue': '1.5' is not a whole number"),
    "cue too large": (HEADER + "0,learn,5,1\n", "line 2, column 'cue': cue 5 is outside 0 to 4"),
    "cue negative": (HEADER + "0,learn,-1,1\n", "line 2, column 'cue': cue -1 is outside 0 to 4"),
    "element too large": (
        HEADER + "0,learn,0,1 10\n",
        "column 'content': content element 10 is outside 0 to 9",
    ),
    "element negative": (HEADER + "0,recall,,-1\n", "column 'content': content element -1 is outside"),
    "element a word": (HEADER + "0,learn,0,1;2\n", "column 'content': '1;2' is not a whole number"),
    "elements twice": (HEADER + "0,learn,0,1 2 1\n", "column 'content': element 1 is listed 2 times"),
    "learn nothing": (HEADER + "0,learn,0,\n", "line 2, column 'content': a learn needs at least one"),
    "learn without cue": (HEADER + "0,learn,,1\n", "line 2, column 'cue': a learn needs a cue"),
    "recall nothing": (HEADER + "0,recall,,\n", "line 2, column 'cue': a recall has neither"),
    "recall both": (HEADER + "0,recall,0,1\n", "line 2, column 'content': a recall has both"),
    "time negative": (HEADER + "-1,recall,0,\n", "line 2, column 'time_ms': -1 ms is outside"),
    "time a fraction": (HEADER + "0.5,recall,0,\n", "column 'time_ms': '0.5' is not a whole number"),
    "time NaN": (HEADER + "nan,recall,0,\n", "column 'time_ms': 'nan' is not a whole number"),
    "time missing": (HEADER + ",recall,0,\n", "column 'time_ms': there is no number"),
    "time too late": (HEADER + "2147483648,recall,0,\n", "column 'time_ms': 2147483648 ms is outside"),
    "time absurd": (HEADER + "9" * 5000 + ",recall,0,\n", "column 'time_ms': '9+…' is not a whole number"),
    "unicode digits": (HEADER + "²,recall,0,\n", "column 'time_ms': '²' is not a whole number"),
    "two signs": (HEADER + "+-1,recall,0,\n", "column 'time_ms': '\\+-1' is not a whole number"),
    "unsorted": (HEADER + "20,recall,0,\n0,recall,0,\n", "line 3, column 'time_ms': 0 ms comes after 20 ms"),
    "at once": (HEADER + "0,recall,0,\n0,recall,0,\n", "line 3, column 'time_ms': .*starts 0 ms after"),
    "too close to a learn": (
        HEADER + "0,learn,0,1\n6,recall,0,\n",
        "line 3.*6 ms after the learn(.|\n)*7 ms",
    ),
    "too close to a recall": (
        HEADER + "0,recall,0,\n5,recall,0,\n",
        "line 3.*5 ms after the recall(.|\n)*6 ms",
    ),
    "open quote": (HEADER + '0,learn,0,"1 2\n', "line 2: this is not CSV"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_explained(name: str, tmp_path: Path) -> None:
    text, message = BAD_FILES[name]
    path = write(tmp_path, text)
    with pytest.raises(RequestError, match=message) as caught:
        read_operations(path, 5, 10)
    assert str(caught.value).startswith(str(path))
    assert caught.value.fix


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file"):
        read_operations(tmp_path / "none.csv", 5, 10)
    with pytest.raises(RequestError, match="this is a folder"):
        read_operations(tmp_path, 5, 10)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(HEADER.encode() + b"0,learn,\xe9,1\n")
    with pytest.raises(RequestError, match="not UTF-8"):
        read_operations(latin, 5, 10)
    (tmp_path / "nul.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(RequestError, match="line 1"):
        read_operations(tmp_path / "nul.csv", 5, 10)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written"):
        write_operations(tmp_path / "no" / "folder.csv", [recall_cue(0, 0)])


def test_shortest_spacing_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0,learn,0,1\n7,recall,0,\n13,recall,,1\n")
    assert [operation.time_ms for operation in read_operations(path, 5, 10)] == [0, 7, 13]


def test_operations_from_a_program_are_checked_too() -> None:
    for bad, message in (
        ([], "no operation"),
        ([Operation(0, "forget", 0, frozenset({1}))], "Operation 1 .at 0 ms., operation: 'forget'"),  # type: ignore[arg-type]
        ([Operation(0.5, "recall", 0, frozenset())], "time_ms: 0.5 is not a whole number"),  # type: ignore[arg-type]
        ([learn(0, 0, 1), learn(3, 0, 1)], "Operation 2 .at 3 ms., time_ms: .*3 ms after the learn"),
    ):
        with pytest.raises(RequestError, match=message):
            check_operations(bad, 5, 10)


@st.composite
def sequences(draw: st.DrawFn) -> list[Operation]:
    operations, time = [], draw(st.integers(0, 100))
    contents = st.sets(st.integers(0, 9), min_size=1)
    for kind in draw(st.lists(st.sampled_from(["learn", "cue", "content"]), min_size=1, max_size=12)):
        if kind == "cue":
            operations.append(recall_cue(time, draw(st.integers(0, 4))))
        elif kind == "content":
            operations.append(recall_content(time, *draw(contents)))
        else:
            operations.append(learn(time, draw(st.integers(0, 4)), *draw(contents)))
        time += BUSY_MS[operations[-1].kind] + draw(st.integers(0, 30))
    return operations


@settings(max_examples=60, deadline=None)
@given(operations=sequences())
def test_a_written_file_reads_back(
    operations: list[Operation], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ops") / "ops.csv"
    write_operations(path, operations)
    assert read_operations(path, 5, 10) == operations
    assert b"\r" not in path.read_bytes()


def test_warnings_name_the_limit_of_the_model() -> None:
    assert spacing_warnings(random(1, spacing=16).operations) == []
    assert spacing_warnings([recall_cue(0, 0)]) == []
    once = [learn(0, 0, 1), recall_cue(11, 0), recall_cue(40, 0)]
    (warning,) = spacing_warnings(once)
    assert "1 of 2 gaps" in warning and "shorter than 12 ms" in warning and "shortest: 11 ms" in warning
    assert spacing_warnings([learn(0, 0, 1), recall_cue(12, 0)]) == []
    (warning,) = spacing_warnings([learn(0, 0, 1), learn(14, 0, 2)])
    assert "shorter than 16 ms" in warning and "16 ms is safe with re-learning" in warning
    (warning,) = spacing_warnings([learn(0, 0, 1), recall_content(20, 1, 2)])
    assert "1 content query has more than one element (first at 20 ms)" in warning


def test_warnings_of_the_published_experiments() -> None:
    assert [len(spacing_warnings(one().operations)) for one in (functional, stress)] == [2, 1]
