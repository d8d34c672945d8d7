"""What a submission may say beside its body: an idempotency key, when to run, whom to tell."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE jobs ADD COLUMN run_at timestamptz;   -- not to be started before; null: at once
ALTER TABLE jobs ADD COLUMN webhook jsonb;        -- {"url": ..., "events": [...] or null}
"""

KEYS = """
-- What an Idempotency-Key created; written in the transaction that creates it, so one exists with the other.
CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,           -- SHA-256 of the route and the body: another one is another request
    object_id uuid NOT NULL,              -- the job, batch, ... that was created
    status smallint NOT NULL,             -- of the answer
    answer text,                          -- its body; null where it is read from the object instead
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys TO penstock_app
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON idempotency_keys TO penstock_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO penstock_system;
"""


def run(script: str) -> None:
    """Run several statements at once, with ``:`` and ``%`` as they are."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Add the columns and the table."""
    run(COLUMNS)
    run(KEYS)


def downgrade() -> None:
    """Remove them."""
    run("DROP TABLE idempotency_keys")
    run("ALTER TABLE jobs DROP COLUMN webhook, DROP COLUMN run_at")
