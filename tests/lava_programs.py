"""Lava as the tests use it: its interpreter, Programs by hand, and one run that many small networks share."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from neurodeploy import toolchains
from neurodeploy.backends.loihi import runner
from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.backends.loihi.reference import Trace
from neurodeploy.errors import ToolchainMissingError

SCRIPTS = Path(__file__).parent / "lava_scripts"
RUNNER = Path(runner.__file__)


def missing() -> str:
    """Why there is no Lava; empty where there is one, or it can be installed."""
    lava = toolchains.TOOLCHAINS["loihi"]
    if toolchains.stamp(lava) is None:
        try:
            toolchains.find_python(lava)
        except ToolchainMissingError as error:
            return error.what
    return ""


needs_lava = pytest.mark.skipif(bool(missing()), reason=missing() or "Lava is there")


@functools.cache
def interpreter() -> Path:
    """The interpreter that has Lava; installed once a cache folder."""
    return toolchains.ensure("loihi", print)


def run_script(name: str, *arguments: str) -> dict:
    """The JSON that a script of ``lava_scripts`` prints, executed by Lava's interpreter."""
    command = [str(interpreter()), "-I", str(SCRIPTS / name), str(RUNNER.parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def execute(program: LoihiProgram, steps: int, folder: Path, *options: str) -> dict[str, np.ndarray]:
    """What the runner records of `program`, without a front end."""
    folder.mkdir(exist_ok=True)
    program.write(folder)
    command = [str(interpreter()), "-I", str(RUNNER), str(folder), "--run", str(steps), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    with np.load(folder / runner.RECORDING) as arrays:
        return dict(arrays)


def record_everything(program: LoihiProgram) -> None:
    """Record spikes, v and every current of all groups."""
    for number, group in enumerate(program.groups):
        everyone = np.arange(group.size)
        variables = ["spikes"]
        if isinstance(group, Compartments):
            variables += ["v", "isyn_exc", *(["isyn_inh"] if len(group.du) == 2 else [])]
        program.recorded += [(number, variable, everyone) for variable in variables]


def differences(
    program: LoihiProgram, recording: dict[str, np.ndarray], trace: Trace, steps: int
) -> list[str]:
    """Where a recording is not the reference's, by label and variable."""
    wrong = []
    for number, (group, variable, neurons) in enumerate(program.recorded):
        if variable == "spikes":
            found = np.zeros((steps, program.groups[group].size), dtype=bool)
            found[recording[f"spikes{number}.steps"], recording[f"spikes{number}.neurons"]] = True
            same = np.array_equal(found[:, neurons], trace.spikes[group][:, neurons])
        else:
            whole = trace.v[group] if variable == "v" else trace.u[group][:, int(variable == "isyn_inh")]
            same = np.array_equal(recording[f"samples{number}"], whole[:, neurons])
        if not same:
            wrong.append(f"{program.groups[group].label}: {variable}")
    return wrong


# ------------------------------------------------------------------------------- Programs by hand


def compartments(label: str, size: int, rng: np.random.Generator, currents: int = 1, **fixed) -> Compartments:
    """Neurons with random registers, some at the ends of their ranges."""

    def drawn(low: int, high: int, shape: tuple[int, ...], ends: float = 0.15) -> np.ndarray:
        values = rng.integers(low, high + 1, shape)
        at = rng.random(shape)
        return np.where(at < ends / 2, low, np.where(at > 1 - ends / 2, high, values))

    state = (1 << 23) - 1
    values = {
        "du": drawn(0, 4095, (currents, size)),
        "dv": drawn(0, 4095, (size,)),
        "vth": drawn(0, int(rng.choice([30, 2000, 131071])), (size,)),
        "bias_mant": drawn(-4096, 4095, (size,), 0.05) // int(rng.choice([1, 50])),
        "bias_exp": drawn(0, int(rng.choice([0, 7])), (size,)),
        "refractory": drawn(0, int(rng.choice([0, 5, 63])), (size,)),
        "u": drawn(-state, state, (currents, size)) // int(rng.choice([1, 1000])),
        "v": drawn(-state, state, (size,)) // int(rng.choice([1, 1000])),
    }
    return Compartments(label, size, **(values | fixed))


def source(label: str, size: int, steps: int, rng: np.random.Generator) -> Source:
    """Random spikes, no two of a neuron in one step."""
    spikes = rng.random((steps, size)) < rng.choice([0.02, 0.3])
    when, who = np.nonzero(spikes)
    return Source(label, size, when, who)


MANTISSAS = {"excitatory": (0, 255, 1), "inhibitory": (-255, 0, 1), "mixed": (-256, 254, 2)}


def synapses(
    label: str, program: LoihiProgram, pre: int, post: int, rng: np.random.Generator, **fixed
) -> Synapses:
    """Random synapses, several between two neurons where it falls out so."""
    sizes = program.groups[pre].size, program.groups[post].size
    count = int(rng.integers(1, 2 * max(sizes) + 1))
    mode = str(rng.choice(list(MANTISSAS)))
    low, high, step = MANTISSAS[mode]
    values = {
        "members": np.arange(count),
        "pre": pre,
        "post": post,
        "current": int(rng.integers(len(program.groups[post].du))),
        "pre_index": rng.integers(0, sizes[0], count),
        "post_index": rng.integers(0, sizes[1], count),
        "mantissa": rng.integers(low // step, high // step + 1, count) * step,
        "delay": rng.integers(1, int(rng.choice([2, 64])), count),
        "exponent": int(rng.choice([0, 3, 7])),
        "sign_mode": mode,
    }
    return Synapses(label, -1, **(values | fixed))


def random_program(networks: int, steps: int, seed: int) -> LoihiProgram:
    """`networks` independent random networks side by side, everything recorded."""
    rng = np.random.default_rng(seed)
    program = LoihiProgram("loihi2", 1.0)
    for network in range(networks):
        first = len(program.groups)
        program.groups.append(source(f"{network} source", int(rng.integers(1, 6)), steps, rng))
        for number in range(int(rng.integers(1, 4))):
            size, currents = int(rng.integers(1, 12)), int(rng.integers(1, 3))
            program.groups.append(compartments(f"{network} neurons {number}", size, rng, currents))
        groups = range(first, len(program.groups))
        for pre in groups:
            for post in groups[1:]:
                if rng.random() < 0.6:
                    program.synapses.append(synapses(f"{pre}→{post}", program, pre, post, rng))
    program.units = [None] * len(program.groups)
    record_everything(program)
    return program
