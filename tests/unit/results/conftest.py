"""An open job, as submitted and as results has it in hand."""

import pytest

from services.results.domain.records import JobRecord
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus
from tests.support.store import Job


@pytest.fixture
def job() -> Job:
    return Job(new_id(), new_id())


@pytest.fixture
def record(job: Job) -> JobRecord:
    return JobRecord(job_id=job.id, tenant_id=job.tenant, status=JobStatus.QUEUED, attempt=1, last_event=1)
