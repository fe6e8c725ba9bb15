"""Setting up, running, resetting and ending, and PyNN's procedural calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyNN import common
from pyNN.recording import get_io

from neurodeploy.backends.base import Backend, Options, Report
from neurodeploy.errors import RequestError, did_you_mean
from neurodeploy.models.network import Network
from neurodeploy.models.pynn import simulator
from neurodeploy.models.pynn.connectors import FixedProbabilityConnector
from neurodeploy.models.pynn.populations import Population
from neurodeploy.models.pynn.projections import Projection
from neurodeploy.models.pynn.synapses import StaticSynapse

EXTRA = (
    "max_delay",
    "backend",
    "rules",
    "engine",
    "threads",
    "seed",
    "progress",
    "hardware",
    "host",
    "allow_losses",
)


def setup(timestep: float = 0.1, min_delay: Any = "auto", **extra: Any) -> int:
    """Begin a new, empty model; whatever ran before is ended.

    Parameters
    ----------
    timestep : float
        ms.
    min_delay : float or 'auto'
        Shortest delay that a synapse may have, ms; ``'auto'`` is one time step.
    max_delay : float or 'auto', optional
        Longest delay that a synapse may have, ms.
    backend : str or Backend, optional
        What runs the model: ``"brian2"`` (default), ``"spinnaker"``, ``"loihi"``.
    rules : str, optional
        Whose tick rules hold: ``"ideal"`` (default, PyNN's continuous meaning), ``"spinnaker"``, ``"loihi2"``; on the loihi
        backend the default is the machine's chip.
    engine : str, optional
        Which of the backend's engines.
    threads : int, optional
        0 (default) lets the backend choose.
    seed : int, optional
        Seeds what is drawn while the model runs (Poisson sources); 0 by default.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    hardware : str, optional
        The machine, for a backend that has several: a packaged name or the path of a YAML file.
    host : str, optional
        Address of the machine, instead of the one in its file.
    allow_losses : bool, optional
        Keep a run in which the machine lost something, or that has values which vanish on it; False by default.

    Returns
    -------
    int
        The rank of this process: 0.

    Raises
    ------
    RequestError
        A parameter is unknown or has a wrong value.
    """
    for name in extra:
        if name not in EXTRA:
            known = ["timestep", "min_delay", *EXTRA]
            similar = {"dt": "timestep", "time_step": "timestep", "mindelay": "min_delay"}
            hint = f" Did you mean '{similar[name]}'?" if name in similar else did_you_mean(name, known)
            raise RequestError(
                f"setup() has no parameter '{name}'.{hint}", fix=f"its parameters are {', '.join(known)}"
            )
    if not simulator.finite(timestep) or timestep <= 0:
        raise RequestError(f"setup(): timestep is {timestep} ms; it must be above 0")
    shortest = _delay("min_delay", min_delay)
    longest = _delay("max_delay", extra.get("max_delay", "auto"))
    if shortest is not None and shortest < timestep * (1 - simulator.GRID_TOLERANCE):
        raise RequestError(
            f"setup(): min_delay is {shortest:g} ms; it must be at least the time step, {timestep:g} ms"
        )
    if longest is not None and longest < (shortest or timestep):
        raise RequestError(
            f"setup(): max_delay is {longest:g} ms; it must be at least min_delay, {shortest or timestep:g} ms"
        )
    seed, threads, progress = extra.get("seed", 0), extra.get("threads", 0), extra.get("progress")
    for name, value in (("seed", seed), ("threads", threads)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestError(f"setup(): {name} is {value!r}; it must be a whole number, at least 0")
    if progress is not None and not callable(progress):
        raise RequestError(f"setup(): progress is {progress!r}; it must be a function (stage, done, total)")
    backend = _backend(extra.get("backend", "brian2"))
    options = Options(threads=threads, progress=progress)
    for name in ("hardware", "host"):
        value = extra.get(name)
        if value is not None and not isinstance(value, str):
            raise RequestError(f"setup(): {name} is {value!r}; it must be a string")
        backend.refuse_machine("setup(): ", **{name: value})
        setattr(options, name, value)
    losses = extra.get("allow_losses", False)
    if not isinstance(losses, bool):
        raise RequestError(f"setup(): allow_losses is {losses!r}; it must be True or False")
    options.allow_losses = losses
    for name in ("rules", "engine"):
        if extra.get(name) is not None:
            setattr(options, name, extra[name])
    if extra.get("rules") is None:
        options.rules = backend.default_rules(options) or options.rules

    state = simulator.state
    state.clear()
    state.dt = float(timestep)
    state.shortest_delay, state.longest_delay = shortest, longest
    state.seed, state.options, state.backend = seed, options, backend
    state.is_set_up = True
    return rank()


def _delay(name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, str) and value == "auto"):
        return None
    if not simulator.finite(value) or value <= 0:
        raise RequestError(f"setup(): {name} is {value!r}; it must be 'auto' or above 0 ms")
    return float(value)


def _backend(backend: Any) -> Backend:
    if isinstance(backend, Backend):
        return backend
    if not isinstance(backend, str):
        raise RequestError(f"setup(): backend is a {type(backend).__name__}; it must be a name or a Backend")
    from neurodeploy.backends import registry

    return registry.load(backend)


def end(compatible_output: bool = True) -> None:
    """End the simulation and write the files that ``record(to_file=...)`` asked for.

    What was recorded can still be read; the model can neither run nor change any more.
    """
    state = simulator.state
    try:
        for population, variables, filename in state.write_on_end:
            if not population.recorder.has_data:
                continue
            population.write_data(get_io(filename) if isinstance(filename, str) else filename, variables)
    finally:
        state.write_on_end = []
        state.end()


_run, _run_until = common.build_run(simulator)

Callbacks = Iterable[Callable[[float], float]]


def run_until(time_point: float, callbacks: Callbacks | None = None) -> float:
    """Advance to `time_point` (ms, a multiple of the time step), and return the present time.

    Each of `callbacks` is called with the present time, and returns the time of its next call.
    """
    state = simulator.state
    state.require_set_up("run")
    step = state.dt
    if not simulator.finite(time_point) or simulator.steps_of(time_point, step) is None:
        raise RequestError(
            f"A simulation can't run until {time_point} ms: that is no multiple of the time step, {step:g} ms",
            fix=f"run until {round(time_point / step) * step:g} ms"
            if simulator.finite(time_point)
            else "give a number of ms",
        )
    if time_point < state.t - step / 2:
        raise RequestError(
            f"A simulation can't run until {time_point:g} ms: it is already at {state.t:g} ms",
            fix="call reset() to start again from t = 0",
        )
    if not callbacks:
        state.run_until(time_point)
    else:
        state.advance(0)  # so that the callbacks find an open session
        _run_until(time_point, list(callbacks))
    return state.t


def run(simtime: float, callbacks: Callbacks | None = None) -> float:
    """Advance by `simtime` ms, a multiple of the time step, and return the present time.

    A second call goes on from where the first one stopped.  Each of `callbacks` is called with the present time,
    and returns the time of its next call.
    """
    state = simulator.state
    state.require_set_up("run")
    step = state.dt
    finite = simulator.finite(simtime)
    steps = simulator.steps_of(simtime, step) if finite else None
    if steps is None or steps < 0:
        fix = f"run for {max(0, round(simtime / step)) * step:g} ms" if finite else "give a number of ms"
        raise RequestError(
            f"A simulation can't run for {simtime} ms: the time must be a multiple of the time step, "
            f"{step:g} ms, and not negative",
            fix=fix,
        )
    return run_until(round((state.steps + steps) * step, 9), callbacks)


run_for = run

_reset = common.build_reset(simulator)


def reset(annotations: dict[str, Any] | None = None) -> None:
    """Go back to t = 0: states and weights as they were at the start, parameters as they are now.

    Recorded data stay, as a Segment of their own with `annotations`.  The model may be changed again.
    """
    simulator.state.require_set_up("reset")
    if simulator.state.ended:
        raise RequestError("The simulation has ended and can't be reset", fix="call setup() for a new model")
    _reset(dict(annotations or {}))


initialize = common.initialize

get_current_time, get_time_step, get_min_delay, get_max_delay, num_processes, rank = (
    common.build_state_queries(simulator)
)


def capture() -> Network:
    """The present model as a Network, without running it."""
    from neurodeploy.models.pynn.build import build

    simulator.state.require_set_up("capture")
    return build(simulator.state)[0]


def get_report() -> Report | None:
    """What the backend did to the model and what it cost; None before the first run."""
    state = simulator.state
    return state.session.report if state.session is not None else state.last_report


create = common.build_create(Population)

connect = common.build_connect(Projection, FixedProbabilityConnector, StaticSynapse)

record = common.build_record(simulator)


def record_v(source: Any, filename: Any) -> None:
    """Record the membrane potential of `source`, and write it to `filename` at the end."""
    record(["v"], source, filename)


def record_gsyn(source: Any, filename: Any) -> None:
    """Record the synaptic conductances of `source`, and write them to `filename` at the end."""
    record(["gsyn_exc", "gsyn_inh"], source, filename)
