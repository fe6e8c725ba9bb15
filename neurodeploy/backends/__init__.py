"""Backends: what turns a checked Network into a run.  Each is a folder; none is imported before it is asked for."""
