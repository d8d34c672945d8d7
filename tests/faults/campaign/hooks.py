"""The server that jobs tell of their ends: it records what comes, and takes all of it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from tests.faults.campaign.history import History, Told

HOST = "127.0.0.1"


@asynccontextmanager
async def hearing(history: History) -> AsyncGenerator[str, None]:
    """Serve while the block runs; lends the URL."""

    async def take(request: web.Request) -> web.Response:
        event = orjson.loads(await request.read())
        told = Told(message_id=request.headers["webhook-id"], event=event["type"], job_id=event["data"]["id"])
        history.record(told)
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
