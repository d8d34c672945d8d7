"""A cheap look at many queues."""

import pytest

from shared.errors import NotFoundError
from shared.messaging.broker import Message, Settlement
from shared.messaging.topology import Topology
from tests.contract.broker.collector import Arrivals, eventually
from tests.contract.broker.conftest import small_queue


async def depth_of(broker, queue):
    return (await broker.depths([queue.name]))[queue.name]


async def test_depths_tell_what_waits_and_who_takes_of_many_queues(connect):
    full, empty = small_queue(), small_queue()
    broker = await connect(Topology((full, empty)))
    for _ in range(3):
        await broker.publish(full.name, Message(type="test.v1", body=b"{}"))
    depths = await eventually(
        lambda: broker.depths([empty.name, full.name]), lambda found: found[full.name].ready == 3
    )
    assert (depths[empty.name].ready, depths[empty.name].oldest_age_s) == (0, None)
    assert [depths[queue.name].consumers for queue in (full, empty)] == [0, 0]
    assert depths[full.name].oldest_age_s is None or 0 <= depths[full.name].oldest_age_s < 30
    assert await broker.depths([]) == {}


async def test_what_a_consumer_holds_does_not_wait_and_a_look_counts_as_no_attempt(broker, queue):
    await broker.publish(queue.name, Message(type="test.v1", body=b"1"))
    await eventually(lambda: depth_of(broker, queue), lambda depth: depth.ready == 1)
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert (delivery.attempt, delivery.redelivered) == (1, False)
    depth = await eventually(lambda: depth_of(broker, queue), lambda depth: depth.ready == 0)
    assert depth.consumers == 1
    await delivery.settle(Settlement.ACK)


async def test_a_paused_queue_has_no_consumers_that_may_take(broker, queue):
    await broker.subscribe(queue.name, prefetch=1, on_delivery=Arrivals())
    await broker.pause(queue.name)
    await eventually(lambda: depth_of(broker, queue), lambda depth: depth.consumers == 0)
    await broker.resume(queue.name)
    await eventually(lambda: depth_of(broker, queue), lambda depth: depth.consumers == 1)


async def test_a_queue_that_does_not_exist_has_no_depth(broker):
    with pytest.raises(NotFoundError):
        await broker.depths(["no-such-queue"])
