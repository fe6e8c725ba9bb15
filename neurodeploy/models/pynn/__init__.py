"""The PyNN front end: a PyNN simulator module whose models run on every backend of this package.

It has what every PyNN simulator module has, so ``import neurodeploy.pynn as sim`` stands in for
``import pyNN.nest as sim``; and beside it :func:`capture`, :func:`get_report` and :class:`WeightRecorder`.
A model becomes a :class:`~neurodeploy.models.network.Network` at its first ``run``.

Where PyNN leaves a choice or goes wrong, this module does as follows.

* Wrong names and values are met at the line that has them, with an error that is PyNN's and
  :class:`~neurodeploy.errors.RequestError` at once.
* ``FixedTotalNumberConnector`` draws other numbers than PyNN's, and ``SmallWorldConnector`` works.
* ``FromListConnector`` refuses cell numbers that don't exist (PyNN drops some of them), checks signs, and keeps the
  list's order within a postsynaptic cell.
* ``ArrayConnector`` takes 1 and 0 for True and False (PyNN takes them for cell numbers).
* ``record('spikes')`` leaves the sampling interval alone.
* ``get_data('v')`` after a ``reset()`` holds the signals of all segments (PyNN leaves the earlier ones out).
"""

from __future__ import annotations

from pyNN import errors, random, space
from pyNN.network import Network
from pyNN.parameters import Sequence
from pyNN.random import GSLRNG, NumpyRNG, RandomDistribution
from pyNN.space import Space

from neurodeploy.models.pynn import cells as _cells
from neurodeploy.models.pynn import connectors as _connectors
from neurodeploy.models.pynn import sources as _sources
from neurodeploy.models.pynn import synapses as _synapses
from neurodeploy.models.pynn.cells import (
    IF_cond_exp,
    IF_curr_alpha,
    IF_curr_delta,
    IF_curr_exp,
    Izhikevich,
    SpikeSourceArray,
    SpikeSourcePoisson,
)
from neurodeploy.models.pynn.connectors import *  # noqa: F403
from neurodeploy.models.pynn.control import (
    capture,
    connect,
    create,
    end,
    get_current_time,
    get_max_delay,
    get_min_delay,
    get_report,
    get_time_step,
    initialize,
    num_processes,
    rank,
    record,
    record_gsyn,
    record_v,
    reset,
    run,
    run_for,
    run_until,
    setup,
)
from neurodeploy.models.pynn.populations import Assembly, Population, PopulationView
from neurodeploy.models.pynn.projections import Connection, Projection
from neurodeploy.models.pynn.recording import WeightRecorder
from neurodeploy.models.pynn.sources import DCSource, StepCurrentSource
from neurodeploy.models.pynn.synapses import (
    AdditiveWeightDependence,
    MultiplicativeWeightDependence,
    SpikePairRule,
    StaticSynapse,
    STDPMechanism,
)

_NOT_SUPPORTED = {**_cells.NOT_SUPPORTED, **_synapses.NOT_SUPPORTED, **_sources.NOT_SUPPORTED}
globals().update(_NOT_SUPPORTED)


def list_standard_models() -> list[str]:
    """The names of the cell types that run here."""
    return [cell.__name__ for cell in _cells.SUPPORTED]


_OWN = [
    "AdditiveWeightDependence",
    "Assembly",
    "Connection",
    "DCSource",
    "GSLRNG",
    "IF_cond_exp",
    "IF_curr_alpha",
    "IF_curr_delta",
    "IF_curr_exp",
    "Izhikevich",
    "MultiplicativeWeightDependence",
    "Network",
    "NumpyRNG",
    "Population",
    "PopulationView",
    "Projection",
    "RandomDistribution",
    "STDPMechanism",
    "Sequence",
    "Space",
    "SpikePairRule",
    "SpikeSourceArray",
    "SpikeSourcePoisson",
    "StaticSynapse",
    "StepCurrentSource",
    "WeightRecorder",
    "capture",
    "connect",
    "create",
    "end",
    "errors",
    "get_current_time",
    "get_max_delay",
    "get_min_delay",
    "get_report",
    "get_time_step",
    "initialize",
    "list_standard_models",
    "num_processes",
    "random",
    "rank",
    "record",
    "record_gsyn",
    "record_v",
    "reset",
    "run",
    "run_for",
    "run_until",
    "setup",
    "space",
]

__all__ = [*_OWN, *_connectors.__all__, *_NOT_SUPPORTED]
