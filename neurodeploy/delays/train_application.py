"""``neurodeploy train delays``: from options to a model file and a run directory.

``model.npz`` is the layer, with the settings, seed, command and time that made it; ``curve.csv`` and ``curve.png``
say how training went; ``metrics.json`` and ``run.json`` as for every run.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neurodeploy.cache import keep_matplotlib_files
from neurodeploy.delays import devices, training
from neurodeploy.delays import images as image_sets
from neurodeploy.delays.images import Image
from neurodeploy.delays.motions import SPEEDS, Motions
from neurodeploy.delays.movies import refuse_small
from neurodeploy.delays.training import State, TrainingSettings
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.processes import signals_wait
from neurodeploy.recording import command_line, default_folder, run_directory
from neurodeploy.report.page import leave_run

TASKS = {
    "paper": TrainingSettings(),
    "small": TrainingSettings(
        motions=Motions(12, SPEEDS[2:]),
        delays=11,
        side=9,
        height=40,
        width=40,
        steps_ms=32,
        steps=300,
    ),
}
"""``paper``: 36 classes, kernels of 21 ms x 17 x 17; ``small``: 12 directions at one speed, 11 ms x 9 x 9."""

MOST_AHEAD = 8
"""Batches made ahead at most, beside a GPU: as many processors as make them while it computes (decision 6)."""


def choose_settings(task: str, **changes: Any) -> TrainingSettings:
    """The settings of a task with those `changes` that are not None."""
    if task not in TASKS:
        raise RequestError(
            f"There is no task '{task}'.{did_you_mean(task, TASKS)}", fix=f"choose {' or '.join(TASKS)}"
        )
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(TASKS[task], **given)


def choose_images(folder: Path | None) -> tuple[list[Image], list[Image]]:
    """(training, test) images: the embedded ones, or those of the user's folder."""
    if folder is None:
        return image_sets.embedded(), image_sets.embedded(test=True)
    return image_sets.split(image_sets.from_folder(folder))


@dataclass
class Trained:
    """What the command line shows of a training."""

    data: dict[str, Any]
    folder: Path

    def render(self) -> list[Any]:
        from rich.markup import escape

        m = self.data
        return [
            f"[bold]{m['steps']} steps[/] of {m['voxels_per_step']} voxels in {m['seconds']:.0f} s;"
            f" loss {m['loss']:.3f}, {100 * m['accuracy']:.1f} % of single voxels right"
            f" (chance {100 / m['classes']:.1f} %)",
            f"model in {escape(str(self.folder / 'model.npz'))}",
        ]


def train_delays(
    settings: TrainingSettings,
    folder: Path | None = None,
    out: Path | None = None,
    checkpoint: Path | None = None,
    minutes: float | None = None,
    every: int = 100,
    device: str = "numpy",
    progress: Callable[[str, int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Trained:
    """Train as the command line asks, going on from `checkpoint` where it is there, and write the run directory.

    Ctrl-C (or SIGTERM) lets a step come to its end and writes the checkpoint before it acts.

    Raises
    ------
    RequestError
        The checkpoint is of another training or has no folder; `minutes` is not positive or comes without a checkpoint;
        an image is too small; a device is not there.
    """
    if minutes is not None and (checkpoint is None or not minutes > 0):
        raise RequestError(
            f"--minutes {minutes:g} needs {'--checkpoint' if checkpoint is None else 'a time above 0'}.",
            why="what is not finished by then goes on from the checkpoint",
            fix="give both, such as --minutes 30 --checkpoint half-way.npz",
        )
    if checkpoint is not None and not os.access(checkpoint.absolute().parent, os.W_OK):
        raise RequestError(
            f"--checkpoint {checkpoint}: its folder is not there or cannot be written.",
            fix="make the folder first, or choose another",
        )
    executor = devices.choose(device)
    keep_matplotlib_files()
    learned_from, _ = choose_images(folder)
    refuse_small(learned_from, settings.motions, settings.frame())
    state = training.resume(checkpoint, settings) if checkpoint and checkpoint.exists() else None
    until = None if minutes is None else time.monotonic() + 60 * minutes
    began = time.monotonic()
    first = state.step if state else 0

    def told(state: State, settings: TrainingSettings) -> None:
        if progress is not None:
            progress("training", state.step, settings.steps)
        if note is not None:
            point = state.curve[-1]
            pace = (time.monotonic() - began) / max(state.step - first, 1)
            note(
                f"step {state.step} of {settings.steps}: loss {point['loss']:.4f}, voxels right"
                f" {point['accuracy']:.3f}, held out {point['held_accuracy']:.3f}; {state.seconds:.0f} s,"
                f" {pace * (settings.steps - state.step):.0f} s left"
            )

    wanted = out or default_folder("train-delays")
    with run_directory(wanted) as unfinished:
        with signals_wait() as signalled:
            state = training.train(
                settings,
                learned_from,
                state,
                checkpoint,
                every,
                keep_going=lambda: not signalled and (until is None or time.monotonic() < until),
                progress=told,
                ahead=min(os.cpu_count() or 1, MOST_AHEAD) if executor.beside else 1,
                device=executor,
            )
        data = write_training(unfinished, state, settings, learned_from, executor.name)
    return Trained(data, wanted)


def write_training(
    folder: Path, state: State, settings: TrainingSettings, learned_from: Sequence[Image], device: str
) -> dict[str, Any]:
    """The files of a training; returns what ``metrics.json`` has."""
    from neurodeploy.delays import pictures

    layer = training.to_layer(state, settings, {"command": command_line(), "device": device})
    layer.save(folder / "model.npz")
    with open(folder / "curve.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(state.curve[0]) if state.curve else ["step"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(state.curve)
    pictures.learning_curve(state.curve, layer.motions.count, folder / "curve.png")
    last = state.curve[-1] if state.curve else {}
    data = {
        "model": "delays",
        "classes": layer.motions.count,
        "synapses": layer.synapses,
        "steps": state.step,
        "steps_asked": settings.steps,
        "voxels_per_step": settings.movies * settings.voxels,
        "seconds": state.seconds,
        **{name: last.get(name) for name in ("loss", "accuracy", "held_loss", "held_accuracy")},
    }
    right = (
        ""
        if data["held_accuracy"] is None
        else f"{100 * data['held_accuracy']:.1f} % of held-out voxels right"
    )
    leave_run(
        folder,
        "Motion detectors, training",
        right,
        data,
        executed_by="float",
        device=device,
        seed=settings.seed,
        settings=settings.facts(),
        images=[image.name for image in learned_from],
    )
    return data
