"""The frozen liquid on targets: a small one, the same input spikes, and every count that of the engine in the chip's numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from machine import needs_machine
from typer.testing import CliRunner

from neurodeploy.cli import app

SMALL = [
    "run",
    "lsm",
    "--neurons",
    "64",
    "--snapshots",
    "40",
    "--samples",
    "400",
    "--test-samples",
    "2",
    "--json",
]

TARGETS = [
    pytest.param("brian2", ["--rules", "spinnaker"], "float", id="brian2, spinnaker"),
    pytest.param("brian2", [], "chip arithmetic", id="brian2, spinnaker-fixed"),
    pytest.param("brian2", ["--rules", "loihi2"], "chip arithmetic", id="brian2, loihi2"),
    pytest.param("spinnaker", [], "emulated", id="spinnaker", marks=needs_machine),
    pytest.param("loihi", [], "chip arithmetic", id="loihi"),
]


def run(*options: str):
    return CliRunner().invoke(app, [*SMALL, *options])


@pytest.mark.parametrize(("backend", "options", "executed_by"), TARGETS)
def test_a_small_liquid_on_every_target(backend, options, executed_by, tmp_path) -> None:
    result = run("--backend", backend, *options, "--out", str(tmp_path / "run"))
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["executed_by"] == executed_by and metrics["test_samples"] == 2
    counts = np.load(tmp_path / "run" / "counts.npz")
    assert counts["target"].shape == (2, 64) and metrics["spikes"] == counts["target"].sum() > 50
    assert metrics["counts_differing"] == (None if backend == "brian2" else 0)
    assert "rest while they are refractory" in " ".join(metrics["changes"])
    costs = {row["quantity"]: row["likely"] for row in metrics["costs"]["rows"]}
    assert costs["spikes"] > metrics["spikes"] and costs["synaptic events"] > costs["spikes"]
    assert any(name.startswith("energy") for name in costs) == (backend != "brian2")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Costs, modelled" in page
    assert ("Every spike of the first image" in page) == (metrics["resumed"] == 0)
