"""Asks the system's resolver, in threads that hold nobody up."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a name; raises OSError where it has none."""

MAX_LOOKUPS = 32


class SystemNames:
    """A :data:`Lookup` by ``getaddrinfo``.

    Lookups of one name at a time share one thread, so that a name whose servers are silent keeps one thread
    busy and not all. The threads are daemons: an answer that never comes does not keep the process alive.
    """

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[Sequence[str]]] = {}
        self._free = asyncio.Semaphore(MAX_LOOKUPS)

    async def __call__(self, host: str) -> Sequence[str]:
        """See :data:`Lookup`. Who stops waiting does not stop the others."""
        if host not in self._asked:
            await self._free.acquire()
            if host in self._asked:
                self._free.release()
            else:
                self._ask(host)
        return await asyncio.shield(self._asked[host])

    def _ask(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[Sequence[str]] = loop.create_future()
        self._asked[host] = asked

        def answer(addresses: Sequence[str], error: OSError | None) -> None:
            del self._asked[host]
            self._free.release()
            if error is None:
                asked.set_result(addresses)
            else:
                asked.set_exception(error)
                asked.exception()  # seen, even where nobody waits any more

        def look_up() -> None:
            found, error = _addresses(host)
            with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits
                loop.call_soon_threadsafe(answer, found, error)

        threading.Thread(target=look_up, name=f"lookup-{host}", daemon=True).start()


def _addresses(host: str) -> tuple[Sequence[str], OSError | None]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return (), error
    except UnicodeError as error:
        return (), OSError(f"not a name: {error}")
    return [str(entry[4][0]) for entry in found], None
