"""Samples over Dask's workers: of this machine, and of a cluster that is not there, is empty, or dies; what is told and kept.

The cluster is a real one in this process; what its workers would simulate is made up.
"""

from __future__ import annotations

import gc
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

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


def without_workers() -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="inproc://",
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    with without_workers() as one:
        yield one


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

    def count(trials: object, job: sharing.Job, block: sharing.Block) -> sharing.Counted:
        raise RunError("The simulation was killed by SIGKILL", why="memory", fix="free some")

    monkeypatch.setattr(sharing.Job, "start", lambda job: Program())
    monkeypatch.setattr(sharing, "count", count)
    with pytest.raises(RunError, match="killed by SIGKILL") as told:
        features(None)
    assert (told.value.why, told.value.fix) == ("memory", "free some") and not Program.running


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


def unfinished_clients() -> list[distributed.Client]:
    """Whose collection, while another one starts, waits for ever for the lock that this one holds."""
    found = [one for one in gc.get_objects() if isinstance(one, distributed.Client)]
    return [one for one in found if one.status != "closed"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 0.2)
    with pytest.raises(RequestError, match=f"--scheduler {address}: nothing answers there") as told:
        features(address)
    assert told.value.why and "dask scheduler" in told.value.fix and told.value.exit_code == 2
    assert not unfinished_clients()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_another_service_is_no_scheduler(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that listens and says nothing, and some that speak."""
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as service:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    talk, _ = service.accept()
                    talks.append(talk)
                    talk.sendall(says)

        talks: list[socket.socket] = []
        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{service.getsockname()[1]}"
        with pytest.raises(RequestError, match=f"--scheduler {address}: nothing answers there") as told:
            features(address)
        service.shutdown(socket.SHUT_RDWR)
    assert talks and told.value.why and not unfinished_clients()


@pytest.fixture
def worker(cluster: distributed.LocalCluster) -> str:
    """Address of the cluster's only one."""
    cluster.scale(1)
    with distributed.Client(cluster) as client:
        client.wait_for_workers(1)
        return next(iter(client.scheduler_info()["workers"]))


def test_a_worker_is_no_scheduler(worker: str) -> None:
    with pytest.raises(RequestError, match="that is no Dask scheduler") as told:
        features(worker)
    assert told.value.why == "what answers there is a Worker" and not unfinished_clients()


def test_a_cluster_without_neurodeploy(
    cluster: distributed.LocalCluster, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a worker or the scheduler: told before anything is handed over, for it could not say so later."""

    def missing(*given: object, **more: object) -> object:
        raise ModuleNotFoundError("No module named 'neurodeploy'")

    answers = {worker: ModuleNotFoundError("No module named 'neurodeploy'")}
    for name, stands_in, who in (
        ("run", lambda *given, **more: answers, f"worker {worker}"),
        ("run_on_scheduler", missing, "scheduler"),
    ):
        with monkeypatch.context() as without:
            without.setattr(distributed.Client, name, stands_in)
            with pytest.raises(RequestError, match=f"its {who} has no neurodeploy") as told:
                features(cluster.scheduler_address)
        assert told.value.why == "ModuleNotFoundError: No module named 'neurodeploy'"
        assert "pip install" in told.value.fix and told.value.exit_code == 2


def test_a_worker_with_another_neurodeploy(
    cluster: distributed.LocalCluster, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counts would be taken for this one's: refused before, and where it comes later."""
    older = "neurodeploy 0.0.1 (0123456789ab), Brian2 2.8"
    with monkeypatch.context() as upgraded:
        upgraded.setattr(distributed.Client, "run", lambda *given, **more: {worker: older})
        with pytest.raises(RequestError, match=f"its worker {worker} has another neurodeploy") as told:
            features(cluster.scheduler_address)
        assert told.value.why == f"{older}; here {sharing.made_of()}"
        upgraded.setattr(sharing, "_refuse_others", lambda *given: None)
        here = threading.get_ident()
        made = sharing.made_of()
        upgraded.setattr(sharing, "made_of", lambda: made if threading.get_ident() == here else older)
        with pytest.raises(RunError, match=f"A worker has {re.escape(older)}"):
            features(cluster.scheduler_address)
    assert features(cluster.scheduler_address).resumed == 0


class Program:
    """In the place of a compiled one."""

    running: ClassVar[list[Program]] = []

    def __init__(self) -> None:
        self.running.append(self)

    def end(self) -> None:
        if self in self.running:
            self.running.remove(self)


def packed(key: str) -> bytes:
    return pickle.dumps(sharing.Job(key, build(Design(NEURONS, 4)), False, phases.FEATURES[False]))


def test_a_thread_has_one_program_whoever_left_without_a_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing.Job, "start", lambda job: Program())
    block = sharing.Block("block", None, Pixels(1.0), np.arange(3))
    for key in ("killed", "killed", "next"):
        sharing._work(key, sharing.made_of(), packed(key), block)
    assert len(Program.running) == 1 and set(sharing._jobs) == {"next"}
    sharing._end("next")
    assert not Program.running and not sharing._jobs and not sharing._kept


def test_a_program_that_starts_while_the_run_ends_does_not_outlive_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(job: sharing.Job) -> Program:
        sharing._end(job.key)  # waits for nobody who compiles
        return Program()

    monkeypatch.setattr(sharing.Job, "start", start)
    for _ in range(2):
        with pytest.raises(CancelledError, match="the run is over"):
            sharing._work(
                "late", sharing.made_of(), packed("late"), sharing.Block("b", None, Pixels(1.0), np.arange(3))
            )
        assert not Program.running and not sharing._jobs and not sharing._kept


def test_a_scheduler_without_workers() -> None:
    with without_workers() as cluster, pytest.raises(RunError, match="has no worker") as told:
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
    cluster: distributed.LocalCluster,
    worker: str,
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[], Exception],
) -> None:
    """Its first block stays, though the cluster does not even answer to the farewell; the same command goes on."""
    result = distributed.Future.result

    def fails(future: distributed.Future, *given: object) -> object:
        found = result(future, *given)
        if found.inputs[0]:
            raise error()
        return found

    run = distributed.Client.run

    def silent(
        client: distributed.Client, function: Callable[..., object], *given: object, **more: object
    ) -> object:
        if function is sharing.made_of:
            return run(client, function, *given, **more)
        raise OSError("Timed out trying to connect")

    with monkeypatch.context() as dying:
        dying.setattr(distributed.Future, "result", fails)
        dying.setattr(distributed.Client, "run", silent)
        with pytest.raises(RunError, match="failed while they simulated") as told:
            features(cluster.scheduler_address)
    assert "same command" in told.value.fix and told.value.exit_code == 1
    found = features(cluster.scheduler_address)
    assert found.resumed == phases.BLOCK
    assert np.array_equal(found.counts["training"][:, 0], np.arange(SAMPLES).astype(np.uint8))
