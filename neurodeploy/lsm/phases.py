"""The two phases: the liquid forms, one snapshot after another; then every sample is shown to it, and spikes are counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

import numpy as np

from neurodeploy.backends.brian2 import compiler
from neurodeploy.backends.brian2.trials.lower import lower
from neurodeploy.backends.brian2.trials.session import Protocol, Trials
from neurodeploy.lsm.data import Images
from neurodeploy.lsm.drive import Drive
from neurodeploy.lsm.model import FADE, KICK_MV, SAMPLE_MS, SNAPSHOT_MS
from neurodeploy.lsm.sharing import Block, Counted, Job, shared
from neurodeploy.lsm.store import Store
from neurodeploy.models.network import Network

Progress = Callable[[str, int, int], None]

FORMING = Protocol(SNAPSHOT_MS, KICK_MV, stream=0)

FEATURES = {
    True: Protocol(SAMPLE_MS, KICK_MV, stream=1, fade=FADE, restore=True),
    False: Protocol(SAMPLE_MS, KICK_MV, stream=1),
}
"""By whether weights learn while features are made; what a sample has learned is forgotten after it."""

SNAPSHOTS_KEPT = 1000
"""Snapshots after which the forming liquid is kept, to go on from."""

BLOCK = 250
"""Samples a block."""

FIRST_NUMBER = {"training": 0, "test": 1 << 32, "noisy": 2 << 32}
"""Of the samples of each set: a test image's draws do not depend on how many training images there are."""


@dataclass
class Formed:
    """The liquid after its last snapshot, and how it came there.

    Attributes
    ----------
    weights : list of ndarray
        Of every projection, in the Network's order.
    astrocyte : ndarray, shape (snapshots,)
        Its value at the end of each snapshot; empty without one.
    liquid, inputs : ndarray, shape (snapshots,)
        Spikes of all liquid and of all input neurons in each snapshot.
    key : str
        Digest of everything that decided it.
    resumed : int
        Snapshots that an earlier command had done.
    """

    weights: list[np.ndarray]
    astrocyte: np.ndarray
    liquid: np.ndarray
    inputs: np.ndarray
    key: str
    resumed: int


def image_digest(images: np.ndarray, drive: Drive) -> str:
    return hashlib.sha256(repr((images.shape, drive)).encode() + images.tobytes()).hexdigest()


