"""What all workers together have in hand, by their own word."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from shared.contracts.backlog import QueueLoad, WorkerLoad
from shared.errors import MalformedMessageError
from shared.messaging.broker import Message

_log = structlog.get_logger(__name__)

GONE_AFTER_S = 5.0
"""A worker that has not been heard of for so long is gone; what it had goes back to the queue."""


@dataclass(slots=True)
class InHand:
    """One queue, all workers together; ``done`` and ``slot_s`` count since the first word of each."""

    waiting: int = 0
    running: int = 0
    done: int = 0
    slot_s: float = 0.0
    oldest_at: float | None = None
    """Unix time."""


@dataclass(slots=True)
class _Done:
    jobs: int = 0
    slot_s: float = 0.0


class WorkerLoads:
    """Hears the workers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, dict[str, QueueLoad]]] = {}
        self._done: defaultdict[str, _Done] = defaultdict(_Done)

    def __call__(self, message: Message) -> None:
        """Take a broadcast; must not raise."""
        if message.type != WorkerLoad.message_type:
            return
        try:
            load = WorkerLoad.decode(message.body)
        except MalformedMessageError as error:
            _log.warning("malformed broadcast", reason=error.message)
            return
        queues = {each.queue: each for each in load.queues}
        _, before = self._heard.get(load.worker, (0.0, None))
        if before is not None:
            self._count(before, queues)
        self._heard[load.worker] = (self._clock(), queues)

    def of(self, queue: str) -> InHand:
        """Add up what the workers have of a queue."""
        done = self._done[queue]
        total = InHand(done=done.jobs, slot_s=done.slot_s)
        for _, queues in self._heard.values():
            load = queues.get(queue)
            if load is None:
                continue
            total.waiting += load.waiting
            total.running += load.running
            if load.oldest_at is not None:
                total.oldest_at = min(load.oldest_at, total.oldest_at or load.oldest_at)
        return total

    def forget_the_gone(self) -> None:
        """Leave out the workers that fell silent."""
        now = self._clock()
        for worker in [name for name, (at, _) in self._heard.items() if at < now - GONE_AFTER_S]:
            del self._heard[worker]

    def _count(self, before: dict[str, QueueLoad], after: dict[str, QueueLoad]) -> None:
        for queue, load in after.items():
            known = before.get(queue)
            self._done[queue].jobs += max(0, load.done - (known.done if known else 0))
            self._done[queue].slot_s += max(0.0, load.slot_s - (known.slot_s if known else 0.0))
