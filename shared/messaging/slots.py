"""The slots of a consumer: how many there are, who may fill them, and what became of those who did."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.messaging.broker import Delivery


@dataclass(frozen=True, slots=True)
class QueueShare:
    """One of the queues that a consumer empties."""

    queue: str
    weight: int
    """Share of the slots when several queues have work, relative to the other weights."""
    prefetch: int
    """Most deliveries of this queue held at a time, buffered and running together."""
    group: str = ""
    """Queues of one group share their ``slots``."""
    slots: int | None = None
    """Most slots that the queues of the group fill together; None is all of them."""


@dataclass(frozen=True, slots=True)
class QueueInHand:
    """What a consumer has of one queue; ``done`` and ``slot_s`` count since it began."""

    waiting: int
    running: int
    done: int
    slot_s: float
    """Seconds that those which are done took in their slots, all together."""
    oldest_at: datetime | None
    """When the oldest of those that wait here came to the queue."""


@dataclass(slots=True)
class _Group:
    slots: int
    running: int = 0
    queues: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    running: int = 0
    done: int = 0
    slot_s: float = 0.0


class Slots:
    """Counts who runs.

    Args:
        shares: The queues; of several ``slots`` of one group the first counts.
        concurrency: Slots in all.
    """

    def __init__(self, shares: Sequence[QueueShare], concurrency: int) -> None:
        self.free = concurrency
        """Slots that nobody fills."""
        self._tallies = {share.queue: _Tally() for share in shares}
        groups: dict[str, _Group] = {}
        for share in shares:
            slots = concurrency if share.slots is None else share.slots
            groups.setdefault(share.group, _Group(slots)).queues.append(share.queue)
        self._groups = {queue: group for group in groups.values() for queue in group.queues}
        self._full: set[str] = set()

    @property
    def full_queues(self) -> Collection[str]:
        """Queues whose group fills all of its slots."""
        return self._full

    def begin(self, queue: str) -> float:
        """Fill a slot; returns what :meth:`end` wants to know."""
        self.free -= 1
        self._tallies[queue].running += 1
        group = self._groups[queue]
        group.running += 1
        if group.running == group.slots:
            self._full.update(group.queues)
        return time.monotonic()

    def end(self, queue: str, began: float) -> None:
        """Free it."""
        self.free += 1
        tally = self._tallies[queue]
        tally.running -= 1
        tally.done += 1
        tally.slot_s += time.monotonic() - began
        group = self._groups[queue]
        if group.running == group.slots:
            self._full.difference_update(group.queues)
        group.running -= 1

    def report(self, queue: str, *, waiting: Collection[Delivery]) -> QueueInHand:
        """Say what there is of a queue, beside what waits."""
        tally = self._tallies[queue]
        oldest_at = min((delivery.published_at for delivery in waiting), default=None)
        return QueueInHand(len(waiting), tally.running, tally.done, tally.slot_s, oldest_at)
