"""Decisions that are made, in a file, so that a long experiment that was stopped goes on where it was.

The file says what its decisions depend on; another experiment's is refused.  It appears whole after every movie.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from neurodeploy.delays.layer import Layer
from neurodeploy.errors import RequestError


def layer_digest(layer: Layer) -> str:
    """SHA-256 of the weights and biases."""
    return hashlib.sha256(layer.weights.tobytes() + layer.bias.tobytes()).hexdigest()


class Checkpoint:
    """Lists of decisions by name.

    Parameters
    ----------
    path : Path or None
        None keeps them in memory alone.
    facts : anything that JSON has a word for
        All that decides what the decisions are, their number excepted.

    Raises
    ------
    RequestError
        The file is of another experiment, or of none, or its folder is not there.
    """

    def __init__(self, path: Path | None, **facts: Any) -> None:
        self.path, self.facts = path, json.loads(json.dumps(facts))
        self.made: dict[str, list[Any]] = {}
        if path is None:
            return
        if not path.parent.is_dir():
            raise RequestError(f"--checkpoint {path}: there is no folder {path.parent}.", fix="make it first")
        if not path.exists():
            return
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            there, self.made = kept["facts"], dict(kept["made"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RequestError(
                f"{path} is not a checkpoint of this experiment ({error}).", fix="give another name"
            ) from error
        other = [name for name in {**self.facts, **there} if self.facts.get(name) != there.get(name)]
        if other:
            differ = "; ".join(
                f"{name}: {there.get(name)} there, {self.facts.get(name)} here" for name in other
            )
            raise RequestError(
                f"The checkpoint {path} is of another run ({differ}).",
                fix="give another name, or the same options",
            )

    def decisions(self, name: str) -> list[Any]:
        """Those made under `name`, none at first."""
        return self.made.setdefault(name, [])

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is not None:
            unfinished = self.path.with_name(f".{self.path.name}.unfinished")
            unfinished.write_text(json.dumps({"facts": self.facts, "made": self.made}), encoding="utf-8")
            os.replace(unfinished, self.path)
