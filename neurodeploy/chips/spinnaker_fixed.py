r"""SpiNNaker's tick in the chip's fixed point as update statements: multiples of :math:`2^{-15}`, held in doubles without loss.

With :math:`\lfloor x \rfloor` cut off below to :math:`2^{-15}`, one tick of ``IF_curr_exp`` is, for both receptors,

.. math::
    i &\leftarrow i + \lfloor g \textstyle\sum w \rfloor \\
    a &= \lfloor R\,(i_{exc} - i_{inh} + i_{offset}) \rfloor + v_{rest},\quad
    v \leftarrow a - \lfloor m\,(a - v) \rfloor \quad\text{unless refractory} \\
    i &\leftarrow \lfloor i\,e^{-dt/\tau} \rfloor

A product of two 32-bit numbers does not fit a double, so every factor is in two parts, each of whose products does.  The same
tick in NumPy's integers is :mod:`neurodeploy.chips.spinnaker_cells`, which is what the chip's own programs were compared with;
a test compares the two.  Numbers beyond 32 bits, which wrap round on the chip, do not occur here before
:math:`|v|` or a current reaches 65,536.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.chips.rules import Cell, CellUpdate, Parameters
from neurodeploy.chips.spinnaker import SPINNAKER
from neurodeploy.chips.spinnaker_arithmetic import ONE, accum, expk, kdivk
from neurodeploy.chips.spinnaker_cells import exponential_constants
from neurodeploy.chips.updates import FIRE, MEMBRANE, RESET
from neurodeploy.errors import RequestError

HALF_OF_A_FRACTION = 1 << 16
"""A 32-bit fraction in two parts of 16 bits."""


def _times_fraction(what: str, factor: str) -> str:
    r"""Statement part: :math:`\lfloor n f / 2^{32} \rfloor` of a whole number n and a fraction in two parts."""
    return f"floor(({what}*{factor}_high + floor({what}*{factor}_low/{HALF_OF_A_FRACTION}))/{HALF_OF_A_FRACTION})"


UPDATE = f"""
exc = clip(arriving_exc*{ONE}, 0, most_exc)
inh = clip(-arriving_inh*{ONE}, 0, most_inh)
total_exc = left_exc*{ONE} + {_times_fraction("exc", "gain_exc")}
total_inh = -left_inh*{ONE} + {_times_fraction("inh", "gain_inh")}
isyn_exc = total_exc/{ONE}
isyn_inh = -total_inh/{ONE}
left_exc = {_times_fraction("total_exc", "decay_exc")}/{ONE}
left_inh = -{_times_fraction("total_inh", "decay_inh")}/{ONE}
current = total_exc - total_inh + offset
drawn = current*resistance_whole + floor(current*resistance_part/{ONE}) + rest
v_next = (drawn - floor(factor*(drawn - v*{ONE})/{ONE}))/{ONE}
"""
"""Whole numbers inside, mV and nA in the state; ``left_exc`` is what the next tick begins with.  An inhibitory current is a
magnitude on the chip."""

BEGINNINGS = {"isyn_exc": "left_exc", "isyn_inh": "left_inh"}
"""A current and the state that its value at the beginning of a tick is."""

CELL = CellUpdate(
    state=("v", "isyn_exc", "isyn_inh", *BEGINNINGS.values()),
    coefficients=(
        *(
            f"{name}_{r}_{part}"
            for name in ("decay", "gain")
            for r in ("exc", "inh")
            for part in ("high", "low")
        ),
        *("most_exc", "most_inh", "resistance_whole", "resistance_part", "factor", "rest", "offset"),
        *("v_thresh", "v_reset"),
    ),
    update=UPDATE + MEMBRANE,
    spike=FIRE,
    reset=RESET,
    sampled_after=("isyn_exc", "isyn_inh"),
)


def coefficients(p: Parameters, dt: float) -> Parameters:
    """PyNN's parameters of ``IF_curr_exp`` to the chip's constants.

    ``most_exc`` and ``most_inh``, what a ring-buffer entry holds, depend on the synapses: here they are without end.

    Raises
    ------
    RequestError
        The chip would divide by 0.
    """
    size = len(np.atleast_1d(p["tau_m"]))
    whole = {name: accum(np.broadcast_to(values, size)) for name, values in p.items()}
    step = np.repeat(accum([dt]), size)
    for name in ("tau_m", "cm", "tau_syn_E", "tau_syn_I"):
        if np.any(whole[name] <= 0):
            raise RequestError(
                f"{name} is 0 or less, or rounds to 0",
                why="the chip divides by it",
                fix=f"use a larger {name}",
            )
    result: Parameters = {}
    for receptor, name in (("exc", "tau_syn_E"), ("inh", "tau_syn_I")):
        for constant, value in zip(("decay", "gain"), exponential_constants(whole[name], step), strict=True):
            result[f"{constant}_{receptor}_high"] = value // HALF_OF_A_FRACTION
            result[f"{constant}_{receptor}_low"] = value % HALF_OF_A_FRACTION
        result[f"most_{receptor}"] = np.full(size, np.inf)
    resistance = kdivk(whole["tau_m"], whole["cm"])
    result |= {"resistance_whole": resistance // ONE, "resistance_part": resistance % ONE}
    result |= {
        "factor": expk(-kdivk(step, whole["tau_m"])),
        "rest": whole["v_rest"],
        "offset": whole["i_offset"],
    }
    result |= {name: whole[name] / ONE for name in ("v_thresh", "v_reset")}
    return {name: np.asarray(value, dtype=float) for name, value in result.items()}


SPINNAKER_FIXED = replace(
    SPINNAKER,
    name="spinnaker-fixed",
    title="SpiNNaker's tick (sPyNNaker 7.x) in the chip's fixed point; static synapses",
    cells={"IF_curr_exp": Cell(CELL, coefficients, {})},
    whole_numbers=True,
)
