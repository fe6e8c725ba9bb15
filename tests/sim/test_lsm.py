"""``run lsm`` as a whole: digits to accuracy, stopped and gone on, shared over processes and machines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from neurodeploy import cache
from neurodeploy.errors import RunError
from neurodeploy.lsm import data, phases, saccades, tuning
from neurodeploy.lsm.application import SEEDS_APART, Request, run_lsm
from neurodeploy.lsm.drive import Drive, Pixels, Saccades
from neurodeploy.lsm.model import Design, build
from neurodeploy.lsm.saccades import input_count

SMALL = {"neurons": 64, "snapshots": 2500, "samples": 500, "test_samples": 120, "processes": 2}


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without any liquid, that has the compiled programs of the real one."""
    programs = cache.cache_folder() / "brian2"
    programs.mkdir(exist_ok=True)
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "brian2").symlink_to(programs, target_is_directory=True)
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(folder))
    return folder


def run(tmp_path: Path, name: str, progress=None, **more) -> dict:
    run_lsm(Request(out=tmp_path / name, **{**SMALL, **more}), progress)
    return json.loads((tmp_path / name / "metrics.json").read_text())


def test_digits_to_accuracy(fresh: Path, tmp_path: Path) -> None:
    """125 neurons, no file and no option beyond: nine of ten images right, and everything a run leaves."""
    found = run(tmp_path, "run", neurons=125, samples=None, test_samples=None)
    assert found["accuracy"] > 0.9
    assert found["executed_by"] == "float" and found["normalisation"] == "separate-maximum"
    assert found["training_samples"] + found["validation_samples"] == 1438 and found["test_samples"] == 359
    assert found["liquid_hz"] > 1 and found["branching_factor"] > 0
    assert found["weights"]["excitatory"]["mean"] < 3 and found["weights"]["inhibitory"]["mean"] < 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    pictures = {"formation.png", "weights.png", "sample.png", "branching.png", "confusion.png"}
    assert names == {"metrics.json", "run.json", "decisions.csv", "report.html", *pictures}
    rows = (tmp_path / "run" / "decisions.csv").read_text().splitlines()[1:]
    right = [row.split(",")[1] == row.split(",")[2] for row in rows]
    assert np.mean(right) == found["accuracy"] and len(rows) == 359


@pytest.mark.parametrize("stage, after", [("snapshots", 1000), ("samples", 300)])
def test_what_was_interrupted_goes_on_to_the_same_counts(
    fresh: Path, tmp_path: Path, stage: str, after: int
) -> None:
    def stop(at: str, done: int, total: int) -> None:
        if at == stage and done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "run", stop)
    assert not (tmp_path / "run").exists()
    gone_on = run(tmp_path, "run")
    assert gone_on["resumed"][stage] >= after
    (fresh / "lsm").rename(fresh / "old")
    whole = run(tmp_path, "whole")
    assert whole["resumed"] == {"snapshots": 0, "samples": 0, "epochs": 0}
    assert gone_on["counts_sha256"] == whole["counts_sha256"]
    assert gone_on["accuracy"] == whole["accuracy"]


