"""The command line: its verbs, and what becomes of errors.

Every verb (:mod:`neurodeploy.verbs`) is thin: it reads options, calls one function, and shows what comes back.

Exit codes: 0 done; 1 the run failed; 2 the request was wrong; 130 interrupted.  Errors are one message, never a
traceback, unless ``--debug``.  Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from neurodeploy.errors import NeurodeployError
from neurodeploy.verbs import judging, machine, running, training
from neurodeploy.verbs.screen import INTERRUPTED, fail
from neurodeploy.version import VERSION

try:  # typer carries its own click from 0.26 on
    from typer import TyperException
except ImportError:
    from click import ClickException as TyperException  # type: ignore[assignment,no-redef]

app = typer.Typer(
    name="neurodeploy",
    help="A spiking model written once, in PyNN, on SpiNNaker, Loihi or plain C++.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GROUPS = {
    "run": running.run,
    "train": training.train,
    "board": machine.board,
    "toolchain": machine.toolchain,
    "cache": machine.cache,
}
VERBS: dict[str, Callable[..., None]] = {
    "check": judging.check,
    "compare": judging.compare,
    "test-board": machine.test_board,
    "doctor": machine.doctor,
    "targets": machine.targets,
}
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)
for _name, _verb in VERBS.items():
    app.command(_name)(_verb)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(VERSION)
        raise typer.Exit


def main() -> None:
    """Entry point: run a command and turn what went wrong into a message and an exit code."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into an exit code by itself
            fail("Interrupted. Nothing was kept.", INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)
    except NeurodeployError as error:
        if debug:
            raise
        fail(str(error), error.exit_code)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        fail(error.format_message(), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("Interrupted. Nothing was kept.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        fail(f"{error.filename or 'A file'}: {os.strerror(error.errno) if error.errno else error}", 1)


if __name__ == "__main__":
    main()
