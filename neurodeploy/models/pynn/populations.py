"""Population, PopulationView and Assembly, with their parameters and states as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import common
from pyNN.parameters import ArrayParameter, LazyArray, ParameterSpace, Sequence, simplify

from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.pynn import cells, simulator
from neurodeploy.models.pynn.errors import ParameterValueError, check_names, taught
from neurodeploy.models.pynn.recording import Recorder, merging
from neurodeploy.models.pynn.sources import StepwiseSource


def _numbers(lazy: Any, size: int) -> np.ndarray:
    """`lazy` (a LazyArray or its value) as `size` floats."""
    value = lazy.evaluate(simplify=False) if hasattr(lazy, "evaluate") else lazy
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), (size,)))


def _trains(lazy: Any, size: int) -> np.ndarray:
    """`lazy` as `size` Sequences of spike times."""
    value = lazy.evaluate(simplify=True) if hasattr(lazy, "evaluate") else lazy
    result = np.empty(size, dtype=object)
    if isinstance(value, ArrayParameter):
        result[:] = [value] * size
    else:
        result[:] = list(value)
    return result


def inject(source: Any, cells: Any, location: Any = None) -> None:
    """Inject the current of `source`, which must be one of this simulator module, into `cells`."""
    if not isinstance(source, StepwiseSource):
        what = source.__name__ if isinstance(source, type) else type(source).__name__
        raise RequestError(
            f"'{cells.label}' can't be given the current of a {what}",
            fix="inject a DCSource(...) or StepCurrentSource(...) of neurodeploy.pynn",
        )
    source.inject_into(cells, location)


def check_count(subject: str, name: str, value: Any, size: int) -> None:
    """Raise where `value` is a list of another length than `size`."""
    value = getattr(value, "base_value", value)
    if value is None:
        raise ParameterValueError(f"{subject}: {name} is None; it must be a number")
    if isinstance(value, ArrayParameter) or not isinstance(value, (list, tuple, np.ndarray)):
        return
    if name == "spike_times" and (not len(value) or np.isscalar(value[0])):
        return
    shape = np.shape(value) if name != "spike_times" else (len(value),)
    if shape not in ((), (size,)):
        count = len(value) if len(shape) == 1 else f"an array of shape {shape}"
        raise ParameterValueError(
            f"{subject}: {name} has {count} values for {size} cells",
            fix="give one number for all, or one a cell",
        )


class _Selected:
    """What whole populations and views share.  ``_root`` is the population, ``_neurons`` the numbers in it."""

    _root: Population
    _neurons: np.ndarray
    label: str
    size: int
    celltype: Any
    all_cells: np.ndarray

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)

    @property
    def _positions_of(self) -> list[int]:
        return [simulator.state.position(self._root)]

    @property
    def _sizes(self) -> list[int]:
        return [self.size]

    @property
    def _ids(self) -> np.ndarray:
        """Cell ids as plain integers."""
        return int(self._root.first_id) + self._neurons

    @property
    def _subject(self) -> str:
        return f"Population '{self.label}' ({self.celltype.__class__.__name__})"

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)

    def _get_parameters(self, *names: str) -> ParameterSpace:
        check_names(names, self.celltype.get_parameter_names(), self._subject)
        values = {name: simplify(self._root._parameters[name][self._neurons]) for name in names}
        return ParameterSpace(values, self.celltype.get_schema(), shape=(self.size,))

    def set(self, **parameters: Any) -> None:
        """Set parameters of all these cells, also between two runs.

        A value is a number, a list or array of `size` numbers, a ``RandomDistribution`` or a function of the
        cell's index; ``spike_times`` is one list of times (ms) for all, or a list of lists.
        """
        check_names(parameters, self.celltype.get_parameter_names(), self._subject)
        if "spike_times" in parameters:
            parameters["spike_times"] = cells.as_sequences(parameters["spike_times"])
        for name, value in parameters.items():
            check_count(self._subject, name, value, self.size)
        with taught(self._subject):
            super().set(**parameters)  # type: ignore[misc]

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        values = {}
        for name, lazy in parameter_space.items():
            values[name] = self._root._checked(name, lazy, self.size, self._subject)
        before = dict(self._root._parameters)
        for name, array in values.items():
            whole = self._root._parameters[name].copy()
            whole[self._neurons] = array
            self._root._parameters[name] = whole
        try:
            self._root._tell_parameters()
        except RequestError:
            self._root._parameters = before
            raise

    def initialize(self, **initial_values: Any) -> None:
        """Set state variables, such as ``v`` (mV), at t = 0 or, between two runs, at once.

        A value is a number, a list or array of `size` numbers, a ``RandomDistribution`` or a function of the
        cell's index.
        """
        known = list(self.celltype.default_initial_values)
        for variable, value in initial_values.items():
            if variable not in known:
                raise ParameterValueError(
                    f"{self._subject} has no state variable '{variable}'.{did_you_mean(variable, known)}",
                    fix=f"its state variables are {', '.join(known) or 'none'}",
                )
            check_count(self._subject, variable, value, self.size)
            with taught(f"{self._subject}, initial {variable}"):
                array = _numbers(LazyArray(value, shape=(self.size,), dtype=float), self.size)
            cells.check_values(self._subject, variable, array, self.celltype.units.get(variable, ""))
            self._root._store_state(variable, self._neurons, array)

    def _get_cell_initial_value(self, id: Any, variable: str) -> float:
        return float(self._root._state[variable][int(id) - int(self._root.first_id)])

    def _set_cell_initial_value(self, id: Any, variable: str, value: float) -> None:
        number = int(id) - int(self._root.first_id)
        self._root[number : number + 1].initialize(**{variable: value})

    def inject(self, current_source: Any, location: Any = None) -> None:
        """Inject the current of a DCSource or StepCurrentSource into all these cells."""
        inject(current_source, self, location)


class Assembly(common.Assembly):
    __doc__ = common.Assembly.__doc__
    _simulator = simulator

    @property
    def receptor_types(self) -> list[str]:
        """The receptor types that all populations share, in the order of the first."""
        first, *rest = (list(population.celltype.receptor_types) for population in self.populations)
        return [receptor for receptor in first if all(receptor in other for other in rest)]

    @property
    def position_generator(self) -> Any:
        """A function from cell numbers to positions, one row a cell."""
        positions = self.positions.T
        return lambda index: positions[index]

    @property
    def _positions_of(self) -> list[int]:
        return [position for part in self.populations for position in part._positions_of]

    @property
    def _sizes(self) -> list[int]:
        return [part.size for part in self.populations]

    @property
    def _neurons(self) -> np.ndarray:
        return np.concatenate([part._neurons for part in self.populations])

    @property
    def _ids(self) -> np.ndarray:
        return np.concatenate([part._ids for part in self.populations])

    def inject(self, current_source: Any, location: Any = None) -> None:
        """Inject the current of a DCSource or StepCurrentSource into all these cells."""
        inject(current_source, self, location)

    def get_data(self, *arguments: Any, **keywords: Any) -> Any:
        with merging():
            return super().get_data(*arguments, **keywords)

    get_data.__doc__ = common.Assembly.get_data.__doc__


class PopulationView(_Selected, common.PopulationView):
    __doc__ = common.PopulationView.__doc__
    _assembly_class = Assembly
    _simulator = simulator

    def __init__(self, parent: Any, selector: Any, label: str | None = None) -> None:
        if not isinstance(selector, slice):
            selector = np.array(selector)
            if selector.size == 0 and selector.dtype != bool:
                selector = selector.astype(int)
        count = len(selector) if isinstance(selector, np.ndarray) and selector.dtype == bool else 0
        if count and count != parent.size:
            raise ParameterValueError(
                f"View of '{parent.label}': the mask has {count} values and the population {parent.size} cells"
            )
        try:
            empty = not len(np.arange(parent.size)[selector])
        except IndexError as error:
            raise ParameterValueError(
                f"View of '{parent.label}': {error}",
                fix=f"cell numbers go from 0 to {parent.size - 1}",
            ) from error
        if empty:
            raise ParameterValueError(f"View of '{parent.label}' would hold no cells")
        common.PopulationView.__init__(self, parent, selector, label)
        self._root = parent._root
        self._neurons = parent._neurons[self.mask]

    @property
    def initial_values(self) -> dict[str, np.ndarray]:
        """Initial values of these cells, by variable."""
        return {name: values[self._neurons] for name, values in self._root._state.items()}


SUMS = "max_expected_summed_weight"
"""sPyNNaker's name, so that its scripts run here."""


