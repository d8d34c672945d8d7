"""Group commit: order, isolation, and what a caller learns when time is up."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from shared.errors import BrokerUnavailableError, PublishOutcomeUnknownError
from shared.messaging.postgres.batcher import Batcher


@asynccontextmanager
async def running(flush, timeout_s=5.0, interval_s=0.0):
    batcher = Batcher(
        flush,
        timeout_s=timeout_s,
        in_doubt=PublishOutcomeUnknownError,
        max_batch=10,
        interval_s=interval_s,
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(batcher.run())
        yield batcher
        task.cancel()


async def test_what_comes_while_a_batch_is_under_way_goes_out_together_in_order():
    batches, begun, gate = [], asyncio.Event(), asyncio.Event()

    async def flush(items):
        batches.append(list(items))
        begun.set()
        await gate.wait()
        return [item * 10 for item in items]

    async with running(flush) as batcher, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(batcher.submit(0))
        await begun.wait()
        rest = [tasks.create_task(batcher.submit(number)) for number in range(1, 16)]
        await asyncio.sleep(0)
        gate.set()
        assert await first == 0
        assert [await task for task in rest] == [number * 10 for number in range(1, 16)]
    assert batches == [[0], list(range(1, 11)), list(range(11, 16))]


async def test_the_first_item_goes_at_once_and_what_comes_within_the_interval_together():
    batches = []

    async def flush(items):
        batches.append(list(items))
        return items

    async with running(flush, interval_s=0.2) as batcher, asyncio.TaskGroup() as tasks:
        assert await batcher.submit(1) == 1
        tasks.create_task(batcher.submit(2))
        for _ in range(10):
            await asyncio.sleep(0)
        tasks.create_task(batcher.submit(3))
        await batcher.drained()
    assert batches == [[1], [2, 3]]


async def test_time_up_before_the_send_is_certain_and_after_it_in_doubt():
    begun = asyncio.Event()

    async def flush(items):
        begun.set()
        await asyncio.Event().wait()
        return items

    async with running(flush, timeout_s=0.05) as batcher, asyncio.TaskGroup() as tasks:
        sent = tasks.create_task(_outcome(batcher, 1))
        await begun.wait()
        waiting = tasks.create_task(_outcome(batcher, 2))
    assert sent.result() is PublishOutcomeUnknownError
    assert waiting.result() is BrokerUnavailableError


async def test_a_failed_batch_fails_its_callers_and_nobody_else():
    async def flush(items):
        if "bad" in items:
            raise BrokerUnavailableError("refused")
        return items

    async with running(flush) as batcher:
        with pytest.raises(BrokerUnavailableError):
            await batcher.submit("bad")
        assert await batcher.submit("good") == "good"


async def test_a_caller_that_gives_up_while_waiting_is_not_sent():
    batches, begun, gate = [], asyncio.Event(), asyncio.Event()

    async def flush(items):
        batches.append(list(items))
        begun.set()
        await gate.wait()
        return items

    async with running(flush) as batcher, asyncio.TaskGroup() as tasks:
        tasks.create_task(batcher.submit(1))
        await begun.wait()
        given_up = tasks.create_task(batcher.submit(2))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        gate.set()
        assert await batcher.submit(3) == 3
    assert batches == [[1], [3]]


async def _outcome(batcher, item):
    try:
        return await batcher.submit(item)
    except (BrokerUnavailableError, PublishOutcomeUnknownError) as error:
        return type(error)
