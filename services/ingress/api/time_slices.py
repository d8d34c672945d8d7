"""Long work in short slices, so that one request does not keep the event loop from all others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice

PORTION = 100
"""Texts that are cut out of a body before the first of them is looked at."""
SLICE_S = 0.005
"""How long the work goes on."""
PAUSE_S = 0.002
"""How long it then rests: other requests take several turns of the loop each."""


class TimeSlices:
    """Begins the first slice when it is made."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + SLICE_S

    async def rest_if_due(self) -> None:
        """Let others work where the slice is over; call it between two short steps."""
        if self._clock() > self._until:
            await asyncio.sleep(PAUSE_S)
            self._until = self._clock() + SLICE_S


async def beside_the_loop(texts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what a thread finds: where the next text ends may be known only after very many bytes."""
    while portion := await asyncio.to_thread(lambda: list(islice(texts, PORTION))):
        for text in portion:
            yield text
