"""Networks of Lava's own LIF, Dense and DelayDense models; writes every u, v and spike of all of them, side by side, to a file.

In a step a connection first sends what it holds, so that neurons can be advanced before the connections hear of their spikes.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.utils.weightutils import SignMode
from stock_models import array, step, stock_lif, stock_synapses


def connection(synapses):
    weights, delays = np.array(synapses["weights"]), np.array(synapses["delays"])
    kind = PyDelayDenseModelBitAcc if delays.any() else PyDenseModelBitAcc
    mode = SignMode[synapses["sign_mode"].upper()]
    return stock_synapses(kind, weights, delays, weight_exp=synapses["exponent"], sign_mode=mode)


def sends(model):
    """What a connection is about to send."""
    return np.array(model.a_buff if model.a_buff.ndim == 1 else model.a_buff[:, 0])


def play(network, steps):
    """``u``, ``v``, shape (steps + 1, neurons), and ``spikes``, (steps, neurons), of all populations side by side."""
    played = np.array(network["played"], dtype=bool)
    cells = [stock_lif(**population) for population in network["populations"]]
    links = [(s["pre"], s["post"], connection(s)) for s in network["synapses"]]
    found = {
        "u": [[model.u.copy() for model in cells]],
        "v": [[model.v.copy() for model in cells]],
        "spikes": [],
    }
    for now in range(steps):
        fired = [played[now]]
        announced = [sends(model) for _, _, model in links]
        for number, model in enumerate(cells, 1):
            arriving = [a for a, (_, post, _) in zip(announced, links, strict=True) if post == number]
            step(model, "a_in", sum(arriving, np.zeros(model.v.shape, dtype=np.int32)))
            fired.append(np.array(model.s_out.value))
        for announcement, (pre, _, model) in zip(announced, links, strict=True):
            step(model, "s_in", array(fired[pre]))
            if not np.array_equal(announcement, model.a_out.value):
                raise RuntimeError("a connection has sent something else than it held")
        found["u"].append([model.u.copy() for model in cells])
        found["v"].append([model.v.copy() for model in cells])
        found["spikes"].append(fired[1:])
    return {name: np.array([np.concatenate(row) for row in rows]) for name, rows in found.items()}


given = json.loads(Path(sys.argv[2]).read_text())
played = [play(network, given["steps"]) for network in given["networks"]]
np.savez(
    sys.argv[3], **{name: np.concatenate([p[name] for p in played], axis=1) for name in ("u", "v", "spikes")}
)
print(json.dumps({"networks": len(played)}))
