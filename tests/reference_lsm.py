"""The liquid step by step in plain NumPy: an independent account to test against, slow and close to the text.

Written from the published description of the authors' code: kernels are closed forms of the time since the last spike, weights
are one dense matrix, and every step does the eleven operations in their order.  It shares no code with the package; random
hits come from NumPy's own Philox generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

M = 0.904774
L = 0.15


def hits(p: np.ndarray, seed: int, stream: int, trial: int, step: int) -> np.ndarray:
    """Which inputs are hit: 32 bits of Philox 4x64-10 each, eight inputs a counter, low half of a word first."""
    words = np.zeros((-(-len(p) // 8), 4), dtype=np.uint64)
    for block in range(len(words)):
        # NumPy steps the counter before it draws
        counter = (block + (step << 64) + (stream << 128) - 1) % (1 << 256)
        generator = np.random.Philox(counter=counter, key=seed + (trial << 64))
        words[block] = generator.random_raw(4)
    lanes = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], axis=-1).reshape(-1)[: len(p)]
    below = np.floor(p.astype(np.float32).astype(float) * 2.0**32)
    return lanes.astype(float) < below


@dataclass
class Liquid:
    """Signed weights ``w[target, source]`` over inputs first, then the liquid; what does not exist is False in `there`.

    `signs` is 0 for input sources, +1 for excitatory and -1 for inhibitory ones.
    """

    w: np.ndarray
    there: np.ndarray
    signs: np.ndarray
    inputs: int
    w_astro: float = 0.0
    modulated: bool = True
    gate: tuple[float, float] | None = None
    plastic: bool = True
    trace: np.ndarray = field(init=False)
    activity: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.trace = np.zeros(len(self.signs))
        self.activity = np.zeros(len(self.signs))
        self.low = np.where(self.signs == 1, 0.0, -3.0)
        self.high = np.where(self.signs == -1, 0.0, 3.0)

    def trial(
        self, p: np.ndarray, number: int, steps: int, seed: int, stream: int = 0, fade: float = 1.0
    ) -> tuple[np.ndarray, float]:
        """Spikes as booleans (steps, neurons), and the astrocyte at the end."""
        n = len(self.signs)
        v, refractory, clock = np.zeros(n), np.zeros(n), np.full(n, 20.0)
        astrocyte, rate, w_astro, b_astro = L, L, self.w_astro, L
        spikes = np.zeros((steps, n), dtype=bool)
        for t in range(steps):
            s = (v >= 20.0) & (refractory <= 0)  # 1
            v[s] = 0.0  # 2
            spikes[t] = s  # 3
            clock[s] = 0.0  # 4
            kernel = np.where(clock < 20.0, np.exp(-clock), 0.0)
            drive = np.zeros(n)
            drive[: self.inputs] = 100.0 * hits(p, seed, stream, number, t)
            v = v + (self.w * self.there) @ kernel + drive - v / 64.0  # 5
            clock = np.minimum(clock + 1.0, 100.0)  # 6
            refractory = np.where(s, 2.0, refractory - 1.0)  # 7
            if self.plastic:
                self._learn(s, rate, astrocyte if self.modulated else rate)  # 8
            self.trace = M * (self.trace + 0.1 * s)  # 9
            self.activity = self.activity + s - self.activity / 1000.0
            counted = s[self.inputs :].sum() - s[: self.inputs].sum()
            astrocyte = astrocyte + (w_astro * counted + b_astro - astrocyte) / 100.0  # 10
            astrocyte, rate, w_astro, b_astro = (fade * x for x in (astrocyte, rate, w_astro, b_astro))  # 11
        return spikes, astrocyte

    def _learn(self, s: np.ndarray, up: float, down: float) -> None:
        post, pre = s[:, None].astype(float), s[None, :].astype(float)
        after, before = self.trace[None, :] * post, self.trace[:, None] * pre  # x_j S_i, x_i S_j
        inhibitory = (self.signs == -1)[None, :]
        rises = up * np.where(inhibitory, before, after)
        falls = down * np.where(inhibitory, after, before)
        if self.gate:
            theta, delta = self.gate
            c = self.activity[:, None]
            rises = rises * ((theta < c) & (c < theta + delta))
            falls = falls * ((theta - delta < c) & (c < theta))
        self.w = np.where(self.there, np.clip(self.w + (rises - falls), self.low, self.high), 0.0)
