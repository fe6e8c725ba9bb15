"""What is usable here is told with the line that mends it; a machine that the user names is asked, briefly."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from neurodeploy import toolchains
from neurodeploy.chips.spinnaker_map import SCP_PORT
from neurodeploy.errors import RequestError
from neurodeploy.report import doctor, reaching

ADDRESS = "127.61.7.3"


@pytest.fixture
def monitor() -> Iterator[list[bytes]]:
    """A socket in the place of a board's monitor; what it was asked, and it answers only the second time."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind((ADDRESS, SCP_PORT))

        def answer() -> None:
            while True:
                try:
                    message, sender = here.recvfrom(512)
                except OSError:
                    return
                if not message:
                    return
                asked.append(message)
                if len(asked) == 2:
                    head = bytes(10) + struct.pack("<HH3I", 0x80, 0, 0, 0, 0)
                    here.sendto(head + b"SC&MP/SpiNNaker\0004.0.0\0", sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
        here.sendto(b"", here.getsockname())
        thread.join()


def test_a_board_that_answers_says_what_runs_on_it(monitor: list[bytes], monkeypatch) -> None:
    monkeypatch.setattr(reaching, "SECONDS", 5.0)  # of a crowded machine
    found = doctor.examine_machine("spin5", ADDRESS)
    assert (found.state, found.detail) == (doctor.USABLE, "answers as SC&MP/SpiNNaker")
    assert len(monitor) >= 2  # a lost datagram is asked for again
    assert struct.unpack_from("<HH", monitor[0], 10) == (0, 0)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("backend: spinnaker\nmachine: board\nversion: 3\n", "127.61.7.4"),
        ("backend: spinnaker\nmachine: spalloc\n", "127.61.7.5:9"),
        ("backend: loihi\nmachine: ethernet\nprocesses: stock\n", "127.61.7.6"),
    ],
)
def test_a_machine_that_is_silent_is_told_with_its_address(tmp_path: Path, monkeypatch, text, host) -> None:
    monkeypatch.setattr(reaching, "SECONDS", 0.2)
    monkeypatch.setattr(reaching, "SSH_PORT", 9)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    found = doctor.examine_machine(str(file), host)
    assert found.state == doctor.SILENT and host.split(":")[0] in found.detail and found.fix


def test_a_server_is_asked_at_its_own_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"https://127.0.0.1:{port}/spalloc"):
            assert doctor.examine_machine("spalloc", address).state == doctor.USABLE
    assert reaching._server("https://spinnaker.example.org/spalloc") == ("spinnaker.example.org", 443)
    assert reaching._server("spinnaker.example.org") == ("spinnaker.example.org", reaching.SPALLOC_PORT)


def test_slurm_is_looked_for(monkeypatch) -> None:
    monkeypatch.setattr(reaching.shutil, "which", lambda name: None)
    assert "sinfo" in doctor.examine_machine("loihi2-oheo-gulch", None).detail
    monkeypatch.setattr(reaching.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert doctor.examine_machine("loihi2-oheo-gulch", None).state == doctor.USABLE


def test_a_machine_of_this_computer_is_not_asked() -> None:
    for name in ("spinnaker-emulated", "loihi2-sim"):
        assert "this computer" in doctor.examine_machine(name, None).detail


def test_what_means_nothing_is_refused() -> None:
    for machines, host, says in (
        ([], "10.0.0.1", "--host"),
        (["spin7"], None, "spin7"),
        (["spin5"], None, "address"),
    ):
        with pytest.raises(RequestError, match=says):
            doctor.examine(machines, host)


def test_backends_are_usable_usable_as_emulation_or_missing(monkeypatch) -> None:
    def without(*absent: str):
        def asked(name: str) -> str:
            if name in absent:
                raise PackageNotFoundError(name)
            return "7.4.1" if name in ("sPyNNaker", "unicorn") else version(name)

        return asked

    for absent, state, line in (
        ((), doctor.EMULATED, "neurodeploy doctor --hardware spin5 --host ADDRESS"),
        (("unicorn",), doctor.LIMITED, "pip install 'neurodeploy[spinnaker]'"),
        (("sPyNNaker",), doctor.MISSING, "pip install 'neurodeploy[spinnaker]'"),
    ):
        monkeypatch.setattr(doctor, "version", without(*absent))
        found = doctor.examine_spinnaker()
        assert found.state == state and line in found.fix


def test_the_pythons_are_told_and_the_one_that_lava_needs(monkeypatch) -> None:
    monkeypatch.setattr(toolchains, "_candidates", lambda version: [f"/opt/{version}/bin/python3"])
    monkeypatch.setattr(toolchains, "_is_version", lambda candidate, version: version != "3.12")
    found = doctor.examine_pythons()
    assert found.state == doctor.USABLE and "3.10 (/opt/3.10/bin/python3)" in found.detail
    assert "3.12" not in found.detail
    monkeypatch.setattr(toolchains, "_is_version", lambda candidate, version: version == "3.11")
    found = doctor.examine_pythons()
    assert found.state == doctor.LIMITED and "pyenv install 3.10" in found.fix


def test_every_finding_that_is_no_good_has_a_line_that_mends_it(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = doctor.examine()
    assert {"Python", "other Pythons", "C++ compiler", "cache"} <= set(found.data)
    assert {f"backend {name}" for name in ("brian2", "spinnaker", "loihi")} <= set(found.data)
    assert found.data["C++ compiler"]["state"] == doctor.MISSING
    assert all(each.fix for each in found.findings if each.state != doctor.USABLE)
    assert found.render()
