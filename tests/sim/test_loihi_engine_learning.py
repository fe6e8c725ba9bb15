"""Learning in the compiled engine in Loihi's whole numbers: every spike and weight equals the dense reference's."""

from __future__ import annotations

import numpy as np
import pytest
from lava_programs import differences
from learning_programs import random_learning_program

from neurodeploy.backends.base import Options
from neurodeploy.backends.brian2.loihi import LoihiEngine
from neurodeploy.backends.brian2.loihi_learning import rule_arrays, rule_from
from neurodeploy.backends.loihi.reference import simulate
from neurodeploy.chips.loihi_learning import LearningRule

STEPS = 120


@pytest.fixture
def opened(target):
    engines = []

    def open_(program) -> LoihiEngine:
        engines.append(LoihiEngine(program, Options("loihi2", target.engine)))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.end()


def recording(engine: LoihiEngine) -> dict[str, np.ndarray]:
    """What the engine recorded, as Lava's runner leaves it."""
    arrays = {}
    for number, (group, variable, _) in enumerate(engine.program.recorded):
        if variable == "spikes":
            arrays[f"spikes{number}.steps"], arrays[f"spikes{number}.neurons"] = engine.spikes(group)
        else:
            arrays[f"samples{number}"] = engine.samples(number)
    return arrays


def test_random_learning_networks_equal_the_reference(opened, target) -> None:
    """In pieces of uneven length, so that the random numbers of the rounding go on where they stopped."""
    program = random_learning_program(200 if target.engine == "cpp" else 6, STEPS, seed=2)
    engine = opened(program)
    for steps in (1, 50, STEPS - 51):
        engine.run(steps)
    trace = simulate(program, STEPS)
    assert differences(program, recording(engine), trace, STEPS) == []
    moved = 0
    for number, (synapses, weights) in enumerate(zip(program.synapses, trace.weights, strict=True)):
        np.testing.assert_array_equal(engine.mantissa(number), weights)
        moved += synapses.learning is not None and bool(np.any(weights != synapses.mantissa))
    assert moved > (100 if target.engine == "cpp" else 3)


def test_weights_can_be_replaced_while_they_learn(opened) -> None:
    program = random_learning_program(4, STEPS, seed=5)
    number = next(k for k, s in enumerate(program.synapses) if s.learning is not None and len(s.mantissa) > 3)
    engine = opened(program)
    engine.run(10)
    wanted = np.arange(len(program.synapses[number].mantissa)) % 256
    engine.set_mantissa(number, wanted)
    np.testing.assert_array_equal(engine.mantissa(number), wanted)


def test_a_rule_comes_back_from_its_numbers() -> None:
    for synapses in random_learning_program(20, 10, seed=1).synapses:
        rule = synapses.learning
        if rule is None:
            continue
        arrays = rule_arrays(rule)
        back: LearningRule = rule_from(arrays["rule"], arrays["impulse"], arrays["decay"])
        assert (back.weight, back.tag) == (rule.weight, rule.tag)
        for name in ("x1", "x2", "y1", "y2", "y3"):
            assert (back.decay(name), back.impulse(name)) == (rule.decay(name), rule.impulse(name))
