"""Projection: synapses as arrays, in the order of the postsynaptic cell and then as drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from pyNN import common
from pyNN.connectors import Connector
from pyNN.core import IndexBasedExpression
from pyNN.parameters import LazyArray, ParameterSpace
from pyNN.random import NativeRNG, NumpyRNG, RandomDistribution
from pyNN.space import Space

from neurodeploy.errors import RequestError, UnsupportedError, did_you_mean
from neurodeploy.models.pynn import simulator
from neurodeploy.models.pynn.errors import ConnectError, ParameterValueError, check_names, taught
from neurodeploy.models.pynn.synapses import SUPPORTED_SYNAPSES, StaticSynapse

BLOCK = 1 << 18
"""Elements that are drawn or evaluated at once: 2 MB of numbers, which stay in the processor's cache."""

SYNAPSE_BLOCK = 1 << 20

DRAWN_ONE_BY_ONE = frozenset(
    (
        "uniform",
        "uniform_int",
        "normal",
        "normal_clipped_to_boundary",
        "exponential",
        "gamma",
        "lognormal",
        "poisson",
        "binomial",
        "vonmises",
    )
)
"""Distributions of which NumpyRNG gives the same numbers in one draw as in many."""

TOLERANCE = 1e-9


def distance_function(space: Space, pre: Any, post: Any) -> Callable[..., Any]:
    """A function of cell numbers (i, j) that gives distances pair by pair, of whole arrays at once.

    The same sums in the same order as ``Space.distances``, which gives every distance between two sets.
    """
    from_positions = pre.positions
    to_positions = space.scale_factor * (post.positions.T + space.offset)

    def distance(i: Any, j: Any) -> Any:
        total: Any = 0.0
        for axis in space.axes:
            difference = from_positions[axis][i] - to_positions[..., axis][j]
            if space.periodic_boundaries is not None:
                boundaries = space.periodic_boundaries[axis]
                if boundaries is not None:
                    span = boundaries[1] - boundaries[0]
                    apart = abs(difference)
                    difference = np.minimum(apart, span - apart)
            total = total + difference**2
        return np.sqrt(total)

    return distance


def evaluate(lazy: LazyArray, pre: np.ndarray, post: np.ndarray) -> Any:
    """The value of `lazy` for each synapse: a number where all are equal, else an array.

    `post` must be sorted.  Random values are the ones that PyNN draws column by column.
    """
    if lazy.is_homogeneous:
        return float(lazy.evaluate(simplify=True))
    if not len(pre):
        return np.zeros(0)
    base = lazy.base_value
    by_column = isinstance(base, IndexBasedExpression)
    if isinstance(base, RandomDistribution):
        if isinstance(base.rng, NativeRNG):
            raise UnsupportedError(
                "Weights and delays can't be drawn from a NativeRNG",
                why="synapses are drawn before any simulator is chosen",
                fix="use a NumpyRNG",
            )
        if isinstance(base.rng, NumpyRNG) and base.name in DRAWN_ONE_BY_ONE:
            return np.asarray(lazy[(pre, post)], dtype=float)
        by_column = True
    elif not callable(base) and not isinstance(base, (np.ndarray, int, float, np.number)):
        by_column = True
    result = np.empty(len(pre))
    if by_column:
        starts = np.flatnonzero(np.diff(post, prepend=-1))
        for begin, end in zip(starts, [*starts[1:], len(post)], strict=True):
            result[begin:end] = lazy[pre[begin:end], int(post[begin])]
    else:
        for begin in range(0, len(pre), SYNAPSE_BLOCK):
            block = slice(begin, begin + SYNAPSE_BLOCK)
            result[block] = lazy[(pre[block], post[block])]
    return result


