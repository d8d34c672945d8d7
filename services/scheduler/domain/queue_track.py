"""One job queue as it is seen over time."""

from dataclasses import dataclass

from services.scheduler.domain.drain_rate import DrainRate, Span
from services.scheduler.domain.worker_loads import InHand
from shared.contracts.backlog import QueueEstimate
from shared.contracts.jobs import Lane, Operation
from shared.messaging.arrivals import ArrivalHistory
from shared.messaging.broker import Depth

BUSY_SHARE = 0.25
"""A queue in which less waits than this share of what a look saw done was not waiting for its workers."""
GONE_AFTER_LOOKS = 5
"""What has been missing for so many looks is gone."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    at: float
    """Unix time."""
    depth: Depth
    in_hand: InHand
    unpublished: int
    """Jobs that are due and not on the broker."""

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return self.depth.ready + self.in_hand.waiting + self.unpublished


class _Arrived:
    """Counts arrivals: whatever waits, runs or is done has come.

    Broker and workers are not seen at the same moment, so the sum falls back now and then and catches up;
    only a new high is news. Where it stays lower, messages have expired or were purged.
    """

    def __init__(self) -> None:
        self.count = 0
        self._highest: int | None = None
        self._lower: list[int] = []

    def note(self, total: int) -> None:
        if self._highest is None:
            self._highest = total
        if total >= self._highest:
            self.count += total - self._highest
            self._highest = total
            self._lower.clear()
            return
        self._lower.append(total)
        if len(self._lower) == GONE_AFTER_LOOKS:
            self._highest = max(self._lower)
            self._lower.clear()


class QueueTrack:
    """Follows a queue from look to look."""

    def __init__(self, operation: Operation, lane: Lane) -> None:
        self.operation = operation
        self.lane = lane
        self.rate = DrainRate()
        self._arrivals = ArrivalHistory()
        self._arrived = _Arrived()
        self._last: Look | None = None

    def note(self, look: Look) -> QueueEstimate:
        """Take a look into account; says what is to be expected."""
        if self._last is None or look.at > self._last.at:  # a wall clock may be set back
            if self._last is not None:
                self._compare(self._last, look)
            self._last = look
            self._arrived.note(look.waiting + look.in_hand.running + look.in_hand.done)
            self._arrivals.note(look.at, self._arrived.count)
        return QueueEstimate(
            operation=self.operation,
            lane=self.lane,
            waiting=look.waiting,
            running=look.in_hand.running,
            arrived=self._arrived.count,
            per_second=self.rate.per_second() if look.depth.consumers else None,
            oldest_age_s=self._oldest_age_s(look),
            consumers=look.depth.consumers,
        )

    def _compare(self, last: Look, look: Look) -> None:
        before, after = last.in_hand, look.in_hand
        done = after.done - before.done
        enough = max(1.0, BUSY_SHARE * done)
        self.rate.note(
            Span(
                at=look.at,
                seconds=look.at - last.at,
                running=(before.running + after.running) / 2,
                done=done,
                slot_s=after.slot_s - before.slot_s,
                busy=bool(look.depth.consumers) and min(last.waiting, look.waiting) >= enough,
            )
        )

    def _oldest_age_s(self, look: Look) -> float | None:
        """Ask the workers, who have the first of the queue in hand, then the broker, then the history."""
        if not look.waiting:
            return None
        if look.in_hand.oldest_at is not None:
            return max(0.0, look.at - look.in_hand.oldest_at)
        if look.depth.oldest_age_s is not None:
            return look.depth.oldest_age_s
        return self._arrivals.age_of(look.waiting, look.at)
