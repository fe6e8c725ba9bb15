"""Machines with Loihi chips: what does not fit is refused by name, and what is missing on the host is said by name.

No chip has been tried.  Costs about 5 s, starts of Lava's Python.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lava_programs import interpreter, needs_lava
from loihi_models import cells, connect, network, source

from neurodeploy.backends.base import Options
from neurodeploy.backends.loihi import LoihiBackend
from neurodeploy.errors import EnvironmentMissingError, RequestError, UnsupportedError

MACHINE = "backend: loihi\nmachine: slurm\nprocesses: stock\nchip: loihi1\n"


def small():
    """A model that stock processes can say."""
    return network([source([1.0, 5.0]), cells(2, tau_refrac=0.0)], [connect(0, 1, np.array([1.0]))])


def test_a_model_that_takes_more_chips_than_the_machine_has_is_refused_before_it_runs(tmp_path: Path) -> None:
    machine = tmp_path / "one-chip.yaml"
    varied = cells(1100, label="varied", v_thresh=np.linspace(-50, -20, 1100), tau_refrac=0.0)
    options = Options("loihi1", hardware=str(machine))
    machine.write_text(f"{MACHINE}chips: 1\n")
    for refuse in (LoihiBackend().check, LoihiBackend().open):
        with pytest.raises(UnsupportedError, match="population 'varied'; the machine has 128") as told:
            refuse(network([varied]), options)
        assert "2 chips or more" in told.value.fix
    machine.write_text(f"{MACHINE}chips: 2\n")
    with pytest.raises(UnsupportedError, match="'varied' has several values of vth"):
        LoihiBackend().check(network([varied]), options)


@pytest.mark.parametrize("name", ["loihi2-oheo-gulch", "loihi2-kapoho-point", "loihi1-nahuku"])
def test_what_a_chip_has_no_program_for_is_refused_by_the_check(name: str) -> None:
    options = Options(name.split("-")[0], hardware=name)
    LoihiBackend().check(small(), options)
    with pytest.raises(UnsupportedError) as told:
        LoihiBackend().check(network([cells(2, label="resting", tau_refrac=3.0)]), options)
    assert name in told.value.what and "'resting' is refractory" in told.value.what
    assert f"{options.rules}-sim" in told.value.fix


def test_rules_of_the_other_chip_are_refused() -> None:
    with pytest.raises(RequestError, match=r"'loihi1-nahuku' has .*loihi1"):
        LoihiBackend().check(small(), Options("loihi2", hardware="loihi1-nahuku"))


@needs_lava
def test_where_intels_extension_is_missing_it_is_named() -> None:
    interpreter()
    with pytest.raises(EnvironmentMissingError) as told:
        LoihiBackend().open(small(), Options("loihi2", hardware="loihi2-oheo-gulch"))
    assert "'loihi2-oheo-gulch'" in told.value.what and "Lava-Loihi" in told.value.what
    assert "intel-nrc.org" in told.value.why and told.value.exit_code == 2
    assert "pip install" in told.value.fix and "--hardware loihi2-sim" in told.value.fix


PRETENDING = """#!/bin/bash
exec {python} -I -B -c '
import runpy, sys
from lava.utils import loihi
loihi.is_installed = lambda: True
sys.argv[:] = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""


@needs_lava
@pytest.mark.parametrize(
    ("sinfo", "words"),
    [
        (None, "no SLURM on this machine"),
        ("echo 'kp* node1'; echo 'oheogulch node2'", "no partition 'nahuku32' here; it has kp, oheogulch"),
    ],
)
def test_where_slurm_can_not_lend_the_board_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sinfo: str | None, words: str
) -> None:
    """A Python that says it has Intel's extension, and a script for ``sinfo``, stand in for those of a host."""
    python, machine = tmp_path / "python", tmp_path / "mine.yaml"
    python.write_text(PRETENDING.format(python=interpreter()))
    machine.write_text(f"{MACHINE}partition: nahuku32\npython: {python}\n")
    if sinfo:
        (tmp_path / "sinfo").write_text(f"#!/bin/bash\n{sinfo}\n")
        (tmp_path / "sinfo").chmod(0o755)
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentMissingError, match=words) as told:
        LoihiBackend().open(small(), Options("loihi1", hardware=str(machine)))
    for help_ in ("another partition", "machine: ethernet", "loihi1-sim"):
        assert help_ in told.value.fix
