"""The HTTP server, without signal handling of its own: the process that runs it decides when to stop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from shared.runtime.listening import ListenError

BACKLOG = 2048
IDLE_S = 75
"""An idle connection is closed by its client or proxy, which give up sooner: a server that closes it may meet
the next request on its way, and a POST is not sent again."""
LAST_MOMENTS_S = 1.0
"""What is left of the grace for answers to those whose calls were given up."""
_log = structlog.get_logger()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    grace_s: float,
    on_stopping: Callable[[], None],
    on_last_moments: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """Serve while the block runs; then refuse new connections and let requests under way finish.

    Args:
        app: What to serve.
        host: Address to listen on.
        port: 0 takes a free one.
        grace_s: How long requests under way may take to finish.
        on_stopping: Ends the waits that can go on elsewhere: long-polls, event streams.
        on_last_moments: Fails the calls that still wait, so that their callers get an answer.

    Raises:
        ListenError: The address is taken, not ours, or needs more rights.
    """
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )
    server = _Server(config)
    with _listen(host, port) as listener:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            _log.info("listening", host=host, port=listener.getsockname()[1])
            try:
                yield
            finally:
                on_stopping()
                server.should_exit = True
                await asyncio.wait([task], timeout=max(0.0, grace_s - LAST_MOMENTS_S))
                if not task.done():
                    await on_last_moments()


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ListenError(
            f"Cannot listen on {host}:{port}: {reason}. Free it, or set PENSTOCK_PORT to another."
        ) from error
    with listener:
        yield listener
