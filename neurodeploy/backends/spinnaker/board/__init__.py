"""The emulated SpiNNaker board: a process that answers as a board does and executes the chip's own programs."""
