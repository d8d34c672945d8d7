"""Reads the events of a streamed HTTP answer, each wait bounded."""

import asyncio

import aiohttp

from services.provider_worker.adapters.sse import SseParser

_LAST_WORDS_S = 0.05


class EventReader:
    """The events of one response.

    One timer watches over the whole stream and looks only when the oldest limit has passed: a limit for
    each read would cost more than the reading.

    Args:
        response: Its headers have arrived.
        max_event_bytes: Upper bound of one event.
        max_bytes: Upper bound of all of them.
    """

    def __init__(self, response: aiohttp.ClientResponse, *, max_event_bytes: int, max_bytes: int) -> None:
        self._response = response
        self._content = response.content
        self._parser = SseParser(max_event_bytes)
        self._left = max_bytes
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def more(self, until: float) -> list[bytes]:
        """Wait for at least one event; none means that the stream has ended.

        Args:
            until: When to stop waiting, in the event loop's time.

        Raises:
            TimeoutError: Nothing came until then.
            ValueError: An event, or all of them together, are over their bound.
            aiohttp.ClientError: The connection broke.
        """
        self._watch(until)
        while not self._ended:
            data = await self._content.readany()
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("the stream is too long")
            self._ended = not data
            events = self._parser.feed(data) if data else self._parser.finish()
            if events:
                return events
        return []

    async def finish(self) -> None:
        """Read what follows the last event, normally nothing, so that the connection can be used again."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                while not self._ended:
                    self._ended = not await self._content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._ended = True

    def close(self) -> None:
        """Close the connection, unless the answer has been read to its end."""
        if self._timer is not None:
            self._timer.cancel()
        self._response.close()

    def _watch(self, until: float) -> None:
        self._until = until
        if self._timer is None or until < self._timer.when():
            self._wake_at(until)

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._until:
            self._wake_at(self._until)
        else:
            self._content.set_exception(TimeoutError())
