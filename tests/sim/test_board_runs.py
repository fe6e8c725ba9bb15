"""The emulated board under load: both engines alike, several chips, broken hardware, and hosts that go away."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from machine import SCRIPTS, needs_machine, start_script

from neurodeploy.backends.base import Options
from neurodeploy.backends.registry import load
from neurodeploy.backends.spinnaker.board.native import NativeError, library
from neurodeploy.backends.spinnaker.board.process import BoardProcess
from neurodeploy.cam import experiments
from neurodeploy.cam.application import simulate
from neurodeploy.cam.decoding import spike_rows
from neurodeploy.errors import RunError
from neurodeploy.models.network import Network, Population, Projection, Recorded

pytestmark = needs_machine


def balanced(cells: int, steps: int, seed: int = 3) -> Network:
    """Excitatory and inhibitory cells, driven by spikes of every fifth step."""
    draw = np.random.default_rng(seed)
    times = [np.flatnonzero(draw.random(steps) < 0.2).astype(float) for _ in range(100)]
    populations = [
        Population("drive", "SpikeSourceArray", 100, spike_times=times),
        Population(
            "cells",
            "IF_curr_exp",
            cells,
            parameters=lif(cells),
            initial_values={"v": np.full(cells, -65.0), **at_rest(cells)},
        ),
    ]

    def random(label: str, pre: int, sources: int, receptor: str, weight: float, sign: int) -> Projection:
        pairs = np.argwhere(draw.random((sources, cells)) < 0.05)
        return Projection(
            label,
            pre,
            1,
            receptor,
            pairs[:, 0].astype(np.int32),
            pairs[:, 1].astype(np.int32),
            np.full(len(pairs), sign * weight),
            draw.integers(1, 12, len(pairs)).astype(float),
        )

    projections = [
        random("driven", 0, 100, "excitatory", 1.5, 1),
        random("inhibited", 1, cells, "inhibitory", 0.25, -1),
    ]
    everyone = np.arange(cells, dtype=np.int32)
    recorded = [Recorded(1, "spikes", everyone, 1.0), Recorded(1, "v", everyone[:20], 1.0)]
    return Network(1.0, populations, projections, recorded=recorded)


def at_rest(cells: int) -> dict[str, np.ndarray]:
    return {name: np.zeros(cells) for name in ("isyn_exc", "isyn_inh")}


def lif(cells: int) -> dict[str, np.ndarray]:
    values = {
        "cm": 1.0,
        "tau_m": 20.0,
        "v_rest": -65.0,
        "v_reset": -65.0,
        "v_thresh": -50.0,
        "tau_refrac": 2.0,
    }
    values |= {"tau_syn_E": 5.0, "tau_syn_I": 5.0, "i_offset": 0.0}
    return {name: np.full(cells, value) for name, value in values.items()}


def outcome(network: Network, steps: int, **options):
    """Spikes, voltages, facts and number of spikes of a run, and its stamp."""
    session = load("spinnaker").open(network, Options("spinnaker", **options))
    try:
        session.run(steps)
        times, neurons = session.spikes(1)
        return (
            times.tobytes() + neurons.tobytes(),
            session.samples(1, "v").tobytes(),
            session.report.facts,
            len(times),
            session.report.executed_by,
        )
    finally:
        session.end()


def test_both_engines_and_any_number_of_threads_give_the_same_bytes() -> None:
    try:
        library()
    except NativeError as error:
        pytest.skip(str(error))
    found = []
    for engine, threads in (("python", 1), ("native", 1), ("native", 2)):
        with BoardProcess(version=3, engine=engine, threads=threads) as board:
            assert board.engine == engine
            found.append(outcome(balanced(120, 60), 60, host=board.address))
    assert found[0][3] > 100
    assert found[0][:2] == found[1][:2] == found[2][:2]


BOARD = """\
backend: spinnaker
machine: board
version: 3
advanced_monitors: false
reinjection: false
compress_on_chip: false
wait_seconds: 600
"""


def test_an_emulated_board_is_stamped_as_what_it_is_also_where_it_is_taken_for_a_physical_one(
    tmp_path: Path,
) -> None:
    hardware = tmp_path / "board.yaml"
    hardware.write_text(BOARD)
    with BoardProcess(version=3) as board:
        *_, spikes, stamp = outcome(balanced(40, 20), 20, hardware=str(hardware), host=board.address)
    assert spikes and stamp == "emulated"


FIVE = """\
backend: spinnaker
machine: emulated
version: 5
neurons_per_core: 16
advanced_monitors: false
reinjection: false
compress_on_chip: false
wait_seconds: 600
"""


def test_500_cells_lie_on_several_chips_of_a_48_chip_board_and_two_runs_are_one(tmp_path: Path) -> None:
    hardware = tmp_path / "large.yaml"
    hardware.write_text(FIVE)
    first, second = (outcome(balanced(500, 100), 100, hardware=str(hardware)) for _ in range(2))
    assert first[2]["chips"] >= 2 and first[2]["cores"] > 30
    assert first[3] > 300
    assert first[:2] == second[:2]
    assert first[0] == outcome(balanced(500, 100), 100)[0]  # nor does it matter how it is spread


# ---------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    "faults",
    [
        "dead-core=0,0,5; dead-core=0,0,1; dead-chip=1,1",
        "dead-link=0,0,0; dead-link=0,0,2",
        "duplicate=0.1; delay=0.01; seed=1",
        "lose=0.01; seed=1",
    ],
)
def test_what_the_tools_can_bear_changes_no_spike(faults: str) -> None:
    experiment = experiments.functional()
    found = simulate(experiment, Options("spinnaker", faults=faults), "spinnaker")
    expected = simulate(experiment, Options("spinnaker", "cpp"), "brian2")
    assert spike_rows(found.recording.ticks()) == spike_rows(expected.recording.ticks())
    assert found.report.facts["faults"] == faults


@pytest.mark.parametrize(
    ("faults", "message", "most_seconds"),
    [
        (
            "stop-core=0,0,3@40",
            r"(?s)stopped before the run was over.*Population 'S1cue': core 0, 0, 3 .*fault",
            30,
        ),
        ("sdram=32KiB", "does not fit on the machine: there is no room left for Population '", 30),
        ("silent-after=300", "stopped answering", 100),
        ("dead-chip=1,1; dead-link=0,0,0; dead-link=0,0,2", r"can't be used.*unreachable", 30),
    ],
)
def test_what_they_can_not_is_one_clear_message_in_time(
    faults: str, message: str, most_seconds: float
) -> None:
    began = time.monotonic()
    with pytest.raises(RunError, match=message) as error:
        simulate(experiments.functional(), Options("spinnaker", faults=faults), "spinnaker")
    assert time.monotonic() - began < most_seconds
    assert error.value.fix and "Traceback" not in error.value.what


SCRIPT = SCRIPTS / "if_curr_delta.py"


def test_a_board_whose_host_was_killed_mid_run_serves_the_next_one(tmp_path: Path) -> None:
    long_run = tmp_path / "long.py"
    long_run.write_text(SCRIPT.read_text().replace("sim.run(", "sim.run(100000 + "))
    log = tmp_path / "board.log"
    with BoardProcess(version=3, log=log) as board:
        with start_script(long_run, tmp_path / "first", board.address) as killed:
            until = time.monotonic() + 60
            while (
                len(set(re.findall(r"application (\d+) starts", log.read_text()))) < 2
            ):  # expanders, then the model
                assert time.monotonic() < until and killed.poll() is None
                time.sleep(0.2)
            time.sleep(2.0)
            killed.send_signal(signal.SIGKILL)
        with start_script(SCRIPT, tmp_path / "second", board.address) as second:
            said, errors = second.communicate(timeout=60)
        assert second.returncode == 0, errors[-3000:] + log.read_text()
        assert json.loads(said.splitlines()[-1])
        assert "gone" in log.read_text()
