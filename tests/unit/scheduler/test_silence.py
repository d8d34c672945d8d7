"""When silence means that a job is lost."""

from collections.abc import Sequence

import pytest

from services.scheduler.domain.silence import SilenceWatch
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import QueueStats
from shared.messaging.topology import RESULTS_QUEUE, job_queue

KIND = (Operation.CHAT, Lane.STANDARD)
OTHER = (Operation.CHAT, Lane.BATCH)


def stats(ready: int = 0, oldest_age_s: float | None = None, *, paused: bool = False) -> QueueStats:
    return QueueStats(
        ready=ready, in_flight=None, consumers=1, oldest_age_s=oldest_age_s, dead=0, paused=paused
    )


class Broker:
    def __init__(self, queues: dict[str, QueueStats]) -> None:
        self.queues = queues

    async def stats(self, queue: str, *, with_age: bool = True) -> QueueStats:
        return self.queues.get(queue, stats())


class SilentJobs:
    def __init__(self, *kinds: tuple[Operation, Lane]) -> None:
        self.silent = kinds
        self.left = 1
        self.renewed: list[tuple[Operation, Lane]] = []

    async def kinds(self, *, after_s: float) -> Sequence[tuple[Operation, Lane]]:
        return self.silent

    async def renew(self, kind: tuple[Operation, Lane], *, after_s: float, limit: int) -> int:
        self.renewed.append(kind)
        renewed = min(limit, self.left)
        self.left -= renewed
        return renewed


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def watch(jobs: SilentJobs, broker: Broker, clock: Clock) -> SilenceWatch:
    return SilenceWatch(jobs=jobs, broker=broker, after_s=60, grace_s=10, batch=10, clock=clock)


async def renewed(jobs: SilentJobs, queues: dict[str, QueueStats]) -> list[tuple[Operation, Lane]]:
    clock = Clock()
    look = watch(jobs, Broker(queues), clock)
    await look()
    clock.now_s += 10
    await look()
    return jobs.renewed


async def test_a_silent_job_of_an_empty_queue_is_lost() -> None:
    assert await renewed(SilentJobs(KIND), {}) == [KIND]


async def test_a_silent_job_of_a_queue_with_a_backlog_waits_its_turn() -> None:
    assert await renewed(SilentJobs(KIND, OTHER), {job_queue(*KIND): stats(ready=1)}) == [OTHER]


async def test_a_silent_job_of_a_paused_queue_waits() -> None:
    assert await renewed(SilentJobs(KIND), {job_queue(*KIND): stats(paused=True)}) == []


@pytest.mark.parametrize("late", [stats(ready=1, oldest_age_s=30.0), stats(ready=100_000)])
async def test_silence_means_nothing_while_results_are_late(late: QueueStats) -> None:
    assert await renewed(SilentJobs(KIND), {RESULTS_QUEUE: late}) == []


@pytest.mark.parametrize("busy", [stats(ready=400, oldest_age_s=0.2), stats(ready=20)])
async def test_a_busy_results_queue_is_not_late(busy: QueueStats) -> None:
    assert await renewed(SilentJobs(KIND), {RESULTS_QUEUE: busy}) == [KIND]


async def test_what_a_worker_may_just_have_taken_is_not_lost_yet() -> None:
    jobs, clock = SilentJobs(KIND), Clock()
    broker = Broker({job_queue(*KIND): stats(ready=1)})
    look = watch(jobs, broker, clock)
    await look()
    broker.queues.clear()  # the last of a backlog was taken
    for _ in range(3):
        clock.now_s += 3
        await look()
    assert jobs.renewed == []
    clock.now_s += 5
    await look()
    assert jobs.renewed == [KIND]


async def test_a_queue_that_fills_again_must_be_empty_anew() -> None:
    jobs, clock = SilentJobs(KIND), Clock()
    broker = Broker({})
    look = watch(jobs, broker, clock)
    await look()
    for ready in (1, 0):
        clock.now_s += 10
        broker.queues[job_queue(*KIND)] = stats(ready=ready)
        await look()
    assert jobs.renewed == []


async def test_all_that_is_lost_is_renewed_though_the_first_of_it_fills_the_queue() -> None:
    jobs = SilentJobs(KIND)
    jobs.left = 35
    assert await renewed(jobs, {}) == [KIND] * 4
    assert jobs.left == 0
