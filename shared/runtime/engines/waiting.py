"""Waiting for another process, which sends no notice, within a bound."""

import time
from collections.abc import Callable

POLL_INTERVAL_S = 0.01


def wait_for(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Poll until `condition` holds; False when `timeout_s` passed first."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True