def largest_sums(subject: str, additional: dict[str, Any], celltype: Any) -> tuple[float, float] | None:
    """What the `additional` parameters of a population say of its input; raises where it is not two numbers."""
    for name in additional:
        if name != SUMS:
            raise ParameterValueError(
                f"{subject}: there is no additional parameter '{name}' here.{did_you_mean(name, [SUMS])}",
                fix=f"leave it out; the one that there is is {SUMS}",
            )
    given = additional.get(SUMS)
    if given is None:
        return None
    receptors = list(celltype.receptor_types)
    values = np.asarray(given, dtype=float)
    if values.shape != (2,) or not (np.isfinite(values) & (values >= 0)).all() or len(receptors) != 2:
        raise ParameterValueError(
            f"{subject}: {SUMS} is {given!r}; it must be two numbers, at least 0, for"
            f" {' and '.join(receptors) or 'a cell that has synapses'}"
        )
    return float(values[0]), float(values[1])


class Population(_Selected, common.Population):
    __doc__ = f"""{common.Population.__doc__}

    `additional_parameters` may hold ``{SUMS}``: the most that the weights onto a neuron add up to in one step, excitatory and
    inhibitory, in the weights' unit (magnitudes).  SpiNNaker makes room for that; without it, for what sPyNNaker expects.
    """
    _simulator = simulator
    _recorder_class = Recorder
    _assembly_class = Assembly

    def __init__(
        self,
        size: Any,
        cellclass: Any,
        cellparams: Any = None,
        structure: Any = None,
        initial_values: Any = None,
        label: str | None = None,
        additional_parameters: dict[str, Any] | None = None,
    ) -> None:
        state = simulator.state
        state.require_structure_open("a population")
        labels = {population.label for population in state.populations}
        if label is None:
            number = len(labels)
            while f"population{number}" in labels:
                number += 1
            label = f"population{number}"
        elif label in labels:
            raise RequestError(
                f"There is already a population called '{label}'",
                why="results and reports name populations by their labels",
                fix="give this one another label",
            )
        sizes = size if isinstance(size, tuple) else (size,)
        for number in sizes:
            if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number < 1:
                raise ParameterValueError(
                    f"Population '{label}': size is {size!r}; it must be a whole number, at least 1"
                )
        if isinstance(cellclass, type) and cellparams is None:
            cellparams = {}
        made = cellclass if isinstance(cellclass, type) else type(cellclass)
        unsupported = {**cells.NOT_SUPPORTED}
        if made not in cells.SUPPORTED and made not in unsupported.values():
            names = ", ".join(each.__name__ for each in cells.SUPPORTED)
            raise ParameterValueError(
                f"Population '{label}': {made.__name__} is not a cell type of this simulator module",
                fix=f"use one of neurodeploy.pynn's own: {names}",
            )
        with taught(f"Population '{label}' ({made.__name__})"):
            try:
                common.Population.__init__(
                    self, size, cellclass, cellparams, structure, dict(initial_values or {}), label
                )
            except BaseException:
                state.recorders.discard(self.__dict__.get("recorder"))
                raise
            self.largest_sums = largest_sums(self._subject, additional_parameters or {}, self.celltype)
        self._position = len(state.populations)
        state.populations.append(self)
        state.next_id += self.size

    @property
    def _root(self) -> Population:  # type: ignore[override]
        return self

    def _create_cells(self) -> None:
        first = simulator.state.next_id
        ids = []
        for number in range(first, first + self.size):
            cell = simulator.ID(number)
            object.__setattr__(cell, "parent", self)
            ids.append(cell)
        self.all_cells = np.empty(self.size, dtype=object)
        self.all_cells[:] = ids
        self._mask_local = np.ones(self.size, dtype=bool)
        self._neurons = np.arange(self.size)
        self._state: dict[str, np.ndarray] = {}
        space = self.celltype.native_parameters
        for name, lazy in space.items():
            check_count(self._subject, name, lazy, self.size)
        space.shape = (self.size,)
        self._parameters: dict[str, np.ndarray] = {
            name: self._checked(name, lazy, self.size, self._subject) for name, lazy in space.items()
        }

    def _checked(self, name: str, lazy: Any, size: int, subject: str) -> np.ndarray:
        if name == "spike_times":
            trains = _trains(lazy, size)
            done: dict[int, Sequence] = {}
            for number, train in enumerate(trains):
                if id(train) not in done:
                    done[id(train)] = Sequence(cells.check_spike_times(subject, train))
                trains[number] = done[id(train)]
            return trains
        array = _numbers(lazy, size)
        cells.check_values(subject, name, array, self.celltype.units.get(name, ""))
        return array

    @property
    def initial_values(self) -> dict[str, LazyArray]:
        """Initial values of all cells, by variable."""
        return {name: LazyArray(values) for name, values in self._state.items()}

    @initial_values.setter
    def initial_values(self, values: Any) -> None:
        """PyNN empties the table when it makes a population; the values are kept elsewhere."""

    def _store_state(self, variable: str, neurons: np.ndarray, values: np.ndarray) -> None:
        whole = self._state.get(variable, np.zeros(self.size)).copy()
        whole[neurons] = values
        session = simulator.state.live
        if session is not None:
            position, present = simulator.state.position(self), whole
            if len(neurons) != self.size:
                present = np.array(session.state(position, variable), dtype=float)
                present[neurons] = values
            session.set_state(position, variable, present.copy())
        self._state[variable] = whole

    def _tell_parameters(self) -> None:
        session = simulator.state.live
        if session is not None:
            position = simulator.state.position(self)
            if "spike_times" in self._parameters:
                session.set_spike_times(position, self.spike_times_as_data())
            else:
                session.set_parameters(position, self.parameters_as_data())

    def parameters_as_data(self) -> dict[str, np.ndarray]:
        """Parameters as the Network has them."""
        return {name: values.copy() for name, values in self._parameters.items() if name != "spike_times"}

    def spike_times_as_data(self) -> list[np.ndarray]:
        """Spike times (ms) as the Network has them; empty where the cells are no ``SpikeSourceArray``."""
        return [np.array(train.value, dtype=float) for train in self._parameters.get("spike_times", ())]
