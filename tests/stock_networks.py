"""Random networks that stock Lava can run: a du, dv and threshold a population, no refractory period, one synapse a pair."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from random_programs import EXPONENTS, REGIMES, compartments, mantissas

from neurodeploy.backends.loihi.program import Compartments, LoihiProgram, Source, Synapses
from neurodeploy.chips.loihi import SIGN_MODES

LARGEST = 16


def random_network(draw: np.random.Generator, regime: str, steps: int, longest: int) -> LoihiProgram:
    """A source and one to three populations, each connected to some of them and to itself."""
    when, who = np.nonzero(draw.random((steps, int(draw.integers(1, 6)))) < draw.uniform(0.05, 0.4))
    network = LoihiProgram("loihi2", 1.0, [Source("source", int(who.max(initial=0)) + 1, when, who)])
    for number in range(int(draw.integers(1, 4))):
        size = int(draw.integers(1, LARGEST + 1))
        registers = compartments(draw, regime, 1, size)
        for name in ("du", "dv", "vth"):
            registers[name][...] = registers[name].flat[0]
        registers["refractory"][:] = 0
        network.groups.append(Compartments(f"neurons {number}", size, **registers))
    for pre, source in enumerate(network.groups):
        for post, target in enumerate(network.groups[1:], 1):
            pairs = np.argwhere(draw.random((source.size, target.size)) < draw.uniform(0.0, 0.9))
            if not len(pairs) or draw.random() < 0.3:
                continue
            mode = str(draw.choice(list(SIGN_MODES)))
            latest = int(draw.choice([1, 4, longest], p=[0.6, 0.25, 0.15]))  # long ones are slow in Lava
            network.synapses.append(
                Synapses(
                    label=f"{pre}→{post}",
                    projection=-1,
                    members=np.arange(len(pairs)),
                    pre=pre,
                    post=post,
                    current=0,
                    pre_index=pairs[:, 0],
                    post_index=pairs[:, 1],
                    mantissa=mantissas(draw, mode, len(pairs)),
                    delay=draw.integers(1, latest + 1, len(pairs)),
                    exponent=int(draw.integers(*EXPONENTS[regime])),
                    sign_mode=mode,
                )
            )
    return network


def random_networks(seed: int, count: int, steps: int, longest: int = 63) -> list[LoihiProgram]:
    draw = np.random.default_rng(seed)
    return [random_network(draw, REGIMES[number % 3], steps, longest) for number in range(count)]


def joined(networks: list[LoihiProgram]) -> LoihiProgram:
    """All of them in one Program of a source and one group of neurons, everything recorded."""
    starts, spikes, registers, synapses = [0, 0], [], [], []
    for network in networks:
        first = [starts[0]]
        spikes.append([network.groups[0].steps, network.groups[0].neurons + starts[0]])
        starts[0] += network.groups[0].size
        for group in network.groups[1:]:
            first.append(starts[1])
            registers.append(group)
            starts[1] += group.size
        for one in network.synapses:
            count = len(one.mantissa)
            rows = [np.full(count, int(one.pre > 0)), one.pre_index + first[one.pre]]
            rows += [one.post_index + first[one.post], one.mantissa << one.exponent, one.delay]
            synapses.append(np.stack(rows))
    when, who = np.concatenate(spikes, axis=1)
    order = np.lexsort((who, when))
    together = {
        name: np.concatenate([getattr(group, name) for group in registers], axis=-1)
        for name in vars(registers[0])
        if name not in ("label", "size")
    }
    program = LoihiProgram(
        "loihi2",
        1.0,
        [
            Source("sources", starts[0], when[order], who[order]),
            Compartments("neurons", starts[1], **together),
        ],
    )
    from_cells, pre, post, mantissa, delay = np.concatenate(synapses, axis=1)
    for group in (0, 1):
        mine = from_cells == group
        everyone = np.arange(np.count_nonzero(mine))
        columns = (pre[mine], post[mine], mantissa[mine], delay[mine])
        program.synapses.append(Synapses(f"{group}→1", -1, everyone, group, 1, 0, *columns, 0, "mixed"))
    program.units = [None, None]
    program.recorded = [(1, variable, np.arange(starts[1])) for variable in ("spikes", "v", "isyn_exc")]
    return program


def write_for_lava(networks: list[LoihiProgram], steps: int, path: Path) -> None:
    """The networks as ``lava_scripts/stock_networks.py`` reads them."""
    given = []
    for network in networks:
        source, *cells = network.groups
        played = np.zeros((steps, source.size), dtype=int)
        played[source.steps, source.neurons] = 1
        populations = [
            {"size": group.size, "u": group.u[0].tolist(), "du": int(group.du[0, 0])}
            | {name: int(getattr(group, name)[0]) for name in ("dv", "vth")}
            | {name: getattr(group, name).tolist() for name in ("v", "bias_mant", "bias_exp")}
            for group in cells
        ]
        synapses = []
        for one in network.synapses:
            shape = network.groups[one.post].size, network.groups[one.pre].size
            weights, delays = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
            weights[one.post_index, one.pre_index] = one.mantissa
            delays[one.post_index, one.pre_index] = one.delay - 1
            dense = {"weights": weights.tolist(), "delays": delays.tolist()}
            named = {name: getattr(one, name) for name in ("pre", "post", "exponent", "sign_mode")}
            synapses.append(dense | named)
        given.append({"played": played.tolist(), "populations": populations, "synapses": synapses})
    path.write_text(json.dumps({"steps": steps, "networks": given}))
