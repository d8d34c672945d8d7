"""Names inside PostgreSQL of what has a name in the topology."""

import hashlib
import re
import secrets

MAX_TABLE = 47
"""PGMQ's limit; source: its function ``validate_queue_name``."""

BROADCAST_CHANNEL = "penstock.broadcast"
_INBOX_PREFIX = "penstock.inbox."


def table_name(queue: str) -> str:
    """PGMQ's name for a queue: ``jobs.chat.batch.v1`` becomes ``jobs_chat_batch_v1``.

    Names that would be too long or ambiguous end in a digest of the whole name.
    """
    legal = re.sub(r"[^a-z0-9_]", "_", queue.lower())
    if len(legal) <= MAX_TABLE and re.fullmatch(r"[a-z0-9.]+", queue):
        return legal
    digest = hashlib.sha256(queue.encode()).hexdigest()[:10]
    return f"{legal[: MAX_TABLE - 11]}_{digest}"


def queue_channel(table: str) -> str:
    """Where a notification says that a queue may have something to take."""
    return f"penstock.queue.{table}"


def new_inbox_channel() -> str:
    """Return a fresh address for replies."""
    return _INBOX_PREFIX + secrets.token_hex(12)


def is_inbox_channel(address: str) -> bool:
    """Whether an address is one of :func:`new_inbox_channel`'s."""
    return re.fullmatch(re.escape(_INBOX_PREFIX) + "[0-9a-f]{24}", address) is not None


def lock_class(queue: str) -> int:
    """First key of the advisory locks that count a queue's subscriptions, a signed 32-bit number."""
    digest = hashlib.sha256(f"penstock.consumers.{queue}".encode()).digest()
    return int.from_bytes(digest[:4], signed=True)
