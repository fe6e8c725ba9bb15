"""``neurodeploy board serve``: an emulated board for other programs, until the user ends it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack

from neurodeploy import cache
from neurodeploy.backends.spinnaker.board.process import BoardProcess
from neurodeploy.backends.spinnaker.session import BOARD_LOG
from neurodeploy.chips.spinnaker_map import BOARD_SIDES, board_chips
from neurodeploy.errors import RequestError, RunError


def serve_board(version: int, address: str | None, faults: str | None, say: Callable[[str], None]) -> None:
    """Serve an emulated board until an interrupt.

    Raises
    ------
    RequestError
        There is no board of that version, or a fault has no meaning.
    RunError
        It can't be started, or has ended by itself.
    """
    if version not in BOARD_SIDES:
        raise RequestError(
            f"--version {version}: there is no such SpiNNaker board",
            fix=f"choose one of: {', '.join(str(known) for known in BOARD_SIDES)}",
        )
    with ExitStack() as stack:
        folder = cache.session_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        board = stack.enter_context(
            BoardProcess(version=version, address=address, log=folder / BOARD_LOG, faults=faults)
        )
        say(
            f"emulated board, version {version}, {len(board_chips(version))} chips, at {board.address}; Ctrl-C ends it"
        )
        say(f"run on it: neurodeploy run cam --backend spinnaker --host {board.address}")
        while board.alive:
            time.sleep(1.0)
        raise RunError("The emulated board has ended by itself", fix="start it again")