def children(pid: int) -> list[int]:
    """Processes of which `pid` is the parent."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "end, code, stage, piece",
    [
        (signal.SIGKILL, -9, "snapshots", "forming"),
        (signal.SIGINT, 130, "snapshots", "forming"),
        (signal.SIGINT, 130, "samples", "training-0-*"),
    ],
)
def test_killed_at_any_point_no_orphan_and_the_same_counts(
    fresh: Path, tmp_path: Path, end: signal.Signals, code: int, stage: str, piece: str
) -> None:
    """13: the same counts, whether it was killed or not."""
    many = {
        "snapshots": {"snapshots": 8_000},
        "samples": {"snapshots": 200, "samples": 1438, "neurons": 216, "processes": 1},
    }[stage]
    total = {"snapshots": 8_000, "samples": 1438 + SMALL["test_samples"]}[stage]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in {**SMALL, **many}.items()]
    command = [
        sys.executable,
        "-m",
        "neurodeploy.cli",
        "run",
        "lsm",
        *options,
        "--out",
        str(tmp_path / "run"),
    ]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(fresh.glob(f"lsm/*/{piece}.npz")):
        assert started.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    running = children(started.pid)
    assert running
    started.send_signal(end)
    _, said = started.communicate(timeout=30)
    assert started.returncode == code
    assert said == (
        ""
        if end == signal.SIGKILL
        else "neurodeploy: Interrupted. The same command goes on where this one was.\n"
    )
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() and alive(pid) for pid in running):
        assert time.monotonic() < until
        time.sleep(0.05)
    gone_on = run(tmp_path, "run", **many)
    assert 0 < gone_on["resumed"][stage] < total
    (fresh / "lsm").rename(fresh / "old")
    assert run(tmp_path, "whole", **many)["counts_sha256"] == gone_on["counts_sha256"]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def small_images() -> dict[str, data.Images]:
    images = data.load().first(300, 60)
    return {"training": images.training, "test": images.test}


def small_samples() -> dict[str, tuple[data.Images, Drive]]:
    return {part: (images, Pixels(0.05)) for part, images in small_images().items()}


def small_features(processes: int, scheduler: str | None = None) -> phases.Features:
    return phases.features(build(Design(64, 64, seed=1)), True, small_samples(), processes, scheduler)


def test_13_sharing_changes_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process or three, blocks of any size: the same counts."""
    digests = set()
    for processes, block in ((1, 250), (3, 250), (2, 31)):
        monkeypatch.setattr(phases, "BLOCK", block)
        monkeypatch.setenv("NEURODEPLOY_CACHE", str(fresh))
        digests.add(small_features(processes).digest())
        (fresh / "lsm").rename(fresh / f"old-{processes}")
    assert len(digests) == 1


def programs() -> int:
    """That a worker has running."""
    from neurodeploy.lsm import sharing

    return len(sharing._kept)


def test_13_a_cluster_changes_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    alone = small_features(2).digest()
    (fresh / "lsm").rename(fresh / "old")
    monkeypatch.setattr(phases, "BLOCK", 50)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert small_features(2, cluster.scheduler_address).digest() == alone
        with distributed.Client(cluster) as client:
            assert list(client.run(programs).values()) == [0, 0], "a program outlives the run"


