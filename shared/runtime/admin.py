"""The operator's port of every service: is it alive, is it ready, what does it count."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from shared.config.settings import AdminSettings
from shared.observability.metrics import ServiceMetrics, service_metrics
from shared.runtime.health import Reporting
from shared.runtime.listening import bind

_REPORT_IS_FRESH_FOR_S = 0.25


@asynccontextmanager
async def admin_server(settings: AdminSettings, health: Reporting) -> AsyncIterator[int]:
    """Serve ``/health/live``, ``/health/ready``, ``/healthcheck`` and ``/metrics`` while the block runs.

    Args:
        settings: Address; port 0 takes a free one.
        health: Asked at most four times a second, however often somebody looks.

    Yields:
        The port that was bound.

    Raises:
        ListenError: The address is taken, not ours, or needs more rights.
    """
    with service_metrics() as metrics:
        endpoints = _Endpoints(health, metrics)
        application = web.Application(client_max_size=0)
        application.router.add_get("/health/live", endpoints.live)
        application.router.add_get("/health/ready", endpoints.ready)
        application.router.add_get("/healthcheck", endpoints.ready)
        application.router.add_get("/metrics", endpoints.metrics)
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, keepalive_timeout=15, shutdown_timeout=1
        )
        await runner.setup()
        try:
            yield await bind(
                runner,
                name="admin port",
                host=settings.host,
                port=settings.port,
                setting="PENSTOCK_ADMIN__PORT",
            )
        finally:
            await runner.cleanup()


class _Endpoints:
    """The handlers. One question to the dependencies answers everybody who asks meanwhile."""

    def __init__(self, health: Reporting, metrics: ServiceMetrics) -> None:
        self._health = health
        self._metrics = metrics
        self._asking = asyncio.Lock()
        self._report: tuple[bool, dict[str, str]] = (False, {})
        self._fresh_until = 0.0

    async def live(self, _: web.Request) -> web.Response:
        """Answer while the event loop runs."""
        return _json(200, {"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """Answer 200 when every required dependency does, and name them all."""
        ready, words = await self._ask()
        complete = all(word == "ok" for word in words.values())
        status = ("ok" if complete else "degraded") if ready else "unavailable"
        return _json(200 if ready else 503, {"status": status, "dependencies": words})

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer a Prometheus scrape in the format that it accepts."""
        await self._ask()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})

    async def _ask(self) -> tuple[bool, dict[str, str]]:
        async with self._asking:
            if time.monotonic() >= self._fresh_until:
                self._report = await self._health.report()
                self._fresh_until = time.monotonic() + _REPORT_IS_FRESH_FOR_S
                self._metrics.report(self._report[1])
            return self._report


def _json(status: int, content: object) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")
