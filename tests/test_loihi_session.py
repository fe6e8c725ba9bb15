"""A run in Lava that can't go on ends by itself: one message with the reason, no process and no file left behind.

Every test has a time limit of its own.  Costs about 25 s, most of it Lava's starts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from drive import cells, record, source, synapses
from lava_programs import RUNNER, interpreter, needs_lava, random_program

from neurodeploy import cache, toolchains
from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi import LoihiBackend, runner
from neurodeploy.backends.loihi.failures import explained
from neurodeploy.backends.loihi.program import LoihiProgram, UnreadableProgramError, read
from neurodeploy.backends.loihi.running import anyone_lives
from neurodeploy.backends.loihi.session import LoihiSession
from neurodeploy.errors import EnvironmentMissingError, RunError
from neurodeploy.hardware import LoihiHardware, load_as
from neurodeploy.models.network import Network

LIMIT = 90
"""Seconds after which a test has hung; on a machine that is busy a start of Lava alone may take ten."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"not over after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def network(size: int = 3) -> Network:
    """A source of two neurons onto `size` cells that fire; spikes and voltages are recorded."""
    rows = [(pre, post, 2.0, 3.0) for pre in range(2) for post in range(size)]
    made = Network(
        1.0, [source([1.0, 7.0], [2.0]), cells("IF_curr_exp", size, i_offset=1.5)], [synapses(0, 1, rows)]
    )
    record(made, 1, "spikes", "v")
    return made


def opened(**more) -> LoihiSession:
    session = LoihiBackend().open(network(more.pop("size", 3)), Options("loihi2", **more))
    assert isinstance(session, LoihiSession)
    return session


def children(parent: int) -> list[int]:
    """Processes that `parent` has started, oldest first."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(file.parent.name))
    return sorted(found)


def shared_memory(process: int) -> set[Path]:
    """The shared memory that a process uses."""
    lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in lines if "/dev/shm/psm_" in line}


def wait_until(reached: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if reached():
            return True
        time.sleep(0.02)
    return False


class Traces:
    """What a session has in the system; :meth:`gone` says whether nothing is left of it."""

    def __init__(self, session: LoihiSession) -> None:
        assert session._lava is not None
        self.runner = session._lava.process.pid
        self.folder = session.folder
        self.memory = shared_memory(self.runner)
        assert self.memory and len(children(self.runner)) >= 4

    def gone(self) -> bool:
        left = [path for path in self.memory if path.exists()]
        return not anyone_lives(self.runner) and not left and not self.folder.exists()


def play_nobody(session: LoihiSession) -> None:
    """Have the source play a neuron that it does not have."""
    session._change("spikes", 0, "", (np.array([4]), np.array([99])))


def take_its_folder(session: LoihiSession) -> None:
    shutil.rmtree(session.folder / "exchange")


@needs_lava
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        # within a step
        (play_nobody, "could not run: PySpikePlayerModel raised IndexError: index 99 is out of bounds"),
        # after the last step, which Lava does not wait for
        (take_its_folder, "PyRefractoryLIFModel raised FileNotFoundError"),
    ],
)
def test_a_model_that_raises_ends_the_run_with_its_reason(harm: Callable, words: str) -> None:
    session = opened()
    session.run(2)
    traces = Traces(session)
    harm(session)
    with pytest.raises(RunError) as told:
        session.run(10)
        session.samples(1, "v")
    assert words in told.value.what and told.value.exit_code == 1
    log = Path(told.value.what.split("log: ")[1])
    assert "Traceback" in log.read_text()
    assert traces.gone()
    with pytest.raises(RunError, match="has ended"):
        session.run(1)
    session.end()


@needs_lava
@pytest.mark.parametrize("who", ["a model", "the last of Lava's processes", "the runner"])
def test_a_process_that_is_killed_ends_the_run(who: str) -> None:
    session = opened()
    traces = Traces(session)
    _, _, model, *_, last = children(traces.runner)  # the first two keep shared memory
    victims = {"a model": model, "the last of Lava's processes": last, "the runner": traces.runner}
    os.kill(victims[who], signal.SIGKILL)
    with pytest.raises(RunError, match="killed by SIGKILL") as told:
        session.run(1_000_000)
    assert told.value.fix and told.value.exit_code == 1
    assert traces.gone()


def start_script() -> tuple[int, int]:
    """A process that runs a model for hours, and the runner that it has started."""
    here, there = os.pipe()
    script = os.fork()
    if not script:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            session = opened()
            assert session._lava is not None
            os.write(there, b"%d\n" % session._lava.process.pid)
            session.run(10_000_000)
        finally:
            os._exit(7)
    os.close(there)
    with os.fdopen(here) as said:
        return script, int(said.readline())


@needs_lava
@pytest.mark.parametrize("disturbance", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_lava_ends_with_the_script_that_runs_it(disturbance: int) -> None:
    interpreter()  # installed by now, not by the script
    script, lava = start_script()
    assert len(children(lava)) >= 4
    memory = shared_memory(lava)
    time.sleep(0.3)  # into the run
    os.kill(script, disturbance)
    code = os.waitstatus_to_exitcode(os.waitpid(script, 0)[1])
    assert code == (7 if disturbance == signal.SIGINT else -disturbance)
    assert wait_until(lambda: not anyone_lives(lava), 10)
    assert not [path for path in memory if path.exists()]


def limited_python(folder: Path) -> Path:
    """Lava's Python, which can't write a file of more than 150 KB."""
    path = folder / "python"
    path.write_text(f'#!/bin/bash\nulimit -f 150\nexec {interpreter()} "$@"\n')
    path.chmod(0o755)
    return path


@needs_lava
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: Lava's processes record more than that."""
    machine = tmp_path / "limited.yaml"
    machine.write_text(f"backend: loihi\nmachine: simulated\npython: {limited_python(tmp_path)}\n")
    session = opened(size=40, hardware=str(machine))
    traces = Traces(session)
    with pytest.raises(RunError, match="File too large") as told:
        session.run(2000)
    assert "NEURODEPLOY_CACHE" in told.value.fix and "files" in told.value.why
    assert traces.gone()


