"""Samples shared over the workers of a Dask cluster: every block of them is a trial run that depends on nothing but itself.

A hit is a function of the seed, the sample's number, the step and the pixel, and every sample starts from the same weights, so
that counts do not depend on who made them, or in which order.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import pickle
import shutil
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy import cache
from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.errors import NeurodeployError, RequestError, RunError, ToolchainMissingError
from neurodeploy.lsm.drive import Drive
from neurodeploy.lsm.store import digest
from neurodeploy.models.network import Network
from neurodeploy.processes import signals_wait
from neurodeploy.version import VERSION

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


ANSWER_SECONDS = 10
"""For a scheduler's or worker's answer that takes no work."""

SCHEDULER_FIX = (
    "start one ('dask scheduler', and 'dask worker ADDRESS' on every machine), or leave --scheduler out"
)

SOURCES = (".py", ".h", ".jinja")
"""Of files that decide counts."""

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
        No Dask scheduler answers at `scheduler`; it or a worker has no neurodeploy, or another one.
    RunError
        A simulation failed; no worker is there, one died over and over, or the cluster lost the scheduler or all that it knew
        of the job.
    """
    if not blocks:
        return
    check()
    import dask.config

    opened = _remote(scheduler) if scheduler else _local(min(processes, len(blocks)))
    try:
        with dask.config.set(SETTINGS), opened as client:
            yield from _by(client, job, blocks, scheduler)
    except NeurodeployError:
        raise
    except Exception as error:  # a cluster that fails has many words for it
        raise RunError(
            f"The {'cluster' if scheduler else 'machine'}'s workers{', or its scheduler,' if scheduler else ''} failed"
            " while they simulated",
            why=f"{type(error).__name__}: {error}",
            fix=f"{'see their logs; ' if scheduler else ''}the same command goes on with what is done",
        ) from error


def _by(
    client: Client, job: Job, blocks: Sequence[Block], scheduler: str | None
) -> Generator[tuple[Block, Counted], None, None]:
    """By the workers that `client` has."""
    from distributed import as_completed

    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if not workers:
        raise RunError(
            f"--scheduler {scheduler} has no worker",
            fix="start some: 'dask worker ADDRESS', on every machine",
        )
    if scheduler:
        _refuse_others(client, scheduler)
    waiting: dict[Any, Block] = {}
    left = iter(blocks)
    try:
        # as bytes, which no worker can fail to take in, and from one to another: to all at once waits for those that cannot
        packed = client.scatter(pickle.dumps(job))
        running = as_completed(with_results=False)

        def give() -> None:
            block = next(left, None)
            if block is not None:
                future = client.submit(_work, job.key, made_of(), packed, block, pure=False)
                waiting[future] = block
                running.add(future)

        for _ in range(IN_FLIGHT * sum(one["nthreads"] for one in workers)):
            give()
        for done in running:
            give()
            yield waiting.pop(done), done.result()
    finally:
        with signals_wait():
            _end(job.key)
        with contextlib.suppress(Exception):  # a cluster that has failed need not answer
            client.cancel(list(waiting))
            if scheduler:
                client.run(_farewell, job.key, callback_timeout=ANSWER_SECONDS)


@functools.cache
def made_of() -> str:
    """What counts come from: this neurodeploy, to the last letter, and its Brian2."""
    package = Path(__file__).parents[1]
    files = [file for file in package.rglob("*") if file.suffix in SOURCES]
    sources = digest(**{file.relative_to(package).as_posix(): cache.file_digest(file) for file in files})
    return f"neurodeploy {VERSION} ({sources[:12]}), Brian2 {compiler.brian2_version()}"


