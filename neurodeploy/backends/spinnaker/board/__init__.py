"""The emulated SpiNNaker board: a process that answers as a board does and executes the chip's own programs."""

NAME = "emulated SpiNNaker"
"""What the board's monitors call the hardware, where those of a chip say ``SpiNNaker``."""

SO_FAR = " ms of the chip's time so far"
"""How a line of the board's log ends that is said about once a second while the chip's time passes."""
