r"""A Loihi Program: the model in the chip's own whole numbers, and nothing else.

Every executor (Lava's processes, the C++ engine, the dense reference) is given this and no PyNN quantity.  With
``eff(du) = du + 1`` one step of a compartment is, in this order and with truncation towards zero in ``//``:

.. math::
    u_c &\leftarrow \mathrm{wrap}_{24}\big(u_c\,(4096-\mathrm{eff}(du_c))\;//\;4096 + \textstyle\sum w\big) \\
    v   &\leftarrow \mathrm{clip}_{24}\big(v\,(4096-dv)\;//\;4096 + \textstyle\sum_c u_c + b_m\,2^{b_e}\big)
         \quad\text{unless refractory} \\
    \text{spike} &\iff v > 64\,v_{th}, \quad\text{then } v \leftarrow 0 \text{ and } \textit{refractory}
         \text{ steps without an update of } v

A spike of step k over a synapse of `delay` d (d ≥ 1) adds :math:`w = \text{mantissa}\cdot 2^{6+\text{exponent}}` in step
k + d.  (A Lava ``Dense`` is d = 1; ``DelayDense`` with delay D is d = D + 1.)  A spike of a source at step k counts in the same
way.  Sample k of ``v`` or ``u`` is the value before step k; a run of N steps has N + 1 samples.

Sources: Lava 0.10.0, ``lava/proc/lif/models.py`` (``AbstractPyLifModelFixed``), ``lava/proc/dense/models.py``,
``LIFRefractory`` for the refractory period.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
"""Changes whenever a Program written before could not be read any more."""

PLAN, ARRAYS = "program.json", "arrays.npz"


@dataclass
class Compartments:
    """One population of the chip.  All arrays are int64; registers are as the chip keeps them.

    Attributes
    ----------
    label : str
        The user's label; relays have labels of their own.
    size : int
    du : ndarray, shape (currents, size)
        Decay registers of the synaptic currents, 0 … 4095.  One row: all input goes to one current.
        Two rows: excitatory input decays with row 0, inhibitory with row 1.
    dv : ndarray, shape (size,)
        Decay register of the voltage, 0 … 4095.
    vth : ndarray, shape (size,)
        Threshold mantissa, 0 … 131071; the threshold is 64 times as high.
    bias_mant, bias_exp : ndarray, shape (size,)
        −4096 … 4095 and 0 … 7.
    refractory : ndarray, shape (size,)
        Steps without an update of v after a spike.
    u : ndarray, shape (currents, size)
    v : ndarray, shape (size,)
        Initial state, 24 bits and a sign.
    """

    label: str
    size: int
    du: np.ndarray
    dv: np.ndarray
    vth: np.ndarray
    bias_mant: np.ndarray
    bias_exp: np.ndarray
    refractory: np.ndarray
    u: np.ndarray
    v: np.ndarray


@dataclass
class Source:
    """Spikes that come from outside: neuron ``neurons[k]`` in step ``steps[k]``, sorted by step, then neuron."""

    label: str
    size: int
    steps: np.ndarray
    neurons: np.ndarray


@dataclass
class Synapses:
    """Synapses of one group onto one current of another, with one weight exponent.

    Attributes
    ----------
    label : str
        The user's label of the projection.
    projection : int
        Its position in the Network; -1 for the synapses of a relay.
    members : ndarray of int64, shape (n_synapses,)
        Which of the projection's synapses these are, so that weights can be handed back.
    pre, post : int
        Positions in ``LoihiProgram.groups``.
    current : int
        Row of the target's ``du`` that they feed.
    pre_index, post_index, mantissa, delay : ndarray of int64, shape (n_synapses,)
        `mantissa` as `sign_mode` and `weight_bits` allow it; `delay` in steps, 1 … 63.
    exponent : int
        −8 … 7; the lowering chooses 0 … 7, for which Lava and the chip agree.
    sign_mode : str
        ``"excitatory"`` (0 … 255), ``"inhibitory"`` (−255 … 0) or ``"mixed"`` (−256 … 254, even).
    weight_bits : int
    learning : LearningRule or None
        In the chip's terms, see ``neurodeploy.chips.loihi_learning``; all delays are 1 then.  `mantissa` is the weight at
        first.  A step's spikes carry the weight as it was, and then the weight learns from the step's spikes.
    """

    label: str
    projection: int
    members: np.ndarray
    pre: int
    post: int
    current: int
    pre_index: np.ndarray
    post_index: np.ndarray
    mantissa: np.ndarray
    delay: np.ndarray
    exponent: int = 0
    sign_mode: str = "excitatory"
    weight_bits: int = 8
    learning: Any = None

    @property
    def weight(self) -> np.ndarray:
        """What a spike adds to the current: ``mantissa * 2**(6 + exponent)``, exponent ≥ −6."""
        return self.mantissa << (6 + self.exponent)


@dataclass
class FloatCells:
    """One population in floating point, for the reference that no chip runs (``float_lower.py``): mV, from ``v_reset``.

    Attributes
    ----------
    label : str
    size : int
    du, dv : ndarray of float, shape (size,)
        What of the synaptic current and of v is lost in a step, 0 … 1.
    vth, bias, v : ndarray of float, shape (size,)
        A cell fires above `vth`; `bias` is added to v in every step; `v` at first.
    refractory : ndarray of int64, shape (size,)
        Steps without an update of v after a spike.
    """

    label: str
    size: int
    du: np.ndarray
    dv: np.ndarray
    vth: np.ndarray
    bias: np.ndarray
    refractory: np.ndarray
    v: np.ndarray


@dataclass
class FloatSynapses:
    """A projection in floating point, with :class:`FloatCells`.

    Attributes
    ----------
    label : str
    projection : int
        Its position in the Network.
    pre, post : int
        Positions in ``LoihiProgram.groups``.
    pre_index, post_index, delay : ndarray of int64, shape (n_synapses,)
        `delay` in steps.
    weight, gain : ndarray of float, shape (n_synapses,)
        nA, and what 1 nA adds to v in the step it arrives, mV.
    learning : PairLearning or None
        The pair rule (``float_lower.py``).
    """

    label: str
    projection: int
    pre: int
    post: int
    pre_index: np.ndarray
    post_index: np.ndarray
    weight: np.ndarray
    gain: np.ndarray
    delay: np.ndarray
    learning: Any = None


@dataclass
class Units:
    """How a population's numbers are read back: ``v = v_zero + v_chip / v_scale`` (mV), ``i = u_chip / i_scale`` (nA).

    `v_scale` and `i_scale` have shape (size,).
    """

    v_zero: np.ndarray
    v_scale: np.ndarray
    i_scale: np.ndarray


@dataclass
class LoihiProgram:
    """A whole model on the chip.

    Attributes
    ----------
    chip : str
        ``"loihi2"`` or ``"loihi1"``.
    time_step : float
        ms of model time in one step.
    groups : list of Compartments or Source; FloatCells in a Program in floating point
        The Network's populations in their order, then the relays.
    synapses : list of Synapses, or of FloatSynapses
    units : list of Units or None
        One for each group; None for sources and relays.
    recorded : list of (group, variable, neurons)
        ``"spikes"``, ``"v"``, ``"isyn_exc"`` (row 0 of ``u``) or ``"isyn_inh"`` (row 1; a group of which either is recorded
        has two rows).
    changes : list of str
        What the lowering did, one sentence each.
    report : QuantisationReport or None
        What became of the numbers (``neurodeploy.backends.loihi.quantisation``).
    cores : list of Core
        Who is on which core (``neurodeploy.backends.loihi.cores``); the arithmetic does not depend on it.
    """

    chip: str
    time_step: float
    groups: list[Any] = field(default_factory=list)
    synapses: list[Any] = field(default_factory=list)
    units: list[Units | None] = field(default_factory=list)
    recorded: list[tuple[int, str, np.ndarray]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    report: Any = None
    cores: list[Any] = field(default_factory=list)

    @property
    def targets_on_two_currents(self) -> bool:
        """Whether any group has an excitatory and an inhibitory current of its own."""
        return any(isinstance(group, Compartments) and len(group.du) == 2 for group in self.groups)

    def write(self, folder: Path) -> None:
        """Write the Program into `folder`: ``program.json`` and ``arrays.npz``, all that an executor needs."""
        arrays: dict[str, np.ndarray] = {}

        def packed(name: str, part: Any) -> dict[str, Any] | None:
            """The fields of `part`; an array is replaced by its name."""
            if part is None:
                return None
            entry: dict[str, Any] = {"kind": type(part).__name__}
            for item in fields(part):
                value = getattr(part, item.name)
                if isinstance(value, np.ndarray):
                    arrays[f"{name}.{item.name}"] = value
                    value = {"array": f"{name}.{item.name}"}
                elif is_dataclass(value) and not isinstance(value, type):
                    value = {"kind": type(value).__name__, **asdict(value)}
                entry[item.name] = value
            return entry

        recorded = []
        for number, (group, variable, neurons) in enumerate(self.recorded):
            arrays[f"recorded{number}"] = np.asarray(neurons, dtype=np.int64)
            recorded.append([group, variable, f"recorded{number}"])
        plan = {
            "format": FORMAT,
            "chip": self.chip,
            "time_step": self.time_step,
            "groups": [packed(f"group{number}", part) for number, part in enumerate(self.groups)],
            "synapses": [packed(f"synapses{number}", part) for number, part in enumerate(self.synapses)],
            "units": [packed(f"units{number}", part) for number, part in enumerate(self.units)],
            "recorded": recorded,
            "changes": self.changes,
        }
        (folder / PLAN).write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
        np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]


KINDS = {kind.__name__: kind for kind in (Compartments, Source, Synapses, FloatCells, FloatSynapses, Units)}


class UnreadableProgramError(ValueError):
    """What is in a folder is no Program, or no whole one."""


def read(folder: Path) -> LoihiProgram:
    """The Program in `folder`; a learning rule comes back as a table of its fields.

    Raises
    ------
    UnreadableProgramError
        It is not there, damaged, or was written in another format.
    """
    try:
        return _read(folder)
    except UnreadableProgramError:
        raise
    except Exception as error:  # a damaged file has many ways to say so
        raise UnreadableProgramError(
            f"the Program in {folder} can't be read: {type(error).__name__}: {error}; it is {PLAN} and {ARRAYS}, and both must be"
            " as they were written"
        ) from error


def _read(folder: Path) -> LoihiProgram:
    plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    if plan.get("format") != FORMAT:
        raise UnreadableProgramError(f"{folder / PLAN} has format {plan.get('format')}, not {FORMAT}")
    with np.load(folder / ARRAYS) as stored:
        arrays = dict(stored)

    def unpacked(entry: dict[str, Any] | None) -> Any:
        if entry is None:
            return None
        values = {name: value for name, value in entry.items() if name != "kind"}
        for name, value in values.items():
            if isinstance(value, dict) and set(value) == {"array"}:
                values[name] = arrays[value["array"]]
        return KINDS[entry["kind"]](**values)

    program = LoihiProgram(
        chip=plan["chip"],
        time_step=plan["time_step"],
        groups=[unpacked(entry) for entry in plan["groups"]],
        synapses=[unpacked(entry) for entry in plan["synapses"]],
        units=[unpacked(entry) for entry in plan["units"]],
        recorded=[(group, variable, arrays[name]) for group, variable, name in plan["recorded"]],
        changes=plan["changes"],
    )
    refuse_what_is_not_there(program)
    return program


def refuse_what_is_not_there(program: LoihiProgram) -> None:
    """Raise where a part of a Program names a group or a neuron that it does not have: it would act on another one's."""

    def refuse(label: str, what: str, values: Any, below: int) -> None:
        every = np.ravel(values)
        wrong = every[(every < 0) | (every >= below)]
        if len(wrong):
            raise ValueError(f"'{label}' has {what} {wrong[0]}, and there are {below}")

    groups = program.groups
    for group in groups:
        if isinstance(group, Source):
            refuse(group.label, "a spike of neuron", group.neurons, group.size)
    for synapses in program.synapses:
        refuse(
            synapses.label, "synapses between groups, one of them", (synapses.pre, synapses.post), len(groups)
        )
        if len(synapses.pre_index) != len(synapses.post_index):
            raise ValueError(f"'{synapses.label}' has not as many presynaptic neurons as postsynaptic ones")
        refuse(synapses.label, "presynaptic neuron", synapses.pre_index, groups[synapses.pre].size)
        refuse(synapses.label, "postsynaptic neuron", synapses.post_index, groups[synapses.post].size)
    for position, variable, neurons in program.recorded:
        refuse(variable, "been recorded of group", position, len(groups))
        refuse(groups[position].label, f"{variable} recorded of neuron", neurons, groups[position].size)
