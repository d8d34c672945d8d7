"""Composition root of webhook delivery."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.webhook_delivery.adapters.backlog import watch_backlog
from services.webhook_delivery.adapters.outcomes import OutcomesTable
from services.webhook_delivery.adapters.queue import QueueTable
from services.webhook_delivery.adapters.recorder import BatchRecorder
from services.webhook_delivery.adapters.sender import HttpSender
from services.webhook_delivery.domain.delivering import Delivering
from services.webhook_delivery.domain.dispatcher import Dispatcher
from services.webhook_delivery.domain.judgement import Judgement
from services.webhook_delivery.domain.limits import TargetLimits
from services.webhook_delivery.settings import SendingSettings, WebhookDeliverySettings
from shared.contracts.jobs import JobsChanged
from shared.contracts.webhooks import WebhooksDue
from shared.messaging.broker import Broker, Message, OnMessage
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.security.egress import EgressPolicy
from shared.security.egress.client import GuardedClient
from shared.security.webhook_secrets import SecretBox
from shared.storage.postgres import Database

_CALLS = frozenset((JobsChanged.message_type, WebhooksDue.message_type))


@asynccontextmanager
async def running(settings: WebhookDeliverySettings) -> AsyncIterator[Health]:
    """Deliver until the block ends; then finish the requests under way, and give the rest back."""
    name = f"webhook_delivery-{os.getpid()}"
    sending = settings.webhooks
    broker = make_broker(settings.broker, name=name)
    client = GuardedClient(
        EgressPolicy(settings.egress),
        timeout_s=sending.timeout_s,
        connect_timeout_s=sending.connect_timeout_s,
        excerpt_bytes=sending.excerpt_bytes,
    )
    async with Database(settings.postgres, role="penstock_system", name=name) as database, client:
        recorder = BatchRecorder(OutcomesTable(database, disable_after_s=sending.disable_after_s))
        dispatcher = dispatcher_of(sending, database, client, SecretBox(settings.secret_key), recorder)

        def heard(message: Message) -> None:
            if message.type in _CALLS:
                dispatcher.wake()

        try:
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(_listen(broker, heard)),
                    group.create_task(recorder.run()),
                    group.create_task(watch_backlog(database)),
                ]
                work = group.create_task(dispatcher.run())
                try:
                    yield Health(required={"postgres": database.ping}, optional={"broker": broker.ping})
                finally:
                    await dispatcher.stop(settings.shutdown_grace_s)
                    await asyncio.wait([work], timeout=settings.shutdown_grace_s)
                    for task in (work, *background):
                        task.cancel()
        finally:
            await broker.close()


async def _listen(broker: Broker, heard: OnMessage) -> None:
    """Hear of what is due, once the broker is there; without it, it is found by looking."""
    await broker.connect()
    await broker.listen(heard)


def dispatcher_of(
    settings: SendingSettings,
    database: Database,
    client: GuardedClient,
    box: SecretBox,
    recorder: BatchRecorder,
) -> Dispatcher:
    """Assemble what delivers."""
    limits = TargetLimits(settings.per_endpoint)
    delivering = Delivering(
        sender=HttpSender(client, box),
        judgement=Judgement(
            delays_s=settings.retry_delays_s,
            jitter=settings.jitter,
            retry_after_limit_s=settings.retry_after_limit_s,
        ),
        recorder=recorder,
        limits=limits,
    )
    return Dispatcher(
        QueueTable(database, box, lease_s=settings.lease_s),
        delivering,
        limits,
        concurrency=settings.concurrency,
        poll_s=settings.poll_interval_s,
    )
