"""Which engine executes a board."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.backends.spinnaker.board.chip import Chip
from neurodeploy.backends.spinnaker.board.engine import Engine, Services
from neurodeploy.backends.spinnaker.board.machine import EngineOf
from neurodeploy.backends.spinnaker.board.native import NativeEngine, NativeError, library
from neurodeploy.errors import ToolchainMissingError

ENGINES = ("auto", "native", "python")


def engine_for(chosen: str, threads: int, say: Callable[[str], None]) -> tuple[EngineOf, str]:
    """What makes the chosen engine, and its name; ``"auto"`` is the native one where it can be had.

    Raises
    ------
    ToolchainMissingError
        The native engine was asked for and can't be had, or unicorn is missing.
    """
    if chosen != "python":
        try:
            library()
        except NativeError as error:
            if chosen == "native":
                raise ToolchainMissingError(
                    f"The board's native engine can't be had: {error}",
                    fix="install a C compiler, or leave the engine to 'auto'",
                ) from error
            say(f"python engine, which is many times slower: {error}")
        else:
            return lambda chips, services: _native(chips, services, threads), "native"
    try:
        from neurodeploy.backends.spinnaker.board.python_engine import PythonEngine
    except ImportError as error:
        raise ToolchainMissingError(
            f"The emulated board can't be started: {error}", fix="pip install 'neurodeploy[spinnaker]'"
        ) from error
    return lambda chips, services: PythonEngine([chip.memories for chip in chips], services), "python"


def _native(chips: list[Chip], services: Services, threads: int) -> Engine:
    return NativeEngine([chip.memories for chip in chips], services, threads)
