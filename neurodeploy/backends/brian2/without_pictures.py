"""Brian2 without matplotlib and pytest.

It imports both where they are installed, a fifth of its start, and works where they are not.  Nothing here draws or tests.
A Brian2 that is imported here first goes on without them: ``from brian2 import *`` has no names of pylab then, and
``brian2.test()`` says that pytest is missing.  One that a script has imported before stays as it is.
"""

from __future__ import annotations

import sys

ABSENT = [name for name in ("pylab", "pytest") if name not in sys.modules]
"""What Brian2 finds missing, and any other thread that imports it meanwhile; whoever imports it later finds it."""

sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]  # None stands for a module that is not there
try:
    import brian2
finally:
    for name in ABSENT:
        del sys.modules[name]

__all__ = ["brian2"]
