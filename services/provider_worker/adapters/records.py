"""Publishes records for the results service; those that come close together share a message.

Of a confirmed, durable message for each call, most of the cost is the message and not what is in it.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from services.provider_worker.adapters.patience import until_done
from shared.contracts.records import JobRecords
from shared.errors import PenstockError
from shared.messaging.broker import Broker, Message

_LARGEST_GATHERED = 64 * 1024
"""Bytes of the records in one message; a record that is larger goes by itself."""

_Pending = tuple[Message, asyncio.Future[None]]


class Records:
    """Gathers records by topic and publishes them; an async context manager.

    Leaving it abandons what is not confirmed by then; those jobs come again.

    Args:
        broker: Where to publish.
        interval_s: Shortest time between two messages of a topic, unless they are full.
    """

    def __init__(self, broker: Broker, *, interval_s: float) -> None:
        self._broker = broker
        self._interval_s = interval_s
        self._topics: dict[str, _Gathering] = {}
        self._tasks = asyncio.TaskGroup()
        self._publications: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gathering in self._topics.values():
            gathering.close()
        for publication in self._publications:
            publication.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def add(self, topic: str, record: Message) -> None:
        """Publish a record; returns when the broker has confirmed the message that carries it.

        While the broker is away, this waits for it.

        Raises:
            PenstockError: The broker will never take it.
        """
        gathering = self._topics.get(topic)
        if gathering is None:
            publish = partial(self._begin, topic)
            gathering = self._topics[topic] = _Gathering(publish, interval_s=self._interval_s)
        await gathering.add(record)

    def _begin(self, topic: str, pending: Sequence[_Pending]) -> None:
        publication = self._tasks.create_task(self._publish(topic, pending))
        self._publications.add(publication)
        publication.add_done_callback(self._publications.discard)

    async def _publish(self, topic: str, pending: Sequence[_Pending]) -> None:
        message = _one_message([record for record, _ in pending])
        failure: PenstockError | None = None
        try:
            await until_done(lambda: self._broker.publish(topic, message))
        except PenstockError as error:
            failure = error
        for _, confirmed in pending:
            if confirmed.done():  # its job was taken from it
                continue
            if failure is None:
                confirmed.set_result(None)
            else:
                confirmed.set_exception(failure)


class _Gathering:
    """The records of one topic: the first after a pause goes at once, later ones in intervals.

    Args:
        publish: Gets what is to travel together, in order.
        interval_s: See above.
    """

    def __init__(self, publish: Callable[[Sequence[_Pending]], None], *, interval_s: float) -> None:
        self._publish = publish
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Pending] = []
        self._size = 0
        self._timer: asyncio.Handle | None = None
        self._next_at = 0.0

    def add(self, record: Message) -> asyncio.Future[None]:
        """Take a record; the future is done when it is confirmed, or will never be."""
        size = len(record.body)
        if self._pending and self._size + size > _LARGEST_GATHERED:
            self._flush()
        confirmed = self._loop.create_future()
        self._pending.append((record, confirmed))
        self._size += size
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._next_at, self._loop.time()), self._flush)
        return confirmed

    def close(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        self.close()
        pending, self._pending, self._size, self._timer = self._pending, [], 0, None
        self._next_at = self._loop.time() + self._interval_s
        self._publish(pending)


def _one_message(records: Sequence[Message]) -> Message:
    if len(records) == 1:
        return records[0]
    gathered = JobRecords.gather(records[0].type, [record.body for record in records])
    return Message(type=gathered.message_type, body=gathered.encode())
