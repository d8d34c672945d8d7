"""Tells whoever waits that jobs changed, whoever runs one that it is over, or that webhooks are due."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog

from shared.contracts.jobs import JOBS_A_BROADCAST, JobsCancelRequested, JobsChanged
from shared.contracts.webhooks import WebhooksDue
from shared.errors import PenstockError
from shared.messaging.broker import Broker, Message

_log = structlog.get_logger(__name__)


async def announce_changes(broker: Broker, job_ids: Sequence[UUID]) -> None:
    """Broadcast that jobs have new events or a new status, after the commit that made them.

    Never raises for the broker's sake: whoever waits looks by itself before long, so a lost
    announcement costs time only.
    """
    try:
        for at in range(0, len(job_ids), JOBS_A_BROADCAST):
            changed = JobsChanged(job_ids=tuple(job_ids[at : at + JOBS_A_BROADCAST]))
            await broker.broadcast(Message(type=changed.message_type, body=changed.encode()))
    except PenstockError as error:
        _log.warning("change not announced", jobs=len(job_ids), code=error.code)


async def announce_unwanted(broker: Broker, attempts: Mapping[UUID, int]) -> None:
    """Broadcast to the workers that nobody wants these jobs any more, up to the attempts that are named.

    As lenient as the other: a job that runs on has its result thrown away.
    """
    entries = list(attempts.items())
    try:
        for at in range(0, len(entries), JOBS_A_BROADCAST):
            unwanted = JobsCancelRequested(attempts=dict(entries[at : at + JOBS_A_BROADCAST]))
            await broker.broadcast(Message(type=unwanted.message_type, body=unwanted.encode()))
    except PenstockError as error:
        _log.warning("unwanted jobs not stopped", jobs=len(attempts), code=error.code)


async def announce_webhooks(broker: Broker) -> None:
    """Broadcast that webhooks are due, after the commit that planned them; as lenient as the other."""
    try:
        await broker.broadcast(Message(type=WebhooksDue.message_type, body=WebhooksDue().encode()))
    except PenstockError as error:
        _log.warning("webhooks not announced", code=error.code)
