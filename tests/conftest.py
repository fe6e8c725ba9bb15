"""Shared by all tests: the targets that the same tests run on.

``pytest --target runtime`` chooses one engine; by default every engine of this machine runs.  What a target cannot do is
skipped by name, with the reason.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from neurodeploy.backends.base import Options

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Target:
    """A backend and how to drive it."""

    name: str
    backend: str
    engine: str

    def options(self, rules: str = "spinnaker", **more) -> Options:
        return Options(rules, self.engine, **more)


TARGETS = {
    "cpp": Target("cpp", "brian2", "cpp"),
    "runtime": Target("runtime", "brian2", "runtime"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target", action="append", choices=sorted(TARGETS), help="run target tests on this alone"
    )


def chosen_targets(config: pytest.Config) -> list[str]:
    return config.getoption("--target") or list(TARGETS)


def pytest_report_header(config: pytest.Config) -> str:
    return f"targets: {', '.join(chosen_targets(config))}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        names = chosen_targets(metafunc.config)
        metafunc.parametrize("target", [TARGETS[name] for name in names], ids=names, scope="module")
