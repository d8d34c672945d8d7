"""Who is looked after when: nobody twice before everybody once, within bounds."""

from contextlib import ExitStack
from uuid import UUID

import pytest

from services.ingress.adapters.job_watch import JobWatch
from shared.contracts.ids import new_id

TENANTS = [UUID(int=number) for number in range(5)]


async def test_those_who_waited_longest_are_looked_after_first_and_then_not_before_their_time() -> None:
    watch = JobWatch()
    with ExitStack() as stack:
        watchers = [stack.enter_context(watch.of(TENANTS[0], new_id())) for _ in range(5)]
        now = watchers[-1].looked_at + 2

        def overdue(at: float) -> list[int]:
            found = watch.overdue(at, after_s=2, limit=2, tenants=9)
            return [watchers.index(watcher) for watcher in found]

        assert [overdue(now) for _ in range(4)] == [[0, 1], [2, 3], [4], []]
        assert overdue(now + 2) == [0, 1]
    assert not watch.overdue(now + 9, after_s=2, limit=2, tenants=9)


async def test_one_look_is_for_a_bounded_number_of_tenants() -> None:
    watch = JobWatch()
    with ExitStack() as stack:
        watchers = [stack.enter_context(watch.of(tenant, new_id())) for tenant in TENANTS]
        now = watchers[-1].looked_at + 2
        sizes = [len(watch.overdue(now, after_s=2, limit=100, tenants=2)) for _ in range(4)]
    assert sizes == [2, 2, 1, 0]


async def test_news_wakes_all_who_wait_for_the_job_and_nobody_else() -> None:
    watch, job = JobWatch(), new_id()
    with watch.of(TENANTS[0], job) as one, watch.of(TENANTS[0], job) as two:
        with watch.of(TENANTS[0], new_id()) as other:
            watch.changed([job, new_id()])
            assert [await watcher.wait(0) for watcher in (one, two, other)] == [True, True, False]
        assert [await watcher.wait(0) for watcher in (one, two)] == [False, False]


@pytest.mark.parametrize("late", [False, True])
async def test_whoever_waits_when_the_process_ends_is_woken_for_good(late: bool) -> None:
    watch = JobWatch()
    if late:
        watch.stop()
    with watch.of(TENANTS[0], new_id()) as watcher:
        if not late:
            watch.stop()
        assert [await watcher.wait(9), await watcher.wait(9)] == [True, True]
        assert watcher.stopping