def test_a_damaged_block_is_made_again(fresh: Path) -> None:
    whole = small_features(2)
    assert whole.resumed == 0
    block = sorted(fresh.glob("lsm/counts-*/training-*.npz"))[0]
    raw = bytearray(block.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    block.write_bytes(raw)
    again = small_features(2)
    assert again.resumed == 110
    assert again.digest() == whole.digest()


def test_a_simulation_that_is_killed_says_so_and_keeps_what_it_had(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phases, "BLOCK", 30)

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "samples" and done >= 60:
            for pid in children(os.getpid()):
                with suppress(FileNotFoundError, ProcessLookupError):  # one may end while we look
                    if "main" in os.readlink(f"/proc/{pid}/exe"):
                        os.kill(pid, signal.SIGKILL)

    samples = small_samples()
    network = build(Design(64, 64, seed=1))
    with pytest.raises(RunError, match="killed by SIGKILL"):
        phases.features(network, True, samples, 2, None, kill)
    again = phases.features(network, True, samples, 2)
    assert again.resumed >= 60


def test_two_at_once_do_not_mix(fresh: Path) -> None:
    def second(stage: str, done: int, total: int) -> None:
        small_features(1)

    samples = small_samples()
    with pytest.raises(RunError, match="Another process is at work"):
        phases.features(build(Design(64, 64, seed=1)), True, samples, 1, None, second)


@pytest.mark.parametrize("variant", ["lsm", "lsm-stdp", "lsm-ap-stdp"])
def test_the_variants(fresh: Path, tmp_path: Path, variant: str) -> None:
    more = {} if variant != "lsm" else {"snapshots": None, "tune_start_weight": True}
    found = run(tmp_path, variant, variant=variant, **more)
    if variant == "lsm":
        tried = {float(weight): right for weight, right in found["start_weights_tried"].items()}
        assert tuple(tried) == tuning.WEIGHTS and len(set(tried.values())) > 1
        assert tried[found["start_weight"]] == max(tried.values())
    assert found["variant"] == variant and found["astrocyte_weight"] is None
    assert found["features"] == ("plastic" if variant == "lsm-stdp" else "frozen")
    assert np.isfinite(found["accuracy"])


def test_14_a_silent_liquid_is_told_and_finite(fresh: Path, tmp_path: Path) -> None:
    found = run(tmp_path, "run", variant="lsm", snapshots=None, start_weight=0.001)
    assert found["silent_samples"] == {"training": 500, "test": 120}
    assert found["branching_factor"] is None and found["branching_silent_samples"] == 20
    assert found["liquid_hz"] == 0
    assert 0 <= found["accuracy"] < 0.3
    assert any("silent" in note for note in found["warnings"])


def test_the_simulated_camera_and_the_kernel_quality(fresh: Path, tmp_path: Path) -> None:
    """Events in place of pixels, on brighter digits; ranks of clean and noisy counts on the digits."""
    samples: dict[str, tuple[data.Images, Drive]] = {
        part: (data.Images(images.images * 15, images.labels), Saccades(0))
        for part, images in small_images().items()
    }
    seen = phases.features(build(Design(64, input_count(64), seed=1)), True, samples, 2)
    for part, (images, _) in samples.items():
        events = saccades.events(images.images)
        given = np.bincount(events[events[:, 1] < 249, 0], minlength=len(images.labels))
        # every event makes its input spike, but where the next comes within the refractory time
        assert np.all(seen.inputs[part] <= given) and np.all(seen.inputs[part] > 0.8 * given)
    assert seen.counts["test"].any()
    found = run(tmp_path, "run", kernel_quality=2)
    assert 0 < found["kernel_quality"]["clean"] <= 64 and 0 < found["kernel_quality"]["noisy"] <= 64


def test_several_liquids_are_read_out_together(fresh: Path, tmp_path: Path) -> None:
    """Each counts what it counts alone, under a seed of its own; their counts stand side by side."""
    few = {"snapshots": 200, "samples": 200, "test_samples": 50}
    told: list[tuple[str, int, int]] = []
    both = run(tmp_path, "both", lambda *part: told.append(part), liquids=2, **few)
    assert (both["liquids"], both["neurons"], both["resumed"]) == (
        2,
        64,
        {"snapshots": 0, "samples": 0, "epochs": 0},
    )
    assert max(done for part, done, _ in told if part == "samples") == 500
    assert {total for part, _, total in told if part == "snapshots"} == {400}
    alone = [run(tmp_path, f"alone{k}", seed=SEEDS_APART * k, **few) for k in range(2)]
    assert [one["resumed"] for one in alone] == [{"snapshots": 200, "samples": 250, "epochs": 0}] * 2
    assert both["liquid_hz"] == pytest.approx(np.mean([one["liquid_hz"] for one in alone]))
    assert both["input_hz"] == pytest.approx(np.mean([one["input_hz"] for one in alone]))
    assert both["weights"]["excitatory"]["synapses"] == sum(
        one["weights"]["excitatory"]["synapses"] for one in alone
    )
    assert alone[0]["counts_sha256"] != alone[1]["counts_sha256"]


def test_json_and_exit_codes(fresh: Path, tmp_path: Path) -> None:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    command = [
        sys.executable,
        "-m",
        "neurodeploy.cli",
        "run",
        "lsm",
        *options,
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout) == json.loads((tmp_path / "run" / "metrics.json").read_text())
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and again.stderr.count("\n") == 3
    assert "there is already a folder with files of that name" in again.stderr
