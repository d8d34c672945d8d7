"""The node that the fault tests kill behaves as they need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from shared.messaging.amqp import methods
from shared.messaging.amqp.address import address_of
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import ChannelClosedError
from shared.messaging.amqp.handshake import connect
from shared.messaging.amqp.properties import Properties
from tests.support.rabbitmq import RabbitNode

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def node(rabbitmq_installed, tmp_path):
    node = RabbitNode(tmp_path)
    node.start()
    yield node
    node.close()


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[Channel]:
    connection = await connect(address_of(url), name="test", heartbeat_s=10)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def declare(channel: Channel, *, passive: bool = False) -> int:
    """Declare the queue; returns how many messages it has."""
    declared = await channel.call(
        methods.QUEUE_DECLARE,
        methods.QUEUE_DECLARE_OK,
        queue="kept",
        durable=True,
        passive=passive,
        arguments={"x-queue-type": "quorum"},
    )
    return declared["messages"]


async def first_message(channel: Channel) -> bytes:
    arrived = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(30):
        await channel.consume("kept", lambda message: arrived.set_result(message.body))
        return await arrived


async def test_a_confirmed_message_survives_kill_9_and_not_a_wipe(node):
    async with channel_of(node.url) as channel:
        await declare(channel)
    node.restart()  # a queue that is killed in its first seconds stays leaderless, see RabbitNode.kill
    async with channel_of(node.url) as channel:
        await channel.confirm_publishes(30)
        await channel.publish("", "kept", Properties(persistent=True), b"hello")
        node.kill()
    assert not node.running()

    node.start()
    async with channel_of(node.url) as channel:
        assert await first_message(channel) == b"hello"

    node.stop()
    node.wipe()
    node.start()
    async with channel_of(node.url) as channel:
        with pytest.raises(ChannelClosedError, match="404"):
            await declare(channel, passive=True)


async def test_two_virtual_hosts_share_no_queue(node):
    for name in ("one", "two"):
        async with channel_of(node.add_vhost(name)) as channel:
            assert await declare(channel) == 0
            await channel.confirm_publishes(30)
            await channel.publish("", "kept", Properties(), b"hello")


def test_closing_leaves_no_process_of_the_node_behind(node, tmp_path):
    def ours() -> list[psutil.Process]:
        home = f"HOME={tmp_path}/home"
        found = psutil.process_iter(["environ"])
        return [p for p in found if home == f"HOME={(p.info['environ'] or {}).get('HOME')}"]

    assert ours()
    node.close()
    _, left = psutil.wait_procs(ours(), timeout=10)
    assert left == []


def test_the_shared_node_is_the_one_that_the_url_names(rabbitmq_url):
    assert rabbitmq_url.startswith("amqp")
