"""Records outcomes together: what arrives while one transaction runs shares the next."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from services.webhook_delivery.domain.delivery import Outcome
from shared.errors import DatabaseUnavailableError

_log = structlog.get_logger(__name__)

MAX_BATCH = 500
PAUSE_AFTER_OUTAGE_S = 0.5


class OutcomeStore(Protocol):
    """Where outcomes are kept."""

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write several in one transaction; of a delivery whose claim was lost nothing is written.

        Raises:
            DatabaseUnavailableError: Nothing is certain; write them again.
        """


class BatchRecorder:
    """See ``Recorder``; :meth:`run` does the work."""

    def __init__(self, store: OutcomeStore) -> None:
        self._store = store
        self._waiting: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    async def record(self, outcome: Outcome) -> None:
        """See ``Recorder.record``."""
        recorded = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, recorded))
        self._arrived.set()
        await recorded

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._write([outcome for outcome, _ in batch])
                for _, recorded in batch:
                    if not recorded.done():
                        recorded.set_result(None)

    async def _write(self, outcomes: Sequence[Outcome]) -> None:
        while True:
            try:
                await self._store.write(outcomes)
            except DatabaseUnavailableError as error:
                _log.warning("outcomes not recorded yet", outcomes=len(outcomes), code=error.code)
                await asyncio.sleep(PAUSE_AFTER_OUTAGE_S)
            else:
                return
