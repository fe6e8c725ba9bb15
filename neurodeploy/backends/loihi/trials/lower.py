"""From a Network to the whole numbers of its trials on Loihi.

The populations that are simulated share one process, in their order; the first population is played.  Everything a user's number
became is said in :attr:`Lowered.changes`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from neurodeploy.backends.brian2.trials.lower import lower as lower_for_trials
from neurodeploy.backends.brian2.trials.lower import mirrored, rate_row
from neurodeploy.backends.loihi.trials.program import (
    FRACTION_BITS,
    SENT_HIGH,
    Connection,
    ThirdFactor,
    TrialProgram,
)
from neurodeploy.chips import nalsm
from neurodeploy.chips.loihi import LOIHI2
from neurodeploy.chips.loihi_arithmetic import (
    CURRENT_DECAY_OFFSET,
    nearest_bias,
    nearest_decay,
    threshold_at_or_below,
)
from neurodeploy.chips.loihi_learning import WEIGHT_HIGH
from neurodeploy.chips.loihi_three_factor import Scale, scale, third_factor_bound, weight_products
from neurodeploy.errors import UnsupportedError
from neurodeploy.models.modulation import Modulator
from neurodeploy.models.network import Network, Projection

TRACE_SEED = 1
"""Of the numbers that round traces, one more for each connection (Lava takes four from each)."""

SEEDS_A_CONNECTION = 4


@dataclass
class Exact:
    """The same network without any rounding, in the same units.

    Attributes
    ----------
    leak, keep_current : float
        dt/tau_m, and what a step leaves of a current.
    threshold : float
        In units of v.
    trace_decay : float
    third_leak, third_resting, third_initial : float
        Of the third factor, in units of y3; the leak is dt/tau.
    driven_gains, gains : ndarray
        What a spike adds to the third factor in a step, in the same units.
    """

    leak: float
    keep_current: float
    threshold: float
    trace_decay: float
    third_leak: float
    third_resting: float
    third_initial: float
    driven_gains: np.ndarray
    gains: np.ndarray


@dataclass
class Lowered:
    """A program, what of it was rounded, and what its numbers stand for.

    Attributes
    ----------
    program : TrialProgram
    exact : Exact
    scale : Scale
    unit : float
        What 1 of a weight stands for.
    places : list of (int, ndarray, ndarray)
        For each projection its connection, and the rows and columns of its synapses there.
    changes : list of str
    """

    program: TrialProgram
    exact: Exact
    scale: Scale
    unit: float
    places: list[tuple[int, np.ndarray, np.ndarray]]
    changes: list[str]


def lower(network: Network, steps: int) -> Lowered:
    """Lower `network` to trials of `steps`.

    Raises
    ------
    RequestError, UnsupportedError
        What trials do not know on any target; more than one modulator; rules that differ in amplitude or bounds, or modulators
        in what they scale; synapses that do not learn, or onto the population that is played.
    """
    lower_for_trials(network, plastic=True)  # refuses what no trials know
    played = network.populations[0].size
    sizes = [population.size for population in network.populations[1:]]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    for projection in network.projections:
        refuse(projection)
    cells = one_cell(network)
    refractory = int(cells["refractory_steps"])
    w_max, constant, scaled, tau = amplitudes(network)
    unit = w_max / WEIGHT_HIGH
    decay = float(np.exp(-network.time_step / tau))
    modulator = network.modulators[0] if network.modulators else None
    largest, leak, driven_gains, gains = third_of(network, modulator, starts, steps, refractory + 1)
    chosen = scale(constant, scaled, w_max, decay, refractory + 1, largest)

    start_off = max(
        float(np.abs(np.rint(p.weight / unit) - p.weight / unit).max(initial=0)) for p in network.projections
    )
    connections, places = connect(network, starts, chosen, unit, tau / network.time_step)
    keep = float(cells["decay"])
    exponent = weight_exponent(connections, keep, float(cells["leak"]), refractory + 1)
    per_unit = float(1 << (LOIHI2.weight_shift + exponent))
    span = float(cells["v_thresh"] - cells["v_reset"]) / float(cells["step_over_cm"])
    threshold = span / unit * per_unit
    du = int(nearest_decay(1 - keep, 1)) - CURRENT_DECAY_OFFSET
    dv = int(nearest_decay(float(cells["leak"])))
    third, third_said = whole_third(modulator, leak, driven_gains, gains, chosen)
    program = TrialProgram(
        steps=steps,
        played=played,
        size=int(starts[-1]),
        du=du,
        dv=dv,
        vth=int(threshold_at_or_below(threshold)),
        refractory=refractory,
        weight_exponent=exponent,
        trace_impulse=chosen.impulse,
        trace_decay=int(nearest_decay(1 - decay)),
        connections=connections,
        third=third,
    )
    refuse_threshold(program.vth)
    exact = Exact(
        leak=float(cells["leak"]),
        keep_current=keep,
        threshold=threshold,
        trace_decay=decay,
        third_leak=leak,
        third_resting=modulator.resting / chosen.third_unit if modulator else 0.0,
        third_initial=modulator.initial / chosen.third_unit if modulator else 0.0,
        driven_gains=driven_gains * leak / chosen.third_unit,
        gains=gains * leak / chosen.third_unit,
    )
    said = [
        f"a unit of the weight is w_max/{WEIGHT_HIGH} = {unit:.4g}; a trace's impulse is {chosen.impulse}; every change of a"
        f" weight is {chosen.got:.4f} of what was asked for",
        *(f"'{c.label}': dw = {text(c.products)}, {c.sign_mode} weights" for c in connections),
        f"currents keep {1 - (du + CURRENT_DECAY_OFFSET) / LOIHI2.decay_unity:.5f} for {keep:.5f} a step, voltages"
        f" {1 - dv / LOIHI2.decay_unity:.5f} for {1 - float(cells['leak']):.5f}, post traces"
        f" {1 - program.trace_decay / LOIHI2.decay_unity:.5f} for {decay:.5f}",
        f"the threshold is {program.vth * 64 / threshold:.5f} of what was asked for",
        f"weights at first are up to {start_off:.3g} units off",
        "synapses add up, also where a source has spiked lately; a weight that changes does not move a current under way",
        *third_said,
    ]
    return Lowered(program, exact, chosen, unit, places, said)


def refuse(projection: Projection) -> None:
    """Raise for a projection that these trials can't have."""
    start = f"Projection '{projection.label}': "
    rule = projection.plasticity
    if projection.post == 0:
        raise UnsupportedError(
            f"{start}synapses onto the population that is played",
            why="its spikes are given, so that nothing can change them",
            fix="leave them out",
        )
    if rule is None or projection.gate is not None:
        raise UnsupportedError(
            f"{start}{'learning behind a gate of activity' if rule else 'synapses that do not learn'}",
            why="on Loihi trials know synapses that learn, by pairs of spikes and one third factor",
            fix="use the brian2 backend",
        )
    bounds = (rule.w_min, rule.w_max)
    outside = (projection.weight < rule.w_min) | (projection.weight > rule.w_max)
    if outside.any():
        raise UnsupportedError(
            f"{start}weight {projection.weight[outside][0]:g} is outside its bounds, {rule.w_min:g} to {rule.w_max:g}",
            why="a learning synapse of the chip can't hold it",
            fix="start from weights within the bounds",
        )
    if sign_mode(*bounds) is None:
        raise UnsupportedError(
            f"{start}weights from {rule.w_min:g} to {rule.w_max:g}",
            why=f"the learning engine's weights go from 0 to {WEIGHT_HIGH}, from -{WEIGHT_HIGH} to 0, or from end to end",
            fix="use such bounds",
        )


