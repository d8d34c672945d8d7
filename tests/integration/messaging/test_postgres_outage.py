"""The server goes away, hangs, and comes back."""

import asyncio
import os
import signal
import time

import pytest

from shared.errors import BrokerUnavailableError, PublishOutcomeUnknownError
from shared.messaging.broker import Message, Settlement
from shared.messaging.requests import Requester
from shared.runtime.engines.postgres import EmbeddedPostgres
from tests.integration.messaging.conftest import WORK, Taken


@pytest.fixture
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outage")
    engine = EmbeddedPostgres(folder / "data", folder / "run")
    engine.start()
    yield engine
    engine.stop()


async def _publish(broker, body=b"{}"):
    await broker.publish("work.a", Message(type="t.v1", body=body))


async def test_everything_comes_back_by_itself_after_the_server_was_killed(make_broker, server):
    broker = make_broker(server.url, lease_s=1, publish_timeout_s=1)
    await broker.connect()
    taken = Taken()
    await broker.subscribe(WORK, prefetch=1, on_delivery=taken)
    await _publish(broker, b"before")
    held = await taken.next()
    async with Requester(broker) as requester:
        with requester.expect("c") as replies:
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(BrokerUnavailableError):
                await replies.next(10)
        await asyncio.to_thread(server.stop)
        started = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            await _publish(broker, b"not sent")
        with pytest.raises(BrokerUnavailableError):
            await broker.ping()
        with pytest.raises(BrokerUnavailableError):
            await held.settle(Settlement.ACK)
        assert time.monotonic() - started < 2
        await asyncio.to_thread(server.start)
        again = await taken.next()
        assert (again.message.body, again.redelivered) == (b"before", True)
        await again.settle(Settlement.ACK)
        await _publish(broker, b"after")
        assert (await taken.next()).message.body == b"after"
        assert (await broker.stats(WORK)).consumers == 1
        with requester.expect("d") as replies:
            await broker.reply(requester.address, Message(type="t", body=b"hi", correlation_id="d"))
            assert (await replies.next(5)).body == b"hi"


async def test_a_server_that_hangs_makes_the_outcome_unknown_within_bounds(make_broker, server):
    broker = make_broker(server.url, publish_timeout_s=0.5)
    await broker.connect()
    await _publish(broker)
    backends = await broker._connections.fetch(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'", timeout_s=1
    )
    pids = [row["pid"] for row in backends]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(PublishOutcomeUnknownError):
            await _publish(broker)
        assert time.monotonic() - started < 1
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await _publish(broker)


async def test_closing_a_broker_whose_server_is_gone_takes_bounded_time(make_broker, server):
    broker = make_broker(server.url)
    await broker.connect()
    taken = Taken()
    await broker.subscribe(WORK, prefetch=1, on_delivery=taken)
    await _publish(broker)
    await taken.next()
    await asyncio.to_thread(server.stop)
    async with asyncio.timeout(8):
        await broker.close()
