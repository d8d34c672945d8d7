"""Composition root of the simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from services.simulator.api.batches import BatchRoutes
from services.simulator.api.calls import Calls
from services.simulator.api.embeddings import EmbeddingRoutes
from services.simulator.api.errors import render_errors
from services.simulator.api.images import IMAGE_PATH, ImageRoutes
from services.simulator.api.observation import ObservationRoutes
from services.simulator.api.text import TextRoutes
from services.simulator.domain.calls import CallLedger
from services.simulator.settings import SimulatorSection, SimulatorSettings
from shared.runtime.health import Health
from shared.runtime.listening import bind


def application(section: SimulatorSection, batches: BatchRoutes) -> web.Application:
    """Wire the routes."""
    ledger = CallLedger(section.remembered_keys)
    calls = Calls(section.behaviour, ledger)
    text = TextRoutes(calls)
    embeddings = EmbeddingRoutes(calls, dimensions=section.embedding_dimensions)
    images = ImageRoutes(calls)
    observation = ObservationRoutes(ledger)
    app = web.Application(middlewares=[render_errors], client_max_size=section.max_body_bytes)
    app.add_routes(
        [
            web.post("/v1/chat/completions", text.chat),
            web.post("/v1/completions", text.completion),
            web.post("/v1/embeddings", embeddings.embeddings),
            web.post("/v1/images/generations", images.generate),
            web.post("/v1/files", batches.upload),
            web.get("/v1/files/{id}/content", batches.content),
            web.post("/v1/batches", batches.create),
            web.get("/v1/batches", batches.list),
            web.get("/v1/batches/{id}", batches.get),
            web.post("/v1/batches/{id}/cancel", batches.cancel),
            web.put("/simulator/batches", batches.behave),
            web.get("/v1/models", observation.models),
            web.get("/v1/models/{name:.+}", observation.model),
            web.get(IMAGE_PATH, images.image),
            web.get("/simulator/calls", observation.calls),
            web.get("/simulator/spans", observation.spans),
            web.delete("/simulator/calls", observation.forget_calls),
        ]
    )
    return app


@asynccontextmanager
async def listening(section: SimulatorSection) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port. A client that leaves cancels its call."""
    async with BatchRoutes() as batches:
        runner = web.AppRunner(
            application(section, batches), access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            port = await bind(
                runner,
                name="simulator's port",
                host=section.host,
                port=section.port,
                setting="PENSTOCK_SIMULATOR__PORT",
            )
            structlog.get_logger().info("listening", host=section.host, port=port)
            yield port
        finally:
            await runner.cleanup()


@asynccontextmanager
async def running(settings: SimulatorSettings) -> AsyncIterator[Health]:
    """Run the service; see ``shared.runtime.service``."""
    async with listening(settings.simulator):
        yield Health()
