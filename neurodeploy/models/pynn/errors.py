"""Errors that are PyNN's and this package's at once.

A script written for PyNN may catch ``pyNN.errors.ConnectionError``; the command line catches
:class:`~neurodeploy.errors.RequestError`.  Each class here is both, and its text is the teaching one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pyNN import errors as pynn_errors

from neurodeploy.errors import NeurodeployError, RequestError, did_you_mean


class ParameterValueError(RequestError, pynn_errors.InvalidParameterValueError):
    """A parameter has a value that it can't have."""


class UnknownParameterError(RequestError, pynn_errors.NonExistentParameterError):
    """A model has no parameter of that name."""

    def __init__(self, name: str, model: str, known: Iterable[str]) -> None:
        known = sorted(known)
        RequestError.__init__(
            self,
            f"{model} has no parameter '{name}'.{did_you_mean(name, known)}",
            fix=f"its parameters are {', '.join(known) or 'none'}",
        )
        self.parameter_name = name
        self.model_name = model
        self.valid_parameter_names = known

    def __str__(self) -> str:
        return Exception.__str__(self)


class ConnectError(RequestError, pynn_errors.ConnectionError):
    """A projection can't be made, or a synapse in it has a wrong value."""


class RecordError(RequestError, pynn_errors.RecordingError):
    """A variable can't be recorded, or was not."""

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        RequestError.__init__(self, what, why=why, fix=fix)

    def __str__(self) -> str:
        return Exception.__str__(self)


def check_names(given: Iterable[str], known: Iterable[str], model: str) -> None:
    """Raise for the first of `given` that is not in `known`."""
    known = list(known)
    for name in given:
        if name not in known:
            raise UnknownParameterError(name, model, known)


_ABOUT_A_VALUE = (
    pynn_errors.InvalidParameterValueError,
    pynn_errors.InvalidDimensionsError,
    pynn_errors.ConnectionError,
    ValueError,
    TypeError,
    AssertionError,
    IndexError,
    ZeroDivisionError,
    NotImplementedError,
)


@contextmanager
def taught(subject: str, kind: type[RequestError] = ParameterValueError) -> Iterator[None]:
    """Turn what PyNN and lazyarray raise about a value into one error that names `subject`."""
    try:
        yield
    except NeurodeployError:
        raise
    except Exception as error:
        if not (isinstance(error, _ABOUT_A_VALUE) or type(error) is Exception):
            raise
        # PyNN often covers the reason with a more general error.
        texts = [str(error), str(error.__context__ or "")]
        text = "; ".join(text for text in texts if text) or f"PyNN rejects it ({type(error).__name__})"
        raise kind(f"{subject}: {text}") from error
