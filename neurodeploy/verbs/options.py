"""Options that several verbs have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results and nothing else.")]
Backend = Annotated[str, typer.Option(help="Where to run: see 'neurodeploy targets'.")]
Rules = Annotated[
    str | None,
    typer.Option(help="Tick rules: see 'neurodeploy targets'.", show_default="the chip's or the model's own"),
]
EngineOption = Annotated[
    str, typer.Option(help="Brian2's engine: cpp (compiled), or runtime (slower, needs no compiler).")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 lets it choose.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the results.", show_default="runs/<model>-<date>-<time>")
]
Hardware = Annotated[
    str | None,
    typer.Option(
        help="The machine, for a backend that has several: a name of 'neurodeploy targets', or your own YAML file.",
        show_default="the backend's own",
    ),
]
Host = Annotated[
    str | None, typer.Option(help="Address of the board or server.", show_default="the hardware's")
]
FaultsOption = Annotated[
    str | None,
    typer.Option(
        help="Break the emulated board on purpose, e.g. 'dead-core=0,0,5; lose=0.05'.", show_default=False
    ),
]
AllowLosses = Annotated[
    bool,
    typer.Option(
        "--allow-losses", help="Keep a run in which something was late, lost or vanished; it is counted."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def of_the_engine(engine: str, threads: int, allow_losses: bool) -> dict[str, str | None]:
    """How a backend runs, as the user gave it: by option; None is the default."""
    return {
        "--engine": None if engine == "cpp" else engine,
        "--threads": str(threads) if threads else None,
        "--allow-losses": "" if allow_losses else None,
    }
