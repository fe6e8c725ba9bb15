"""Long experiments go on from their checkpoint to the same decisions, and refuse another's."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from neurodeploy.delays import clouds_application
from neurodeploy.delays.checkpoint import Checkpoint
from neurodeploy.delays.clouds_application import run_clouds
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.motion_clouds import CloudSettings
from neurodeploy.delays.motions import Motions
from neurodeploy.errors import RequestError


def test_what_is_decided_comes_back(tmp_path) -> None:
    file = tmp_path / "made.json"
    first = Checkpoint(file, seed=1, size=(3, 4))
    first.decisions("a").append((1, 2))
    first.save()
    assert Checkpoint(file, seed=1, size=(3, 4)).decisions("a") == [[1, 2]]
    assert Checkpoint(file, seed=1, size=(3, 4)).decisions("b") == []
    assert [one.name for one in tmp_path.iterdir()] == ["made.json"]
    with pytest.raises(RequestError, match=r"of another run .seed: 1 there, 2 here"):
        Checkpoint(file, seed=2, size=(3, 4))
    file.write_text('{"facts": ')
    with pytest.raises(RequestError, match="is not a checkpoint"):
        Checkpoint(file, seed=1)
    with pytest.raises(RequestError, match="there is no folder"):
        Checkpoint(tmp_path / "nowhere" / "made.json")
    nowhere = Checkpoint(None, seed=1)
    nowhere.decisions("a").append(1)
    nowhere.save()
    assert nowhere.decisions("a") == [1]


def test_clouds_that_were_stopped_go_on_to_the_same_decisions(tmp_path, monkeypatch) -> None:
    pytest.importorskip("MotionClouds", reason="the extra 'motionclouds' is not installed")
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((4, 2, 8, 9, 9)).astype(np.float32)
    Layer(weights, np.zeros(4, np.float32), Motions(4, (0.5,))).save(tmp_path / "layer.npz")
    given = {
        "model": tmp_path / "layer.npz",
        "base": CloudSettings(height=20, width=20, steps=24),
        "scans": {"frequency": (0.05, 0.2)},
        "stride": (3, 3, 3),
    }
    file = tmp_path / "made.json"
    whole = run_clouds(movies=3, out=tmp_path / "whole", **given)
    made = iter(range(5))

    def stop(*_: object) -> None:
        if next(made, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_clouds(movies=3, out=tmp_path / "stopped", checkpoint=file, progress=stop, **given)
    assert not (tmp_path / "stopped").exists()
    assert sum(map(len, json.loads(file.read_text())["made"].values())) == 6
    seen = []
    probed = clouds_application.readout.decide
    monkeypatch.setattr(clouds_application.readout, "decide", lambda one: seen.append(1) or probed(one))
    resumed = run_clouds(movies=3, out=tmp_path / "resumed", checkpoint=file, **given)
    assert len(seen) == 12 - 6
    assert resumed.data["points"] == whole.data["points"]
    rows = [list(csv.reader((tmp_path / name / "decisions.csv").open())) for name in ("whole", "resumed")]
    assert rows[0] == rows[1]
    fewer = run_clouds(movies=2, out=tmp_path / "fewer", checkpoint=file, **given)
    assert fewer.data["points"][0]["aperture"]["movies"] == 2
    with pytest.raises(RequestError, match=r"of another run .seed"):
        run_clouds(movies=3, seed=1, out=tmp_path / "other", checkpoint=file, **given)
