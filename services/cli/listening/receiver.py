"""A small HTTP server that takes deliveries."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from services.cli.errors import CommandError
from shared.runtime.listening import ListenError, bind

MAX_BODY_BYTES = 4 * 1024 * 1024
PATH = "/"

Take = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def receiving(take: Take, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``POST /`` while the block runs.

    Args:
        take: Answers one delivery.
        host: Address to listen on.
        port: 0 takes a free one.

    Yields:
        The port that was bound.

    Raises:
        CommandError: The address cannot be listened on.
    """
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.router.add_post(PATH, take)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        yield await bind(runner, name="receiver", host=host, port=port, setting="--port")
    except ListenError as error:
        raise CommandError(str(error)) from None
    finally:
        await runner.cleanup()
