"""The statements of every message's way, each for a set of queues.

They are plain SQL and not functions of the schema, so that PostgreSQL plans each once a connection: a
table's name has to be part of the text, and a function that builds its text plans it at every call.

``tables`` are PGMQ's queue names; arrays of one call are parallel: one position is one message, and the
first array says by number to which of ``tables`` it belongs.
"""

from functools import lru_cache

from shared.messaging.postgres.names import queue_channel

_KEPT = 128
"""More than the sets of queues that a process meets in one batch."""

_SENT = """sent_<number> AS (
    INSERT INTO pgmq.q_<table> (vt, message, headers)
    SELECT clock_timestamp(), message, headers
    FROM unnest($1::integer[], $2::jsonb[], $3::jsonb[]) AS s (number, message, headers)
    WHERE number = <number>
)"""

_WAKE = f"pg_notify('{queue_channel('<table>')}', '')"

_TAKE = """
UPDATE pgmq.q_<table> AS q SET
    last_read_at = clock_timestamp(), vt = clock_timestamp() + make_interval(secs => $1),
    read_ct = q.read_ct + 1
FROM (
    SELECT msg_id FROM pgmq.q_<table>
    WHERE vt <= clock_timestamp() AND NOT EXISTS (SELECT FROM penstock_broker.paused WHERE queue = $3)
    ORDER BY msg_id LIMIT $2 FOR UPDATE SKIP LOCKED
) AS due
WHERE q.msg_id = due.msg_id
RETURNING q.msg_id, q.read_ct, q.enqueued_at AS published_at, q.message #>> '{}' AS body, q.headers
"""

_HELD = """held AS (
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::integer[])
    WITH ORDINALITY AS h (number, id, read_ct, position)
)"""

_GONE = """gone_<number> AS (
    DELETE FROM pgmq.q_<table> AS q USING held
    WHERE held.number = <number> AND q.msg_id = held.id AND q.read_ct = held.read_ct
    RETURNING held.position
)"""

_POSITIONS = "SELECT position, (SELECT set_config('synchronous_commit', 'off', true)) FROM gone_<number>"


@lru_cache(_KEPT)
def publish(tables: tuple[str, ...]) -> str:
    """Insert and wake the readers: ``$1`` numbers of tables, ``$2`` messages, ``$3`` headers."""
    return f"WITH {_of_each(_SENT, tables)} SELECT {_of_each(_WAKE, tables)}"


@lru_cache(_KEPT)
def take(table: str) -> str:
    """Lease messages for ``$1`` seconds, up to ``$2`` of them, none if the queue ``$3`` is paused.

    Durable: whoever has begun a message must be counted even if the server dies, or its next consumer
    would not know that it is a redelivery.
    """
    return _TAKE.replace("<table>", table)


@lru_cache(_KEPT)
def acknowledge(tables: tuple[str, ...]) -> str:
    """Delete messages that are held: ``$1`` numbers of tables, ``$2`` ids, ``$3`` read_cts.

    Returns the positions of those that were still held, from 1. Commits without waiting for the disk.
    """
    gone = _of_each(_POSITIONS, tables, between=" UNION ALL ")
    return f"WITH {_HELD}, {_of_each(_GONE, tables)} {gone}"


def _of_each(part: str, tables: tuple[str, ...], *, between: str = ", ") -> str:
    return between.join(
        part.replace("<table>", table).replace("<number>", str(number)) for number, table in enumerate(tables)
    )
