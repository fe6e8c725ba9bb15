"""Samples shared over the workers of a Dask cluster: every block of them is a trial run that depends on nothing but itself.

A hit is a function of the seed, the sample's number, the step and the pixel, and every sample starts from the same weights, so
that counts do not depend on who made them, or in which order.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import shutil
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy import cache
from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError
from neurodeploy.lsm.drive import Drive
from neurodeploy.models.network import Network
from neurodeploy.processes import signals_wait

if TYPE_CHECKING:
    from distributed import Client


@dataclass
class Job:
    """What every block has in common.

    Attributes
    ----------
    key : str
        Of this run alone: workers end what they run for it, and no other's.
    network : Network
    plastic : bool
    protocol : Protocol
    """

    key: str
    network: Network
    plastic: bool
    protocol: Protocol

    def start(self) -> Trials:
        return Trials(self.network, self.plastic)


@dataclass
class Block:
    """Some samples.

    Attributes
    ----------
    name : str
    images : ndarray, shape (n, pixels); or Recordings
    drive : Drive
        How they hit the input neurons.
    numbers : ndarray of int64, shape (n,)
        What tells the draws of one sample from those of another.
    """

    name: str
    images: Any
    drive: Drive
    numbers: np.ndarray


@dataclass
class Counted:
    """What a block leaves.

    Attributes
    ----------
    liquid : ndarray of uint8, shape (n, neurons)
        Spikes of every liquid neuron: at most one in 3 ms, so that a byte is enough.
    inputs : ndarray of int64, shape (n,)
        Spikes of all input neurons together.
    """

    liquid: np.ndarray
    inputs: np.ndarray


def count(trials: Trials, job: Job, block: Block) -> Counted:
    """Run one block."""
    found = block.drive.show(trials, block.images, block.numbers, job.protocol).counts
    return Counted(
        found[:, trials.driven :].astype(np.uint8), found[:, : trials.driven].sum(axis=1, dtype=np.int64)
    )


IN_FLIGHT = 4
"""Blocks a thread of a worker is given at a time."""

SETTINGS: dict[str, Any] = {
    "distributed.admin.large-graph-warning-threshold": "1 TB",  # recordings travel with their block, once
    "distributed.scheduler.worker-ttl": None,  # a run that was stopped for a while goes on
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.http.routes": [],  # no page, of a cluster that lasts as long as this run
    "distributed.worker.http.routes": [],
}
"""Dask's, while samples are shared."""

HERE = {
    "protocol": "inproc://",
    "dashboard": False,
    "dashboard_address": "127.0.0.1:0",  # it listens all the same: for this machine alone, and where there is room
}
"""What scheduler and workers of this process are given."""


def check() -> None:
    """Refuse early where what shares samples is not installed.

    Raises
    ------
    ToolchainMissingError
    """
    if find_spec("distributed") is None:
        raise ToolchainMissingError(
            "dask.distributed is not installed",
            why="samples are shared over processes by it",
            fix="pip install 'neurodeploy[lsm]', here and where the workers of --scheduler run",
        )


