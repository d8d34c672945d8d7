"""Requests and their replies, over an inbox in this process."""

import asyncio
import gc
import weakref
from contextlib import suppress
from dataclasses import dataclass

import pytest

from shared.errors import BrokerUnavailableError
from shared.messaging.broker import Message
from shared.messaging.requests import Requester


@dataclass
class Post:
    """The part of a broker that a requester uses."""

    address: str = "inbox-1"
    closed: bool = False

    async def open_inbox(self, on_reply, on_lost):
        self.deliver, self.lose = on_reply, on_lost
        return self

    async def close(self):
        self.closed = True


def _reply(body, correlation_id="a"):
    return Message(type="t.v1", body=body, correlation_id=correlation_id)


async def test_replies_reach_the_request_they_answer_in_order():
    post = Post()
    async with Requester(post) as requester:
        assert requester.address == "inbox-1"
        with requester.expect("a") as a, requester.expect("b") as b:
            post.deliver(_reply(b"1", "a"))
            post.deliver(_reply(b"other", "b"))
            post.deliver(_reply(b"2", "a"))
            post.deliver(_reply(b"nobody", "c"))
            assert [(await a.next(1)).body, (await a.next(1)).body] == [b"1", b"2"]
            assert (await b.next(1)).body == b"other"
    assert post.closed


async def test_a_reply_wakes_the_one_who_waits():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a") as replies:
            asyncio.get_running_loop().call_soon(post.deliver, _reply(b"late"))
            assert (await replies.next(5)).body == b"late"


async def test_no_reply_in_time_is_a_timeout_and_the_next_one_still_arrives():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a") as replies:
            with pytest.raises(TimeoutError):
                await replies.next(0.01)
            post.deliver(_reply(b"after"))
            assert (await replies.next(0)).body == b"after"


async def test_a_lost_connection_fails_the_waiting_and_hides_no_gap():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a") as replies:
            post.deliver(_reply(b"before"))
            post.lose()
            post.deliver(_reply(b"after the gap"))
            assert (await replies.next(1)).body == b"before"
            with pytest.raises(BrokerUnavailableError):
                await replies.next(1)
        with requester.expect("a") as again:
            post.deliver(_reply(b"new request"))
            assert (await again.next(1)).body == b"new request"


async def test_a_reply_after_the_request_was_given_up_vanishes():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a"):
            pass
        post.deliver(_reply(b"late"))
        with requester.expect("a") as replies, pytest.raises(TimeoutError):
            await replies.next(0)


async def test_waiting_twice_for_one_correlation_id_is_refused():
    async with Requester(Post()) as requester:
        with requester.expect("a"):
            with pytest.raises(ValueError, match="awaited already"), requester.expect("a"):
                pass
            assert requester.expect("b")


async def test_closing_fails_whoever_still_waits():
    async with asyncio.TaskGroup() as tasks:
        requester = Requester(Post())
        await requester.__aenter__()

        async def wait():
            with requester.expect("a") as replies, pytest.raises(BrokerUnavailableError):
                await replies.next(10)

        tasks.create_task(wait())
        await asyncio.sleep(0)
        await requester.__aexit__()
    with pytest.raises(BrokerUnavailableError):
        _ = requester.address


async def test_whoever_gives_up_ends_the_waiting_with_its_own_error():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a") as replies:
            asyncio.get_running_loop().call_soon(replies.give_up, LookupError("gone"))
            with pytest.raises(LookupError):
                await replies.next(5)
            post.deliver(_reply(b"too late"))
            with pytest.raises(LookupError):
                await replies.next(5)


async def test_replies_that_are_there_are_taken_without_waiting():
    post = Post()
    async with Requester(post) as requester:
        with requester.expect("a") as replies:
            post.deliver(_reply(b"1"))
            post.deliver(_reply(b"2"))
            assert (await replies.next(1)).body == b"1"
            following = replies.arrived()
            assert following is not None
            assert following.body == b"2"
            assert replies.arrived() is None


async def test_a_wait_that_was_given_up_leaves_no_cycle_behind():
    seen = []

    async def wait_in_vain(requester):
        with requester.expect("a") as replies:
            seen.append(weakref.ref(replies))
            asyncio.get_running_loop().call_soon(replies.give_up, ConnectionResetError("gone"))
            await replies.next()

    async with Requester(Post()) as requester:
        gc.disable()
        try:
            with suppress(ConnectionResetError):
                await wait_in_vain(requester)
            assert seen[0]() is None
        finally:
            gc.enable()
