"""The ``penstock`` command, and the supervisor of the local fleet. Owns the data folder's private files.

Imports stay inside the commands, so that ``penstock status`` does not load what only ``up`` needs.
"""
