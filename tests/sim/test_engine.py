"""The engine as a whole: continuing, replacing data, counting changes, the program cache, and what kills it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import TARGETS
from drive import cells, opened, record, source, synapses

from neurodeploy import cache
from neurodeploy.backends.brian2 import compiler, running
from neurodeploy.backends.brian2.structure import Structure
from neurodeploy.errors import RequestError, RunError, UnsupportedError
from neurodeploy.models.network import Injection, Network, Plasticity, Population
from neurodeploy.models.sources import poisson_spikes

RULES = ("ideal", "spinnaker")


def poisson(size: int, rate: float, start: float = 0.0, duration: float = 1e9) -> Population:
    parameters = {"rate": rate, "start": start, "duration": duration}
    return Population(
        "noise", "SpikeSourcePoisson", size, {k: np.full(size, v) for k, v in parameters.items()}
    )


def mixed(rules: str, size: int = 20, seed: int = 7) -> Network:
    """Two cell types, recurrence, both receptors, plasticity, noise and a step current."""
    draws = np.random.default_rng(3)
    rule = Plasticity(20.0, 20.0, 0.01, 0.012, "additive", 0.0, 0.6, 1.0)

    def rows(n_pre: int, n_post: int, p: float, weight: float) -> list[tuple[int, int, float, float]]:
        pairs = np.argwhere(draws.random((n_pre, n_post)) < p)
        return [(i, j, weight * draws.uniform(0.5, 1.5), float(draws.integers(1, 9))) for i, j in pairs]

    network = Network(
        1.0,
        [
            poisson(10, 200.0),
            cells("IF_curr_exp", size, "current"),
            cells("IF_cond_exp", size, "conductance"),
        ],
        [
            synapses(0, 1, rows(10, size, 0.5, 1.5), plasticity=None),
            synapses(0, 2, rows(10, size, 0.5, 0.02)),
            synapses(1, 1, rows(size, size, 0.3, 0.3), plasticity=rule, label="learning"),
            synapses(1, 2, rows(size, size, 0.2, 0.02), "inhibitory"),
            synapses(2, 1, rows(size, size, 0.2, -0.4), "inhibitory", label="back"),
        ],
        [Injection(1, np.arange(5), np.array([20.0, 60.0, 140.0]), np.array([1.0, -0.5, 0.0]))],
        seed=seed,
    )
    for population in range(3):
        record(network, population, "spikes")
    record(network, 1, "v", "isyn_exc")
    record(network, 2, "gsyn_inh")
    return network


def everything(session) -> list[np.ndarray]:
    spikes = [part for population in range(3) for part in session.spikes(population)]
    samples = [session.samples(1, "v"), session.samples(1, "isyn_exc"), session.samples(2, "gsyn_inh")]
    return [*spikes, *samples, session.weights(2), session.state(1, "v")]


def run(target, rules: str, *pieces: int) -> list[np.ndarray]:
    session = opened(mixed(rules), target, rules)
    try:
        for steps in pieces:
            session.run(steps)
        return everything(session)
    finally:
        session.end()


@pytest.mark.parametrize("rules", RULES)
def test_a_run_in_pieces_is_the_same_run(target, rules: str) -> None:
    for whole, pieces in zip(run(target, rules, 200), run(target, rules, 1, 99, 63, 37), strict=True):
        np.testing.assert_array_equal(whole, pieces)


@pytest.mark.parametrize("rules", RULES)
def test_both_engines_agree(rules: str) -> None:
    compiled, runtime = (run(TARGETS[name], rules, 150) for name in ("cpp", "runtime"))
    assert len(compiled[2]) > 50
    for one, other in zip(compiled, runtime, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_two_threads_change_nothing() -> None:
    first, second = (_threads_run(threads) for threads in (1, 2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def _threads_run(threads: int) -> list[np.ndarray]:
    session = opened(mixed("ideal", size=200), TARGETS["cpp"], "ideal", threads=threads)
    session.run(100)
    found = everything(session)
    session.end()
    return found


@pytest.mark.parametrize(("rules", "count"), [("ideal", 51), ("spinnaker", 50)])
def test_how_many_samples_a_run_gives(target, rules: str, count: int) -> None:
    session = opened(mixed(rules), target, rules)
    session.run(50)
    assert session.samples(1, "v").shape == (count, 20)
    assert session.samples(1, "isyn_exc").shape == (count, 20)
    session.end()


def test_samples_at_longer_intervals_are_a_selection(target) -> None:
    fine, coarse = mixed("spinnaker"), mixed("spinnaker")
    for entry in coarse.recorded:
        entry.sampling_interval = 5.0
    values = []
    for network in (fine, coarse):
        session = opened(network, target, "spinnaker")
        session.run(60)
        values.append(session.samples(1, "v"))
        session.end()
    np.testing.assert_array_equal(values[0][::5], values[1])


def test_replacing_data_between_runs(target) -> None:
    network = Network(
        1.0,
        [source([1.0, 21.0, 41.0], []), cells("IF_curr_exp", 2, tau_m=2.0, tau_syn_E=0.5, i_offset=0.0)],
        [synapses(0, 1, [(1, 1, 0.0, 1.0), (0, 0, 0.0, 2.0)])],
    )
    record(network, 1, "spikes")
    session = opened(network, target, "spinnaker")
    session.run(20)
    session.set_weights(0, np.array([1.0, 40.0]))
    np.testing.assert_array_equal(session.weights(0), [1.0, 40.0])
    session.run(20)
    assert session.spikes(1)[0].tolist() == [23.0]
    session.set_delays(0, np.array([1.0, 1.0]))
    session.run(10)
    assert session.spikes(1)[0].tolist() == [23.0, 42.0]
    session.set_spike_times(0, [np.array([55.0]), np.array([])])
    session.run(10)
    assert session.spikes(1)[0].tolist() == [23.0, 42.0, 56.0]
    session.set_state(1, "v", np.array([0.0, 0.0]))
    session.run(1)
    assert session.spikes(1)[0].tolist()[3:] == [60.0, 60.0]
    with pytest.raises(RequestError, match=r"delay 90 ms, at most \d+ ms"):
        session.set_delays(0, np.array([90.0, 1.0]))
    session.end()


def test_two_spikes_of_a_source_in_one_step_both_count(target) -> None:
    values = []
    for times in ([2.0], [2.0, 2.0]):
        network = Network(1.0, [source(times), cells("IF_curr_exp")], [synapses(0, 1, [(0, 0, 0.5, 1.0)])])
        record(network, 1, "isyn_exc")
        session = opened(network, target, "ideal")
        session.run(5)
        values.append(session.samples(1, "isyn_exc")[3, 0])
        session.end()
    assert values == [0.5, 1.0]


def test_poisson_sources_have_their_rate_and_their_seed() -> None:
    rate, start, duration = np.full(200, 50.0), np.full(200, 500.0), np.full(200, 2000.0)

    def draw(begin: float, end: float, seed: int = 1, population: int = 0):
        return poisson_spikes(rate, start, duration, seed, population, begin, end)

    times, neurons = draw(0.0, 4000.0)
    expected = 200 * 50.0 * 2.0
    assert abs(len(times) - expected) < 4 * np.sqrt(expected)
    assert times.min() >= 500.0 and times.max() < 2500.0
    assert np.all(np.diff(times) >= 0) and set(np.unique(neurons)) <= set(range(200))
    pieces = [draw(a, b)[0] for a, b in ((0.0, 777.0), (777.0, 1000.0), (1000.0, 4000.0))]
    np.testing.assert_array_equal(np.concatenate(pieces), times)
    assert not np.array_equal(draw(0.0, 4000.0, seed=2)[0], times)
    assert not np.array_equal(draw(0.0, 4000.0, population=1)[0], times)


def test_every_rounding_is_counted(target) -> None:
    network = Network(
        1.0,
        [source([1.0, 2.4]), cells("IF_curr_exp", tau_refrac=1.3)],
        [synapses(0, 1, [(0, 0, 0.5, 1.0), (0, 0, 0.5, 2.3)], label="mine")],
    )
    session = opened(network, target, "spinnaker")
    changes = "\n".join(session.report.changes)
    session.end()
    assert "'mine': 1 of 2 delays rounded to whole steps of 1 ms, by 0.3 ms at most" in changes
    assert "'source': 1 of 2 spike times rounded to whole steps of 1 ms, by 0.4 ms at most" in changes
    assert (
        "'cells': tau_refrac of 1 of 1 neurons rounded to whole steps of 1 ms, by 0.7 ms at most" in changes
    )


@pytest.mark.parametrize(
    ("break_it", "error", "words"),
    [
        (lambda n: n.projections[0].delay.fill(0.4), RequestError, ["0.4 ms", "one time step (1 ms)"]),
        (lambda n: n.projections[0].delay.fill(np.nan), RequestError, ["delay nan"]),
        (lambda n: n.projections[0].weight.fill(np.nan), RequestError, ["weight nan"]),
        (
            lambda n: n.populations[1].parameters["tau_m"].fill(np.inf),
            RequestError,
            ["'cells'", "tau_m", "inf"],
        ),
        (
            lambda n: n.populations[0].spike_times.append(np.array([np.nan])),
            RequestError,
            ["'source'", "nan"],
        ),
        (lambda n: setattr(n.populations[1], "cell", "HH_cond_exp"), UnsupportedError, ["HH_cond_exp"]),
        (
            lambda n: setattr(n.projections[0], "plasticity", Plasticity(1, 1, 1, 1, "additive", 0, 1, 0.5)),
            UnsupportedError,
            ["'mine'", "dendritic_delay_fraction 0.5"],
        ),
    ],
)
def test_what_cannot_be_lowered_is_refused_by_name(break_it, error: type, words: list[str]) -> None:
    network = Network(
        1.0,
        [source([1.0]), cells("IF_curr_exp")],
        [synapses(0, 1, [(0, 0, 0.5, 1.0)], label="mine")],
    )
    break_it(network)
    with pytest.raises(error) as refused:
        opened(network, TARGETS["cpp"], "spinnaker").end()
    for word in words:
        assert word in str(refused.value)


# ------------------------------------------------------------------------------------------------- the cache

SMALL = Structure("spinnaker", ("IF_curr_delta",), False, (), ())


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch) -> Path:
    """An empty cache; what is compiled into it is not optimised, which takes less long."""
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "FLAGS", ("-O0", "-std=c++14", "-w"))
    monkeypatch.setattr(compiler, "FLAGS_OF", {})
    return tmp_path / "cache"


def test_a_damaged_program_is_built_anew(own_cache: Path) -> None:
    """Once, with a program; every other damage is done to entries that take no time, in ``test_cache.py``."""
    program, built = compiler.compiled(SMALL)
    assert built
    assert compiler.compiled(SMALL) == (program, False)
    whole = program.read_bytes()
    program.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    again, rebuilt = compiler.compiled(SMALL)
    assert rebuilt and again.stat().st_size == len(whole)
    assert sorted(path.name for path in (own_cache / "brian2").iterdir() if "building" in path.name) == []


def test_a_program_that_is_not_what_it_says_is_not_used(own_cache: Path) -> None:
    """A whole entry under the right key whose program is another one: it greets with another key, and is replaced."""
    program, _ = compiler.compiled(SMALL)
    shutil.copy("/bin/true", program)
    manifest = json.loads((program.parent / "manifest.json").read_text())
    manifest["files"]["main"] = cache.file_digest(program)
    (program.parent / "manifest.json").write_text(json.dumps(manifest))
    session = opened(Network(1.0, [cells("IF_curr_delta")]), TARGETS["cpp"], "spinnaker")
    session.run(3)
    assert session.report.facts["compiled"]
    session.end()


def test_a_machine_without_room_is_told_and_the_program_is_kept(monkeypatch) -> None:
    def no_room(*given, **options):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    discarded: list[Path] = []
    monkeypatch.setattr(compiler, "discard", discarded.append)
    monkeypatch.setattr(running, "started", no_room)
    with pytest.raises(RunError, match="cannot be started: Resource temporarily unavailable") as told:
        opened(mixed("spinnaker"), TARGETS["cpp"], "spinnaker")
    assert "ulimit" in told.value.fix and not discarded


def test_two_at_once_compile_once(own_cache: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: compiler.compiled(SMALL), range(2)))
    assert sorted(built for _, built in answers) == [False, True]


def test_sizes_are_not_in_the_program(tmp_path: Path) -> None:
    """Generated with other stand-ins for the sizes, the program comes out the same, letter for letter."""
    code = (
        "import sys; from pathlib import Path; from neurodeploy.backends.brian2.generate import generate;"
        "from neurodeploy.backends.brian2.structure import Structure;"
        "a, b = 'IF_cond_exp', 'IF_curr_exp';"
        "s = Structure('ideal', (a, b), True, (('sources', a),), ((a, b),));"
        "generate(s, Path(sys.argv[1]), 'key', tuple(int(n) for n in sys.argv[2:]))"
    )
    texts = []
    for name, numbers in (("a", ("1000003", "1000033", "1000037")), ("b", ("2000003", "2000029", "2000039"))):
        (tmp_path / name).mkdir()
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name), *numbers], check=True, cwd=tmp_path)
        sources = (tmp_path / name / "sources.txt").read_text().split()
        texts.append({source: (tmp_path / name / source).read_text() for source in sources})
    assert texts[0] == texts[1]
    assert len(texts[0]) > 10


def test_dead_sessions_are_swept_away(own_cache: Path) -> None:
    left = own_cache / "sessions" / "999999999-abc"
    left.mkdir(parents=True)
    mine = cache.session_folder()
    assert not left.exists() and mine.exists()


def test_an_unwritable_cache_is_told(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(RunError, match="NEURODEPLOY_CACHE"):
        cache.cache_folder()


def test_a_killed_engine_is_told_and_leaves_nothing(target) -> None:
    session = opened(mixed("spinnaker"), target, "spinnaker")
    session.run(5)
    process, folder = session.program.engine.process.pid, session.program.folder
    os.kill(process, signal.SIGKILL)
    with pytest.raises(RunError, match="SIGKILL"):
        session.run(5)
    assert not folder.exists()
    session.end()
    with pytest.raises(RunError, match="has ended"):
        session.run(1)
