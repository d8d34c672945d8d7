"""Brokers that are broken, foreign or malicious: each costs an error and a moment, never a hang."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from shared.errors import BrokerUnavailableError
from shared.messaging.amqp import methods
from shared.messaging.amqp.address import address_of
from shared.messaging.amqp.errors import (
    AmqpError,
    ChannelClosedError,
    ConnectionLostError,
    MalformedFrameError,
    NotConfirmedError,
    UnroutableError,
)
from shared.messaging.amqp.frames import (
    HEARTBEAT_FRAME,
    PROTOCOL_HEADER,
)
from shared.messaging.amqp.handshake import connect
from shared.messaging.amqp.properties import Properties
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.link import Link
from tests.contract.broker.collector import eventually
from tests.integration.messaging.peers import BOUND_S, Peer, Serve, connected, serving


async def refusal(serve: Serve) -> BaseException:
    async with serving(serve) as url, asyncio.timeout(BOUND_S):
        with pytest.raises((AmqpError, OSError)) as refused:
            await connect(address_of(url), name="test", heartbeat_s=10)
    return refused.value


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that vouches for itself, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path)]
    subprocess.run(
        ["openssl", *request.split(), *names],
        check=True,
        capture_output=True,
    )
    return path


async def test_an_encrypted_connection_is_made_with_a_broker_that_a_named_authority_vouches_for(certificate):
    async def plain(peer: Peer) -> None:
        await peer.open()

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with serving(plain, tls=tls) as url, asyncio.timeout(BOUND_S):
        connection = await connect(address_of(f"{url}?cafile={certificate}"), name="test", heartbeat_s=0)
        connection.abort(ConnectionLostError("the test is over"))


async def test_a_broker_that_nobody_vouches_for_is_refused(certificate):
    def accept(*_: object) -> None:
        pytest.fail("the client should have refused")

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls) as server:
        url = f"amqps://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(ssl.SSLCertVerificationError):
            async with asyncio.timeout(BOUND_S):
                await connect(address_of(url), name="test", heartbeat_s=0)


async def test_a_peer_that_never_answers_is_given_up_when_the_caller_says_so():
    async def silent(peer: Peer) -> None:
        await peer.hung_up()

    async with serving(silent) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connect(address_of(url), name="test", heartbeat_s=10)


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", PROTOCOL_HEADER, HEARTBEAT_FRAME[:-1] + b"\x00", b"\x01" * 64],
    ids=["http", "other-version", "no-end-mark", "junk"],
)
async def test_a_peer_that_does_not_speak_the_protocol_is_refused(greeting):
    async def foreign(peer: Peer) -> None:
        peer.send_bytes(greeting)

    assert isinstance(await refusal(foreign), MalformedFrameError)


async def test_a_peer_that_answers_another_question_is_refused():
    async def confused(peer: Peer) -> None:
        await peer.greet()
        peer.send(methods.CONNECTION_OPEN_OK)

    assert isinstance(await refusal(confused), MalformedFrameError)


async def test_a_refused_login_says_why():
    async def strict(peer: Peer) -> None:
        await peer.greet()
        await peer.expect(methods.CONNECTION_START_OK)
        peer.send(methods.CONNECTION_CLOSE, code=403, text="ACCESS_REFUSED - no such user")

    assert "403 ACCESS_REFUSED" in str(await refusal(strict))


async def test_a_broker_that_takes_no_password_is_refused():
    async def certificates_only(peer: Peer) -> None:
        await peer.greet(b"EXTERNAL")

    assert "EXTERNAL" in str(await refusal(certificates_only))


async def test_a_broker_that_hangs_up_during_the_login_is_an_error():
    async def rude(peer: Peer) -> None:
        await peer.greet()
        peer._writer.close()

    assert isinstance(await refusal(rude), AmqpError)


async def test_frames_too_small_for_the_protocol_are_refused():
    async def tiny(peer: Peer) -> None:
        await peer.open(frame_max=64)

    assert isinstance(await refusal(tiny), MalformedFrameError)


async def test_a_frame_over_the_agreed_size_ends_the_connection():
    async def liar(peer: Peer) -> None:
        await peer.open(frame_max=4096)
        await peer.expect(methods.CHANNEL_OPEN)
        peer.send_bytes(b"\x03\x00\x01\x00\x00\x20\x00x")

    async with connected(liar) as connection:
        with pytest.raises(MalformedFrameError, match="announces 8192 bytes"):
            await connection.channel()


async def test_a_frame_on_a_channel_that_is_not_open_ends_the_connection():
    async def lost(peer: Peer) -> None:
        await peer.open()
        peer.send(methods.BASIC_CANCEL_OK, 7)

    async with connected(lost) as connection:
        await asyncio.wait([connection.closed])
        assert isinstance(connection.error, MalformedFrameError)


async def test_a_silent_broker_is_given_up_after_its_heartbeats_stay_away():
    async def frozen(peer: Peer) -> None:
        await peer.open(heartbeat=1)

    async with connected(frozen, heartbeat_s=10) as connection:
        await asyncio.wait([connection.closed])
        assert "silent" in str(connection.error)


async def test_this_side_sends_heartbeats_while_it_has_nothing_to_say():
    beats = asyncio.Event()

    async def listening(peer: Peer) -> None:
        await peer.open(heartbeat=1)
        while not beats.is_set():
            if HEARTBEAT_FRAME in await peer._reader.read(65536):
                beats.set()

    async with connected(listening, heartbeat_s=10):
        await beats.wait()


async def test_everybody_who_waits_is_told_when_the_broker_closes_the_connection():
    async def leaving(peer: Peer) -> None:
        await peer.open_channel(confirms=True)
        await peer.expect(methods.BASIC_PUBLISH)
        await peer.expect(methods.BASIC_GET)
        peer.send(methods.CONNECTION_CLOSE, code=320, text="CONNECTION_FORCED")
        await peer.expect(methods.CONNECTION_CLOSE_OK)

    async with connected(leaving) as connection:
        channel = await connection.channel()
        await channel.confirm_publishes(60)
        confirm = channel.publish("e", "k", Properties(), b"body")
        told = await asyncio.gather(confirm, channel.get("q"), return_exceptions=True)
        assert [type(error) for error in told] == [ConnectionLostError] * 2
        assert "CONNECTION_FORCED" in str(told[0])
        with pytest.raises(ConnectionLostError):
            await connection.channel()


async def test_a_refusal_closes_its_channel_and_no_other():
    async def refusing(peer: Peer) -> None:
        await peer.open_channel()
        await peer.expect(methods.CHANNEL_OPEN)
        peer.send(methods.CHANNEL_OPEN_OK, 2)
        await peer.expect(methods.QUEUE_DECLARE)
        peer.send(methods.CHANNEL_CLOSE, 1, code=404, text="NOT_FOUND - no queue")
        await peer.expect(methods.CHANNEL_CLOSE_OK)
        await peer.expect(methods.BASIC_QOS)
        peer.send(methods.BASIC_QOS_OK, 2)

    async with connected(refusing) as connection:
        one, two = await connection.channel(), await connection.channel()
        with pytest.raises(ChannelClosedError, match="NOT_FOUND") as refused:
            await one.call(methods.QUEUE_DECLARE, methods.QUEUE_DECLARE_OK, queue="q", passive=True)
        assert refused.value.code == 404
        with pytest.raises(ChannelClosedError):
            one.ack(1)
        await two.prefetch(5)


async def test_a_channel_that_nobody_waits_for_any_more_is_closed_once_it_is_open():
    asked = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.open()
        await peer.expect(methods.CHANNEL_OPEN)
        asked.set()
        await peer.expect(methods.CHANNEL_CLOSE)
        peer.send(methods.CHANNEL_OPEN_OK, 1)
        peer.send(methods.CHANNEL_CLOSE_OK, 1)

    async with connected(slow) as connection, asyncio.TaskGroup() as group:

        async def open_channels() -> int:
            return len(connection._channels)

        opening = group.create_task(connection.channel())
        await asked.wait()
        opening.cancel()
        await eventually(open_channels, lambda count: count == 0)


async def test_both_sides_may_close_a_channel_at_once():
    async def hasty(peer: Peer) -> None:
        await peer.open_channel()
        await peer.expect(methods.CHANNEL_CLOSE)
        peer.send(methods.CHANNEL_CLOSE, 1, code=406, text="PRECONDITION_FAILED")
        await peer.expect(methods.CHANNEL_CLOSE_OK)
        peer.send(methods.CHANNEL_CLOSE_OK, 1)
        await peer.expect(methods.CHANNEL_OPEN)
        peer.send(methods.CHANNEL_OPEN_OK, 2)

    async with connected(hasty) as connection:
        await (await connection.channel()).close()
        await connection.channel()


async def test_a_returned_and_a_refused_message_fail_their_own_publishes():
    async def picky(peer: Peer) -> None:
        await peer.open_channel(confirms=True)
        for _ in range(3):
            await peer.expect(methods.BASIC_PUBLISH)
        peer.send(methods.BASIC_RETURN, 1, code=312, text="NO_ROUTE", exchange="e", routing_key="k")
        peer.send_bytes(b"\x02\x00\x01\x00\x00\x00\x10\x00\x3c\x00\x00" + b"\x00" * 8 + b"\x00\x80\x012\xce")
        peer.send(methods.BASIC_NACK, 1, delivery_tag=3)
        peer.send(methods.BASIC_ACK, 1, delivery_tag=2, multiple=True)

    async with connected(picky) as connection:
        channel = await connection.channel()
        await channel.confirm_publishes(60)
        confirms = [channel.publish("e", "k", Properties(), b"") for _ in range(3)]
        outcomes = await asyncio.gather(*confirms, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), UnroutableError, NotConfirmedError]


async def test_a_callback_that_fails_costs_its_own_delivery_only():
    async def delivering(peer: Peer) -> None:
        await peer.open_channel()
        consume = await peer.expect(methods.BASIC_CONSUME)
        peer.send(methods.BASIC_CONSUME_OK, 1, consumer_tag=consume["consumer_tag"])
        for tag in (1, 2):
            peer.send(methods.BASIC_DELIVER, 1, consumer_tag=consume["consumer_tag"], delivery_tag=tag)
            peer.send_bytes(b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00" + b"\x00" * 10 + b"\xce")

    reported: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    second = asyncio.Event()

    def failing(delivered) -> None:
        if delivered.delivery_tag == 2:
            second.set()
            return
        raise LookupError("a bug")

    async with connected(delivering) as connection:
        await (await connection.channel()).consume("q", failing)
        await second.wait()
    assert isinstance(reported[0]["exception"], LookupError)


async def test_a_broker_short_of_memory_is_noticed_until_it_has_recovered():
    told = asyncio.Event()

    async def short(peer: Peer) -> None:
        await peer.open()
        peer.send(methods.CONNECTION_BLOCKED, reason="low on memory")
        await told.wait()
        peer.send(methods.CONNECTION_UNBLOCKED)
        await peer.expect(methods.CHANNEL_OPEN)
        peer.send(methods.CHANNEL_OPEN_OK, 1)

    async with connected(short) as connection:
        while not connection.blocked:  # noqa: ASYNC110 - a flag, without an event
            await asyncio.sleep(0.001)
        told.set()
        await connection.channel()
        assert not connection.blocked


async def test_closing_waits_for_the_answer_and_flushes_what_was_sent():
    async def polite(peer: Peer) -> None:
        await peer.open_channel()
        assert (await peer.expect(methods.BASIC_PUBLISH))["routing_key"] == "last"
        await peer.expect(methods.CONNECTION_CLOSE)
        peer.send(methods.CONNECTION_CLOSE_OK)

    async with connected(polite) as connection:
        (await connection.channel()).post("", "last", Properties(), b"words")
        await connection.close()
        assert connection.closed.done()


async def test_an_errand_is_given_up_in_its_time_when_the_broker_answers_nothing_any_more():
    async def stuck(peer: Peer) -> None:
        await peer.open_channel()
        await peer.hung_up()

    async with serving(stuck) as url, asyncio.TaskGroup() as group:
        link = Link(url, "test")
        running = group.create_task(link.run())
        with pytest.raises(BrokerUnavailableError):
            async with asyncio.timeout(1), passing_channel(link, 0.05) as channel:
                await channel.prefetch(1)
        running.cancel()
        (await link.connected()).abort(ConnectionLostError("the test is over"))
