"""Samples over Dask's workers: of this machine, and of a cluster that is not there, is empty, or dies; what is told and kept.

The cluster is a real one in this process; what its workers would simulate is made up.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neurodeploy.backends.base import Options
from neurodeploy.comparison.subjects import subject
from neurodeploy.comparison.traces import Side
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError
from neurodeploy.lsm import phases, sharing
from neurodeploy.lsm.application import Request, run_lsm
from neurodeploy.lsm.data import Images
from neurodeploy.lsm.drive import Pixels
from neurodeploy.lsm.model import Design, build

distributed = pytest.importorskip("distributed", reason="the extra 'lsm' is not installed")
dask = pytest.importorskip("dask", reason="the extra 'lsm' is not installed")
psutil = pytest.importorskip("psutil", reason="the extra 'lsm' is not installed")

NEURONS = 8

SAMPLES = 3 * phases.BLOCK


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc://"
    ) as empty:
        yield empty


@pytest.fixture(autouse=True)
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of its own, and workers whose counts are numbers of samples."""

    def count(trials: object, job: sharing.Job, block: sharing.Block) -> sharing.Counted:
        numbers = block.numbers.astype(np.uint8)
        return sharing.Counted(np.tile(numbers[:, None], NEURONS), block.numbers)

    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    monkeypatch.setattr(sharing.Job, "start", lambda job: SimpleNamespace(end=lambda: None))
    monkeypatch.setattr(sharing, "count", count)
    monkeypatch.setattr(phases.compiler, "compiled", lambda *_: None)


def features(scheduler: str | None) -> phases.Features:
    images = Images(np.ones((SAMPLES, 4), np.uint8), np.zeros(SAMPLES, np.uint8))
    samples = {"training": (images, Pixels(1.0))}
    return phases.features(build(Design(NEURONS, 4)), False, samples, 2, scheduler)


def test_workers_of_this_machine_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file; while they are there, nobody but this machine reaches them."""
    process, count, heard = psutil.Process(), sharing.count, set()

    def listening() -> set[str]:
        return {one.laddr.ip for one in process.net_connections("inet") if one.status == "LISTEN"}

    before = listening()

    def listens(*given: object) -> sharing.Counted:
        heard.update(listening() - before)
        return count(*given)

    monkeypatch.setattr(sharing, "count", listens)
    found = features(None)
    assert found.resumed == 0 and np.array_equal(found.counts["training"][:, 0], np.arange(SAMPLES) % 256)
    assert heard <= {"127.0.0.1"} and listening() == before
    assert not list((tmp_path / "sessions").iterdir())


def test_workers_that_do_not_start_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they fail at, not that they fail; what is kept needs none."""
    real = distributed.SpecCluster

    def beneath_a_file(**given: object) -> distributed.SpecCluster:
        (tmp_path / "file").touch()
        dask.config.set({"temporary-directory": str(tmp_path / "file" / "folder")})
        return real(**given)

    with monkeypatch.context() as failing:
        failing.setattr(distributed, "SpecCluster", beneath_a_file)
        with pytest.raises(RunError, match="workers that share samples do not start") as told:
            features(None)
    assert str(told.value.why).startswith("[Errno 20] Not a directory") and told.value.exit_code == 1
    assert features(None).resumed == 0
    with monkeypatch.context() as failing:
        failing.setattr(distributed, "SpecCluster", beneath_a_file)
        assert features(None).resumed == SAMPLES


def test_a_simulation_that_fails_says_so_whoever_ran_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same error from a worker of this machine, and no program outlives it."""
    running: set[object] = set()

    class Program:
        def __init__(self) -> None:
            running.add(self)

        def end(self) -> None:
            running.discard(self)

    def count(trials: object, job: sharing.Job, block: sharing.Block) -> sharing.Counted:
        raise RunError("The simulation was killed by SIGKILL", why="memory", fix="free some")

    monkeypatch.setattr(sharing.Job, "start", lambda job: Program())
    monkeypatch.setattr(sharing, "count", count)
    with pytest.raises(RunError, match="killed by SIGKILL") as told:
        features(None)
    assert (told.value.why, told.value.fix) == ("memory", "free some") and not running


def test_without_dask_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a liquid forms, whose samples could not be counted."""
    monkeypatch.setattr(sharing, "find_spec", lambda name: None)
    with pytest.raises(ToolchainMissingError, match=r"dask\.distributed is not installed") as told:
        run_lsm(Request(out=tmp_path / "run"))
    assert "neurodeploy[lsm]" in told.value.fix
    assert not (tmp_path / "run").exists() and not (tmp_path / "lsm").exists()


def test_without_dask_no_side_of_a_comparison_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers need counts, which come last."""
    monkeypatch.setattr(sharing, "find_spec", lambda name: None)
    with pytest.raises(ToolchainMissingError, match=r"dask\.distributed is not installed"):
        subject("lsm", []).describe(Side("brian2", Options()))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda where, timeout: real(where, timeout="100ms"))
    with pytest.raises(RequestError, match=f"--scheduler {address}: nothing answers there") as told:
        features(address)
    assert "dask scheduler" in told.value.fix and told.value.exit_code == 2
    # whose collection, while another one starts, would wait for the lock that this one holds
    assert not [one for one in gc.get_objects() if isinstance(one, real) and one.status != "closed"]


def test_a_scheduler_without_workers(cluster: distributed.LocalCluster) -> None:
    with pytest.raises(RunError, match="has no worker") as told:
        features(cluster.scheduler_address)
    assert "dask worker" in told.value.fix and told.value.exit_code == 1


def killed() -> Exception:
    """What the scheduler makes of a block whose workers died."""
    return distributed.scheduler.KilledWorker("block", SimpleNamespace(address="tcp://gone:1"), 3)


def forgotten() -> Exception:
    """What it makes of the others, once the last worker that knew the job is gone."""
    return CancelledError("already forgotten")


def unreachable() -> Exception:
    return OSError("Timed out trying to connect")


@pytest.mark.parametrize("error", [killed, forgotten, unreachable])
def test_a_cluster_that_dies_leaves_what_is_done(
    cluster: distributed.LocalCluster, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    """Its first block stays, though the cluster does not even answer to the farewell; the same command goes on."""
    result = distributed.Future.result

    def fails(future: distributed.Future, *given: object) -> object:
        found = result(future, *given)
        if found.inputs[0]:
            raise error()
        return found

    def silent(*given: object) -> None:
        raise OSError("Timed out trying to connect")

    cluster.scale(1)
    with distributed.Client(cluster) as client:
        client.wait_for_workers(1)
    with monkeypatch.context() as dying:
        dying.setattr(distributed.Future, "result", fails)
        dying.setattr(distributed.Client, "run", silent)
        with pytest.raises(RunError, match="failed while they simulated") as told:
            features(cluster.scheduler_address)
    assert "same command" in told.value.fix and told.value.exit_code == 1
    found = features(cluster.scheduler_address)
    assert found.resumed == phases.BLOCK
    assert np.array_equal(found.counts["training"][:, 0], np.arange(SAMPLES).astype(np.uint8))