def test_a_disk_that_is_full_before_lava_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurodeploy.backends.loihi.program.np.savez", full)
    monkeypatch.setattr(toolchains, "ensure", lambda *_: Path(sys.executable))
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    with pytest.raises(RunError, match="No space left on device") as told:
        opened()
    assert "NEURODEPLOY_CACHE" in told.value.fix
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_disk_that_is_full_when_the_program_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    session = object.__new__(LoihiSession)
    session._lava, session.options = None, Options("loihi2", folder=tmp_path / "kept")
    session.folder = tmp_path / "session"
    session.folder.mkdir()
    (session.folder / "program.json").write_text("{}")
    monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(RunError, match=r"kept: No space left on device"):
        session.end()
    assert not session.folder.exists()


@needs_lava
def test_a_run_that_takes_longer_than_the_machine_allows(tmp_path: Path) -> None:
    machine = tmp_path / "impatient.yaml"
    machine.write_text("backend: loihi\nmachine: simulated\ntime_limit_seconds: 3\n")
    with pytest.raises(RunError, match=r"did not finish to (start|build|run) within 3 s") as told:
        opened(hardware=str(machine)).run(10_000_000)
    assert "time_limit_seconds" in told.value.fix
    assert not list((cache.cache_folder() / "sessions").glob(f"{os.getpid()}-*"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("killed by SIGBUS", "/dev/shm"),
        ("killed by SIGKILL", "memory"),
        ("OSError: Disk quota exceeded", "disk"),
    ],
)
def test_what_lies_behind_a_failure_is_told_with_what_helps(said: str, words: str) -> None:
    machine = load_as(LoihiHardware, "loihi2-sim")
    told = explained("run", f"a process of Lava's was {said}", None, "python", machine)
    assert words in told.why + told.fix and told.fix


# ------------------------------------------------------------------------- without a front end


def call_runner(folder: Path, *options: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(python or sys.executable), "-I", str(RUNNER), str(folder), "--run", "20", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)


def one_message(answer: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert answer.returncode == code, answer.stderr
    assert answer.stderr.startswith("runner: ") and "Traceback" not in answer.stderr
    assert not answer.stdout
    for word in words:
        assert word in answer.stderr


def cut(name: str) -> Callable[[Path], None]:
    """Cut a file of a Program in half."""
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def write(name: str, text: str) -> Callable[[Path], None]:
    def overwrite(folder: Path) -> None:
        (folder / name).write_text(text)

    return overwrite


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut("program.json"), "JSONDecodeError"),
        (cut("arrays.npz"), "BadZipFile"),
        (write("arrays.npz", ""), "EOFError"),
        (write("program.json", "{}"), "format None, not 1"),
        (write("program.json", "[]"), "can't be read"),
        (write("machine.json", "{"), "machine.json can't be read"),
        (shutil.rmtree, "FileNotFoundError"),
    ],
)
def test_a_damaged_program_is_told_before_anything_starts(tmp_path: Path, harm: Callable, words: str) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    random_program(networks=1, steps=5, seed=1).write(folder)
    harm(folder)
    one_message(call_runner(folder), 2, words, str(folder))
    assert not (folder / runner.RECORDING).exists()


