"""Taking away what waits in a queue, a batch at a time."""

import asyncpg

from shared.errors import MalformedMessageError
from shared.messaging.broker import Message, OnPurged
from shared.messaging.postgres import statements
from shared.messaging.postgres.codec import from_row, unreadable
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.names import table_name

BATCH = 200
LEASE_S = 60.0
"""How long a batch is hidden while it is handed over; then it waits again, if nobody is left to say so."""
TIMEOUT_S = 5.0
_NO_QUEUE = ""
"""Given where a statement asks whether a queue is paused: a purge takes from a paused one, too."""
_GIVE_BACK = "SELECT penstock_broker.give_back($1, $2, $3, $4)"


async def purge(connections: Connections, queue: str, on_purged: OnPurged, *, limit: int) -> int:
    """Lease a batch, hand it over, delete it; see the port.

    Raises:
        BrokerUnavailableError: The broker does not answer; batches that were handed over before are gone.
    """
    table = table_name(queue)
    take = statements.take(table)
    remove = statements.acknowledge((table,))
    purged = 0
    while purged < limit:
        most = min(BATCH, limit - purged)
        rows = await connections.fetch(take, LEASE_S, most, _NO_QUEUE, timeout_s=TIMEOUT_S)
        if not rows:
            break
        ids, read_cts = [row["msg_id"] for row in rows], [row["read_ct"] for row in rows]
        try:
            await on_purged([_message(row) for row in rows])
        except BaseException:
            held = ([table] * len(rows), ids, read_cts, [1] * len(rows))
            await connections.fetch(_GIVE_BACK, *held, timeout_s=TIMEOUT_S)
            raise
        await connections.fetch(remove, ids, read_cts, timeout_s=TIMEOUT_S)
        purged += len(rows)
    return purged


def _message(row: asyncpg.Record) -> Message:
    try:
        return from_row(row["body"], row["headers"])[0]
    except MalformedMessageError:
        return unreadable(row["body"])
