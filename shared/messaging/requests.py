"""Request and reply over the broker: one inbox for the process, replies sorted by correlation id."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from shared.errors import BrokerUnavailableError
from shared.messaging.broker import Broker, Inbox, Message


class Replies:
    """The replies to one request; a context manager that forgets them on leaving.

    Whoever reads is one task; what arrives while nobody waits is kept in order.
    """

    def __init__(self, expected: "dict[str, Replies]", correlation_id: str) -> None:
        self._expected = expected
        self._correlation_id = correlation_id
        self._arrived: deque[Message] = deque()
        self._over: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        """Receive from now on.

        Raises:
            ValueError: Somebody in this process waits for the same correlation id.
        """
        if self._correlation_id in self._expected:
            raise ValueError(f"replies to {self._correlation_id} are awaited already")
        self._expected[self._correlation_id] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let later replies vanish."""
        del self._expected[self._correlation_id]
        self._arrived.clear()
        self._over = None  # its traceback leads back here: a cycle, which would stay until it is collected

    async def next(self, timeout_s: float | None = None) -> Message:
        """Wait for the next reply.

        Args:
            timeout_s: Seconds; at 0 or less only what has arrived already is returned. None waits until
                somebody calls :meth:`give_up`.

        Raises:
            TimeoutError: None arrived in time.
            BrokerUnavailableError: The connection broke since the request, so one may be lost. What
                arrived before comes first; after this error there is nothing more to wait for.
            Exception: What :meth:`give_up` was told.
        """
        if not self._arrived and self._over is None:
            await self._news(timeout_s)
        if self._arrived:
            return self._arrived.popleft()
        raise self._over or TimeoutError

    async def _news(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        late = None if timeout_s is None else loop.call_later(max(0.0, timeout_s), self._wake)
        try:
            await self._waiter
        finally:
            if late is not None:
                late.cancel()
            self._waiter = None

    def arrived(self) -> Message | None:
        """Return the next reply if it is there already."""
        return self._arrived.popleft() if self._arrived else None

    def add(self, message: Message) -> None:
        """Take a reply from the inbox."""
        if self._over is None:
            self._arrived.append(message)
            self._wake()

    def give_up(self, error: Exception) -> None:
        """End the waiting: what arrived before comes first, then :meth:`next` raises this error for good."""
        if self._over is None:
            self._over = error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Requester:
    """Opens the inbox on entering, closes it on leaving.

    Example::

        with requester.expect(correlation_id) as replies:
            await broker.publish(topic, message)  # with reply_to=requester.address
            reply = await replies.next(30)
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._expected: dict[str, Replies] = {}
        self._inbox: Inbox | None = None

    async def __aenter__(self) -> Self:
        """Open the inbox."""
        self._inbox = await self._broker.open_inbox(self._sort, self._lose_all)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the inbox; whoever still waits gets BrokerUnavailableError."""
        inbox, self._inbox = self._inbox, None
        self._lose_all()
        if inbox is not None:
            await inbox.close()

    @property
    def address(self) -> str:
        """What goes into ``reply_to``."""
        if self._inbox is None:
            raise BrokerUnavailableError("The inbox for replies is not open.")
        return self._inbox.address

    def expect(self, correlation_id: str) -> Replies:
        """Prepare for the replies to one request; enter the result before publishing the request."""
        return Replies(self._expected, correlation_id)

    def _sort(self, message: Message) -> None:
        replies = self._expected.get(message.correlation_id or "")
        if replies is not None:
            replies.add(message)

    def _lose_all(self) -> None:
        """A later reply could hide the gap, so that nothing more is taken."""
        for replies in self._expected.values():
            replies.give_up(
                BrokerUnavailableError("The connection to the broker broke while a reply was awaited.")
            )
