"""Whether a machine answers: one short question, a few seconds at most, that changes nothing there."""

from __future__ import annotations

import shutil
import socket
import struct
from urllib.parse import urlsplit

from neurodeploy.chips.spinnaker_map import SCP_PORT
from neurodeploy.hardware import Hardware, LoihiHardware, SpinnakerHardware

SECONDS = 2.0
"""That a machine has to answer."""

ASKED = 2
"""Times that a board is asked: a datagram may be lost."""

SPALLOC_PORT = 22244
"""Of a spalloc server (SpiNNFrontEndCommon 7.4.1, ``spinnaker.cfg``)."""

SSH_PORT = 22

VERSION_REQUEST = b"\0\0" + bytes([0x87, 0xFF, 0, 0xFF, 255, 255, 0, 0]) + struct.pack("<HH3I", 0, 0, 0, 0, 0)
"""SCP's command ``ver`` to the monitor of a board's first chip."""

VERSION_TEXT = 26
"""Where the answer names its software: after padding, header, code and three words."""


class SilentError(Exception):
    """It does not answer; why, in words."""


def ask(hardware: Hardware) -> str:
    """What `hardware` answers, in words.

    Raises
    ------
    SilentError
        It does not.
    """
    if isinstance(hardware, SpinnakerHardware) and hardware.machine == "spalloc":
        return _connect(*_server(str(hardware.server)))
    if isinstance(hardware, SpinnakerHardware):
        return _version(str(hardware.host))
    assert isinstance(hardware, LoihiHardware)
    if hardware.machine == "ethernet":
        return _connect(str(hardware.host), SSH_PORT)
    path = shutil.which("sinfo")
    if path is None:
        raise SilentError("SLURM is not here (there is no 'sinfo')")
    return f"SLURM is here ({path})"


def _version(host: str) -> str:
    """The software of the monitor of a SpiNNaker board."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(SECONDS / ASKED)
            asking.connect((host, SCP_PORT))
            for _ in range(ASKED):
                asking.send(VERSION_REQUEST)
                try:
                    answer = asking.recv(512)
                except TimeoutError:
                    continue
                text = answer[VERSION_TEXT:].split(b"\0")[0].decode("ascii", "replace")
                return f"answers as {text or 'something that is no SpiNNaker board'}"
    except OSError as error:
        raise SilentError(f"{host}: {error.strerror or error}") from error
    raise SilentError(
        f"{host} does not answer on UDP port {SCP_PORT} within {SECONDS:g} s; a board that is not booted is silent, too, and a"
        " run boots it"
    )


def _server(address: str) -> tuple[str, int]:
    parts = urlsplit(address if "//" in address else f"//{address}")
    usual = {"https": 443, "http": 80}.get(parts.scheme, SPALLOC_PORT)
    return parts.hostname or address, parts.port or usual


def _connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        raise SilentError(f"{host}, TCP port {port}: {error.strerror or error}") from error
    return f"answers on TCP port {port}"
