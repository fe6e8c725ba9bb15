"""PyNN's standard cells: those that run here, and the others, which say so by name.

Native names are PyNN's names, and units are PyNN's units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN.parameters import ArrayParameter, Sequence
from pyNN.random import RandomDistribution
from pyNN.standardmodels import StandardCellType, build_translations, cells
from pyNN.standardmodels.base import StandardCellTypeComponent

from neurodeploy.errors import UnsupportedError
from neurodeploy.models.pynn.errors import ParameterValueError, check_names, taught

ABOVE_ZERO = ("above 0", lambda values: values > 0)
NOT_NEGATIVE = ("at least 0", lambda values: values >= 0)

LIMITS = {
    "cm": ABOVE_ZERO,
    "tau_m": ABOVE_ZERO,
    "tau_syn_E": ABOVE_ZERO,
    "tau_syn_I": ABOVE_ZERO,
    "tau_refrac": NOT_NEGATIVE,
    "rate": NOT_NEGATIVE,
    "start": NOT_NEGATIVE,
    "duration": NOT_NEGATIVE,
}
"""What a cell parameter must be; all others must only be finite."""


def check_values(subject: str, name: str, values: Any, unit: str = "") -> None:
    """Raise where a value of parameter `name` is not finite or beyond its limit."""
    numbers = np.atleast_1d(np.asarray(values, dtype=float))
    limit, allowed = LIMITS.get(name, ("a finite number", None))
    good = np.isfinite(numbers)
    if allowed is not None:
        good &= allowed(numbers)
    if not good.all():
        worst = int(np.flatnonzero(~good)[0])
        where = f" (neuron {worst})" if numbers.size > 1 else ""
        unit = f" {unit}" if unit else ""
        raise ParameterValueError(
            f"{subject}: {name} is {numbers[worst]:g}{unit}{where}; it must be {limit}"
            + (" and finite" if allowed is not None else ""),
            fix=f"give {name} another value",
        )


def check_spike_times(subject: str, times: Any) -> np.ndarray:
    """The sorted times, ms; raises where one is negative or not finite."""
    array = np.asarray(times.value if isinstance(times, ArrayParameter) else times, dtype=float)
    if array.ndim != 1:
        raise ParameterValueError(f"{subject}: spike_times must be one list of times for each neuron")
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        raise ParameterValueError(
            f"{subject}: a spike time is {array[bad][0]:g} ms; it must be at least 0 and finite",
            fix="remove it from spike_times",
        )
    return np.sort(array)


def as_sequences(value: Any) -> Any:
    """`spike_times` in a form that PyNN reads: a list of lists where it is an array of rows."""
    if isinstance(value, np.ndarray) and (value.ndim > 1 or value.dtype == object):
        return [item if isinstance(item, ArrayParameter) else Sequence(item) for item in value]
    return value


class CheckedCell:
    """Names and values are checked where the cell type is made."""

    def __init__(self, **parameters: Any) -> None:
        cell = self.__class__.__name__
        check_names(parameters, self.default_parameters, cell)  # type: ignore[attr-defined]
        if "spike_times" in parameters:
            parameters["spike_times"] = as_sequences(parameters["spike_times"])
        with taught(cell):
            super().__init__(**parameters)
        for name, value in parameters.items():
            if value is None:
                raise ParameterValueError(f"{cell}: {name} is None; it must be a number")
            if name == "spike_times":
                many = isinstance(value, (list, tuple)) and len(value) and not np.isscalar(value[0])
                for train in value if many else [value]:
                    if not callable(train) and not isinstance(train, RandomDistribution):
                        check_spike_times(cell, train)
            elif isinstance(value, (int, float, np.number, np.ndarray, list, tuple)):
                check_values(cell, name, value, self.units.get(name, ""))  # type: ignore[attr-defined]


def _identity(cell: type) -> dict[str, Any]:
    names = cell.default_parameters  # type: ignore[attr-defined]
    table: dict[str, Any] = build_translations(*((name, name) for name in names))
    return table


_CURRENTS = ["isyn_exc", "isyn_inh"]


class IF_curr_exp(CheckedCell, cells.IF_curr_exp):
    __doc__ = cells.IF_curr_exp.__doc__
    translations = _identity(cells.IF_curr_exp)
    recordable = ["spikes", "v", *_CURRENTS]


class IF_curr_delta(CheckedCell, cells.IF_curr_delta):
    __doc__ = cells.IF_curr_delta.__doc__
    translations = _identity(cells.IF_curr_delta)


class IF_curr_alpha(CheckedCell, cells.IF_curr_alpha):
    __doc__ = cells.IF_curr_alpha.__doc__
    translations = _identity(cells.IF_curr_alpha)
    recordable = ["spikes", "v", *_CURRENTS]


class IF_cond_exp(CheckedCell, cells.IF_cond_exp):
    __doc__ = cells.IF_cond_exp.__doc__
    translations = _identity(cells.IF_cond_exp)


class Izhikevich(CheckedCell, cells.Izhikevich):
    __doc__ = cells.Izhikevich.__doc__
    translations = _identity(cells.Izhikevich)


class SpikeSourceArray(CheckedCell, cells.SpikeSourceArray):
    __doc__ = cells.SpikeSourceArray.__doc__
    translations = _identity(cells.SpikeSourceArray)


class SpikeSourcePoisson(CheckedCell, cells.SpikeSourcePoisson):
    __doc__ = cells.SpikeSourcePoisson.__doc__
    translations = _identity(cells.SpikeSourcePoisson)


SUPPORTED = (
    IF_curr_exp,
    IF_curr_delta,
    IF_curr_alpha,
    IF_cond_exp,
    Izhikevich,
    SpikeSourceArray,
    SpikeSourcePoisson,
)


def unsupported(model: type, kind: str, supported: tuple[type, ...], fix: str = "") -> type:
    """A class of `model`'s name that can't be made, and says what can be made instead."""
    names = ", ".join(each.__name__ for each in supported)

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise UnsupportedError(
            f"neurodeploy does not run the {kind} {model.__name__}",
            why=f"it has no equations for it; the ones it has are {names}",
            fix=fix or f"use one of: {names}",
        )

    attributes = {
        "__init__": refuse,
        "__doc__": f"Not available here: raises UnsupportedError.\n\n{model.__doc__ or ''}",
        "__module__": __name__,
    }
    return type(model)(model.__name__, (model,), attributes)


NOT_SUPPORTED = {
    name: unsupported(model, "cell", SUPPORTED)
    for name, model in vars(cells).items()
    if isinstance(model, type)
    and issubclass(model, (StandardCellType, StandardCellTypeComponent))
    and model not in (StandardCellType, StandardCellTypeComponent)
    and name not in {each.__name__ for each in SUPPORTED}
}
"""Every other standard cell of PyNN, as a class that raises UnsupportedError."""
