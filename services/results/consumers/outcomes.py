"""Takes batches off the results queue: decode, record, then tell who waits."""

from collections import Counter
from collections.abc import Sequence

from services.results import metrics
from services.results.adapters.job_store import JobStore
from services.results.consumers.records import Record, decode, records_of
from services.results.domain.batch import Batch
from shared.errors import PenstockError
from shared.messaging.announcements import announce_changes, announce_unwanted
from shared.messaging.broker import Broker, Delivery, Settlement
from shared.messaging.settlement import reason_for, settlement_for
from shared.runtime.crash_points import CrashPoint, crash_points


class RecordsRefusedError(PenstockError):
    """Some of the records of one message cannot be recorded; the others are."""

    code = "records_refused"


class RecordOutcomes:
    """Handler of a ``BatchConsumer``; safe to repeat.

    Args:
        store: Where outcomes are recorded.
        broker: Carries the broadcasts.
    """

    def __init__(self, store: JobStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Record a batch in one transaction; one message that fails, record by record.

        Raises:
            DatabaseUnavailableError: To be repeated.
            MalformedMessageError: One of them cannot be read; nothing was recorded.
            RecordsRefusedError: Of the records of one message only some are recorded.
        """
        records = [record for delivery in deliveries for record in records_of(delivery.message)]
        try:
            await self._record(records)
        except Exception as error:
            if len(deliveries) > 1 or len(records) == 1 or not _hopeless(error):
                raise
            await self._record_each(records)

    async def _record(self, records: Sequence[Record]) -> None:
        crash_points.reach(CrashPoint.RECORD_RECEIVED)
        batch = Batch()
        for record in records:
            batch.add(decode(record))
        with metrics.BATCH_SECONDS.time():
            recorded = await self._store.record(batch)
        crash_points.reach(CrashPoint.RECORD_COMMITTED)
        metrics.BATCH_SIZE.observe(len(records))
        for name, count in Counter(name for name, _ in records).items():
            metrics.MESSAGES.labels(name).inc(count)
        metrics.IGNORED.inc(recorded.ignored)
        for status, count in Counter(recorded.ended).items():
            metrics.ENDED.labels(status).inc(count)
        await announce_unwanted(self._broker, recorded.unwanted)
        await announce_changes(self._broker, recorded.changed)
        crash_points.reach(CrashPoint.RECORD_ANNOUNCED)

    async def _record_each(self, records: Sequence[Record]) -> None:
        """Keep what cannot be recorded from taking the rest of its message with it."""
        refused: list[Exception] = []
        for record in records:
            try:
                await self._record([record])
            except Exception as error:
                if not _hopeless(error):
                    raise
                refused.append(error)
        if refused:
            raise RecordsRefusedError(
                f"{len(refused)} of {len(records)} records, the first for {reason_for(refused[0])}"
            )


def _hopeless(error: Exception) -> bool:
    """Whether repeating cannot help."""
    return settlement_for(error) is Settlement.DEAD_LETTER
