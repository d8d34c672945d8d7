from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.ingress.domain.delta_order import DeltaOrder, StreamInterruptedError
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobDelta, JobFinished, JobStatus, Lane, Operation

JOB, TENANT, START = new_id(), new_id(), new_id()


def delta(sequence: int, start_id: UUID = START) -> JobDelta:
    return JobDelta(job_id=JOB, tenant_id=TENANT, start_id=start_id, sequence=sequence, body=b"{}")


def end(deltas: int, start_id: UUID = START) -> JobFinished:
    now = datetime.now(UTC)
    return JobFinished(
        job_id=JOB,
        tenant_id=TENANT,
        request_id="r",
        operation=Operation.CHAT,
        lane=Lane.INTERACTIVE,
        model="m",
        status=JobStatus.COMPLETED,
        background=False,
        attempt=1,
        start_id=start_id,
        deltas=deltas,
        created_at=now,
        finished_at=now,
    )


def test_deltas_in_order_are_taken_once():
    order = DeltaOrder()
    assert [order.is_new(delta(number)) for number in (0, 1, 1, 0, 2)] == [True, True, False, False, True]
    order.check_end(end(3))


def test_a_gap_is_never_skipped():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.is_new(delta(2))
    with pytest.raises(StreamInterruptedError):
        DeltaOrder().is_new(delta(1))


def test_an_end_that_counts_more_than_came_is_a_gap():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.check_end(end(2))


def test_the_answer_of_another_start_is_not_spliced_in():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.is_new(delta(0, new_id()))
    with pytest.raises(StreamInterruptedError):
        order.check_end(end(1, new_id()))


def test_an_empty_stream_may_end():
    DeltaOrder().check_end(end(0))