def snapshot_order(images: int, snapshots: int, seed: int) -> np.ndarray:
    """Which image each snapshot shows: all in random order, then all in another one, ..."""
    random = np.random.default_rng([seed, 2])
    rounds = -(-snapshots // images)
    return np.concatenate([random.permutation(images) for _ in range(rounds)])[:snapshots]


def form(
    network: Network, images: np.ndarray, drive: Drive, snapshots: int, progress: Progress | None = None
) -> Formed:
    """Show `snapshots` of `images`, 20 ms each; weights go on from one to the next.

    Goes on from the last kept state of an earlier call that was stopped, to the same result.
    """
    facts = {"network": network.digest(), "images": image_digest(images, drive), "snapshots": snapshots}
    structure = lower(network, True).structure
    facts |= {"protocol": asdict(FORMING), "program": compiler.program_key(structure)}
    store = Store("liquid", **facts)
    key = store.folder.name
    with store.held():
        finished = store.load("formed")
        if finished is not None:
            return _formed(finished, key, snapshots)
        kept = store.load("forming") or {
            "astrocyte": np.empty(0),
            "liquid": np.empty(0),
            "inputs": np.empty(0),
        }
        curves = {name: [kept.pop(name)] for name in ("astrocyte", "liquid", "inputs")}
        resumed = done = len(curves["liquid"][0])
        order = snapshot_order(len(images), snapshots, network.seed)
        trials = Trials(network, plastic=True, progress=progress)
        try:
            trials.set_state(kept)
            while done < snapshots:
                numbers = np.arange(done, min(done + SNAPSHOTS_KEPT, snapshots))
                found = drive.show(trials, images[order[numbers]], numbers, FORMING)
                curves["astrocyte"].append(found.modulators[:, :1].ravel())
                curves["liquid"].append(found.counts[:, trials.driven :].sum(axis=1, dtype=np.float64))
                curves["inputs"].append(found.counts[:, : trials.driven].sum(axis=1, dtype=np.float64))
                done += len(numbers)
                joined = {name: np.concatenate(parts) for name, parts in curves.items()}
                store.save("forming", **trials.state(), **joined)
                if progress is not None:
                    progress("snapshots", done, snapshots)
            weights = {f"w{k}": trials.weights(k) for k in range(len(network.projections))}
        finally:
            trials.end()
        pieces = {**weights, **{name: np.concatenate(parts) for name, parts in curves.items()}}
        store.save("formed", **pieces)
        store.drop("forming")
    return _formed(pieces, key, resumed)


def _formed(pieces: dict[str, np.ndarray], key: str, resumed: int) -> Formed:
    weights = [pieces[f"w{k}"] for k in range(sum(name.startswith("w") for name in pieces))]
    return Formed(weights, pieces["astrocyte"], pieces["liquid"], pieces["inputs"], key, resumed)


def with_weights(network: Network, weights: list[np.ndarray]) -> Network:
    """The same network with other weights."""
    projections = [replace(p, weight=w) for p, w in zip(network.projections, weights, strict=True)]
    return replace(network, projections=projections)


@dataclass
class Features:
    """Spike counts of every sample.

    Attributes
    ----------
    counts : dict of str to ndarray of uint8, shape (n, neurons)
        By part, a key of :data:`FIRST_NUMBER`.
    inputs : dict of str to ndarray, shape (n,)
        Spikes of all input neurons.
    keys : list of str
        For each liquid, a digest of everything that decided them.
    resumed : int
        Samples that an earlier command had done.
    """

    counts: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    keys: list[str]
    resumed: int

    def digest(self) -> str:
        """SHA-256 of all counts, two bytes each."""
        sha = hashlib.sha256()
        for part in self.counts:
            for begin in range(0, len(self.counts[part]), BLOCK):
                sha.update(self.counts[part][begin : begin + BLOCK].astype("<u2").data)
        return sha.hexdigest()


def features(
    network: Network,
    plastic: bool,
    samples: dict[str, tuple[Images, Drive]],
    processes: int,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Features:
    """Show every sample to the liquid for 250 ms and count.

    Parameters
    ----------
    network : Network
        The formed liquid.
    plastic : bool
        Whether weights learn during a sample.
    samples : dict of str to (Images, Drive)
        By part, a key of :data:`FIRST_NUMBER`: images, and how they hit the input neurons.
    processes : int
        Of this machine, where there is no `scheduler`.
    scheduler : str, optional
        Address of a Dask scheduler; a cluster of this process where it is left out.
    progress : function, optional
    """
    protocol = FEATURES[plastic]
    structure = lower(network, plastic).structure
    facts = {"network": network.digest(), "protocol": asdict(protocol)}
    facts |= {"program": compiler.program_key(structure)}
    total = sum(len(images.labels) for images, _ in samples.values())
    neurons = sum(population.size for population in network.populations[1:])
    counts = {part: np.zeros((len(one.labels), neurons), np.uint8) for part, (one, _) in samples.items()}
    inputs = {part: np.zeros(len(images.labels), np.int64) for part, (images, _) in samples.items()}
    store = Store("counts", **facts)
    blocks: list[Block] = []
    places: dict[str, tuple[str, slice]] = {}
    done = 0

    def put(name: str, found: Counted) -> None:
        part, rows = places[name]
        counts[part][rows], inputs[part][rows] = found.liquid, found.inputs

    with store.held():
        for part, (images, drive) in samples.items():
            for begin in range(0, len(images.labels), BLOCK):
                rows = slice(begin, min(begin + BLOCK, len(images.labels)))
                shown = images.images[rows]
                name = f"{part}-{begin}-{image_digest(shown, drive)[:16]}"
                places[name] = part, rows
                kept = store.load(name)
                if kept is None:
                    numbers = FIRST_NUMBER[part] + np.arange(rows.start, rows.stop)
                    blocks.append(Block(name, shown, drive, numbers))
                else:
                    put(name, Counted(**kept))
                    done += len(shown)
        resumed = done
        if blocks and not scheduler:
            compiler.compiled(structure, progress)
        job = Job(f"{store.folder.name}-{uuid4().hex}", network, plastic, protocol)
        counted = shared(job, blocks, processes, scheduler)
        try:
            for block, found in counted:
                store.save(block.name, liquid=found.liquid, inputs=found.inputs)
                put(block.name, found)
                done += len(block.numbers)
                if progress is not None:
                    progress("samples", done, total)
        finally:
            counted.close()
    return Features(counts, inputs, [store.folder.name], resumed)


def side_by_side(several: list[Features]) -> Features:
    """Of liquids that were shown the same samples: every neuron of all of them, and the input spikes of all."""
    if len(several) == 1:
        return several[0]
    return Features(
        {part: np.concatenate([one.counts[part] for one in several], axis=1) for part in several[0].counts},
        {part: np.sum([one.inputs[part] for one in several], axis=0) for part in several[0].inputs},
        [key for one in several for key in one.keys],
        sum(one.resumed for one in several),
    )
