"""Health on the main port, for load balancers that see no other."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.api.answers import json_answer
from shared.runtime.health import Health

FRESH_S = 0.25


class HealthEndpoints:
    """Alive, ready. One question to the dependencies answers everybody who asks meanwhile."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._asking = asyncio.Lock()
        self._report: tuple[bool, dict[str, str]] = (False, {})
        self._fresh_until = 0.0

    async def live(self, _: Request) -> Response:
        """Answer while the event loop runs."""
        return json_answer({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Answer 200 when every required dependency does, and name them all."""
        async with self._asking:
            if time.monotonic() >= self._fresh_until:
                self._report = await self._health.report()
                self._fresh_until = time.monotonic() + FRESH_S
        ready, words = self._report
        complete = all(word == "ok" for word in words.values())
        status = ("ok" if complete else "degraded") if ready else "unavailable"
        return json_answer({"status": status, "dependencies": words}, 200 if ready else 503)
