"""What sPyNNaker 7.4.1 asks of a SpiNNaker-1 chip: cores, and the bytes of SDRAM of each.

Every number is from its sources, named beside it; sizes are bytes.  The sums are what ``sdram_required`` of a machine vertex
says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurodeploy.chips.spinnaker_machine import NEURONS_PER_CORE

WORD = 4

CORES_PER_CHIP = 18
"""Cores of a chip, one of which is the monitor's (``AbstractVersion.max_cores_per_chip``, ``n_scamp_cores``)."""

APPLICATION_CORES = {3: 68, 5: 808}
"""Cores of a board without the monitors': 4 chips with 18 cores each; 48 with 856 (``Version3``, ``Version5.chip_core_map``)."""

CHIPS = {3: 4, 5: 48}
"""Chips of a board."""

SDRAM_PER_CHIP = 123_469_792
"""Bytes of a chip's SDRAM that programs may have (``AbstractVersion.max_sdram_per_chip``)."""

DTCM = 64 * 1024
"""Bytes of a core's data memory (SpiNNaker datasheet)."""

FREE_DTCM = 54_756
"""Bytes of it that a delay extension may have (``DelayExtensionVertex.MAX_DTCM_AVAILABLE``)."""

CORE_MHZ = 200
"""Clock of a core (SpiNNaker datasheet)."""

ROUTER_ENTRIES = 1023
"""Entries of a chip's routing table (``AbstractVersion.n_router_entries``)."""

KEY_BITS = 32
"""Bits of a routing key."""

COLOUR_BITS = 4
"""Bits of a key that hold the time of sending (``n_colour_bits`` of the settings)."""

LONGEST_ROW = 256
"""Words of a synaptic row, without its header (``POP_TABLE_MAX_ROW_LENGTH``)."""

ROW_HEADER = 3
"""Words (``synapse_io.py``)."""

ADDRESS_STEP = 16
"""Matrices begin at multiples of this (``master_pop_table.py``, ``_ADDRESS_SCALE``)."""

SYNAPTIC_EVENTS = {"static": 13_000_000, "plastic": 1_400_000}
"""Synaptic events a core handles in a second (``synapses_per_second`` of the dynamics: the tools size split cores by it)."""

RECEPTORS = 2
SYSTEM = 412
"""``SYSTEM_BYTES_REQUIREMENT``."""

PROVENANCE = 24
"""``get_provenance_data_size(0)``; a word more for each item."""

PROFILE = 4
BLOCK = 8
"""Header of an SDRAM block (``SARK_PER_MALLOC_SDRAM_USAGE``)."""

PROVENANCE_ITEMS = {"combined": 22, "neurons": 5, "synapses": 24}
"""``N_ITEMS`` of the machine vertices' provenance."""

RECORDINGS = {"combined": 6, "neurons": 4, "synapses": 2}
"""v, two currents and spikes of neurons; rewiring and packets of synapses."""

DELAY_EXTENSION = SYSTEM + 9 * WORD + PROVENANCE + 12 * WORD
"""``splitter_delay_vertex_slice.py``."""

SOURCE = SYSTEM + 52 + (4 + 12) + BLOCK + PROVENANCE
"""An array source without spikes (``ReverseIPTagMulticastSourceMachineVertex.get_sdram_usage``)."""

KEYS_PER_MESSAGE, MESSAGE_HEADER = 63, 6
"""``buffered_sending_region.py``: keys of 4 bytes, in messages of up to 63."""


@dataclass(frozen=True)
class Structs:
    """Parameters of a cell in a core: words a neuron (and one word beside them), structs, fields (``neuron_impl.structs``)."""

    words: int
    count: int
    fields: int


STRUCTS = {
    "IF_curr_exp": Structs(15, 5, 16),
    "IF_curr_alpha": Structs(19, 5, 20),
    "IF_curr_delta": Structs(13, 5, 14),
    "IF_cond_exp": Structs(17, 5, 18),
    "Izhikevich": Structs(15, 5, 16),
}


@dataclass(frozen=True)
class Edge:
    """The synapses of a projection onto the fullest core of its target.

    Attributes
    ----------
    pre : int
        Position of the source.
    pre_size, pre_per_core : int
        Its neurons, and the most on a core.
    row, delayed_row : int
        Synapses of the longest row: within the target's own ring, and beyond it.
    stages : int
        Stages of the delay extension between the two populations.
    plastic : bool
    drawn_up : str
        ``"one-to-one"`` or ``"all-to-all"`` where the chip draws up the synapses; empty where the host does.
    """

    pre: int
    pre_size: int
    pre_per_core: int
    row: int
    delayed_row: int
    stages: int
    plastic: bool
    drawn_up: str = ""


GENERATOR = 44 + WORD + WORD
"""Instructions that draw up synapses on the chip, with one delay and one weight (``GeneratorData.BASE_SIZE``)."""

CONNECTOR = {"one-to-one": 0, "all-to-all": WORD}
"""``gen_connector_params_size_in_bytes``."""

MATRIX = {False: 48, True: 76}
"""``gen_matrix_params_size_in_bytes`` of static and of plastic synapses."""


