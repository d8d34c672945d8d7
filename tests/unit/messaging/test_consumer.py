import asyncio

import pytest

from shared.errors import BrokerUnavailableError, DatabaseUnavailableError, InvalidRequestError
from shared.messaging.broker import Settlement
from shared.messaging.consumer import Consumer, QueueShare
from tests.unit.messaging.fakes import FakeBroker, FakeDelivery

WORK = QueueShare("work", weight=1, prefetch=100)


class Gate:
    """A handler that reports what began and lets it go on when told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.some_begun = asyncio.Condition()
        self.open = asyncio.Event()

    async def __call__(self, delivery):
        async with self.some_begun:
            self.begun.append(delivery.name)
            self.some_begun.notify_all()
        await self.open.wait()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self.some_begun:
            await self.some_begun.wait_for(lambda: len(self.begun) >= count)


async def settled(*deliveries: FakeDelivery) -> None:
    async with asyncio.timeout(5):
        for delivery in deliveries:
            await delivery.settled.wait()


def names(count: int, queue: str = "work") -> list[FakeDelivery]:
    return [FakeDelivery(f"{queue}-{number}", queue=queue) for number in range(count)]


async def test_a_handler_that_returns_acknowledges():
    broker, seen = FakeBroker(), []

    async def handler(delivery):
        seen.append(delivery.name)

    deliveries = names(3)
    async with Consumer(broker, [WORK], handler, concurrency=2, max_deliveries=5):
        broker.subscriptions["work"].put(*deliveries)
        await settled(*deliveries)
    assert [delivery.settlement for delivery in deliveries] == [Settlement.ACK] * 3
    assert seen == ["work-0", "work-1", "work-2"]


async def test_no_more_handlers_run_than_there_are_slots():
    broker, gate = FakeBroker(), Gate()
    deliveries = names(5)
    async with Consumer(broker, [WORK], gate, concurrency=2, max_deliveries=5) as consumer:
        broker.subscriptions["work"].put(*deliveries)
        await gate.wait_for(2)
        assert gate.begun == ["work-0", "work-1"]
        assert len(consumer.held()) == 5
        gate.open.set()
        await settled(*deliveries)


async def test_a_saturated_light_queue_holds_up_a_heavy_one_by_one_slot_only():
    broker, order, first, gate = FakeBroker(), [], asyncio.Event(), asyncio.Event()

    async def handler(delivery):
        order.append(delivery.queue)
        first.set()
        await gate.wait()

    shares = [QueueShare("interactive", 16, 50), QueueShare("batch", 1, 50)]
    async with Consumer(broker, shares, handler, concurrency=1, max_deliveries=5):
        batch, interactive = names(30, "batch"), names(20, "interactive")
        broker.subscriptions["batch"].put(*batch)
        await first.wait()
        broker.subscriptions["interactive"].put(*interactive)
        gate.set()
        await settled(*batch, *interactive)
    assert order[:2] == ["batch", "interactive"]
    assert order[1:19].count("batch") == 1


async def test_a_group_fills_its_own_slots_and_leaves_the_others_free():
    broker, gate = FakeBroker(), Gate()
    shares = [
        QueueShare("interactive", 8, 50, group="interactive"),
        QueueShare("standard", 4, 50, group="others", slots=3),
        QueueShare("batch", 1, 50, group="others", slots=3),
    ]
    async with Consumer(broker, shares, gate, concurrency=4, max_deliveries=5) as consumer:
        broker.subscriptions["batch"].put(*(batch := names(10, "batch")))
        broker.subscriptions["standard"].put(*(standard := names(10, "standard")))
        await gate.wait_for(3)
        broker.subscriptions["interactive"].put(*(interactive := names(5, "interactive")))
        await gate.wait_for(4)
        assert gate.begun[3] == "interactive-0"
        found = consumer.in_hand()
        assert (found["interactive"].running, found["interactive"].waiting) == (1, 4)
        assert found["batch"].running + found["standard"].running == 3
        assert found["batch"].oldest_at == batch[3].published_at
        gate.open.set()
        await settled(*batch, *standard, *interactive)
    assert [found.done for found in consumer.in_hand().values()] == [5, 10, 10]
    assert all(found.slot_s > 0 and not found.running for found in consumer.in_hand().values())


async def test_with_every_lane_full_each_gets_the_share_of_its_weight():
    broker, order = FakeBroker(), []

    async def handler(delivery):
        order.append(delivery.queue)
        await asyncio.sleep(0)

    shares = [
        QueueShare("interactive", 8, 200, group="interactive"),
        QueueShare("standard", 4, 200, group="others", slots=6),
        QueueShare("batch", 1, 200, group="others", slots=6),
    ]
    async with Consumer(broker, shares, handler, concurrency=8, max_deliveries=5):
        everything = [delivery for share in shares for delivery in names(130, share.queue)]
        for share in shares:
            broker.subscriptions[share.queue].put(*(one for one in everything if one.queue == share.queue))
        await settled(*everything)
    assert abs(order[8:138].count("batch") - 10) <= 1
    assert order[8:138].count("standard") >= 36


@pytest.mark.parametrize(
    ("error", "settlement", "reason"),
    [
        (DatabaseUnavailableError("down", retry_after_s=0), Settlement.REQUEUE, "database_unavailable: down"),
        (InvalidRequestError("no"), Settlement.DEAD_LETTER, "invalid_request: no"),
        (KeyError("secret"), Settlement.DEAD_LETTER, "bug: KeyError"),
    ],
)
async def test_a_handler_that_raises_is_settled_by_its_error(error, settlement, reason):
    broker = FakeBroker()

    async def handler(_delivery):
        raise error

    (delivery,) = names(1)
    async with Consumer(broker, [WORK], handler, concurrency=2, max_deliveries=5):
        broker.subscriptions["work"].put(delivery)
        await settled(delivery)
    assert (delivery.settlement, delivery.reason) == (settlement, reason)


async def test_a_retryable_failure_holds_its_slot_for_as_long_as_it_asks():
    broker = FakeBroker()

    async def handler(_delivery):
        raise DatabaseUnavailableError("down", retry_after_s=0.05)

    (delivery,) = names(1)
    loop = asyncio.get_running_loop()
    async with Consumer(broker, [WORK], handler, concurrency=1, max_deliveries=5):
        began = loop.time()
        broker.subscriptions["work"].put(delivery)
        await settled(delivery)
    assert loop.time() - began >= 0.05


async def test_a_message_over_its_deliveries_is_given_up_without_its_handler():
    broker, given_up = FakeBroker(), []

    async def handler(_delivery):
        raise AssertionError

    async def on_given_up(delivery, reason):
        given_up.append((delivery.name, reason))

    delivery = FakeDelivery("worn", attempt=4)
    async with Consumer(
        broker, [WORK], handler, concurrency=1, max_deliveries={"work": 3}, on_given_up=on_given_up
    ):
        broker.subscriptions["work"].put(delivery)
        await settled(delivery)
    assert delivery.settlement is Settlement.DEAD_LETTER
    assert given_up == [("worn", "given up after 3 deliveries")]


async def test_a_message_is_not_given_up_while_that_cannot_be_recorded():
    broker = FakeBroker()

    async def on_given_up(_delivery, _reason):
        raise BrokerUnavailableError("down", retry_after_s=0)

    delivery = FakeDelivery("worn", attempt=4)
    gate = Gate()
    async with Consumer(broker, [WORK], gate, concurrency=1, max_deliveries=3, on_given_up=on_given_up):
        broker.subscriptions["work"].put(delivery)
        await settled(delivery)
    assert delivery.settlement is Settlement.REQUEUE


async def test_a_lost_lease_stops_nothing():
    broker, gate = FakeBroker(), Gate()
    gate.open.set()
    deliveries = [FakeDelivery("lost", lease_lost=True), FakeDelivery("next")]
    async with Consumer(broker, [WORK], gate, concurrency=1, max_deliveries=5):
        broker.subscriptions["work"].put(*deliveries)
        await settled(*deliveries)
    assert gate.begun == ["lost", "next"]


async def test_draining_releases_what_waits_and_lets_the_running_finish():
    broker, gate = FakeBroker(), Gate()
    deliveries = names(5)
    async with Consumer(broker, [WORK], gate, concurrency=2, max_deliveries=5) as consumer:
        broker.subscriptions["work"].put(*deliveries)
        await gate.wait_for(2)
        async with asyncio.TaskGroup() as group:
            group.create_task(consumer.drain(5))
            await settled(*deliveries[2:])
            assert all(delivery.settlement is Settlement.RELEASE for delivery in deliveries[2:])
            assert consumer.held() == deliveries[:2]
            gate.open.set()
        assert broker.subscriptions["work"].stopped
    assert [delivery.settlement for delivery in deliveries[:2]] == [Settlement.ACK] * 2


async def test_draining_requeues_what_does_not_finish_in_time():
    broker, gate = FakeBroker(), Gate()
    deliveries = names(2)
    async with Consumer(broker, [WORK], gate, concurrency=2, max_deliveries=5) as consumer:
        broker.subscriptions["work"].put(*deliveries)
        await gate.wait_for(2)
        await consumer.drain(0)
        assert consumer.held() == []
    assert [delivery.settlement for delivery in deliveries] == [Settlement.REQUEUE] * 2


async def test_what_was_lost_while_it_was_buffered_is_not_begun():
    broker, gate = FakeBroker(), Gate()
    first, lost, last = names(3)
    async with Consumer(broker, [WORK], gate, concurrency=1, max_deliveries=5):
        broker.subscriptions["work"].put(first, lost, last)
        await gate.wait_for(1)
        lost.lost = True
        gate.open.set()
        await settled(first, lost, last)
    assert gate.begun == ["work-0", "work-2"]
    assert lost.settlement is Settlement.RELEASE


async def test_what_still_arrives_while_draining_is_released():
    broker, gate = FakeBroker(), Gate()
    late = FakeDelivery("late")
    async with Consumer(broker, [WORK], gate, concurrency=2, max_deliveries=5) as consumer:
        await consumer.drain(0)
        broker.subscriptions["work"].on_delivery(late)
        await settled(late)
    assert late.settlement is Settlement.RELEASE
    assert gate.begun == []


async def test_leaving_the_consumer_without_draining_loses_nothing():
    broker, gate = FakeBroker(), Gate()
    deliveries = names(3)
    async with Consumer(broker, [WORK], gate, concurrency=1, max_deliveries=5):
        broker.subscriptions["work"].put(*deliveries)
        await gate.wait_for(1)
    assert [delivery.settlement for delivery in deliveries] == [
        Settlement.REQUEUE,
        Settlement.RELEASE,
        Settlement.RELEASE,
    ]
