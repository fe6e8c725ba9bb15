"""Current sources whose current changes in steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import common
from pyNN.parameters import ArrayParameter, ParameterSpace
from pyNN.standardmodels import build_translations, electrodes

from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.pynn.cells import unsupported
from neurodeploy.models.pynn.errors import ParameterValueError, check_names, taught
from neurodeploy.models.pynn.simulator import state


class StepwiseSource:
    """What the step-wise current sources share: checks, and injection into neurons."""

    def __init__(self, **parameters: Any) -> None:
        check_names(parameters, self.default_parameters, self.__class__.__name__)  # type: ignore[attr-defined]
        with taught(self.__class__.__name__):
            super().__init__(**parameters)
            self.set_native_parameters(self.native_parameters)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name != "parameter_space":
            check_names([name], self.default_parameters, self.__class__.__name__)  # type: ignore[attr-defined]
        super().__setattr__(name, value)

    def set_parameters(self, copy: bool = True, **parameters: Any) -> None:
        """Change parameters, also between two runs."""
        check_names(parameters, self.default_parameters, self.__class__.__name__)  # type: ignore[attr-defined]
        before = self._values()
        try:
            with taught(self.__class__.__name__):
                super().set_parameters(copy=copy, **parameters)  # type: ignore[misc]
            state.set_injections()
        except RequestError:
            for name, value in before.items():
                object.__setattr__(self, name, value)
            raise

    def set_native_parameters(self, parameters: Any) -> None:
        parameters.shape = (1,)
        parameters.evaluate(simplify=True)
        for name, value in parameters.items():
            if isinstance(value, ArrayParameter):
                value = np.asarray(value.value, dtype=float)
            elif np.ndim(value):
                value = np.asarray(getattr(value[0], "value", value[0]), dtype=float)
            object.__setattr__(self, name, value)
        self.as_steps()

    def get_native_parameters(self) -> ParameterSpace:
        values = {
            name: ArrayParameter(value) if isinstance(value, np.ndarray) else value
            for name, value in self._values().items()
        }
        return ParameterSpace(values, shape=(1,))

    def get_parameters(self) -> dict[str, Any]:
        """The present parameters, by name."""
        return self._values()

    def _values(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.default_parameters}  # type: ignore[attr-defined]

    def inject_into(self, cells: Any, location: Any = None) -> None:
        """Inject the current into a Population, PopulationView, Assembly or list of cells."""
        if location is not None:
            raise UnsupportedError("Cells have no parts to inject a current into", fix="leave location out")
        if isinstance(cells, (common.BasePopulation, common.Assembly)):
            parts = getattr(cells, "populations", [cells])
            targets = [(part._root, part._neurons) for part in parts]
        else:
            groups: dict[int, tuple[Any, list[int]]] = {}
            for cell in cells:
                group = groups.setdefault(id(cell.parent), (cell.parent, []))
                group[1].append(int(cell) - int(cell.parent.first_id))
            targets = [(population, np.array(numbers)) for population, numbers in groups.values()]
        for population, _ in targets:
            if not population.celltype.injectable:
                raise RequestError(
                    f"Current can't be injected into population '{population.label}'",
                    why=f"{population.celltype.__class__.__name__} is a spike source and has no membrane",
                )
        before = list(state.injections)
        for population, neurons in targets:
            state.position(population)
            state.injections.append((self, population, np.asarray(neurons, dtype=np.int32)))
        try:
            state.set_injections()
        except RequestError:
            state.injections = before
            raise

    def as_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (ms) at which the current changes, and what it changes to (nA)."""
        raise NotImplementedError

    def record(self) -> None:
        raise UnsupportedError(
            f"The current of a {self.__class__.__name__} can't be recorded",
            why="it is known beforehand: it changes in the steps you gave",
        )

    def _check(self, name: str, value: Any) -> None:
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
        bad = ~np.isfinite(numbers)
        if bad.any():
            raise ParameterValueError(
                f"{self.__class__.__name__}: {name} is {numbers[bad][0]}; it must be finite"
            )


class DCSource(StepwiseSource, electrodes.DCSource):
    __doc__ = electrodes.DCSource.__doc__
    translations = build_translations(("amplitude", "amplitude"), ("start", "start"), ("stop", "stop"))

    def as_steps(self) -> tuple[np.ndarray, np.ndarray]:
        amplitude, start, stop = (float(self._values()[name]) for name in ("amplitude", "start", "stop"))
        for name, value in (("amplitude", amplitude), ("start", start), ("stop", stop)):
            self._check(name, value)
        if start < 0 or stop < start:
            raise ParameterValueError(
                f"DCSource: start is {start:g} ms and stop is {stop:g} ms; start must be at least 0, "
                "and stop not before it"
            )
        return np.array([start, stop]), np.array([amplitude, 0.0])


class StepCurrentSource(StepwiseSource, electrodes.StepCurrentSource):
    __doc__ = electrodes.StepCurrentSource.__doc__
    translations = build_translations(("amplitudes", "amplitudes"), ("times", "times"))

    def as_steps(self) -> tuple[np.ndarray, np.ndarray]:
        times, amplitudes = (np.asarray(self._values()[name], float) for name in ("times", "amplitudes"))
        if times.shape != amplitudes.shape or times.ndim != 1:
            raise ParameterValueError(
                f"StepCurrentSource: there are {times.size} times and {amplitudes.size} amplitudes; "
                "there must be as many of each"
            )
        self._check("times", times)
        self._check("amplitudes", amplitudes)
        if times.size and (times[0] < 0 or (np.diff(times) <= 0).any()):
            raise ParameterValueError(
                "StepCurrentSource: times must rise from one to the next, and be at least 0 ms"
            )
        return times, amplitudes


SUPPORTED_SOURCES = (DCSource, StepCurrentSource)

NOT_SUPPORTED = {
    model.__name__: unsupported(
        model,
        "current source",
        SUPPORTED_SOURCES,
        fix="use a StepCurrentSource with one amplitude a time step",
    )
    for model in (electrodes.ACSource, electrodes.NoisyCurrentSource)
}
