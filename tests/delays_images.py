"""Images for tests of the motion detectors that need no package with images."""

from __future__ import annotations

import numpy as np
from scipy import fft

from neurodeploy.delays import images
from neurodeploy.delays.images import Image


def texture(height: int = 300, width: int = 320, seed: int = 0) -> Image:
    """Whitened pink noise: what natural images look like to the whitening filter."""
    generator = np.random.default_rng(seed)
    f = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width)[None])
    spectrum = fft.fft2(generator.standard_normal((height, width))) / np.maximum(f, 1 / width)
    return Image("texture", images.whiten(fft.ifft2(spectrum).real))
