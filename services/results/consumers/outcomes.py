"""Takes batches off the results queue: decode, record, then tell who waits."""

from collections.abc import Sequence

from services.results import metrics
from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.results.domain.lifecycle import JobMessage
from shared.contracts.jobs import JobDeferred, JobDelta, JobFinished, JobsHeld, JobStarted
from shared.errors import MalformedMessageError
from shared.messaging.announcements import announce_changes
from shared.messaging.broker import Broker, Delivery, Message

_CONTRACTS: dict[str, type[JobMessage | JobsHeld]] = {
    contract.message_type: contract for contract in (JobStarted, JobsHeld, JobDelta, JobDeferred, JobFinished)
}


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
        """Record a batch in one transaction.

        Raises:
            DatabaseUnavailableError: To be repeated.
            MalformedMessageError: One of them cannot be read; nothing was recorded.
        """
        batch = Batch()
        for delivery in deliveries:
            batch.add(decode(delivery.message))
        with metrics.BATCH_SECONDS.time():
            recorded = await self._store.record(batch)
        metrics.BATCH_SIZE.observe(len(deliveries))
        for delivery in deliveries:
            metrics.MESSAGES.labels(delivery.message.type).inc()
        metrics.IGNORED.inc(recorded.ignored)
        for status in recorded.ended:
            metrics.ENDED.labels(status).inc()
        await announce_changes(self._broker, recorded.changed)


def decode(message: Message) -> JobMessage | JobsHeld:
    """Read a message of the results queue.

    Raises:
        MalformedMessageError: Its type is unknown, or its content does not fit the type.
    """
    contract = _CONTRACTS.get(message.type)
    if contract is None:
        raise MalformedMessageError(f"the results queue has no use for the type {message.type[:80]!r}")
    decoded = contract.decode(message.body)
    if isinstance(decoded, JobFinished) and not decoded.status.final:
        raise MalformedMessageError(f"a job does not end as {decoded.status.value!r}")
    return decoded
