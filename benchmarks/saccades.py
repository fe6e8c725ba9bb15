"""The motion detectors on recordings of a camera whose motion is known: N-MNIST, filmed in saccades (Orchard et al. 2015).

The camera makes three straight saccades of 105 ms each.  Where they move the image is taken from the recordings: the drift of
the mean place of all events, by least squares, all files together.  Against that stands the mean direction of the layer's
detections in a saccade, 21 ms (its longest delay) after the saccade's beginning, as ``run delays --events`` makes them but
read every ms and 2 pixels.  The saccades are slower than the layer's motions, so recordings are also played faster.

    python benchmarks/saccades.py FOLDER [--synapses N]        needs neurodeploy[recordings]; FOLDER has N-MNIST's .bin files
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from neurodeploy.delays import layer as layers
from neurodeploy.delays.detections import detect
from neurodeploy.delays.events import from_array
from neurodeploy.delays.layer import Layer
from neurodeploy.delays.synapses import prune
from neurodeploy.event_files import read

SIDE, SACCADE_MS, SACCADES = 34, 105.0, 3
FASTER = (1, 2, 3, 4)
STRIDE = (1, 2, 2)
NEAR = 45.0
"""Degrees; by chance a quarter of all directions is as near."""


def drifts(tables: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Pixels/ms of each saccade, rows + 1j × columns, mean over the recordings."""
    found = np.zeros((len(tables), SACCADES), complex)
    for number, table in enumerate(tables):
        ms = table["t"] / 1000
        for saccade in range(SACCADES):
            mine = (ms >= SACCADE_MS * saccade) & (ms < SACCADE_MS * (saccade + 1))
            down, right = (np.polyfit(ms[mine], table[axis][mine], 1)[0] for axis in "yx")
            found[number, saccade] = down + 1j * right
    return found.mean(axis=0)


def judge(layer: Layer, table: dict[str, np.ndarray], faster: int, wanted: np.ndarray) -> np.ndarray:
    """(error of the mean direction in degrees, share of detections that are near) of each saccade; NaN where there are none."""
    start = int(table["t"][0])
    played = from_array(table | {"t": (table["t"] - start) // faster}, SIDE, SIDE)
    found, rows = detect(layer, played, STRIDE), np.full((SACCADES, 2), np.nan)
    for saccade in range(SACCADES):
        first, last = ((SACCADE_MS * (saccade + k) - start / 1000) / faster for k in (0, 1))
        mine = found.between(int(first) + layer.delays, int(last))
        if len(mine.t):
            turned = np.exp(1j * layer.motions.angles[mine.motion]) * np.exp(-1j * np.angle(wanted[saccade]))
            near = np.abs(np.degrees(np.angle(turned))) <= NEAR
            rows[saccade] = abs(np.degrees(np.angle(turned.sum()))), near.mean()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--synapses", type=int, default=8_000)
    options = parser.parse_args()
    files = [read(path, (SIDE, SIDE)) for path in sorted(options.folder.glob("*.bin"))]
    tables = [{name: getattr(file, name) for name in "xypt"} for file in files]
    layer, wanted = prune(layers.shipped(), options.synapses), drifts(tables)
    said = ", ".join(f"{abs(v):.3f} px/ms to {np.degrees(np.angle(v)) % 360:.0f}°" for v in wanted)
    print(f"{len(tables)} recordings; saccades: {said} (0° down, 90° right)")
    for faster in FASTER:
        rows = np.array([judge(layer, table, faster, wanted) for table in tables])
        for saccade in range(SACCADES):
            error, share = rows[:, saccade].T
            print(
                f"played {faster} times as fast, saccade {saccade + 1}: {np.count_nonzero(error <= NEAR)} of {len(tables)}"
                f" within {NEAR:g}°, median error {np.nanmedian(error):.0f}°, {100 * np.nanmean(share):.0f} % of detections near",
                flush=True,
            )


if __name__ == "__main__":
    main()
