"""What a user is told when something is wrong.

Every error names the object by the user's own label, the value, the limit, why it is a limit, and the
cheapest fix.  The classes differ only in whose fault it is, and so in the exit code of the command line:
2 where the request was wrong, 1 where a correct request failed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeurodeployError(Exception):
    """Base of everything this package raises on purpose.

    Parameters
    ----------
    what : str
        The object, its value and the limit, in one sentence.
    why : str, optional
        Why that is a limit.
    fix : str, optional
        The cheapest way out, as something the user can type or change.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        self.what = what
        self.why = why
        self.fix = fix
        lines = [what]
        if why:
            lines.append(f"  why: {why}")
        if fix:
            lines.append(f"  fix: {fix}")
        super().__init__("\n".join(lines))


class RequestError(NeurodeployError, ValueError):
    """The request itself is wrong: a value, a name, a file (exit code 2)."""

    exit_code = 2


class UnsupportedError(RequestError):
    """The model asks for something the chosen target does not have (exit code 2)."""


class RunError(NeurodeployError, RuntimeError):
    """A correct request failed while it ran (exit code 1)."""


class ToolchainMissingError(RunError):
    """A compiler, interpreter or package that the run needs is not there (exit code 1)."""


class EnvironmentMissingError(ToolchainMissingError):
    """The environment that a backend's tools live in is not there or damaged, and one line mends that (exit code 2)."""

    exit_code = 2


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'tau_m'?"``, or an empty string where nothing is close to `name`."""
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return f" Did you mean '{folded[matches[0]]}'?" if matches else ""
