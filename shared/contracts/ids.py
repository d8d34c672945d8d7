"""Identifiers: UUIDv7 inside, a readable prefix at the API.

A UUIDv7 begins with the Unix time in milliseconds, so ids sort by creation and a table that is
partitioned by id is partitioned by day. Source: RFC 9562, section 5.7.
"""

import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.errors import NotFoundError

_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)


def new_id() -> UUID:
    """Return a fresh UUIDv7; ids of one process within one millisecond are in random order."""
    return _uuid7(time.time_ns() // 1_000_000, secrets.randbits(74))


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 of a moment: the lower bound of a partition that starts there."""
    return _uuid7((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1), 0)


def created_at(identifier: UUID) -> datetime:
    """Read the creation time out of a UUIDv7, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def _uuid7(milliseconds: int, random_bits: int) -> UUID:
    random_a, random_b = random_bits >> 62, random_bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | _VERSION_AND_VARIANT | (random_a << 64) | random_b)


def public_id(prefix: str, identifier: UUID) -> str:
    """Spell an id for the API, e.g. ``job_0198c1f2a5b47c3d8e9f001122334455``."""
    return f"{prefix}_{identifier.hex}"


def parse_public_id(prefix: str, text: str) -> UUID:
    """Read an id as the API spells it.

    Raises:
        NotFoundError: The text is no id of that kind, so nothing can have it.
    """
    head, _, tail = text.partition("_")
    if head == prefix and len(tail) == 32:
        try:
            return UUID(hex=tail)
        except ValueError:
            pass
    raise NotFoundError(f"No {prefix} has the id {text[:80]!r}.")
