"""How often each key was called, when, and how the calls ended: what a fault test asks afterwards."""

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_REMEMBERED_SPANS = 100
"""Of one key; calls of no key have none."""


@dataclass(slots=True)
class Span:
    """From when to when a call lasted, in seconds since 1970."""

    began: float
    ended: float | None = None
    """None while it is under way."""


@dataclass(slots=True)
class Count:
    """Calls of one key."""

    calls: int = 0
    active: int = 0
    """Under way now."""
    aborted: int = 0
    """Ended by the client, before the answer was complete."""
    spans: list[Span] = field(default_factory=list)
    """Of the first calls."""


class CallLedger:
    """Counts in memory; ``""`` is the key of calls that named none.

    Args:
        remembered_keys: How many keys are kept; then the one that appeared first is forgotten.
        clock: Tells the time in seconds since 1970.
    """

    def __init__(self, remembered_keys: int, clock: Callable[[], float] = time.time) -> None:
        self._remembered_keys = remembered_keys
        self._clock = clock
        self._counts: dict[str, Count] = {}

    @contextmanager
    def call(self, key: str) -> Iterator[int]:
        """Account for one call; yields its number among the calls of ``key``, from 1.

        A call that is cancelled, or cannot write to its client any more, was aborted.
        """
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= self._remembered_keys:
                del self._counts[next(iter(self._counts))]
            count = self._counts[key] = Count()
        count.calls += 1
        count.active += 1
        span = Span(self._clock())
        if key and len(count.spans) < _REMEMBERED_SPANS:
            count.spans.append(span)
        try:
            yield count.calls
        except (CancelledError, ConnectionError):
            count.aborted += 1
            raise
        finally:
            count.active -= 1
            span.ended = self._clock()

    def of(self, key: str) -> dict[str, int]:
        """Return ``calls``, ``active`` and ``aborted`` of one key."""
        count = self._counts.get(key) or Count()
        return {"calls": count.calls, "active": count.active, "aborted": count.aborted}

    def spans(self) -> dict[str, list[tuple[float, float | None]]]:
        """Return when the calls of each named key began and ended."""
        return {
            key: [(span.began, span.ended) for span in count.spans]
            for key, count in self._counts.items()
            if count.spans
        }

    def total(self) -> dict[str, int]:
        """Return the sums over every key that is remembered."""
        counts = self._counts.values()
        return {
            "calls": sum(count.calls for count in counts),
            "active": sum(count.active for count in counts),
            "aborted": sum(count.aborted for count in counts),
            "keys": len(counts),
        }

    def forget(self) -> None:
        """Start anew; calls under way are no longer counted."""
        self._counts.clear()
