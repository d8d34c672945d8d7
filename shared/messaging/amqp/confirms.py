"""Publishes that wait for the broker's word."""

import asyncio
from collections.abc import Iterable
from itertools import takewhile

from shared.messaging.amqp.errors import AmqpError, NotConfirmedError, UnroutableError


class Confirms:
    """The unconfirmed publishes of one channel, oldest first.

    One timer serves them all: each has the same limit, so the oldest is the next one over it.

    Args:
        timeout_s: How long a publish waits.
    """

    __slots__ = ("_loop", "_pending", "_timeout_s", "_timer", "next")

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self.next = 1
        """Number that the broker and this side give to the next publish of the channel."""
        self._pending: dict[int, tuple[float, asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self) -> asyncio.Future[None]:
        """Count a publish; returns what its confirm will resolve."""
        confirm: asyncio.Future[None] = self._loop.create_future()
        due = self._loop.time() + self._timeout_s
        self._pending[self.next] = (due, confirm)
        self.next += 1
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._expire)
        return confirm

    def acked(self, tag: int, *, multiple: bool) -> None:
        """Resolve one publish, or all up to it (0: all)."""
        for confirm in self._taken(tag, multiple=multiple):
            if not confirm.done():
                confirm.set_result(None)

    def nacked(self, tag: int, *, multiple: bool) -> None:
        """Fail one publish, or all up to it (0: all)."""
        for confirm in self._taken(tag, multiple=multiple):
            _fail(confirm, NotConfirmedError("the broker refused to confirm"))

    def returned(self, tag: int) -> None:
        """Fail a publish that no queue took; its confirm comes all the same, and changes nothing."""
        if tag in self._pending:
            _fail(self._pending[tag][1], UnroutableError("no queue took it"))

    def lost(self, error: AmqpError) -> None:
        """Fail everything: the channel is gone."""
        pending, self._pending = self._pending, {}
        for _, confirm in pending.values():
            _fail(confirm, error)
        if self._timer is not None:
            self._timer.cancel()

    def _taken(self, tag: int, *, multiple: bool) -> Iterable[asyncio.Future[None]]:
        if multiple:
            tags = list(takewhile(lambda one: one <= tag, self._pending) if tag else self._pending)
            return [self._pending.pop(one)[1] for one in tags]
        taken = self._pending.pop(tag, None)
        return () if taken is None else (taken[1],)

    def _expire(self) -> None:
        """Fail what is over its limit. A confirm that comes later finds nothing."""
        self._timer = None
        now = self._loop.time()
        while self._pending:
            tag, (due, confirm) = next(iter(self._pending.items()))
            if due > now:
                self._timer = self._loop.call_at(due, self._expire)
                return
            del self._pending[tag]
            _fail(confirm, NotConfirmedError("no confirm in time"))


def _fail(confirm: "asyncio.Future[None]", error: AmqpError) -> None:
    if not confirm.done():
        confirm.set_exception(error)
