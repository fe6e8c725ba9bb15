"""Finding backends by entry point, and saying clearly why one cannot be used."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from neurodeploy.backends.base import Backend
from neurodeploy.errors import RequestError, RunError, did_you_mean

GROUP = "neurodeploy.backends"


def available() -> dict[str, EntryPoint]:
    """Every registered backend by name, none of them imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load(name: str) -> Backend:
    """The backend the user asked for.

    Raises
    ------
    RequestError
        There is no backend of that name.
    RunError
        The backend is registered but does not import.
    """
    table = available()
    if name not in table:
        raise RequestError(
            f"There is no backend called '{name}'.{did_you_mean(name, table)}",
            fix=f"choose one of: {', '.join(sorted(table))}",
        )
    try:
        backend: Backend = table[name].load()()
    except ImportError as error:
        raise RunError(
            f"Backend '{name}' is installed but does not import: {error}",
            fix="run 'neurodeploy doctor' to see what is missing",
        ) from error
    return backend
