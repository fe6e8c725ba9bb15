"""What one asks of the memory: operations, their input spikes, the ideal answers, and the file they come from.

An operation at t0 makes input spikes from t0 on; its answer comes from t0 + 5 ms on.  The ideal memory is
a dictionary from a cue to a set of content elements; `Store` is that dictionary, and `Answer` says at
which ms each of its words is spoken.
"""

from __future__ import annotations

import csv
import io
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from neurodeploy.cam.model import PUBLISHED, Circuit, check_sizes
from neurodeploy.errors import RequestError, did_you_mean

HELD_MS = {"learn": 3, "recall": 1}
"""For how many consecutive ms an operation's input spikes, one spike a ms (authors' published code).

A learn of 1 or 2 ms stores but does not forget.
"""

BUSY_MS = {"learn": 7, "recall": 6}
"""The earliest start of the next operation, ms after t0 (documentation of the authors' sPyMem)."""

ANSWER_DELAY_MS = 5
"""An answer starts 5 ms after the first input spike (the published rasters)."""

LATEST_MS = 2**31 - 1
"""The latest time of an operation, ms: time steps are counted in 32 bits (SpiNNaker)."""

COLUMNS = ("time_ms", "operation", "cue", "content")
"""The columns of an operations file."""

KINDS = ("learn", "re-learn", "cue recall", "content recall")
"""The kinds of operation that statistics tell apart; a re-learn is a learn of a cue that holds an item."""


class Template(NamedTuple):
    """When the parts of an answer are spoken, in ms after t0."""

    cue: tuple[int, ...]
    content: tuple[int, ...]
    ghosts: tuple[int, ...] = ()


TEMPLATES = {
    "learn": Template(cue=(5, 7), content=(5, 7), ghosts=(6,)),
    "re-learn": Template(cue=(5, 7), content=(5, 7), ghosts=(6,)),
    "cue recall": Template(cue=(5,), content=(6,)),
    "content recall": Template(cue=(6,), content=(5,)),
}
"""Output times of every kind of operation, the same in all published rasters.

A learn echoes its item twice, and between the echoes a re-learn flashes the elements that it forgets, the
ghosts.  A recall echoes the query at 5 ms and gives the rest at 6 ms.
"""


@dataclass(frozen=True)
class Operation:
    """One request to the memory: learn `content` under `cue`, or recall by one of them.

    Attributes
    ----------
    time_ms : int
        t0, the ms of the first input spike.
    kind : {"learn", "recall"}
    cue : int or None
        The cue's number from 0; None in a recall by content.
    content : frozenset of int
        Numbers of content elements from 0; empty in a recall by cue.
    """

    time_ms: int
    kind: Literal["learn", "recall"]
    cue: int | None
    content: frozenset[int]

    @property
    def words(self) -> str:
        """The operation in short: ``learn 3 = {4,5,6}``, ``cue 0 ?`` or ``content {6} ?``."""
        if self.kind == "learn":
            return f"learn {self.cue} = {set_words(self.content)}"
        return f"content {set_words(self.content)} ?" if self.cue is None else f"cue {self.cue} ?"


def set_words(numbers: Iterable[int], most: int = 8) -> str:
    """The set in short, runs of three or more joined: ``{0,4–9}``; after `most` parts, how many more there are."""
    ordered = np.unique(np.fromiter(numbers, dtype=np.int64))
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1) if ordered.size else []
    parts: list[tuple[str, int]] = []
    for run in runs:
        if run.size > 2:
            parts.append((f"{run[0]}–{run[-1]}", run.size))
        else:
            parts.extend((str(number), 1) for number in run)
    text = ",".join(word for word, _ in parts[:most])
    left_out = sum(count for _, count in parts[most:])
    return "{" + text + (f",… {left_out} more" if left_out else "") + "}"


class OutputSpikes(NamedTuple):
    """Spikes of OUT_cue and OUT_content as sets of (ms after t0, neuron)."""

    cue: frozenset[tuple[int, int]]
    content: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Answer:
    """What the memory says to one operation.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    cues, contents : frozenset of int
        The cues and content elements spoken, the echo of the operation's own words included.
    ghosts : frozenset of int
        Content elements that a re-learn forgot, flashed once.
    """

    kind: str
    cues: frozenset[int]
    contents: frozenset[int]
    ghosts: frozenset[int] = frozenset()

    @property
    def words(self) -> str:
        """The answer in short: the cues, the content, and what was forgotten: ``{3} {1,3,4,8}, forgets {5,6}``."""
        words = f"{set_words(self.cues)} {set_words(self.contents)}"
        return words + (f", forgets {set_words(self.ghosts)}" if self.ghosts else "")

    @property
    def spikes(self) -> OutputSpikes:
        """The output spikes of this answer, by `TEMPLATES`."""
        template = TEMPLATES[self.kind]
        return OutputSpikes(
            cue=frozenset((dt, cue) for dt in template.cue for cue in self.cues),
            content=frozenset((dt, element) for dt in template.content for element in self.contents)
            | frozenset((dt, element) for dt in template.ghosts for element in self.ghosts),
        )


