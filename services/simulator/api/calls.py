"""One call from its body to its end: counted, delayed, and made to fail where it asks for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from services.simulator.api.errors import ApiError
from services.simulator.api.requests import Request
from services.simulator.domain.behaviour import Behaviour
from services.simulator.domain.calls import CallLedger


class Calls:
    """Accounts for calls and applies what comes before an answer.

    Args:
        default: How a request is answered that has no ``simulator`` object.
        ledger: Where calls are counted.
    """

    def __init__(self, default: Behaviour, ledger: CallLedger) -> None:
        self._default = default
        self._ledger = ledger

    @asynccontextmanager
    async def call(self, request: web.Request, body: Request) -> AsyncIterator[Behaviour]:
        """Wait as told, then fail as told or yield what is left to do while the answer is written.

        Raises:
            ApiError: The request asked for an error.
        """
        wanted = self._default if body.simulator is None else body.simulator.over(self._default)
        with self._ledger.call(wanted.key) as number:
            behaviour = wanted.for_call(number)
            if behaviour.delay_ms:
                await asyncio.sleep(behaviour.delay_ms / 1000)
            if behaviour.hang:
                await asyncio.Event().wait()
            if behaviour.disconnect:
                break_connection(request)
                raise ApiError(500, "Nobody reads this: the connection is broken.")
            if behaviour.status is not None:
                raise ApiError(
                    behaviour.status,
                    f"Simulated {behaviour.status}.",
                    code="simulated",
                    retry_after_s=behaviour.retry_after_s,
                )
            yield behaviour


def break_connection(request: web.Request) -> None:
    """Close the connection without a word more: the client sees it reset or cut."""
    if request.transport is not None:
        request.transport.abort()
