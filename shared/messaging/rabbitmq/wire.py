"""How a message is spelled in AMQP's properties and headers, and read back.

Our headers begin with ``x-penstock-``; moments are integer milliseconds of Unix time, as AMQP's own
``timestamp`` has whole seconds only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from shared.errors import PayloadTooLargeError
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.amqp.properties import Properties
from shared.messaging.broker import MAX_BODY_BYTES, NO_HEADERS, Message

PUBLISHED_AT = "x-penstock-published-at"
EXPIRES_AT = "x-penstock-expires-at"
ATTEMPT = "x-penstock-attempt"
"""Which delivery to a consumer the next one is; absent means 1."""
REDELIVERED = "x-penstock-redelivered"
"""Present when an earlier consumer had the message."""
COPY = "x-penstock-copy"
"""Id of a copy that takes the place of a redelivered message."""
DEAD_LETTER_ID = "x-penstock-dead-letter-id"
REASON = "x-penstock-reason"
DIED_AT = "x-penstock-died-at"

_LAST_MOMENT_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the broker knows about a queued message beside the message."""

    published_at_ms: int
    attempt: int = 1
    redelivered: bool = False


def milliseconds(moment: datetime) -> int:
    """Spell a moment; rounded to the nearest millisecond."""
    return round(moment.timestamp() * 1000)


def moment(value: int) -> datetime:
    """Read what :func:`milliseconds` wrote."""
    return datetime.fromtimestamp(value / 1000, UTC)


def check_size(message: Message) -> None:
    """Refuse a body that the port does not carry; a larger one could cost the whole channel.

    Raises:
        PayloadTooLargeError: It is over MAX_BODY_BYTES.
    """
    if len(message.body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(
            f"a message body has at most {MAX_BODY_BYTES} bytes, this {message.type} has {len(message.body)}"
        )


def transient_properties(message: Message) -> Properties:
    """Spell a reply or a broadcast."""
    return Properties(
        type=message.type,
        headers=message.headers,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
    )


def queued_properties(
    message: Message, standing: Standing, *, now_ms: int, copy_id: str | None = None
) -> Properties:
    """Spell a message for a queue."""
    headers: dict[str, Any] = {**message.headers, PUBLISHED_AT: standing.published_at_ms}
    expiration = None
    if message.expires_at is not None:
        expires_at_ms = headers[EXPIRES_AT] = milliseconds(message.expires_at)
        # 1 where it is over already: 0 would mean "only if a consumer is ready".
        expiration = str(max(1, expires_at_ms - now_ms))
    if standing.attempt > 1:
        headers[ATTEMPT] = standing.attempt
    if standing.redelivered:
        headers[REDELIVERED] = 1
    if copy_id is not None:
        headers[COPY] = copy_id
    return Properties(
        type=message.type,
        headers=headers,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=expiration,
        persistent=True,
    )


def dead_properties(
    message: Message, standing: Standing, *, identifier: str, reason: str, died_at_ms: int
) -> Properties:
    """Spell a dead letter: like a queued message, but it never expires."""
    properties = queued_properties(message, standing, now_ms=died_at_ms)
    details = {DEAD_LETTER_ID: identifier, REASON: reason, DIED_AT: died_at_ms}
    return replace(properties, expiration=None, headers={**(properties.headers or {}), **details})


def raw_headers(raw: Incoming) -> Mapping[str, Any]:
    """Return every header, the broker's too; of a foreign message it may be of any kind."""
    return raw.properties.headers or NO_HEADERS


def message_of(properties: Properties, body: bytes) -> Message:
    """Read a message."""
    headers: Mapping[str, Any] = properties.headers or NO_HEADERS
    expires_at_ms = read_number(headers, EXPIRES_AT)
    return Message(
        type=properties.type or "",
        body=body,
        headers={
            key: value
            for key, value in headers.items()
            if not key.startswith("x-") and isinstance(value, str)
        }
        if headers
        else NO_HEADERS,
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        expires_at=None if expires_at_ms is None else moment(expires_at_ms),
    )


def read_number(headers: Mapping[str, Any], name: str) -> int | None:
    """Read a number or a moment of ours; None where there is none, or something that we never write."""
    value = headers.get(name)
    return value if isinstance(value, int) and 0 <= value <= _LAST_MOMENT_MS else None


def read_text(headers: Mapping[str, Any], name: str) -> str:
    """Read a text of ours; empty where there is none."""
    value = headers.get(name)
    return value if isinstance(value, str) else ""


def read_attempt(headers: Mapping[str, Any]) -> int:
    """Read which delivery to a consumer this is, from 1."""
    return read_number(headers, ATTEMPT) or 1


def read_standing(headers: Mapping[str, Any], *, now_ms: int) -> Standing:
    """Read what travels with a message; a foreign one counts as published now."""
    published_at_ms = read_number(headers, PUBLISHED_AT)
    return Standing(
        published_at_ms=now_ms if published_at_ms is None else published_at_ms,
        attempt=read_attempt(headers),
        redelivered=REDELIVERED in headers,
    )
