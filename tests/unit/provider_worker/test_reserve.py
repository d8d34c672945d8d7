import pytest

from services.provider_worker.domain.queues import slots_of_others
from shared.contracts.jobs import Lane

EVERY = set(Lane)


@pytest.mark.parametrize(
    ("concurrency", "lanes", "reserve", "slots"),
    [
        (1024, EVERY, 0.25, 768),
        (8, EVERY, 0.25, 6),
        (3, EVERY, 0.25, 2),
        (1, EVERY, 0.25, 1),
        (8, EVERY, 0, 8),
        (32, {Lane.BATCH}, 0.25, 32),
    ],
)
def test_others_leave_slots_to_interactive_jobs_where_the_worker_takes_these(
    concurrency, lanes, reserve, slots
):
    assert slots_of_others(concurrency, lanes, reserve=reserve) == slots
