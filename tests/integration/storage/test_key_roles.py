"""Every key has a role, also one that was made before there were roles."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from alembic import command

from shared.contracts.ids import new_id
from shared.storage.migrate import alembic_config, migrate

_LOOK_UP = "SELECT * FROM api_key_for_authentication('0123')"


def test_keys_keep_working_over_the_migration_in_both_directions(fresh_database: Callable[[], str]):
    url = fresh_database()
    config = alembic_config(url)
    command.upgrade(config, "0002")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET ROLE penstock_system")
        tenant = new_id()
        connection.execute("INSERT INTO tenants (id, name) VALUES (%s, 'old')", (tenant,))
        connection.execute(
            "INSERT INTO api_keys (id, tenant_id, key_id, digest, name) VALUES (%s, %s, '0123', 'x', 'old')",
            (new_id(), tenant),
        )
    asyncio.run(migrate(url))
    with psycopg.connect(url) as app:
        app.execute("SET ROLE penstock_app")
        (row,) = app.execute(_LOOK_UP).fetchall()
        assert row[3] == "tenant"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("UPDATE api_keys SET role = 'operator'")
    command.downgrade(config, "0002")
    with psycopg.connect(url) as app:
        app.execute("SET ROLE penstock_app")
        (row,) = app.execute(_LOOK_UP).fetchall()
        assert len(row) == 3
    asyncio.run(migrate(url))
