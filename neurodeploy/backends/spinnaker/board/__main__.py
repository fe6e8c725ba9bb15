"""The process of an emulated board: says on standard output where it is, then serves until its parent is gone."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback

from neurodeploy.backends.spinnaker.board.faults import parse
from neurodeploy.backends.spinnaker.board.machine import Board
from neurodeploy.backends.spinnaker.board.open import ENGINES, engine_for
from neurodeploy.backends.spinnaker.board.server import Server, bind
from neurodeploy.chips.spinnaker_map import BOARD_SIDES
from neurodeploy.errors import NeurodeployError


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m neurodeploy.backends.spinnaker.board", description=__doc__
    )
    parser.add_argument("--version", type=int, choices=sorted(BOARD_SIDES), default=3)
    parser.add_argument("--address")
    parser.add_argument("--faults")
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parent", type=int, help="end when this process is no more the parent")
    chosen = parser.parse_args()
    try:
        faults = parse(chosen.faults, chosen.version)
        engine_of, engine = engine_for(chosen.engine, chosen.threads, say)
        address, scp, boot = bind(chosen.address)
        board = Board(chosen.version, address, engine_of, faults, say)
    except NeurodeployError as error:
        print(json.dumps({"error": error.what, "why": error.why, "fix": error.fix}), flush=True)
        return 1
    except Exception as error:
        traceback.print_exc()
        message = f"The emulated board can't be started: {type(error).__name__}: {error}"
        print(json.dumps({"error": message, "why": "", "fix": ""}), flush=True)
        return 1
    say(f"board of version {chosen.version}, {len(board.chips)} chips, at {address}; engine {engine}")
    if faults.text:
        say(f"faults: {faults.text}")
    print(json.dumps({"address": address, "engine": engine}), flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        Server(board, scp, boot, lambda: chosen.parent is None or os.getppid() == chosen.parent).run()
    except KeyboardInterrupt:
        pass
    finally:
        board.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
