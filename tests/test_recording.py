"""What a run says of the machine that executed it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from neurodeploy.recording import processor, provenance


def test_a_run_names_its_machine() -> None:
    run = provenance(["neurodeploy"], seed=3)
    assert run["processor"] == processor() and run["seed"] == 3
    assert run["processors"] == os.cpu_count() and run["load"] >= 0


def test_a_processor_has_its_models_name(monkeypatch) -> None:
    said = "processor\t: 0\nmodel name\t: Some Processor @ 2 GHz\nflags\t: sse\n"
    monkeypatch.setattr(Path, "read_text", lambda self, **_: said)
    assert processor() == "Some Processor @ 2 GHz"


def test_a_system_without_that_file_names_its_architecture(monkeypatch) -> None:
    def missing(self: Path, **_: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert processor() == platform.machine()