def generator_bytes(edge: Edge) -> int:
    """Bytes of the instructions for an edge that is drawn up on the chip, for each core of its source."""
    if not edge.drawn_up:
        return 0
    on_core = min(edge.pre_per_core, edge.pre_size)
    one = GENERATOR + CONNECTOR[edge.drawn_up] + MATRIX[edge.plastic]
    return one * -(-edge.pre_size // on_core)


def row_words(synapses: int, plastic: bool) -> int:
    """Words of a row of so many synapses (``get_n_words_for_..._connections``)."""
    if not synapses:
        return 0
    return 2 + 2 * -(-synapses // 2) if plastic else synapses


def message_bytes(keys: int) -> int:
    """Bytes that so many spikes of one tick take in a source (``get_n_bytes``)."""
    return MESSAGE_HEADER * -(-keys // KEYS_PER_MESSAGE) + keys * WORD


def matrix_bytes(edges: list[Edge]) -> int:
    """Bytes of the synaptic matrices on a core (``get_synapses_size``)."""
    address = 2 * WORD
    for edge in edges:
        on_core = min(edge.pre_per_core, edge.pre_size)
        for row, times in ((edge.row, 1), (edge.delayed_row, edge.stages)):
            words = row_words(row, edge.plastic)
            if not words:
                continue
            size = on_core * (words + ROW_HEADER) * WORD * times
            for _ in range(-(-edge.pre_size // on_core)):
                address = -(-address // ADDRESS_STEP) * ADDRESS_STEP + size
    return address


def table_bytes(edges: list[Edge]) -> int:
    """Bytes of the master population table (``get_master_population_table_size``)."""
    entries = sum(2 if edge.stages else 1 for edge in edges)
    sources = {edge.pre: edge.stages for edge in edges}
    vertices = sum(2 if stages else 1 for stages in sources.values())
    return 8 + 20 * vertices + 4 * entries


def filter_bytes(edges: list[Edge]) -> int:
    """Bytes of the bit-field filters (``get_sdram_for_bit_field_region``)."""
    total = 2 * WORD
    for size, stages in {edge.pre: (edge.pre_size, edge.stages) for edge in edges}.values():
        total += (4 + math.ceil(size / 32)) * WORD + (4 + math.ceil(size * stages / 32)) * WORD
    return total


def common_bytes(kind: str) -> int:
    """System, recording headers, provenance and profile of a core (``get_common_constant_sdram``)."""
    recordings = RECORDINGS[kind]
    headers = WORD + 12 * recordings + BLOCK * recordings
    return SYSTEM + headers + PROVENANCE + WORD * PROVENANCE_ITEMS[kind] + PROFILE


def neuron_bytes(cell: str, neurons: int) -> int:
    """Parameters, recording metadata and the neuron builder's instructions (``get_neuron_constant_sdram``)."""
    structs = STRUCTS[cell]
    parameters = (1 + structs.words * neurons) * WORD
    indices = -(-2 * neurons // WORD) * WORD
    metadata = 2 * WORD + 3 * (3 * WORD + indices) + 2 * WORD + indices
    generated = 12 * WORD + 16 * structs.count + 8 * structs.fields + 24 * structs.fields * neurons
    generated += 2 * WORD + 3 * (4 * WORD + indices) + 3 * WORD + indices
    core = 20 + RECEPTORS * WORD + neurons * WORD
    current_sources = WORD
    return core + 2 * parameters + current_sources + metadata + generated


def synapse_bytes(edges: list[Edge], dynamics: int) -> int:
    """Everything about synapses on a core; `dynamics` are the bytes of its plasticity (``__get_synapse_constant_sdram``)."""
    keys = sum(2 if stages else 1 for stages in {edge.pre: edge.stages for edge in edges}.values()) * WORD
    builder = 76 + RECEPTORS * 8 + keys + sum(generator_bytes(edge) for edge in edges)
    parameters = 28 + RECEPTORS * WORD
    return parameters + dynamics + matrix_bytes(edges) + table_bytes(edges) + builder + filter_bytes(edges)


def dynamics_bytes(table_lengths: tuple[int, int] | None) -> int:
    """Bytes of a pair rule with decay tables of these lengths; of static synapses, none."""
    if table_lengths is None:
        return 0
    tables = sum(WORD + 2 * length for length in table_lengths)
    return WORD + tables + 32


def transfer_bytes(neurons: int) -> int:
    """What a synapse core hands its neuron core in a tick (``get_n_bytes_for_transfer``)."""
    return RECEPTORS * 2 * (1 << max((neurons - 1).bit_length(), 1))


def combined_core(cell: str, neurons: int, edges: list[Edge], dynamics: int) -> int:
    """Bytes of a core with neurons and their synapses, without what is recorded."""
    return common_bytes("combined") + neuron_bytes(cell, neurons) + synapse_bytes(edges, dynamics)


def split_cores(cell: str, neurons: int, edges: list[Edge], dynamics: int, synapse_cores: int) -> list[int]:
    """Bytes of a neuron core and its synapse cores, the leading one first, without what is recorded."""
    own = common_bytes("neurons") + neuron_bytes(cell, neurons) + 24 + transfer_bytes(neurons) * synapse_cores
    shared = common_bytes("synapses") + 12 + 20
    lead = shared + synapse_bytes(edges, max(dynamics, WORD)) + WORD  # structural plasticity: an empty word
    return [own, lead, *[shared] * (synapse_cores - 1)]


def extension_dtcm(stages: int, slots: int, neurons: int) -> int:
    """DTCM of a delay extension: a counter of a byte for each neuron and slot (``delay_extension.c``, ``read_parameters``)."""
    kept = 1 << (stages * slots).bit_length()
    return kept * (WORD + BLOCK + -(-neurons // WORD) * WORD) + BLOCK


def recording_bytes(variable: str, neurons: int) -> int:
    """Bytes of one record of `neurons` on a core (``_get_buffered_sdram_per_record``)."""
    if not neurons:
        return 0
    return WORD + (math.ceil(neurons / 32) if variable == "spikes" else neurons) * WORD


def most_on_core(neurons_per_core: int | None) -> int:
    """The most neurons of a population with synapses on a core."""
    return min(neurons_per_core or NEURONS_PER_CORE, NEURONS_PER_CORE)
