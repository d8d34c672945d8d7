"""Makes the database a broker: PGMQ, our own schema, the topology's queues. Safe to run by many at once."""

import hashlib
from importlib.resources import files

import asyncpg

from shared.messaging.postgres.names import table_name
from shared.messaging.topology import Topology

_LOCK = 0x70656E73746F636B
"""Advisory lock of the installation: ``penstock`` in ASCII."""

_STORAGE = "fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000"
"""A queue's table is nearly empty and always changing: room in each page for a second version of its
rows, and vacuum by a number of rows instead of by a share of them."""


async def install(connection: asyncpg.Connection, topology: Topology) -> None:
    """Create what is missing, in one transaction.

    PGMQ is left alone where it is there already, as an extension or as plain SQL.
    """
    script = files("shared.messaging.postgres").joinpath("schema.sql").read_text(encoding="utf-8")
    version = hashlib.sha256(script.encode()).hexdigest()[:16]
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval("SELECT to_regclass('pgmq.meta') IS NULL"):
            # Its package loads SQLAlchemy and psycopg, 30 MB that only the first process of all needs.
            from pgmq.install import get_embedded_install_sql  # noqa: PLC0415 - for its memory

            await connection.execute(get_embedded_install_sql())
        if not await _installed(connection, version):
            await connection.execute(script)
            await connection.execute("INSERT INTO penstock_broker.installed (version) VALUES ($1)", version)
        await _create_queues(connection, topology)


async def _installed(connection: asyncpg.Connection, version: str) -> bool:
    if await connection.fetchval("SELECT to_regclass('penstock_broker.installed') IS NULL"):
        return False
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM penstock_broker.installed WHERE version = $1)", version
    )
    return bool(found)


async def _create_queues(connection: asyncpg.Connection, topology: Topology) -> None:
    present = {row["queue_name"] for row in await connection.fetch("SELECT queue_name FROM pgmq.meta")}
    for queue in topology.queues:
        table = table_name(queue.name)
        if table not in present:
            await connection.execute("SELECT pgmq.create($1)", table)
            # PGMQ reads in the order of the key and never by this index, whose column changes with every
            # read: without it, PostgreSQL clears old versions away at once. Measured over 70,000 messages:
            # a table of 1.1 MB instead of 33.
            await connection.execute(f"DROP INDEX IF EXISTS pgmq.q_{table}_vt_idx")
            await connection.execute(f"ALTER TABLE pgmq.q_{table} SET ({_STORAGE})")
