"""A script in the style of PyNN's own examples, as a stranger has it: checked, run and compared as it stands."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
from html_page import HtmlPage
from test_cli import call

STRANGER = """\
from importlib import import_module
import numpy as np
from pyNN.random import NumpyRNG, RandomDistribution
from pyNN.utility import get_simulator, init_logging, normalized_filename

sim, options = get_simulator(("--plot-figure", "Plot the results to a file.", {"action": "store_true"}),
                             ("--rate", "Hz of the input", {"type": float, "default": 60.0}))
rng = NumpyRNG(seed=764756387, parallel_safe=True)
node = sim.setup(timestep=1.0, min_delay=1.0, max_delay=4.0, debug=True, quit_on_end=False)
spike_times = np.add.accumulate(rng.next(40, "exponential", {"beta": 1000.0 / options.rate}))
inputs = sim.Population(10, sim.SpikeSourceArray(spike_times=spike_times), label="input")
cells = sim.Population(
    20,
    sim.IF_curr_exp(tau_refrac=2.0, tau_syn_E=2.0, tau_m=RandomDistribution("uniform", low=18.0, high=22.0, rng=rng)),
    label="output",
)
projection = sim.Projection(inputs, cells, sim.FixedProbabilityConnector(0.5, rng=rng), sim.StaticSynapse(weight=0.8, delay=2.0))
projection.save("connections", normalized_filename("Results", "stranger", "conn", options.simulator, sim.num_processes()))
inputs.record("spikes")
cells.record("spikes")
cells.sample(3, rng).record("v")
sim.run(300.0)
cells.write_data(normalized_filename("Results", "stranger", "pkl", options.simulator, sim.num_processes()),
                 annotations={"script_name": __file__})
print("mean rate", cells.mean_spike_count() / 0.3, "Hz, on", node)
if options.plot_figure:
    from pyNN.utility.plotting import Figure, Panel
    data = cells.get_data().segments[0]
    Figure(Panel(data.filter(name="v")[0], ylabel="v (mV)"), Panel(data.spiketrains)).save("Results/stranger.png")
sim.end()
raise SystemExit(0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stranger")
    (place / "stranger.py").write_text(STRANGER)
    return place


@pytest.fixture(scope="module")
def answer(folder: Path) -> subprocess.CompletedProcess[str]:
    """The script's own run, which leaves the folder `out`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return call(
            "run", "stranger.py", "--rules", "spinnaker", "--out", "out", "--", "nest", "--plot-figure"
        )


def test_it_runs_whole_and_leaves_a_run_directory(
    folder: Path, answer: subprocess.CompletedProcess[str]
) -> None:
    assert answer.returncode == 0, answer.stderr
    assert "mean rate" in answer.stdout and "executed by: float (brian2, spinnaker rules)" in answer.stdout
    assert {"out", "Results", "stranger.py"} == {path.name for path in folder.iterdir()}
    assert (folder / "Results" / "stranger.png").stat().st_size > 10_000
    metrics = json.loads((folder / "out" / "metrics.json").read_text())
    with (folder / "out" / "spikes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(metrics["spikes"].values()) and set(metrics["spikes"]) == {"input", "output"}
    assert metrics["spikes"]["output"] > 20 and metrics["model_time_ms"] == 300.0
    rate = float(answer.stdout.split("mean rate ")[1].split()[0])
    assert rate == pytest.approx(metrics["spikes"]["output"] / 20 / 0.3)
    assert any("quit_on_end" in note for note in metrics["notes"])
    text = (folder / "out" / "report.html").read_text()
    page = HtmlPage(text)
    assert len(page.pictures) == 1 and "modelled" in page.text and "stranger.py" in page.text
    run = json.loads((folder / "out" / "run.json").read_text())
    assert run["executed_by"] == "float" and len(run["network_sha256"]) == 1


@pytest.mark.usefixtures("answer")
def test_its_own_run_says_how_often_it_fires(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check on another target with the rates of that run."""
    monkeypatch.chdir(folder)
    answer = call("check", "stranger.py", "--backend", "spinnaker", "--like", "out", "--json")
    assert answer.returncode == 0, answer.stdout
    found = json.loads(answer.stdout)
    spikes = next(row for row in found["costs"]["rows"] if row["quantity"] == "spikes")
    total = sum(json.loads((folder / "out" / "metrics.json").read_text())["spikes"].values())
    assert spikes["at_least"] == spikes["at_most"] == total


def test_what_the_script_does_wrong_is_told_with_its_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for text, code, says in (
        ("import pyNN.nest as sim\nsim.setup()\nx = 1 / 0\n", 1, "line 3: ZeroDivisionError"),
        ("import pyNN.nest as sim\nsim.setup()\nsim.Population(1, sim.HH_cond_exp())\n", 2, "line 3"),
        ("import pyNN.nest as sim\nsim.setup()\nraise SystemExit(3)\n", 1, "exit(3)"),
        ("print('no model')\n", 2, "never calls run()"),
    ):
        (folder / "wrong.py").write_text(text)
        answer = call("run", "wrong.py", "--out", "wrong")
        assert answer.returncode == code and says in answer.stderr and "Traceback" not in answer.stderr
        assert not (folder / "wrong").exists()
    (folder / "wrong.py").unlink()
