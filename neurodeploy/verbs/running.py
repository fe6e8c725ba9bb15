"""``neurodeploy run``: a model that comes along, or a script, from options to results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from neurodeploy.options import RunOptions
from neurodeploy.verbs.options import (
    AllowLosses,
    Backend,
    Debug,
    EngineOption,
    FaultsOption,
    Hardware,
    Host,
    Json,
    Out,
    Rules,
    Seed,
    Threads,
    of_the_engine,
)
from neurodeploy.verbs.screen import INTERRUPTED, Progress, fail, show


class Runs(TyperGroup):
    """Models by name, and any PyNN script by its path."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0].endswith(".py"):
            args = ["script", *args]
        return super().resolve_command(ctx, args)


run = typer.Typer(
    cls=Runs,
    help="Run one of the models that come with neurodeploy, or a PyNN script: 'neurodeploy run SCRIPT.py'.",
    no_args_is_help=True,
)


@run.command()
def cam(
    experiment: Annotated[str, typer.Option(help="functional, stress, state-map or random.")] = "functional",
    operations: Annotated[
        Path | None, typer.Option(help="CSV of your own operations: time_ms,operation,cue,content.")
    ] = None,
    cues: Annotated[
        int | None, typer.Option(help="Number of cues, m.", show_default="the experiment's own")
    ] = None,
    contents: Annotated[
        int | None, typer.Option(help="Number of content elements, n.", show_default="the experiment's own")
    ] = None,
    spacing: Annotated[
        int | None, typer.Option(help="random: ms from one operation to the next.", show_default="20")
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="random: number of operations.", show_default="60")
    ] = None,
    backend: Backend = "brian2",
    rules: Rules = None,
    engine: EngineOption = "cpp",
    threads: Threads = 0,
    hardware: Hardware = None,
    host: Host = None,
    faults: FaultsOption = None,
    allow_losses: AllowLosses = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The hippocampal content-addressable memory: learn, recall by cue or content, forget."""
    from neurodeploy.cam.application import run_cam

    options = RunOptions(
        backend, rules, engine, threads, seed, out, as_json, hardware, host, faults, allow_losses
    )
    with Progress(enabled=not as_json) as progress:
        result = run_cam(
            options,
            experiment=experiment,
            operations=operations,
            cues=cues,
            contents=contents,
            spacing=spacing,
            count=count,
            progress=progress.show,
        )
    show(result, as_json)


@run.command()
def delays(
    experiment: Annotated[
        str,
        typer.Option(
            help="motion; curves (accuracy against synapses and delays); robustness (against disturbed events);"
            " clouds (Motion Clouds); kernels (do they follow their motions); motifs (known spike motifs)."
        ),
    ] = "motion",
    events: Annotated[
        Path | None,
        typer.Option(
            help="A recording of your own instead of movies: x, y, p, t (µs) as .npy, .npz, .csv, or a format of tonic's.",
            show_default=False,
        ),
    ] = None,
    sensor: Annotated[
        str | None,
        typer.Option(
            help="With --events: rows and columns of the camera, such as 260x346.",
            show_default="the largest that occur",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            help="How a movie becomes events: differencing (the authors' code) or accumulating (the article).",
            show_default="differencing",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Model file of 'train delays'.", show_default="the one that comes along"),
    ] = None,
    synapses: Annotated[
        int | None,
        typer.Option(min=1, help="Prune to this many, the same number in every class.", show_default="all"),
    ] = None,
    bits: Annotated[
        int | None, typer.Option(min=2, max=24, help="Bits of a weight.", show_default="floating point")
    ] = None,
    readout: Annotated[
        str | None,
        typer.Option(
            help="evidence, or spikes (counts of each class).", show_default="evidence; spikes on a backend"
        ),
    ] = None,
    movies: Annotated[
        int | None, typer.Option(min=1, help="Number of test movies.", show_default="40")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="paper (128 x 128 pixels, 200 ms), small (64 x 64, 60 ms) or patch (32 x 32, 60 ms).",
            show_default="paper; patch on a backend",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of your own images.", show_default="the embedded ones")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="robustness and clouds: file of what is decided, to go on from where it is there, and to write.",
            show_default=False,
        ),
    ] = None,
    neuron: Annotated[
        str | None,
        typer.Option(
            help="On a backend: deterministic, stochastic (brian2 alone) or winner (a spike silences other classes).",
            show_default="deterministic",
        ),
    ] = None,
    inhibition: Annotated[
        int | None,
        typer.Option(min=1, help="ms for which a winner silences the others.", show_default="1"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="Run the detectors as spiking neurons there: see 'neurodeploy targets'.",
            show_default="none: evidence in floating point",
        ),
    ] = None,
    rules: Rules = None,
    engine: EngineOption = "cpp",
    threads: Threads = 0,
    hardware: Hardware = None,
    host: Host = None,
    faults: FaultsOption = None,
    allow_losses: AllowLosses = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The motion detectors with heterogeneous delays on movies over held-out images; with --backend as spiking neurons."""
    from neurodeploy.delays.clouds_application import run_clouds
    from neurodeploy.delays.kernels_application import run_kernels
    from neurodeploy.delays.motifs import run_motifs
    from neurodeploy.delays.recording_application import run_recording
    from neurodeploy.delays.robustness_application import run_robustness
    from neurodeploy.delays.run_application import (
        MOVIES,
        choose_camera,
        refuse_beside,
        refuse_useless,
        run_delays,
    )
    from neurodeploy.delays.target_application import run_on_target

    machine = {
        "--rules": rules,
        "--hardware": hardware,
        "--host": host,
        "--faults": faults,
        **of_the_engine(engine, threads, allow_losses),
        "--neuron": neuron,
        "--inhibition": inhibition,
    }
    refuse_beside(backend, experiment, readout, machine)
    given: dict[str, object] = {
        "--model": model,
        "--synapses": synapses,
        "--bits": bits,
        "--readout": readout,
        "--movies": movies,
        "--size": size,
        "--images": images,
        "--camera": camera,
        "--checkpoint": checkpoint,
        "--sensor": sensor,
        "--backend": backend,
    }
    refuse_useless(experiment, events, given)
    seen, movies = choose_camera(camera), movies or MOVIES
    result: Any
    with Progress(enabled=not as_json) as progress:
        if events is not None:
            result = run_recording(events, sensor, model, synapses, out, progress.show)
        elif experiment == "motifs":
            result = run_motifs(seed, out=out, progress=progress.show)
        elif experiment == "kernels":
            result = run_kernels(model, out)
        elif experiment == "clouds":
            result = run_clouds(
                model, synapses, movies, seed, out, progress.show, camera=seen, checkpoint=checkpoint
            )
        elif experiment == "robustness":
            result = run_robustness(
                model, synapses, movies, size or "paper", images, seed, out, progress.show, seen, checkpoint
            )
        elif backend is None:
            read, frame = readout or "evidence", size or "paper"
            result = run_delays(
                experiment, model, synapses, bits, read, movies, frame, images, seed, out, progress.show, seen
            )
        else:
            options = RunOptions(
                backend, rules, engine, threads, seed, out, as_json, hardware, host, faults, allow_losses
            )
            result = run_on_target(
                options, model, synapses, bits, movies, size, images, progress.show, seen, neuron, inhibition
            )
    show(result, as_json)


