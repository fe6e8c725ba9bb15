"""``run delays`` from options to files: in floating point, and as spikes on a target, where the counts are the reference's."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from delays_images import texture
from typer.testing import CliRunner

from neurodeploy.cli import app
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.motions import Motions
from neurodeploy.errors import RequestError


@pytest.fixture
def given(tmp_path):
    """A small layer whose kernels follow their motions, and a folder of images."""
    motions = Motions(4, (0.5,))
    generator = np.random.default_rng(2)
    weights = 0.05 * generator.standard_normal((4, 2, 8, 9, 9)).astype(np.float32)
    for delay in range(8):
        row, column = np.rint(4 + motions.velocities * delay).astype(int).T
        weights[np.arange(4), 1, delay, row, column] += 1.0
        weights[np.arange(4), 0, delay, row, column] -= 1.0
    Layer(weights, np.zeros(4, np.float32), motions).save(tmp_path / "layer.npz")
    (tmp_path / "images").mkdir()
    for number in range(4):
        np.save(tmp_path / "images" / f"{number}.npy", texture(110, 110, number).pixels)
    return ["run", "delays", "--model", str(tmp_path / "layer.npz"), "--images", str(tmp_path / "images")]


def command(*words: str) -> str:
    said = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return said.output


def test_in_floating_point(given, tmp_path) -> None:
    out = tmp_path / "out"
    told = json.loads(command(*given, "--movies", "6", "--size", "patch", "--out", str(out), "--json"))
    assert told["executed_by"] == "float" and told["scores"]["layer"]["movies"] == 6
    assert {"decisions.csv", "metrics.json", "run.json", "events.png", "kernels.png", "report.html"} <= {
        f.name for f in out.iterdir()
    }


def test_curves_by_spike_counts(given, tmp_path) -> None:
    out = tmp_path / "out"
    words = ["--experiment", "curves", "--readout", "spikes", "--movies", "4", "--size", "patch", "--json"]
    told = json.loads(command(*given, *words, "--out", str(out)))
    alike = "synapses, as many in every class"
    assert {f"72 {alike}", f"4000 {alike}", "3 delays", "whole", "8000 synapses, all at delay 0"} <= set(
        told["scores"]
    )
    assert "4000 synapses" not in told["scores"]  # one threshold for all is for the evidence rule
    assert told["peak"] >= 0.75 and set(told["half_synapses"]) == {alike}
    assert (out / "accuracy.png").stat().st_size > 0


@pytest.mark.parametrize("rules", ["ideal", "loihi2"])
def test_as_spikes_every_one_is_the_references_and_their_counts_decide(given, tmp_path, rules: str) -> None:
    out = tmp_path / "out"
    words = ["--backend", "brian2", "--rules", rules, "--synapses", "160", "--movies", "6", "--json"]
    told = json.loads(command(*given, *words, "--out", str(out)))
    assert told["executed_by"] == ("float" if rules == "ideal" else "chip arithmetic")
    assert told["spikes_differing"] == 0 and told["spikes_compared"] > 1000
    spikes = next(score for name, score in told["scores"].items() if name.startswith("spikes"))
    assert spikes["right"] >= 5  # of 6; chance is 1.5
    rows = list(csv.reader((out / "counts.csv").open()))
    counts = np.array(rows[1:], int)[:, 1:]
    decided = [int(row[3]) for row in list(csv.reader((out / "decisions.csv").open()))[1:]]
    assert counts.argmax(axis=1).tolist() == decided and counts.sum() == told["spikes_compared"]
    assert {"events.png", "kernels.png", "directions.png", "report.html"} <= {f.name for f in out.iterdir()}
    with np.load(out / "spikes.npz") as kept:
        assert len(kept["step"]) == told["spikes"] and kept["step"].max() < 6 * 60


def test_options_without_a_meaning_are_refused_in_words(given) -> None:
    for words, told in (
        (["--rules", "ideal"], "--rules ideal has no meaning without --backend"),
        (["--backend", "brian2", "--experiment", "curves"], "--experiment curves has no meaning beside"),
        (["--backend", "brian2", "--readout", "evidence"], "--readout evidence has no meaning beside"),
        (["--backend", "brian2", "--size", "papper"], "Did you mean 'paper'"),
        (["--backend", "brain2"], "brian2"),
        (["--experiment", "motifs"], "--model .* has no meaning beside --experiment motifs"),
    ):
        with pytest.raises(RequestError, match=told):
            command(*given, *words)


def test_clouds_in_both_conditions_beside_the_published(given, tmp_path) -> None:
    pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    from neurodeploy.delays.clouds_application import run_clouds
    from neurodeploy.delays.motion_clouds import CloudSettings

    small = CloudSettings(height=20, width=20, steps=24)
    scans = {"frequency": (0.05, 0.2), "speed_width": (0.05,)}
    out = tmp_path / "out"
    result = run_clouds(tmp_path / "layer.npz", movies=3, out=out, base=small, scans=scans, stride=(3, 3, 3))
    points = result.data["points"]
    assert [(one["scan"], one["value"]) for one in points] == [
        ("frequency", 0.05),
        ("frequency", 0.2),
        ("speed_width", 0.05),
    ]
    assert all(one[name]["movies"] == 3 for one in points for name in ("perpendicular", "aperture"))
    assert len((out / "decisions.csv").read_text().splitlines()) == 1 + 3 * 2 * 3
    assert {"clouds.png", "metrics.json", "run.json", "report.html"} <= {f.name for f in out.iterdir()}
