"""The command line.  Every verb is thin: it reads options, calls one function, and shows what comes back.

Exit codes: 0 done; 1 the run failed; 2 the request was wrong; 130 interrupted.  Errors are one message, never a
traceback, unless ``--debug``.  Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from neurodeploy.errors import NeurodeployError
from neurodeploy.options import RunOptions
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
app.add_typer(run, name="run")
train = typer.Typer(help="Train one of the models that learn before they run.", no_args_is_help=True)
app.add_typer(train, name="train")
board = typer.Typer(help="The emulated SpiNNaker board.", no_args_is_help=True)
app.add_typer(board, name="board")
toolchain = typer.Typer(
    help="Environments of their own, for tools that can't live beside neurodeploy.", no_args_is_help=True
)
app.add_typer(toolchain, name="toolchain")
cache = typer.Typer(help="Compiled programs and environments that are kept: what there is, and to clear it.")
app.add_typer(cache, name="cache")

Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results and nothing else.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(VERSION)
        raise typer.Exit


Backend = Annotated[str, typer.Option(help="Where to run: see 'neurodeploy targets'.")]
Rules = Annotated[
    str | None,
    typer.Option(help="Tick rules: see 'neurodeploy targets'.", show_default="the chip's or the model's own"),
]
EngineOption = Annotated[
    str, typer.Option(help="Brian2's engine: cpp (compiled), or runtime (slower, needs no compiler).")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 lets it choose.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the results.", show_default="runs/<model>-<date>-<time>")
]
Hardware = Annotated[
    str | None,
    typer.Option(
        help="The machine, for a backend that has several: a name of 'neurodeploy targets', or your own YAML file.",
        show_default="the backend's own",
    ),
]
Host = Annotated[
    str | None, typer.Option(help="Address of the board or server.", show_default="the hardware's")
]
FaultsOption = Annotated[
    str | None,
    typer.Option(
        help="Break the emulated board on purpose, e.g. 'dead-core=0,0,5; lose=0.05'.", show_default=False
    ),
]
AllowLosses = Annotated[
    bool,
    typer.Option(
        "--allow-losses", help="Keep a run in which something was late, lost or vanished; it is counted."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


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
            " clouds (Motion Clouds); motifs (known spike motifs)."
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
    movies: Annotated[int, typer.Option(min=1, help="Number of test movies.")] = 40,
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
    from neurodeploy.delays.motifs import run_motifs
    from neurodeploy.delays.recording_application import run_recording
    from neurodeploy.delays.robustness_application import run_robustness
    from neurodeploy.delays.run_application import choose_camera, refuse_beside, refuse_useless, run_delays
    from neurodeploy.delays.target_application import run_on_target

    machine = {
        "--rules": rules,
        "--hardware": hardware,
        "--host": host,
        "--faults": faults,
        "--neuron": neuron,
        "--inhibition": inhibition,
    }
    refuse_beside(backend, experiment, readout, machine)
    given: dict[str, object] = {
        "--model": model,
        "--synapses": synapses,
        "--bits": bits,
        "--readout": readout,
    }
    given |= {
        "--size": size,
        "--images": images,
        "--camera": camera,
        "--checkpoint": checkpoint,
        "--sensor": sensor,
        "--backend": backend,
    }
    refuse_useless(experiment, events, given)
    seen = choose_camera(camera)
    result: Any
    with Progress(enabled=not as_json) as progress:
        if events is not None:
            result = run_recording(events, sensor, model, synapses, out, progress.show)
        elif experiment == "motifs":
            result = run_motifs(seed, out=out, progress=progress.show)
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
            help="digits (needs no file), mnist, fashion-mnist, nmnist-simulated, or idx (your own IDX files)."
        ),
    ] = "digits",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the IDX files, plain or .gz.", show_default="published sets are fetched, once"
        ),
    ] = None,
    variant: Annotated[str, typer.Option(help="nalsm, lsm-stdp, lsm-ap-stdp or lsm.")] = "nalsm",
    neurons: Annotated[int, typer.Option(help="Of the liquid: a cube, such as 1000 or 8000.")] = 1000,
    astrocyte_weight: Annotated[
        float | None, typer.Option(help="nalsm: w_astro.", show_default="0.015; 0.0075 from 8,000 neurons on")
    ] = None,
    astrocyte_density: Annotated[
        float, typer.Option(help="nalsm: share of the neurons that the astrocyte reads.")
    ] = 1.0,
    start_weight: Annotated[
        float | None,
        typer.Option(help="Magnitude of every weight at the start.", show_default="the variant's own"),
    ] = None,
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
        typer.Option(help="soft (the authors' targets), adadelta (their training too), hard or refitted."),
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
        variant,
        neurons,
        astrocyte_weight,
        astrocyte_density,
        start_weight,
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
    normalisation: Annotated[
        str, typer.Option(help="separate-maximum (the authors') or training-maximum.")
    ] = "separate-maximum",
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

    request = Request(
        dataset, data, neurons, astrocyte_weight, snapshots, normalisation, restrictions, lava, seed, out
    )
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


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="cam, lsm, delays, or the path of a PyNN script.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The script's own arguments, after --.", show_default=False)
    ] = None,
    backend: Backend = "brian2",
    rules: Rules = None,
    hardware: Hardware = None,
    allow_losses: AllowLosses = False,
    experiment: Annotated[
        str | None,
        typer.Option(help="cam: functional, stress, state-map or random.", show_default="functional"),
    ] = None,
    cues: Annotated[
        int | None, typer.Option(help="cam: number of cues, m.", show_default="the experiment's own")
    ] = None,
    contents: Annotated[
        int | None,
        typer.Option(help="cam: number of content elements, n.", show_default="the experiment's own"),
    ] = None,
    neurons: Annotated[int | None, typer.Option(help="lsm: neurons.", show_default="1000")] = None,
    inputs: Annotated[int | None, typer.Option(help="lsm: input neurons.", show_default="784")] = None,
    variant: Annotated[
        str | None, typer.Option(help="lsm: nalsm, lsm-stdp, lsm-ap-stdp or lsm.", show_default="lsm")
    ] = None,
    synapses: Annotated[
        int | None, typer.Option(help="delays: prune to this many.", show_default="652")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="delays: bits of a weight.", show_default="8")] = None,
    size: Annotated[
        str | None, typer.Option(help="delays: patch, small or paper.", show_default="patch")
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
        "seed": seed,
    }
    result = checking.check(model, backend, hardware, rules, allow_losses, arguments, rate, like, **given)
    show(result, as_json)
    if not result.fits:
        raise typer.Exit(1)


@app.command("test-board")
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


@app.command()
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
    experiment: Annotated[
        str | None,
        typer.Option(help="cam: functional, stress, state-map or random.", show_default="functional"),
    ] = None,
    neurons: Annotated[int | None, typer.Option(help="lsm: neurons.", show_default="1000")] = None,
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
    synapses: Annotated[
        int | None, typer.Option(help="delays: prune to this many.", show_default="652")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="delays: bits of a weight.", show_default="8")] = None,
    size: Annotated[
        str | None, typer.Option(help="delays: patch, small or paper.", show_default="patch")
    ] = None,
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


@app.command()
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


@app.command()
def targets(as_json: Json = False, debug: Debug = False) -> None:
    """The backends, the tick rules, and what each of them supports."""
    from neurodeploy.report.targets import survey

    show(survey(), as_json)


def show(result: Any, as_json: bool) -> None:
    """Print a result: its ``data`` for machines, or its ``render()`` for people."""
    if as_json:
        from neurodeploy.recording import plain

        typer.echo(json.dumps(result.data, indent=2, ensure_ascii=False, default=plain))
        return
    from rich.console import Console

    Console().print(*result.render(), sep="\n")


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Progress:
    """A progress bar on standard error, shown only to people."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled and sys.stderr.isatty()
        self.bar: Any = None
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        return self

    def show(self, stage: str, done: int, total: int) -> None:
        if not self.enabled:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
            self.bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self.bar.start()
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self.tasks[stage], completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()


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
        fail(f"{error.filename or 'A file'}: {os.strerror(error.errno or 0)}", 1)


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong on standard error and leave."""
    print(f"neurodeploy: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
