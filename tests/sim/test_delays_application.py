"""``run delays`` from options to files: in floating point, and as spikes on a target, where the counts are the reference's."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from delays_images import texture
from PIL import Image
from typer.testing import CliRunner

from neurodeploy.cli import app
from neurodeploy.delays.events import from_frames
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import glide
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
    assert told["spikes_differing"] == 0 and told["spikes_compared"] > 300
    spikes = next(score for name, score in told["scores"].items() if name.startswith("spikes"))
    assert spikes["right"] >= 5  # of 6; chance is 1.5
    rows = list(csv.reader((out / "counts.csv").open()))
    counts = np.array(rows[1:], int)[:, 1:]
    decided = [int(row[3]) for row in list(csv.reader((out / "decisions.csv").open()))[1:]]
    assert counts.argmax(axis=1).tolist() == decided and counts.sum() == told["spikes_compared"]
    pictures = {"events.png", "kernels.png", "directions.png", "directions-over-time.gif", "report.html"}
    assert pictures <= {f.name for f in out.iterdir()}
    assert "data:image/gif;base64," in (out / "report.html").read_text()
    with np.load(out / "spikes.npz") as kept:
        assert len(kept["step"]) == told["spikes"] and kept["step"].max() < 6 * 60


def test_options_without_a_meaning_are_refused_in_words(given) -> None:
    for words, told in (
        (["--rules", "ideal"], "--rules ideal has no meaning without --backend"),
        (["--backend", "brian2", "--experiment", "curves"], "--experiment curves has no meaning beside"),
        (["--backend", "brian2", "--readout", "evidence"], "--readout evidence has no meaning beside"),
        (["--backend", "brian2", "--size", "papper"], "Did you mean 'paper'"),
        (["--backend", "brain2"], "brian2"),
        (["--camera", "acumulating"], "Did you mean 'accumulating'"),
        (["--sensor", "8x8"], "no meaning without --events"),
        (["--events", "a.npy", "--backend", "brian2"], "--images .* has no meaning beside --events a.npy"),
        (
            ["--experiment", "kernels", "--movies", "3"],
            "--movies 3 has no meaning beside --experiment kernels",
        ),
        (["--experiment", "motifs"], "--model .* has no meaning beside --experiment motifs"),
    ):
        with pytest.raises(RequestError, match=told):
            command(*given, *words)


def test_a_recording_is_shown_to_the_layer(given, tmp_path) -> None:
    """A texture that moves to the left, then down: 60 ms each, of a camera of 40 x 44 pixels."""
    motions, layer = Motions(4, (0.5,)), given[3]
    pixels, parts = texture(110, 110, 9).pixels, []
    corner = np.array([30.0, 30.0])
    for number in (3, 0):
        path = corner - np.arange(61)[:, None] * motions.velocities[number]
        events = from_frames(glide(pixels, path, 40, 44))
        parts += [np.stack([events.x, events.y, 1000 * (events.t + 60 * len(parts)), events.p], axis=1)]
        corner = path[-1]
    file, out = tmp_path / "events.csv", tmp_path / "out"
    np.savetxt(file, np.concatenate(parts), "%d", ",", header="x,y,t,p", comments="")
    words = [
        "run",
        "delays",
        "--model",
        layer,
        "--events",
        str(file),
        "--sensor",
        "40x44",
        "--synapses",
        "160",
    ]
    told = json.loads(command(*words, "--out", str(out), "--json"))
    assert (told["height"], told["width"], told["executed_by"]) == (40, 44, "float") and told["places"] > 20
    rows = list(csv.reader((out / "counts.csv").open()))
    counts = np.array(rows[1:], int)
    left, down = (
        counts[(counts[:, 0] >= a) & (counts[:, 0] < b), 1:].sum(axis=0) for a, b in ((20, 60), (80, 120))
    )
    assert left.argmax() == 3 and left[3] > 2 * np.delete(left, 3).max()
    assert down.argmax() == 0 and down[0] > 2 * down[1:].max()
    detections = (out / "detections.csv").read_text().splitlines()
    assert len(detections) - 1 == told["detections"] == counts[:, 1:].sum() == sum(told["counts"].values())
    assert json.loads((out / "run.json").read_text())["recording"]["sensor"] == "40x44"
    with Image.open(out / "directions-over-time.gif") as gif:
        assert gif.n_frames > 10 and (out / "directions-over-time.gif").stat().st_size < 500_000
    assert {"events.png", "counts.png", "metrics.json", "report.html"} <= {f.name for f in out.iterdir()}


def test_robustness_by_both_readouts(given, tmp_path) -> None:
    out = tmp_path / "out"
    words = ["--experiment", "robustness", "--size", "patch", "--movies", "4", "--synapses", "160", "--json"]
    told = json.loads(command(*given, *words, "--camera", "accumulating", "--out", str(out)))
    points = {(one["disturbance"], one["value"]): one for one in told["points"]}
    undisturbed = points["share lost", 0]
    assert undisturbed["evidence"] == points["share added at random", 0]["evidence"]
    assert undisturbed["evidence"]["right"] >= 3 and undisturbed["spikes"]["right"] >= 3
    assert points["moved by up to (ms)", 8]["evidence"]["right"] < 4
    assert len((out / "decisions.csv").read_text().splitlines()) == 1 + 4 * len(points) == 1 + 4 * 15
    assert json.loads((out / "run.json").read_text())["camera"] == told["camera"] == "accumulating"
    assert {"robustness.png", "report.html"} <= {f.name for f in out.iterdir()}


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
