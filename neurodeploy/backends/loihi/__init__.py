"""Loihi: a Network becomes a Program in the chip's own numbers, executed by Lava or by our own engine."""
