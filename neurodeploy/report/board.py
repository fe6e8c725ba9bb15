"""The report of a board's tests: for the terminal, for machines, and as one page that needs no network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from neurodeploy.boardtest.trial import FAIL, KNEE, NOT_RUN, PASS, REFUSED, Entry, passed
from neurodeploy.recording import write_json

COLOURS = {PASS: "green", FAIL: "bold red", REFUSED: "yellow", KNEE: "cyan", NOT_RUN: "yellow"}
ORDER = (PASS, KNEE, REFUSED, FAIL, NOT_RUN)

TOOLS = ("sPyNNaker", "unicorn")
"""Packages whose version the report has beside those of every run."""


@dataclass
class BoardReport:
    """What was found, and what found it.

    Attributes
    ----------
    facts : dict
        What it takes to do it again: versions, command, hardware, what executed it.
    entries : list of Entry
    folder : Path
        Where it is, or will be.
    """

    facts: dict[str, Any]
    entries: Sequence[Entry]
    folder: Path

    def __post_init__(self) -> None:
        for name in TOOLS:
            try:
                self.facts["packages"][name] = version(name)
            except PackageNotFoundError:
                self.facts["packages"][name] = "not installed"

    @property
    def passed(self) -> bool:
        return passed(self.entries)

    @property
    def summary(self) -> str:
        """Such as ``"7 pass, 1 fail"``."""
        counts = Counter(entry.verdict for entry in self.entries)
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])

    @property
    def data(self) -> dict[str, Any]:
        """Everything, as ``report.json`` has it."""
        return {
            "passed": self.passed,
            "summary": self.summary,
            **self.facts,
            "tests": [
                {
                    "name": entry.test.name,
                    "suite": entry.test.suite,
                    "subject": entry.test.subject,
                    "verdict": entry.verdict,
                    "seconds": entry.seconds,
                    "note": entry.judgement.note,
                    "knee": entry.judgement.knee,
                    "checks": [vars(check) for check in entry.judgement.checks],
                    "trials": entry.trials,
                    "series": entry.judgement.series,
                }
                for entry in self.entries
            ],
        }

    def render(self) -> list[Any]:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("test", "", "s", "what it proves", box=box.SIMPLE, pad_edge=False)
        table.columns[2].justify = "right"
        for entry in self.entries:
            verdict = f"[{COLOURS[entry.verdict]}]{entry.verdict}[/]"
            table.add_row(entry.test.name, verdict, f"{entry.seconds:.1f}", escape(entry.test.subject))
        lines: list[Any] = [table]
        for entry in self.entries:
            for check in entry.judgement.checks:
                if check.verdict != PASS:
                    lines.append(
                        f"[{COLOURS[check.verdict]}]{check.verdict}[/] {entry.test.name}: {escape(check.what)}:"
                        + (f" expected {escape(check.expected)}," if check.expected else "")
                        + f" {escape(one_line(check.found))}"
                    )
            if entry.judgement.knee:
                lines.append(f"[cyan]knee[/] {entry.test.name}: {escape(entry.judgement.knee)}")
            if entry.judgement.note:
                lines.append(f"[yellow]note[/] {entry.test.name}: {escape(entry.judgement.note)}")
        lines += [
            f"[bold]{'passed' if self.passed else 'NOT PASSED'}[/]: {self.summary}; {self.facts['seconds']:.0f} s",
            f"executed by: [bold]{self.facts['executed_by']}[/] ({escape(self.facts['hardware']['name'])})",
            f"report in {escape(str(self.folder / HTML))}",
        ]
        return lines

    def write(self, folder: Path) -> None:
        """Write ``report.json`` and ``report.html`` into `folder`."""
        write_json(folder / JSON, self.data)
        (folder / HTML).write_text(self.page(), encoding="utf-8")

    def page(self) -> str:
        """One page of HTML with all pictures inside."""
        import jinja2

        from neurodeploy.report.board_pictures import draw

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        pictures = {
            entry.test.name: base64.b64encode(draw(entry.test.picture, entry.judgement.series)).decode()
            for entry in self.entries
            if entry.test.picture and entry.judgement.series
        }
        return environment.get_template("board.html.jinja").render(report=self, pictures=pictures)


JSON, HTML = "report.json", "report.html"


def one_line(text: str) -> str:
    """`text` on one line."""
    return "; ".join(filter(None, (line.strip() for line in text.splitlines())))
