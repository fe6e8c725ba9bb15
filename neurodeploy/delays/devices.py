"""What executes the arithmetic of a training step: NumPy, or torch on any device it knows.

The step is written once, over the functions that NumPy and the array API standard have in common (`xp`); for torch they
are those of array-api-compat.  Batches, checkpoints and model files are NumPy's, whatever executes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.errors import RequestError, ToolchainMissingError

INSTALL = "pip install 'neurodeploy[torch]'"


@dataclass(frozen=True)
class Device:
    """Where arrays of a training step live.

    Attributes
    ----------
    name : str
        As :func:`choose` was asked for it, and with what was found: ``"numpy"``, ``"torch 2.15.0 on cuda"``.
    xp : module
        Its functions on arrays.
    put, get : callable
        An array from NumPy to there, and back; the memory may be shared.
    beside : bool
        It is not the processor, which is free to make batches meanwhile.
    """

    name: str
    xp: Any
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]
    beside: bool = False


NUMPY = Device("numpy", np, np.asarray, np.asarray)


def choose(name: str = "numpy") -> Device:
    """The device called `name`.

    Parameters
    ----------
    name : str
        ``numpy``; or ``cpu``, ``cuda``, ``cuda:1`` or whatever else torch calls a device; or ``auto``: ``cuda`` where
        torch is installed and finds a GPU, else ``numpy``.

    Raises
    ------
    ToolchainMissingError
        It needs torch, which is not installed.
    RequestError
        torch does not know it, or does not find it on this machine.
    """
    if name == "numpy":
        return NUMPY
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drivers and versions; what matters fails below
            import array_api_compat.torch as xp
            import torch
    except ImportError as error:
        if name == "auto":
            return NUMPY
        raise ToolchainMissingError(
            f"--device {name} needs torch ({error.name} is not installed).",
            why="only NumPy comes along; torch is several gigabytes",
            fix=f"{INSTALL}, or leave --device out",
        ) from error
    if name == "auto":
        if not torch.cuda.is_available():
            return NUMPY
        name = "cuda"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).strip().splitlines()[0]
        raise RequestError(
            f"torch {torch.__version__} cannot use the device '{name}' here ({first}).",
            fix="leave --device out for NumPy, or give cpu, or auto for a GPU where there is one",
        ) from error
    return Device(
        f"torch {torch.__version__} on {name}",
        xp,
        lambda array: torch.as_tensor(array, device=device),
        lambda tensor: tensor.cpu().numpy(),
        beside=device.type != "cpu",
    )
