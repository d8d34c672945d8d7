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
        self.renewed: list[tuple[Operation, Lane]] = []

    async def kinds(self, *, after_s: float) -> Sequence[tuple[Operation, Lane]]:
        return self.silent

    async def renew(self, kinds: Sequence[tuple[Operation, Lane]], *, after_s: float, limit: int) -> int:
        self.renewed.extend(kinds)
        return len(kinds)


async def renewed(jobs: SilentJobs, queues: dict[str, QueueStats]) -> list[tuple[Operation, Lane]]:
    await SilenceWatch(jobs=jobs, broker=Broker(queues), after_s=60, batch=10)()
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
