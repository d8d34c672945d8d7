"""Noticing that the client has gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType

from starlette.types import Receive

from services.ingress.domain.client_gone import ClientGoneError

UNNOTICED_S = 0.25
"""Calls that are answered sooner do without the task that listens for the disconnect."""


class Departure:
    """Listens while the block runs.

    Args:
        receive: Of a request whose body was read.
        tasks: Holds the task that listens.
        on_gone: Called when the client has closed its connection.
    """

    __slots__ = ("_begin", "_listening", "_on_gone", "_receive", "_tasks")

    def __init__(
        self, receive: Receive, tasks: asyncio.TaskGroup, on_gone: Callable[[ClientGoneError], None]
    ) -> None:
        self._receive = receive
        self._tasks = tasks
        self._on_gone = on_gone
        self._listening: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        """Begin, a little later."""
        self._begin = asyncio.get_running_loop().call_later(UNNOTICED_S, self._start)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._begin.cancel()
        listening, self._listening = self._listening, None  # a task that was cancelled knows its frames
        if listening is not None:
            listening.cancel()

    def _start(self) -> None:
        self._listening = self._tasks.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._on_gone(ClientGoneError("The client closed the connection."))


@asynccontextmanager
async def while_connected(receive: Receive, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
    """Cancel the block when the client closes its connection.

    Args:
        receive: Of a request whose body was read.
        tasks: Holds the task that listens.

    Raises:
        ClientGoneError: That happened.
    """
    loop = asyncio.get_running_loop()
    gone: list[ClientGoneError] = []

    def leave(error: ClientGoneError) -> None:
        gone.append(error)
        scope.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as scope:
            with Departure(receive, tasks, leave):
                yield
    except TimeoutError:
        if not scope.expired():
            raise
        raise gone.pop() from None  # kept, it would be a cycle with the frame of this function
