"""The report of a board's tests: what it says, that its page needs no network, and the command line around it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from html_page import HtmlPage
from test_testboard import LOST, TESTS, board

from neurodeploy.boardtest.trial import FAIL, KNEE, NOT_RUN, REFUSED, Check, Entry, Judgement
from neurodeploy.recording import provenance
from neurodeploy.report.board import BoardReport
from neurodeploy.report.board_pictures import PICTURES

COMMAND = [sys.executable, "-m", "neurodeploy.cli", "test-board"]
TRIAL = {
    "name": "<script>alert(1)</script>",
    "runs": 1,
    "seconds": {"load": 1.0, "run": 2.0, "read": 0.5},
    "cores": 3,
    "chips": 1,
    "losses": [],
}


def entry(name: str, **changes) -> Entry:
    judgement = TESTS[name].judge(board(name))
    made = Entry(TESTS[name], judgement.verdict, judgement, [TRIAL], 3.25)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


@pytest.fixture(scope="module")
def report() -> BoardReport:
    facts = provenance(
        ["neurodeploy", "test-board"],
        executed_by="emulated",
        seconds=61.0,
        hardware={"name": "spinnaker-emulated", "version": 3},
        address="127.1.2.3",
        board_engine="native",
        faults="lose=0.01",
    )
    results = board("ladder")
    results[2].losses.append(LOST)
    knee = TESTS["ladder"].judge(results)
    failed = Judgement([Check("a thing", "1", "2\n  why: <b>broken</b>", FAIL)])
    entries = [
        *(entry(name) for name in ("delays", "weights", "stdp", "split", "cam-functional", "loads")),
        entry(
            "cells", verdict=FAIL, judgement=failed, trials=[{"name": "x", "runs": 1, "reason": "it broke"}]
        ),
        entry("ladder", verdict=KNEE, judgement=knee),
        Entry(TESTS["runs"], NOT_RUN, Judgement([], note="The board had fallen silent before.")),
        Entry(TESTS["cam-stress"], REFUSED, Judgement([Check("stress", "", "no room", REFUSED)])),
    ]
    return BoardReport(facts, entries, Path("out"))


@pytest.fixture(scope="module")
def text(report: BoardReport) -> str:
    return report.page()


def test_the_page_is_whole_and_needs_no_network(text: str) -> None:
    page = HtmlPage(text)
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "http" not in text and "url(" not in text and "@import" not in text
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)


def test_its_pictures_are_pictures_and_there_is_one_of_each_kind(report: BoardReport, text: str) -> None:
    page = HtmlPage(text)
    drawn = {one.test.picture for one in report.entries if one.judgement.series} - {""}
    assert drawn == set(PICTURES)
    assert len(page.pictures) == len(PICTURES)
    for address in page.pictures:
        root = ElementTree.fromstring(base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")))
        assert root.tag.endswith("svg") and len(list(root.iter())) > 50


def test_the_page_says_everything_and_executes_nothing_it_was_told(text: str) -> None:
    words = " ".join("".join(HtmlPage(text).words).split())
    for told in (
        "not passed",
        "6 pass, 1 knee, 1 refused, 1 fail, 1 not run",
        "emulated",
        "broken on purpose: lose=0.01",
        "why: <b>broken</b>",
        "The board had fallen silent before.",
        "buffer of incoming spikes was full: 7",
        "neurodeploy test-board",
        "native engine",
    ):
        assert told in words, told
    assert "<script" not in text and "<b>broken" not in text


def test_json_has_all_of_it(report: BoardReport, tmp_path: Path) -> None:
    report.write(tmp_path)
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["passed"] is False and data["executed_by"] == "emulated" and data["packages"]["numpy"]
    tests = {test["name"]: test for test in data["tests"]}
    assert tests["cells"]["verdict"] == "fail" and tests["cells"]["checks"][0]["expected"] == "1"
    assert tests["ladder"]["knee"] and len(tests["delays"]["series"]["found"]) > 144
    assert tests["delays"]["series"]["found"] == tests["delays"]["series"]["asked"]
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html"}


def test_the_terminal_names_what_did_not_pass(report: BoardReport) -> None:
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*report.render(), sep="\n")
    text = console.export_text()
    assert "NOT PASSED" in text and "cells: a thing: expected 1, 2; why: <b>broken</b>" in text
    assert "ladder: at 20 Hz" in text and "executed by: emulated" in text


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_the_list_names_every_test() -> None:
    answer = call("--list", "--json")
    assert answer.returncode == 0
    assert [test["name"] for test in json.loads(answer.stdout)] == list(TESTS)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--only", "delay,weights"], 2, "Did you mean 'delays'?"),
        (["--suite", "functionl"], 2, "Did you mean 'functional'?"),
        (["--hardware", "spinnaker-virtual"], 2, "it executes nothing"),
        (["--hardware", "spin5"], 2, "--host ADDRESS"),
        (["--faults", "dead-cor=0,0,1"], 2, "Did you mean 'dead-core'?"),
        (["--hardware", "spin3", "--host", "no-such-board.invalid"], 1, "no machine of that name"),
    ],
)
def test_a_wrong_request_is_one_message_and_leaves_nothing(
    arguments: list[str], code: int, told: str, tmp_path: Path
) -> None:
    answer = call(*arguments, "--out", str(tmp_path / "out"))
    assert answer.returncode == code and told in answer.stderr and "Traceback" not in answer.stderr
    assert answer.stdout == "" and list(tmp_path.iterdir()) == []
