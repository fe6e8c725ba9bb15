"""What every model that is run may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurodeploy.backends.base import Options, Progress


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

    def of_backend(self, model_rules: str, folder: Path, progress: Progress | None) -> Options:
        """The same for the backend, whose own files go below `folder`.

        The rules are the user's, else the backend's own, else `model_rules`.
        """
        from neurodeploy.backends import registry
        from neurodeploy.backends.base import Options

        given = Options(
            engine=self.engine,
            threads=self.threads,
            progress=progress,
            hardware=self.hardware,
            host=self.host,
            faults=self.faults,
            allow_losses=self.allow_losses,
            folder=folder / self.backend,
        )
        given.rules = self.rules or registry.load(self.backend).default_rules(given) or model_rules
        return given
