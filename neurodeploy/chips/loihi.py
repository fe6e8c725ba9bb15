"""Loihi 1 and Loihi 2 as records: widths, ranges and budgets, each with where it comes from.

The update equations are in :mod:`neurodeploy.chips.loihi_arithmetic`.  What follows describes the neuron that both chips
have, the leaky integrator with exponential currents; Loihi 2 runs it as a microcode program of the same arithmetic
(Lava's ``LIF``, "bit-accurate with Loihi").  Intel has published no manual of either chip: where a number is known from
software alone, or where sources disagree, :data:`FACTS` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from neurodeploy.errors import RequestError, did_you_mean


@dataclass(frozen=True)
class SignMode:
    """What the mantissas of a synapse group may be: ``low`` … ``high`` in steps of ``step``."""

    low: int
    high: int
    step: int


SIGN_MODES = {
    "excitatory": SignMode(0, 255, 1),
    "inhibitory": SignMode(-255, 0, 1),
    "mixed": SignMode(-256, 254, 2),
}
"""A sign costs a bit: mixed mantissas are even (``lava/utils/weightutils.py``, ``truncate_weights``: one bit more is cut off)."""


@dataclass(frozen=True)
class LoihiChip:
    """One kind of Loihi.  What each field means, and its source, stands in :data:`FACTS`."""

    name: str
    title: str
    neurons_per_core: int
    core_memory_bits: int
    neuron_bits: int
    cores_per_chip: int
    membranes_per_core: int
    thresholds_per_core: int
    weight_bits: int = 8
    weight_exponent_low: int = -8
    weight_exponent_high: int = 7
    weight_shift: int = 6
    state_bits: int = 24
    decay_bits: int = 12
    threshold_bits: int = 17
    threshold_shift: int = 6
    bias_mantissa_bits: int = 13
    bias_exponent_bits: int = 3
    longest_delay: int = 63
    delay_bits: int = 6
    longest_refractory: int = 62
    trace_bits: int = 7
    input_axons_per_core: int = 4096
    output_axons_per_core: int = 4096
    neurons_per_axon: int = 32
    memory_word_bits: int = 64
    list_header_bits: int = 10
    synapses_per_list: int = 64

    @property
    def decay_unity(self) -> int:
        """The decay that leaves nothing."""
        return 1 << self.decay_bits

    @property
    def largest_state(self) -> int:
        """u and v lie within this, either way."""
        return (1 << (self.state_bits - 1)) - 1

    @property
    def largest_mantissa(self) -> int:
        return (1 << self.weight_bits) - 1

    @property
    def largest_weight(self) -> int:
        """What a spike over one synapse adds to a current at most."""
        return self.largest_mantissa << (self.weight_shift + self.weight_exponent_high)

    @property
    def largest_threshold(self) -> int:
        """Threshold mantissa."""
        return (1 << self.threshold_bits) - 1

    @property
    def largest_bias_mantissa(self) -> int:
        return (1 << (self.bias_mantissa_bits - 1)) - 1

    @property
    def largest_bias_exponent(self) -> int:
        return (1 << self.bias_exponent_bits) - 1


_DAVIES = "Davies et al., IEEE Micro 38(1), 2018"
_LAVA = "Lava 0.10.0"
_BRIEF = "Intel, 'Taking Neuromorphic Computing to the Next Level with Loihi 2', 2021"
_NENGO = "nengo-loihi 1.1.0 (from NxSDK)"

LOIHI1 = LoihiChip(
    name="loihi1",
    title="Loihi 1",
    neurons_per_core=1024,
    core_memory_bits=128 * 1024 * 8,
    neuron_bits=0,
    cores_per_chip=128,
    membranes_per_core=32,
    thresholds_per_core=8,
)

LOIHI2 = LoihiChip(
    name="loihi2",
    title="Loihi 2",
    neurons_per_core=8192,
    core_memory_bits=192 * 1024 * 8,
    neuron_bits=24 * 8,
    cores_per_chip=120,
    membranes_per_core=8192,
    thresholds_per_core=8192,
)


@dataclass(frozen=True)
class Fact:
    """A field of :class:`LoihiChip` in words, and its source."""

    meaning: str
    source: str


FACTS = {
    "weight_bits": Fact(
        "bits of a weight's mantissa", f"{_DAVIES} (1 to 9 bits with sign); {_LAVA}, weightutils.py"
    ),
    "weight_exponent_low": Fact(
        "smallest weight exponent; never chosen here: Lava shifts the sum, the chip the weight",
        f"{_LAVA}, dense/process.py (4 bits, signed); {_NENGO} allows -7",
    ),
    "weight_exponent_high": Fact(
        "largest weight exponent", f"{_LAVA}, dense/process.py; {_NENGO}, validate.py"
    ),
    "weight_shift": Fact("bits by which synaptic input is shifted up", f"{_LAVA}, lif/models.py (act_shift)"),
    "state_bits": Fact("bits of current and voltage, sign included", f"{_LAVA}, lif/models.py (uv_bitwidth)"),
    "decay_bits": Fact("bits of a decay", f"{_DAVIES}; {_LAVA}, lif/models.py (decay_shift)"),
    "threshold_bits": Fact("bits of the threshold's mantissa", f"{_LAVA}, lif/models.py; {_NENGO}"),
    "threshold_shift": Fact(
        "bits by which the threshold is shifted up", f"{_LAVA}, lif/models.py (vth_shift)"
    ),
    "bias_mantissa_bits": Fact("bits of the bias mantissa, sign included", f"{_LAVA}, lif/models.py"),
    "bias_exponent_bits": Fact("bits of the bias exponent", f"{_LAVA}, lif/models.py"),
    "longest_delay": Fact(
        "steps from a spike to its effect, at most (62 in the chip's own count, which starts at 0)",
        f"{_DAVIES} (delays of 6 bits); NxSDK 62; {_LAVA}'s DelayDense allows 63: the smaller is kept",
    ),
    "delay_bits": Fact("bits of a synapse's delay, where there is one", f"{_DAVIES}"),
    "longest_refractory": Fact(
        "steps without an update of v after a spike, at most (the chip's counter is one more)",
        f"{_NENGO}, block.py (refract_delay = steps + 1, at most 63); brian2-loihi 0.5 allows 64: the smaller is kept",
    ),
    "trace_bits": Fact("bits of a trace", f"{_DAVIES}; {_LAVA}, learning/constants.py"),
    "neurons_per_core": Fact(
        "neurons a core",
        f"Loihi 1: {_DAVIES}, 1,024 compartments; Loihi 2: {_BRIEF}, 1 million a chip of 128 cores",
    ),
    "core_memory_bits": Fact(
        "bits of a core's memory for synapses (Loihi 2: for neurons as well)",
        f"Loihi 1: {_DAVIES}, 128 KB; Loihi 2: {_BRIEF}, 192 KB, freely divided",
    ),
    "neuron_bits": Fact(
        "bits of that memory a neuron takes",
        f"Loihi 1 has a memory of its own; Loihi 2: {_BRIEF} gives 0 to 4,096 bytes,"
        " what Lava's compiler takes is not public: Loihi 1's 24 bytes are assumed",
    ),
    "cores_per_chip": Fact(
        "neuron cores a chip",
        f"Loihi 1: {_DAVIES}; Loihi 2: {_BRIEF} says 128, published systems use 120 (Hala Point: 140,544 of 1,152 chips,"
        " 122): the smallest is kept",
    ),
    "input_axons_per_core": Fact(
        "axons that reach a core", f"{_NENGO}, block.py; of Loihi 2 not public, Loihi 1's kept"
    ),
    "output_axons_per_core": Fact(
        "axons that leave a core", f"{_NENGO}, block.py; of Loihi 2 not public, Loihi 1's kept"
    ),
    "membranes_per_core": Fact(
        "different sets of du, dv and refractory steps on a core",
        f"Loihi 1: {_NENGO}, nxsdk_objects.py; Loihi 2's microcode keeps them in each neuron",
    ),
    "thresholds_per_core": Fact(
        "different thresholds on a core",
        f"Loihi 1: {_NENGO}, nxsdk_objects.py (8; validate.py allows 16); Loihi 2's microcode keeps them in each neuron",
    ),
    "memory_word_bits": Fact(
        "bits that synaptic memory comes in", f"{_NENGO}, block.py; of Loihi 2 not public"
    ),
    "list_header_bits": Fact(
        "bits before each list of synapses", f"{_NENGO}, block.py; of Loihi 2 not public"
    ),
    "synapses_per_list": Fact("synapses in a list", f"{_NENGO}, block.py; of Loihi 2 not public"),
    "neurons_per_axon": Fact("neurons that may share a population axon", f"{_NENGO}, block.py (5 atom bits)"),
}

CHIPS = {chip.name: chip for chip in (LOIHI1, LOIHI2)}


def chip_by_name(name: str) -> LoihiChip:
    """The chip of that name; an unknown one is a :class:`RequestError` with a suggestion."""
    if name not in CHIPS:
        raise RequestError(
            f"There is no Loihi called '{name}'.{did_you_mean(name, CHIPS)}",
            fix=f"choose one of: {', '.join(sorted(CHIPS))}",
        )
    return CHIPS[name]


def table() -> list[dict[str, Any]]:
    """One row a fact: what it is, its value on each chip, its source."""
    numbers = [f.name for f in fields(LoihiChip) if f.name in FACTS]
    return [
        {"name": name, "meaning": FACTS[name].meaning, "source": FACTS[name].source}
        | {chip.name: getattr(chip, name) for chip in CHIPS.values()}
        for name in numbers
    ]
