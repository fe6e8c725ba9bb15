"""Facts and arithmetic of the chips: declarative records and pure functions.

No chip number stands anywhere else in the package, and nothing here knows a backend.
"""
