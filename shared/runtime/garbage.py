"""When Python looks for cycles of objects that nothing else refers to."""

import gc

THRESHOLD = 10_000
"""Containers made and not yet dropped before the youngest are looked at; Python's own default is 700."""


def spare_long_lived_objects() -> None:
    """Leave out of every later search what has been made so far; call when a service is ready.

    A hundred requests under way keep more than 700 objects alive, so that the default searches many times a
    second, and a full search goes through every imported module: with 64 connections that was a quarter of
    the CPU of ingress, and stalls of 50 ms. What requests leave behind is still found.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD, *gc.get_threshold()[1:])
