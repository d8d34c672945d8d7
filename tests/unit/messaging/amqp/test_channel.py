"""A channel that ends leaves nothing behind: no frame after its end, no error in place of another."""

import pytest

from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import ChannelClosedError, ConnectionLostError
from shared.messaging.amqp.frames import LARGEST_FRAME, METHOD
from shared.messaging.amqp.methods import CHANNEL_CLOSE, CHANNEL_CLOSE_OK, encode
from shared.messaging.amqp.receiving import Receiving
from tests.unit.messaging.amqp.wire import Wire


async def test_an_acknowledgement_of_the_turn_in_which_the_broker_closes_the_channel_is_not_sent():
    wire, forgotten = Wire(), []
    channel = Channel(1, wire.writer, largest_frame=LARGEST_FRAME)
    channel.ack(1)
    Receiving(channel, forgotten.append).frame(METHOD, encode(CHANNEL_CLOSE, code=406, text="no"))
    wire.writer.flush()
    assert len(wire.methods(CHANNEL_CLOSE_OK)) == 1
    assert forgotten == [1]
    with pytest.raises(ChannelClosedError):
        channel.ack(2)


async def test_a_channel_that_was_lost_can_be_abandoned():
    wire = Wire()
    channel = Channel(1, wire.writer, largest_frame=LARGEST_FRAME)
    channel.lose(ConnectionLostError("it broke"))
    channel.abandon()
    wire.writer.flush()
    assert wire.frames() == []
