"""What is on this machine: backends, boards, environments, the cache."""

from __future__ import annotations

from typing import Annotated

import typer

from neurodeploy.verbs.options import (
    Debug,
    FaultsOption,
    Hardware,
    Host,
    Json,
    Out,
)
from neurodeploy.verbs.screen import Progress, show

board = typer.Typer(help="The emulated SpiNNaker board.", no_args_is_help=True)
toolchain = typer.Typer(
    help="Environments of their own, for tools that can't live beside neurodeploy.", no_args_is_help=True
)
cache = typer.Typer(help="Compiled programs and environments that are kept: what there is, and to clear it.")


@cache.callback(invoke_without_command=True)
def show_cache(context: typer.Context, as_json: Json = False, debug: Debug = False) -> None:
    """What lies in the cache folder."""
    if context.invoked_subcommand is None:
        from neurodeploy.report.cache import survey

        show(survey(), as_json)


@cache.command("clear")
def clear_cache(
    part: Annotated[str, typer.Argument(help="A part that 'neurodeploy cache' names, or all.")],
    debug: Debug = False,
) -> None:
    """Remove a part of the cache, or all of it; what is needed again is made again."""
    from neurodeploy.report.cache import clear

    typer.echo(f"{clear(part) / 1e6:.1f} MB are free again")


def doctor(
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask this machine, too, whether it answers: a name, or your own YAML file; may be given again.",
            show_default=False,
        ),
    ] = None,
    host: Host = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What is usable on this machine, and the exact line that installs the rest."""
    from neurodeploy.report.doctor import examine

    show(examine(hardware or [], host), as_json)


def targets(as_json: Json = False, debug: Debug = False) -> None:
    """The backends, the tick rules, and what each of them supports."""
    from neurodeploy.report.targets import survey

    show(survey(), as_json)


def test_board(
    hardware: Hardware = None,
    host: Host = None,
    suite: Annotated[
        str,
        typer.Option(
            help="functional (about a minute), stress (minutes), all (both), or heavy (half an hour)."
        ),
    ] = "functional",
    only: Annotated[
        str | None, typer.Option(help="Names of tests, with commas between; see --list.", show_default=False)
    ] = None,
    faults: FaultsOption = None,
    out: Out = None,
    listed: Annotated[bool, typer.Option("--list", help="Say what tests there are, and run none.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Test a SpiNNaker board, emulated or physical: delays, weights, learning, cells, the memory, load."""
    from neurodeploy.boardtest import application

    if listed:
        show(application.list_tests(), as_json)
        return
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    with Progress(enabled=not as_json) as progress:
        report = application.test_board(hardware, host, suite, names, faults, out, progress.show)
    show(report, as_json)
    if not report.passed:
        raise typer.Exit(1)


@board.command()
def serve(
    version: Annotated[int, typer.Option(help="Version of the board: 3 (4 chips) or 5 (48 chips).")] = 3,
    address: Annotated[
        str | None, typer.Option(help="Address to serve on.", show_default="a free loopback address")
    ] = None,
    faults: FaultsOption = None,
    debug: Debug = False,
) -> None:
    """Start an emulated board and keep it up until Ctrl-C; run on it with '--host ADDRESS'."""
    from neurodeploy.backends.spinnaker.serve import serve_board

    serve_board(version, address, faults, lambda line: typer.echo(line))


Name = Annotated[str, typer.Argument(help="A name of 'neurodeploy toolchain list'.")]


@toolchain.command()
def install(
    name: Name,
    python: Annotated[
        str | None, typer.Option(help="The Python to make it with.", show_default="the first that fits")
    ] = None,
    debug: Debug = False,
) -> None:
    """Make the environment of a backend in the cache folder; does nothing where it is there and whole."""
    from neurodeploy import toolchains

    typer.echo(toolchains.install(name, lambda line: typer.echo(line, err=True), python))


@toolchain.command("list")
def list_toolchains(as_json: Json = False, debug: Debug = False) -> None:
    """What can be installed, and what is."""
    from neurodeploy.report.toolchains import survey

    show(survey(), as_json)


@toolchain.command()
def remove(name: Name, debug: Debug = False) -> None:
    """Remove the environment of a backend from the cache folder."""
    from neurodeploy import toolchains

    typer.echo("removed" if toolchains.remove(name) else "there was none")
