"""The node that the fault tests kill behaves as they need."""

import asyncio

import aio_pika
import psutil
import pytest
from aio_pika.abc import AbstractRobustChannel

from tests.support.rabbitmq import RabbitNode

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def node(rabbitmq_installed, tmp_path):
    node = RabbitNode(tmp_path)
    node.start()
    yield node
    node.close()


async def declare(channel: AbstractRobustChannel, *, passive: bool = False):
    arguments = {"x-queue-type": "quorum"}
    return await channel.declare_queue("kept", durable=True, passive=passive, arguments=arguments)


async def test_a_confirmed_message_survives_kill_9_and_not_a_wipe(node):
    async with await aio_pika.connect(node.url) as connection:
        await declare(await connection.channel())
    node.restart()  # a queue that is killed in its first seconds stays leaderless, see RabbitNode.kill
    async with await aio_pika.connect(node.url) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"hello", delivery_mode=2), "kept")
        node.kill()
    assert not node.running()

    node.start()
    async with await aio_pika.connect(node.url) as connection:
        queue = await declare(await connection.channel())
        async with asyncio.timeout(30), queue.iterator() as messages:
            message = await anext(messages)
        assert message.body == b"hello"

    node.stop()
    node.wipe()
    node.start()
    async with await aio_pika.connect(node.url) as connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await declare(channel, passive=True)


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
