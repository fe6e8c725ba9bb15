"""``neurodeploy train``: models that learn before they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from neurodeploy.verbs.options import (
    Debug,
    Json,
    Out,
    Seed,
)
from neurodeploy.verbs.screen import INTERRUPTED, Progress, fail, show

train = typer.Typer(help="Train one of the models that learn before they run.", no_args_is_help=True)


@train.command("delays")
def train_delays(
    task: Annotated[str, typer.Option(help="paper (36 classes) or small (12 directions).")] = "paper",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of Adam.", show_default="the task's own")
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="Voxels that the loss is over: events, uniform or mixed.", show_default="events"),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="softmax, or binary (the article's).", show_default="softmax")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.", show_default="0.001")] = None,
    sparsity: Annotated[
        float | None, typer.Option(min=0, help="Pull of every weight towards 0.", show_default="0")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of your own images.", show_default="the embedded ones")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File to go on from where it is there, and to write.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after this long; the same command goes on.", show_default="no end"),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help="What executes the steps: numpy; cpu, cuda or another device of torch; or auto, cuda where torch"
            " finds a GPU and numpy elsewhere."
        ),
    ] = "numpy",
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The motion detectors with heterogeneous delays: from movies of natural images to a model file."""
    from neurodeploy.delays.train_application import choose_settings
    from neurodeploy.delays.train_application import train_delays as train_layer

    settings = choose_settings(
        task, steps=steps, sampling=sampling, loss=loss, rate=rate, sparsity=sparsity, seed=seed
    )
    try:
        with Progress(enabled=not as_json) as progress:
            result = train_layer(
                settings,
                images,
                out,
                checkpoint,
                minutes,
                device=device,
                progress=progress.show,
                note=None
                if progress.enabled or as_json
                else lambda line: print(line, file=sys.stderr, flush=True),
            )
    except KeyboardInterrupt:
        if checkpoint is None or not checkpoint.exists():
            raise
        fail(f"Interrupted. The same command goes on from {checkpoint}.", INTERRUPTED)
    show(result, as_json)
