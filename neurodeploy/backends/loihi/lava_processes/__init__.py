"""Lava processes that the stock library lacks.  Imported in Lava's own interpreter alone, where there is NumPy and Lava."""
