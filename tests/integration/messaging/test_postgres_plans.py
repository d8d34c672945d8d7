"""Statements are planned once a connection, perhaps while a queue was empty; a full one must not be slow."""

import pytest

from shared.messaging.postgres import statements
from shared.messaging.postgres.connections import open_connection
from shared.messaging.postgres.install import install
from shared.messaging.postgres.names import table_name
from tests.integration.messaging.conftest import OTHER, TOPOLOGY, WORK

BACKLOG = 5000
WORK_TABLE, OTHER_TABLE = table_name(WORK), table_name(OTHER)
BOTH = (WORK_TABLE, OTHER_TABLE)


@pytest.fixture
async def connection(database_url: str):
    connection = await open_connection(database_url, name="test", timeout_s=5)
    await install(connection, TOPOLOGY)
    yield connection
    await connection.close()


LOOK = """
SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid))::integer
FROM pg_class WHERE relname::text IN ($1, $1 || '_pkey')
"""


async def rows_visited(connection, statement: str, *arguments) -> int:
    """Run a statement; returns how often it has looked at a row of the work queue or of its index."""
    async with connection.transaction():
        before = await connection.fetchval(LOOK, f"q_{WORK_TABLE}")
        await connection.fetch(statement, *arguments)
        return await connection.fetchval(LOOK, f"q_{WORK_TABLE}") - before


async def test_plans_made_for_an_empty_queue_look_at_few_rows_of_a_full_one(connection):
    await connection.execute(f"VACUUM ANALYZE pgmq.q_{WORK_TABLE}, pgmq.q_{OTHER_TABLE}")
    take = (statements.take(WORK_TABLE), 30.0, 10, WORK)
    acknowledge = (statements.acknowledge(BOTH), list(range(11, 21)), [0] * 10, [], [])
    for statement in (take, acknowledge):
        assert await rows_visited(connection, *statement) == 0
    await connection.fetch(
        statements.publish(BOTH), [0] * BACKLOG, ['"{}"'] * BACKLOG, ['{"type": "t.v1"}'] * BACKLOG
    )
    for statement in (take, acknowledge):
        assert 0 < await rows_visited(connection, *statement) < 100
    left = await connection.fetchval(f"SELECT count(*) FROM pgmq.q_{WORK_TABLE}")  # noqa: S608 - our own name
    assert left == BACKLOG - 10