def shared(
    job: Job, blocks: Sequence[Block], processes: int, scheduler: str | None
) -> Generator[tuple[Block, Counted], None, None]:
    """Share `blocks` over `processes` of this machine, or the workers of a Dask `scheduler`; give them as they come.

    Every worker feeds a compiled program of its own.  They end with this generator.

    Raises
    ------
    ToolchainMissingError
        ``distributed`` is not installed.
    RequestError
        Nothing answers at `scheduler`.
    RunError
        A simulation failed; no worker is there, one died over and over, or the cluster lost the scheduler or all that it knew
        of the job.
    """
    if not blocks:
        return
    check()
    import dask.config
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    opened = _remote(scheduler) if scheduler else _local(min(processes, len(blocks)))
    with dask.config.set(SETTINGS), opened as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not workers:
            raise RunError(
                f"--scheduler {scheduler} has no worker",
                fix="start some: 'dask worker ADDRESS', on every machine",
            )
        waiting: dict[Any, Block] = {}
        left = iter(blocks)
        try:
            common = client.scatter(job, broadcast=True)
            running = as_completed(with_results=False)

            def give() -> None:
                block = next(left, None)
                if block is not None:
                    future = client.submit(_work, common, block, pure=False)
                    waiting[future] = block
                    running.add(future)

            for _ in range(IN_FLIGHT * sum(one["nthreads"] for one in workers)):
                give()
            for done in running:
                give()
                yield waiting.pop(done), done.result()
        except (KilledWorker, CancelledError, OSError) as error:
            raise RunError(
                f"The {'cluster' if scheduler else 'machine'}'s workers{', or its scheduler,' if scheduler else ''} failed"
                " while they simulated",
                why=str(error),
                fix=f"{'see their logs; ' if scheduler else ''}the same command goes on with what is done",
            ) from error
        finally:
            _end(job.key)
            with contextlib.suppress(Exception):  # a cluster that has failed need not answer
                client.cancel(list(waiting))
                client.run(_end, job.key)


@contextlib.contextmanager
def _local(processes: int) -> Iterator[Client]:
    """A cluster in threads of this process: what they feed are processes, so that they need not be."""
    import dask.config
    from distributed import Client, Scheduler, SpecCluster, Worker

    worker = {"cls": Worker, "options": {**HERE, "nthreads": 1, "memory_limit": 0}}
    with contextlib.ExitStack() as ends:
        folder = cache.session_folder()
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        ends.enter_context(dask.config.set({"temporary-directory": str(folder)}))
        try:
            with signals_wait(), warnings.catch_warnings():
                # of an address that a machine without a network lacks, and nobody needs
                warnings.filterwarnings("ignore", "Couldn't detect a suitable IP address", RuntimeWarning)
                cluster = SpecCluster(
                    workers=dict.fromkeys(range(processes), worker),
                    scheduler={"cls": Scheduler, "options": HERE},
                    silence_logs=logging.CRITICAL,
                )
                client = ends.enter_context(Client(ends.enter_context(cluster)))
        except (OSError, RuntimeError) as error:
            raise RunError(
                "The workers that share samples do not start",
                why=str(_first(error)),
                fix="mend that; the same command goes on with what is done",
            ) from error
        yield client


def _first(error: BaseException) -> BaseException:
    """What an error comes from."""
    return _first(error.__cause__) if error.__cause__ else error


@contextlib.contextmanager
def _remote(scheduler: str) -> Iterator[Client]:
    """The cluster whose scheduler has that address."""
    from distributed import Client

    client, why = None, ""
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        why = str(error)
    if client is None:
        # one that failed is closed when it is collected: now, since that waits for ever while another one starts
        gc.collect()
        raise RequestError(
            f"--scheduler {scheduler}: nothing answers there",
            why=why,
            fix="start one ('dask scheduler', and 'dask worker ADDRESS' on every machine), or leave --scheduler out",
        )
    # its tracebacks of a lost connection; the errors above say what happened
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        yield client


_kept: dict[tuple[int, str], Trials] = {}
"""A worker's own: (thread, job) -> its running program."""

_ended: set[str] = set()
"""Jobs for which nothing starts any more."""

_changing = threading.Lock()


def _work(job: Job, block: Block) -> Counted:
    place = threading.get_ident(), job.key
    with _changing:
        if job.key in _ended:
            raise CancelledError("the run is over")
        if place not in _kept:
            _kept[place] = job.start()
        trials = _kept[place]
    try:
        return count(trials, job, block)
    except BaseException:
        with _changing:
            _kept.pop(place, None)
        trials.end()
        raise


def _end(key: str) -> None:
    """No program that runs for that job outlives it, and none starts."""
    _ended.add(key)  # who waits to start one, does not
    with _changing:
        programs = [_kept.pop(place) for place in list(_kept) if place[1] == key]
    for program in programs:
        program.end()
