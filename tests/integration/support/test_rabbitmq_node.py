"""The node that the fault tests kill behaves as they need."""

import asyncio

import aiormq
import psutil
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage

from tests.support.rabbitmq import RabbitNode

pytestmark = pytest.mark.rabbitmq

PERSISTENT = aiormq.spec.Basic.Properties(delivery_mode=2)


@pytest.fixture
def node(rabbitmq_installed, tmp_path):
    node = RabbitNode(tmp_path)
    node.start()
    yield node
    node.close()


async def declare(channel: AbstractChannel, *, passive: bool = False) -> None:
    arguments = {"x-queue-type": "quorum"}
    await channel.queue_declare("kept", durable=True, passive=passive, arguments=arguments)


async def first_message(channel: AbstractChannel) -> bytes:
    arrived = asyncio.get_running_loop().create_future()

    async def take(message: DeliveredMessage) -> None:
        arrived.set_result(message.body)

    async with asyncio.timeout(30):
        await channel.basic_consume("kept", take)
        return await arrived


async def test_a_confirmed_message_survives_kill_9_and_not_a_wipe(node):
    async with await aiormq.connect(node.url) as connection:
        await declare(await connection.channel())
    node.restart()  # a queue that is killed in its first seconds stays leaderless, see RabbitNode.kill
    async with await aiormq.connect(node.url) as connection:
        channel = await connection.channel()
        await channel.basic_publish(b"hello", routing_key="kept", properties=PERSISTENT)
        node.kill()
    assert not node.running()

    node.start()
    async with await aiormq.connect(node.url) as connection:
        assert await first_message(await connection.channel()) == b"hello"

    node.stop()
    node.wipe()
    node.start()
    async with await aiormq.connect(node.url) as connection:
        channel = await connection.channel()
        with pytest.raises(aiormq.exceptions.ChannelNotFoundEntity):
            await declare(channel, passive=True)


async def test_two_virtual_hosts_share_no_queue(node):
    for name in ("one", "two"):
        async with await aiormq.connect(node.add_vhost(name)) as connection:
            found = await (await connection.channel()).queue_declare("kept", durable=True)
            assert found.message_count == 0
            await (await connection.channel()).basic_publish(b"hello", routing_key="kept")


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