def _refuse_others(client: Client, scheduler: str) -> None:
    """Whoever has no neurodeploy could not say so later, and counts of another one would be taken for this one's."""
    others: dict[str, Any] = client.run(made_of, on_error="return")
    answers = {f"worker {address}": answer for address, answer in others.items()}
    try:
        client.run_on_scheduler(made_of)
    except Exception as error:
        answers["scheduler"] = error
    for who, answer in answers.items():
        if answer != made_of():
            missing = isinstance(answer, Exception)
            raise RequestError(
                f"--scheduler {scheduler}: its {who} has {'no' if missing else 'another'} neurodeploy",
                why=f"{type(answer).__name__}: {answer}" if missing else f"{answer}; here {made_of()}",
                fix=f"pip install 'neurodeploy[lsm]=={VERSION}' there, and start it again",
            )


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
        except Exception as error:  # Dask wraps what it fails at
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

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook's own thread has a loop that runs
            found = thread.submit(asyncio.run, _who(scheduler)).result()
    except Exception as error:  # of another service, anything
        raise RequestError(
            f"--scheduler {scheduler}: nothing answers there as a Dask scheduler does",
            why=str(error) or f"no answer within {ANSWER_SECONDS} s",
            fix=SCHEDULER_FIX,
        ) from error
    if found != "Scheduler":
        raise RequestError(
            f"--scheduler {scheduler}: that is no Dask scheduler",
            why=f"what answers there is a {found}",
            fix=SCHEDULER_FIX,
        )
    with Client(scheduler, timeout=f"{ANSWER_SECONDS}s") as client:
        # its tracebacks of a lost connection; the errors above say what happened
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        yield client


async def _who(address: str) -> str:
    """What is at `address`, asked without a client: one that fails waits for ever for what never speaks, or is collected later,
    which waits for ever where another one starts just then.
    """
    from distributed import rpc

    async def asked() -> str:
        async with rpc(address) as there:
            return str((await there.identity())["type"])

    return await asyncio.wait_for(asked(), ANSWER_SECONDS)


_jobs: dict[str, Job] = {}
"""A worker's own: what it has unpacked."""

_kept: dict[tuple[int, str], Trials] = {}
"""A worker's own: (thread, job) -> its running program."""

_ended: set[str] = set()
"""Jobs for which nothing starts any more."""

_changing = threading.Lock()


def _work(key: str, made: str, packed: bytes, block: Block) -> Counted:
    """One block, by the program that this thread runs for the job."""
    if made != made_of():  # a worker that came later
        raise RunError(f"A worker has {made_of()}", why=f"the run has {made}", fix="install the same there")
    job, trials = _running(key, packed)
    try:
        return count(trials, job, block)
    except BaseException:
        with _changing:
            _kept.pop((threading.get_ident(), key), None)
        trials.end()
        raise


def _running(key: str, packed: bytes) -> tuple[Job, Trials]:
    """A thread's program for a job, which its first block starts; one for another job, whose client may be gone, ends."""
    place = threading.get_ident(), key
    with _changing:
        _refuse_ended(key)
        if key not in _jobs:
            _jobs[key] = pickle.loads(packed)
        job, trials = _jobs[key], _kept.get(place)
        others = [_kept.pop(other) for other in list(_kept) if other[0] == place[0] and other != place]
        for one in set(_jobs) - {key} - {name for _, name in _kept}:
            del _jobs[one]
    for other in others:
        other.end()
    if trials is None:
        trials = job.start()  # compiles, on another machine
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(trials.end)
            with _changing:
                _refuse_ended(key)
                _kept[place] = trials
            otherwise.pop_all()
    return job, trials


def _refuse_ended(key: str) -> None:
    if key in _ended:
        raise CancelledError("the run is over")


def _end(key: str) -> None:
    """No program that runs for that job outlives it, and none starts."""
    with _changing:
        _ended.add(key)
        _jobs.pop(key, None)
        programs = [_kept.pop(place) for place in list(_kept) if place[1] == key]
    for program in programs:
        program.end()


async def _farewell(key: str) -> None:
    """The same on a worker, which goes on answering."""
    await asyncio.to_thread(_end, key)
