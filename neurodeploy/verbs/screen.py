"""What people and machines see of a verb: its result, its progress, and what went wrong."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import typer

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def show(result: Any, as_json: bool) -> None:
    """Print a result: its ``data`` for machines, or its ``render()`` for people."""
    if as_json:
        from neurodeploy.recording import plain

        typer.echo(json.dumps(result.data, indent=2, ensure_ascii=False, default=plain))
        return
    from rich.console import Console

    Console().print(*result.render(), sep="\n")


class Progress:
    """A progress bar on standard error, shown only to people."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled and sys.stderr.isatty()
        self.bar: Any = None
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        return self

    def show(self, stage: str, done: int, total: int) -> None:
        if not self.enabled:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
            self.bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self.bar.start()
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self.tasks[stage], completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong on standard error and leave."""
    print(f"neurodeploy: {message}", file=sys.stderr)
    sys.exit(code)
