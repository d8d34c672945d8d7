"""What one turn of the loop sends is one write, and who publishes too much waits."""

import asyncio

import pytest

from shared.messaging.amqp.writer import HIGH_WATER
from tests.unit.messaging.amqp.wire import Wire


async def test_the_frames_of_one_turn_are_one_write():
    wire = Wire()
    wire.writer.write((b"a", b"b"))
    wire.writer.write((b"c",))
    assert wire.transport.writes == []
    await asyncio.sleep(0)
    assert wire.transport.writes == [b"abc"]


async def test_a_hook_adds_to_the_write_of_its_turn_once():
    wire = Wire()
    wire.writer.before_flush(lambda: wire.writer.write((b"late",)))
    wire.writer.write((b"early ",))
    await asyncio.sleep(0)
    wire.writer.write((b"next",))
    await asyncio.sleep(0)
    assert wire.transport.writes == [b"early late", b"next"]


async def test_a_publisher_waits_while_the_peer_takes_nothing():
    wire = Wire()
    wire.writer.pause()
    assert wire.writer.full
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wire.writer.room()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wire.writer.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        wire.writer.resume()
    assert not wire.writer.full


async def test_a_turn_that_publishes_too_much_is_full_until_it_is_written():
    wire = Wire()
    wire.writer.write((b"x",), HIGH_WATER + 1)
    assert wire.writer.full
    async with asyncio.timeout(10):
        await wire.writer.room()
    assert wire.transport.writes == [b"x"]
