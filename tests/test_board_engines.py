"""Small programs of one core on both engines: what they do, and how they end when they misbehave."""

import struct

import pytest

pytest.importorskip("unicorn")

from neurodeploy.backends.spinnaker.board.aplx import Image
from neurodeploy.backends.spinnaker.board.engine import ChipMemories, Path, Services
from neurodeploy.backends.spinnaker.board.memory import Memory
from neurodeploy.backends.spinnaker.board.native import NativeEngine, NativeError, library
from neurodeploy.backends.spinnaker.board.python_engine import PythonEngine
from neurodeploy.backends.spinnaker.board.system_ram import ERROR_DATA, ERROR_PREFETCH, ERROR_UNDEFINED
from neurodeploy.chips import spinnaker_map as chip

SLEEP = 0xEE070F90  # mcr p15, 0, r0, c7, c0, 4
FOR_EVER = 0xEAFFFFFE  # b .
JUMP = 0xE1A0F000  # mov pc, r0


def load(register, value):
    """``register = value``, as four instructions of a byte each."""
    parts = [0xE3A00000 | register << 12 | value & 0xFF]
    for place, rotation in ((1, 12), (2, 8), (3, 4)):
        parts.append(0xE3800000 | register << 16 | register << 12 | rotation << 8 | value >> 8 * place & 0xFF)
    return parts


def store(address, value):
    """``*address = value``, by r0 and r1."""
    return [*load(0, address), *load(1, value), 0xE5801000]


def image(*instructions):
    code = struct.pack(f"<{len(instructions)}I", *instructions)
    return Image(code.ljust(chip.ITCM_SIZE, b"\0"), bytes(chip.DTCM_SIZE), 0x100)


