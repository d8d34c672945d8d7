"""Long work leaves the event loop to others."""

import asyncio
import threading
from collections.abc import Iterator

from services.ingress.api.time_slices import PORTION, beside_the_loop


async def test_the_loop_goes_on_while_the_next_text_is_looked_for() -> None:
    went_on = threading.Event()

    def found() -> Iterator[bytes]:
        assert went_on.wait(10)
        yield from (b"%d" % n for n in range(2 * PORTION + 1))

    asyncio.get_running_loop().call_soon(went_on.set)
    texts = [text async for text in beside_the_loop(found())]
    assert texts == [b"%d" % n for n in range(2 * PORTION + 1)]
