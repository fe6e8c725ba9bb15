"""``neurodeploy test-board``: does a SpiNNaker board, emulated or physical, do what the chip's numbers say?"""
