"""What every model that is run may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class RunOptions:
    """Options that every model's ``run`` has."""

    backend: str
    rules: str | None
    engine: str
    threads: int
    seed: int
    out: Path | None
    as_json: bool
    hardware: str | None = None
    host: str | None = None
    faults: str | None = None
    allow_losses: bool = False
