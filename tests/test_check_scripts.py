"""A stranger's PyNN script becomes the Network it builds, without being run; what it does wrong is told with its line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from neurodeploy.errors import RequestError
from neurodeploy.models.pynn.scripts import capture
from neurodeploy.report.check import check

STRANGER = """\
from pyNN.utility import get_simulator
sim, options = get_simulator(("--size", "cells", {"type": int, "default": 10}))
sim.setup(timestep=0.5, min_delay=1.0, rng_seed=3)
source = sim.Population(5, sim.SpikeSourcePoisson(rate=50.0), label="source")
cells = sim.Population(options.size, sim.IF_curr_exp(tau_m=20.0), label="cells")
cells.record(["spikes", "v"])
sim.Projection(source, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.1, delay=2.0))
print("built")
sim.run(100.0)
open("after.txt", "w").write("it ran on")
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unchanged_script_becomes_a_network(tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    captured = capture(written(tmp_path, STRANGER), ["nest", "--size", "30"])
    assert captured.failure is None and captured.network is not None
    assert [(p.label, p.cell, p.size) for p in captured.network.populations] == [
        ("source", "SpikeSourcePoisson", 5),
        ("cells", "IF_curr_exp", 30),
    ]
    assert captured.network.synapse_count == 150 and captured.network.time_step == 0.5
    assert captured.steps == 200
    assert captured.notes == ["setup(): rng_seed=3 is for pyNN.nest, and has no meaning here"]
    assert not (tmp_path / "after.txt").exists()
    assert capfd.readouterr().out == ""


def test_a_script_is_checked_with_the_simulator_it_does_not_name(tmp_path: Path) -> None:
    result = check(str(written(tmp_path, STRANGER)), "spinnaker")
    assert result.fits and result.rules == "spinnaker" and result.data["steps"] == 200
    assert [row["population"] for row in result.data["populations"]] == ["source", "cells"]
    assert [row["verdict"] for row in result.data["projections"]] == ["changed"]
    assert result.render()


def test_what_the_front_end_refuses_is_a_finding_with_its_line(tmp_path: Path) -> None:
    text = (
        "import pyNN.spiNNaker as p\np.setup(1.0)\np.Population(3, p.HH_cond_exp(), label='axon')\np.run(1)\n"
    )
    result = check(str(written(tmp_path, text)), "loihi")
    (finding,) = result.findings
    assert not result.fits and "line 3" in finding.what and "HH_cond_exp" in finding.what and finding.fix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import pyNN.nest as sim\nsim.setup()\nx = 1 / 0\n", "line 3: ZeroDivisionError"),
        ("print('no model here')\n", "no model here"),
        ("import os\nos._exit(3)\n", "ended its own process"),
    ],
)
def test_a_script_with_a_fault_of_its_own(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Exception, match=says) as caught:
        capture(written(tmp_path, text), [])
    assert isinstance(caught.value, RequestError) or "process" in says


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(RequestError, match="Did you mean 'cam'"):
        check("came", "brian2")
    with pytest.raises(RequestError, match="--cues 4 has no meaning for lsm"):
        check("lsm", "brian2", cues=4)
    with pytest.raises(RequestError, match="There is no script"):
        check("nowhere/script.py", "brian2")


@pytest.mark.parametrize("backend", ["brian2", "spinnaker", "loihi"])
def test_the_liquid_is_checked_as_a_target_is_given_it(backend: str) -> None:
    """Input weights of both signs are two projections, as in a run: no chip has signed weights on one receptor."""
    result = check("lsm", backend, neurons=64, inputs=20)
    assert result.fits
    projections = [row["projection"] for row in result.data["projections"]]
    assert projections == [
        "input, excitatory",
        "input, inhibitory",
        "liquid, excitatory",
        "liquid, inhibitory",
    ]


def test_the_detectors_are_checked_with_the_neuron_of_a_run() -> None:
    assert "inhibition" in [
        row["projection"] for row in check("delays", "brian2", neuron="winner").data["projections"]
    ]
    (error,) = [one for one in check("delays", "loihi", neuron="stochastic").findings if one.is_error]
    assert error.label == "detectors" and "an injected current changes" in error.what
    with pytest.raises(RequestError, match="Did you mean 'winner'"):
        check("delays", "brian2", neuron="winer")


def test_the_command_line_says_it_in_words_in_json_and_in_its_exit_code(tmp_path: Path) -> None:
    text = STRANGER.replace("tau_m=20.0", "tau_refrac=100.0")
    command = [sys.executable, "-m", "neurodeploy.cli", "check", str(written(tmp_path, text))]
    answer = subprocess.run(
        [*command, "--backend", "loihi", "--json"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1 and answer.stderr == ""
    found = json.loads(answer.stdout)
    (error,) = [each for each in found["findings"] if each["level"] == "error"]
    assert (error["kind"], error["label"], found["fits"]) == ("population", "cells", False)
    assert "tau_refrac 100 ms is 200 steps" in error["what"] and error["fix"].startswith(
        "use a tau_refrac of at most 31 ms"
    )


def test_words_for_people(capsys) -> None:
    result = check("cam", "spinnaker")
    Console(width=200).print(*result.render(), sep="\n")
    told = capsys.readouterr().out
    for words in ("Populations", "Projections", "Recordings", "What it takes", "headroom", "fits"):
        assert words in told
    assert result.exit_code == 0
