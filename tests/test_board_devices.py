"""The devices of an emulated core, each alone."""

import pytest

from neurodeploy.backends.spinnaker.board import system_controller
from neurodeploy.backends.spinnaker.board.comms import Comms, Packet
from neurodeploy.backends.spinnaker.board.dma import Dma
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.timers import NEVER, Timer
from neurodeploy.backends.spinnaker.board.vic import FIQ, IRQ, Vic
from neurodeploy.chips import spinnaker_map as chip


def vic_with(**slots):
    """A controller in which ``source4=0`` has source 4 in slot 0, and its vector 0x1000 + source."""
    vic = Vic()
    for name, slot in slots.items():
        source = int(name.removeprefix("source"))
        vic.write(chip.VIC_CONTROLS + 4 * slot, chip.VIC_SLOT_ON | source)
        vic.write(chip.VIC_VECTORS + 4 * slot, 0x1000 + source)
        vic.write(chip.VIC_ENABLE, 1 << source)
    return vic


def test_the_lower_slot_is_served_first_and_only_lower_ones_interrupt_it():
    vic = vic_with(source4=0, source12=1, source24=2)
    lines = 1 << 12 | 1 << 24
    assert vic.pending(lines) == IRQ
    assert vic.read(chip.VIC_CURRENT, lines) == 0x1000 + 12
    assert vic.pending(lines) == 0
    assert vic.pending(lines | 1 << 4) == IRQ
    assert vic.read(chip.VIC_CURRENT, lines | 1 << 4) == 0x1000 + 4
    vic.write(chip.VIC_CURRENT, 0)
    assert vic.pending(lines) == 0
    vic.write(chip.VIC_CURRENT, 0)
    assert vic.pending(lines) == IRQ


def test_sources_without_a_slot_take_the_default_vector_and_masked_ones_none():
    vic = Vic()
    vic.write(chip.VIC_DEFAULT, 0x2000)
    assert vic.pending(1 << 7) == 0
    vic.write(chip.VIC_ENABLE, 1 << 7)
    assert vic.pending(1 << 7) == IRQ and vic.read(chip.VIC_CURRENT, 1 << 7) == 0x2000
    vic.write(chip.VIC_CURRENT, 0)
    vic.write(chip.VIC_DISABLE, 1 << 7)
    assert vic.pending(1 << 7) == 0


def test_a_fast_interrupt_is_not_held_up_by_a_slow_one():
    vic = vic_with(source4=0, source18=1)
    vic.write(chip.VIC_SELECT, 1 << 18)
    vic.read(chip.VIC_CURRENT, 1 << 4)
    assert vic.pending(1 << 4 | 1 << 18) == FIQ
    assert vic.read(chip.VIC_FIQ_STATUS, 1 << 4 | 1 << 18) == 1 << 18


def test_a_periodic_timer_interrupts_every_period_until_it_is_stopped():
    timer = Timer()
    timer.write(chip.TIMER_LOAD, 1000, now=0)
    timer.write(chip.TIMER_CONTROL, 0xE2, now=50)
    assert timer.next == 1050 and timer.read(chip.TIMER_COUNT, now=150) == 900
    assert not timer.expire(1049)
    assert timer.expire(1050) and timer.line and timer.next == 2050
    timer.write(chip.TIMER_CLEAR, 0, now=1060)
    assert not timer.line
    timer.write(chip.TIMER_CONTROL, 0, now=1070)
    assert timer.next == NEVER


def test_a_one_shot_timer_interrupts_once_and_a_prescaler_stretches_it():
    timer = Timer()
    timer.write(chip.TIMER_LOAD, 10, now=0)
    timer.write(chip.TIMER_CONTROL, 0xE2 | chip.TIMER_ONE_SHOT | 1 << chip.TIMER_PRESCALE_SHIFT, now=0)
    assert timer.next == 160 and timer.read(chip.TIMER_COUNT, now=80) == 5
    assert timer.expire(160)
    assert timer.next == NEVER and timer.read(chip.TIMER_COUNT, now=500) == 0
    timer.write(chip.TIMER_LOAD, 10, now=600)
    assert timer.next == 760


@pytest.fixture
def dma():
    return Dma(
        5, Memory(1 << 12), Memory(chip.SYSTEM_RAM_SIZE), Memory(chip.ITCM_SIZE), Memory(chip.DTCM_SIZE)
    )


