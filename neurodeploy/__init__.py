"""neurodeploy: a spiking model written once, in PyNN, on SpiNNaker, Loihi or plain C++."""

from neurodeploy.version import VERSION as __version__

__all__ = ["__version__"]
