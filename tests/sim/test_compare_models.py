"""Whole comparisons of the detectors and of the liquid, each one network on two sides."""

from __future__ import annotations

import json
from pathlib import Path

from neurodeploy.comparison.application import compare


def test_the_detectors_decide_the_same_by_the_same_counts_on_one_network(tmp_path: Path) -> None:
    result = compare(
        "delays", None, "brian2,brian2", "spinnaker,loihi2", None, 0.0, False, tmp_path / "out", [], movies=2
    )
    data = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert len({side["network_sha256"] for side in data["sides"]}) == 1
    assert [side["executed_by"] for side in data["sides"]] == ["float", "chip arithmetic"]
    (pair,) = data["pairs"]
    assert pair["differing"] == 0 and pair["spikes"] > 10_000
    assert (pair["answers"]["asked"], pair["answers"]["differing"]) == (2, 0)
    assert (pair["answers"]["counts"], pair["answers"]["counts_differing"]) == (2 * 36, 0)
    for side in data["sides"]:
        assert side["answers"]["not_of_the_dense_reference"] == 0
        assert side["answers"]["right"] == sum(one["right"] for one in side["answers"]["each"])
    assert any("answers: all 2 the same; all 72 counts equal" in str(line) for line in result.render())
    assert (tmp_path / "out" / "side-1-brian2" / "quantisation.json").is_file()


def test_the_liquid_in_whole_numbers_beside_floating_point(tmp_path: Path) -> None:
    small = {"neurons": 64, "snapshots": 40, "samples": 400, "test_samples": 2}
    rules = "spinnaker-fixed,spinnaker"
    compare("lsm", None, "brian2,brian2", rules, None, 0.0, False, tmp_path / "out", [], **small)
    data = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [side["executed_by"] for side in data["sides"]] == ["chip arithmetic", "float"]
    assert any("input handed over as it runs" in change for change in data["changes"])
    (pair,) = data["pairs"]
    assert (pair["cause"], pair["answers"]["asked"], pair["answers"]["counts"]) == ("rounding", 2, 2 * 64)
    inputs = next(one for one in pair["populations"] if one["label"] == "input")
    assert inputs["differing"] == 0 and inputs["first"] > 1000
    assert 0 < pair["differing"] < 0.2 * pair["spikes"]  # rounding moves single spikes
    assert 0 < pair["answers"]["counts_differing"] < 64
