"""``neurodeploy check`` before a run, and ``neurodeploy compare`` after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurodeploy.verbs.options import (
    AllowLosses,
    Backend,
    Debug,
    Hardware,
    Json,
    Out,
    Rules,
    Seed,
)
from neurodeploy.verbs.screen import Progress, show

Experiment = Annotated[
    str | None,
    typer.Option(help="cam: functional, stress, state-map or random.", show_default="functional"),
]
Neurons = Annotated[int | None, typer.Option(help="lsm: neurons.", show_default="1000")]
Synapses = Annotated[int | None, typer.Option(help="delays: prune to this many.", show_default="652")]
Bits = Annotated[int | None, typer.Option(help="delays: bits of a weight.", show_default="8")]
Size = Annotated[str | None, typer.Option(help="delays: patch, small or paper.", show_default="patch")]


def check(
    model: Annotated[str, typer.Argument(help="cam, lsm, delays, or the path of a PyNN script.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The script's own arguments, after --.", show_default=False)
    ] = None,
    backend: Backend = "brian2",
    rules: Rules = None,
    hardware: Hardware = None,
    allow_losses: AllowLosses = False,
    experiment: Experiment = None,
    cues: Annotated[
        int | None, typer.Option(help="cam: number of cues, m.", show_default="the experiment's own")
    ] = None,
    contents: Annotated[
        int | None,
        typer.Option(help="cam: number of content elements, n.", show_default="the experiment's own"),
    ] = None,
    neurons: Neurons = None,
    inputs: Annotated[int | None, typer.Option(help="lsm: input neurons.", show_default="784")] = None,
    variant: Annotated[
        str | None, typer.Option(help="lsm: nalsm, lsm-stdp, lsm-ap-stdp or lsm.", show_default="lsm")
    ] = None,
    synapses: Synapses = None,
    bits: Bits = None,
    size: Size = None,
    neuron: Annotated[
        str | None,
        typer.Option(
            help="delays: deterministic, stochastic (brian2 alone) or winner.", show_default="deterministic"
        ),
    ] = None,
    inhibition: Annotated[
        int | None,
        typer.Option(min=1, help="delays: ms for which a winner silences the others.", show_default="1"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Hz at which neurons that are no sources fire, for costs.",
            show_default="0 to 30, likely 10",
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a run whose spikes say how often neurons fire, for costs.", show_default=False
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Does a model fit, and what happens to its numbers: everything that is wrong, before anything runs."""
    from neurodeploy.report import check as checking

    given = {
        "experiment": experiment,
        "cues": cues,
        "contents": contents,
        "neurons": neurons,
        "inputs": inputs,
        "variant": variant,
        "synapses": synapses,
        "bits": bits,
        "size": size,
        "neuron": neuron,
        "inhibition": inhibition,
        "seed": seed,
    }
    result = checking.check(model, backend, hardware, rules, allow_losses, arguments, rate, like, **given)
    show(result, as_json)
    if not result.fits:
        raise typer.Exit(1)


def compare(
    model: Annotated[
        str,
        typer.Argument(
            help="cam, lsm, delays, or the path of a PyNN script; its own arguments come after --."
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the script.")] = None,
    against: Annotated[
        str | None, typer.Option(help="A second model, to compare this one with.", show_default=False)
    ] = None,
    backends: Annotated[
        str, typer.Option(help="The sides, with commas between: see 'neurodeploy targets'.")
    ] = "brian2,spinnaker",
    rules: Annotated[
        str | None,
        typer.Option(
            help="Tick rules: one for all, or one for each side with commas between; '-' is the backend's own.",
            show_default="the backends' or the model's own",
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            help="Machines: one for each side, with commas between; '-' is the backend's own.",
            show_default="the backends' own",
        ),
    ] = None,
    experiment: Experiment = None,
    neurons: Neurons = None,
    snapshots: Annotated[
        int | None, typer.Option(min=0, help="lsm: the liquid forms by this many.", show_default="10000")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="lsm: its read-out learns from this many.", show_default="all")
    ] = None,
    test_samples: Annotated[
        int | None, typer.Option(min=1, help="lsm: images that are shown.", show_default="10")
    ] = None,
    movies: Annotated[
        int | None, typer.Option(min=1, help="delays: movies that are shown.", show_default="12")
    ] = None,
    synapses: Synapses = None,
    bits: Bits = None,
    size: Size = None,
    differing: Annotated[
        float, typer.Option(min=0, max=1, help="Share of spikes without a partner that still passes.")
    ] = 0.0,
    allow_losses: AllowLosses = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a model on several targets: do they agree, and if not, where do they part, and why."""
    from neurodeploy.comparison import application

    with Progress(enabled=not as_json) as progress:
        result = application.compare(
            model,
            against,
            backends,
            rules,
            hardware,
            differing,
            allow_losses,
            out,
            arguments or [],
            progress.show,
            seed,
            experiment=experiment,
            neurons=neurons,
            snapshots=snapshots,
            samples=samples,
            test_samples=test_samples,
            movies=movies,
            synapses=synapses,
            bits=bits,
            size=size,
        )
    show(result, as_json)
    if not result.data["agree"]:
        raise typer.Exit(1)
