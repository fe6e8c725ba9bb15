"""Executes a network of trials in Lava: a plain script beside ``../runner.py``, which says how it is talked to.

The folder holds ``trials.json``, ``trials.npz`` and ``played.npz``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import runner  # type: ignore[import-not-found]


class TrialsRunner(runner.Runner):  # type: ignore[misc]
    """One network of trials in Lava."""

    def read(self) -> tuple[Any, dict[str, Any]]:
        from trials import program  # type: ignore[import-not-found]

        return program.read(self.folder), runner.HERE | {"processes": "trials"}


if __name__ == "__main__":
    runner.serve(Path(sys.argv[1]), TrialsRunner)
    runner.leave(0)
