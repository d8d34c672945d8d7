"""Group commit: what concurrent callers want done goes out together, in one round trip."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.errors import BrokerUnavailableError, DependencyUnavailableError, PenstockError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    outcome: "asyncio.Future[Outcome]"
    sent: bool = False


class Batcher(Generic[Item, Outcome]):
    """Gathers while one batch is under way, then sends all that waits as the next one, in order.

    The first item after a pause goes at once.

    Args:
        flush: Does a batch, in bounded time; returns one outcome for each item. Its PenstockError is
            everybody's.
        timeout_s: How long a caller waits.
        in_doubt: Raised to a caller whose item was sent and whose outcome did not come in time.
        max_batch: Most items of one batch.
        interval_s: Shortest time from one batch to the next: what comes meanwhile goes out together.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]],
        *,
        timeout_s: float,
        in_doubt: type[DependencyUnavailableError] = BrokerUnavailableError,
        max_batch: int = 256,
        interval_s: float = 0.0,
    ) -> None:
        self._flush = flush
        self._timeout_s = timeout_s
        self._in_doubt = in_doubt
        self._max_batch = max_batch
        self._interval_s = interval_s
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def submit(self, item: Item) -> Outcome:
        """Have an item done; returns when it is.

        Raises:
            BrokerUnavailableError: It certainly was not done.
        """
        loop = asyncio.get_running_loop()
        entry = _Waiting[Item, Outcome](item, loop.create_future())
        self._waiting.append(entry)
        self._idle.clear()
        self._wake.set()
        limit = loop.call_later(self._timeout_s, self._expire, entry)
        try:
            return await entry.outcome
        finally:
            limit.cancel()
            if not entry.sent:
                self._waiting.remove(entry)

    async def run(self) -> None:
        """Send batches until cancelled."""
        now = asyncio.get_running_loop().time
        due_at = 0.0
        while True:
            if not self._waiting:
                self._wake.clear()
                self._idle.set()
                await self._wake.wait()
            early_s = due_at - now()
            if early_s > 0:
                await asyncio.sleep(early_s)
            due_at = now() + self._interval_s
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
            if batch:
                await self._send(batch)

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is under way; bounded by the callers' timeout."""
        await self._idle.wait()

    def _expire(self, entry: _Waiting[Item, Outcome]) -> None:
        if entry.outcome.done():
            return
        if entry.sent:
            entry.outcome.set_exception(self._in_doubt("The broker did not confirm in time."))
        else:
            entry.outcome.set_exception(BrokerUnavailableError("The broker did not answer in time."))

    async def _send(self, batch: Sequence[_Waiting[Item, Outcome]]) -> None:
        for entry in batch:
            entry.sent = True
        try:
            outcomes = await self._flush([entry.item for entry in batch])
        except PenstockError as error:
            for entry in batch:
                if not entry.outcome.done():
                    entry.outcome.set_exception(error)
            return
        for entry, outcome in zip(batch, outcomes, strict=True):
            if not entry.outcome.done():
                entry.outcome.set_result(outcome)
