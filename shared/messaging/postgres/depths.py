"""How full many queues are, in one statement."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from shared.messaging.broker import Depth
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.names import lock_class, table_name

CALL_TIMEOUT_S = 5.0

COUNTED = 5000
"""So many messages are counted; what comes after them is told by their numbers, which leave out few."""

_DEPTH = """
SELECT <number>::integer AS number,
       head.ready + CASE WHEN head.ready < <counted> THEN 0
                         ELSE (SELECT max(msg_id) FROM pgmq.q_<table>) - head.last_id END AS ready,
       extract(epoch FROM clock_timestamp() - head.oldest_at)::float8 AS oldest_age_s
FROM (SELECT count(*) AS ready, max(msg_id) AS last_id, min(enqueued_at) AS oldest_at
      FROM (SELECT msg_id, enqueued_at FROM pgmq.q_<table>
            WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT <counted>) AS first_ones) AS head"""

_ALL = """
WITH subscriptions AS MATERIALIZED (
    SELECT classid::bigint AS class, count(*) AS consumers FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY classid
)
SELECT d.number, d.ready, d.oldest_age_s,
       CASE WHEN EXISTS (SELECT FROM penstock_broker.paused p WHERE p.queue = ($1::text[])[d.number]) THEN 0
            ELSE coalesce((SELECT s.consumers FROM subscriptions s
                           WHERE s.class = ($2::bigint[])[d.number]), 0) END AS consumers
FROM (<depths>) AS d
"""


async def read_depths(
    connections: Connections, queues: Sequence[str], *, counted: int = COUNTED
) -> Mapping[str, Depth]:
    """Look at queues that exist; of each, ``counted`` messages are counted."""
    if not queues:
        return {}
    rows = await connections.fetch(
        _statement(tuple(map(table_name, queues)), counted),
        list(queues),
        [lock_class(queue) % 2**32 for queue in queues],
        timeout_s=CALL_TIMEOUT_S,
    )
    return {
        queues[row["number"] - 1]: Depth(
            ready=row["ready"], consumers=row["consumers"], oldest_age_s=row["oldest_age_s"]
        )
        for row in rows
    }


@lru_cache(8)
def _statement(tables: tuple[str, ...], counted: int) -> str:
    depths = " UNION ALL ".join(
        _DEPTH.replace("<table>", table).replace("<number>", str(number)).replace("<counted>", str(counted))
        for number, table in enumerate(tables, start=1)
    )
    return _ALL.replace("<depths>", depths)