def test_a_python_without_lava_is_told(tmp_path: Path) -> None:
    random_program(networks=1, steps=5, seed=1).write(tmp_path)
    one_message(call_runner(tmp_path), 2, f"{sys.executable} has no Lava that works: ModuleNotFoundError")


def misplace(part: str, name: str) -> Callable[[LoihiProgram], None]:
    """Have a part of a Program name a neuron that there is not."""

    def change(program: LoihiProgram) -> None:
        setattr(getattr(program, part)[0], name, np.array([10**6]))

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (misplace("groups", "neurons"), "has a spike of neuron 1000000, and there are"),
        (misplace("synapses", "post_index"), "not as many presynaptic neurons as postsynaptic"),
        (
            lambda p: [misplace("synapses", f"{end}_index")(p) for end in ("pre", "post")],
            "presynaptic neuron 1000000",
        ),
        (lambda p: setattr(p.synapses[0], "post", 99), "one of them 99, and there are"),
        (lambda p: p.recorded.append((1, "v", np.array([-1]))), "v recorded of neuron -1, and there are"),
    ],
)
def test_a_program_that_names_what_it_does_not_have_is_refused(
    tmp_path: Path, change: Callable, words: str
) -> None:
    program = random_program(networks=1, steps=5, seed=1)
    change(program)
    program.write(tmp_path)
    with pytest.raises(UnreadableProgramError, match=words):
        read(tmp_path)


@needs_lava
def test_a_failure_without_a_front_end(tmp_path: Path) -> None:
    random_program(networks=2, steps=5, seed=1).write(tmp_path)
    (tmp_path / runner.RECORDING).write_text("of an earlier run")
    answer = call_runner(tmp_path, "--run", "1000", python=limited_python(tmp_path))
    log = tmp_path / runner.LOG
    one_message(answer, 1, "PyRefractoryLIFModel raised OSError", "File too large", str(log))
    assert "Traceback" in log.read_text()
    assert not (tmp_path / runner.RECORDING).exists()


@needs_lava
def test_ctrl_c_without_a_front_end(tmp_path: Path) -> None:
    random_program(networks=1, steps=5, seed=1).write(tmp_path)
    started = subprocess.Popen(
        [str(interpreter()), "-I", str(RUNNER), str(tmp_path), "--run", "10000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_until(lambda: len(children(started.pid)) >= 4)
    time.sleep(0.3)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    out, errors = started.communicate(timeout=30)
    assert (started.returncode, out, errors) == (130, "", "runner: interrupted; nothing was kept\n")
    assert wait_until(lambda: not anyone_lives(started.pid), 10)
    assert not (tmp_path / runner.RECORDING).exists()


# ------------------------------------------------------------------------------- no or bad Lava


def pretend_installed(root: Path, program: str) -> None:
    """An environment of Lava's in the cache folder `root` whose interpreter is a shell script."""
    lava = toolchains.TOOLCHAINS["loihi"]
    folder = root / "toolchains" / f"loihi-{lava.key}"
    (folder / "bin").mkdir(parents=True)
    (folder / toolchains.STAMP).write_text('{"packages": "lava-nc==0.10.0"}')
    (folder / "bin" / "python").write_text(program)
    (folder / "bin" / "python").chmod(0o755)


def test_a_damaged_environment_is_told_with_the_line_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    pretend_installed(
        tmp_path, "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'numpy'\" >&2\nexit 1\n"
    )
    with pytest.raises(EnvironmentMissingError) as told:
        opened()
    assert "damaged: ModuleNotFoundError: No module named 'numpy'" in told.value.what
    assert "'neurodeploy toolchain install loihi'" in told.value.fix and told.value.exit_code == 2
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_python_of_the_hardware_file_without_lava(tmp_path: Path) -> None:
    for python, words in ((sys.executable, "No module named 'lava'"), ("/nowhere/python", "no such program")):
        machine = tmp_path / "mine.yaml"
        machine.write_text(f"backend: loihi\nmachine: simulated\npython: {python}\n")
        with pytest.raises(EnvironmentMissingError) as told:
            opened(hardware=str(machine))
        assert "mine.yaml" in told.value.what and words in told.value.what
        assert "neurodeploy toolchain install loihi" in told.value.fix
    assert not list((cache.cache_folder() / "sessions").glob(f"{os.getpid()}-*"))