def sign_mode(low: float, high: float) -> str | None:
    """Lava's name for bounds of weights."""
    modes = {
        "excitatory": low == 0 < high,
        "inhibitory": low < 0 == high,
        "mixed": low == -high < 0,
    }
    return next((name for name, fits in modes.items() if fits), None)


def one_cell(network: Network) -> dict[str, float]:
    """The coefficients that all simulated neurons share."""
    found: dict[str, set[float]] = {}
    for population in network.populations[1:]:
        for name, value in nalsm.coefficients(population.parameters, network.time_step).items():
            found.setdefault(name, set()).update(np.atleast_1d(value).tolist())
    for name, values in found.items():
        if len(values) > 1:
            raise UnsupportedError(
                f"Neurons with {len(values)} values of {name}",
                why="on Loihi the neurons of trials are all alike",
                fix="give all of them the same parameters",
            )
    cells = {name: values.pop() for name, values in found.items()}
    if cells["v_rest"] != cells["v_reset"]:
        raise UnsupportedError(
            f"v_rest {cells['v_rest']:g} and v_reset {cells['v_reset']:g} mV differ",
            why="a Loihi neuron rests where it is reset to",
            fix="use one value for both",
        )
    return cells


def amplitudes(network: Network) -> tuple[float, float, float, float]:
    """w_max, the constant amplitude, the scaled one, and the time constant that all rules share."""
    bounds, constants, scaleds, taus = set(), set(), set(), set()
    for projection in network.projections:
        rule = projection.plasticity
        assert rule is not None
        row = np.abs(rate_row(projection))
        bounds.add(max(-rule.w_min, rule.w_max))
        constants |= {float(row[0]), float(row[2])} - {0.0}
        scaleds |= {float(row[1]), float(row[3])} - {0.0}
        taus.add(rule.tau_plus)
    if len(bounds) > 1 or len(constants) != 1 or len(scaleds) > 1:
        raise UnsupportedError(
            f"The projections have {len(bounds)} bounds of weights, {len(constants)} constant amplitudes and {len(scaleds)} that"
            " a modulator scales",
            why="on Loihi they share the neuron's traces, and a unit of the weight",
            fix="use one of each",
        )
    return bounds.pop(), constants.pop(), scaleds.pop() if scaleds else 1.0, taus.pop()


