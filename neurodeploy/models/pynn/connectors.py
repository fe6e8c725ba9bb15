"""PyNN's connectors, building their synapses as arrays.

With the same seeded ``NumpyRNG`` each gives the synapses that PyNN's own class draws, in PyNN's order: by
postsynaptic cell, and then as drawn.  Two differ, and say so: ``FixedTotalNumberConnector``, which PyNN draws
synapse by synapse, and ``SmallWorldConnector``, which PyNN only names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from pyNN import connectors as pynn
from pyNN.connectors import CSAConnector
from pyNN.parameters import LazyArray, ParameterSpace
from pyNN.random import NativeRNG, RandomDistribution

from neurodeploy.errors import UnsupportedError
from neurodeploy.models.pynn.errors import ConnectError, ParameterValueError, check_names, taught
from neurodeploy.models.pynn.projections import BLOCK, evaluate

__all__ = [
    "AllToAllConnector",
    "ArrayConnector",
    "CSAConnector",
    "CloneConnector",
    "DisplacementDependentProbabilityConnector",
    "DistanceDependentProbabilityConnector",
    "FixedNumberPostConnector",
    "FixedNumberPreConnector",
    "FixedProbabilityConnector",
    "FixedTotalNumberConnector",
    "FromFileConnector",
    "FromListConnector",
    "IndexBasedProbabilityConnector",
    "OneToOneConnector",
    "SmallWorldConnector",
]

Mask = np.ndarray


def blocks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Ranges of columns whose elements fit one block of memory."""
    step = max(1, BLOCK // max(1, rows))
    for first in range(0, columns, step):
        yield first, min(first + step, columns)


def same_cells(projection: Any) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (i, j) that are one and the same cell."""
    _, i, j = np.intersect1d(projection.pre._ids, projection.post._ids, return_indices=True)
    return i, j


class _Checked:
    """Arguments are checked, and wrong ones explained, where the connector is made."""

    rng: Any
    safe: bool
    location_selector: Any
    callback: Callable[[float], None] | None

    def __init__(self, *positional: Any, **named: Any) -> None:
        name = self.__class__.__name__
        rng = named.get("rng")
        if isinstance(rng, NativeRNG):
            raise UnsupportedError(
                f"{name}: rng is a NativeRNG",
                why="connections are drawn before any simulator is chosen",
                fix="use a NumpyRNG",
            )
        with taught(name):
            super().__init__(*positional, **named)
        if getattr(self, "location_selector", None) is not None:
            raise UnsupportedError(
                f"{name}: cells have no parts to connect to", fix="leave location_selector out"
            )

    def _generate_distance_map(self, projection: Any) -> LazyArray:
        return projection._distance_map()

    def _finish(
        self,
        projection: Any,
        pre: np.ndarray,
        post: np.ndarray,
        space: ParameterSpace,
    ) -> None:
        """Add the synapses (`post` sorted), with the values that `space` gives them."""
        projection._add(pre, post, {name: evaluate(lazy, pre, post) for name, lazy in space.items()})
        if self.callback:
            self.callback(1.0)


class _Mapped(_Checked):
    """Connectors that have, for each postsynaptic cell, its presynaptic cells."""

    def _standard_connect(
        self, projection: Any, connection_map_generator: Callable[[], Any], distance_map: Any = None
    ) -> None:
        # PyNN copies the synapse parameters, with the states of their random generators, before it draws.
        space = self._parameters_from_synapse_type(projection, distance_map)  # type: ignore[attr-defined]
        n_pre, _ = projection.shape
        everyone = np.arange(n_pre)
        sources: list[np.ndarray] = []
        for mask in connection_map_generator():
            if not isinstance(mask, np.ndarray) or mask.ndim == 0:
                mask = everyone if mask else everyone[:0]
            elif mask.dtype == bool:
                mask = np.flatnonzero(mask)
            sources.append(mask)
        counts = [len(source) for source in sources]
        pre = np.concatenate(sources).astype(np.int64) if sources else everyone[:0]
        self._finish(projection, pre, np.repeat(np.arange(len(counts)), counts), space)

    def _connect_blocks(self, projection: Any, block: Callable[[int, int], Mask]) -> None:
        """Connect by ``block(first, last)``: a new mask of shape (columns, n_pre) for these columns."""
        space = self._parameters_from_synapse_type(projection)  # type: ignore[attr-defined]
        n_pre, n_post = projection.shape
        same = self._excluded(projection)
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for first, last in blocks(n_pre, n_post):
            mask = block(first, last)
            if same is not None:
                i, j = same
                here = (j >= first) & (j < last)
                mask[j[here] - first, i[here]] = False
            if getattr(self, "allow_self_connections", True) == "NoMutual":
                mask &= np.arange(n_pre) > np.arange(first, last)[:, None]
            flat = np.flatnonzero(mask)
            column = flat // n_pre
            parts.append(((flat - column * n_pre).astype(np.int32), (column + first).astype(np.int32)))
        pre, post = (np.concatenate(each) for each in zip(*parts, strict=True))
        self._finish(projection, pre, post, space)

    def _excluded(self, projection: Any) -> tuple[np.ndarray, np.ndarray] | None:
        allowed = getattr(self, "allow_self_connections", True)
        if allowed == "NoMutual":
            self._require_one_population(projection)
            return None
        return None if allowed else same_cells(projection)

    def _require_one_population(self, projection: Any) -> None:
        if projection.pre is not projection.post or not hasattr(projection.pre, "_position"):
            raise ConnectError(
                f"Projection '{projection.label}': allow_self_connections='NoMutual' needs one and the same "
                "population on both sides",
                fix="use allow_self_connections=False",
            )

    def _get_connection_map_no_self_connections(self, projection: Any) -> LazyArray:
        different = projection.pre._ids[:, None] != projection.post._ids[None, :]
        return LazyArray(different, shape=projection.shape)

    def _get_connection_map_no_mutual_connections(self, projection: Any) -> LazyArray:
        self._require_one_population(projection)
        return LazyArray(lambda i, j: i > j, shape=projection.shape)


class AllToAllConnector(_Mapped, pynn.AllToAllConnector):
    __doc__ = pynn.AllToAllConnector.__doc__

    def __init__(self, allow_self_connections: bool = True, *positional: Any, **named: Any) -> None:
        if not isinstance(allow_self_connections, bool):
            raise ParameterValueError(
                f"AllToAllConnector: allow_self_connections is {allow_self_connections!r}; "
                "it must be True or False"
            )
        super().__init__(allow_self_connections, *positional, **named)

    def connect(self, projection: Any) -> None:
        n_pre, n_post = projection.shape
        if not self.allow_self_connections:
            self._connect_blocks(projection, lambda first, last: np.ones((last - first, n_pre), bool))
            return
        space = self._parameters_from_synapse_type(projection)
        pre = np.tile(np.arange(n_pre, dtype=np.int32), n_post)
        post = np.repeat(np.arange(n_post, dtype=np.int32), n_pre)
        self._finish(projection, pre, post, space)


class OneToOneConnector(_Mapped, pynn.OneToOneConnector):
    __doc__ = pynn.OneToOneConnector.__doc__

    def connect(self, projection: Any) -> None:
        space = self._parameters_from_synapse_type(projection)
        both = np.arange(min(projection.shape), dtype=np.int32)
        self._finish(projection, both, both, space)


class FixedProbabilityConnector(_Mapped, pynn.FixedProbabilityConnector):
    __doc__ = pynn.FixedProbabilityConnector.__doc__

    def __init__(self, p_connect: float, *positional: Any, **named: Any) -> None:
        super().__init__(p_connect, *positional, **named)
        if not 0 <= self.p_connect <= 1:
            raise ParameterValueError(
                f"FixedProbabilityConnector: p_connect is {self.p_connect:g}; it must be 0 to 1"
            )

    def connect(self, projection: Any) -> None:
        n_pre, _ = projection.shape
        parameters = {"low": 0, "high": 1}
        # PyNN draws from a copy: a connector or generator that is used again gives the same numbers again.
        rng = deepcopy(self.rng)

        def block(first: int, last: int) -> Mask:
            drawn = rng.next((last - first) * n_pre, "uniform", parameters)
            mask: Mask = (np.asarray(drawn) < self.p_connect).reshape(last - first, n_pre)
            return mask

        self._connect_blocks(projection, block)


class DistanceDependentProbabilityConnector(_Mapped, pynn.DistanceDependentProbabilityConnector):
    __doc__ = pynn.DistanceDependentProbabilityConnector.__doc__

    def __init__(self, d_expression: Any, *positional: Any, **named: Any) -> None:
        # PyNN documents a function here, but can evaluate only text.
        function = d_expression if callable(d_expression) else None
        with taught("DistanceDependentProbabilityConnector"):
            try:
                super().__init__("0*d" if function else d_expression, *positional, **named)
            except (SyntaxError, NameError) as error:
                raise ParameterValueError(
                    f"DistanceDependentProbabilityConnector: {d_expression!r} can't be read: {error}",
                    fix="write an expression of the distance d, such as 'exp(-d)'",
                ) from error
        if function:
            self.d_expression = function
            self.distance_function = function


class IndexBasedProbabilityConnector(_Mapped, pynn.IndexBasedProbabilityConnector):
    __doc__ = pynn.IndexBasedProbabilityConnector.__doc__


class DisplacementDependentProbabilityConnector(_Mapped, pynn.DisplacementDependentProbabilityConnector):
    __doc__ = pynn.DisplacementDependentProbabilityConnector.__doc__


class FromListConnector(_Checked, pynn.FromListConnector):
    __doc__ = pynn.FromListConnector.__doc__

    def connect(self, projection: Any) -> None:
        table = np.asarray(self.conn_list)
        if table.size == 0:
            return
        subject = f"Projection '{projection.label}': the connection list"
        if table.ndim != 2 or table.shape[1] != len(self.column_names) + 2:
            raise ConnectError(
                f"{subject} has shape {table.shape}; it must have the columns "
                f"{', '.join(['i', 'j', *self.column_names])}"
            )
        synapse = projection.synapse_type
        check_names(self.column_names, synapse.get_parameter_names(), f"Projection '{projection.label}'")
        for column, (side, cells) in enumerate((("pre", projection.pre), ("post", projection.post))):
            numbers = table[:, column]
            bad = ~((numbers >= 0) & (numbers < cells.size) & (numbers == np.floor(numbers)))
            if bad.any():
                raise ConnectError(
                    f"{subject} names the {side}synaptic cell {numbers[bad][0]:g} in line "
                    f"{int(np.flatnonzero(bad)[0])}; '{cells.label}' has the cells 0 to {cells.size - 1}"
                )
        table = table[np.argsort(table[:, 1], kind="stable")]
        pre, post = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
        given = {name: table[:, column].astype(float) for column, name in enumerate(self.column_names, 2)}
        parameters: dict[str, Any] = dict(given)
        for name, lazy in synapse.parameter_space.items():
            if name not in given:
                parameters[name] = self._missing(projection, name, lazy, pre, post)
        projection._add(pre, post, parameters)

    def _missing(self, projection: Any, name: str, lazy: Any, pre: np.ndarray, post: np.ndarray) -> Any:
        """Values that are not in the list.  PyNN draws them anew, from a copy, for each postsynaptic cell."""
        if lazy.is_homogeneous:
            number = deepcopy(lazy)
            number.shape = (len(pre),)
            return float(number.evaluate(simplify=True))
        if not isinstance(lazy.base_value, RandomDistribution):
            space = ParameterSpace({name: lazy}, projection.synapse_type.get_schema(), projection.shape)
            return evaluate(projection._handle_distance_expressions(space)[name], pre, post)
        result = np.empty(len(pre))
        starts = np.flatnonzero(np.diff(post, prepend=-1))
        for begin, end in zip(starts, [*starts[1:], len(post)], strict=True):
            column = deepcopy(lazy)
            column.shape = (end - begin,)
            result[begin:end] = column.evaluate()
        return result


class FromFileConnector(FromListConnector, pynn.FromFileConnector):
    __doc__ = pynn.FromFileConnector.__doc__

    def __init__(
        self,
        file: Any,
        distributed: bool = False,
        location_selector: Any = None,
        safe: bool = True,
        callback: Any = None,
    ) -> None:
        if isinstance(file, str):
            name = f"{file}.0" if distributed else file
            try:
                open(name).close()
            except OSError as error:
                raise ParameterValueError(
                    f"FromFileConnector: the file '{name}' can't be read: {error.strerror}"
                ) from error
        if location_selector is not None:
            raise UnsupportedError(
                "FromFileConnector: cells have no parts to connect to", fix="leave location_selector out"
            )
        pynn.FromFileConnector.__init__(self, file, distributed, location_selector, safe, callback)

    def connect(self, projection: Any) -> None:
        if self.distributed:
            self.file.close()  # type: ignore[has-type]
            self.file = type(self.file)(f"{self.file.name}.0", mode="r")  # type: ignore[has-type]
        columns = self.file.get_metadata().get("columns", ("weight", "delay"))
        self.column_names = [name for name in columns if name not in ("i", "j")]
        self.conn_list = np.atleast_2d(self.file.read())
        FromListConnector.connect(self, projection)


class _FixedNumber(_Mapped):
    n: Any
    with_replacement: bool
    allow_self_connections: Any

    def __init__(self, n: Any, *positional: Any, **named: Any) -> None:
        name = self.__class__.__name__
        if isinstance(n, np.integer):
            n = int(n)
        if isinstance(n, (bool, float)) or (isinstance(n, int) and n < 0):
            raise ParameterValueError(f"{name}: n is {n!r}; it must be a whole number, at least 0")
        super().__init__(n, *positional, **named)

    def _forbids_self(self, projection: Any) -> bool:
        return not self.allow_self_connections and projection.pre == projection.post

    def _rng_uniform_int_exclude(self, n: int, size: int, exclude: int) -> np.ndarray:
        # PyNN's version goes astray where a second redraw is needed.
        drawn: np.ndarray = self.rng.next(n, "uniform_int", {"low": 0, "high": size})
        while (again := np.flatnonzero(drawn == exclude)).size:
            drawn[again] = self.rng.next(again.size, "uniform_int", {"low": 0, "high": size})
        return drawn

    def _number(self) -> int:
        return int(self.n if isinstance(self.n, int) else self.n.next())


class FixedNumberPreConnector(_FixedNumber, pynn.FixedNumberPreConnector):
    __doc__ = pynn.FixedNumberPreConnector.__doc__

    def connect(self, projection: Any) -> None:
        n_pre, n_post = projection.shape
        exclude = self._forbids_self(projection)
        if exclude and n_pre == 1:
            raise ConnectError(f"Projection '{projection.label}': a single cell has no other to connect to")
        if self.with_replacement and not exclude and isinstance(self.n, int):
            space = self._parameters_from_synapse_type(projection)
            bounds = {"low": 0, "high": n_pre}
            pre = self.rng.next(self.n * n_post, "uniform_int", bounds) if self.n else np.zeros(0)
            self._finish(projection, pre.astype(np.int32), np.repeat(np.arange(n_post), self.n), space)
            return
        cells = np.arange(n_pre)

        def sources() -> Iterator[np.ndarray]:
            for column, n in enumerate(self._get_num_pre(n_post)):
                allowed = cells[cells != column] if exclude else cells
                yield _draw(self, int(n), allowed, n_pre, column if exclude else None)

        self._standard_connect(projection, sources)


class FixedNumberPostConnector(_FixedNumber, pynn.FixedNumberPostConnector):
    __doc__ = pynn.FixedNumberPostConnector.__doc__

    def connect(self, projection: Any) -> None:
        n_pre, n_post = projection.shape
        exclude = self._forbids_self(projection)
        if exclude and n_post == 1:
            raise ConnectError(f"Projection '{projection.label}': a single cell has no other to connect to")
        cells = np.arange(n_post)
        if self.with_replacement and not exclude and isinstance(self.n, int):
            bounds = {"low": 0, "high": n_post}
            drawn = self.rng.next(self.n * n_pre, "uniform_int", bounds) if self.n else np.zeros(0)
            pre, post = np.repeat(np.arange(n_pre), self.n), np.asarray(drawn, dtype=np.int64)
        else:
            targets = []
            for row in range(n_pre):
                n = self._number()
                allowed = cells[cells != row] if exclude else cells
                targets.append(_draw(self, n, allowed, n_post, row if exclude else None))
            pre = np.repeat(np.arange(n_pre), [len(each) for each in targets])
            post = np.concatenate(targets)
        space = self._parameters_from_synapse_type(projection)
        order = np.argsort(post, kind="stable")
        self._finish(projection, pre[order], post[order], space)


def _draw(connector: Any, n: int, allowed: np.ndarray, size: int, excluded: int | None) -> np.ndarray:
    """`n` cells of `allowed`, by PyNN's draws."""
    if n == 0:
        return allowed[:0]
    if connector.with_replacement:
        if excluded is not None:
            drawn = connector._rng_uniform_int_exclude(n, size, excluded)
        else:
            drawn = connector.rng.next(n, "uniform_int", {"low": 0, "high": size})
        return np.asarray(drawn, dtype=np.int64)
    sets = [allowed] * (n // len(allowed))
    rest = n % len(allowed)
    if rest:
        sets.append(connector.rng.permutation(allowed)[:rest])
    return np.concatenate(sets)


class FixedTotalNumberConnector(_FixedNumber, pynn.FixedTotalNumberConnector):
    """Makes exactly `n` synapses between pairs of cells chosen at random.

    The draws differ from those of PyNN's own class, which draws synapse by synapse: here all presynaptic cells
    are drawn at once, and then all postsynaptic ones.  ``with_replacement=False`` (at most one synapse a pair)
    and ``allow_self_connections=False`` hold here; PyNN's class ignores both.

    Arguments:
        `n`:
            a whole number, or a `RandomDistribution` that gives one.
        `allow_self_connections`:
            whether a cell may connect to itself, where it is on both sides.
        `with_replacement`:
            whether a pair of cells may have several synapses.
        `rng`:
            an :class:`RNG` instance that chooses the pairs.
    """

    def connect(self, projection: Any) -> None:
        n_pre, n_post = projection.shape
        n = self._number()
        forbidden = np.zeros(0, dtype=np.int64)
        if not self.allow_self_connections or self.allow_self_connections == "NoMutual":
            i, j = same_cells(projection)
            forbidden = np.sort(j.astype(np.int64) * n_pre + i)
        available = n_pre * n_post - len(forbidden)
        if n and (available == 0 or (not self.with_replacement and n > available)):
            raise ConnectError(
                f"Projection '{projection.label}': FixedTotalNumberConnector can't make {n} synapses, "
                f"as there are {available} pairs of cells"
                + ("" if self.with_replacement else " with at most one synapse each"),
                fix=f"ask for at most {available}, or set with_replacement=True",
            )
        if self.allow_self_connections == "NoMutual":
            raise UnsupportedError(
                "FixedTotalNumberConnector does not know allow_self_connections='NoMutual'"
            )
        space = self._parameters_from_synapse_type(projection)
        if self.with_replacement:
            keys = self._pairs(n, n_pre, n_post, forbidden)
        else:
            keys = self._distinct(n, available, n_pre, n_post, forbidden)
        keys = keys[np.argsort(keys // n_pre, kind="stable")] if n else keys
        self._finish(projection, keys % n_pre, keys // n_pre, space)

    def _pairs(self, n: int, n_pre: int, n_post: int, forbidden: np.ndarray) -> np.ndarray:
        """`n` pairs as numbers ``post * n_pre + pre``, none of them forbidden."""
        keys = np.zeros(n, dtype=np.int64)
        left = np.arange(n)
        while len(left):
            pre = self.rng.next(len(left), "uniform_int", {"low": 0, "high": n_pre})
            post = self.rng.next(len(left), "uniform_int", {"low": 0, "high": n_post})
            keys[left] = np.asarray(post, dtype=np.int64) * n_pre + np.asarray(pre, dtype=np.int64)
            left = left[np.isin(keys[left], forbidden)]
        return keys

    def _distinct(self, n: int, available: int, n_pre: int, n_post: int, forbidden: np.ndarray) -> np.ndarray:
        """`n` different pairs: drawn until there are enough, or all but as many as must be left out."""
        wanted = min(n, available - n)
        keys = np.zeros(0, dtype=np.int64)
        while len(keys) < wanted:
            keys = np.concatenate([keys, self._pairs(wanted - len(keys), n_pre, n_post, forbidden)])
            keys = keys[np.sort(np.unique(keys, return_index=True)[1])]
        if wanted == n:
            return keys
        everything = np.ones(n_pre * n_post, dtype=bool)
        everything[forbidden] = False
        everything[keys] = False
        return np.flatnonzero(everything)


class SmallWorldConnector(_Mapped, pynn.SmallWorldConnector):
    """Connects neighbours, and then moves some of the connections to cells anywhere.

    PyNN names this connector but does not implement it.  Here each presynaptic cell is connected to all
    postsynaptic cells nearer than `degree`, by the projection's ``space`` (on PyNN's default structure, a line with
    spacing 1, that is to the ``2 * degree - 1`` cells around its own place).  Then each connection is moved,
    with probability `rewiring`, to a cell drawn from those that the presynaptic cell was not yet connected to.

    Arguments:
        `degree`:
            the distance within which cells are connected, in the unit of the cells' positions.
        `rewiring`:
            the probability that a connection is moved.
        `allow_self_connections`:
            whether a cell may connect to itself, where it is on both sides.
        `n_connections`:
            if given, at most so many connections of each presynaptic cell are kept, chosen at random.
        `rng`:
            an :class:`RNG` instance that decides.
    """

    def __init__(self, degree: float, rewiring: float, *positional: Any, **named: Any) -> None:
        for name, value, high in (("degree", degree, np.inf), ("rewiring", rewiring, 1)):
            if not isinstance(value, (int, float, np.number)) or not 0 <= value <= high:
                limit = "at least 0" if high == np.inf else "0 to 1"
                raise ParameterValueError(f"SmallWorldConnector: {name} is {value!r}; it must be {limit}")
        super().__init__(degree, rewiring, *positional, **named)
        self.degree = float(degree)
        if self.allow_self_connections == "NoMutual":
            raise UnsupportedError("SmallWorldConnector does not know allow_self_connections='NoMutual'")

    def get_parameters(self) -> dict[str, Any]:
        names = ("allow_self_connections", "degree", "rewiring", "n_connections")
        return {name: getattr(self, name) for name in names}

    def connect(self, projection: Any) -> None:
        distances = self._generate_distance_map(projection)
        space = self._parameters_from_synapse_type(projection, distances)
        n_pre, n_post = projection.shape
        pre_ids, post_ids = projection.pre._ids, projection.post._ids
        cells = np.arange(n_post)
        targets = []
        for row in range(n_pre):
            allowed = np.ones(n_post, bool) if self.allow_self_connections else post_ids != pre_ids[row]
            near = (distances.base_value(row, cells) < self.degree) & allowed
            mine = np.flatnonzero(near)
            if len(mine):
                moved = np.flatnonzero(np.asarray(self.rng.next(len(mine))) < self.rewiring)
                free = np.flatnonzero(allowed & ~near)
                moved = moved[: len(free)]
                if len(moved):
                    mine[moved] = self.rng.permutation(free)[: len(moved)]
                if self.n_connections is not None and len(mine) > self.n_connections:
                    mine = self.rng.permutation(mine)[: self.n_connections]
            targets.append(mine)
        pre = np.repeat(np.arange(n_pre), [len(each) for each in targets])
        post = np.concatenate(targets)
        order = np.lexsort((pre, post))
        self._finish(projection, pre[order], post[order], space)


class CloneConnector(_Mapped, pynn.CloneConnector):
    __doc__ = pynn.CloneConnector.__doc__

    def connect(self, projection: Any) -> None:
        model = self.reference_projection
        if projection.pre != model.pre or projection.post != model.post:
            raise ConnectError(
                f"Projection '{projection.label}': it lies between '{projection.pre.label}' and "
                f"'{projection.post.label}', and the one to clone between '{model.pre.label}' and "
                f"'{model.post.label}'",
                why="a clone has the same cells on both sides",
            )
        space = self._parameters_from_synapse_type(projection)
        n_pre = projection.shape[0]
        keys = np.unique(model.post_index.astype(np.int64) * n_pre + model.pre_index)
        self._finish(projection, keys % n_pre, keys // n_pre, space)


class ArrayConnector(_Mapped, pynn.ArrayConnector):
    __doc__ = pynn.ArrayConnector.__doc__

    def connect(self, projection: Any) -> None:
        array = np.asarray(self.array)
        subject = f"Projection '{projection.label}': the array of ArrayConnector"
        if array.shape != projection.shape:
            raise ConnectError(
                f"{subject} has shape {array.shape}; it must be {projection.shape}, pre- by postsynaptic cells"
            )
        if array.dtype != bool:
            if not np.isin(array, (0, 1)).all():
                raise ConnectError(f"{subject} holds other values than True and False, or 1 and 0")
            array = array.astype(bool)
        space = self._parameters_from_synapse_type(projection)
        post, pre = np.nonzero(array.T)
        self._finish(projection, pre, post, space)