@run.command()
def lsm(
    dataset: Annotated[
        str,
        typer.Option(
            help="digits (needs no file), mnist, fashion-mnist, nmnist-simulated, nmnist (the recordings), events (your own"
            " recordings), or idx (your own IDX files)."
        ),
    ] = "digits",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the IDX files, plain or .gz; or of recordings: Train/CLASS/FILE and Test/CLASS/FILE.",
            show_default="published images are fetched, once",
        ),
    ] = None,
    sensor: Annotated[
        str | None,
        typer.Option(
            help="events: rows and columns of the camera, such as 128x128.",
            show_default="the largest that occur",
        ),
    ] = None,
    variant: Annotated[str, typer.Option(help="nalsm, lsm-stdp, lsm-ap-stdp or lsm.")] = "nalsm",
    neurons: Annotated[int, typer.Option(help="Of the liquid: a cube, such as 1000 or 8000.")] = 1000,
    liquids: Annotated[
        int,
        typer.Option(
            min=1, help="Liquids of that size, each with its own wiring and input spikes, read out together."
        ),
    ] = 1,
    astrocyte_weight: Annotated[
        float | None, typer.Option(help="nalsm: w_astro.", show_default="0.015; 0.0075 from 8,000 neurons on")
    ] = None,
    astrocyte_density: Annotated[
        float | None,
        typer.Option(help="nalsm: share of the neurons that the astrocyte reads.", show_default="1: all"),
    ] = None,
    start_weight: Annotated[
        float | None,
        typer.Option(help="Magnitude of every weight at the start.", show_default="the variant's own"),
    ] = None,
    tune_start_weight: Annotated[
        bool,
        typer.Option(
            "--tune-start-weight",
            help="lsm: choose it from 0.4 to 1.4, by how a read-out of the first 10,000 training images does.",
        ),
    ] = False,
    snapshots: Annotated[
        int | None,
        typer.Option(
            min=1, help="Images of 20 ms that the liquid forms by.", show_default="50000; digits: 10000"
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="plastic or frozen weights while spikes are counted.", show_default="the variant's own"
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Use the first training images alone.", show_default="all")
    ] = None,
    test_samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Use the first test images alone.", show_default="all; 20 on spinnaker and loihi"
        ),
    ] = None,
    normalisation: Annotated[
        str, typer.Option(help="separate-maximum (the authors') or training-maximum.")
    ] = "separate-maximum",
    readout: Annotated[
        str,
        typer.Option(
            help="soft (the authors' targets), adadelta (their training too), hard, refitted, chosen or kernel."
        ),
    ] = "soft",
    kernel_quality: Annotated[
        int,
        typer.Option(
            min=0, help="Ranks of spike counts of clean and noisy test images, over this many draws."
        ),
    ] = 0,
    processes: Annotated[
        int, typer.Option(min=0, help="Processes that samples are shared over; 0: one a processor.")
    ] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers share them.", show_default=False),
    ] = None,
    learn_from: Annotated[
        str,
        typer.Option(
            help="With --backend: the read-out learns from counts of the model in floating point (float) or of the target"
            " (target: brian2 alone)."
        ),
    ] = "float",
    backend: Annotated[
        str | None,
        typer.Option(
            help="Count the spikes of the frozen liquid there: see 'neurodeploy targets'.",
            show_default="none: the model's own rules",
        ),
    ] = None,
    rules: Rules = None,
    engine: EngineOption = "cpp",
    threads: Threads = 0,
    hardware: Hardware = None,
    host: Host = None,
    faults: FaultsOption = None,
    allow_losses: AllowLosses = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The astrocyte-gated liquid (NALSM): images to accuracy; with --backend its frozen weights on a target. A run that is
    stopped goes on by the same command."""
    from neurodeploy.lsm.application import Request, run_lsm
    from neurodeploy.lsm.target_application import refuse_without_backend, run_on_target

    request = Request(
        dataset,
        data,
        sensor,
        variant,
        neurons,
        liquids,
        astrocyte_weight,
        astrocyte_density,
        start_weight,
        tune_start_weight,
        snapshots,
        features,
        samples,
        test_samples,
        normalisation,
        readout,
        kernel_quality,
        seed,
        processes,
        scheduler,
        out,
    )
    machine = {"--rules": rules, "--hardware": hardware, "--host": host, "--faults": faults}
    machine |= of_the_engine(engine, threads, allow_losses)
    if backend is None:
        refuse_without_backend(machine, learn_from)
    result: Any
    try:
        with Progress(enabled=not as_json) as progress:
            if backend is None:
                result = run_lsm(request, progress.show)
            else:
                options = RunOptions(
                    backend, rules, engine, threads, seed, out, as_json, hardware, host, faults, allow_losses
                )
                result = run_on_target(options, request, learn_from, progress.show)
    except KeyboardInterrupt:
        fail("Interrupted. The same command goes on where this one was.", INTERRUPTED)
    show(result, as_json)


@run.command("lsm-learning")
def lsm_learning(
    dataset: Annotated[
        str,
        typer.Option(help="digits (needs no file), mnist, fashion-mnist, or idx (your own IDX files)."),
    ] = "digits",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the IDX files, plain or .gz.", show_default=False)
    ] = None,
    neurons: Annotated[int, typer.Option(help="Of the liquid: a cube.")] = 125,
    astrocyte_weight: Annotated[float | None, typer.Option(help="w_astro.", show_default="0.015")] = None,
    snapshots: Annotated[int, typer.Option(min=1, help="Images of 20 ms that the liquid forms by.")] = 1000,
    restrictions: Annotated[
        bool, typer.Option(help="Also put each of the chip's restrictions on the exact network alone.")
    ] = True,
    lava: Annotated[
        bool,
        typer.Option(help="Run in Lava; else by the reference in NumPy, which is to have the same numbers."),
    ] = True,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The liquid (NALSM) forms on Loihi, in Lava, by its three-factor rule, beside the same snapshots in floating point."""
    from neurodeploy.lsm.learning_application import Request, run_learning

    request = Request(dataset, data, neurons, astrocyte_weight, snapshots, restrictions, lava, seed, out)
    try:
        with Progress(enabled=not as_json) as progress:
            result = run_learning(request, progress.show)
    except KeyboardInterrupt:
        fail("Interrupted.", INTERRUPTED)
    show(result, as_json)


@run.command()
def script(
    path: Annotated[Path, typer.Argument(help="A PyNN script, whatever simulator it was written for.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Its own arguments, after --.", show_default=False)
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="Where to run: see 'neurodeploy targets'.", show_default="the script's own, else brian2"
        ),
    ] = None,
    rules: Rules = None,
    engine: EngineOption = "cpp",
    threads: Threads = 0,
    hardware: Hardware = None,
    host: Host = None,
    faults: FaultsOption = None,
    allow_losses: AllowLosses = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """A PyNN script of your own, whole; 'script' may be left out: neurodeploy run SCRIPT.py."""
    from neurodeploy.scripts.application import run_script

    options = RunOptions(
        backend or "", rules, engine, threads, seed, out, as_json, hardware, host, faults, allow_losses
    )
    with Progress(enabled=not as_json) as progress:
        result = run_script(options, backend, path, arguments or [], progress.show)
    show(result, as_json)
