"""Runs the migrations, one migrator at a time."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

ADVISORY_LOCK = 7_310_593_461_927

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.begin() as connection:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
    context.configure(connection=connection)
    context.run_migrations()
