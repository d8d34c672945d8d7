"""How fast the workers do the jobs of one queue, by Little's law."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 15.0
"""Busy seconds that a rate is made of, at least."""
ENOUGH = 50
"""Jobs done that a rate is made of; for fewer, the window is longer."""
LEAST = 5
"""Of fewer jobs than these nothing is known."""
KEEP_S = 600.0
"""What was longer ago says nothing about now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What happened between two looks."""

    at: float
    """When it ended; seconds of any clock."""
    seconds: float
    running: float
    """Slots that were filled, on average."""
    done: int
    """Jobs that left their slots."""
    slot_s: float
    """Seconds that those had taken in them."""
    busy: bool
    """Whether jobs waited all the time, so that the workers did all they can."""


class DrainRate:
    """Jobs a second while jobs wait, over the last busy seconds.

    Rate = filled slots / mean time in a slot. To count what is done alone would be wrong while the first
    jobs of a burst run, and jumps where many long jobs end together. What is done while nothing waits
    tells how fast jobs come, not how fast they can be done, so it does not count.

    Source: Little, "A Proof for the Queuing Formula L = λW", Operations Research 9(3), 1961.
    """

    def __init__(self) -> None:
        self._spans: deque[Span] = deque()

    def note(self, span: Span) -> None:
        """Add what happened since the look before."""
        self._spans.append(span)
        while self._spans[0].at < span.at - KEEP_S:
            self._spans.popleft()

    def per_second(self) -> float | None:
        """Return the rate; None while too little is known."""
        seconds = filled = slot_s = 0.0
        done = 0
        for span in reversed(self._spans):
            if seconds >= WINDOW_S and done >= ENOUGH:
                break
            if span.busy:
                seconds += span.seconds
                filled += span.running * span.seconds
                slot_s += span.slot_s
                done += span.done
        if done < LEAST or not seconds or not filled or not slot_s:
            return None
        return (filled / seconds) / (slot_s / done)

    def slot_s(self) -> float | None:
        """Return how long a job takes in its slot, on average, whether others waited or not."""
        slot_s, done = 0.0, 0
        for span in reversed(self._spans):
            if done >= ENOUGH:
                break
            slot_s += span.slot_s
            done += span.done
        return slot_s / done if done else None
