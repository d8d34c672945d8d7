"""The rhythm of the scheduler's tasks, and who may do them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import REGISTRY

from services.scheduler.domain.rounds import Rounds
from services.scheduler.domain.watch import LeadershipLostError, Watch
from shared.errors import DatabaseUnavailableError


def _failures(task: str) -> float:
    return REGISTRY.get_sample_value("penstock_scheduler_failures_total", {"task": task}) or 0.0


async def leads() -> None:
    return


class Lock:
    """A leadership that is granted and lost as told."""

    def __init__(self, answers: Sequence[bool | Exception] = ()) -> None:
        self.answers = list(answers)
        self.lost = False
        self.released = 0

    async def acquire(self) -> bool:
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        self.lost = False
        return answer

    async def confirm(self) -> None:
        if self.lost:
            raise LeadershipLostError("lost")

    async def release(self) -> None:
        self.released += 1


def counting(
    stop: Callable[[], None], limit: int, *, sooner: float | None = 0.0
) -> tuple[list[int], Callable[[], Awaitable[float | None]]]:
    rounds: list[int] = []

    async def task() -> float | None:
        rounds.append(len(rounds))
        if len(rounds) == limit:
            stop()
        return sooner

    return rounds, task


async def test_a_round_that_has_more_to_do_is_followed_at_once() -> None:
    stop = asyncio.Event()
    rounds, task = counting(stop.set, 3)
    await Rounds(name="t", task=task, interval_s=3600).run(confirm=leads, stop=stop)
    assert len(rounds) == 3


async def test_a_stop_cuts_the_pause_short() -> None:
    stop = asyncio.Event()
    rounds, task = counting(lambda: asyncio.get_running_loop().call_soon(stop.set), 1, sooner=None)
    async with asyncio.timeout(5):
        await Rounds(name="t", task=task, interval_s=3600).run(confirm=leads, stop=stop)
    assert len(rounds) == 1


async def test_a_failed_round_is_repeated() -> None:
    stop = asyncio.Event()
    outcomes = [DatabaseUnavailableError("down"), None]

    async def task() -> float | None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        stop.set()
        return None

    async with asyncio.timeout(5):
        await Rounds(name="t", task=task, interval_s=0.01).run(confirm=leads, stop=stop)
    assert outcomes == []


async def test_a_bug_in_one_task_ends_no_other_and_is_counted() -> None:
    async def broken() -> float | None:
        raise ZeroDivisionError

    lock = Lock()
    tasks = [Rounds(name="broken", task=broken, interval_s=3600)]
    watch = Watch(leadership=lock, tasks=tasks, interval_s=0.01)
    rounds, task = counting(watch.stop, 3)
    tasks.append(Rounds(name="sound", task=task, interval_s=3600))
    before = _failures("broken")
    async with asyncio.timeout(5):
        await watch.run()
    assert (len(rounds), lock.released) == (3, 1)
    assert _failures("broken") == before + 1


async def test_nothing_is_done_before_leadership_and_outages_are_waited_out() -> None:
    lock = Lock([False, DatabaseUnavailableError("down"), False])
    tasks: list[Rounds] = []
    watch = Watch(leadership=lock, tasks=tasks, interval_s=0.01)
    rounds, task = counting(watch.stop, 1)
    tasks.append(Rounds(name="t", task=task, interval_s=1))
    async with asyncio.timeout(5):
        await watch.run()
    assert lock.answers == []
    assert len(rounds) == 1


async def test_who_loses_leadership_stops_before_the_next_round_and_tries_to_lead_again() -> None:
    lock = Lock([True, False, True])
    tasks: list[Rounds] = []
    watch = Watch(leadership=lock, tasks=tasks, interval_s=0.01)
    seen: list[bool] = []

    async def task() -> float | None:
        seen.append(lock.lost)
        if len(seen) == 2:
            watch.stop()
        lock.lost = True
        return 0.0

    tasks.append(Rounds(name="t", task=task, interval_s=1))
    async with asyncio.timeout(5):
        await watch.run()
    assert seen == [False, False]
    assert lock.answers == []
