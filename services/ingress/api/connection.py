"""Noticing that the client has gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from services.ingress.domain.client_gone import ClientGoneError

UNNOTICED_S = 0.05
"""Calls that are answered sooner do without the task that listens for the disconnect."""


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
    listening: list[asyncio.Task[None]] = []

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as scope:
            begin = loop.call_later(UNNOTICED_S, lambda: listening.append(tasks.create_task(listen())))
            try:
                yield
            finally:
                begin.cancel()
                for task in listening:
                    task.cancel()
    except TimeoutError:
        if not scope.expired():
            raise
        raise ClientGoneError("The client closed the connection.") from None
