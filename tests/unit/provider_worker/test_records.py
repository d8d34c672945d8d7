"""Records share messages, and nobody is told of a confirm that did not come."""

import asyncio

import pytest

from services.provider_worker.adapters.records import Records
from shared.contracts.records import JobRecords
from shared.errors import BrokerUnavailableError, UnroutableMessageError
from shared.messaging.broker import Message

TOPIC = "results.finished"


class Broker:
    """Confirms a message when it is told to, or refuses it."""

    def __init__(self) -> None:
        self.published: list[list[bytes]] = []
        self.confirms: list[asyncio.Future[None]] = []
        self.arrived = asyncio.Condition()

    async def publish(self, topic: str, message: Message) -> None:
        assert topic == TOPIC
        confirm = asyncio.get_running_loop().create_future()
        async with self.arrived:
            self.published.append(bodies(message))
            self.confirms.append(confirm)
            self.arrived.notify_all()
        await confirm

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.published) >= count)


def bodies(message: Message) -> list[bytes]:
    if message.type != JobRecords.message_type:
        return [message.body]
    return JobRecords.decode(message.body).split()


def record(body: bytes) -> Message:
    return Message(type="job.finished.v1", body=body)


async def test_a_lone_record_goes_at_once_and_by_itself():
    broker = Broker()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group, Records(broker, interval_s=60) as records:
        added = group.create_task(records.add(TOPIC, record(b"one")))
        await broker.until(1)
        broker.confirms[0].set_result(None)
        await added
    assert broker.published == [[b"one"]]


async def test_those_that_come_meanwhile_share_a_message_and_wait_for_its_confirm():
    broker = Broker()
    async with asyncio.TaskGroup() as group, Records(broker, interval_s=0.02) as records:
        first = group.create_task(records.add(TOPIC, record(b"first")))
        await broker.until(1)
        rest = [group.create_task(records.add(TOPIC, record(b"%d" % number))) for number in range(3)]
        await broker.until(2)
        broker.confirms[0].set_result(None)
        await first
        assert not any(task.done() for task in rest)
        broker.confirms[1].set_result(None)
        await asyncio.gather(*rest)
    assert broker.published == [[b"first"], [b"0", b"1", b"2"]]


async def test_a_message_that_is_full_does_not_wait():
    broker = Broker()
    async with asyncio.TaskGroup() as group, Records(broker, interval_s=60) as records:
        tasks = [group.create_task(records.add(TOPIC, record(b"x" * 30_000))) for _ in range(5)]
        await broker.until(2)
        for task in tasks:
            task.cancel()
    assert [len(each) for each in broker.published] == [2, 2]


async def test_every_record_is_published_again_until_the_broker_takes_it():
    broker = Broker()
    async with asyncio.TaskGroup() as group, Records(broker, interval_s=0.001) as records:
        tasks = [group.create_task(records.add(TOPIC, record(b"%d" % number))) for number in range(2)]
        await broker.until(1)
        broker.confirms[0].set_exception(BrokerUnavailableError("away"))
        await broker.until(2)
        assert not any(task.done() for task in tasks)
        broker.confirms[1].set_result(None)
        await asyncio.gather(*tasks)
    assert broker.published == [[b"0", b"1"], [b"0", b"1"]]


async def test_a_refusal_reaches_every_job_whose_record_it_was():
    broker = Broker()
    async with Records(broker, interval_s=0.001) as records:
        adding = asyncio.gather(
            *(records.add(TOPIC, record(b"%d" % number)) for number in range(2)), return_exceptions=True
        )
        await broker.until(1)
        broker.confirms[0].set_exception(UnroutableMessageError("nowhere"))
        assert [type(error) for error in await adding] == [UnroutableMessageError] * 2


async def test_a_job_that_is_cancelled_takes_no_other_record_with_it():
    broker = Broker()
    async with asyncio.TaskGroup() as group, Records(broker, interval_s=0.001) as records:
        gone, stays = (group.create_task(records.add(TOPIC, record(b"%d" % number))) for number in range(2))
        await broker.until(1)
        gone.cancel()
        broker.confirms[0].set_result(None)
        await stays
    assert gone.cancelled()


async def test_leaving_gives_up_what_is_not_confirmed():
    broker = Broker()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        async with Records(broker, interval_s=60) as records:
            tasks = [group.create_task(records.add(TOPIC, record(b"%d" % number))) for number in range(2)]
            await broker.until(1)
        for task in tasks:
            task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
