"""Questions to the broker that wait for their answers."""

import asyncio
from collections import deque
from typing import Any

from shared.messaging.amqp.errors import AmqpError, MalformedFrameError
from shared.messaging.amqp.methods import Method, decode


class Calls:
    """The open questions of one channel; a broker answers them in their order.

    A question whose asker has gone keeps its place until its answer has come.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[tuple[Method, ...], asyncio.Future[Any]]] = deque()

    def expect(self, *answers: Method) -> asyncio.Future[Any]:
        """Wait for one of these methods next; resolves to its arguments."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((answers, answer))
        return answer

    def answer(self, number: int, payload: bytes) -> None:
        """Give the oldest question what came.

        Raises:
            MalformedFrameError: It is no answer to that question.
        """
        waits_for = self._waiting[0][0] if self._waiting else ()
        for method in waits_for:
            if method.number == number:
                self.resolve(decode(method, payload))
                return
        raise MalformedFrameError(f"nobody waits for method {number:#x}")

    def resolve(self, value: object) -> None:
        """Give the oldest question its answer."""
        if not self._waiting:
            raise MalformedFrameError("an answer that nobody waits for")
        _, answer = self._waiting.popleft()
        if not answer.done():
            answer.set_result(value)

    def fail(self, error: AmqpError) -> None:
        """Tell everybody that no answer will come."""
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(error)
