"""How a running process model hands arrays over: through files, since Lava moves a Var one element at a time.

A process with an :class:`Exchange` has two counters as Vars.  Setting ``load`` to a new number makes the model read
``<name>.load.npz`` and replace its own arrays; setting ``save`` makes it write ``<name>.save.npz``.  Reading the Var afterwards
waits until that is done.  What a model records in its steps it appends to ``<name>.<what>.bin`` at the end of every run.
"""

from __future__ import annotations

import typing as ty
from pathlib import Path

import numpy as np
from lava.magma.core.process.variable import Var

FLUSH_BYTES = 32_000_000
"""Recorded bytes that a model keeps in memory before it writes them down."""


class Exchange:
    """Vars and calls of a Process whose model exchanges arrays through `folder`."""

    def open_exchange(self, folder: str | None) -> None:
        self.folder = folder
        self.load = Var(shape=(1,), init=0)
        self.save = Var(shape=(1,), init=0)
        self.turns = 0

    def replace(self: ty.Any, **arrays: np.ndarray) -> None:
        """Replace arrays of the running model, by name."""
        np.savez(Path(self.folder) / f"{self.name}.load.npz", **arrays)  # type: ignore[arg-type]
        self.turn(self.load)

    def saved(self: ty.Any) -> dict[str, np.ndarray]:
        """The present arrays of the running model."""
        self.turn(self.save)
        with np.load(Path(self.folder) / f"{self.name}.save.npz") as arrays:
            return dict(arrays)

    def turn(self, counter: ty.Any) -> None:
        self.turns += 1
        counter.set(np.array([self.turns]))
        counter.get()  # answered after the model has done what the number asks for

    def records(self: ty.Any, what: str, columns: int) -> np.ndarray:
        """Everything recorded so far, shape (rows, columns)."""
        self.load.get()  # answered after the model has written down the last run
        path = Path(self.folder) / f"{self.name}.{what}.bin"
        values = np.fromfile(path, dtype=np.int64) if path.exists() else np.empty(0, dtype=np.int64)
        return values.reshape(-1, columns)


class ExchangeModel:
    """The model's side.  A model names its arrays in ``exchanged`` and calls :meth:`record` in its steps."""

    exchanged: tuple[str, ...] = ()

    def open_exchange(self: ty.Any) -> None:
        self.seen_load = self.seen_save = 0
        self.kept: dict[str, list[np.ndarray]] = {}
        self.kept_bytes = 0

    def path(self: ty.Any, ending: str) -> str:
        return str(Path(self.proc_params["folder"]) / f"{self.proc_params['name']}.{ending}")

    def on_var_update(self: ty.Any) -> None:
        self.prepare()
        if self.load[0] != self.seen_load:
            self.seen_load = self.load[0]
            with np.load(self.path("load.npz")) as arrays:
                for name in arrays.files:
                    self.take(name, arrays[name])
            self.prepare()
        if self.save[0] != self.seen_save:
            self.seen_save = self.save[0]
            np.savez(self.path("save.npz"), **{name: getattr(self, name) for name in self.exchanged})

    def prepare(self) -> None:
        """Called before the first step and whenever arrays have been replaced from outside."""

    def take(self, name: str, values: np.ndarray) -> None:
        """Replace one array."""
        getattr(self, name)[...] = values

    def record(self: ty.Any, what: str, values: np.ndarray) -> None:
        """Keep `values` (a copy of its own) for the file of `what`."""
        self.kept.setdefault(what, []).append(values)
        self.kept_bytes += values.nbytes
        if self.kept_bytes > FLUSH_BYTES:
            self.flush()

    def flush(self: ty.Any) -> None:
        for what, pieces in self.kept.items():
            with open(self.path(f"{what}.bin"), "ab") as file:
                file.write(np.concatenate([piece.reshape(-1) for piece in pieces]).astype(np.int64).tobytes())
        self.kept.clear()
        self.kept_bytes = 0

    def _host(self: ty.Any) -> None:
        """The phase after the last step of a run."""
        super()._host()  # type: ignore[misc]
        self.prepare()
        self.flush()
