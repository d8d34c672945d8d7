"""The outbox is marked beside those who end the same jobs."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.domain.new_job import NewJob
from shared.config.settings import BrokerSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import Lane, Operation
from shared.messaging.factory import make_broker
from shared.storage.postgres import Database
from tests.support.store import Job, Jobs, app, jobs, migrated_url, system, until

__all__ = ["app", "jobs", "migrated_url", "system"]


def as_submitted(job: Job) -> NewJob:
    now = datetime.now(UTC)
    return NewJob(
        job_id=job.id,
        tenant_id=job.tenant,
        request_id="req-1",
        operation=Operation.CHAT,
        lane=Lane.STANDARD,
        model="sim/echo",
        stream=False,
        metadata={},
        body=b"{}",
        body_ref=None,
        created_at=now,
        deadline_at=now + timedelta(seconds=60),
        max_attempts=1,
        headers={},
    )


async def test_a_mark_never_waits_for_a_transaction_that_ends_its_jobs(
    app: Database, system: Database, jobs: Jobs, migrated_url: str
) -> None:
    tenant = new_id()
    first, second = await jobs.submit(tenant=tenant), await jobs.submit(tenant=tenant)

    async def marked() -> bool:
        row = await jobs.outbox(first)
        return row is not None and row["published_at"] is not None

    broker = make_broker(BrokerSettings.model_validate({"url": migrated_url}), name="test")
    async with BrokerLink(broker, JobWatch()) as link, asyncio.TaskGroup() as tasks:
        await link.connect()
        publication = FirstPublication(link, app, max_waiting=10)
        running = tasks.create_task(publication.run())
        async with system.transaction() as ending:
            await ending.execute("DELETE FROM outbox WHERE job_id = $1", second.id)
            publication.enqueue([as_submitted(first), as_submitted(second)])
            await until(marked, limit_s=5)
            await ending.execute("DELETE FROM outbox WHERE job_id = $1", first.id)
        running.cancel()
    assert await jobs.outbox(first) is None
