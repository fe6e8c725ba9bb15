"""A liquid that forms in Lava by three factors, beside Brian2.  Some 10 s, and once the compilation of the engine's program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from lava_programs import needs_lava

from neurodeploy.lsm.learning_application import Request, run_learning


@needs_lava
def test_lava_is_the_reference_number_for_number_and_near_the_engine(tmp_path: Path) -> None:
    request = Request(neurons=64, snapshots=10, restrictions=False, seed=1, out=tmp_path / "run")
    found = run_learning(request).data
    assert found["lava_equals_reference"]
    assert found["near"]
    assert found["lava"]["liquid_spikes_per_ms"] > 1
    assert found["mean_change"]["lava"]["excitatory"] > 0.01
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert written["ratios"] == found["ratios"]
    with np.load(tmp_path / "run" / "weights.npz") as weights:
        assert np.abs(weights["lava.input"]).max() <= 256 / 255 * 3
    for name in ("weights.png", "formation.png", "report.html", "run.json"):
        assert (tmp_path / "run" / name).stat().st_size > 0