def third_of(
    network: Network, modulator: Modulator | None, starts: np.ndarray, steps: int, interval: int
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Largest value within a trial, leak of a step, and gains of played and of simulated neurons."""
    driven, gains = np.zeros(network.populations[0].size), np.zeros(int(starts[-1]))
    if modulator is None:
        return 0.0, 0.0, driven, gains
    if len(network.modulators) > 1:
        raise UnsupportedError(
            f"{len(network.modulators)} modulators",
            why="on Loihi trials know one, which a neuron takes in as its third factor",
            fix="use one",
        )
    for population, gain in modulator.gains:
        if population == 0:
            driven[:] = gain
        else:
            gains[starts[population - 1] : starts[population]] = gain
    leak = network.time_step / modulator.tau
    every = np.concatenate([driven, gains])
    largest = third_factor_bound(every, modulator.resting, modulator.initial, leak, steps, interval)
    return largest, leak, driven, gains


def whole_third(
    modulator: Modulator | None, leak: float, driven: np.ndarray, gains: np.ndarray, chosen: Scale
) -> tuple[ThirdFactor | None, list[str]]:
    """The third factor as a compartment, and what became of its numbers."""
    if modulator is None:
        return None, []
    if 0 < abs(modulator.resting) < chosen.third_unit:
        raise UnsupportedError(
            f"Modulator '{modulator.label}' rests at {modulator.resting:g}, and 1 of y3 is {chosen.third_unit:.3g}",
            why=f"7 bits have to hold as much as all spikes can make of it, {chosen.third_unit * SENT_HIGH:.3g}",
            fix="use smaller gains",
        )
    one = (1 << FRACTION_BITS) / chosen.third_unit
    every = np.concatenate([driven, gains]) * leak * one
    peak = float(np.abs(every).max(initial=0.0))
    exponent = int(np.ceil(np.log2(peak / LOIHI2.largest_mantissa))) if peak else 0
    exponent = max(exponent, 0)
    if exponent > LOIHI2.weight_exponent_high:
        raise UnsupportedError(
            f"Modulator '{modulator.label}': a spike moves it by {np.abs(np.concatenate([driven, gains])).max():.3g}",
            why=f"a weight's exponent goes up to {LOIHI2.weight_exponent_high}",
            fix="use smaller gains",
        )
    mantissa = np.rint(every / 2.0**exponent).astype(np.int64)
    decay = int(nearest_decay(leak))
    bias_mantissa, bias_exponent = nearest_bias(modulator.resting * one * decay / LOIHI2.decay_unity)
    third = ThirdFactor(
        decay=decay,
        initial=round(modulator.initial * one),
        bias=int(bias_mantissa[0] << bias_exponent[0]),
        exponent=exponent,
        driven=mantissa[: len(driven)],
        neurons=mantissa[len(driven) :],
    )
    got = mantissa * 2.0**exponent
    off = float(np.max(np.abs(got - every) / peak)) if peak else 0.0
    resting = third.bias * LOIHI2.decay_unity / decay / one
    return third, [
        f"third factor '{modulator.label}': 1 of y3 is {chosen.third_unit:.4g}, up to {SENT_HIGH * chosen.third_unit:.3g};"
        f" below 0 it counts as 0; it acts one step later; it keeps {1 - decay / LOIHI2.decay_unity:.5f} for {1 - leak:.5f} a"
        f" step, rests at {resting:.5g} for {modulator.resting:g}; its gains are up to {off:.2%} off"
    ]


def connect(
    network: Network, starts: np.ndarray, chosen: Scale, unit: float, tau: float
) -> tuple[list[Connection], list[tuple[int, np.ndarray, np.ndarray]]]:
    """One connection for each population that sends synapses, and where each projection's went."""
    connections: list[Connection] = []
    number_of: dict[int, int] = {}
    places = []
    for projection in network.projections:
        rule, source = projection.plasticity, projection.pre
        assert rule is not None
        mode = sign_mode(rule.w_min, rule.w_max)
        products = [asdict(p) for p in weight_products(chosen, *sides(projection))]
        if source not in number_of:
            number_of[source] = len(connections)
            shape = (int(starts[-1]), network.populations[source].size)
            connections.append(
                Connection(
                    label=f"from {network.populations[source].label}",
                    driven=source == 0,
                    first=0 if source == 0 else int(starts[source - 1]),
                    sign_mode=str(mode),
                    products=products,
                    impulse=chosen.impulse,
                    tau=tau,
                    seed=TRACE_SEED + SEEDS_A_CONNECTION * len(connections),
                    weights=np.zeros(shape, dtype=np.int64),
                    connected=np.zeros(shape, dtype=bool),
                )
            )
        mine = connections[number_of[source]]
        if (mine.sign_mode, mine.products) != (mode, products):
            raise UnsupportedError(
                f"Projection '{projection.label}' learns by another rule than others from the same population",
                why="on Loihi they are one connection",
                fix="give them the same plasticity and modulation",
            )
        rows, columns = projection.post_index + starts[projection.post - 1], projection.pre_index
        mine.weights[rows, columns] = np.rint(projection.weight / unit).astype(np.int64)
        mine.connected[rows, columns] = True
        places.append((number_of[source], rows, columns))
    return connections, places


def sides(projection: Projection) -> tuple[int, str | None]:
    """Sign of the rule, and the side that the modulator scales: arguments of :func:`weight_products`."""
    modulation = projection.modulation
    scales = None if modulation is None else {"A_minus": "pre", "A_plus": "post"}[modulation.scales]
    return -1 if mirrored(projection) else 1, scales


def weight_exponent(connections: list[Connection], keep: float, leak: float, interval: int) -> int:
    """The exponent of all weights: the largest at which no current can overflow, nor inhibition press a voltage to its end.

    Every synapse is at the end of its range and every source fires as often as can be; where a voltage has no room for that even
    at an exponent of 0, the smallest here, it is cut off, and counted.
    """
    signed = [c for c in connections if c.sign_mode != "excitatory"]
    most, inhibiting = (
        max(np.sum([c.connected.sum(axis=1) for c in some], axis=0).max(initial=0) if some else 0, 1)
        * (WEIGHT_HIGH + 1)
        * (1 << LOIHI2.weight_shift)
        for some in (connections, signed)
    )
    room = LOIHI2.largest_state / (most / (1 - keep**interval))
    if room < 1:
        raise UnsupportedError(
            f"A neuron with {round(most / (WEIGHT_HIGH + 1) / (1 << LOIHI2.weight_shift)):,} synapses",
            why=f"its current can leave the chip's {LOIHI2.state_bits} bits",
            fix="use fewer synapses",
        )
    below = LOIHI2.largest_state / (inhibiting / (1 - keep) / interval / leak)
    return max(0, min(int(np.log2(min(room, below))) if below > 1 else 0, LOIHI2.weight_exponent_high))


def refuse_threshold(mantissa: int) -> None:
    if not 0 < mantissa <= LOIHI2.largest_threshold:
        raise UnsupportedError(
            f"A threshold of {mantissa:,} units",
            why=f"the chip's go from 1 to {LOIHI2.largest_threshold:,}",
            fix="use another threshold, or other bounds of the weights",
        )


def text(products: list[dict]) -> str:
    """A sum of products in one line."""
    words = []
    for p in products:
        scale_of = f"{abs(p['mantissa'])}·2^{p['exponent']}"
        words.append(
            f"{'-' if p['mantissa'] < 0 else '+'} {' · '.join((scale_of, p['dependency'], *p['factors']))}"
        )
    return " ".join(words).removeprefix("+ ")
