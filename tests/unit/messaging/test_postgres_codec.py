"""Messages as text, without a server."""

import itertools
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.broker import Message
from shared.messaging.postgres.codec import (
    Assembler,
    from_row,
    to_notifications,
    to_row,
)

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


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_messages_come_back_from_notifications_of_bounded_size(messages):
    numbers, assembler = itertools.count(), Assembler()
    pieces = [piece for message in messages for piece in to_notifications(message, numbers)]
    assert all(len(piece.encode()) < 8000 for piece in pieces)
    assert len(set(pieces)) == len(pieces)
    assert [message for piece in pieces if (message := assembler.add(piece))] == messages


@pytest.mark.parametrize("body", [b"whole", b"b" * 20_000])
def test_a_message_cut_off_by_an_outage_does_not_spoil_the_next(body):
    numbers, assembler = itertools.count(), Assembler()
    for piece in to_notifications(Message(type="t", body=b"a" * 30_000), numbers)[:2]:
        assert assembler.add(piece) is None
    following = Message(type="t", body=body)
    pieces = to_notifications(following, numbers)
    assert [message for piece in pieces if (message := assembler.add(piece))] == [following]


@given(MESSAGES)
def test_a_message_comes_back_from_a_row(message):
    import orjson

    row = to_row(message)
    assert from_row(orjson.loads(row.message), row.headers) == (message, None)