def program(*instructions, irq=()):
    """Code at 0x100; the vector of an interrupt loads its place from the interrupt controller."""
    words = [FOR_EVER] * 64
    words[chip.VECTOR_IRQ // 4] = 0xE51FFFF0  # ldr pc, [pc, #-0xff0] reads 0xfffff030
    body = [*words, *instructions]
    return image(*body, *[0] * (0x200 - len(body)), *irq)


class Machine:
    def __init__(self, engine, chips=1, seconds=60.0):
        self.memories = [
            ChipMemories(
                Memory(chip.SDRAM_SIZE), Memory(chip.SYSTEM_RAM_SIZE), Memory(chip.ROUTER_SIZE), Memory(8)
            )
            for _ in range(chips)
        ]
        self.failures, self.called, self.paths = [], [], {}
        services = Services(
            self.called.append,
            lambda number, key, fixed: self.paths.get(key, Path((), ())),
            self.failures.append,
            lambda *_: None,
        )
        if engine == "python":
            self.engine = PythonEngine(self.memories, services, slice_seconds=seconds)
        else:
            try:
                library()
            except NativeError as error:
                pytest.skip(str(error))
            self.engine = NativeEngine(
                self.memories, services, threads=int(engine[-1]), slice_seconds=seconds
            )

    def run(self, rounds=1000):
        for _ in range(rounds):
            if not self.engine.advance():
                return


@pytest.fixture(params=["python", "native1", "native2"])
def engine(request):
    return request.param


@pytest.fixture
def machine(engine):
    made = Machine(engine)
    yield made
    made.engine.close()


def test_a_core_stores_what_it_is_told_and_sleeps(machine):
    machine.engine.start(3, 3, program(*store(chip.SDRAM_BASE + 8, 0xCAFE1234), SLEEP, FOR_EVER), 0)
    machine.run()
    assert machine.memories[0].sdram.word(8) == 0xCAFE1234
    assert not machine.failures


@pytest.mark.parametrize(
    ("instructions", "error"),
    [
        (store(0x50000000, 1), ERROR_DATA),
        ([*load(0, 0x50000000), 0xE5901000], ERROR_DATA),  # ldr r1, [r0]
        ([0xE7F000F0], ERROR_UNDEFINED),
        ([*load(0, 0x50000000), JUMP], ERROR_PREFETCH),
        ([*store(chip.DTCM_BASE, FOR_EVER), JUMP], ERROR_PREFETCH),
    ],
    ids=["stores nowhere", "loads from nowhere", "no instruction", "jumps to nowhere", "jumps to data"],
)
def test_a_fault_ends_the_core_and_is_told_with_its_registers(machine, instructions, error):
    machine.engine.start(4, 4, program(*load(5, 0x12345678), *instructions, SLEEP), 0)
    machine.run()
    (failure,) = machine.failures
    assert (failure.core, failure.error, failure.registers[5]) == (4, error, 0x12345678)
    assert machine.engine.advance() is False


def test_a_core_that_hangs_is_ended_and_the_others_go_on(engine):
    machine = Machine(engine, seconds=0.4)
    try:
        machine.engine.start(1, 1, program(FOR_EVER), 0)
        machine.engine.start(2, 2, program(*store(chip.SDRAM_BASE, 9), SLEEP), 0)
        machine.run(3)
        assert [(failure.core, failure.error) for failure in machine.failures] == [(1, 0)]
        assert machine.memories[0].sdram.word(0) == 9
    finally:
        machine.engine.close()


@pytest.mark.parametrize(
    "unmask",
    [[0xE321F013], [0xE3A04013, 0xE121F004], [0xE1500000, 0x0321F013]],  # cmp r0, r0; msreq
    ids=["at once", "by a register", "where equal"],
)
def test_a_masked_interrupt_is_taken_by_the_instruction_that_unmasks_it(machine, unmask):
    told = program(
        *store(chip.VIC_BASE + chip.VIC_VECTORS, 4 * 0x200),
        *store(chip.VIC_BASE + chip.VIC_CONTROLS, chip.VIC_SLOT_ON | 1),
        *store(chip.VIC_BASE + chip.VIC_ENABLE, 1 << 1),
        *store(chip.VIC_BASE + chip.VIC_SOFT_SET, 1 << 1),
        *load(2, 1),
        0xE321F0D3,  # msr cpsr_c, #0xd3: still masked
        *load(2, 2),
        *unmask,
        *load(2, 3),
        SLEEP,
        irq=(
            *store(chip.VIC_BASE + chip.VIC_SOFT_CLEAR, 1 << 1),
            *load(3, chip.SDRAM_BASE),
            0xE5832000,  # str r2, [r3]
            *store(chip.VIC_BASE + chip.VIC_CURRENT, 0),
            0xE25EF004,  # subs pc, lr, #4
        ),
    )
    machine.engine.start(2, 2, told, 0)
    machine.run()
    assert machine.memories[0].sdram.word(0) == 2


COUNTER = chip.SDRAM_BASE + 0x40

TIMER_PROGRAM = program(
    *store(chip.VIC_BASE + chip.VIC_VECTORS, 4 * 0x200),
    *store(chip.VIC_BASE + chip.VIC_CONTROLS, chip.VIC_SLOT_ON | chip.SOURCE_TIMER1),
    *store(chip.VIC_BASE + chip.VIC_ENABLE, 1 << chip.SOURCE_TIMER1),
    *store(chip.TIMER_BASE + chip.TIMER_LOAD, 5000),
    *store(chip.TIMER_BASE + chip.TIMER_CONTROL, 0xE2),
    0xE321F013,  # msr cpsr_c, #0x13: interrupts on
    SLEEP,
    0xEAFFFFFD,  # b to the sleep
    irq=(
        *store(chip.TIMER_BASE + chip.TIMER_CLEAR, 1),
        *load(2, COUNTER),
        0xE5923000,  # ldr r3, [r2]
        0xE2833001,  # add r3, r3, #1
        0xE5823000,  # str r3, [r2]
        *load(0, chip.COMMS_BASE),
        0xE5803008,  # str r3, [r0, #8]: a packet with the count as its key
        *store(chip.VIC_BASE + chip.VIC_CURRENT, 0),
        0xE25EF004,  # subs pc, lr, #4
    ),
)


def test_a_timer_interrupts_at_every_period_and_packets_arrive(machine):
    machine.paths = {
        key: Path((9,), ((machine.memories[0].router, chip.ROUTER_COUNTERS),)) for key in range(1, 9)
    }
    machine.engine.start(2, 2, TIMER_PROGRAM, 0)
    machine.engine.start(9, 9, program(SLEEP), 0)
    while machine.engine.ticks(2) < 8:
        assert machine.engine.advance(whole_piece=False)
    while machine.engine.now < 8 * 5000:
        machine.engine.advance(whole_piece=False)
    count = machine.memories[0].sdram.word(0x40)
    assert count == machine.engine.ticks(2) == 8
    assert machine.engine.now == 8 * 5000
    assert machine.memories[0].router.word(chip.ROUTER_COUNTERS) in (7, 8)


def test_stopping_a_core_ends_what_it_does(machine):
    machine.engine.start(2, 2, TIMER_PROGRAM, 0)
    for _ in range(3):
        machine.engine.advance(whole_piece=False)
    machine.engine.stop(2)
    assert machine.engine.advance() is False
    machine.engine.stop(2)
    assert machine.engine.ticks(2) == 0
