"""A network that is shown one sample after another while a third factor scales its learning, in Lava.

The counterpart of :mod:`neurodeploy.backends.brian2.trials`: the same Network, lowered to whole numbers.
"""
