"""The command line as a user meets it: whole processes, their exit codes, their words, what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurodeploy import cli
from neurodeploy.cam.experiments import RECORDINGS

COMMAND = [sys.executable, "-m", "neurodeploy.cli"]
FILES = {
    "spikes.csv",
    "operations.csv",
    "metrics.json",
    "run.json",
    "raster.png",
    "weights.png",
    "report.html",
}


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )


def test_help_names_the_verbs() -> None:
    answer = call("--help")
    assert answer.returncode == 0
    for verb in ("run", "doctor", "targets"):
        assert verb in answer.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, neurodeploy.cli; print([m for m in ('numpy', 'pyNN', 'matplotlib', 'brian2') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_run_leaves_a_whole_folder(tmp_path: Path) -> None:
    answer = call("run", "cam", "--out", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    assert "9 of 9 answers right" in answer.stdout
    assert "executed by: float" in answer.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["answers"]["overall"] == {"correct": 9, "total": 9}
    assert (metrics["neurons"], metrics["spikes"]["internal"], metrics["model_time_ms"]) == (86, 205, 90)
    assert set(metrics["wall_seconds"]) == {"build", "compile", "run", "all"}
    assert (tmp_path / "out" / "spikes.csv").read_bytes() == (RECORDINGS / "functional.csv").read_bytes()


def test_json_is_json_and_nothing_else(tmp_path: Path) -> None:
    answer = call("run", "cam", "--json", "--experiment", "state-map", "--out", str(tmp_path / "out"))
    assert json.loads(answer.stdout)["answers"]["overall"] == {"correct": 20, "total": 20}
    for verb in ("doctor", "targets"):
        assert isinstance(json.loads(call(verb, "--json").stdout), dict)


def test_own_operations_and_the_same_operations_again(tmp_path: Path) -> None:
    file = tmp_path / "ops.csv"
    file.write_text("time_ms,operation,cue,content\n0,learn,0,0 1 8 9\n20,recall,0,\n40,recall,,6\n")
    size = ("--cues", "16", "--contents", "10")
    answer = call("run", "cam", "--operations", str(file), *size, "--out", str(tmp_path / "one"))
    assert "3 of 3 answers right" in answer.stdout, answer.stderr
    again = tmp_path / "one" / "operations.csv"
    call("run", "cam", "--operations", str(again), *size, "--out", str(tmp_path / "two"))
    assert (tmp_path / "one" / "spikes.csv").read_bytes() == (tmp_path / "two" / "spikes.csv").read_bytes()


def test_random_is_seeded(tmp_path: Path) -> None:
    spikes = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = tmp_path / name
        call("run", "cam", "--experiment", "random", "--count", "10", "--seed", seed, "--out", str(out))
        spikes.append((out / "spikes.csv").read_bytes())
    assert spikes[0] == spikes[1] != spikes[2]


OPERATIONS = "time_ms,operation,cue,content\n"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0,learn,0,0 x\n", ["ops.csv", "line 2", "content", "x"]),
        ("0,lern,0,0\n", ["ops.csv", "line 2", "lern", "Did you mean 'learn'?"]),
        ("0,learn,7,0\n", ["ops.csv", "line 2", "7", "cue"]),
        ("0,learn,0,12\n", ["ops.csv", "line 2", "12"]),
        ("0,learn,0,1\n3,recall,0,\n", ["ops.csv", "line 3", "7 ms"]),
        ("50,learn,0,1\n20,recall,0,\n", ["ops.csv", "line 3"]),
        ("0,learn,0,\n", ["ops.csv", "line 2"]),
        ("-5,recall,0,\n", ["ops.csv", "line 2", "-5"]),
        ("nan,recall,0,\n", ["ops.csv", "line 2", "nan"]),
        ("0,recall,0,3\n", ["ops.csv", "line 2"]),
        ("0,recall,,\n", ["ops.csv", "line 2"]),
        ("", ["ops.csv"]),
    ],
)
def test_malformed_operations(tmp_path: Path, rows: str, words: list[str]) -> None:
    file = tmp_path / "ops.csv"
    file.write_text(OPERATIONS + rows)
    answer = call("run", "cam", "--operations", str(file), "--out", str(tmp_path / "out"))
    refused(answer, tmp_path, words, left=["ops.csv"])


def refused(answer, folder: Path, words: list[str], left: list[str], code: int = 2) -> None:
    """One message, the exit code, no traceback, and nothing left behind."""
    assert answer.returncode == code, answer.stderr
    assert answer.stderr.startswith("neurodeploy: ")
    assert "Traceback" not in answer.stderr
    for word in words:
        assert word in answer.stderr
    assert sorted(path.name for path in folder.iterdir()) == left


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--experiment", "functionl"], ["functionl", "Did you mean 'functional'?"]),
        (["--backend", "brain2"], ["brain2", "Did you mean 'brian2'?"]),
        (["--rules", "spinaker"], ["spinaker", "Did you mean 'spinnaker'?"]),
        (["--engine", "cp"], ["cp", "Did you mean 'cpp'?"]),
        (["--operations", "/nowhere/ops.csv"], ["/nowhere/ops.csv"]),
        (["--experiment", "random", "--cues", "0"], ["cues", "0"]),
        (["--experiment", "random", "--spacing", "3"], ["spacing", "3", "7"]),
        (["--cues", "7"], ["--cues 7", "functional"]),
        (["--sed", "1"], ["--sed"]),
        (["--seed", "-1"], ["--seed"]),
    ],
)
def test_wrong_requests(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    refused(call("run", "cam", "--out", str(tmp_path / "out"), *arguments), tmp_path, words, left=[])


def test_an_out_that_is_taken_or_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    refused(call("run", "cam", "--out", str(tmp_path / "out")), tmp_path, ["out", "already"], left=["out"])
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"
    answer = call("run", "cam", "--out", "/proc/neurodeploy/out")
    assert answer.returncode == 2 and "/proc/neurodeploy/out" in answer.stderr


def test_no_compiler_says_what_to_install_and_what_else_there_is(tmp_path: Path) -> None:
    hidden = {"CXX": "no-such-compiler", "NEURODEPLOY_CACHE": str(tmp_path / "cache")}
    answer = call("run", "cam", "--out", str(tmp_path / "out"), **hidden)
    words = ["no-such-compiler", "apt install g++", "--engine runtime"]
    refused(answer, tmp_path, words, left=["cache"], code=1)
    answer = call("run", "cam", "--engine", "runtime", "--out", str(tmp_path / "out"), **hidden)
    assert "9 of 9 answers right" in answer.stdout, answer.stderr
    assert "limited" in call("doctor", **hidden).stdout


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a disk that fills up while the results are written."""
    call("run", "cam", "--out", str(tmp_path / "compiled"))
    limit = f"ulimit -f 16; trap '' XFSZ; exec {' '.join(COMMAND)} run cam --experiment stress --out {tmp_path}/out"
    answer = subprocess.run(["bash", "-c", limit], capture_output=True, text=True, check=False)
    refused(answer, tmp_path, ["cannot be written", "free some space"], left=["compiled"], code=1)