def test_dma_moves_both_ways_takes_time_and_says_when_it_is_done(dma):
    sdram, dtcm = dma.system[0][1], dma.local[1][1]
    sdram.write(64, b"neuron!!")
    dma.write(chip.DMA_GLOBAL, chip.DMA_DONE_INTERRUPTS)
    dma.write(chip.DMA_SYSTEM, chip.SDRAM_BASE + 64)
    dma.write(chip.DMA_TCM, chip.DTCM_BASE + 16)
    assert dma.write(chip.DMA_DESCRIPTOR, 8) == 30 + 2
    assert dtcm.read(16, 8) == b"neuron!!" and dma.line
    assert dma.read(chip.DMA_STATUS) == 5 << 24 | chip.DMA_DONE
    dma.write(chip.DMA_CONTROL, chip.DMA_CLEAR_DONE)
    assert not dma.line and dma.read(chip.DMA_STATUS) == 5 << 24
    dma.write(chip.DMA_SYSTEM, chip.SDRAM_UNBUFFERED + 128)
    dma.write(chip.DMA_DESCRIPTOR, 8 | chip.DMA_TO_SYSTEM)
    assert sdram.read(128, 8) == b"neuron!!"


@pytest.mark.parametrize(
    ("system", "local", "length"),
    [
        (chip.SDRAM_BASE + 4090, chip.DTCM_BASE, 8),
        (chip.SDRAM_BASE, chip.DTCM_BASE + chip.DTCM_SIZE - 4, 8),
        (0, chip.DTCM_BASE, 8),
        (chip.SDRAM_BASE, chip.ITCM_BASE + chip.ITCM_SIZE, 4),
    ],
)
def test_dma_beyond_a_memory_fails_and_moves_nothing(dma, system, local, length):
    dma.write(chip.DMA_SYSTEM, system)
    dma.write(chip.DMA_TCM, local)
    dma.write(chip.DMA_DESCRIPTOR, length)
    assert dma.failed and dma.done == 0


def test_packets_come_out_as_they_went_in():
    comms = Comms()
    assert comms.read(chip.COMMS_TX_CONTROL) >> 28 & 1  # ready to send
    comms.write(chip.COMMS_TX_CONTROL, chip.PACKET_PAYLOAD << 16)
    comms.write(chip.COMMS_TX_DATA, 77)
    comms.write(chip.COMMS_TX_KEY, 0x1230)
    assert comms.sent == [Packet(chip.PACKET_PAYLOAD, 0x1230, 77)]
    comms.received += [*comms.sent, Packet(0xC0, 5, 0)]
    assert comms.lines == 1 << chip.SOURCE_PACKET_READY | 1 << chip.SOURCE_MULTICAST
    assert comms.read(chip.COMMS_RX_DATA) == 77 and comms.read(chip.COMMS_RX_KEY) == 0x1230
    assert comms.lines == 1 << chip.SOURCE_PACKET_READY | 1 << chip.SOURCE_FIXED_ROUTE
    assert comms.read(chip.COMMS_RX_KEY) == 5 and comms.read(chip.COMMS_RX_KEY) == 0 and not comms.lines


def test_semaphores_are_taken_once_and_interrupts_need_the_code():
    shared = Memory(system_controller.SIZE)
    place = chip.CONTROLLER_TEST_AND_SET + 4 * 7
    assert system_controller.read(shared, place) == 0
    assert system_controller.read(shared, place) == 1 << 31
    system_controller.read(shared, chip.CONTROLLER_RELEASE + 4 * 7)
    assert system_controller.read(shared, place) == 0
    said = []
    tell = lambda *what: said.append(what)  # noqa: E731
    system_controller.write(shared, chip.CONTROLLER_SET_INTERRUPT, 0b101, tell)
    assert not said
    system_controller.write(shared, chip.CONTROLLER_SET_INTERRUPT, chip.CONTROLLER_CODE << 20 | 0b101, tell)
    assert said == [(0, True), (2, True)]
    system_controller.write(shared, chip.CONTROLLER_FLAGS_SET, 0b110, tell)
    system_controller.write(shared, chip.CONTROLLER_FLAGS_CLEAR, 0b010, tell)
    assert system_controller.read(shared, chip.CONTROLLER_FLAGS_SET) == 0b100
