"""Motion Clouds: random textures that move rigidly, made by the package of that name (Sanz Leon et al. 2012).

    spectrum = Gabor in spatial frequency (sf₀, B_sf) × orientation (θ, B_θ) × speed plane f_t = -v · f (width B_V)

The tests of Grimaldi and Perrinet (2023), section 3.3: a texture whose stripes are perpendicular to its motion
(``"perpendicular"``), or of an orientation drawn anew (``"aperture"``), under each of the layer's motions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from neurodeploy.delays.motions import Motions
from neurodeploy.delays.movies import Movie
from neurodeploy.errors import RequestError, ToolchainMissingError

CONDITIONS = ("perpendicular", "aperture")

CONTRAST_GAIN = 1.0
"""Frames are tanh(gain × z), z the cloud over its standard deviation (the authors' code)."""


@dataclass(frozen=True)
class CloudSettings:
    """The texture and the size of its movies; defaults are the authors'.

    Attributes
    ----------
    frequency, frequency_width : float
        sf₀ and B_sf, cycles/pixel.
    orientation_width : float
        B_θ, radians.
    speed_width : float
        B_V, pixels/ms.
    condition : str
        One of :data:`CONDITIONS`.
    height, width, steps : int
        Even numbers, as the package makes them.
    """

    frequency: float = 0.15
    frequency_width: float = 0.15
    orientation_width: float = math.radians(15)
    speed_width: float = 0.05
    condition: str = "perpendicular"
    height: int = 128
    width: int = 128
    steps: int = 200

    def __post_init__(self) -> None:
        if self.condition not in CONDITIONS:
            raise RequestError(
                f"There is no condition '{self.condition}'.", fix=f"choose {' or '.join(CONDITIONS)}"
            )
        if any(size < 2 or size % 2 for size in (self.height, self.width, self.steps)):
            raise RequestError(
                f"A cloud of {self.height} x {self.width} pixels and {self.steps} ms cannot be made.",
                why="the package MotionClouds makes even sizes alone",
                fix="give even numbers",
            )


SCANS: dict[str, tuple[float, ...]] = {
    "frequency": tuple(0.15 * 8**e for e in np.linspace(-0.7, 1.3, 6)),
    "frequency_width": tuple(0.15 * 10**e for e in np.linspace(-1, 1, 6)),
    "orientation_width": tuple(math.radians(15) * 4**e for e in np.linspace(-1.5, 0.5, 6)),
    "speed_width": tuple(0.05 * 10**e for e in np.linspace(-1, 1, 6)),
}
"""The six values of each of the published scans; that of ``frequency`` has ``frequency_width`` equal to it."""


@lru_cache(maxsize=1)
def _grids(height: int, width: int, steps: int) -> tuple[np.ndarray, ...]:
    import MotionClouds

    return MotionClouds.get_grids(height, width, steps)


def random_cloud(envelope: np.ndarray, seed: int) -> np.ndarray:
    """The package's ``random_cloud(envelope, seed)`` in float32: a third of its time, the same within 1e-5 of its sd.

    NumPy's global random state, which the package uses, is left alone.
    """
    draw = np.random.RandomState(seed)
    phase = (2 * np.pi * draw.random_sample(envelope.shape)).astype(np.float32)
    amplitude = (envelope * draw.standard_normal(envelope.shape)).astype(np.float32)
    spectrum = np.empty(envelope.shape, np.complex64)
    np.multiply(np.cos(phase), amplitude, out=spectrum.real)
    np.multiply(np.sin(phase), amplitude, out=spectrum.imag)
    spectrum = fft.ifftshift(spectrum)
    spectrum[0, 0, 0] = 0
    return fft.ifftn(spectrum, overwrite_x=True).real


def make_cloud(generator: np.random.Generator, motions: Motions, settings: CloudSettings) -> Movie:
    """A cloud under one motion drawn among all.

    Raises
    ------
    ToolchainMissingError
        The package is not installed.
    """
    try:
        import MotionClouds
    except ImportError as error:
        raise ToolchainMissingError(
            "Motion Clouds need the package MotionClouds, which is not installed",
            fix="pip install 'neurodeploy[motionclouds]'",
        ) from error
    label = int(generator.integers(motions.count))
    down, right = motions.velocities[label]
    angle = motions.angles[label] if settings.condition == "perpendicular" else generator.uniform(0, np.pi)
    envelope = MotionClouds.envelope_gabor(
        *_grids(settings.height, settings.width, settings.steps),  # its x is our row
        V_X=down,
        V_Y=right,
        B_V=settings.speed_width,
        sf_0=settings.frequency,
        B_sf=settings.frequency_width,
        theta=angle,
        B_theta=settings.orientation_width,
    )
    envelope /= envelope.max()  # of narrow orientations the package's is beyond float32
    cloud = random_cloud(envelope, int(generator.integers(2**31)))
    frames = np.tanh(CONTRAST_GAIN * cloud / cloud.std())
    name = f"cloud ({settings.condition})"
    return Movie(np.ascontiguousarray(np.moveaxis(frames, 2, 0)), np.full(settings.steps, label), name)
