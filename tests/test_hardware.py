"""Hardware files: the packaged ones, the user's own, and what is said where they are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neurodeploy import hardware
from neurodeploy.errors import RequestError

OWN = "backend: spinnaker\nmachine: board\nhost: 10.0.0.1\n"


def test_the_packaged_machines() -> None:
    boards = ["spalloc", "spin3", "spin5", "spinnaker-emulated", "spinnaker-virtual"]
    assert hardware.names("spinnaker") == boards
    chips = [
        "lava-float",
        "loihi1-nahuku",
        "loihi1-sim",
        "loihi2-kapoho-point",
        "loihi2-oheo-gulch",
        "loihi2-sim",
    ]
    assert hardware.names("loihi") == chips
    assert hardware.names() == sorted(boards + chips)
    assert {hardware.read(name).executed_by for name in ("spin3", "spin5", "spalloc")} == {"silicon"}
    assert hardware.load("spinnaker-emulated").executed_by == "emulated"
    assert hardware.load("spinnaker-virtual").executed_by.startswith("nothing")
    stamps = {name: hardware.load(name).executed_by for name in chips}
    assert {stamp for name, stamp in stamps.items() if name.endswith("-sim")} == {"chip arithmetic"}
    assert stamps.pop("lava-float") == "float"
    assert {stamp for name, stamp in stamps.items() if not name.endswith("-sim")} == {"silicon"}
    assert [hardware.read(name).chips for name in chips] == [None, 32, None, 8, 1, None]


@pytest.mark.parametrize("name", hardware.names())
def test_every_option_stands_in_every_file_below_a_comment_that_tells_its_default(name: str) -> None:
    text = (hardware.PACKAGED / f"{name}.yaml").read_text(encoding="utf-8")
    options = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    assert options == set(type(hardware.read(name)).model_fields) - {"name"}
    for paragraph in text.strip().split("\n\n")[2:]:
        assert paragraph.startswith("#") and "efault" in paragraph, paragraph


def test_host_replaces_the_address() -> None:
    assert hardware.load("spin5", "spin.example").host == "spin.example"
    assert hardware.load("spalloc", "server.example").server == "server.example"


@pytest.mark.parametrize(
    ("chosen", "word"),
    [("spinaker-emulated", "Did you mean 'spinnaker-emulated'?"), ("spin5", "--host"), ("spalloc", "--host")],
)
def test_a_machine_that_cannot_be_used(chosen: str, word: str) -> None:
    with pytest.raises(RequestError) as caught:
        hardware.load(chosen)
    assert word in str(caught.value)


def test_a_machine_of_another_backend() -> None:
    with pytest.raises(RequestError, match="for the loihi backend, not for spinnaker") as caught:
        hardware.load_as(hardware.SpinnakerHardware, "loihi2-sim")
    assert "spin5" in caught.value.fix and "loihi2-sim" not in caught.value.fix


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("machine: slurm\npartition: a\nboard: b\n", "one of them"),
        ("machine: simulated\npartition: a\n", "machine is simulated"),
        ("machine: ethernet\nprocesses: stock\n", "--host"),
        ("machine: slurm\n", "write 'processes: stock'"),
        ("machine: simulated\nhost: 10.0.0.1\n", "no address"),
        ("machine: simulated\nchip: loihi3\n", "chip is 'loihi3'"),
        ("machine: simulated\nchips: 0\n", "chips is 0"),
        (
            "machine: slurm\nprocesses: stock\npartitoin: kp\n",
            "no option 'partitoin'. Did you mean 'partition'?",
        ),
        ("machine: slrm\n", "machine is 'slrm'"),
        ("machine: simulated\ngeneration: N3B9\n", "generation is 'N3B9'"),
        ("machine: simulated\nreinjection: true\n", "no option 'reinjection'"),
    ],
)
def test_a_loihi_that_cannot_be_used(text: str, word: str) -> None:
    with pytest.raises(RequestError) as caught:
        hardware.parse("backend: loihi\n" + text, "mine")
    assert word in str(caught.value)


def test_no_fault_is_made_on_a_loihi() -> None:
    with pytest.raises(RequestError, match="no use for faults"):
        hardware.load("loihi2-sim", faults="lose=0.1")


def test_a_virtual_machine_has_no_address() -> None:
    with pytest.raises(RequestError, match="no address"):
        hardware.load("spinnaker-virtual", "10.0.0.1")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (OWN + "time_scale_facter: 2\n", "Did you mean 'time_scale_factor'?"),
        (OWN + "version: 4\n", "version is 4"),
        (OWN + "neurons_per_core: 0\n", "neurons_per_core is 0"),
        (OWN + "reinjection: perhaps\n", "reinjection is 'perhaps'"),
        ("machine: board\nhost: x\n", "does not say 'backend'"),
        ("backend: lohi\n", "Did you mean 'loihi'?"),
        ("a: b: c\n", "line 1 is not YAML"),
        ("- 1\n", "has no options"),
        ("1: 2\n" + OWN, "an option is no word"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        hardware.load(str(path))
    assert word in str(caught.value)


def test_an_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN + "neurons_per_core: 64\n")
    mine = hardware.load(str(path))
    assert (mine.host, mine.neurons_per_core, mine.time_scale_factor) == ("10.0.0.1", 64, None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="can't be read"):
        hardware.load(str(tmp_path / "none.yaml"))
