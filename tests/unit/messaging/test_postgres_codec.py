"""Messages as text, without a server."""

import itertools
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedMessageError
from shared.messaging.broker import Message
from shared.messaging.postgres.codec import from_row, to_row
from shared.messaging.postgres.notifications import MAX_NOTIFICATION_BYTES, Assembler, pack, spell

# Fixed ones: a moment that a clock change skips or repeats is equal to nothing in another zone.
OFFSETS = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
MESSAGES = st.builds(
    Message,
    type=TEXTS,
    body=st.binary(max_size=100) | st.text(max_size=20_000).map(lambda t: t.encode(errors="replace")),
    headers=st.dictionaries(TEXTS, TEXTS, max_size=3),
    correlation_id=st.none() | TEXTS,
    reply_to=st.none() | TEXTS,
    expires_at=st.none() | st.datetimes(timezones=st.sampled_from(OFFSETS)),
)


def received(assembler, payloads):
    return [message for payload in payloads for message in assembler.add(payload)]


@given(st.lists(MESSAGES, min_size=1, max_size=8))
def test_messages_come_back_in_order_from_notifications_of_bounded_size(messages):
    payloads = pack([spell(message) for message in messages], itertools.count())
    assert all(len(payload.encode()) < 8000 for payload in payloads)
    assert len(set(payloads)) == len(payloads)
    assert received(Assembler(), payloads) == messages


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_a_message_of_about_the_size_of_a_notification_comes_back_whatever_its_exact_length(letter):
    for spelled in range(MAX_NOTIFICATION_BYTES - 60, MAX_NOTIFICATION_BYTES + 20):
        message = Message(type="t", body=letter.encode() * (spelled // len(letter.encode())))
        payloads = pack([spell(message)], itertools.count())
        assert all(len(payload.encode()) < 8000 for payload in payloads)
        assert received(Assembler(), payloads) == [message]


def test_small_messages_share_a_notification():
    messages = [Message(type="t", body=b"%d" % number) for number in range(300)]
    payloads = pack([spell(message) for message in messages], itertools.count())
    assert len(payloads) == 1
    assert received(Assembler(), payloads) == messages


@pytest.mark.parametrize(
    "payload", ["", "x", "1?text", "1*zz,text", "1*4", "1*00", "1*-5,text", "1*2,{}", "1.half\nof it"]
)
def test_a_notification_of_another_making_is_refused(payload):
    with pytest.raises(MalformedMessageError):
        Assembler().add(payload)


@pytest.mark.parametrize("body", [b"whole", b"b" * 20_000])
def test_a_message_cut_off_by_an_outage_does_not_spoil_the_next(body):
    numbers, assembler = itertools.count(), Assembler()
    assert received(assembler, pack([spell(Message(type="t", body=b"a" * 30_000))], numbers)[:2]) == []
    following = Message(type="t", body=body)
    assert received(assembler, pack([spell(following)], numbers)) == [following]


@given(MESSAGES)
def test_a_message_comes_back_from_a_row(message):
    import orjson

    row = to_row(message)
    assert from_row(orjson.loads(row.message), row.headers) == (message, None)
