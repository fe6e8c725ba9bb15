"""What every model that is run may be asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import RequestError

if TYPE_CHECKING:
    from neurodeploy.backends.base import Options, Progress


@dataclass
class RunOptions:
    """Options that every model's ``run`` has."""

    backend: str
    rules: str | None
    engine: str
    threads: int
    seed: int
    out: Path | None
    as_json: bool
    hardware: str | None = None
    host: str | None = None
    faults: str | None = None
    allow_losses: bool = False

    def of_backend(self, model_rules: str, folder: Path, progress: Progress | None) -> Options:
        """The same for the backend, whose own files go below `folder`.

        The rules are the user's, else the backend's own, else `model_rules`.
        """
        from neurodeploy.backends import registry
        from neurodeploy.backends.base import Options

        given = Options(
            engine=self.engine,
            threads=self.threads,
            progress=progress,
            hardware=self.hardware,
            host=self.host,
            faults=self.faults,
            allow_losses=self.allow_losses,
            folder=folder / self.backend,
        )
        given.rules = self.rules or registry.load(self.backend).default_rules(given) or model_rules
        return given


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def own_options(
    model: str, make: Callable[..., Any], given: Mapping[str, Any], others: Sequence[str] = ()
) -> dict[str, Any]:
    """Those of the `given` options that `make` takes; `others` of its parameters are no options.

    Raises
    ------
    RequestError
        One is given that the model has no use for.
    """
    own = [name for name in inspect.signature(make).parameters if name not in others]
    for option, value in given.items():
        if value is not None and option not in own:
            known = ", ".join(map(_flag, own))
            raise RequestError(
                f"{_flag(option)} {value} has no meaning for {model}", fix=f"its options are {known}"
            )
    return {option: value for option, value in given.items() if option in own}


def refuse_options_of_a_script(given: Mapping[str, Any]) -> None:
    """Raise for the first of the `given` options: a script has none of a model's."""
    for option, value in given.items():
        if value:
            raise RequestError(
                f"{_flag(option)} {value} has no meaning for a script", fix="its own arguments come after --"
            )


def refuse_arguments(model: str, arguments: Sequence[str]) -> None:
    """Raise where there are arguments: a model has none of a script's."""
    if arguments:
        raise RequestError(
            f"{' '.join(arguments)!r} has no meaning for {model}",
            fix="arguments after -- are those of a script",
        )
