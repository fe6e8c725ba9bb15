"""Whole runs under sPyNNaker, on an emulated board that executes the chip's own programs.

``NEURODEPLOY_TEST_BOARD`` names a board that is already up; otherwise every run starts its own.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from machine import HOST, needs_machine

from neurodeploy.cam.experiments import RECORDINGS
from neurodeploy.errors import RunError, UnsupportedError

COMMAND = [sys.executable, "-m", "neurodeploy.cli"]


pytestmark = needs_machine


def backend(**options):
    from neurodeploy.backends.spinnaker import SpinnakerBackend

    return SpinnakerBackend(host=HOST, **options)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["functional", "stress"])
def test_the_memory_reproduces_the_published_recordings(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    host = ["--host", HOST] if HOST else []
    answer = subprocess.run(
        [*COMMAND, "run", "cam", "--backend", "spinnaker", "--experiment", name, *host, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert answer.returncode == 0, answer.stderr
    assert rows(out / "spikes.csv") == rows(RECORDINGS / f"{name}.csv")
    assert json.loads((out / "run.json").read_text())["executed_by"] == "emulated"
    assert list((out / "spinnaker" / "reports").rglob("data.sqlite3"))


def build(sim, target, rules="spinnaker", timestep=1.0):
    sim.setup(timestep=timestep, min_delay=timestep, backend=target, rules=rules, seed=3)
    cells = sim.Population(
        6,
        sim.IF_curr_exp(
            tau_m=np.linspace(8.0, 20.0, 6),
            cm=0.5,
            tau_refrac=2.0,
            tau_syn_E=3.0,
            tau_syn_I=4.0,
            v_thresh=-55.0,
            i_offset=np.linspace(0.0, 0.5, 6),
        ),
        label="cells",
    )
    cells.initialize(v=np.linspace(-70.0, -60.0, 6))
    noise = sim.Population(6, sim.SpikeSourcePoisson(rate=80.0), label="noise")
    spikes = sim.Population(3, sim.SpikeSourceArray(spike_times=[[1, 7], [3, 30], [5]]), label="spikes")
    excite = sim.Projection(noise, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=1.5, delay=2.0))
    inhibit = sim.Projection(
        spikes,
        cells,
        sim.FromListConnector(
            [(0, 0, -0.5, 1.0), (1, 3, -1.25, 20.0), (2, 5, -2.0, 5.0), (0, 4, -0.75, 3.0)]
        ),
        sim.StaticSynapse(),
        receptor_type="inhibitory",
    )
    learn = sim.Projection(
        spikes,
        cells,
        sim.AllToAllConnector(),
        sim.STDPMechanism(
            timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=12.0, A_plus=0.25, A_minus=0.125),
            weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=4.0),
            weight=2.0,
            delay=1.0,
            dendritic_delay_fraction=1.0,
        ),
    )
    cells.record(["spikes", "v", "isyn_exc", "isyn_inh"])
    noise.record("spikes")
    spikes.record("spikes")
    return cells, noise, excite, inhibit, learn


def measure(target, **options):
    from neurodeploy import pynn as sim

    cells, noise, excite, inhibit, learn = build(sim, target, **options)
    sim.run(40.0)
    cells.set(i_offset=0.75)
    source = sim.StepCurrentSource(times=[60.0], amplitudes=[0.5])
    cells[0:2].inject(source)
    sim.run(40.0)
    segment = cells.get_data().segments[0]
    result = {
        "cells": [[float(t) for t in train] for train in segment.spiketrains],
        "noise": [[float(t) for t in train] for train in noise.get_data().segments[0].spiketrains],
        **{signal.name: np.asarray(signal) for signal in segment.analogsignals},
        "inhibit": np.asarray(inhibit.get("weight", "array", with_address=False)),
        "excite": np.asarray(excite.get("weight", "array", with_address=False)),
        "learn": np.asarray(learn.get("weight", "array", with_address=False)),
        "changes": list(sim.get_report().changes),
    }
    sim.end()
    return result


@pytest.fixture(scope="module")
def both():
    from neurodeploy.backends import registry

    return measure(backend()), measure(registry.load("brian2"))


def test_the_machine_agrees_with_the_engine_in_its_tick_order(both) -> None:
    machine, engine = both
    assert machine["cells"] == engine["cells"]
    assert sum(len(train) for train in machine["cells"]) > 10
    assert machine["v"].shape == engine["v"].shape == (80, 6)
    np.testing.assert_allclose(machine["v"], engine["v"], atol=0.02)


def test_the_same_poisson_trains_are_played(both) -> None:
    machine, engine = both
    for mine, theirs in zip(machine["noise"], engine["noise"], strict=True):
        assert mine == sorted(theirs)
    assert sum(len(train) for train in machine["noise"]) > 20


def test_synaptic_currents_bear_pynns_sign(both) -> None:
    machine, engine = both
    for name in ("isyn_exc", "isyn_inh"):
        np.testing.assert_allclose(machine[name], engine[name], atol=0.01)
    assert machine["isyn_inh"].min() < -0.1


def test_weights_come_back_in_order_and_rounding_is_told(both) -> None:
    machine, engine = both
    for name in ("inhibit", "excite"):
        np.testing.assert_allclose(machine[name], engine[name], atol=1e-3)
    assert np.nanmin(machine["inhibit"]) < 0


def test_machine_that_only_maps() -> None:
    from neurodeploy import pynn as sim
    from neurodeploy.backends.spinnaker import SpinnakerBackend

    build(sim, SpinnakerBackend("spinnaker-virtual"))
    sim.run(10.0)
    report = sim.get_report()
    sim.end()
    assert report.facts["mapped_only"] and report.facts["cores"] == 3
    labels = {vertex["population"] for vertex in report.facts["mapping"]}
    assert {"cells", "noise", "spikes"} <= labels
    assert all(vertex["sdram_bytes"] > 0 for vertex in report.facts["mapping"])


def test_weights_are_fixed_once_loaded() -> None:
    from neurodeploy import pynn as sim
    from neurodeploy.backends.spinnaker import SpinnakerBackend

    _, _, excite, _, _ = build(sim, SpinnakerBackend("spinnaker-virtual"))
    sim.run(10.0)
    with pytest.raises(UnsupportedError, match="call reset"):
        excite.set(weight=2.0)
    sim.end()


def processes(mark: str) -> set[str]:
    """Runners and boards that have `mark` in their environment: those of one run, whatever else runs here."""
    found = set()
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                arguments, environment = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
            except OSError:
                continue
            ours = b"spinnaker/runner.py" in arguments or b"spinnaker.board" in arguments
            if ours and f"NEURODEPLOY_TEST_MARK={mark}".encode() in environment.split(b"\0"):
                found.add(place.name)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    mark = str(tmp_path)
    host = ["--host", HOST] if HOST else []
    started = subprocess.Popen(
        [*COMMAND, "run", "cam", "--backend", "spinnaker", *host, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"NEURODEPLOY_TEST_MARK": mark},
    )
    wanted = 1 if HOST else 2
    for _ in range(300):
        time.sleep(0.1)
        if len(processes(mark)) == wanted:
            break
    assert len(processes(mark)) == wanted
    time.sleep(1.0)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert started.returncode == 130 and "Traceback" not in errors
    time.sleep(0.5)
    assert not processes(mark)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_does_not_answer_is_one_clear_error(tmp_path: Path, monkeypatch) -> None:
    from neurodeploy import pynn as sim
    from neurodeploy.backends.spinnaker import SpinnakerBackend

    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "backend: spinnaker\nmachine: board\nhost: no-such-board.invalid\ntime_limit_seconds: 60\n"
    )
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    build(sim, SpinnakerBackend(str(mine)))
    with pytest.raises(RunError) as caught:
        sim.run(10.0)
    log = next((tmp_path / "cache" / "spinnaker-failures").rglob("spynnaker.log"))
    assert str(log) in str(caught.value) and "Traceback" in log.read_text()
    sim.setup()  # forgets the model that failed
