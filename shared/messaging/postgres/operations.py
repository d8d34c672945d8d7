"""What an operator sees of a queue and does to it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.errors import MalformedMessageError
from shared.messaging.broker import DeadLetter, QueueStats
from shared.messaging.dead_letters import DeadLetterChoice
from shared.messaging.postgres.codec import from_row, unreadable
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.names import lock_class, table_name

CALL_TIMEOUT_S = 5.0
_STATS = "SELECT * FROM penstock_broker.look_at($1, $2, $3)"
_PAUSE = "INSERT INTO penstock_broker.paused (queue) VALUES ($1) ON CONFLICT DO NOTHING"
_RESUME = """
WITH gone AS (DELETE FROM penstock_broker.paused WHERE queue = $1)
SELECT penstock_broker.wake($2)
"""
_CHOSEN = """
FROM penstock_broker.dead_letters
WHERE queue = $1 AND ($2::bigint[] IS NULL OR id = ANY ($2))
  AND ($3::text IS NULL OR strpos(lower(reason), lower($3)) > 0)
  AND ($4::timestamptz IS NULL OR died_at < $4)
ORDER BY id LIMIT $5
"""
_LIST = f"SELECT id, message #>> '{{}}' AS body, headers, reason, attempt, died_at {_CHOSEN} OFFSET $6"
# Of those that somebody else is busy with, neither waits for the other: each is replayed or discarded once.
_REPLAY = f"SELECT penstock_broker.replay($6, $1, ARRAY(SELECT id {_CHOSEN} FOR UPDATE SKIP LOCKED))"
_DISCARD = f"""
WITH gone AS (
    DELETE FROM penstock_broker.dead_letters
    WHERE id = ANY (ARRAY(SELECT id {_CHOSEN} FOR UPDATE SKIP LOCKED)) RETURNING 1
) SELECT count(*) FROM gone
"""  # noqa: S608 - constants
_DROP_EXPIRED = "SELECT penstock_broker.drop_expired($1, $2)"
_DROP_AT_ONCE = 1000


class Operations:
    """Statements about one queue at a time."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def stats(self, queue: str) -> QueueStats:
        """Look at a queue."""
        rows = await self._connections.fetch(
            _STATS, table_name(queue), queue, lock_class(queue), timeout_s=CALL_TIMEOUT_S
        )
        return QueueStats(**rows[0])

    async def pause(self, queue: str) -> None:
        """Let every later read of the queue find nothing."""
        await self._connections.fetch(_PAUSE, queue, timeout_s=CALL_TIMEOUT_S)

    async def resume(self, queue: str) -> None:
        """Undo :meth:`pause` and wake the readers."""
        await self._connections.fetch(_RESUME, queue, table_name(queue), timeout_s=CALL_TIMEOUT_S)

    async def dead_letters(
        self, queue: str, choice: DeadLetterChoice, *, limit: int, offset: int
    ) -> Sequence[DeadLetter]:
        """List dead letters, oldest first."""
        rows = await self._connections.fetch(
            _LIST, queue, *_criteria(choice), limit, offset, timeout_s=CALL_TIMEOUT_S
        )
        letters = []
        for row in rows:
            try:
                message, _ = from_row(row["body"], row["headers"])
            except MalformedMessageError:
                message = unreadable(row["body"])
            letters.append(
                DeadLetter(
                    id=str(row["id"]),
                    queue=queue,
                    message=message,
                    reason=row["reason"],
                    attempt=row["attempt"],
                    died_at=row["died_at"],
                )
            )
        return letters

    async def replay(self, queue: str, choice: DeadLetterChoice, *, limit: int) -> int:
        """Put dead letters back on their queue."""
        rows = await self._connections.fetch(
            _REPLAY, queue, *_criteria(choice), limit, table_name(queue), timeout_s=CALL_TIMEOUT_S
        )
        return int(rows[0][0])

    async def discard(self, queue: str, choice: DeadLetterChoice, *, limit: int) -> int:
        """Delete dead letters."""
        rows = await self._connections.fetch(
            _DISCARD, queue, *_criteria(choice), limit, timeout_s=CALL_TIMEOUT_S
        )
        return int(rows[0][0])

    async def drop_expired(self, queue: str) -> None:
        """Delete what expired while nobody took it."""
        dropped = _DROP_AT_ONCE
        while dropped == _DROP_AT_ONCE:
            rows = await self._connections.fetch(
                _DROP_EXPIRED, table_name(queue), _DROP_AT_ONCE, timeout_s=CALL_TIMEOUT_S
            )
            dropped = int(rows[0][0])


def _criteria(choice: DeadLetterChoice) -> tuple[list[int] | None, str | None, datetime | None]:
    ids = None if choice.ids is None else _numbers(choice.ids)
    reason = None if choice.reason is None else choice.reason.replace("\0", "")
    return ids, reason, choice.died_before


def _numbers(ids: Iterable[str]) -> list[int]:
    """Read ids as this broker spells them; others belong to no dead letter."""
    return [int(each) for each in ids if each.isascii() and each.isdigit() and len(each) < 19]
