"""The PyNN simulator module of this package: ``import neurodeploy.pynn as sim``.

See :mod:`neurodeploy.models.pynn`, whose names these are.
"""

from __future__ import annotations

from neurodeploy.models import pynn as _front_end
from neurodeploy.models.pynn import *  # noqa: F403

__all__ = list(_front_end.__all__)
