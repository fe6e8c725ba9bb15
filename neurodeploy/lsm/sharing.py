"""Samples shared over processes: every block of them is a trial run that depends on nothing but itself.

A hit is a function of the seed, the sample's number, the step and the pixel, and every sample starts from the same weights, so
that counts do not depend on who made them, or in which order.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.errors import RequestError, RunError, ToolchainMissingError
from neurodeploy.lsm.drive import Drive
from neurodeploy.models.network import Network


@dataclass
class Job:
    """What every block has in common."""

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


def locally(
    job: Job, blocks: Sequence[Block], processes: int
) -> Generator[tuple[Block, Counted], None, None]:
    """Share `blocks` over `processes` of this machine; give them as they come, in any order.

    Every process is a compiled program of its own, which a thread of this one feeds.  They end with this generator.
    """
    free: queue.SimpleQueue[Trials] = queue.SimpleQueue()
    started: list[Trials] = []

    def work(block: Block) -> Counted:
        trials = free.get()
        try:
            return count(trials, job, block)
        finally:
            free.put(trials)

    with ThreadPoolExecutor(processes) as pool:
        try:
            for _ in range(min(processes, len(blocks))):
                started.append(job.start())
                free.put(started[-1])
            waiting = {pool.submit(work, block): block for block in blocks}
            for done in as_completed(waiting):
                yield waiting.pop(done), done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for trials in started:
                trials.end()


IN_FLIGHT = 4
"""Blocks a worker of a cluster is given at a time."""


def on_cluster(
    job: Job, blocks: Sequence[Block], scheduler: str
) -> Generator[tuple[Block, Counted], None, None]:
    """Share `blocks` over the workers of a Dask scheduler.

    Raises
    ------
    ToolchainMissingError
        ``distributed`` is not installed.
    RequestError
        Nothing answers at `scheduler`.
    RunError
        No worker is there, one died over and over, or the cluster lost the scheduler or all that it knew of the job.
    """
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise ToolchainMissingError(
            "dask.distributed is not installed",
            why="--scheduler shares samples over its workers",
            fix="pip install 'neurodeploy[lsm]', here and where the workers run",
        ) from error
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise RequestError(
            f"--scheduler {scheduler}: nothing answers there",
            why=str(error),
            fix="start one ('dask scheduler', and 'dask worker ADDRESS' on every machine), or leave --scheduler out",
        ) from error
    # its tracebacks of a lost connection; the errors below say what happened
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise RunError(
                f"--scheduler {scheduler} has no worker",
                fix="start some: 'dask worker ADDRESS', on every machine",
            )
        common = client.scatter(job, broadcast=True)
        waiting = {}
        left = iter(blocks)
        running = as_completed(with_results=False)

        def give() -> None:
            block = next(left, None)
            if block is not None:
                future = client.submit(_work, common, block, pure=False)
                waiting[future] = block
                running.add(future)

        try:
            for _ in range(IN_FLIGHT * workers):
                give()
            for done in running:
                give()
                yield waiting.pop(done), done.result()
        except (KilledWorker, CancelledError, OSError) as error:
            raise RunError(
                "The cluster's workers, or its scheduler, failed while they simulated",
                why=str(error),
                fix="see their logs; the same command goes on with what is done",
            ) from error
        finally:
            with contextlib.suppress(Exception):  # a cluster that has failed need not answer
                client.cancel(list(waiting))
                client.run(_end)


_kept: dict[tuple[int, str], Trials] = {}
"""A worker's own: (thread, job) -> its running program."""


def _work(job: Job, block: Block) -> Counted:
    place = threading.get_ident(), job.key
    if place not in _kept:
        _kept[place] = job.start()
    try:
        return count(_kept[place], job, block)
    except BaseException:
        _kept.pop(place).end()
        raise


def _end() -> None:
    while _kept:
        _kept.popitem()[1].end()
