"""Lava's own learning connection on the rules and spikes of a file, step by step; prints weights, tags and traces.

The model is driven without a runtime: its ports are replaced by lists, so a hundred rules cost seconds.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, sys.argv[1])
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.utils.weightutils import SignMode
from lava_processes.learning import stock_rule


class Port:
    """A port that gives what it was handed, and keeps what is sent."""

    def __init__(self):
        self.value = None

    def recv(self):
        return self.value

    def send(self, data):
        self.value = np.array(data)


def model_of(case):
    weights = np.array(case["weights"], dtype=np.int32)
    posts, pres = weights.shape
    model = PyLearningDenseModelBitApproximate(
        {
            "learning_rule": stock_rule(case["rule"]),
            "shape": weights.shape,
            "graded_spike_cfg": GradedSpikeCfg.USE_REGULAR_IMPULSE,
            "sign_mode": SignMode.EXCITATORY,
            "num_weight_bits": 8,
            "weight_exp": case["exponent"],
        }
    )
    model.s_in, model.s_in_bap, model.a_out = Port(), Port(), Port()
    model.num_message_bits = np.array([0])
    model.weights, model.a_buff = weights, np.zeros(posts, dtype=np.int32)
    model.tag_1, model.tag_2 = np.zeros(weights.shape, dtype=int), np.zeros(weights.shape, dtype=int)
    for names, size in ((("x1", "x2"), pres), (("y1", "y2", "y3"), posts)):
        for name in names:
            setattr(model, name, np.zeros(size, dtype=int))
    for letter, size in (("x", pres), ("y", posts)):
        setattr(model, f"{letter}0", np.zeros(size, dtype=bool))
        setattr(model, f"t{letter}", np.zeros(size, dtype=int))
    return model


def play(case):
    model = model_of(case)
    found = {name: [] for name in ("sent", "weights", "tag_1", "x1", "x2", "y1", "y2", "y3")}
    for pre, post in zip(case["pre"], case["post"], strict=True):
        model.time_step += 1
        model.s_in.value, model.s_in_bap.value = np.array(pre), np.array(post)
        model.run_spk()
        found["sent"].append(model.a_out.value.tolist())
        model.run_lrn()
        for name in found:
            if name != "sent":
                found[name].append(np.asarray(getattr(model, name)).astype(int).tolist())
    return found


print(json.dumps([play(case) for case in json.loads(Path(sys.argv[2]).read_text())]))
