import asyncio

from shared.errors import DatabaseUnavailableError, InvalidRequestError
from shared.messaging.broker import Settlement
from shared.messaging.consumer import BatchConsumer
from tests.unit.messaging.fakes import FakeBroker, FakeDelivery


def consumer(broker, handler, *, max_batch=10, max_wait_s=0.01, prefetch=100, max_deliveries=5):
    return BatchConsumer(
        broker,
        "results",
        handler,
        max_batch=max_batch,
        max_wait_s=max_wait_s,
        prefetch=prefetch,
        max_deliveries=max_deliveries,
    )


async def settled(*deliveries: FakeDelivery) -> None:
    async with asyncio.timeout(5):
        for delivery in deliveries:
            await delivery.settled.wait()


def names(count: int) -> list[FakeDelivery]:
    return [FakeDelivery(f"r{number}", queue="results") for number in range(count)]


async def test_deliveries_arrive_in_full_batches_and_in_order():
    broker, sizes, seen = FakeBroker(), [], []

    async def handler(batch):
        sizes.append(len(batch))
        seen.extend(delivery.name for delivery in batch)

    deliveries = names(25)
    async with consumer(broker, handler):
        broker.subscriptions["results"].put(*deliveries)
        await settled(*deliveries)
    assert sizes == [10, 10, 5]
    assert seen == [delivery.name for delivery in deliveries]
    assert {delivery.settlement for delivery in deliveries} == {Settlement.ACK}


async def test_a_batch_that_does_not_fill_goes_at_once_and_the_next_one_waits_for_more():
    broker, sizes = FakeBroker(), []

    async def handler(batch):
        sizes.append(len(batch))

    deliveries = names(3)
    async with consumer(broker, handler, max_wait_s=0.2):
        broker.subscriptions["results"].put(deliveries[0])
        await settled(deliveries[0])
        broker.subscriptions["results"].put(deliveries[1])
        for _ in range(10):
            await asyncio.sleep(0)
        broker.subscriptions["results"].put(deliveries[2])
        await settled(*deliveries)
    assert sizes == [1, 2]


async def test_the_same_batch_is_tried_again_while_a_dependency_is_down():
    broker, tries = FakeBroker(), []

    async def handler(batch):
        tries.append([delivery.name for delivery in batch])
        if len(tries) < 3:
            raise DatabaseUnavailableError("down")

    deliveries = names(3)
    async with consumer(broker, handler) as batches:
        broker.subscriptions["results"].put(*deliveries)
        assert len(batches.held()) == 3
        await settled(*deliveries)
    assert tries == [["r0", "r1", "r2"]] * 3
    assert {delivery.settlement for delivery in deliveries} == {Settlement.ACK}


async def test_a_poisoned_delivery_is_found_and_the_rest_of_its_batch_goes_on():
    broker = FakeBroker()

    async def handler(batch):
        if any(delivery.name == "r1" for delivery in batch):
            raise InvalidRequestError("poison")

    deliveries = names(3)
    async with consumer(broker, handler):
        broker.subscriptions["results"].put(*deliveries)
        await settled(*deliveries)
    assert [delivery.settlement for delivery in deliveries] == [
        Settlement.ACK,
        Settlement.DEAD_LETTER,
        Settlement.ACK,
    ]
    assert deliveries[1].reason == "invalid_request: poison"


async def test_a_bug_in_the_handler_dead_letters_what_it_fails_on():
    broker = FakeBroker()

    async def handler(batch):
        if batch[-1].name == "r2":
            raise ZeroDivisionError

    deliveries = names(3)
    async with consumer(broker, handler):
        broker.subscriptions["results"].put(*deliveries)
        await settled(*deliveries)
    assert [delivery.settlement for delivery in deliveries] == [
        Settlement.ACK,
        Settlement.ACK,
        Settlement.DEAD_LETTER,
    ]


async def test_a_delivery_over_its_limit_is_given_up_unseen():
    broker, seen = FakeBroker(), []

    async def handler(batch):
        seen.extend(delivery.name for delivery in batch)

    deliveries = names(2)
    deliveries[0].attempt = 6
    async with consumer(broker, handler):
        broker.subscriptions["results"].put(*deliveries)
        await settled(*deliveries)
    assert seen == ["r1"]
    assert deliveries[0].settlement is Settlement.DEAD_LETTER
    assert deliveries[0].reason == "given up after 5 deliveries"


async def test_draining_finishes_the_batch_in_hand_and_releases_the_rest():
    broker, begun, gate = FakeBroker(), asyncio.Event(), asyncio.Event()

    async def handler(_batch):
        begun.set()
        await gate.wait()

    deliveries = names(4)
    async with consumer(broker, handler, max_batch=2) as batches:
        broker.subscriptions["results"].put(*deliveries)
        await begun.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(batches.drain(5))
            await settled(*deliveries[2:])
            gate.set()
    assert [delivery.settlement for delivery in deliveries] == [
        Settlement.ACK,
        Settlement.ACK,
        Settlement.RELEASE,
        Settlement.RELEASE,
    ]


async def test_draining_requeues_a_batch_that_does_not_finish_in_time():
    broker, begun = FakeBroker(), asyncio.Event()

    async def handler(_batch):
        begun.set()
        await asyncio.Event().wait()

    deliveries = names(2)
    async with consumer(broker, handler, max_batch=2) as batches:
        broker.subscriptions["results"].put(*deliveries)
        await begun.wait()
        await batches.drain(0)
    assert {delivery.settlement for delivery in deliveries} == {Settlement.REQUEUE}