@dataclass
class Store:
    """The ideal memory: one content a cue, recalled by its cue or by any of its elements.

    A query of several elements is answered by every cue whose content has at least one of them.

    Attributes
    ----------
    items : dict of int to frozenset of int
        The content that each cue holds.
    """

    items: dict[int, frozenset[int]] = field(default_factory=dict)

    def apply(self, operation: Operation) -> Answer:
        """Carry out one operation, and say what a faultless memory answers to it."""
        cue, content = operation.cue, operation.content
        if operation.kind == "learn" and cue is not None:
            kind = "re-learn" if cue in self.items else "learn"
            ghosts = self.items.get(cue, frozenset()) - content
            self.items[cue] = content
            return Answer(kind, frozenset({cue}), content, ghosts)
        if cue is not None:
            return Answer("cue recall", frozenset({cue}), self.items.get(cue, frozenset()))
        matching = frozenset(held for held, stored in self.items.items() if stored & content)
        return Answer("content recall", matching, content)


def spike_times(
    operations: Iterable[Operation], cues: int, contents: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Input spike times in ms of every cue and of every content element.

    A learn holds its input for 3 consecutive ms, a recall for 1 ms (the authors' published code).

    Parameters
    ----------
    operations : iterable of Operation
    cues, contents : int
        The size of the memory.

    Returns
    -------
    cue_spikes, content_spikes : list of list of int
        For each neuron of IN_cue and of IN_content its spike times, ascending.
    """
    check_sizes(cues, contents)
    operations = list(operations)
    for number, operation in enumerate(operations, start=1):
        _check_elements(operation, cues, contents, _place_in_list(number, operation))
    cue_spikes: list[set[int]] = [set() for _ in range(cues)]
    content_spikes: list[set[int]] = [set() for _ in range(contents)]
    for operation in operations:
        held = range(operation.time_ms, operation.time_ms + HELD_MS[operation.kind])
        if operation.cue is not None:
            cue_spikes[operation.cue].update(held)
        for element in operation.content:
            content_spikes[element].update(held)
    return [sorted(times) for times in cue_spikes], [sorted(times) for times in content_spikes]


def check_operations(operations: Sequence[Operation], cues: int, contents: int) -> None:
    """Raise `RequestError` at the first operation that a memory of this size cannot be asked.

    Besides each operation by itself: they are in order of time, and no operation starts before the one
    before it is over (7 ms after a learn, 6 ms after a recall; sPyMem's documentation).
    """
    check_sizes(cues, contents)
    if not operations:
        raise RequestError("There is no operation to run.", fix="give at least one learn or recall")
    previous: Operation | None = None
    for number, operation in enumerate(operations, start=1):
        _check(operation, previous, cues, contents, _place_in_list(number, operation))
        previous = operation


def spacing_warnings(operations: Sequence[Operation], circuit: Circuit = PUBLISHED) -> list[str]:
    """One sentence for each documented limit of the model that these operations go beyond.

    The limits of the published circuit are its own, on SpiNNaker as elsewhere: operations closer than 12 ms (16 ms where
    a cue is learned again), and content queries of more than one element.
    """
    learned: set[int | None] = set()
    learned_again = False
    for operation in operations:
        if operation.kind == "learn":
            learned_again |= operation.cue in learned
            learned.add(operation.cue)
    case = "with re-learning" if learned_again else "without re-learning"
    safe = circuit.safe_spacing[case]

    warnings = []
    gaps = [(after.time_ms - before.time_ms, after.time_ms) for before, after in pairwise(operations)]
    close = [gap for gap in gaps if gap[0] < safe]
    if close:
        shortest, when = min(close)
        warnings.append(
            f"{len(close)} of {len(gaps)} gaps between operations are shorter than {safe} ms "
            f"(shortest: {shortest} ms, before the operation at {when} ms): what one operation leaves behind "
            f"leaks into the next, and recalls can be wrong; {safe} ms is safe {case} (a limit of the model)."
        )
    wide = [
        operation.time_ms
        for operation in operations
        if operation.kind == "recall" and len(operation.content) > 1
    ]
    if wide and circuit.queries_leave_traces:
        warnings.append(
            f"{len(wide)} content {'query has' if len(wide) == 1 else 'queries have'} more than one element "
            f"(first at {wide[0]} ms): such a query changes the learned weights, and after a re-learn two forgotten "
            f"elements together can still recall their old cue; ask one element at a time (a limit of the model)."
        )
    return warnings


def read_operations(path: str | PathLike[str], cues: int, contents: int) -> list[Operation]:
    """Read the operations of a CSV file, checked against a memory of m = `cues` and n = `contents`.

    The file has the header ``time_ms,operation,cue,content`` and one operation a row; `operation` is
    ``learn`` or ``recall``, `content` is element numbers separated by spaces::

        time_ms,operation,cue,content
        0,learn,0,0 1 8 9
        20,recall,0,
        40,recall,,6

    Raises
    ------
    RequestError
        With the file, the line and the column, wherever the file cannot be read as that.
    """
    check_sizes(cues, contents)
    rows = _rows(Path(path))
    _check_header(path, next(rows, None))
    operations: list[Operation] = []
    for line, cells in rows:

        def place(column: str, line: int = line) -> str:
            return f"{path}, line {line}, column '{column}'"

        if len(cells) != len(COLUMNS):
            raise RequestError(
                f"{path}, line {line}: {len(cells)} columns, not {len(COLUMNS)}.",
                why=f"a row is {','.join(COLUMNS)}, and content elements are separated by spaces, not commas",
                fix=f"write the row as in '{_EXAMPLE}'",
            )
        operation = _parse(dict(zip(COLUMNS, cells, strict=True)), place)
        _check(operation, operations[-1] if operations else None, cues, contents, place)
        operations.append(operation)
    if not operations:
        raise RequestError(
            f"{path}: there is a header but no operation.", fix=f"add rows such as '{_EXAMPLE}'"
        )
    return operations


def write_operations(path: str | PathLike[str], operations: Iterable[Operation]) -> None:
    """Write an operations file that `read_operations` reads back as the same operations."""
    rows = [
        (
            operation.time_ms,
            operation.kind,
            "" if operation.cue is None else operation.cue,
            " ".join(str(element) for element in sorted(operation.content)),
        )
        for operation in operations
    ]
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    except OSError as error:
        raise RequestError(
            f"{path}: the file cannot be written ({error.strerror or error}).",
            fix="choose a file in a folder that exists and that you may write to",
        ) from error


_EXAMPLE = "0,learn,0,1 2 3"

_Place = Callable[[str], str]
"""From the name of a column to the words that say where it stands."""


def _place_in_list(number: int, operation: Operation) -> _Place:
    return lambda column: f"Operation {number} (at {operation.time_ms} ms), {column}"


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row that is not blank; the first is the header."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path}: the file is not UTF-8 text (byte {error.start}).",
            why="it may be a spreadsheet, or text in another encoding",
            fix="save it as CSV in UTF-8",
        ) from error
    except FileNotFoundError as error:
        raise RequestError(f"{path}: there is no such file.", fix="check the path") from error
    except IsADirectoryError as error:
        raise RequestError(
            f"{path}: this is a folder, not an operations file.", fix="give the path of the CSV file in it"
        ) from error
    except OSError as error:
        raise RequestError(f"{path}: the file cannot be read ({error.strerror or error}).") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise RequestError(
            f"{path}, line {reader.line_num}: this is not CSV ({error}).",
            fix=f"write plain rows as in '{_EXAMPLE}'",
        ) from error


def _check_header(path: str | PathLike[str], first: tuple[int, list[str]] | None) -> None:
    header = ",".join(COLUMNS)
    if first is None:
        raise RequestError(f"{path}: the file is empty.", fix=f"start it with the header '{header}'")
    line, cells = first
    if tuple(cells) == COLUMNS:
        return
    if len(cells) == 1 and any(separator in cells[0] for separator in ";\t"):
        raise RequestError(
            f"{path}, line {line}: the columns are not separated by commas.",
            fix=f"save the file with commas; its header is '{header}'",
        )
    if cells[0].lstrip("+-").isdigit():
        raise RequestError(
            f"{path}, line {line}: the header is missing.", fix=f"put '{header}' before the first operation"
        )
    for number, name in enumerate(COLUMNS):
        found = cells[number] if number < len(cells) else ""
        if found != name:
            problem = f"column {number + 1} is named '{found}', not '{name}'.{did_you_mean(found, COLUMNS)}"
            break
    else:
        problem = f"there are {len(cells)} columns, not {len(COLUMNS)}."
    raise RequestError(
        f"{path}, line {line}: {problem}",
        why="the header tells the columns of an operations file from those of other tables",
        fix=f"make the first line '{header}'",
    )


def _parse(cells: dict[str, str], place: _Place) -> Operation:
    kind = cells["operation"]
    if kind not in HELD_MS:
        raise RequestError(
            f"{place('operation')}: '{kind}' is not an operation.{did_you_mean(kind, HELD_MS)}",
            why="the memory learns and recalls; it forgets an item when its cue is learned again",
            fix="write 'learn' or 'recall'",
        )
    time_ms = _integer(
        cells["time_ms"], place("time_ms"), "a whole number of ms, as the memory's time step is 1 ms"
    )
    cue = _integer(cells["cue"], place("cue"), "the number of a cue, from 0") if cells["cue"] else None
    elements = [
        _integer(word, place("content"), "element numbers from 0, separated by spaces")
        for word in cells["content"].split()
    ]
    if len(set(elements)) < len(elements):
        twice = next(element for element in elements if elements.count(element) > 1)
        raise RequestError(
            f"{place('content')}: element {twice} is listed {elements.count(twice)} times.",
            why="a content is a set: an element is in it or not",
            fix="list every element once",
        )
    return Operation(time_ms, "learn" if kind == "learn" else "recall", cue, frozenset(elements))


def _integer(word: str, place: str, meaning: str) -> int:
    digits = word.lstrip("+-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and len(word) - len(digits) < 2):
        shown = word if len(word) <= 40 else word[:40] + "…"
        raise RequestError(
            f"{place}: '{shown}' is not a whole number." if word else f"{place}: there is no number.",
            fix=f"give {meaning}",
        )
    return int(word)


def _check(operation: Operation, previous: Operation | None, cues: int, contents: int, place: _Place) -> None:
    """Raise at the first thing that is wrong with `operation`, alone or after `previous`."""
    _check_elements(operation, cues, contents, place)
    kind, cue, content = operation.kind, operation.cue, operation.content
    if kind == "learn" and cue is None:
        raise RequestError(
            f"{place('cue')}: a learn needs a cue.",
            why="the memory stores every content under one cue",
            fix=f"give the number of a cue, 0 to {cues - 1}",
        )
    if kind == "learn" and not content:
        raise RequestError(
            f"{place('content')}: a learn needs at least one content element.",
            why="learning an empty content erases what the cue recalls, but not what recalls the cue "
            "(a limit of the model)",
            fix=f"give element numbers, 0 to {contents - 1}",
        )
    if kind == "recall" and (cue is None) == (not content):
        both = cue is not None
        raise RequestError(
            f"{place('content' if both else 'cue')}: a recall has {'both' if both else 'neither'} "
            f"a cue {'and' if both else 'nor'} a content.",
            why="the memory is asked either by a cue or by content elements"
            + ("; both at once would store an association" if both else ""),
            fix="leave one of the two columns empty" if both else "fill in one of the two columns",
        )
    if previous is None:
        return
    gap = operation.time_ms - previous.time_ms
    if gap < 0:
        raise RequestError(
            f"{place('time_ms')}: {operation.time_ms} ms comes after {previous.time_ms} ms.",
            why="operations are in order of time",
            fix="sort the operations by time_ms",
        )
    busy = BUSY_MS[previous.kind]
    if gap < busy:
        raise RequestError(
            f"{place('time_ms')}: this operation starts {gap} ms after the {previous.kind} at "
            f"{previous.time_ms} ms; the least is {busy} ms.",
            why=f"a {previous.kind} keeps the memory busy for {busy} ms",
            fix=f"start it at {previous.time_ms + busy} ms or later; {max(PUBLISHED.safe_spacing.values())} ms apart is safe",
        )


def _check_elements(operation: Operation, cues: int, contents: int, place: _Place) -> None:
    """Raise unless the kind, the time and every number of `operation` exist in a memory of this size."""
    if operation.kind not in HELD_MS:
        raise RequestError(
            f"{place('operation')}: {operation.kind!r} is not an operation."
            f"{did_you_mean(str(operation.kind), HELD_MS)}",
            fix="write 'learn' or 'recall'",
        )
    if not 0 <= _whole(operation.time_ms, place("time_ms")) <= LATEST_MS:
        raise RequestError(
            f"{place('time_ms')}: {operation.time_ms} ms is outside 0 to {LATEST_MS} ms.",
            why="time starts at 0 and is counted in 32 bits",
            fix="start the operation at 0 ms or later" if operation.time_ms < 0 else "start it earlier",
        )
    numbered = [("cue", "cue", operation.cue, cues)] if operation.cue is not None else []
    numbered += [("content", "content element", element, contents) for element in operation.content]
    for column, noun, number, limit in numbered:
        if not 0 <= _whole(number, place(column)) < limit:
            raise RequestError(
                f"{place(column)}: {noun} {number} is outside 0 to {limit - 1}.",
                why=f"the memory has {limit} {noun}{'s' if limit > 1 else ''}, numbered from 0",
                fix=f"use a number from 0 to {limit - 1}"
                + (f", or a memory with {number + 1} {column}s" if number >= 0 else ""),
            )


def _whole(number: int | None, place: str) -> int:
    """`number` as an int, where it is one (also NumPy's)."""
    try:
        return operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        raise RequestError(f"{place}: {number!r} is not a whole number.", fix="give a whole number") from None
