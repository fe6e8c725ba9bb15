"""Brian2 without matplotlib and pytest.

It imports both where they are installed, a fifth of its start, and works where they are not.  Nothing here draws or tests.
"""

from __future__ import annotations

import sys

ABSENT = [name for name in ("pylab", "pytest") if name not in sys.modules]
"""What Brian2 finds missing; whoever imports it later finds it."""

sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]  # None stands for a module that is not there
try:
    import brian2
finally:
    for name in ABSENT:
        del sys.modules[name]

__all__ = ["brian2"]
