"""The emulated SpiNNaker board: a process that answers as a board does and executes the chip's own programs."""

NAME = "emulated SpiNNaker"
"""What the board's monitors call the hardware, where those of a chip say ``SpiNNaker``."""
