"""The statements of every message's way, each for a set of queues.

They are plain SQL and not functions of the schema, so that PostgreSQL plans each once a connection: a
table's name has to be part of the text, and a function that builds its text plans it at every call.
Such a plan may have been made while the queue was empty and must do for a full one: rows are found by
an array of keys and never by a join, whose order PostgreSQL would choose by the size it saw.

``tables`` are PGMQ's queue names; arrays of one call are parallel: one position is one message.
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
UPDATE pgmq.q_<table> SET
    last_read_at = clock_timestamp(), vt = clock_timestamp() + make_interval(secs => $1),
    read_ct = read_ct + 1
WHERE msg_id = ANY (ARRAY(
    SELECT msg_id FROM pgmq.q_<table>
    WHERE vt <= clock_timestamp() AND NOT EXISTS (SELECT FROM penstock_broker.paused WHERE queue = $3)
    ORDER BY msg_id LIMIT $2 FOR UPDATE SKIP LOCKED
))
RETURNING msg_id, read_ct, enqueued_at AS published_at, message #>> '{}' AS body, headers
"""

_GONE = """gone_<number> AS (
    DELETE FROM pgmq.q_<table>
    WHERE msg_id = ANY ($<ids>::bigint[])
      AND read_ct = ($<read_cts>::integer[])[array_position($<ids>::bigint[], msg_id)]
    RETURNING msg_id, read_ct
)"""

_WHICH = """SELECT '<table>', msg_id, read_ct, (SELECT set_config('synchronous_commit', 'off', true))
FROM gone_<number>"""


@lru_cache(_KEPT)
def publish(tables: tuple[str, ...]) -> str:
    """Insert and wake the readers: ``$1`` positions in ``tables``, ``$2`` messages, ``$3`` headers."""
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
    """Delete messages that are held: for each table an array of ids and one of the read_cts.

    Of two read_cts for one id only the first counts. Returns table, id and read_ct of those that were
    still held. Commits without waiting for the disk.
    """
    return f"WITH {_of_each(_GONE, tables)} {_of_each(_WHICH, tables, between=' UNION ALL ')}"


def _of_each(part: str, tables: tuple[str, ...], *, between: str = ", ") -> str:
    return between.join(
        part.replace("<table>", table)
        .replace("<number>", str(number))
        .replace("<ids>", str(2 * number + 1))
        .replace("<read_cts>", str(2 * number + 2))
        for number, table in enumerate(tables)
    )
