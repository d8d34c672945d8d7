"""Asks a worker about a provider's batch, over the broker."""

from datetime import UTC, datetime

import structlog

from services.scheduler.domain.provider_batch import ProviderBatch
from shared.contracts.ids import new_id
from shared.contracts.provider_batches import ProviderBatchAction, ProviderBatchAsked, ProviderBatchReported
from shared.errors import PenstockError
from shared.messaging.broker import Broker, Message
from shared.messaging.requests import Requester
from shared.messaging.topology import PROVIDER_BATCHES

_log = structlog.get_logger(__name__)


class WorkersDesk:
    """Whichever worker takes the question replies to this process.

    Args:
        broker: Carries the questions.
        requester: Gets the replies.
    """

    def __init__(self, broker: Broker, requester: Requester) -> None:
        self._broker = broker
        self._requester = requester

    async def ask(
        self, batch: ProviderBatch, action: ProviderBatchAction, *, until: datetime
    ) -> ProviderBatchReported | None:
        """See ``ProviderDesk.ask``; an outage is silence."""
        asked = ProviderBatchAsked(
            id=batch.id,
            tenant_id=batch.tenant_id,
            operation=batch.operation,
            model=batch.model,
            action=action,
            until=until,
            created_at=batch.created_at,
            remote_id=batch.remote_id,
            parts=batch.parts if action is ProviderBatchAction.SUBMIT else (),
            output_offset=batch.output_offset,
            error_offset=batch.error_offset,
        )
        correlation_id = str(new_id())
        try:
            with self._requester.expect(correlation_id) as replies:
                message = Message(
                    type=asked.message_type,
                    body=asked.encode(),
                    correlation_id=correlation_id,
                    reply_to=self._requester.address,
                    expires_at=until,
                )
                await self._broker.publish(PROVIDER_BATCHES, message)
                reply = await replies.next((until - datetime.now(UTC)).total_seconds())
            return ProviderBatchReported.decode(reply.body)
        except (PenstockError, TimeoutError) as error:
            _log.info("no answer about a provider batch", batch=str(batch.id), reason=str(error) or "silence")
            return None
