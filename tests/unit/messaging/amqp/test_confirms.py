"""Each publish hears its own fate."""

import asyncio

import pytest

from shared.messaging.amqp.confirms import Confirms
from shared.messaging.amqp.errors import ConnectionLostError, NotConfirmedError, UnroutableError


async def test_one_confirm_for_several_resolves_all_of_them_and_no_later_one():
    confirms = Confirms(60)
    waiting = [confirms.add() for _ in range(4)]
    confirms.acked(3, multiple=True)
    assert [one.done() for one in waiting] == [True, True, True, False]
    confirms.acked(0, multiple=True)
    assert waiting[3].done()


async def test_a_confirm_out_of_order_resolves_that_publish_only():
    confirms = Confirms(60)
    first, second = confirms.add(), confirms.add()
    confirms.acked(2, multiple=False)
    assert (first.done(), second.done()) == (False, True)


async def test_a_refusal_fails_the_publishes_that_it_names():
    confirms = Confirms(60)
    first, second = confirms.add(), confirms.add()
    confirms.nacked(1, multiple=False)
    with pytest.raises(NotConfirmedError, match="refused"):
        await first
    assert not second.done()


async def test_a_returned_message_fails_its_own_publish_and_its_confirm_changes_nothing():
    confirms = Confirms(60)
    first, second = confirms.add(), confirms.add()
    confirms.returned(1)
    confirms.acked(2, multiple=True)
    with pytest.raises(UnroutableError):
        await first
    await second


async def test_each_publish_is_failed_when_its_own_time_is_over():
    confirms = Confirms(0.02)
    first = confirms.add()
    with pytest.raises(NotConfirmedError, match="in time"):
        await asyncio.wait_for(first, 10)
    second, third = confirms.add(), confirms.add()
    confirms.acked(1, multiple=False)  # too late for the first, and no other's
    confirms.acked(3, multiple=False)
    await third
    with pytest.raises(NotConfirmedError, match="in time"):
        await asyncio.wait_for(second, 10)


async def test_a_publisher_that_went_away_disturbs_nobody():
    confirms = Confirms(60)
    gone, other = confirms.add(), confirms.add()
    gone.cancel()
    confirms.acked(2, multiple=True)
    await other


async def test_the_loss_of_the_channel_fails_everything_at_once():
    confirms = Confirms(60)
    waiting = [confirms.add() for _ in range(3)]
    confirms.lost(ConnectionLostError("gone"))
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionLostError] * 3
