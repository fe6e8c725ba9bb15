"""What was recorded, as Neo objects with units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList
from pyNN import recording
from pyNN.recording import Variable

from neurodeploy.errors import RequestError, UnsupportedError, did_you_mean
from neurodeploy.models.pynn import simulator
from neurodeploy.models.pynn.errors import RecordError

_merging = False


@contextmanager
def merging() -> Iterator[None]:
    """Inside, spike trains come one by one, and a variable that one population lacks is left out.

    An Assembly puts the data of its populations together; Neo merges lists of spike trains rightly only where
    they aren't multiplexed.
    """
    global _merging
    _merging = True
    try:
        yield
    finally:
        _merging = False


@dataclass(eq=False)
class Episode:
    """One population's data from ``t_start`` to ``t_stop`` (ms), before any filter.

    Attributes
    ----------
    spikes : (times in ms, neuron numbers) or None
    signals : dict of variable to (time of the first sample in ms, samples of shape (n_samples, n_neurons))
    neurons : dict of variable to the recorded neuron numbers, sorted
    """

    number: int
    t_start: float
    t_stop: float
    interval: float
    neurons: dict[str, np.ndarray]
    spikes: tuple[np.ndarray, np.ndarray] | None = None
    signals: dict[str, tuple[float, np.ndarray]] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)
    when: datetime = field(default_factory=datetime.now)


def _variable(name: str) -> Variable:
    return Variable(name=name, location=None, label=None)


class Recorder(recording.Recorder):
    """Keeps what is to be recorded of one population, and reads it from the session."""

    _simulator = simulator

    def __init__(self, population: Any, file: Any = None) -> None:
        super().__init__(population, file)
        self._opened: dict[str, np.ndarray] = {}
        self._cleared_spikes = 0
        self._cleared_at = 0

    # --- what to record ------------------------------------------------------

    def record(
        self, variables: Any, ids: Any, sampling_interval: float | None = None, locations: Any = None
    ) -> None:
        """Add the cells `ids` to those of which `variables` are recorded."""
        population = self.population
        known = list(population.celltype.recordable)
        if locations is not None:
            raise UnsupportedError("Cells have no parts to record from", fix="leave locations out")
        if isinstance(variables, str):
            variables = known if variables == "all" else [variables]
        variables = list(variables) if np.iterable(variables) else [variables]
        for variable in variables:
            if variable not in known:
                raise RecordError(
                    f"'{variable}' of population '{population.label}' can't be recorded."
                    f"{did_you_mean(str(variable), known)}",
                    fix=f"from {population.celltype.__class__.__name__} one can record {', '.join(known)}",
                )
        interval = self._checked_interval(sampling_interval, variables)
        new = {variable: set(ids) | self.recorded[_variable(variable)] for variable in variables}
        if simulator.state.session is not None or simulator.state.ended:
            for variable, wanted in new.items():
                numbers = self._numbers(wanted)
                if not np.isin(numbers, self._opened.get(variable, [])).all():
                    raise RequestError(
                        f"'{variable}' of population '{population.label}' can't be recorded from "
                        f"t = {simulator.state.t:g} ms on",
                        why="what is recorded is fixed at the first run",
                        fix="call record() before run(), or reset() first",
                    )
        self.sampling_interval = interval
        for variable, wanted in new.items():
            self.recorded[_variable(variable)] = wanted

    def _checked_interval(self, interval: float | None, variables: list[str]) -> float:
        present = float(self.sampling_interval)
        if interval is None:
            return present
        label, step = self.population.label, simulator.state.dt
        steps = simulator.steps_of(interval, step) if simulator.finite(interval) else None
        if not steps or steps < 1:
            raise RecordError(
                f"Population '{label}': the sampling interval is {interval} ms; "
                f"it must be a multiple of the time step, {step:g} ms",
                fix=f"use {max(1, round(interval / step)) * step:g} ms"
                if simulator.finite(interval)
                else "use a number",
            )
        if variables == ["spikes"]:
            return present
        others = [variable.name for variable, cells in self.recorded.items() if cells]
        if abs(interval - present) > 1e-9 and set(others) - {"spikes"}:
            raise RecordError(
                f"Population '{label}': the sampling interval is {interval:g} ms here and {present:g} ms before",
                why="all cells of a population are recorded with the same sampling interval",
                fix=f"use {present:g} ms, or two populations",
            )
        return float(interval)

    def _reset(self) -> None:
        """``record(None)``: record nothing more."""
        self.sampling_interval = simulator.state.dt

    def _numbers(self, ids: Any) -> np.ndarray:
        numbers = np.fromiter((int(each) for each in ids), dtype=np.int64, count=len(ids))
        return np.sort(numbers) - int(self.population.first_id)

    def recorded_neurons(self) -> dict[str, np.ndarray]:
        """The recorded neuron numbers, by variable, in the cell type's order of variables."""
        return {
            variable: self._numbers(self.recorded[_variable(variable)]).astype(np.int32)
            for variable in self.population.celltype.recordable
            if self.recorded.get(_variable(variable))
        }

    def opened(self) -> None:
        """The session has been opened: it records what was asked for up to now."""
        self._opened = self.recorded_neurons()
        self._cleared_spikes = 0
        self._cleared_at = 0
        self.clear_flag = False
        self._recording_start_time = 0.0 * pq.ms

    # --- reading -------------------------------------------------------------

    @property
    def has_data(self) -> bool:
        """Whether the simulation has run, so that there is something to read."""
        return bool(simulator.state.running or list(self.cache))

    def _present(self, wanted: Any = "all") -> Episode:
        """What the session has recorded since the start, or since the data were last cleared."""
        state = simulator.state
        position = state.position(self.population)
        step, interval = state.dt, float(self.sampling_interval)
        neurons = self.recorded_neurons()
        neurons = {variable: numbers for variable, numbers in neurons.items() if variable in self._opened}
        t_start = round(self._cleared_at * step, 9)
        episode = Episode(state.segment_counter, t_start, state.t, interval, neurons)
        if state.session is None:
            return episode
        for variable in neurons:
            if wanted != "all" and variable not in wanted:
                continue
            if variable == "spikes":
                times, numbers = state.session.spikes(position)
                episode.spikes = (times[self._cleared_spikes :], numbers[self._cleared_spikes :])
            else:
                # The sample taken when the data were cleared ends the old signal and begins the new one.
                first = self._cleared_at // max(1, round(interval / step))
                samples = np.asarray(state.session.samples(position, variable))
                columns = np.searchsorted(self._opened[variable], neurons[variable])
                samples = samples[first:]
                if len(columns) != samples.shape[1]:
                    samples = samples[:, columns]
                episode.signals[variable] = (round(first * interval, 9), samples)
        return episode

    def _segment(self, episode: Episode, filter_ids: Any, wanted: Any) -> neo.Segment:
        segment = neo.Segment(
            name=f"segment{episode.number:03d}",
            description=self.population.describe(),
            rec_datetime=episode.when,
            **episode.annotations,
        )
        population = self.population
        first_id = int(population.first_id)
        chosen = None if filter_ids is None else self._numbers(filter_ids)
        for variable, recorded in episode.neurons.items():
            if wanted != "all" and variable not in wanted:
                continue
            keep = np.ones(len(recorded), bool) if chosen is None else np.isin(recorded, chosen)
            neurons = recorded[keep]
            if variable == "spikes" and episode.spikes is not None:
                segment.spiketrains = self._spike_trains(episode, neurons, first_id)
                segment.spiketrains.segment = segment
                for train in segment.spiketrains if _merging else ():
                    train.segment = segment
            elif variable in episode.signals and neurons.size:
                start, samples = episode.signals[variable]
                signal = neo.AnalogSignal(
                    samples if keep.all() else samples[:, keep],
                    units=population.celltype.units[variable],
                    t_start=start * pq.ms,
                    sampling_period=episode.interval * pq.ms,
                    name=variable,
                    channel_ids=neurons + first_id,
                    source_population=population.label,
                    array_annotations={"channel_index": neurons.astype(int)},
                )
                segment.analogsignals.append(signal)
                signal.segment = segment
        return segment

    def _spike_trains(self, episode: Episode, neurons: np.ndarray, first_id: int) -> SpikeTrainList:
        assert episode.spikes is not None
        times, numbers = (np.asarray(array) for array in episode.spikes)
        mine = np.zeros(self.population.size, dtype=bool)
        mine[neurons] = True
        inside = mine[numbers] if len(numbers) else np.zeros(0, dtype=bool)
        times, numbers = times[inside].astype(float), numbers[inside].astype(np.int64)
        span = {"t_start": episode.t_start * pq.ms, "t_stop": episode.t_stop * pq.ms}
        label = self.population.label
        if not _merging and neurons.size:
            return SpikeTrainList.from_spike_time_array(
                times * pq.ms,
                numbers + first_id,
                neurons.astype(int) + first_id,
                units="ms",
                source_population=label,
                source_index=neurons.astype(int),
                **span,
            )
        order = np.argsort(numbers, kind="stable")
        bounds = np.searchsorted(numbers[order], neurons)
        ends = np.searchsorted(numbers[order], neurons, side="right")
        return SpikeTrainList(
            items=[
                neo.SpikeTrain(
                    times[order[begin:end]],
                    units="ms",
                    source_population=label,
                    channel_id=int(neuron) + first_id,
                    source_index=int(neuron),
                    **span,
                )
                for neuron, begin, end in zip(neurons, bounds, ends, strict=False)
            ]
        )

    def get(
        self,
        variables: Any,
        gather: bool = False,
        filter_ids: Any = None,
        clear: bool = False,
        annotations: Any = None,
        locations: Any = None,
    ) -> neo.Block:
        """The recorded data as a Neo Block, with one Segment between two resets."""
        population, state = self.population, simulator.state
        state.position(population)
        if isinstance(variables, str) and variables != "all":
            variables = [variables]
        wanted = variables if variables == "all" else list(variables)
        episodes: list[Episode] = list(self.cache)
        if state.running:
            episodes.append(self._present(wanted))
        if not episodes:
            raise RecordError(
                f"There are no data of population '{population.label}' yet",
                fix="call run() before get_data() or write_data()",
            )
        recorded = {variable for episode in episodes for variable in episode.neurons}
        recorded |= set(self.recorded_neurons())
        for variable in wanted if wanted != "all" and not _merging else ():
            if variable not in recorded:
                raise RecordError(
                    f"'{variable}' of population '{population.label}' was not recorded."
                    f"{did_you_mean(variable, recorded)}",
                    fix=f"call record('{variable}') on it before run()",
                )
        block = neo.Block(name=population.label, description=population.describe())
        block.segments = [self._segment(episode, filter_ids, wanted) for episode in episodes]
        for segment in block.segments:
            segment.block = block
        block.rec_datetime = block.segments[0].rec_datetime
        block.annotate(**self.metadata)
        if annotations:
            block.annotate(**annotations)
        if clear:
            self.clear()
        return block

    def clear(self) -> None:
        """Forget all data up to now."""
        self.cache.clear()
        self.clear_flag = True
        state = simulator.state
        self._cleared_at = state.steps
        self._recording_start_time = state.t * pq.ms
        if state.session is not None and "spikes" in self._opened:
            self._cleared_spikes = len(state.session.spikes(state.position(self.population))[0])

    def count(self, variable: str, gather: bool = True, filter_ids: Any = None) -> dict[int, int]:
        """The number of spikes of each recorded cell, by its id, since the start or the last clearing."""
        if variable != "spikes":
            raise RecordError("Only spikes can be counted")
        recorded = self.recorded_neurons().get("spikes", np.zeros(0, int))
        if filter_ids is not None:
            recorded = recorded[np.isin(recorded, self._numbers(filter_ids))]
        counts = np.zeros(self.population.size, dtype=int)
        if simulator.state.running:
            spikes = self._present(["spikes"]).spikes
            if spikes is not None:
                counts = np.bincount(spikes[1], minlength=self.population.size)
        first_id = int(self.population.first_id)
        return {int(neuron) + first_id: int(counts[neuron]) for neuron in recorded}

    def store_to_cache(self, annotations: Any = None) -> None:
        """Keep the data up to now: the simulation is about to be reset."""
        if simulator.state.running and simulator.state.steps > self._cleared_at:
            episode = self._present()
            episode.annotations = dict(annotations or {})
            self.cache._data.append(episode)
        self._cleared_at = 0
        self._cleared_spikes = 0
        self.clear_flag = False
        self._recording_start_time = 0.0 * pq.ms

    def reset(self) -> None:
        """``record(None)``: record nothing more."""
        self._reset()
        self.recorded: dict[Any, set[Any]] = defaultdict(set)