def long_run(out: Path) -> subprocess.Popen[str]:
    """A run that takes long enough to be disturbed, in a session of its own."""
    arguments = [
        "run",
        "cam",
        "--experiment",
        "random",
        "--count",
        "9000",
        "--cues",
        "100",
        "--contents",
        "100",
    ]
    command = [*COMMAND, *arguments, "--out", str(out)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def engines(parent: int) -> list[int]:
    """Children of `parent` that are compiled engines."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == parent and words.split(b"\0")[0].endswith(b"/main") and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def wait_for_engine(process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := engines(process.pid):
            time.sleep(0.2)  # past its greeting, into the run
            return found[0]
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError("the engine never started")


@pytest.mark.parametrize(
    ("option", "value"), [("hardware", "spin5"), ("host", "10.0.0.1"), ("faults", "lose=0.1")]
)
def test_settings_of_a_machine_are_refused_where_there_is_none(
    tmp_path: Path, option: str, value: str
) -> None:
    answer = call("run", "cam", f"--{option}", value, "--out", str(tmp_path / "out"))
    assert answer.returncode == 2
    assert f"the brian2 backend has no use for {option} '{value}'" in answer.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("disturbance", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_run_leaves_no_process_and_no_folder(tmp_path: Path, disturbance: int, code: int) -> None:
    call("run", "cam", "--out", str(tmp_path / "compiled"))
    process = long_run(tmp_path / "out")
    engine = wait_for_engine(process)
    os.kill(process.pid, disturbance)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    time.sleep(0.3)
    assert not Path(f"/proc/{engine}").exists() or "Z" in Path(f"/proc/{engine}/stat").read_text()
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in errors
    if disturbance == signal.SIGINT:
        assert "Interrupted" in errors
    if disturbance != signal.SIGKILL:
        assert [path.name for path in tmp_path.iterdir()] == ["compiled"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_killed_simulation_is_told(tmp_path: Path) -> None:
    call("run", "cam", "--out", str(tmp_path / "compiled"))
    process = long_run(tmp_path / "out")
    os.kill(wait_for_engine(process), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "SIGKILL" in errors and "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_outside_the_run_and_the_cache(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    places = {"HOME": str(tmp_path / "home"), "NEURODEPLOY_CACHE": str(tmp_path / "cache")}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        places[name] = ""
    environment = {key: value for key, value in (os.environ | places).items() if value}
    command = [*COMMAND, "run", "cam", "--out", str(tmp_path / "out")]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "home", "out"]
    assert list((tmp_path / "home").rglob("*")) == []


def test_an_error_of_the_system_that_has_no_number_keeps_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(**options: object) -> None:
        raise TimeoutError("join timed out")

    monkeypatch.setattr(cli, "app", late)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 1 and "join timed out" in capsys.readouterr().err