def evaluate_matrix(lazy: LazyArray, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> Any:
    """The value of `lazy` for each synapse, where PyNN evaluates the whole matrix and then picks."""
    base = lazy.base_value
    if isinstance(base, RandomDistribution) and not isinstance(base.rng, NativeRNG):
        whole = np.empty(len(pre))
        chunked = isinstance(base.rng, NumpyRNG) and base.name in DRAWN_ONE_BY_ONE
        rows = max(1, SYNAPSE_BLOCK // shape[1]) if chunked else shape[0]
        for first in range(0, shape[0], rows):
            count = min(rows, shape[0] - first)
            drawn = np.asarray(base.next(count * shape[1])).reshape(count, shape[1])
            inside = (pre >= first) & (pre < first + count)
            whole[inside] = drawn[pre[inside] - first, post[inside]]
        return lazy._apply_operations(whole, (pre, post)) if len(pre) else whole
    if len(pre):
        order = np.argsort(post, kind="stable")
        values = evaluate(lazy, pre[order], post[order])
        if np.ndim(values):
            result = np.empty(len(pre))
            result[order] = values
            return result
        return values
    return np.zeros(0)


class Connection(common.Connection):
    """One synapse of a projection.  Reading and setting ``weight`` and ``delay`` reads and sets the projection."""

    def __init__(self, projection: Projection, index: int) -> None:
        self._projection = projection
        self._index = index

    @property
    def presynaptic_index(self) -> int:
        return int(self._projection.pre_index[self._index])

    @property
    def postsynaptic_index(self) -> int:
        return int(self._projection.post_index[self._index])

    @property
    def presynaptic_cell(self) -> Any:
        return self._projection.pre[self.presynaptic_index]

    @property
    def postsynaptic_cell(self) -> Any:
        return self._projection.post[self.postsynaptic_index]

    @property
    def weight(self) -> float:
        return float(self._projection._present_weight()[self._index])

    @weight.setter
    def weight(self, value: float) -> None:
        self._projection._set_one("weight", self._index, value)

    @property
    def delay(self) -> float:
        return float(self._projection._delay[self._index])

    @delay.setter
    def delay(self, value: float) -> None:
        self._projection._set_one("delay", self._index, value)

    def as_tuple(self, *attribute_names: str) -> tuple[Any, ...]:
        """The named attributes, in that order."""
        return tuple(getattr(self, name) for name in attribute_names)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._projection._values_of(name)[self._index]

    def __repr__(self) -> str:
        return f"Connection({self.presynaptic_index}, {self.postsynaptic_index})"


class Projection(common.Projection):
    __doc__ = common.Projection.__doc__
    _simulator = simulator
    _static_synapse_class = StaticSynapse

    def __init__(
        self,
        presynaptic_population: Any,
        postsynaptic_population: Any,
        connector: Connector,
        synapse_type: Any = None,
        source: Any = None,
        receptor_type: str | None = None,
        space: Space | None = None,
        label: str | None = None,
    ) -> None:
        state = simulator.state
        state.require_structure_open("a projection")
        pre, post = presynaptic_population, postsynaptic_population
        for what, cells in (("pre", pre), ("post", post)):
            if not isinstance(cells, (common.BasePopulation, common.Assembly)):
                raise ConnectError(
                    f"Projection{f' {label!r}' if label else ''}: the {what}synaptic cells are a "
                    f"{type(cells).__name__}, not a Population, PopulationView or Assembly"
                )
        self.label = label or f"{pre.label}→{post.label}"
        receptors = list(post.receptor_types)
        if not receptors:
            raise ConnectError(
                f"Projection '{self.label}': '{post.label}' can't receive synapses",
                why="a spike source has no membrane",
                fix="connect it as the presynaptic side",
            )
        if receptor_type not in (None, "default", *receptors):
            raise ConnectError(
                f"Projection '{self.label}': there is no receptor type '{receptor_type}'."
                f"{did_you_mean(str(receptor_type), receptors)}",
                fix=f"use one of: {', '.join(receptors)}",
            )
        for what, value, kinds in (
            ("connector", connector, (Connector,)),
            ("synapse type", synapse_type, (*SUPPORTED_SYNAPSES, type(None))),
        ):
            if not isinstance(value, kinds):
                names = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
                raise ConnectError(
                    f"Projection '{self.label}': the {what} is a {type(value).__name__}; "
                    f"it must be a {names} of this simulator module"
                )
        self._positions_checked = (pre._positions_of, post._positions_of)
        self._chunks: list[tuple[np.ndarray, np.ndarray, dict[str, Any]]] = []
        self._version = 0
        self._cache: tuple[Any, np.ndarray] | None = None
        with taught(f"Projection '{self.label}'", ConnectError):
            common.Projection.__init__(
                self, pre, post, connector, synapse_type, source, receptor_type, space or Space(), self.label
            )
            self.plasticity = self.synapse_type.plasticity
            connector.connect(self)
            self._collect()
        self._position = len(state.projections)
        state.projections.append(self)

    # --- building ------------------------------------------------------------

    def _convergent_connect(
        self,
        presynaptic_indices: Any,
        postsynaptic_index: int,
        location_selector: Any = None,
        **connection_parameters: Any,
    ) -> None:
        """Connect some cells to one: what PyNN's own and users' connectors call."""
        if location_selector is not None:
            raise UnsupportedError("Cells have no parts to connect to", fix="leave location_selector out")
        pre = np.atleast_1d(np.asarray(presynaptic_indices, dtype=np.int64))
        self._add(pre, np.full(len(pre), int(postsynaptic_index)), connection_parameters)

    def _add(self, pre: np.ndarray, post: np.ndarray, parameters: dict[str, Any]) -> None:
        """Append synapses; a parameter is a number or an array as long as `pre`."""
        self._chunks.append((pre, post, parameters))

    def _collect(self) -> None:
        """Put the synapses together and check them."""
        chunks, self._chunks = self._chunks, []
        sizes = [len(chunk[0]) for chunk in chunks]

        def whole(name: str) -> np.ndarray:
            parts = [
                np.broadcast_to(np.asarray(chunk[2][name], dtype=float), (size,))
                for chunk, size in zip(chunks, sizes, strict=False)
            ]
            return np.array(parts[0]) if len(parts) == 1 else np.concatenate(parts or [np.zeros(0)])

        for index, name, cells in ((0, "pre_index", self.pre), (1, "post_index", self.post)):
            numbers = np.concatenate([chunk[index] for chunk in chunks] or [np.zeros(0, dtype=int)])
            bad = (numbers < 0) | (numbers >= cells.size)
            if bad.any():
                side = name.removesuffix("_index")
                raise ConnectError(
                    f"Projection '{self.label}': {side}synaptic cell {numbers[bad][0]} does not exist; "
                    f"'{cells.label}' has {cells.size} cells",
                    fix=f"cell numbers go from 0 to {cells.size - 1}",
                )
            setattr(self, name, numbers.astype(np.int32))
        self._weight = whole("weight")
        self._delay = whole("delay")
        self._check(self._weight, self._delay)
        for name in {name for chunk in chunks for name in chunk[2]} - {"weight", "delay"}:
            self._check_common(name, whole(name))

    def _check_common(self, name: str, values: np.ndarray) -> None:
        if len(values) and not (values == values[0]).all():
            raise UnsupportedError(
                f"Projection '{self.label}': {name} differs from synapse to synapse",
                why="all synapses of a projection share their plasticity parameters",
                fix="give one number, or split the projection",
            )
        if len(values) and self.plasticity is not None:
            self._set_plasticity(name, float(values[0]))

    def _set_plasticity(self, name: str, value: float) -> None:
        from dataclasses import replace

        if not np.isfinite(value):
            raise ParameterValueError(f"Projection '{self.label}': {name} is {value}; it must be finite")
        assert self.plasticity is not None
        self.plasticity = replace(self.plasticity, **{name: value})

    @property
    def weight_unit(self) -> str:
        """``nA``, ``uS`` or ``mV``, by the postsynaptic cells."""
        if self.post.conductance_based:
            return "uS"
        parts = getattr(self.post, "populations", [self.post])
        return "mV" if getattr(parts[0].celltype, "voltage_based_synapses", False) else "nA"

    def _check(self, weight: np.ndarray | None = None, delay: np.ndarray | None = None) -> None:
        """Raise for the first weight or delay that can't be."""
        state = simulator.state
        unit = self.weight_unit.replace("uS", "µS")
        rules: list[tuple[str, np.ndarray, np.ndarray, str, str]] = []
        if weight is not None:
            rules.append(("weight", weight, np.isfinite(weight), f" {unit}", "it must be a finite number"))
            if self._connector.safe:
                rules.append(("weight", weight, *self._sign(weight, unit)))
        if delay is not None:
            rules.append(("delay", delay, np.isfinite(delay), " ms", "it must be a finite number"))
            low = state.min_delay
            limit = "one time step" if state.shortest_delay is None else "the min_delay of setup()"
            must = f"it must be at least {limit}, {low:g} ms"
            rules.append(("delay", delay, delay >= low - TOLERANCE, " ms", must))
            if state.longest_delay is not None:
                high = state.longest_delay
                must = f"it must be at most the max_delay of setup(), {high:g} ms"
                rules.append(("delay", delay, delay <= high + TOLERANCE, " ms", must))
        for name, values, good, unit, must in rules:
            if not good.all():
                worst = int(np.flatnonzero(~good)[0])
                raise ConnectError(
                    f"Projection '{self.label}': the {name} of the synapse from cell "
                    f"{self.pre_index[worst]} to cell {self.post_index[worst]} is {values[worst]:g}{unit}; "
                    f"{must}",
                    why=f"{np.count_nonzero(~good)} of {len(values)} synapses break this rule",
                )

    def _sign(self, weight: np.ndarray, unit: str) -> tuple[np.ndarray, str, str]:
        if self.post.conductance_based or self.receptor_type == "excitatory":
            kind = "a conductance-based" if self.post.conductance_based else "an excitatory"
            return weight >= 0, f" {unit}", f"it must be 0 or positive for {kind} synapse"
        return weight <= 0, f" {unit}", "it must be 0 or negative for a current-based inhibitory synapse"

    # --- reading -------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.pre_index)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [Connection(self, number) for number in range(*index.indices(len(self)))]
        if isinstance(index, (list, tuple, np.ndarray)):
            return [self[int(number)] for number in np.arange(len(self))[np.asarray(index)]]
        if not -len(self) <= index < len(self):
            raise IndexError(f"Projection '{self.label}' has {len(self)} connections; there is no {index}")
        return Connection(self, int(index) % len(self))

    @property
    def connections(self) -> list[Connection]:
        """All synapses, one object each."""
        return list(self)

    def _present_weight(self) -> np.ndarray:
        """Weights now: what plasticity has made of them, where it has."""
        state = simulator.state
        self._require_current()
        if self.plasticity is None or state.session is None:
            return self._weight
        key = (state.session, state.steps, self._version)
        if self._cache is None or self._cache[0] != key:
            weight = self._weight.copy()
            for position, selection in state.parts[self._position]:
                present = np.asarray(state.session.weights(position), dtype=float)
                weight[slice(None) if selection is None else selection] = present
            self._cache = (key, weight)
        return self._cache[1]

    def _require_current(self) -> None:
        projections = simulator.state.projections
        if self._position >= len(projections) or projections[self._position] is not self:
            raise RequestError(
                f"Projection '{self.label}' belongs to a simulation that a later setup() has ended",
                fix="read its data before calling setup() again",
            )

    def _values_of(self, name: str) -> np.ndarray:
        tables = {
            "presynaptic_index": self.pre_index,
            "postsynaptic_index": self.post_index,
            "delay": self._delay,
        }
        if name == "weight":
            return self._present_weight()
        if name in tables:
            return tables[name]
        check_names([name], self.synapse_type.get_parameter_names(), f"Projection '{self.label}'")
        return np.full(len(self), getattr(self.plasticity, name))

    def get(
        self,
        attribute_names: Any,
        format: str,
        gather: Any = True,
        with_address: bool = True,
        multiple_synapses: str = "sum",
    ) -> Any:
        """Attributes of all synapses, such as ``weight`` and ``delay``, as a list or as matrices.

        Parameters
        ----------
        attribute_names : str or list of str
        format : {'list', 'array'}
            ``list``: one tuple a synapse, ``(i, j, value, ...)``, by postsynaptic cell and then as drawn.
            ``array``: one matrix an attribute, NaN where there is no synapse.
        gather
            Has no meaning here: all synapses are in one process.
        with_address : bool
            Whether the tuples begin with the two cell numbers.
        multiple_synapses : {'sum', 'last', 'first', 'min', 'max'}
            What a matrix shows where a pair of cells has several synapses.
        """
        single = isinstance(attribute_names, str)
        names = [attribute_names] if single else list(attribute_names)
        check_names(names, self.synapse_type.get_parameter_names(), f"Projection '{self.label}'")
        if format == "list":
            if single and not with_address:
                return self._values_of(names[0]).tolist()
            address = ["presynaptic_index", "postsynaptic_index"] if with_address else []
            return self._get_attributes_as_list(address + names)
        if format != "array":
            raise ParameterValueError(
                f"Projection '{self.label}': format is {format!r}; it must be 'list' or 'array'"
            )
        operations = list(common.Projection.MULTI_SYNAPSE_OPERATIONS)
        if multiple_synapses not in operations:
            raise ParameterValueError(
                f"Projection '{self.label}': multiple_synapses is {multiple_synapses!r}; "
                f"it must be one of {', '.join(operations)}"
            )
        matrices = self._get_attributes_as_arrays(names, multiple_synapses)
        return matrices[0] if single else matrices

    def _get_attributes_as_list(self, names: list[str]) -> list[tuple[Any, ...]]:
        return list(zip(*(self._values_of(name).tolist() for name in names), strict=False))

    def _get_attributes_as_arrays(self, names: list[str], multiple_synapses: str = "sum") -> list[np.ndarray]:
        pairs = self.pre_index, self.post_index
        matrices = []
        for name in names:
            values = self._values_of(name)
            matrix = np.full(self.shape, np.nan)
            if multiple_synapses == "first":
                # Copies: NumPy may go through a reversed view from its other end.
                matrix[pairs[0][::-1].copy(), pairs[1][::-1].copy()] = values[::-1].copy()
            else:
                matrix[pairs] = values
            if multiple_synapses == "sum":
                matrix[pairs] = 0.0
                np.add.at(matrix, pairs, values)
            elif multiple_synapses in ("min", "max"):
                (np.minimum if multiple_synapses == "min" else np.maximum).at(matrix, pairs, values)
            matrices.append(matrix)
        return matrices

    # --- setting -------------------------------------------------------------

    def set(self, **attributes: Any) -> None:
        """Set attributes of all synapses, also between two runs.

        A value is a number, a ``RandomDistribution``, a matrix of shape (n_pre, n_post), a function of the
        distance, or a list with one number a synapse.  A list goes row by row through the matrix (by presynaptic,
        then by postsynaptic cell), as everywhere in PyNN; that is not the order of ``get(format='list')``.
        """
        self._require_current()
        known = self.synapse_type.get_parameter_names()
        check_names(attributes, known, f"Projection '{self.label}'")
        values = {}
        for name, value in attributes.items():
            with taught(f"Projection '{self.label}', {name}", ConnectError):
                values[name] = np.broadcast_to(
                    np.asarray(self._evaluated(name, value), dtype=float), (len(self),)
                ).copy()
        self._check(values.get("weight"), values.get("delay"))
        for name, array in values.items():
            if name in ("weight", "delay"):
                self._replace(name, array)
            elif simulator.state.session is not None:
                raise RequestError(
                    f"Projection '{self.label}': {name} can't be changed at t = {simulator.state.t:g} ms, "
                    "after the first run",
                    why="a loaded plasticity rule is fixed",
                    fix="call reset() first",
                )
            else:
                self._check_common(name, array)

    def _evaluated(self, name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple, np.ndarray)):
            array = np.asarray(value, dtype=float)
            if array.ndim == 1:
                return self._by_rows(name, array)
            if array.shape != self.shape:
                raise ConnectError(
                    f"Projection '{self.label}': the {name} matrix has shape {array.shape}; "
                    f"it must be {self.shape}, pre- by postsynaptic cells"
                )
            return array[self.pre_index, self.post_index]
        space = ParameterSpace({name: value}, self.synapse_type.get_schema(), self.shape)
        space = self.synapse_type.translate(self._handle_distance_expressions(space))
        return evaluate_matrix(space[name], self.pre_index, self.post_index, self.shape)

    def _by_rows(self, name: str, array: np.ndarray) -> np.ndarray:
        if len(array) != len(self):
            raise ConnectError(
                f"Projection '{self.label}': {len(array)} values of {name} were given for {len(self)} synapses"
            )
        order = np.lexsort((self.post_index, self.pre_index))
        same = (np.diff(self.pre_index[order]) == 0) & (np.diff(self.post_index[order]) == 0)
        if same.any():
            raise ConnectError(
                f"Projection '{self.label}': {name} can't be set from a list",
                why="some pairs of cells have several synapses, and a list has no order for those",
                fix="give a matrix or one number, or set the connections one by one",
            )
        values = np.empty(len(self))
        values[order] = array
        return values

    def _replace(self, name: str, values: np.ndarray) -> None:
        """Make `values` the weights or delays, and tell an open session; where it refuses them, all stays as it was."""
        state = simulator.state
        if state.session is not None:
            parts = state.parts[self._position]
            present = self._present_weight() if name == "weight" and len(parts) > 1 else self._delay
            tell = state.session.set_weights if name == "weight" else state.session.set_delays
            told: list[tuple[int, Any]] = []
            try:
                for position, selection in parts:
                    chosen = slice(None) if selection is None else selection
                    tell(position, values[chosen].copy())
                    told.append((position, chosen))
            except RequestError:
                for position, chosen in told:
                    tell(position, present[chosen].copy())
                raise
        setattr(self, f"_{name}", values)
        self._version += 1

    def _set_one(self, name: str, index: int, value: float) -> None:
        present = (self._present_weight() if name == "weight" else self._delay).copy()
        present[index] = value
        self._check(**{name: present})
        initial = getattr(self, f"_{name}").copy()
        initial[index] = value
        self._replace(name, present)
        setattr(self, f"_{name}", initial)

    def initialize(self, **initial_values: Any) -> None:
        """Synapses here have no state variables beside their weights."""
        if initial_values:
            raise UnsupportedError(
                f"Projection '{self.label}' has no state variable '{next(iter(initial_values))}'",
                fix="set weights with set(weight=...)",
            )

    def _handle_distance_expressions(self, parameter_space: ParameterSpace) -> ParameterSpace:
        for name, lazy in list(parameter_space.items()):
            base = lazy.base_value
            if callable(base) and not inspect.isclass(base):
                if isinstance(base, IndexBasedExpression):
                    base.projection = self
                else:
                    parameter_space[name] = lazy(self._distance_map())
        return parameter_space

    def _distance_map(self) -> LazyArray:
        return LazyArray(distance_function(self.space, self.pre, self.post), shape=self.shape)