class WeightRecorder:
    """Records the weights of a projection every `sampling_interval` ms: a callback for ``run()``.

    Parameters
    ----------
    sampling_interval : float
        ms.
    projection : Projection

    Examples
    --------
    >>> recorder = WeightRecorder(sampling_interval=10.0, projection=connections)  # doctest: +SKIP
    >>> run(1000.0, callbacks=[recorder])  # doctest: +SKIP
    >>> recorder.get_weights()  # doctest: +SKIP
    """

    def __init__(self, sampling_interval: float, projection: Any) -> None:
        step = simulator.state.dt
        steps = simulator.steps_of(sampling_interval, step) if simulator.finite(sampling_interval) else None
        if not steps or steps < 1:
            raise RecordError(
                f"WeightRecorder of '{projection.label}': the sampling interval is {sampling_interval} ms; "
                f"it must be a multiple of the time step, {step:g} ms"
            )
        self.interval = float(sampling_interval)
        self.projection = projection
        self._start: float | None = None
        self._weights: list[np.ndarray] = []

    def __call__(self, t: float) -> float:
        if self._start is None:
            self._start = float(t)
        position = round((t - self._start) / self.interval)
        if position == len(self._weights):  # a second run() begins where the first one has sampled
            self._weights.append(np.array(self.projection._present_weight()))
        return self._start + (position + 1) * self.interval

    def get_weights(self) -> neo.AnalogSignal:
        """The weights: one row a sample, one column a synapse, in the projection's order."""
        count = len(self.projection)
        values = np.array(self._weights, dtype=float).reshape(len(self._weights), count)
        return neo.AnalogSignal(
            values,
            units=self.projection.weight_unit,
            t_start=(self._start or 0.0) * pq.ms,
            sampling_period=self.interval * pq.ms,
            name="weight",
            array_annotations={"channel_index": np.arange(count)},
        )
