"""A Network that is executed as a LoihiProgram, read and changed in PyNN's units, whatever executes it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from neurodeploy.backends.base import Options, Session
from neurodeploy.backends.loihi.changing import mantissas, membranes, registers, rounding, units_per_mantissa
from neurodeploy.backends.loihi.discretise import Membrane
from neurodeploy.backends.loihi.inputs import array_source, poisson_source, say_coinciding
from neurodeploy.backends.loihi.overflow import changed_program, refuse_overflow
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram
from neurodeploy.chips.loihi import LoihiChip
from neurodeploy.errors import RequestError, UnsupportedError
from neurodeploy.models.network import Injection, Network

CURRENTS = {"isyn_exc": 0, "isyn_inh": 1}
"""Row of ``u`` that a variable is."""


class ProgramSession(Session):
    """What all executors of a Program share; see :class:`neurodeploy.backends.base.Session`.

    An executor knows whole numbers alone: groups, synapses and entries of ``recorded`` by their position in the Program.

    Attributes
    ----------
    network, options, chip, program
    step : int
        Steps executed so far.
    """

    network: Network
    options: Options
    chip: LoihiChip
    program: LoihiProgram
    step: int
    _membranes: list[Membrane | None]

    # ------------------------------------------------------------------------- executor

    @abstractmethod
    def _spikes(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neurons of all recorded spikes so far."""

    @abstractmethod
    def _samples(self, recorded: int) -> np.ndarray:
        """Samples before every step and after the last one."""

    @abstractmethod
    def _state(self, group: int, name: str) -> np.ndarray:
        """The present ``"u"``, shape (currents, size), or ``"v"``."""

    @abstractmethod
    def _mantissa(self, synapses: int) -> np.ndarray:
        """Present mantissas."""

    @abstractmethod
    def _change(self, kind: str, position: int, name: str, value: Any) -> None:
        """Replace ``"values"`` `name` of a group, its ``"spikes"`` (steps, neurons), or the ``"mantissa"`` of synapses."""

    # --------------------------------------------------------------------------- inputs

    def _draw(self, begin: int, end: int) -> None:
        """Hand over the Poisson spikes of steps `begin` to `end`."""
        for position, population in enumerate(self.network.populations):
            if population.cell == "SpikeSourcePoisson":
                drawn = poisson_source(self.network, position, begin, end)
                self._change("spikes", position, "", (drawn.steps, drawn.neurons))

    # -------------------------------------------------------------------------- reading

    def spikes(self, population: int) -> tuple[np.ndarray, np.ndarray]:
        if not any(r.population == population and r.variable == "spikes" for r in self.network.recorded):
            return np.empty(0), np.empty(0, dtype=np.int32)
        steps, neurons = self._spikes(population)
        return steps * self.network.time_step, neurons.astype(np.int32)

    def samples(self, population: int, variable: str) -> np.ndarray:
        number = next(
            k
            for k, (group, name, _) in enumerate(self.program.recorded)
            if (group, name) == (population, variable)
        )
        recorded = next(
            r for r in self.network.recorded if (r.population, r.variable) == (population, variable)
        )
        neurons = self.program.recorded[number][2]
        every = round(recorded.sampling_interval / self.network.time_step)
        return self._in_units(population, variable, self._samples(number)[::every], neurons)

    def state(self, population: int, variable: str) -> np.ndarray:
        size = self.network.populations[population].size
        values = self._state(population, self._register(population, variable))
        if variable in CURRENTS:
            values = values[min(CURRENTS[variable], len(values) - 1)]
        return self._in_units(population, variable, values, np.arange(size))

    def _register(self, population: int, variable: str) -> str:
        cells = self.network.populations[population]
        group = self.program.groups[population]
        known = ["v"] if isinstance(group, Compartments) else []
        known += list(CURRENTS) if isinstance(group, Compartments) and len(group.du) == 2 else []
        if variable not in known:
            raise UnsupportedError(
                f"Population '{cells.label}': {variable} is not to be had on Loihi",
                why="its neurons have one current for both receptors"
                if variable in CURRENTS and known
                else "",
                fix=(
                    f"record {variable} before the first run, which gives it a current of its own, or use one of:"
                    f" {', '.join(known)}"
                    if known
                    else "read its spikes"
                ),
            )
        return "u" if variable in CURRENTS else "v"

    def _in_units(
        self, population: int, variable: str, values: np.ndarray, neurons: np.ndarray
    ) -> np.ndarray:
        units = self.program.units[population]
        assert units is not None
        if variable == "v":
            return np.asarray(units.v_zero[neurons] + values / units.v_scale[neurons])
        return np.asarray(values / units.i_scale[neurons])

    def weights(self, projection: int) -> np.ndarray:
        mine = self.network.projections[projection]
        weight = np.array(mine.weight, dtype=float)
        membrane, units = self._membranes[mine.post], self.program.units[mine.post]
        for k, part in enumerate(self.program.synapses):
            if part.projection == projection and membrane is not None and units is not None:
                step = units_per_mantissa(self.network, part, membrane, float(units.i_scale[0]))
                weight[part.members] = self._mantissa(k) * step
        return weight

    # ------------------------------------------------------------------------- changing

    def set_parameters(self, population: int, parameters: dict[str, np.ndarray]) -> None:
        changed = self.network.populations[population]
        before = changed.parameters
        changed.parameters = parameters
        try:
            if changed.is_source:
                refuse_overflow(self.network, self.program)
                coinciding: list[str] = []
                say_coinciding(self.network, population, coinciding)
                self._say(coinciding)
            else:
                self._load_registers(population)
        except RequestError:
            changed.parameters = before
            raise

    def _load_registers(self, population: int) -> None:
        """Bring a population's registers in line with its parameters; v and the currents keep their values in PyNN's units."""
        fresh = registers(self.network, population, self.program)
        refuse_overflow(
            self.network, changed_program(self.program, fresh.mantissas, {population: fresh.values})
        )
        present, units = self.program.groups[population], self.program.units[population]
        assert isinstance(present, Compartments) and units is not None
        if not np.array_equal(units.v_scale, fresh.units.v_scale) or not np.array_equal(
            units.v_zero, fresh.units.v_zero
        ):
            voltage = self.state(population, "v")
            v = np.rint((voltage - fresh.units.v_zero) * fresh.units.v_scale)
            self._change("values", population, "v", self._within(population, "v", v))
        for name, values in fresh.values.items():
            if not np.array_equal(values, getattr(present, name)):
                setattr(present, name, values)
                self._change("values", population, name, values)
        for k, mantissa in fresh.mantissas:
            if not np.array_equal(mantissa, self.program.synapses[k].mantissa):
                self.program.synapses[k].mantissa = mantissa
                self._change("mantissa", k, "", mantissa)
        self._say(fresh.changes)
        self.program.units[population] = fresh.units
        self._membranes = membranes(self.network, self.chip)

    def _say(self, changes: list[str]) -> None:
        """Add to the report's changes what it does not say yet."""
        self.report.changes += [change for change in changes if change not in self.report.changes]

    def set_state(self, population: int, variable: str, values: np.ndarray) -> None:
        register, units = self._register(population, variable), self.program.units[population]
        assert units is not None
        self.network.populations[population].initial_values[variable] = values
        if variable == "v":
            wanted = np.rint((np.asarray(values, dtype=float) - units.v_zero) * units.v_scale)
            self._change("values", population, "v", self._within(population, "v", wanted))
            return
        u = self._state(population, register).copy()
        u[CURRENTS[variable]] = self._within(population, variable, np.rint(values * units.i_scale))
        self._change("values", population, "u", u)

    def _within(self, population: int, variable: str, values: np.ndarray) -> np.ndarray:
        """`values` as integers; raises where one does not fit the chip's 24 bits."""
        over = np.flatnonzero(~(np.abs(values) <= self.chip.largest_state))
        if over.size:
            raise RequestError(
                f"Population '{self.network.populations[population].label}': {variable} of neuron {over[0]} would be"
                f" {values[over[0]]:,.0f} of the chip's units; it has {self.chip.largest_state:,} at most",
                why="the scale is chosen so that thresholds and weights use their bits",
                fix="set a value nearer to the threshold",
            )
        return values.astype(np.int64)

    def set_spike_times(self, population: int, spike_times: list[np.ndarray]) -> None:
        changed = self.network.populations[population]
        before, changed.spike_times = changed.spike_times, spike_times
        try:
            refuse_overflow(self.network, self.program)
        except RequestError:
            changed.spike_times = before
            raise
        source = array_source(self.network, population, self.report.changes)
        ahead = source.steps >= self.step
        self._change("spikes", population, "", (source.steps[ahead], source.neurons[ahead]))

    def set_weights(self, projection: int, weight: np.ndarray) -> None:
        changed = self.network.projections[projection]
        before, changed.weight = changed.weight, weight
        try:
            found = mantissas(self.network, projection, self.program)
            refuse_overflow(self.network, changed_program(self.program, found))
        except RequestError:
            changed.weight = before
            raise
        for k, mantissa in found:
            self.program.synapses[k].mantissa = mantissa
            self._change("mantissa", k, "", mantissa)
        rounded = rounding(self.network, projection, self.program, found)
        self._say([rounded] if rounded else [])

    def set_delays(self, projection: int, delay: np.ndarray) -> None:
        raise UnsupportedError(
            f"Projection '{self.network.projections[projection].label}': its delays can't be changed on Loihi once a run has"
            " begun",
            why="they are part of what is compiled, relays included",
            fix="set the delays before the first run, call reset() first, or use the ideal or the spinnaker rules",
        )

    def set_injections(self, injections: list[Injection]) -> None:
        before = self.network.injections
        concerned = sorted({injection.population for injection in (*before, *injections)})
        self.network.injections = [self._from_now_on(injection) for injection in injections]
        try:
            for population in concerned:
                self._load_registers(population)
        except RequestError:
            self.network.injections = before
            for population in concerned:
                self._load_registers(population)
            raise

    def _from_now_on(self, injection: Injection) -> Injection:
        """A current as it is from the present on: what was before is over."""
        now = self.step * self.network.time_step
        over = int(np.searchsorted(injection.times, now, side="right")) - 1
        if over < 0:
            return injection
        times = np.concatenate([[0.0], injection.times[over + 1 :]])
        return Injection(injection.population, injection.neurons, times, injection.amplitudes[over:])
